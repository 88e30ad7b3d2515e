//! `/calls/{id}/compare/{other}`: the outcomes of two calls side by side, and where they differ.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::detail::Types;
use super::filters::PATH;
use super::markup::{Markup, beginning};
use super::tree::{Look, tree};
use crate::api::{Path, replays};
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::dashboard::filters::{self, text};
use crate::dashboard::state::State;
use crate::dashboard::{Frame, Visit};
use crate::error::{Code, Problem};
use crate::history::{Difference, Record};

/// Bytes of HTML for each of the two outcomes, and for a value in the table of differences.
const TREE: usize = 36_000;
const VALUE: usize = 300;

#[derive(Template)]
#[template(path = "calls/compare.html")]
struct Page {
    frame: Frame,
    first: Side,
    second: Side,
    differences: Vec<Row>,
    /// The second one repeats the first.
    is_replay: bool,
    has_other_args: bool,
}

/// One of the two calls.
struct Side {
    id: Uuid,
    state: State,
    library: String,
    function: String,
    at: Timestamp,
    library_ns: u64,
    duration_ns: u64,
    outcome: Markup,
}

/// A place where they differ.
pub(super) struct Row {
    pub(super) pointer: String,
    pub(super) before: Option<(Markup, bool)>,
    pub(super) after: Option<(Markup, bool)>,
}

impl Row {
    /// The values as JSON texts.
    pub(super) fn new(pointer: String, before: Option<&str>, after: Option<&str>) -> Self {
        let written = |value: Option<&str>| value.map(|value| beginning(value, VALUE));
        Self { pointer, before: written(before), after: written(after) }
    }

    fn of(Difference { pointer, before, after }: Difference) -> Self {
        let text = |value: Option<Value>| value.map(|value| value.to_string());
        Self::new(pointer, text(before).as_deref(), text(after).as_deref())
    }
}

/// Two calls.
///
/// # Errors
/// One of them is not there, has not ended, or is not for the caller to see.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path((first, second)): Path<(String, String)>,
    visit: Visit,
    caller: Caller,
) -> Result<Response, Problem> {
    let (first, second) = (record(&bridge, &first, &caller).await?, record(&bridge, &second, &caller).await?);
    let differences = replays::compare(&first.answer, &second.answer);
    let marks = differences.iter().map(|difference| difference.pointer.clone()).collect();
    let name = first.function.as_deref().unwrap_or_default();
    let title = visit.say(text!("{name}: two calls compared")).replace("{name}", name);
    let page = Page {
        frame: visit.frame(title, PATH),
        is_replay: second.replay_of == Some(first.id),
        has_other_args: first.args != second.args,
        first: side(&bridge, &first, "first", &marks, &visit).await,
        second: side(&bridge, &second, "second", &marks, &visit).await,
        differences: differences.into_iter().map(Row::of).collect(),
    };
    visit.page(StatusCode::OK, &page)
}

async fn record(bridge: &Bridge, id: &str, caller: &Caller) -> Result<Record, Problem> {
    let record = replays::ended(bridge, id, caller).await?;
    record.map_err(|why| Problem::new(Code::NotReplayable, why))
}

async fn side(bridge: &Bridge, record: &Record, id: &str, marks: &BTreeSet<String>, visit: &Visit) -> Side {
    let ad_hoc = record.prototype.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let types = Types::of(bridge, &record.library, record.function.as_deref(), ad_hoc.as_ref()).await;
    let whole = format!("/v1/calls/{}", record.id);
    let look = Look { id, language: visit.preferences.language, most: TREE, whole: &whole, marks };
    let [_, _, library_ns] = record.parts_ns;
    Side {
        id: record.id,
        state: State::of_record(record),
        library: record.library.to_string(),
        function: record.function.as_deref().unwrap_or_default().to_owned(),
        at: record.ended_at,
        library_ns,
        duration_ns: record.duration_ns(),
        outcome: tree(&record.answer.text, types.as_ref().and_then(Types::answer), &look),
    }
}
