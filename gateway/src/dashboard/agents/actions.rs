//! The buttons of an agent's page.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;

use crate::agents::Agent;
use crate::api::Path;
use crate::api::agents::{ask_drain, ask_restart};
use crate::bridge::Bridge;
use crate::dashboard::lead_to;
use crate::error::Problem;

/// So long the answer waits for the agent to begin, so that the page does not show what was before.
const PATIENCE: Duration = Duration::from_millis(500);

/// Ends an agent's process, and shows the agent.
///
/// # Errors
/// There is no such agent.
pub async fn restart(State(bridge): State<Arc<Bridge>>, Path(id): Path<String>) -> Result<Response, Problem> {
    begun(&*ask_restart(&bridge, &id)?).await
}

/// Lets an agent's process end, and shows the agent.
///
/// # Errors
/// There is no such agent, or somebody else starts it.
pub async fn drain(State(bridge): State<Arc<Bridge>>, Path(id): Path<String>) -> Result<Response, Problem> {
    begun(&*ask_drain(&bridge, &id)?).await
}

async fn begun(agent: &Agent) -> Result<Response, Problem> {
    let mut changed = agent.reach();
    // One that has nothing to do does not change.
    let _ = tokio::time::timeout(PATIENCE, changed.changed()).await;
    lead_to(&format!("/agents/{}", agent.id()))
}
