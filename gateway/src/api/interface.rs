//! `/v1/libraries/{library}/interface`: what the headers declare, how it was bound, and what was assumed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bridge32_interface::{Diagnostic, Finding};
use bridge32_protocol::interface::{Convention, Enumeration, ExportName, Function, Structure};
use bridge32_protocol::wire::{Binding, Loaded};
use serde::Serialize;

use super::{Path, variables};
use crate::bridge::Bridge;
use crate::error::Problem;

#[derive(Serialize)]
struct Interface<'a> {
    library: &'a str,
    headers: Vec<String>,
    functions: Vec<Declared<'a>>,
    variables: Vec<variables::Declared<'a>>,
    structures: &'a BTreeMap<String, Structure>,
    enumerations: &'a BTreeMap<String, Enumeration>,
    constants: &'a BTreeMap<String, i64>,
    assumptions: &'a [Finding],
    statements: &'a [Finding],
    diagnostics: &'a [Diagnostic],
}

/// A function with how it was found in the library.
#[derive(Serialize)]
struct Declared<'a> {
    #[serde(flatten)]
    function: Cow<'a, Function>,
    /// What the header says of the export's name.
    #[serde(rename = "declared_export", skip_serializing_if = "Option::is_none")]
    stated: Option<&'a ExportName>,
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
    let loaded = variables::loaded(library, &state);
    let header = &library.header;
    let functions = header.interface.functions.iter().enumerate();
    let interface = Interface {
        library: &library.name,
        headers: library.config.headers.iter().map(|path| path.display().to_string()).collect(),
        functions: functions.map(|(number, function)| declared(number, function, loaded)).collect(),
        variables: variables::declared(library, loaded),
        structures: &header.interface.structures,
        enumerations: &header.interface.enumerations,
        constants: &header.interface.constants,
        assumptions: &header.assumptions,
        statements: &header.statements,
        diagnostics: &header.diagnostics,
    };
    Ok(Json(interface).into_response())
}

fn declared<'a>(number: usize, function: &'a Function, loaded: Option<&'a Loaded>) -> Declared<'a> {
    let stated = function.export.as_ref();
    // Under the name `export` stands what was found.
    let plain = match stated {
        None => Cow::Borrowed(function),
        Some(_) => Cow::Owned(Function { export: None, ..function.clone() }),
    };
    let mut declared =
        Declared { function: plain, stated, callable: None, reason: None, export: None, bound_convention: None };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libraries::tests::library;

    #[test]
    fn the_export_that_was_found_and_the_one_that_was_declared_are_told_apart() {
        let mut function = library("int f(void);").header.interface.functions.remove(0);
        function.export = Some(ExportName::Ordinal(5));
        let binding = Binding::Bound { export: "#5".into(), convention: Convention::Cdecl };
        let loaded = Loaded { bindings: vec![binding], variables: Vec::new() };
        let text = serde_json::to_string(&declared(0, &function, Some(&loaded))).unwrap();
        assert_eq!(text.matches("\"export\"").count(), 1, "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&read["export"], &read["declared_export"]["ordinal"]), (&"#5".into(), &5.into()));
    }
}
