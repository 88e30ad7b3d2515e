//! `/calls/replays`: asks before the calls that a filter chooses are made again, does so, and tells what is different then.

use std::sync::Arc;

use askama::Template;
use axum::body::to_bytes;
use axum::extract::State as Shared;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use uuid::Uuid;

use super::compare::Row;
use super::filters::{Filters, PATH};
use crate::api::Query;
use crate::api::replays::{self, Choice};
use crate::auth::Caller;
use crate::auth::sessions::field;
use crate::bridge::Bridge;
use crate::dashboard::filters::{self, text};
use crate::dashboard::{Frame, Visit, lead_to};
use crate::error::Problem;

/// No more calls than these are made again for a page: a browser waits for them.
const MOST: usize = 100;
/// So many places are told of one call: its comparison has the others.
const PLACES: usize = 3;

#[derive(Template)]
#[template(path = "calls/replays.html")]
struct Page {
    frame: Frame,
    filters: Filters,
    libraries: Vec<String>,
    /// The calls that would be made again.
    chosen: Choice,
    /// What came of it; `None` before.
    done: Option<Done>,
}

impl Page {
    fn calls(&self) -> u64 {
        self.chosen.calls as u64
    }
}

struct Done {
    library: Option<String>,
    summary: Summary,
    different: Vec<Different>,
    refused: Vec<Refused>,
}

struct Different {
    replay: Replay,
    rows: Vec<Row>,
    more: u64,
}

#[derive(Default, Deserialize)]
struct Summary {
    same: u64,
    different: u64,
    refused: u64,
}

/// The answer of `POST /v1/replays`.
#[derive(Deserialize)]
struct Answer {
    replays: Vec<Item>,
    summary: Summary,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Item {
    Different(Box<Replay>),
    Refused(Refused),
}

#[expect(clippy::struct_field_names, reason = "the API calls it so")]
#[derive(Deserialize)]
struct Replay {
    call_id: Uuid,
    replay_of: Uuid,
    library: String,
    function: Option<String>,
    #[serde(default)]
    differences: Vec<Difference>,
}

#[derive(Deserialize)]
struct Difference {
    pointer: String,
    #[serde(default, deserialize_with = "some")]
    before: Option<Value>,
    #[serde(default, deserialize_with = "some")]
    after: Option<Value>,
}

/// A null that stands there is a value; only what is absent is none.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Refused {
    replay_of: Uuid,
    library: String,
    function: Option<String>,
    problem: Why,
}

#[derive(Deserialize)]
struct Why {
    detail: String,
}

/// Says which calls would be made again, and asks whether they are to be.
///
/// # Errors
/// The history cannot be read.
pub async fn ask(
    Shared(bridge): Shared<Arc<Bridge>>,
    Query(pairs): Query<Vec<(String, String)>>,
    visit: Visit,
    caller: Caller,
) -> Result<Response, Problem> {
    let filters = Filters::read(pairs);
    if filters.are_wrong() {
        // The list says what.
        return lead_to(&filters.address("", ""));
    }
    let chosen = replays::choice(&bridge, filters.choosing(), &caller, MOST).await?;
    show(&bridge, &visit, filters, chosen, None)
}

/// Makes them again.
///
/// # Errors
/// The history cannot be read, or there is no such library.
pub async fn submit(
    Shared(bridge): Shared<Arc<Bridge>>,
    Query(pairs): Query<Vec<(String, String)>>,
    visit: Visit,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Problem> {
    let filters = Filters::read(pairs);
    if filters.are_wrong() {
        return lead_to(&filters.address("", ""));
    }
    let library = field(&body, "library").filter(|name| !name.is_empty());
    // Those that were asked about, and none that has ended since.
    let given = ["limit", "until"].map(|name| field(&body, name).map(|value| (name.to_owned(), value)));
    let [Some(limit), Some(until)] = given else { return lead_to(&filters.replays()) };
    if limit.1.parse().is_ok_and(|limit: usize| limit > MOST) {
        return lead_to(&filters.replays());
    }
    let others = filters.choosing().into_iter().filter(|(name, _)| name != "until");
    let wanted = others.chain([limit, until]).collect();
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let request = Bytes::from(serde_json::json!({ "library": library }).to_string());
    let answer = replays::create_many(Shared(Arc::clone(&bridge)), Query(wanted), caller, headers, request).await?;
    let answer = to_bytes(answer.into_body(), usize::MAX).await.map_err(Problem::internal)?;
    let Answer { replays, summary } = serde_json::from_slice(&answer).map_err(Problem::internal)?;
    let mut done = Done { library, summary, different: Vec::new(), refused: Vec::new() };
    for item in replays {
        match item {
            Item::Different(replay) => done.different.push(different(*replay)),
            Item::Refused(refused) => done.refused.push(refused),
        }
    }
    show(&bridge, &visit, filters, Choice::default(), Some(done))
}

fn different(mut replay: Replay) -> Different {
    let differences = std::mem::take(&mut replay.differences);
    let more = differences.len().saturating_sub(PLACES) as u64;
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    let row =
        |Difference { pointer, before, after }| Row::new(pointer, text(before).as_deref(), text(after).as_deref());
    Different { rows: differences.into_iter().take(PLACES).map(row).collect(), more, replay }
}

fn show(
    bridge: &Bridge,
    visit: &Visit,
    filters: Filters,
    chosen: Choice,
    done: Option<Done>,
) -> Result<Response, Problem> {
    let frame = visit.frame(visit.say(text!("Replay calls")), PATH);
    let libraries = bridge.libraries.all().iter().map(|library| library.name.clone()).collect();
    visit.page(StatusCode::OK, &Page { frame, filters, libraries, chosen, done })
}
