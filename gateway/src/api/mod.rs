//! The REST API: one file a resource. Handlers parse, dispatch, reply.

pub mod agents;
pub mod batches;
pub mod buffers;
pub mod callbacks;
pub mod calls;
pub mod crashes;
pub mod docs;
pub mod event_bus;
pub(crate) mod event_stream;
pub mod events;
pub mod exports;
pub mod functions;
pub mod handles;
pub mod health;
mod idempotency;
pub mod interface;
pub mod kept_calls;
pub mod keys;
pub mod libraries;
pub mod memory;
pub mod metrics;
pub mod openapi;
mod outcome;
mod parameters;
mod perform;
mod prefer;
pub mod reload;
pub mod replays;
mod reply;
mod session_header;
pub mod sessions;
pub mod sign_in_links;
pub mod statistics;
pub mod variables;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;

use crate::error::{Code, Problem};
use crate::syntax;

/// Path parameters whose faults are problem documents.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

/// Query parameters whose faults are problem documents.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// Reads a body of JSON, whose type has been checked.
fn read_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let detail = format!("The body cannot be read: {}", syntax::reason(body, &error));
        Problem::new(Code::MalformedRequest, detail)
    })
}

/// A body must say that it is JSON: a web page of another site cannot do so unasked. Nothing need be said of no body.
fn expect_json(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    match media_type(headers) {
        None if body.is_empty() => Ok(()),
        Some(json) if json.eq_ignore_ascii_case("application/json") => Ok(()),
        other => Err(wrong_type("JSON", "application/json", other)),
    }
}

/// A body of another type than the one that is taken: what is to be sent, and how curl does so.
fn wrong_type(what: &str, wanted: &str, found: Option<&str>) -> Problem {
    let found = match found {
        Some(found) => format!("its Content-Type is {found}"),
        None => "it has no Content-Type".to_owned(),
    };
    let detail = format!(
        "The body must be {what} of the type {wanted}, but {found}. With curl, add -H 'content-type: {wanted}'."
    );
    Problem::new(Code::UnsupportedMediaType, detail)
}

/// The type of the body, without its parameters.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("unreadable"));
    given.map(|value| value.split(';').next().unwrap_or_default().trim())
}

/// Whether the client names that very type among those that it accepts.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|list| list.split(',')).map(|range| range.split(';').next().unwrap_or_default());
    types.any(|range| range.trim().eq_ignore_ascii_case(media_type))
}
