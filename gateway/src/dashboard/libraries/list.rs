//! `/libraries`: what is configured, and whether it can be called; and the configuration, read again.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;

use crate::api::libraries::{Summary, summary};
use crate::auth::Need;
use crate::bridge::Bridge;
use crate::dashboard::filters::{self, text};
use crate::dashboard::state::State;
use crate::dashboard::{Frame, Visit, lead_to};
use crate::error::Problem;
use crate::libraries::Library;
use crate::reload::{Applied, Progress};

#[derive(Template)]
#[template(path = "libraries/list.html")]
struct Page {
    frame: Frame,
    config: String,
    may_manage: bool,
    libraries: Vec<Row>,
    reload: Option<Reload>,
}

struct Row {
    name: String,
    state: State,
    reason: Option<String>,
    runtime: Option<&'static str>,
    declared: u64,
    callable: Option<u64>,
    exports: Option<u64>,
    file: String,
    problems: u64,
    waiting: u64,
}

/// What became of reading the configuration again.
enum Reload {
    Running { since: Timestamp },
    Failed { at: Timestamp, why: Option<String> },
    Done { at: Timestamp, lines: Vec<String>, warnings: Vec<String> },
}

/// The libraries.
///
/// # Errors
/// The page cannot be made.
pub async fn show(Shared(bridge): Shared<Arc<Bridge>>, visit: Visit) -> Result<Response, Problem> {
    let frame = visit.frame(visit.say(text!("Libraries")), "/libraries").live("agent,reload,sample");
    let mut libraries = Vec::new();
    for library in bridge.libraries.all() {
        libraries.push(row(&library).await);
    }
    let may_manage = frame.viewer().may(Need::Manage);
    let reload = bridge.reloads.of_configuration().map(|progress| Reload::of(progress, may_manage));
    let config = bridge.config().file.display().to_string();
    visit.page(StatusCode::OK, &Page { frame, config, may_manage, libraries, reload })
}

/// Reads the configuration again. It answers when that is done; the page has what became of it.
///
/// # Errors
/// None: what goes wrong is shown.
pub async fn reload(Shared(bridge): Shared<Arc<Bridge>>) -> Result<Response, Problem> {
    // What became of it is kept, and shown to everybody who looks.
    let _ = bridge.reload_configuration().await;
    lead_to("/libraries#configuration")
}

async fn row(library: &Library) -> Row {
    let (state, reason) = State::of_library(&library.state());
    let Summary { file, functions, problems, calls, .. } = summary(library).await;
    // Whoever has looked at them has left them here.
    let known = library.exports.try_lock().ok().and_then(|known| Some(known.as_ref()?.1.image().exports.len() as u64));
    Row {
        name: library.name.clone(),
        state,
        reason,
        runtime: library.target.map(bridge32_protocol::target::Target::name),
        declared: functions.declared as u64,
        callable: functions.callable.map(|count| count as u64),
        exports: known,
        file,
        problems: problems.count() as u64,
        waiting: calls.waiting as u64,
    }
}

impl Reload {
    /// Why it failed may show what stands in the file: that is for those who may manage.
    fn of(progress: Progress<Applied>, may_manage: bool) -> Self {
        let at = progress.at;
        match progress.outcome {
            None => Self::Running { since: at },
            Some(Err(why)) => Self::Failed { at, why: may_manage.then_some(why) },
            Some(Ok(Applied { lines, warnings, .. })) => Self::Done { at, lines, warnings },
        }
    }
}
