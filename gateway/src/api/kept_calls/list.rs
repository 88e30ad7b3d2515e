//! `GET /v1/calls`: what waits and runs, then what has ended, the newest first.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;

use super::cursor::Cursor;
use super::recorded::Facts;
use super::shown::Listed;
use super::wanted::{FILTERS, filter};
use super::{owner, sees_all, unreadable};
use crate::api::Query;
use crate::api::parameters::Parameters;
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::dispatch::Execution;
use crate::error::Problem;
use crate::history::{Condition, Detail, Filter, Gap, Page, Wanted};
use crate::kept;

/// How many calls a page has, if nothing is said, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// A page of the list, as it is told.
#[derive(Serialize)]
pub(crate) struct List<'a> {
    calls: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    searched_until: Option<jiff::Timestamp>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [Gap],
    /// Why the history is not part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    without_history: Option<&'static str>,
}

/// The calls of a page, and where the list goes on.
#[derive(Default)]
pub(crate) struct Chosen {
    /// What waits and runs; without the history also what has ended.
    first: Vec<Listed>,
    /// What the history has, behind that.
    page: Page,
    /// The ids of those whose outcome is kept.
    kept: HashSet<Uuid>,
    next: Option<Cursor>,
    without_history: Option<&'static str>,
}

impl Chosen {
    /// As clients are told it.
    pub(crate) fn list(&self) -> List<'_> {
        let Self { first, page, kept, next, without_history } = self;
        let records =
            page.records.iter().map(|record| Item::Recorded(Box::new(Facts::of(record, kept.contains(&record.id)))));
        List {
            calls: first.iter().map(Item::Listed).chain(records).collect(),
            next_cursor: next.map(Cursor::text),
            searched_until: page.searched_until,
            missing: &page.missing,
            without_history: *without_history,
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Item<'a> {
    Listed(&'a Listed),
    Recorded(Box<Facts<'a>>),
}

/// What a caller asks for.
struct Asked {
    filter: Filter,
    limit: usize,
    cursor: Option<Cursor>,
}

impl Asked {
    fn of(pairs: Vec<(String, String)>) -> Result<Self, Problem> {
        let known: Vec<&str> = FILTERS.into_iter().chain(["limit", "cursor"]).collect();
        let mut parameters = Parameters::of(pairs, &known)?;
        let limit = parameters.limit("limit", LARGEST_PAGE)?.unwrap_or(PAGE);
        let cursor =
            parameters.read("cursor", "the `next_cursor` of the page before, or leave it out", Cursor::parse)?;
        Ok(Self { filter: filter(&mut parameters)?, limit, cursor })
    }
}

/// The caller's calls, or those of all for whoever may see them: the newest first.
///
/// # Errors
/// The parameters cannot be read, or the list goes on in a history that cannot be read now.
pub async fn list(
    State(bridge): State<Arc<Bridge>>,
    Query(pairs): Query<Vec<(String, String)>>,
    caller: Caller,
) -> Result<Response, Problem> {
    let chosen = choose(&bridge, pairs, &caller).await?;
    Ok(axum::Json(chosen.list()).into_response())
}

/// Whether these parameters can be read.
///
/// # Errors
/// One of them cannot.
pub(crate) fn check(pairs: Vec<(String, String)>) -> Result<(), Problem> {
    Asked::of(pairs).map(drop)
}

/// The calls that these parameters ask for, as far as the caller may see them.
///
/// # Errors
/// As of [`list`].
pub(crate) async fn choose(bridge: &Bridge, pairs: Vec<(String, String)>, caller: &Caller) -> Result<Chosen, Problem> {
    let mut asked = Asked::of(pairs)?;
    if !restrict(&mut asked.filter, caller, Shows::Facts) {
        return Ok(Chosen::default());
    }
    if let Some(Cursor::Kept(before)) = asked.cursor {
        return Ok(without_history(bridge, &asked, Some(before), "the page before was without it, too").await);
    }
    if bridge.observer.history.condition() == Condition::Off {
        let why = "there is none: `durability` of [history] is \"off\"";
        return Ok(without_history(bridge, &asked, None, why).await);
    }
    let before = match asked.cursor {
        Some(Cursor::Recorded(seq)) => Some(seq),
        _ => None,
    };
    // Before the history is read: what ends between the two is not in neither.
    let mut now = if before.is_none() { under_way(bridge, &asked) } else { Vec::new() };
    let is_full = now.len() > asked.limit;
    now.truncate(asked.limit);
    let room = asked.limit - now.len();
    if is_full || room == 0 {
        let next = now.last().map(|call| Cursor::UnderWay(call.call_id));
        return Ok(Chosen { first: now, next, ..Chosen::default() });
    }
    match bridge.observer.history.page(&asked.filter, before, room, Detail::Listed).await {
        Ok(page) => {
            let kept = kept(bridge, &page).await;
            let ended: HashSet<Uuid> = page.records.iter().map(|record| record.id).collect();
            now.retain(|call| !ended.contains(&call.call_id));
            Ok(Chosen { first: now, next: page.next.map(Cursor::Recorded), page, kept, without_history: None })
        }
        Err(error) if asked.cursor.is_some() => Err(unreadable(&error)),
        Err(error) => {
            tracing::warn!(%error, "calls are listed without the history");
            let why = "it cannot be read now; the gateway's log says why";
            Ok(without_history(bridge, &asked, None, why).await)
        }
    }
}

/// What an answer has of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// That they were made, by whom, and how they ended.
    Facts,
    /// Their arguments and answers.
    Values,
}

/// Leaves a caller who may not see the calls of others its own. `false` if that leaves none.
pub(crate) fn restrict(filter: &mut Filter, caller: &Caller, shows: Shows) -> bool {
    // Arguments can be guessed by asking for texts in them.
    let sees_all = match shows {
        Shows::Facts if filter.text.is_none() => sees_all(caller),
        Shows::Facts | Shows::Values => caller.may(Need::History, "", "").is_ok(),
    };
    if sees_all {
        return true;
    }
    let own = owner(caller);
    let asks_for_own = filter.owner.as_ref().is_none_or(|wanted| wanted == own);
    filter.owner = Some(own.to_owned());
    asks_for_own
}

/// The calls of a page whose outcome is kept for their clients.
pub(super) async fn kept(bridge: &Bridge, page: &Page) -> HashSet<Uuid> {
    let ids: Vec<Uuid> = page.records.iter().map(|record| record.id).collect();
    bridge.kept.which(&ids).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "which of the calls are kept cannot be told");
        HashSet::new()
    })
}

