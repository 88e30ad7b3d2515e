//! Requests that a page of somebody else makes in a signed-in browser (CSRF), and how ours are told from them.
//!
//! Cookies go with them: also `SameSite=Strict` ones, if the page comes from another port of this machine. So whatever changes
//! something has to repeat a token that only our own pages know; and where the browser says who asks, it must be us.

use axum::http::header::HeaderName;
use axum::http::{HeaderMap, Method};
use bytes::Bytes;

use super::store::Session;
use super::token::Token;
use crate::error::{Code, Problem};
use crate::form_data::first_text;

/// Where a script of ours repeats its page's token.
const HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
/// Where a form does.
pub const FIELD: &str = "csrf";

/// What the form of the sign-in repeats, where no session is yet: it belongs to the cookie that came with the form.
pub(super) fn of_form(cookie: &Token) -> Token {
    cookie.derive("the form of the sign-in")
}

/// A request with a session comes from a page of ours or from the person at the browser.
///
/// # Errors
/// The browser says that it does not. (RFC of the header: W3C Fetch Metadata.)
pub(super) fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let safe = is_safe(method);
    match said("sec-fetch-site") {
        None | Some("same-origin") => Ok(()),
        // Typed, or a bookmark; or a link that shows a page and lets nobody read it.
        Some("none") if safe => Ok(()),
        Some("same-site" | "cross-site") if safe && said("sec-fetch-mode") == Some("navigate") => Ok(()),
        Some(_) => {
            let detail = "This request comes from a web page of another site, which may not use your session.";
            Err(Problem::new(Code::Forbidden, detail))
        }
    }
}

/// A request that changes something repeats the token of its session.
///
/// # Errors
/// It does not.
pub(super) fn check_token(
    session: &Session,
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<(), Problem> {
    if is_safe(method) {
        return Ok(());
    }
    let good = match headers.get(HEADER) {
        Some(value) => value.to_str().is_ok_and(|token| session.csrf.is(token)),
        None => first_text(headers, body, FIELD).is_some_and(|token| session.csrf.is(&token)),
    };
    if good {
        return Ok(());
    }
    let detail = "With a session, requests that change something repeat the token of the page: in the header X-CSRF-Token, \
                  or in the field `csrf` of a form. Nothing was done. Load the page again and repeat it.";
    Err(Problem::new(Code::CsrfTokenInvalid, detail))
}

/// The value of a field of a form; of several, the first.
pub fn field(body: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(body).find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

#[cfg(test)]
mod tests {
    use super::super::Grant;
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn session() -> Session {
        Session::of(Grant::everything("somebody"))
    }

    #[test]
    fn reading_needs_no_token_and_everything_else_does() {
        let session = session();
        let check = |method: Method| check_token(&session, &method, &headers(&[]), &Bytes::new());
        assert!(check(Method::GET).is_ok() && check(Method::HEAD).is_ok());
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            assert_eq!(check(method.clone()).unwrap_err().code(), Code::CsrfTokenInvalid, "{method}");
        }
    }

    #[test]
    fn the_token_stands_in_the_header_or_in_the_form() {
        let (session, other) = (session(), session());
        let (own, foreign) = (session.csrf.as_str(), other.csrf.as_str());
        let check = |pairs: &[(&'static str, &str)], body: &str| {
            check_token(&session, &Method::POST, &headers(pairs), &Bytes::from(body.to_owned())).is_ok()
        };
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        assert!(check(&[("x-csrf-token", own)], ""));
        assert!(check(&[form], &format!("a=b&csrf={own}")));
        assert!(!check(&[("x-csrf-token", foreign)], "") && !check(&[form], &format!("csrf={foreign}")));
        assert!(!check(&[("x-csrf-token", "")], "") && !check(&[form], "csrf=") && !check(&[form], ""));
        assert!(!check(&[("x-csrf-token", foreign), form], &format!("csrf={own}")), "the header counts");
        assert!(!check(&[("content-type", "application/json")], &format!("csrf={own}")), "no form");
        let with_files = ("content-type", "multipart/form-data; boundary=x");
        let parts = |token: &str| {
            format!(
                "--x\r\ncontent-disposition: form-data; name=\"a\"; filename=\"csrf\"\r\n\r\n{own}\r\n\
                 --x\r\ncontent-disposition: form-data; name=\"csrf\"\r\n\r\n{token}\r\n--x--\r\n"
            )
        };
        assert!(check(&[with_files], &parts(own)) && !check(&[with_files], &parts(foreign)));
        assert!(!check(&[with_files], &format!("csrf={own}")) && !check(&[form], &parts(own)));
    }

    #[test]
    fn what_the_browser_says_of_the_page_counts() {
        let check = |method: Method, site: &str, mode: &str| {
            check_origin(&method, &headers(&[("sec-fetch-site", site), ("sec-fetch-mode", mode)])).is_ok()
        };
        assert!(check_origin(&Method::POST, &headers(&[])).is_ok());
        assert!(check(Method::POST, "same-origin", "cors") && check(Method::GET, "none", "navigate"));
        assert!(check(Method::GET, "cross-site", "navigate"));
        for site in ["same-site", "cross-site", "none", "x"] {
            assert!(!check(Method::POST, site, "navigate"), "{site}");
        }
        for mode in ["cors", "no-cors", "websocket", ""] {
            assert!(!check(Method::GET, "same-site", mode) && !check(Method::GET, "cross-site", mode), "{mode}");
        }
    }
}
