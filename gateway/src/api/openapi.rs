//! `/openapi.json`: the contract of the control plane, from the file at the root of the project.

use std::sync::LazyLock;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// The document as it is written: YAML.
pub const SOURCE: &str = include_str!("../../../openapi.yaml");

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The document as JSON.
///
/// # Panics
/// The file that was compiled in is not YAML: a test sees to that.
pub fn document() -> Value {
    serde_yaml_ng::from_str(SOURCE).expect("openapi.yaml is part of the program and read by its tests")
}

/// The document.
pub async fn show() -> Response {
    Json(&*DOCUMENT).into_response()
}
