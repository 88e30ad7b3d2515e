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
use crate::history::Record;

pub use many::create as create_many;
pub(crate) use many::{Choice, choice};

pub(crate) use again::{Replay, compare};

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
    Ok(axum::Json(repeat(&bridge, &id, library.as_deref(), &caller).await?).into_response())
}

/// Makes the call of that id again, with its own library or another one.
///
/// # Errors
/// As of [`create`].
pub(crate) async fn repeat(
    bridge: &Bridge,
    id: &str,
    library: Option<&str>,
    caller: &Caller,
) -> Result<Replay, Problem> {
    let record = ended(bridge, id, caller).await?.map_err(refused)?;
    let library = bridge.library(library.unwrap_or(&record.library))?;
    replay(bridge, caller, &library, &record).await
}

/// What the history has of a call that has ended; else why there is nothing to compare.
///
/// # Errors
/// There is no such call, or the caller may not see it.
pub(crate) async fn ended(bridge: &Bridge, id: &str, caller: &Caller) -> Result<Result<Record, &'static str>, Problem> {
    Ok(match find(bridge, id, caller, Need::History).await? {
        Found::Recorded(record) => Ok(*record),
        Found::Kept(entry) if entry.ended().is_some() => {
            let parts = "It is a batch, or not in the history: the calls of a batch are repeated one by one.";
            recorded(bridge, entry.request.id).await.ok_or(parts)
        }
        Found::Kept(_) | Found::UnderWay(..) => {
            Err("It has not ended yet, so that there is no outcome to compare with. Try again when it has.")
        }
    })
}
