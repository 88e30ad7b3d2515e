//! `/agents`: the processes that have libraries loaded, and how they fare.

mod actions;
mod log;
mod one;
mod past;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bridge32_protocol::wire::Health;
use jiff::{SignedDuration, Timestamp};

use super::filters::{self, text};
use super::memory::Memory;
use super::state::State;
use super::{Frame, Visit};
use crate::agents::{Role, View};
use crate::bridge::Bridge;
use crate::error::Problem;

pub use actions::{drain, restart};
pub(crate) use log::Log;
pub use one::show as show_one;

#[derive(Template)]
#[template(path = "agents.html")]
struct Page {
    frame: Frame,
    config: String,
    /// Whether there is a library that could have one.
    has_libraries: bool,
    pools: Vec<Pool>,
}

/// The agents of one library or group.
struct Pool {
    name: String,
    /// Whether its name is worth a line: it has several, or one of another name.
    has_heading: bool,
    rows: Vec<Row>,
}

impl Pool {
    fn count(&self) -> u64 {
        self.rows.len() as u64
    }
}

struct Row {
    view: View,
    state: State,
    /// What it is for, where that is not every call.
    role: Option<&'static str>,
    now: Now,
}

/// What a process says of itself now, for people.
struct Now {
    started: Option<Timestamp>,
    memory: Option<Memory>,
    resident: Option<u64>,
    handles: Option<u64>,
    threads: Option<u64>,
    calls: u64,
    waiting: u64,
}

impl Now {
    fn of(view: &View, visit: &Visit) -> Self {
        let reported = view.health.reported.as_ref();
        let of = |figure: fn(&Health) -> Option<u64>| reported.and_then(figure);
        Self {
            started: reported.and_then(|health| started(health.uptime_ms)),
            memory: reported.and_then(|health| Memory::of(health, visit)),
            resident: of(|health| health.resident_bytes),
            handles: of(|health| health.handles),
            threads: of(|health| health.threads),
            calls: view.health.returned + view.health.failed,
            waiting: view.health.waiting as u64,
        }
    }
}

/// The word for an agent that does not get every call.
const fn role(view: &View) -> Option<&'static str> {
    match view.role {
        Role::Active => None,
        Role::Standby => Some(text!("stands by")),
        Role::Leaving => Some(text!("makes room for another one")),
    }
}

fn started(uptime_ms: u64) -> Option<Timestamp> {
    let uptime = SignedDuration::from_millis(uptime_ms.try_into().ok()?);
    Timestamp::now().checked_sub(uptime).ok()
}

/// All agents.
///
/// # Errors
/// The page cannot be made.
pub async fn show(Shared(bridge): Shared<Arc<Bridge>>, visit: Visit) -> Result<Response, Problem> {
    let page = Page {
        frame: visit.frame(visit.say(text!("Agents")), "/agents").live("agent,crash,reload,sample"),
        config: bridge.config().file.display().to_string(),
        has_libraries: !bridge.libraries.all().is_empty(),
        pools: pools(bridge.agent_views(), &visit),
    };
    visit.page(StatusCode::OK, &page)
}

fn pools(views: Vec<View>, visit: &Visit) -> Vec<Pool> {
    let mut pools: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for view in views {
        let (state, role) = (State::of_agent(view.status.state), role(&view));
        let row = Row { state, role, now: Now::of(&view, visit), view };
        pools.entry(row.view.pool.clone()).or_default().push(row);
    }
    let pool = |(name, rows): (String, Vec<Row>)| {
        let has_heading = rows.len() > 1 || rows.iter().any(|row| row.view.id != name);
        Pool { name, has_heading, rows }
    };
    pools.into_iter().map(pool).collect()
}

#[cfg(test)]
mod tests;
