//! `/v1/agents`: what runs, registrations of agents, restarts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bridge32_protocol::PROTOCOL;
use bridge32_protocol::wire::{Lease, Registration};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Path;
use crate::agents::{Agent, Line, View};
use crate::auth::{AgentProof, Proven};
use crate::bridge::Bridge;
use crate::error::{Code, Problem};

#[derive(Serialize)]
struct List {
    agents: Vec<View>,
}

#[derive(Serialize)]
struct Detail {
    #[serde(flatten)]
    view: View,
    output: Vec<Line>,
}

/// Every agent and how it fares.
pub async fn list(State(bridge): State<Arc<Bridge>>) -> Response {
    Json(List { agents: bridge.agent_views() }).into_response()
}

/// One agent, with its last lines of output.
///
/// # Errors
/// There is none of that id.
pub async fn show(State(bridge): State<Arc<Bridge>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let agent = find(&bridge, &id)?;
    Ok(Json(Detail { view: bridge.view(&agent), output: agent.recent_output() }).into_response())
}

/// Ends the agent's process; unless somebody else starts it, it is started again.
///
/// # Errors
/// There is none of that id.
pub async fn restart(State(bridge): State<Arc<Bridge>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let agent = ask_restart(&bridge, &id)?;
    Ok((StatusCode::ACCEPTED, Json(bridge.view(&agent))).into_response())
}

/// Asks for a restart of an agent, and gives it.
///
/// # Errors
/// There is none of that id.
pub(crate) fn ask_restart(bridge: &Bridge, id: &str) -> Result<Arc<Agent>, Problem> {
    let agent = find(bridge, id)?;
    agent.restart("a restart was asked for");
    Ok(agent)
}

/// Ends the agent's process when what it runs has ended, and starts no other until a restart is asked for.
///
/// # Errors
/// There is none of that id, or it is somebody else's, who decides when it comes back.
pub async fn drain(State(bridge): State<Arc<Bridge>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let agent = ask_drain(&bridge, &id)?;
    Ok((StatusCode::ACCEPTED, Json(bridge.view(&agent))).into_response())
}

/// Asks an agent to end, and gives it.
///
/// # Errors
/// As [`drain`].
pub(crate) fn ask_drain(bridge: &Bridge, id: &str) -> Result<Arc<Agent>, Problem> {
    let agent = find(bridge, id)?;
    if agent.is_external() {
        let detail = format!("`{id}` is started by somebody else: whoever runs `agent32 --join` there ends it, too.");
        return Err(Problem::new(Code::ExternalAgent, detail));
    }
    let libraries = bridge.libraries.in_use();
    let pools = libraries.iter().filter_map(|library| library.pool());
    let patience = pools.map(|pool| pool.spec()).find(|spec| spec.id == agent.pool()).map(|spec| spec.running.drain);
    agent.drain("it was drained for maintenance", patience.unwrap_or_default());
    Ok(agent)
}

/// What can be read of a registration of any protocol.
#[derive(Deserialize)]
struct Header {
    protocol: u32,
    #[serde(default)]
    version: Option<String>,
}

/// An agent says that it is there.
///
/// # Errors
/// Its protocol, its key or its generation is not the right one.
pub async fn register(
    State(bridge): State<Arc<Bridge>>,
    Path(id): Path<String>,
    proof: AgentProof,
    body: Bytes,
) -> Result<Json<Lease>, Problem> {
    // Whoever is no agent is not told which there are.
    let unknown = || Problem::new(Code::UnknownAgent, format!("There is no agent `{id}`."));
    let agent = bridge.agents.get(&id).ok_or_else(unknown)?;
    let malformed = |error| Problem::new(Code::MalformedRequest, format!("not a registration: {error}"));
    let header: Header = serde_json::from_slice(&body).map_err(malformed)?;
    if header.protocol != PROTOCOL {
        let version = header.version.as_deref().unwrap_or("unknown");
        // Whoever is not the agent learns the same, and changes nothing.
        let reason = proof.0.map_or_else(
            |_| Agent::protocol_mismatch(header.protocol, version),
            |_| agent.refuse_protocol(header.protocol, version),
        );
        return Err(Problem::new(Code::ProtocolMismatch, reason));
    }
    let proven = proof.0?;
    let registration: Registration = serde_json::from_slice(&body).map_err(malformed)?;
    Ok(Json(match proven {
        Proven::Own => agent.register(registration)?,
        Proven::Member(member) => agent.join(registration, member)?,
    }))
}

/// The agent of that id; by the name of a library or group, the first of its agents: their ids change when it is reloaded.
pub(crate) fn find(bridge: &Bridge, id: &str) -> Result<Arc<Agent>, Problem> {
    let of_pool = || bridge.agents.all().into_iter().find(|agent| agent.pool() == id && !agent.leaves());
    bridge.agents.get(id).or_else(of_pool).ok_or_else(|| {
        let all = bridge.agents.all();
        let known: Vec<&str> = all.iter().map(|agent| agent.id()).collect();
        Problem::new(Code::UnknownAgent, format!("There is no agent `{id}`. There are: {}.", known.join(", ")))
    })
}
