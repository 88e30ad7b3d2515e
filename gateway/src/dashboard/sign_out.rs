//! `/sign-out`: the button of every page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use bytes::Bytes;

use super::{Cookies, Viewer, Visit, lead_to, sign_in};
use crate::bridge::Bridge;
use crate::error::Problem;

/// Where it is.
pub const PATH: &str = "/sign-out";

/// Ends the session. Without one, there is nothing to end, and nothing to ask for.
///
/// # Errors
/// The form is not of this session.
pub async fn submit(
    State(bridge): State<Arc<Bridge>>,
    Cookies(jar): Cookies,
    Visit { viewer, .. }: Visit,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    if let Viewer::Session(session) = &viewer {
        session.check(&Method::POST, &headers, &body)?;
    }
    let mut response = lead_to(sign_in::PATH)?;
    response.headers_mut().append(SET_COOKIE, bridge.sessions.leave(&headers, jar)?);
    Ok(response)
}
