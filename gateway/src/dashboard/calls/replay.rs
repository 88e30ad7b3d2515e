//! `/calls/{id}/replay`: makes a call again, and leads to what is different then.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use bytes::Bytes;

use super::show;
use crate::api::{Path, replays};
use crate::auth::Caller;
use crate::auth::sessions::field;
use crate::bridge::Bridge;
use crate::dashboard::{Visit, lead_to};
use crate::error::{Code, Problem};

/// Makes a call again, with its own library or the one that the form names.
///
/// # Errors
/// There is no such call. If it cannot be made again, its page says why.
pub async fn submit(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(id): Path<String>,
    visit: Visit,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Problem> {
    let library = field(&body, "library").filter(|name| !name.is_empty());
    match replays::repeat(&bridge, &id, library.as_deref(), &caller).await {
        Ok(replay) => lead_to(&format!("{}/compare/{}", show::address(&id), replay.call_id)),
        Err(problem) if problem.code() == Code::UnknownCall => Err(problem),
        Err(problem) => show::page(&bridge, &id, &visit, &caller, Some(&problem)).await,
    }
}
