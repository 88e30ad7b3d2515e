//! `POST /v1/replays`: the calls that are chosen as in `GET /v1/calls` are made again one after the other, in the order in which they
//! ended, and what differs is told as it is found: that is how another version of a library is tried with what it was really asked.
//! The answer is one JSON document, which is sent as it is made; one that breaks off is none.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Request;
use super::again::{Replay, replay};
use crate::api::Query;
use crate::api::kept_calls::{FILTERS, Shows, expect_history, filter, restrict, unreadable};
use crate::api::parameters::Parameters;
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::history::{Detail, Filter, Record, StoreError};

/// How many calls are made again, if nothing is said, and at most.
const DEFAULT: usize = 100;
const MOST: usize = 1000;

/// A call that is told of.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Item {
    /// A call whose outcome is another now.
    Different(Box<Replay>),
    /// A call that was not made again, or of which it is not known what came of it.
    Refused { replay_of: Uuid, library: String, function: Option<String>, problem: Box<RawValue> },
}

/// How the answer begins.
const BEGINNING: &str = "{\"replays\":[";

/// What came of all of them.
#[derive(Clone, Copy, Default, Serialize)]
struct Summary {
    same: usize,
    different: usize,
    refused: usize,
}

/// Makes the newest of the calls that are chosen again, the oldest of them first.
///
/// # Errors
/// The parameters cannot be read, there is no such library, or the history cannot be read.
pub async fn create(
    State(bridge): State<Arc<Bridge>>,
    Query(pairs): Query<Vec<(String, String)>>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Request { library } = Request::read(&headers, &body)?;
    let known: Vec<&str> = FILTERS.into_iter().chain(["limit"]).collect();
    let mut parameters = Parameters::of(pairs, &known)?;
    let limit = parameters.limit("limit", MOST)?.unwrap_or(DEFAULT);
    let mut filter = filter(&mut parameters)?;
    expect_history(&bridge)?;
    library.as_deref().map(|name| bridge.library(name)).transpose()?;
    let calls = if restrict(&mut filter, &caller, Shows::Values) {
        let (calls, _) = chosen(&bridge, &filter, limit).await.map_err(|error| unreadable(&error))?;
        calls.into_iter().rev().map(|record| record.id).collect()
    } else {
        VecDeque::new()
    };
    let many = Many { bridge, caller, library, calls, told: 0, summary: Some(Summary::default()) };
    let parts = stream::unfold(many, |mut many| async {
        let part = many.next().await?;
        Some((part, many))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// Which calls parameters choose.
#[derive(Default)]
pub(crate) struct Choice {
    /// How many.
    pub(crate) calls: usize,
    /// Whether there may be more.
    pub(crate) are_more: bool,
    /// When the newest of them ended.
    pub(crate) newest: Option<Timestamp>,
}

/// Which calls these parameters choose, up to so many.
///
/// # Errors
/// The parameters cannot be read, or the history cannot.
pub(crate) async fn choice(
    bridge: &Bridge,
    pairs: Vec<(String, String)>,
    caller: &Caller,
    most: usize,
) -> Result<Choice, Problem> {
    let mut filter = filter(&mut Parameters::of(pairs, &FILTERS)?)?;
    expect_history(bridge)?;
    if !restrict(&mut filter, caller, Shows::Values) {
        return Ok(Choice::default());
    }
    let (calls, are_more) = chosen(bridge, &filter, most).await.map_err(|error| unreadable(&error))?;
    Ok(Choice { calls: calls.len(), are_more, newest: calls.first().map(|record| record.ended_at) })
}

/// The newest calls that are chosen, the newest of them first, and whether there may be more.
async fn chosen(bridge: &Bridge, filter: &Filter, limit: usize) -> Result<(Vec<Record>, bool), StoreError> {
    let (mut calls, mut before) = (Vec::new(), None);
    loop {
        let page = bridge.observer.history.page(filter, before, limit - calls.len(), Detail::Listed).await?;
        calls.extend(page.records);
        before = page.next;
        if before.is_none() || calls.len() >= limit {
            return Ok((calls, before.is_some()));
        }
    }
}

/// The gateway stops, or a call cannot be read any more: the connection is cut off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the gateway is stopping")]
    Stopping,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The calls that are still to be made again. They are not, once nobody reads the answer any more.
struct Many {
    bridge: Arc<Bridge>,
    caller: Caller,
    library: Option<String>,
    calls: VecDeque<Uuid>,
    /// How many were told of.
    told: usize,
    /// `None` when it was told.
    summary: Option<Summary>,
}

impl Many {
    /// The next part of `{"replays":[…],"summary":{…}}`; `None` after the last one.
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        let mut summary = self.summary.take()?;
        while let Some(id) = self.calls.pop_front() {
            if *self.bridge.stopping.borrow() {
                return Some(Err(Broken::Stopping));
            }
            let record = match self.bridge.observer.history.find(id).await {
                Ok(Some(record)) => record,
                // It is too old by now.
                Ok(None) => continue,
                Err(error) => return Some(Err(error.into())),
            };
            let item = match self.again(&record).await {
                Ok(replay) if replay.same => {
                    summary.same += 1;
                    continue;
                }
                Ok(replay) => {
                    summary.different += 1;
                    Item::Different(Box::new(replay))
                }
                Err(problem) => {
                    summary.refused += 1;
                    let text = String::from_utf8(problem.to_json()).ok().map(RawValue::from_string);
                    let problem = text.and_then(Result::ok).unwrap_or_default();
                    {
                        let function = record.function.as_deref().map(str::to_owned);
                        Item::Refused { replay_of: record.id, library: record.library.to_string(), function, problem }
                    }
                }
            };
            self.summary = Some(summary);
            self.told += 1;
            return Some(Ok(written(if self.told == 1 { BEGINNING } else { "," }, &item, "")));
        }
        let beginning = if self.told == 0 { BEGINNING } else { "" };
        Some(Ok(written(&format!("{beginning}],\"summary\":"), &summary, "}")))
    }

    async fn again(&self, record: &Record) -> Result<Replay, Problem> {
        let library = self.bridge.library(self.library.as_deref().unwrap_or(&record.library))?;
        replay(&self.bridge, &self.caller, &library, record).await
    }
}

fn written(before: &str, value: &impl Serialize, after: &str) -> Bytes {
    let mut text = before.as_bytes().to_vec();
    // Plain data and a growing buffer: nothing can fail.
    let _ = serde_json::to_writer(&mut text, value);
    text.extend_from_slice(after.as_bytes());
    text.into()
}
