//! `/v1/reload` and `/v1/libraries/{library}/reload`: what was changed on the disk comes into force.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Path;
use super::libraries::{Summary, summary};
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::reload::{Applied, Reloaded, Seen};

#[derive(Serialize)]
struct Replaced<'a> {
    library: Summary<'a>,
    before: Seen,
    after: Seen,
}

/// Reads a library's file and headers again, and replaces the library once the new one works.
///
/// # Errors
/// There is none of that name, it is being reloaded, or the new one does not work: then nothing has changed.
pub async fn library(State(bridge): State<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let Reloaded { library, before, after } = bridge.reload_library(&name).await?;
    Ok(Json(Replaced { library: summary(&library).await, before, after }).into_response())
}

/// Reads the configuration again, and puts it in force.
///
/// # Errors
/// It cannot be used, or a library does not work as it says: then nothing has changed.
pub async fn configuration(State(bridge): State<Arc<Bridge>>) -> Result<Json<Applied>, Problem> {
    bridge.reload_configuration().await.map(Json)
}