/// What waits or runs, kept or not, the newest first. Before it ends, no more is known of it than its library, function and owner.
fn under_way(bridge: &Bridge, asked: &Asked) -> Vec<Listed> {
    let Filter { library, function, owner, .. } = &asked.filter;
    let only_known =
        Filter { library: library.clone(), function: function.clone(), owner: owner.clone(), ..Filter::default() };
    if asked.filter != only_known {
        return Vec::new();
    }
    let before = match asked.cursor {
        Some(Cursor::UnderWay(id) | Cursor::Kept(id)) => Some(id),
        _ => None,
    };
    let entries = bridge.kept.under_way();
    let kept: Vec<Listed> = entries.iter().map(|entry| Listed::under_way(bridge, entry)).collect();
    let parts: Vec<Uuid> = entries.iter().flat_map(|entry| entry.calls.iter().copied()).collect();
    let others = bridge.calls_under_way().into_iter();
    let others =
        others.filter(|(_, call)| !parts.contains(&call.id)).map(|(library, call)| Listed::passing(&library, &call));
    let wanted = |call: &Listed| {
        call.is_of(library.as_deref(), function.as_deref(), owner.as_deref())
            && before.is_none_or(|before| call.call_id < before)
    };
    let mut calls: Vec<Listed> = kept.into_iter().chain(others).filter(wanted).collect();
    calls.sort_by_key(|call| std::cmp::Reverse(call.call_id));
    calls
}

/// What there is without the history: what waits and runs, and what is kept, the newest id first.
async fn without_history(bridge: &Bridge, asked: &Asked, before: Option<Uuid>, why: &'static str) -> Chosen {
    let mut calls = under_way(bridge, asked);
    let mut looked_at = None;
    // What waits and runs is to be seen even if the table is not.
    match bridge.kept.list(asked.filter.owner.as_deref(), before, asked.limit).await {
        Ok(records) => {
            looked_at = records.last().map(|record| record.request.id).filter(|_| records.len() == asked.limit);
            let ended = records.into_iter().filter(|record| record.ended.is_some() && is_wanted(record, &asked.filter));
            calls.extend(ended.map(Listed::of));
        }
        Err(error) => tracing::warn!(%error, "kept calls cannot be listed"),
    }
    calls.sort_by_key(|call| std::cmp::Reverse(call.call_id));
    // Those after the last kept one that was looked at belong to the next page.
    calls.retain(|call| looked_at.is_none_or(|last| call.call_id >= last));
    let is_more = calls.len() > asked.limit;
    calls.truncate(asked.limit);
    let next = if is_more { calls.last().map(|call| call.call_id) } else { looked_at };
    Chosen { first: calls, next: next.map(Cursor::Kept), without_history: Some(why), ..Chosen::default() }
}

/// Whether a kept call that has ended is one of those that are wanted, as far as its table knows.
fn is_wanted(record: &kept::Record, filter: &Filter) -> bool {
    let kept::Record { request, ended: Some(ended) } = record else { return false };
    let Filter { library, function, outcome, key, since, until, .. } = filter;
    let Filter { agent, session, batch, trace_id, min_duration, max_duration, text, .. } = filter;
    let is_known = agent.is_none() && session.is_none() && batch.is_none() && trace_id.is_none() && text.is_none();
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let code = ended.outcome.code.as_deref();
    is_known
        && min_duration.is_none()
        && max_duration.is_none()
        && is(library, &request.library)
        && is(function, request.function.as_deref().unwrap_or_default())
        && is(key, &request.key_id)
        && since.is_none_or(|since| ended.at >= since)
        && until.is_none_or(|until| ended.at <= until)
        && outcome.as_ref().is_none_or(|wanted| ended_so(wanted, code, ended.outcome.execution))
}

fn ended_so(wanted: &Wanted, code: Option<&str>, execution: Execution) -> bool {
    match wanted {
        Wanted::Returned => code.is_none(),
        Wanted::Failed => code.is_some(),
        Wanted::Code(wanted) => code == Some(wanted),
        Wanted::Execution(wanted) => execution == *wanted,
    }
}
