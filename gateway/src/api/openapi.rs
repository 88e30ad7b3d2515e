//! `/openapi.json`: the contract of the control plane, with an operation for each function of each library.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use bridge32_protocol::target::Target;

use super::reply;
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::libraries::Library;
use crate::openapi::cache::{self, Served};
use crate::openapi::{Part, document};

/// The document, unless the client has it already.
///
/// # Errors
/// It could not be made.
pub async fn show(State(bridge): State<Arc<Bridge>>, headers: HeaderMap) -> Result<Response, Problem> {
    // Large headers take some time.
    let served = tokio::task::spawn_blocking(move || current(&bridge)).await.map_err(Problem::internal)?;
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags = [(ETAG, served.etag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
    if known.into_iter().any(|header| cache::matches(header, &served.etag)) {
        return Ok((StatusCode::NOT_MODIFIED, tags).into_response());
    }
    Ok((tags, reply::json(served.body.clone())).into_response())
}

fn current(bridge: &Bridge) -> Arc<Served> {
    let libraries: Vec<Arc<Library>> = bridge.libraries.all().cloned().collect();
    bridge.openapi.get(libraries.clone(), || {
        let parts: Vec<Part> = libraries.iter().map(|library| part(library)).collect();
        document(&bridge.address.to_string(), &parts)
    })
}

/// A library as the document describes it.
pub fn part(library: &Library) -> Part<'_> {
    let name = |path: &std::path::PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = library.config.file.display();
    Part {
        name: &library.name,
        file: file.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
        headers: library.config.headers.iter().map(name).collect(),
        header: &library.header,
        target: library.target.unwrap_or(Target::Linux32),
    }
}
