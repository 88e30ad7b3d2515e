//! `/v1/libraries/{library}/interface`: what the headers declare, how it was bound, and what was assumed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bridge32_interface::{Diagnostic, Finding};
use bridge32_protocol::interface::{Convention, Enumeration, ExportName, Function, Structure};
use bridge32_protocol::wire::Binding;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Path, Query, accepts, media_type, variables, wrong_type};
use crate::agents::Bound;
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::libraries::Library;
use crate::libraries::coverage::{Undeclared, Unexported};

/// The media type of a C header.
const C_HEADER: &str = "text/x-c";

#[derive(Serialize)]
struct Interface<'a> {
    library: &'a str,
    /// Which interface it is, since the gateway started.
    revision: u32,
    /// Whether it came with the configuration or by a request.
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_at: Option<Timestamp>,
    headers: Vec<String>,
    functions: Vec<Declared<'a>>,
    variables: Vec<variables::Declared<'a>>,
    structures: &'a BTreeMap<String, Structure>,
    enumerations: &'a BTreeMap<String, Enumeration>,
    constants: &'a BTreeMap<String, i64>,
    assumptions: &'a [Finding],
    statements: &'a [Finding],
    diagnostics: &'a [Diagnostic],
    /// What the file exports and no header declares; `null` while nobody can read the file.
    undeclared_exports: Option<&'a [Undeclared]>,
    /// What the headers declare and the file does not export; `null` likewise.
    missing_exports: Option<&'a [Unexported]>,
}

/// How a header that is to replace the interface is judged.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// Go without what cannot be understood.
    accept_errors: Option<bool>,
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

/// The interface of one library: what was understood, or with `Accept: text/x-c` the header itself.
///
/// # Errors
/// There is no such library.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    if accepts(&headers, C_HEADER) {
        return Ok(([(CONTENT_TYPE, C_HEADER)], library.declared().text()).into_response());
    }
    Ok(described(&bridge, &library).await)
}

/// Replaces the interface of one library by what the header of the body declares.
///
/// # Errors
/// There is no such library, or the header is not good: nothing has changed.
pub async fn replace(
    State(bridge): State<Arc<Bridge>>,
    Path(name): Path<String>,
    Query(judgement): Query<Judgement>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    if !media_type(&headers).is_some_and(|given| given.eq_ignore_ascii_case(C_HEADER)) {
        return Err(wrong_type("a C header", C_HEADER, media_type(&headers)));
    }
    let accept_errors = judgement.accept_errors.unwrap_or(false);
    let replacing = Arc::clone(&bridge);
    // What has begun is done whole, also if the client goes away.
    let replaced = tokio::spawn(async move {
        let library = replacing.replace_interface(&library, body, accept_errors).await?;
        Ok::<_, Problem>(described(&replacing, &library).await)
    });
    replaced.await.map_err(Problem::internal)?
}

/// Puts the header files of the configuration in force again.
///
/// # Errors
/// There is no such library, or what is kept cannot be removed: nothing has changed.
pub async fn restore(State(bridge): State<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    let restoring = Arc::clone(&bridge);
    let restored = tokio::spawn(async move {
        let library = restoring.restore_interface(&library).await?;
        Ok::<_, Problem>(described(&restoring, &library).await)
    });
    restored.await.map_err(Problem::internal)?
}

async fn described(bridge: &Bridge, library: &Library) -> Response {
    let declared = library.declared();
    // Why a file cannot be read is told where its exports are asked for.
    let coverage = bridge.exports(library).await.ok().map(|exports| exports.coverage(&declared));
    let bound = library.bound(&declared);
    let (header, interface) = (&declared.header, declared.interface());
    let functions = interface.functions.iter().enumerate();
    Json(Interface {
        library: &library.name,
        revision: declared.revision,
        origin: declared.origin.name(),
        replaced_at: declared.origin.replaced_at(),
        headers: declared.names(&library.config),
        functions: functions.map(|(number, function)| function_of(number, function, bound.as_deref())).collect(),
        variables: variables::declared(&declared, bound.as_deref()),
        structures: &interface.structures,
        enumerations: &interface.enumerations,
        constants: &interface.constants,
        assumptions: &header.assumptions,
        statements: &header.statements,
        diagnostics: &header.diagnostics,
        undeclared_exports: coverage.as_ref().map(|coverage| &coverage.undeclared[..]),
        missing_exports: coverage.as_ref().map(|coverage| &coverage.unexported[..]),
    })
    .into_response()
}

fn function_of<'a>(number: usize, function: &'a Function, bound: Option<&'a Bound>) -> Declared<'a> {
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
    match bound.and_then(|bound| bound.loaded.bindings.get(number)) {
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
    use bridge32_protocol::wire::{Loaded, LoadedFile};

    use super::*;
    use crate::libraries::tests::library;

    #[test]
    fn the_export_that_was_found_and_the_one_that_was_declared_are_told_apart() {
        let mut function = library("int f(void);").declared().interface().functions[0].clone();
        function.export = Some(ExportName::Ordinal(5));
        let binding = Binding::Bound { export: "#5".into(), convention: Convention::Cdecl };
        let loaded = Loaded { bindings: vec![binding], variables: Vec::new(), file: LoadedFile::default() };
        let text = serde_json::to_string(&function_of(0, &function, Some(&Bound { revision: 1, loaded }))).unwrap();
        assert_eq!(text.matches("\"export\"").count(), 1, "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&read["export"], &read["declared_export"]["ordinal"]), (&"#5".into(), &5.into()));
    }
}
