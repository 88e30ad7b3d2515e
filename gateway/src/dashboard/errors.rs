//! Problems as browsers are shown them: a page, or the way to the sign-in. Everybody else gets the problem document.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;

use super::{Frame, Viewer, lead_to, page, sign_in};
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
struct Asked {
    viewer: Viewer,
    /// Where to come back to, once somebody has signed in.
    address: Option<String>,
}

/// Whether whoever asks wants something to look at: browsers name the type when they open an address, scripts do not.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ACCEPT) && accepts(headers, "text/html")
}

/// Shows a problem as a page, if a browser asked.
pub async fn show(State(bridge): State<Arc<Bridge>>, request: Request, next: Next) -> Response {
    if !wants_page(request.headers()) {
        return next.run(request).await;
    }
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    let address = request.uri().path_and_query().filter(|_| read).map(ToString::to_string);
    let asked = Asked { viewer: Viewer::of(&bridge, request.headers(), request.extensions()), address };
    let response = next.run(request).await;
    match response.extensions().get::<Problem>().map(|problem| answer(&asked, problem)) {
        Some(Ok(shown)) => with_headers_of(shown, &response),
        Some(Err(_)) | None => response,
    }
}

fn answer(asked: &Asked, problem: &Problem) -> Result<Response, Problem> {
    if let (Code::SignatureMissing | Code::SessionEnded, Some(address)) = (problem.code(), &asked.address) {
        return lead_to(&sign_in::address_for(address));
    }
    let code = problem.code();
    let frame = Frame { title: code.title(), here: "", viewer: asked.viewer.clone() };
    let (status, detail) = (code.status(), problem.detail());
    page(status, &Page { frame, status: status.as_u16(), code: code.name(), detail, remedy: remedy(code) })
}

/// What to do, where the detail speaks to programs.
fn remedy(code: Code) -> Option<&'static str> {
    match code {
        Code::Internal => Some("Nothing is known of the state of what you asked for: look before you repeat it."),
        Code::MethodNotAllowed => {
            Some("Pages link to nothing of the kind; the API documentation says what is possible.")
        }
        Code::Forbidden | Code::SignatureMissing => {
            Some("Sign in as somebody who may, or ask whoever runs the bridge.")
        }
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
