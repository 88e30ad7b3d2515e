//! `/v1/agents/{id}/handles`: what libraries have given out and nobody has closed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bridge32_protocol::wire::HandleView;
use serde::Serialize;

use super::{Path, agents};
use crate::bridge::Bridge;
use crate::dispatch::Failure;
use crate::error::Problem;

#[derive(Serialize)]
struct List {
    handles: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    library: String,
    #[serde(flatten)]
    handle: HandleView,
}

/// The live handles of an agent's libraries. The agent is asked directly, so that they can be seen while a call runs.
///
/// # Errors
/// There is no such agent, or it does not answer.
pub async fn list(State(bridge): State<Arc<Bridge>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let agent = agents::find(&bridge, &id)?;
    let down = || Failure::NoAgent { reason: format!("`{id}` does not run, so it has no handles"), retry: true };
    let link = agent.link().ok_or_else(down)?;
    let mut handles = Vec::new();
    for library in link.libraries.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(name, _)| name) {
        let list = link.client.handles(library).await??;
        handles.extend(list.handles.into_iter().map(|handle| Listed { library: library.clone(), handle }));
    }
    Ok(Json(List { handles }).into_response())
}
