//! `/calls`: what waits and runs, then what has ended; one of them beside the list, if the address says so.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::call::Call;
use super::detail::{Detail, Extent};
use super::filters::{BESIDE, CODES, Filters, PATH, SPANS, complaint, without_empty};
use crate::api::Query;
use crate::api::kept_calls::{choose, is_own};
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::dashboard::filters::{self, text};
use crate::dashboard::state::State;
use crate::dashboard::{Frame, Visit, lead_to};
use crate::error::Problem;
use crate::history::Condition;

#[derive(Template)]
#[template(path = "calls/list.html")]
struct Page {
    frame: Frame,
    filters: Filters,
    libraries: Vec<String>,
    rows: Vec<Row>,
    list: List,
    /// Why there is no list.
    problem: Option<String>,
    beside: Option<Beside>,
    /// The history is off.
    is_off: bool,
    /// Whether the calls of everybody are shown.
    sees_all: bool,
    example: Option<Example>,
}

/// The list as the API tells it.
#[derive(Default, Deserialize)]
struct List {
    calls: Vec<Call>,
    next_cursor: Option<String>,
    searched_until: Option<Timestamp>,
    #[serde(default)]
    missing: Vec<Gap>,
    without_history: Option<String>,
}

/// Calls that the history should have and does not.
#[derive(Deserialize)]
struct Gap {
    since: Timestamp,
    until: Timestamp,
    calls: Option<u64>,
    reason: String,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a question of the template")]
struct Row {
    id: Uuid,
    state: State,
    at: Timestamp,
    library: String,
    function: Option<String>,
    duration_ns: Option<u64>,
    key: String,
    agent: Option<String>,
    is_kept: bool,
    is_replay: bool,
    is_chosen: bool,
    may_cancel: bool,
    /// The list with this call beside it.
    beside: String,
}

/// A call beside the list, or why there is none.
struct Beside {
    id: String,
    detail: Result<Detail, String>,
    close: String,
}

/// A command that makes the first call.
struct Example {
    library: String,
    function: String,
    takes_nothing: bool,
}

impl Page {
    fn spans(&self) -> impl Iterator<Item = (String, &'static str, bool)> {
        let chosen = self.filters.value("since");
        SPANS.into_iter().map(move |(span, name)| (self.filters.address("since", span), name, span == chosen))
    }

    /// The codes that can be chosen, and one that was typed; and whether that is it.
    fn codes(&self) -> Vec<(&str, bool)> {
        let typed = self.filters.value("outcome");
        let words = ["", "returned", "failed", "not_run", "may_have_run", "ran"];
        let other = (!words.contains(&typed) && !CODES.contains(&typed)).then_some(typed);
        CODES.into_iter().chain(other).map(|code| (code, code == typed)).collect()
    }

    /// The libraries that can be chosen, and one that was typed: the history may know more.
    fn known_libraries(&self) -> Vec<(&str, bool)> {
        let typed = self.filters.value("library");
        let other = !typed.is_empty() && !self.libraries.iter().any(|name| name == typed);
        let known = self.libraries.iter().map(String::as_str);
        known.chain(other.then_some(typed)).map(|name| (name, name == typed)).collect()
    }

    /// Whether filters that are seldom wanted are set.
    fn has_more(&self) -> bool {
        const MORE: [&str; 10] =
            ["key", "owner", "agent", "since", "until", "min_duration", "max_duration", "session", "batch", "trace_id"];
        let is_span = SPANS.iter().any(|(span, _)| *span == self.filters.value("since"));
        self.filters.any_of(&MORE.map(|name| if name == "since" && is_span { "" } else { name }))
    }
}

/// The list.
///
/// # Errors
/// The page cannot be made.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Query(pairs): Query<Vec<(String, String)>>,
    visit: Visit,
    caller: Caller,
) -> Result<Response, Problem> {
    if let Some(address) = without_empty(PATH, &pairs) {
        return lead_to(&address);
    }
    let filters = Filters::read(pairs);
    let (list, problem) = match list(&bridge, &filters, &caller).await {
        Ok(list) => (list, None),
        Err(problem) => (List::default(), Some(problem)),
    };
    let beside = beside(&bridge, &filters, &visit, &caller).await;
    let status = match &problem {
        Some(problem) => problem.code().status(),
        None if filters.are_wrong() => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let mut list = list;
    let rows = std::mem::take(&mut list.calls).into_iter().map(|call| row(call, &filters, &caller)).collect();
    // Further down the list nothing arrives.
    let live = if filters.is_first_page() { "call,history,sample" } else { "" };
    let page = Page {
        frame: visit.frame(visit.say(text!("Calls")), PATH).live(live),
        libraries: bridge.libraries.all().iter().map(|library| library.name.clone()).collect(),
        rows,
        problem: problem.as_ref().map(complaint),
        beside,
        is_off: bridge.observer.history.condition() == Condition::Off,
        sees_all: [Need::History, Need::Manage].into_iter().any(|need| caller.may(need, "", "").is_ok()),
        example: example(&bridge),
        list,
        filters,
    };
    visit.page(status, &page)
}

/// The calls, as the API tells them.
async fn list(bridge: &Bridge, filters: &Filters, caller: &Caller) -> Result<List, Problem> {
    let chosen = choose(bridge, filters.good(), caller).await?;
    let document = serde_json::to_vec(&chosen.list()).map_err(Problem::internal)?;
    serde_json::from_slice(&document).map_err(Problem::internal)
}

fn row(call: Call, filters: &Filters, caller: &Caller) -> Row {
    let id = call.id.to_string();
    Row {
        id: call.id,
        state: call.outcome_state(),
        at: call.ended_at.unwrap_or(call.created_at),
        duration_ns: call.duration_ns(),
        is_kept: call.kept,
        is_replay: call.replay_of.is_some(),
        is_chosen: filters.value(BESIDE) == id,
        may_cancel: call.is_under_way() && (is_own(caller, &call.owner) || caller.may(Need::Manage, "", "").is_ok()),
        beside: format!("{}#call-{id}", filters.address(BESIDE, &id)),
        key: call.key.filter(|key| !key.is_empty()).unwrap_or(call.owner),
        library: call.library,
        function: call.function,
        agent: call.agent,
    }
}

async fn beside(bridge: &Bridge, filters: &Filters, visit: &Visit, caller: &Caller) -> Option<Beside> {
    let id = filters.value(BESIDE);
    if id.is_empty() {
        return None;
    }
    let detail = Detail::of(bridge, id, visit, caller, Extent::Beside).await;
    let detail = detail.map_err(|problem| problem.detail().to_owned());
    Some(Beside { id: id.to_owned(), detail, close: filters.address(BESIDE, "") })
}

/// The function of a library here that needs the fewest arguments.
fn example(bridge: &Bridge) -> Option<Example> {
    let of = |library: &Arc<crate::libraries::Library>| {
        let declared = library.declared();
        let functions = declared.interface().functions.iter().filter(|function| function.unsupported.is_none());
        let function = functions.min_by_key(|function| function.parameters.len())?;
        let takes_nothing = function.parameters.is_empty();
        Some(Example { library: library.name.clone(), function: function.name.clone(), takes_nothing })
    };
    bridge.libraries.all().iter().find_map(of)
}
