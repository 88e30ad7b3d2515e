//! `/v1/calls`: the calls that wait or run, those whose outcome is kept, and those of the history.

mod cursor;
mod export;
mod feed;
mod list;
mod recorded;
mod shown;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::prefer::{LONGEST_POLL, seconds};
use super::{Path, Query, accepts, reply};
use crate::auth::{Caller, Need, Principal};
use crate::bridge::Bridge;
use crate::dispatch::{Cancelled, UnderWay};
use crate::error::{Code, Problem};
use crate::history::{Condition, Record};
use crate::kept::Entry;

pub use export::export;
pub use list::list;
pub(crate) use list::{Shows, check, choose, restrict};
pub(super) use recorded::microseconds;
pub(super) use shown::{gone, shown};
pub(crate) use wanted::FILTERS;
pub(super) use wanted::filter;

use shown::Listed;

/// How long somebody who cancels waits to be told that the call has ended.
const CANCELLING: Duration = Duration::from_secs(2);

/// Whether to wait for the outcome.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    wait: Option<String>,
}

/// A call that a caller may see.
pub(crate) enum Found {
    Kept(Arc<Entry>),
    /// It waits or runs, and its outcome is not kept.
    UnderWay(String, UnderWay),
    /// It has ended, and the history has it.
    Recorded(Box<Record>),
}

