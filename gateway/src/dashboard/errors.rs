//! Problems as browsers are shown them: a page, or the way to the sign-in. Everybody else gets the problem document.

use askama::Template;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request};
use axum::response::Response;

use super::filters::{self, text};
use super::{Frame, Viewer, Visit, lead_to, sign_in};
use crate::api::accepts;
use crate::bridge::Bridge;
use crate::error::{Code, Problem};

#[derive(Template)]
#[template(path = "error.html")]
struct Page<'a> {
    frame: Frame,
    status: u16,
    code: &'a str,
    detail: &'a str,
    remedy: Option<&'a str>,
}

/// What a browser asked for.
pub struct Asked {
    visit: Visit,
    /// Where to come back to, once somebody has signed in.
    address: Option<String>,
}

/// Whether whoever asks wants something to look at: browsers name the type when they open an address, scripts do not.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ACCEPT) && accepts(headers, "text/html")
}

impl Asked {
    /// What a request asks for, if a browser does.
    pub fn by<B>(bridge: &Bridge, request: &Request<B>) -> Option<Self> {
        if !wants_page(request.headers()) {
            return None;
        }
        let read = matches!(*request.method(), Method::GET | Method::HEAD);
        let address = request.uri().path_and_query().filter(|_| read).map(ToString::to_string);
        let visit = Visit::of(bridge, request.method(), request.uri(), request.headers(), request.extensions());
        Some(Self { visit, address })
    }

    /// Shows a problem as a page.
    pub fn show(&self, response: Response) -> Response {
        match response.extensions().get::<Problem>().map(|problem| answer(self, problem)) {
            Some(Ok(shown)) => with_headers_of(shown, &response),
            Some(Err(_)) | None => response,
        }
    }
}

fn answer(asked: &Asked, problem: &Problem) -> Result<Response, Problem> {
    if let (Code::SignatureMissing | Code::SessionEnded, Some(address)) = (problem.code(), &asked.address) {
        return lead_to(&sign_in::address_for(address));
    }
    let code = problem.code();
    let frame = asked.visit.frame(asked.visit.say(code.title()), "");
    let (status, detail) = (code.status(), problem.detail());
    let remedy = remedy(code, &asked.visit.viewer);
    asked.visit.page(status, &Page { frame, status: status.as_u16(), code: code.name(), detail, remedy })
}

/// What to do, where the detail speaks to programs.
fn remedy(code: Code, viewer: &Viewer) -> Option<&'static str> {
    match code {
        Code::Internal => {
            Some(text!("Nothing is known of the state of what you asked for: look before you repeat it."))
        }
        Code::MethodNotAllowed => {
            Some(text!("Pages link to nothing of the kind; the API documentation says what is possible."))
        }
        // Nobody who has not signed in is refused for want of a scope.
        Code::Forbidden if viewer.name().is_some() => {
            Some(text!("Ask whoever runs the bridge, or sign in as somebody who may."))
        }
        Code::SignatureMissing => Some(text!("Sign in first.")),
        _ => None,
    }
}

/// What the problem's answer says beside its body, such as when to try again.
fn with_headers_of(mut shown: Response, original: &Response) -> Response {
    let more = original.headers().iter().filter(|(name, _)| **name != CONTENT_TYPE && **name != CONTENT_LENGTH);
    more.for_each(|(name, value)| {
        shown.headers_mut().entry(name).or_insert_with(|| value.clone());
    });
    shown
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::header::{LOCATION, RETRY_AFTER};
    use axum::response::IntoResponse as _;

    use super::*;

    fn shown(address: Option<&str>, problem: Problem) -> Response {
        let asked = Asked { visit: Visit::nobody("/"), address: address.map(str::to_owned) };
        let shown = answer(&asked, &problem).unwrap();
        with_headers_of(shown, &problem.into_response())
    }

    #[tokio::test]
    async fn a_failure_of_ours_says_what_to_do_and_nothing_of_itself() {
        let response = shown(Some("/x"), Problem::internal("the secret reason"));
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        let page = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let page = String::from_utf8(page.to_vec()).unwrap();
        assert!(page.contains("look before you repeat it") && !page.contains("secret"), "{page}");
    }

    #[test]
    fn a_page_says_when_to_try_again_as_the_document_does() {
        let response = shown(None, Problem::new(Code::QueueFull, "Try again.").with_retry_after(7));
        assert_eq!((response.status().as_u16(), &response.headers()[RETRY_AFTER]), (429, &"7".parse().unwrap()));
    }

    #[test]
    fn whoever_has_to_sign_in_is_led_there_unless_something_was_to_be_done() {
        for code in [Code::SignatureMissing, Code::SessionEnded] {
            let response = shown(Some("/docs"), Problem::new(code, "Sign in."));
            assert_eq!(
                (response.status().as_u16(), &response.headers()[LOCATION]),
                (303, &"/sign-in?next=%2Fdocs".parse().unwrap())
            );
            assert_eq!(shown(None, Problem::new(code, "Sign in.")).status(), 401);
        }
        assert_eq!(shown(Some("/docs"), Problem::new(Code::SignatureInvalid, "It is wrong.")).status(), 401);
    }

    #[test]
    fn a_page_is_for_those_who_name_its_type() {
        let wants = |accept: &str| wants_page(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]));
        assert!(wants("text/html,application/xhtml+xml,*/*;q=0.8") && wants("application/json, Text/HTML;q=0.5"));
        assert!(!wants("*/*") && !wants("text/*") && !wants("application/json") && !wants_page(&HeaderMap::new()));
    }
}
