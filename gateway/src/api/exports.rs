//! `/v1/libraries/{library}/exports`: the export table, from the file itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::{Path, Query};
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::libraries::exports::Wanted;

/// A page of exports.
///
/// # Errors
/// There is no such library, or its file cannot be read.
pub async fn list(
    State(bridge): State<Arc<Bridge>>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    let exports = bridge.exports(&library).await?;
    Ok(Json(exports.page(&wanted, &library.declared())).into_response())
}
