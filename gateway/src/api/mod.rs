//! The REST API: one file a resource. Handlers parse, dispatch, reply.

pub mod agents;
pub mod calls;
pub mod exports;
pub mod functions;
pub mod health;
pub mod index;
pub mod interface;
pub mod libraries;
pub mod openapi;
mod reply;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

use crate::error::{Code, Problem};

/// Path parameters whose faults are problem documents.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

/// Query parameters whose faults are problem documents.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// A body must say that it is JSON: a web page of another site cannot do so unasked. Nothing need be said of no body.
fn expect_json(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let given = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("unreadable"));
    let media_type = given.map(|value| value.split(';').next().unwrap_or_default().trim());
    match media_type {
        None if body.is_empty() => Ok(()),
        Some(json) if json.eq_ignore_ascii_case("application/json") => Ok(()),
        other => {
            let found = other.unwrap_or("not given");
            let detail = format!("The body must be of the type application/json; its Content-Type is {found}.");
            Err(Problem::new(Code::UnsupportedMediaType, detail))
        }
    }
}
