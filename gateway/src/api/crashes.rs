//! `/v1/agents/{id}/crashes` and `/v1/crashes/{report}`: what is kept of agents that ended by themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Path, Query, agents, reply};
use crate::bridge::Bridge;
use crate::error::{Code, Problem};
use crate::limit;

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 200;

/// How many are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    #[serde(default, deserialize_with = "limit::up_to::<MAX_LIMIT, _>")]
    limit: Option<usize>,
}

#[derive(Serialize)]
struct List {
    crashes: Vec<Value>,
}

/// The reports of one agent, the newest first: also of one that is not there any more, of a library that is.
///
/// # Errors
/// There is no such agent, and no such library.
pub async fn list(
    State(bridge): State<Arc<Bridge>>,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    // `calc.2` was one of the library `calc`.
    let pool = id.rsplit_once('.').filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
    if bridge.libraries.get(pool.map_or(id.as_str(), |(pool, _)| pool)).is_none() {
        agents::find(&bridge, &id)?;
    }
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    Ok(Json(List { crashes: of_agent(&bridge, id, limit).await? }).into_response())
}

/// The newest reports of an agent, without what it printed.
///
/// # Errors
/// They cannot be read.
pub(crate) async fn of_agent(bridge: &Bridge, id: String, limit: usize) -> Result<Vec<Value>, Problem> {
    let reports = Arc::clone(&bridge.reports);
    let read = tokio::task::spawn_blocking(move || reports.of_agent(&id, limit)).await;
    read.map_err(Problem::internal)?.map_err(Problem::internal)
}

/// One report.
///
/// # Errors
/// There is none of that name.
pub async fn show(State(bridge): State<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    report(&bridge, name).await.map(reply::json)
}

/// The text of a report.
///
/// # Errors
/// There is none of that name.
pub(crate) async fn report(bridge: &Bridge, name: String) -> Result<Vec<u8>, Problem> {
    let reports = Arc::clone(&bridge.reports);
    let wanted = name.clone();
    let read = tokio::task::spawn_blocking(move || reports.get(&wanted)).await;
    let report = read.map_err(Problem::internal)?.map_err(Problem::internal)?;
    report.ok_or_else(|| {
        let detail = format!("There is no report `{name}`. GET /v1/agents/AGENT/crashes lists those that are kept.");
        Problem::new(Code::UnknownReport, detail)
    })
}
