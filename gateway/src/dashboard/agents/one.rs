//! `/agents/{id}`: one agent, what became of it, and what its process has open and has printed.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::past::Past;
use super::{Log, Now, role};
use crate::agents::{Agent, State as Life, View};
use crate::api::handles::{self, Listed};
use crate::api::{Path, Query, agents, crashes};
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::dashboard::crash::Report;
use crate::dashboard::filters::{self, text};
use crate::dashboard::state::{Mark, State};
use crate::dashboard::words::{grouped, size, time_span};
use crate::dashboard::{Frame, Visit};
use crate::error::{Code, Problem};

/// So many open handles a page has.
const HANDLES: usize = 100;
/// So many reports.
const REPORTS: usize = 20;
/// So long the agent may take to say what is open: it may be stuck.
const PATIENCE: Duration = Duration::from_secs(1);

/// What an address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// How many open handles come before those of this page.
    from: usize,
    /// What lines of the output have to have.
    output: String,
}

#[derive(Template)]
#[template(path = "agent.html")]
struct Page {
    frame: Frame,
    view: View,
    state: State,
    /// What it is for, where that is not every call.
    role: Option<&'static str>,
    now: Now,
    limits: Vec<Limit>,
    past: Past,
    handles: Handles,
    reports: Vec<Report>,
    log: Log,
    asked: Asked,
    /// Whether whoever looks may restart it.
    manages: bool,
    /// Whether a restart would start it, as it does not run.
    rests: bool,
}

/// How far the process is from a limit.
struct Limit {
    name: &'static str,
    used: String,
    max: String,
    percent: Option<u64>,
    state: State,
}

/// What the process has open.
enum Handles {
    /// It does not run.
    Down,
    /// It does not say, for this reason.
    Unknown(String),
    /// A page of them.
    Open(Open),
}

struct Open {
    rows: Vec<Listed>,
    all: u64,
    from: u64,
    /// Where the pages before and behind begin.
    earlier: Option<usize>,
    later: Option<usize>,
}

/// One agent: by its id, or by the name of its library.
///
/// # Errors
/// There is none, or its reports cannot be read.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    visit: Visit,
    caller: Caller,
) -> Result<Response, Problem> {
    let agent = agents::find(&bridge, &id)?;
    let view = bridge.view(&agent);
    let known = bridge.observer.timeline.of_agent(agent.id());
    let reports = crashes::of_agent(&bridge, agent.id().to_owned(), REPORTS).await?;
    let reports: Vec<Report> = reports.into_iter().map(Report::of_value).collect();
    let crashes: Vec<_> = reports.iter().filter_map(|report| Some((report.ended_at?, report.what()))).collect();
    let page = Page {
        frame: visit.frame(view.id.clone(), "/agents").live("agent,crash,sample"),
        state: State::of_agent(view.status.state),
        role: role(&view),
        now: Now::of(&view, &visit),
        limits: view.health.limits.iter().map(limit).collect(),
        past: Past::new(&known, &view.status, view.generation, &crashes, &visit),
        handles: open(&agent, &caller, asked.from, &visit).await,
        reports,
        log: Log::of(&agent.recent_output(), &asked.output),
        manages: visit.viewer.may(Need::Manage),
        rests: matches!(view.status.state, Life::Stopped | Life::GaveUp),
        asked,
        view,
    };
    visit.page(StatusCode::OK, &page)
}

fn limit(limit: &crate::agents::Limit) -> Limit {
    let words = |number: u64| match limit.limit {
        "max_memory" => size(number),
        "max_age" => time_span(number.saturating_mul(1_000_000_000)),
        _ => grouped(number),
    };
    let state = match limit.used_percent {
        None => State::new(Mark::Off, text!("not known")),
        Some(..80) => State::new(Mark::Good, text!("far from it")),
        Some(80..100) => State::new(Mark::Warning, text!("near it")),
        Some(_) => State::new(Mark::Warning, text!("reached")),
    };
    let used = limit.used.map_or_else(|| "–".to_owned(), words);
    Limit { name: limit.limit, used, max: words(limit.max), percent: limit.used_percent, state }
}

async fn open(agent: &Agent, caller: &Caller, from: usize, visit: &Visit) -> Handles {
    if agent.link().is_none() {
        return Handles::Down;
    }
    match tokio::time::timeout(PATIENCE, handles::of_agent(agent, agent.id(), caller)).await {
        Ok(Ok(all)) => Handles::Open(page_of(all, from)),
        // It has ended just now.
        Ok(Err(problem)) if problem.code() == Code::NoAgent => Handles::Down,
        Ok(Err(problem)) => Handles::Unknown(problem.detail().to_owned()),
        Err(_) => Handles::Unknown(
            visit.say(text!("it has not answered for a second, so its process may be stuck")).to_owned(),
        ),
    }
}

fn page_of(all: Vec<Listed>, from: usize) -> Open {
    let count = all.len();
    // Some may have been closed since the link to this page was made.
    let from = from.min(count.saturating_sub(1) / HANDLES * HANDLES);
    let rows: Vec<Listed> = all.into_iter().skip(from).take(HANDLES).collect();
    let end = from + rows.len();
    let earlier = (from > 0).then(|| from.saturating_sub(HANDLES));
    Open { rows, all: count as u64, from: from as u64, earlier, later: (end < count).then_some(end) }
}

impl Open {
    fn first(&self) -> u64 {
        self.from + 1
    }

    fn last(&self) -> u64 {
        self.from + self.rows.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(count: usize) -> Vec<Listed> {
        let one = |number| Listed {
            library: "calc".to_owned(),
            handle: None,
            kind: format!("kind {number}"),
            origin: None,
            size: None,
            freed_by: None,
            age_s: 1,
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn open_handles_come_in_pages() {
        let page = page_of(listed(250), 100);
        assert_eq!((page.first(), page.last(), page.all), (101, 200, 250));
        assert_eq!((page.earlier, page.later), (Some(0), Some(200)));
        let page = page_of(listed(250), 200);
        assert_eq!((page.rows.len(), page.later), (50, None));
        for (count, from) in [(0, 0), (0, 100), (150, usize::MAX)] {
            let page = page_of(listed(count), from);
            assert!(page.last() <= page.all && page.later.is_none(), "{count} {from}");
        }
        assert_eq!(page_of(listed(150), 5000).first(), 101, "the last page, where it was further before");
    }

    #[test]
    fn a_limit_has_its_units_and_says_how_near_it_is() {
        let of = |name, used, max, percent| {
            let Limit { used, max, state, .. } =
                limit(&crate::agents::Limit { limit: name, used, max, used_percent: percent });
            (used, max, state.word)
        };
        assert_eq!(
            of("max_memory", Some(1 << 30), 3 << 29, Some(66)),
            ("1.00 GB".into(), "1.50 GB".into(), "far from it")
        );
        assert_eq!(of("max_calls", Some(9_000), 10_000, Some(90)), ("9,000".into(), "10,000".into(), "near it"));
        assert_eq!(of("max_age", Some(100), 86_400, Some(0)), ("100 s".into(), "24 h 0 min".into(), "far from it"));
        assert_eq!(of("max_handles", None, 5, None), ("–".into(), "5".into(), "not known"));
    }
}