/// One call: how far it is, and its outcome. Waits for that if it is asked to, or tells each change.
///
/// # Errors
/// There is no such call, or it is somebody else's.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Path(id): Path<String>,
    Query(Asked { wait }): Query<Asked>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let patience = patience(wait.as_deref())?;
    let found = find(&bridge, &id, &caller, Need::History).await?;
    if let Found::Kept(entry) = &found {
        if accepts(&headers, "text/event-stream") {
            return Ok(feed::answer(Arc::clone(&bridge), &caller, Arc::clone(entry)));
        }
        let mut stopping = bridge.stopping.subscribe();
        tokio::select! {
            _ = tokio::time::timeout(patience, entry.end()) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
    Ok(reply::json(whole(&bridge, &found).await))
}

/// Everything that is known of a call, as JSON.
pub(crate) async fn whole(bridge: &Bridge, found: &Found) -> Vec<u8> {
    let entry = match found {
        Found::Kept(entry) => entry,
        // Plain data: nothing can fail.
        Found::UnderWay(library, call) => {
            return serde_json::to_vec(&Listed::passing(library, call)).unwrap_or_default();
        }
        Found::Recorded(record) => return recorded::whole(record, None, false),
    };
    // What the client got, and what else there is to know of it.
    let record = match entry.ended() {
        Some(ended) => recorded(bridge, entry.request.id).await.zip(shown::outcome(entry, &ended)),
        None => None,
    };
    match record {
        Some((record, outcome)) => recorded::whole(&record, Some(&outcome), true),
        None => shown(bridge, entry),
    }
}

/// Whether it is one of the caller's own calls.
pub(crate) fn is_own(caller: &Caller, of: &str) -> bool {
    of == owner(caller)
}

/// What the history has of a call, if it can be read.
pub(super) async fn recorded(bridge: &Bridge, id: Uuid) -> Option<Record> {
    bridge.observer.history.find(id).await.ok().flatten()
}

/// Ends a call that waits or runs.
///
/// # Errors
/// There is no such call, it is somebody else's, or it has ended.
pub async fn cancel(
    State(bridge): State<Arc<Bridge>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    match find(&bridge, &id, &caller, Need::Manage).await? {
        Found::Kept(entry) if entry.ended().is_some() => Err(has_ended(entry.request.id)),
        Found::Recorded(record) => Err(has_ended(record.id)),
        Found::Kept(entry) => {
            entry.cancel();
            match tokio::time::timeout(CANCELLING, entry.end()).await {
                Ok(ended) if ended.outcome.code.as_deref() == Some(Code::Cancelled.name()) => Ok(done()),
                // A batch's outcomes are those of its calls.
                Ok(_) if entry.request.function.is_none() => Ok(done()),
                Ok(_) => Err(has_ended(entry.request.id)),
                Err(_) => Ok((StatusCode::ACCEPTED, reply::json(shown(&bridge, &entry))).into_response()),
            }
        }
        Found::UnderWay(library, call) => match bridge.cancel_call(call.id) {
            Cancelled::TakenOut => Ok(done()),
            Cancelled::Ending(_) => {
                Ok((StatusCode::ACCEPTED, axum::Json(Listed::passing(&library, &call))).into_response())
            }
            Cancelled::Unknown => Err(has_ended(call.id)),
        },
    }
}

fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// The call of that id, if the caller has made it, or has the scope for those of others.
pub(crate) async fn find(bridge: &Bridge, text: &str, caller: &Caller, need: Need) -> Result<Found, Problem> {
    let unknown = || unknown(text);
    let id = Uuid::try_parse(text).map_err(|_| unknown())?;
    let may = |own: &str| is_own(caller, own) || caller.may(need, "", "").is_ok();
    let error = match bridge.kept.find(id).await {
        Ok(Some(entry)) if may(&entry.request.owner) => return Ok(Found::Kept(entry)),
        Ok(Some(_)) => return Err(unknown()),
        Ok(None) => None,
        Err(error) => Some(error),
    };
    // One that is not kept is seen as long as it is under way, even if the table cannot be read.
    let passing = bridge.calls_under_way().into_iter().find(|(_, call)| call.id == id);
    match (passing, error) {
        (Some((library, call)), _) if may(call.owner.as_deref().unwrap_or_default()) => {
            return Ok(Found::UnderWay(library, call));
        }
        (Some(_), _) => return Err(unknown()),
        (None, Some(error)) => return Err(unreadable(&error)),
        (None, None) => {}
    }
    let history = &bridge.observer.history;
    if history.condition() == Condition::Off {
        return Err(unknown());
    }
    match history.find(id).await {
        Ok(Some(record)) if may(&record.owner) => Ok(Found::Recorded(Box::new(record))),
        Ok(_) => Err(unknown()),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Whose calls are the caller's own: nobody's, where nobody has to sign.
fn owner(caller: &Caller) -> &str {
    caller.principal.as_ref().map_or("", Principal::owner)
}

fn sees_all(caller: &Caller) -> bool {
    [Need::History, Need::Manage].into_iter().any(|need| caller.may(need, "", "").is_ok())
}

/// `10s`, `500ms`, or a number of seconds.
fn patience(wait: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = wait else { return Ok(Duration::ZERO) };
    let (number, parts) = match text.strip_suffix("ms") {
        Some(number) => (number, 1000),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let parsed = seconds(number).map(|duration| duration / parts);
    parsed.filter(|patience| *patience <= LONGEST_POLL).ok_or_else(|| {
        let longest = LONGEST_POLL.as_secs();
        let detail = format!(
            "`wait={text}` is no time to wait: give up to {longest} seconds, such as ?wait=10s, and ask again."
        );
        Problem::new(Code::MalformedRequest, detail)
    })
}

fn unknown(id: &str) -> Problem {
    let detail = format!(
        "There is no call `{id}` of yours that waits, runs, or is in the history. GET /v1/calls lists those that there are; \
         `keep_calls` of [history] says how long the history has a call, and `keep_outcomes` how long the outcome of one is kept that \
         was made with `Prefer: respond-async` or `Idempotency-Key`."
    );
    Problem::new(Code::UnknownCall, detail)
}

fn has_ended(id: Uuid) -> Problem {
    let detail = format!(
        "The call {id} has ended: there is nothing to cancel. GET /v1/calls/{id} has its outcome, if it is kept."
    );
    Problem::new(Code::CallEnded, detail)
}

/// Whoever asks the history alone is told if there is none.
pub(super) fn expect_history(bridge: &Bridge) -> Result<(), Problem> {
    if bridge.observer.history.condition() != Condition::Off {
        return Ok(());
    }
    let detail =
        "There is no history of calls here: `durability` of [history] is \"off\" in the gateway's configuration.";
    Err(Problem::new(Code::HistoryUnavailable, detail))
}

pub(super) fn unreadable(error: &impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "a call cannot be read");
    let detail = "What is kept of calls cannot be read now; the gateway's log says why. Ask again.";
    Problem::new(Code::HistoryUnavailable, detail).with_retry_after(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_poll_is_up_to_a_minute() {
        for (text, wanted) in [("10s", 10_000), ("500ms", 500), ("2.5", 2500), ("60s", 60_000), ("0", 0)] {
            assert_eq!(patience(Some(text)).unwrap(), Duration::from_millis(wanted), "{text}");
        }
        assert_eq!(patience(None).unwrap(), Duration::ZERO);
        for wrong in ["", "61s", "1m", "-1s", "s", "ms", "ten", "10 s", "1e1s"] {
            assert!(patience(Some(wrong)).unwrap_err().detail().contains("60 seconds"), "{wrong}");
        }
    }
}
