//! `POST /v1/replays`: the calls that are chosen as in `GET /v1/calls` are made again one after the other, in the order in which they
//! ended, and what differs is told as it is found: that is how another version of a library is tried with what it was really asked.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Request;
use super::again::{Replay, replay};
use crate::api::Query;
use crate::api::kept_calls::{FILTERS, expect_history, filter, restrict, unreadable};
use crate::api::parameters::Parameters;
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::history::{Detail, Filter, Record, StoreError};

/// How many calls are made again, if nothing is said, and at most.
const DEFAULT: usize = 100;
const MOST: usize = 1000;

/// A line of the answer.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A call whose outcome is another now.
    Different(Box<Replay>),
    /// A call that was not made again, or of which it is not known what came of it.
    Refused { replay_of: Uuid, library: String, function: Option<String>, problem: Box<RawValue> },
    /// The last line.
    Summary(Summary),
}

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
    let records = if restrict(&mut filter, &caller) {
        chosen(&bridge, &filter, limit).await.map_err(|error| unreadable(&error))?
    } else {
        VecDeque::new()
    };
    let many = Many { bridge, caller, library, records, summary: Some(Summary::default()) };
    let lines = stream::unfold(many, |mut many| async {
        let line = many.next().await?;
        Some((Ok::<_, std::convert::Infallible>(line), many))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The newest calls that are chosen, the oldest of them first.
async fn chosen(bridge: &Bridge, filter: &Filter, limit: usize) -> Result<VecDeque<Record>, StoreError> {
    let (mut records, mut before) = (VecDeque::new(), None);
    loop {
        let page = bridge.observer.history.page(filter, before, limit - records.len(), Detail::Whole).await?;
        page.records.into_iter().for_each(|record| records.push_front(record));
        before = page.next;
        if before.is_none() || records.len() >= limit {
            return Ok(records);
        }
    }
}

/// The calls that are still to be made again. They are not, once nobody reads the answer any more.
struct Many {
    bridge: Arc<Bridge>,
    caller: Caller,
    library: Option<String>,
    records: VecDeque<Record>,
    /// `None` when it was told.
    summary: Option<Summary>,
}

impl Many {
    /// The next line; `None` after the summary.
    async fn next(&mut self) -> Option<Bytes> {
        let mut summary = self.summary.take()?;
        while let Some(record) = self.records.pop_front() {
            let line = match self.again(&record).await {
                Ok(replay) if replay.same => {
                    summary.same += 1;
                    continue;
                }
                Ok(replay) => {
                    summary.different += 1;
                    Line::Different(Box::new(replay))
                }
                Err(problem) => {
                    summary.refused += 1;
                    let text = String::from_utf8(problem.to_json()).ok().map(RawValue::from_string);
                    let problem = text.and_then(Result::ok).unwrap_or_default();
                    Line::Refused { replay_of: record.id, library: record.library, function: record.function, problem }
                }
            };
            self.summary = Some(summary);
            return Some(written(&line));
        }
        Some(written(&Line::Summary(summary)))
    }

    async fn again(&self, record: &Record) -> Result<Replay, Problem> {
        let library = self.bridge.library(self.library.as_deref().unwrap_or(&record.library))?;
        replay(&self.bridge, &self.caller, &library, record).await
    }
}

fn written(line: &Line) -> Bytes {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}
