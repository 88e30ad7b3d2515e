//! `/v1/calls/{id}/replay` and `/v1/replays`: calls of the history are made again, to see whether the outcome is the same.

mod again;
mod many;

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;

use super::kept_calls::{Found, find, recorded};
use super::{Path, expect_json, read_json};
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::error::{CallProblem, Problem};

pub use many::create as create_many;

use again::{refused, replay};

/// How calls are to be repeated.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Request {
    /// The library that is called instead of their own, such as its next version.
    library: Option<String>,
}

impl Request {
    /// Reads the body; none at all means as it was.
    fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, Problem> {
        expect_json(headers, body)?;
        if body.trim_ascii().is_empty() { Ok(Self::default()) } else { read_json(body) }
    }
}

/// Makes a call again.
///
/// # Errors
/// There is no such call, it cannot be repeated, or the caller may not make it.
pub async fn create(
    State(bridge): State<Arc<Bridge>>,
    Path(id): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, CallProblem> {
    let Request { library } = Request::read(&headers, &body)?;
    let record = match find(&bridge, &id, &caller, Need::History).await? {
        Found::Recorded(record) => *record,
        Found::Kept(entry) if entry.ended().is_some() => {
            let parts = "It is a batch, or not in the history: the calls of a batch are repeated one by one.";
            recorded(&bridge, entry.request.id).await.ok_or_else(|| refused(parts))?
        }
        Found::Kept(_) | Found::UnderWay(..) => {
            Err(refused("It has not ended yet, so that there is no outcome to compare with. Try again when it has."))?
        }
    };
    let library = bridge.library(library.as_deref().unwrap_or(&record.library))?;
    Ok(axum::Json(replay(&bridge, &caller, &library, &record).await?).into_response())
}
