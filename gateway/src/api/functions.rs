//! `/v1/libraries/{library}/functions/{function}`: calls of declared functions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::perform::{Target, Task, Work, perform};
use super::session_header::addressed;
use super::{Path, buffers};
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::config::nearest;
use crate::dispatch::Order;
use crate::error::{CallProblem, Code, Problem};
use crate::interfaces::Declared;
use crate::libraries::Library;

/// Calls a function with the arguments of the body.
///
/// # Errors
/// Everything that keeps the call from returning.
pub async fn call(
    State(bridge): State<Arc<Bridge>>,
    Path((library, function)): Path<(String, String)>,
    caller: Caller,
    headers: HeaderMap,
    body: buffers::Body,
) -> Result<Response, CallProblem> {
    answer(&bridge, &caller, &headers, (&library, &function), body).await
}

/// The same for a request that comes without the routes.
///
/// # Errors
/// Everything that keeps the call from returning.
pub(crate) async fn answer(
    bridge: &Arc<Bridge>,
    caller: &Caller,
    headers: &HeaderMap,
    (library, function): (&str, &str),
    body: buffers::Body,
) -> Result<Response, CallProblem> {
    let (library, sender) = addressed(bridge, caller, headers, library)?;
    let declared = library.declared();
    let order = library.order(&declared, function).ok_or_else(|| unknown(&library, &declared, function))?;
    let (_, declaration) = declared.function(function).ok_or_else(|| unknown(&library, &declared, function))?;
    let buffers::Call { args, wanted, body } = buffers::read(bridge, declaration, headers, body).await?;
    let task = Task {
        library,
        sender,
        target: Target::Function(function.to_owned()),
        body,
        wanted,
        work: Work::Call(Box::new(Order { args, ..order })),
    };
    Ok(perform(bridge, caller, headers, task).await)
}

/// The problem of a name that no header declares.
pub(crate) fn unknown(library: &Library, declared: &Declared, function: &str) -> Problem {
    let name = &library.name;
    let header = &declared.header;
    let detail = if declared.texts.is_empty() {
        format!(
            "The library `{name}` has no header, so no function is declared. Add `header` to its table, send one with \
             PUT /v1/libraries/{name}/interface, or give a prototype with the call: POST /v1/libraries/{name}/calls."
        )
    } else {
        let near = nearest(function, header.interface.functions.iter().map(|declared| declared.name.as_str()));
        let near = near.map_or(String::new(), |near| format!(" Did you mean `{near}`?"));
        let unread = match header.diagnostics.len() {
            0 => String::new(),
            count => format!(" {count} places of the header were not understood: GET /v1/libraries/{name} has them."),
        };
        format!(
            "The header of `{name}` declares no function `{function}`.{near}{unread} GET /v1/libraries/{name}/interface \
             lists what is declared; an export that is not declared can be called with a prototype: POST \
             /v1/libraries/{name}/calls."
        )
    };
    Problem::new(Code::UnknownFunction, detail)
}
