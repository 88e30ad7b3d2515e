//! `/v1/libraries`: what is configured and whether it can be called.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Binding;
use jiff::Timestamp;
use serde::Serialize;

use super::Path;
use crate::agents::Bound;
use crate::bridge::Bridge;
use crate::dispatch::Counts;
use crate::error::Problem;
use crate::libraries::{Library, LibraryState};

#[derive(Serialize)]
struct List<'a> {
    libraries: Vec<Summary<'a>>,
}

/// A library as its clients see it.
#[derive(Serialize)]
pub struct Summary<'a> {
    name: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    file: String,
    runtime: Option<Target>,
    agent: Option<&'a str>,
    deadline_ms: u64,
    interface: Provenance,
    functions: Functions,
    calls: Counts,
    problems: Vec<String>,
}

/// Where the interface comes from.
#[derive(Serialize)]
struct Provenance {
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Functions {
    declared: usize,
    /// Only known while the library is loaded.
    callable: Option<usize>,
}

/// Every library.
pub async fn list(State(bridge): State<Arc<Bridge>>) -> Response {
    let libraries = bridge.libraries.all().map(|library| summary(&bridge, library)).collect();
    Json(List { libraries }).into_response()
}

/// One library.
///
/// # Errors
/// There is none of that name.
pub async fn show(State(bridge): State<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    Ok(Json(summary(&bridge, library)).into_response())
}

fn summary<'a>(bridge: &Bridge, library: &'a Library) -> Summary<'a> {
    let state = bridge.state(library);
    let declared = library.declared();
    let mut problems: Vec<String> = declared.header.diagnostics.iter().map(ToString::to_string).collect();
    let mut callable = None;
    let mut reason = None;
    match &state {
        LibraryState::Waiting(why) | LibraryState::Gone(why) => reason = Some(why.clone()),
        LibraryState::Failed(fault) => {
            reason = Some(fault.detail.clone());
            problems.insert(0, fault.detail.clone());
        }
        LibraryState::Ready(_) => {
            if let Some(Bound { loaded, .. }) = bridge.bound(library, &declared).as_deref() {
                let bound = loaded.bindings.iter().filter(|binding| matches!(binding, Binding::Bound { .. }));
                callable = Some(bound.count());
                problems.extend(loaded.bindings.iter().filter_map(|binding| match binding {
                    Binding::Missing(fault) => Some(fault.detail.clone()),
                    Binding::Bound { .. } => None,
                }));
            }
        }
    }
    Summary {
        name: &library.name,
        state: state.name(),
        reason,
        file: library.config.file.display(),
        runtime: library.target,
        agent: library.agent.as_deref(),
        deadline_ms: u64::try_from(library.config.deadline.as_millis()).unwrap_or(u64::MAX),
        interface: Provenance { origin: declared.origin.name(), replaced_at: declared.origin.replaced_at() },
        functions: Functions { declared: declared.interface().functions.len(), callable },
        calls: bridge.dispatch.counts(&library.name),
        problems,
    }
}
