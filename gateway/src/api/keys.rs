//! `/v1/keys`: who may call, without the secrets.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::auth::Auth;
use crate::auth::keys::View;
use crate::bridge::Bridge;

/// The keys in the order of the key file.
#[derive(Serialize)]
pub struct List {
    keys: Vec<View>,
}

/// All keys; none where nobody needs one.
pub async fn list(State(bridge): State<Arc<Bridge>>) -> Json<List> {
    let keys = match &bridge.auth {
        Auth::Off => Vec::new(),
        Auth::Hmac(keys) => keys.views(),
    };
    Json(List { keys })
}
