//! `/v1/agents/{id}/handles`: what libraries have given out and nobody has closed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bridge32_protocol::wire::HandleView;
use serde::Serialize;

use super::{Path, agents};
use crate::agents::Agent;
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::dispatch::Failure;
use crate::error::Problem;

#[derive(Serialize)]
struct List {
    handles: Vec<Listed>,
}

/// A live handle, as [`HandleView`] has it.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    pub(crate) library: String,
    /// The token; `None` for whoever may not use it, since knowing it is what makes it usable.
    pub(crate) handle: Option<String>,
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) freed_by: Option<String>,
    pub(crate) age_s: u64,
}

impl Listed {
    fn new(library: &str, view: HandleView, caller: &Caller) -> Self {
        let HandleView { handle, kind, origin, size, freed_by, age_s } = view;
        let usable = caller.may(Need::Library, library, "").is_ok();
        Self { library: library.to_owned(), handle: usable.then_some(handle), kind, origin, size, freed_by, age_s }
    }
}

/// The live handles of an agent's libraries. The agent is asked directly, so that they can be seen while a call runs.
///
/// # Errors
/// There is no such agent, or it does not answer.
pub async fn list(
    State(bridge): State<Arc<Bridge>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    let agent = agents::find(&bridge, &id)?;
    Ok(Json(List { handles: of_agent(&agent, &id, &caller).await? }).into_response())
}

/// The live handles of the agent that was asked for as `id`.
///
/// # Errors
/// It does not answer.
pub(crate) async fn of_agent(agent: &Agent, id: &str, caller: &Caller) -> Result<Vec<Listed>, Problem> {
    let down = || Failure::NoAgent { reason: format!("`{id}` does not run, so it has no handles"), retry: true };
    let link = agent.link().ok_or_else(down)?;
    let mut handles = Vec::new();
    for library in link.libraries.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(name, _)| name) {
        let list = link.client.handles(library).await??;
        handles.extend(list.handles.into_iter().map(|view| Listed::new(library, view, caller)));
    }
    Ok(handles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Principal, Scopes};

    fn listed(library: &str, caller: &Caller) -> serde_json::Value {
        let view = HandleView {
            handle: "sqlite.g1.1.k2JxQ9".into(),
            kind: "sqlite3".into(),
            origin: Some("sqlite3_open".into()),
            size: None,
            freed_by: Some("sqlite3_close".into()),
            age_s: 12,
        };
        serde_json::to_value(Listed::new(library, view, caller)).unwrap()
    }

    fn nobody() -> Caller {
        Caller { principal: None, arrived: tokio::time::Instant::now(), trace: None }
    }

    fn caller(scopes: &[&str]) -> Caller {
        let scopes = Scopes::parse(scopes.iter().map(|scope| (*scope).to_owned()).collect()).unwrap();
        Caller { principal: Some(Principal::with(scopes)), ..nobody() }
    }

    #[test]
    fn tokens_are_shown_to_whoever_may_call_the_whole_library() {
        for caller in [nobody(), caller(&["read", "call:sqlite"]), caller(&["read", "call:*"])] {
            assert_eq!(listed("sqlite", &caller)["handle"], "sqlite.g1.1.k2JxQ9");
        }
    }

    #[test]
    fn everybody_else_sees_what_is_open_without_its_token() {
        for scopes in [&["read"][..], &["read", "manage", "call:other"], &["read", "call:sqlite.sqlite3_open"]] {
            let shown = listed("sqlite", &caller(scopes));
            assert!(!shown.to_string().contains("k2JxQ9"), "{shown}");
            let wanted = serde_json::json!({"library": "sqlite", "handle": null, "kind": "sqlite3",
                "origin": "sqlite3_open", "freed_by": "sqlite3_close", "age_s": 12});
            assert_eq!(shown, wanted);
        }
    }
}
