//! `/healthz` and `/readyz`: whether the gateway runs, and whether its libraries can be called.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::bridge::Bridge;
use crate::libraries::LibraryState;

#[derive(Serialize)]
struct Alive {
    status: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Readiness<'a> {
    status: &'static str,
    libraries: BTreeMap<&'a str, &'static str>,
}

/// The gateway runs.
pub async fn alive() -> Response {
    Json(Alive { status: "ok", version: env!("CARGO_PKG_VERSION") }).into_response()
}

/// 200 once every library is ready or has failed for good, 503 until then.
pub async fn ready(State(bridge): State<Arc<Bridge>>) -> Response {
    let libraries = bridge.libraries.all();
    let found: Vec<_> = libraries.iter().map(|library| (library.name.as_str(), library.state())).collect();
    let waiting = found.iter().any(|(_, state)| matches!(state, LibraryState::Waiting(_)));
    let libraries = found.iter().map(|(name, state)| (*name, state.name())).collect();
    let (code, status) =
        if waiting { (StatusCode::SERVICE_UNAVAILABLE, "starting") } else { (StatusCode::OK, "ready") };
    (code, Json(Readiness { status, libraries })).into_response()
}
