//! `/v1/libraries/{library}/interface`: what the headers declare, how it was bound, and what was assumed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bridge32_interface::{Assumption, Diagnostic};
use bridge32_protocol::interface::{Convention, Enumeration, Function};
use bridge32_protocol::wire::{Binding, Loaded};
use serde::Serialize;

use super::Path;
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::libraries::LibraryState;

#[derive(Serialize)]
struct Interface<'a> {
    library: &'a str,
    headers: Vec<String>,
    functions: Vec<Declared<'a>>,
    enumerations: &'a std::collections::BTreeMap<String, Enumeration>,
    constants: &'a std::collections::BTreeMap<String, i64>,
    assumptions: &'a [Assumption],
    diagnostics: &'a [Diagnostic],
}

/// A function with how it was found in the library.
#[derive(Serialize)]
struct Declared<'a> {
    #[serde(flatten)]
    function: &'a Function,
    /// `null` until the library is loaded.
    callable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bound_convention: Option<Convention>,
}

/// The interface of one library.
///
/// # Errors
/// There is no such library.
pub async fn show(State(bridge): State<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    let state = bridge.state(library);
    let loaded = match &state {
        LibraryState::Ready(link) => link.libraries.get(&library.name).and_then(|outcome| outcome.as_ref().ok()),
        _ => None,
    };
    let header = &library.header;
    let functions = header.interface.functions.iter().enumerate();
    let interface = Interface {
        library: &library.name,
        headers: library.config.headers.iter().map(|path| path.display().to_string()).collect(),
        functions: functions.map(|(number, function)| declared(number, function, loaded)).collect(),
        enumerations: &header.interface.enumerations,
        constants: &header.interface.constants,
        assumptions: &header.assumptions,
        diagnostics: &header.diagnostics,
    };
    Ok(Json(interface).into_response())
}

fn declared<'a>(number: usize, function: &'a Function, loaded: Option<&'a Loaded>) -> Declared<'a> {
    let mut declared = Declared { function, callable: None, reason: None, export: None, bound_convention: None };
    if let Some(why) = &function.unsupported {
        declared.callable = Some(false);
        declared.reason = Some(why);
        return declared;
    }
    match loaded.and_then(|loaded| loaded.bindings.get(number)) {
        None => {}
        Some(Binding::Bound { export, convention }) => {
            declared.callable = Some(true);
            declared.export = Some(export);
            declared.bound_convention = Some(*convention);
        }
        Some(Binding::Missing(fault)) => {
            declared.callable = Some(false);
            declared.reason = Some(&fault.detail);
        }
    }
    declared
}
