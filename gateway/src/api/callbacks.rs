//! `/v1/libraries/{library}/callbacks` and `/v1/callbacks/{id}`: callbacks that outlive their call.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bridge32_protocol::wire::{CallbackList, Fault, FaultCode};

use super::Path;
use crate::agents::Link;
use crate::agents::token::CallbackId;
use crate::bridge::Bridge;
use crate::dispatch::Failure;
use crate::error::{Code, Problem};

/// The callbacks of a library.
///
/// # Errors
/// There is no such library, or its agent does not answer.
pub async fn list(State(bridge): State<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    let down = || Failure::NoAgent { reason: format!("`{name}` is not loaded, so it has no callbacks"), retry: true };
    let links = library.pool().map(|pool| pool.links()).unwrap_or_default();
    if links.is_empty() {
        return Err(down().into());
    }
    let mut callbacks = Vec::new();
    for link in links {
        callbacks.extend(link.client.callbacks(&name).await??.callbacks);
    }
    Ok(Json(CallbackList { callbacks }).into_response())
}

/// Gives a callback up: the library must not call it any more.
///
/// # Errors
/// There is no such callback, or its agent does not answer.
pub async fn remove(State(bridge): State<Arc<Bridge>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let (id, link) = find(&bridge, &id)?;
    link.client.remove_callback(&id).await?.map_err(|fault| gone(id.text, fault))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Takes an id apart, and gives it with the start of the agent that gave it out.
///
/// # Errors
/// It is no id of a library that is configured, or that start is over.
pub(super) fn find<'a>(bridge: &Bridge, text: &'a str) -> Result<(CallbackId<'a>, Arc<Link>), Problem> {
    let parsed = CallbackId::parse(text).and_then(|id| Some((id, bridge.libraries.get(id.library)?)));
    let Some((id, library)) = parsed else { return Err(unknown(text)) };
    let link = library.pool().and_then(|pool| pool.link_of(id.generation));
    link.map_or_else(|| Err(over(&id)), |link| Ok((id, link)))
}

fn unknown(id: &str) -> Problem {
    let detail = format!(
        "There is no callback `{id}`. GET /v1/libraries/LIBRARY/callbacks lists those that outlive their call \
         (`\"stream\": true`)."
    );
    Problem::new(Code::UnknownCallback, detail)
}

fn over(id: &CallbackId) -> Problem {
    let detail = format!(
        "The callback `{}` belonged to start {} of its agent, which is over, and ended with it.",
        id.text, id.generation
    );
    Problem::new(Code::StaleHandle, detail)
}

/// What an agent says of an id that it does not have: never had it, or not any more.
pub(super) fn gone(id: &str, fault: Fault) -> Problem {
    match fault.code {
        FaultCode::ArgumentMismatch | FaultCode::UnknownFunction | FaultCode::MalformedRequest => unknown(id),
        _ => Problem::from(fault).without_pointer(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_the_agent_does_not_have_is_told_from_one_that_is_over() {
        let fault = |code| Fault { code, detail: "x".into(), pointer: Some("/id".into()), ran: false };
        assert_eq!(gone("a", fault(FaultCode::ArgumentMismatch)).code(), Code::UnknownCallback);
        let stale = gone("a", fault(FaultCode::StaleHandle));
        assert_eq!((stale.code(), stale.pointer()), (Code::StaleHandle, None));
        assert_eq!(gone("a", fault(FaultCode::ShuttingDown)).code(), Code::NoAgent);
    }
}
