//! `/sign-in`: with a link that is good once, or with the password.
//!
//! Opening a link shows a button, which uses it: programs that look at links in advance do not.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;

use super::errors::wants_page;
use super::filters::{self, text};
use super::{Cookies, Frame, Visit, lead_to, own_path};
use crate::api::Query;
use crate::auth::sessions::{Grant, field, sender};
use crate::bridge::Bridge;
use crate::error::{Code, Problem};

/// Where it is.
pub const PATH: &str = "/sign-in";

/// What an address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    link: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page<'a> {
    frame: Frame,
    /// What the form repeats.
    token: &'a str,
    /// The link that the button uses.
    link: Option<&'a str>,
    next: &'a str,
    has_password: bool,
    /// The browser came from elsewhere, and then does not say that it is signed in.
    from_elsewhere: bool,
    message: Option<&'a str>,
}

/// The form.
///
/// # Errors
/// The page cannot be made.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Query(asked): Query<Asked>,
    cookies: Cookies,
    visit: Visit,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let next = way_back(asked.next.as_deref());
    if visit.viewer.is_anybody() || (asked.link.is_none() && visit.viewer.name().is_some()) {
        return lead_to(next);
    }
    let known = asked.link.as_deref().filter(|link| bridge.sessions.knows_link(link));
    let message = asked.link.is_some() && known.is_none();
    let message = message
        .then(|| visit.say(text!("This link was used before, or is too old. `bridge32 sign-in` prints a new one.")));
    form(&bridge, cookies, &visit, &headers, StatusCode::OK, Shown { link: known, next, message })
}

/// What differs between the form at first and after a failure.
struct Shown<'a> {
    link: Option<&'a str>,
    next: &'a str,
    message: Option<&'a str>,
}

fn form(
    bridge: &Bridge,
    Cookies(jar): Cookies,
    visit: &Visit,
    headers: &HeaderMap,
    status: StatusCode,
    Shown { link, next, message }: Shown<'_>,
) -> Result<Response, Problem> {
    let (token, cookie) = bridge.sessions.form(headers, jar)?;
    let from_elsewhere = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    let shown = Page {
        frame: visit.frame(visit.say(text!("Sign in")), PATH),
        token: token.as_str(),
        link,
        next,
        has_password: bridge.sessions.has_password(),
        from_elsewhere,
        message,
    };
    let mut response = visit.page(status, &shown)?;
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Signs in, and leads to where somebody wanted to go.
///
/// # Errors
/// The link or the password is not good, or the form is not ours. A browser is shown the form again.
pub async fn submit(
    State(bridge): State<Arc<Bridge>>,
    cookies: Cookies,
    visit: Visit,
    headers: HeaderMap,
    extensions: Extensions,
    body: Bytes,
) -> Result<Response, Problem> {
    let next = field(&body, "next");
    let next = way_back(next.as_deref());
    if visit.viewer.is_anybody() {
        return lead_to(next);
    }
    match enter(&bridge, cookies, &headers, &extensions, &body).await {
        Ok(grant) => {
            let mut response = lead_to(next)?;
            response.headers_mut().append(SET_COOKIE, bridge.sessions.enter(grant, &headers, cookies.0)?);
            Ok(response)
        }
        Err(problem) if wants_page(&headers) && problem.code() != Code::Forbidden => {
            let shown = Shown { link: None, next, message: Some(problem.detail()) };
            let mut response = form(&bridge, cookies, &visit, &headers, problem.code().status(), shown)?;
            if let Some(seconds) = problem.retry_after() {
                response.headers_mut().insert(RETRY_AFTER, seconds.into());
            }
            Ok(response)
        }
        Err(problem) => Err(problem),
    }
}

async fn enter(
    bridge: &Bridge,
    Cookies(jar): Cookies,
    headers: &HeaderMap,
    extensions: &Extensions,
    body: &[u8],
) -> Result<Grant, Problem> {
    let sessions = &bridge.sessions;
    sessions.check_form(headers, jar, &field(body, "form").unwrap_or_default())?;
    match (field(body, "link"), field(body, "password")) {
        (Some(link), _) => sessions.by_link(&link),
        (None, Some(password)) => sessions.by_password(password, sender(extensions)).await,
        (None, None) => Err(Problem::new(Code::MalformedRequest, "The form has neither a `link` nor a `password`.")),
    }
}

/// The address of the sign-in that leads back to a page.
pub(super) fn address_for(page: &str) -> String {
    match way_back(Some(page)) {
        "/" => PATH.to_owned(),
        next => {
            format!("{PATH}?{}", form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish())
        }
    }
}

/// Where somebody wanted to go, if that is a page of ours with something to see.
fn way_back(next: Option<&str>) -> &str {
    let path = own_path(next);
    if path.starts_with(PATH) || path.starts_with(super::sign_out::PATH) { "/" } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_led_back_to_pages_of_this_gateway_only() {
        for path in ["/docs", "/v1/libraries/a?x=1&y=%2F", "/docs#/calls", "/a//b", "/%2f%2fevil.example"] {
            assert_eq!(way_back(Some(path)), path);
        }
        let long = format!("/{}", "x".repeat(super::super::MAX_NEXT));
        for path in [
            "",
            "docs",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            " /docs",
            "/dö",
            "/sign-in?next=/sign-in",
            "/sign-out",
            &long,
        ] {
            assert_eq!(way_back(Some(path)), "/", "{path:?}");
        }
        assert_eq!(way_back(None), "/");
    }

    #[test]
    fn the_page_that_was_asked_for_is_kept() {
        assert_eq!(address_for("/"), "/sign-in");
        assert_eq!(address_for("/docs?a=b&c=d"), "/sign-in?next=%2Fdocs%3Fa%3Db%26c%3Dd");
    }
}
