//! `/v1/sign-in-links`: links that sign a person in at a browser.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Serialize;

use crate::auth::sessions::{Grant, LINK_LIFE};
use crate::auth::{Arrival, Caller, Principal};
use crate::bridge::Bridge;
use crate::config::Origin;
use crate::dashboard::link_address;
use crate::error::{Code, Problem};

#[derive(Serialize)]
struct Link {
    url: String,
    expires_at: Timestamp,
}

/// Makes a link. Whoever uses it may do what the key may that asked for it: a link gives nobody more than they had.
///
/// # Errors
/// Nobody has to sign in, or a session asks: it would go on for ever.
pub async fn create(
    State(bridge): State<Arc<Bridge>>,
    caller: Caller,
    headers: HeaderMap,
    Extension(arrival): Extension<Arrival>,
) -> Result<Response, Problem> {
    let Some(principal) = caller.principal else {
        let detail = "auth.mode is \"off\": everybody who opens the gateway's address may do everything.";
        return Err(Problem::new(Code::SignInNotNeeded, detail));
    };
    let Principal::Key(key) = principal else {
        let detail = "A session makes no links. `bridge32 sign-in` makes one, with a key.";
        return Err(Problem::new(Code::Forbidden, detail));
    };
    let grant = Grant { owner: key.id().to_owned(), scopes: key.scopes().without_agent(), key: Some(key) };
    let link = bridge.sessions.invite(grant)?;
    // The name by which the one who asks reaches the gateway, and so presumably the browser.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let url = link_address(&Origin::new(arrival.scheme, host), &link);
    let answer = Link { url, expires_at: Timestamp::now() + LINK_LIFE };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}
