//! `/openapi.json`: the contract of the control plane, with an operation for each function of each library.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use bridge32_protocol::target::Target;

use super::reply;
use crate::bridge::Bridge;
use crate::config::{AuthConfig, Config};
use crate::error::Problem;
use crate::interfaces::Declared;
use crate::libraries::Library;
use crate::openapi::cache::{self, Served};
use crate::openapi::{Part, Server, document};

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
    let all = bridge.libraries.all();
    let libraries: Vec<(&Library, Arc<Declared>)> =
        all.iter().map(|library| (&**library, library.declared())).collect();
    bridge.openapi.get(libraries.iter().map(|(_, declared)| Arc::clone(declared)).collect(), || {
        let parts: Vec<Part> = libraries.iter().map(|(library, declared)| part(library, declared)).collect();
        document(&server(&bridge.config()), &parts)
    })
}

/// A gateway as the document describes it.
pub fn server(config: &Config) -> Server {
    let urls = config.listeners.urls().iter().map(ToString::to_string).collect();
    Server { urls, signed: matches!(config.auth, AuthConfig::Hmac { .. }) }
}

/// A library as the document describes it.
pub fn part<'a>(library: &'a Library, declared: &'a Declared) -> Part<'a> {
    let file = library.config.file.display();
    Part {
        name: &library.name,
        file: file.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
        headers: declared.texts.iter().map(|text| text.name.clone()).collect(),
        header: &declared.header,
        target: library.target.unwrap_or(Target::Linux32),
    }
}
