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
    #[serde(flatten)]
    found: Found<'a>,
}

/// How a function was found in the library.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Found<'a> {
    /// `null` until the library is loaded.
    pub(crate) callable: Option<bool>,
    /// Why it cannot be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    /// The export that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) export: Option<&'a str>,
    /// The convention by which it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bound_convention: Option<Convention>,
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
    let library = replaced(&bridge, library, body, judgement.accept_errors.unwrap_or(false)).await?;
    Ok(described(&bridge, &library).await)
}

/// Gives a library another header. What has begun is done whole, also if the client goes away.
///
/// # Errors
/// The header is not good: nothing has changed.
pub(crate) async fn replaced(
    bridge: &Arc<Bridge>,
    library: Arc<Library>,
    header: Bytes,
    accept_errors: bool,
) -> Result<Arc<Library>, Problem> {
    let bridge = Arc::clone(bridge);
    let replacing = async move { bridge.replace_interface(&library, header, accept_errors).await };
    tokio::spawn(replacing).await.map_err(Problem::internal)?
}

/// Puts the header files of the configuration in force again.
///
/// # Errors
/// There is no such library, or what is kept cannot be removed: nothing has changed.
pub async fn restore(State(bridge): State<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    let library = restored(&bridge, library).await?;
    Ok(described(&bridge, &library).await)
}

/// Gives a library its header files again, likewise.
///
/// # Errors
/// What is kept cannot be removed: nothing has changed.
pub(crate) async fn restored(bridge: &Arc<Bridge>, library: Arc<Library>) -> Result<Arc<Library>, Problem> {
    let bridge = Arc::clone(bridge);
    let restoring = async move { bridge.restore_interface(&library).await };
    tokio::spawn(restoring).await.map_err(Problem::internal)?
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
    Declared { function: plain, stated, found: Found::of(number, function, bound) }
}

impl<'a> Found<'a> {
    /// How the function of that number was found in a library.
    pub(crate) fn of(number: usize, function: &'a Function, bound: Option<&'a Bound>) -> Self {
        if let Some(why) = &function.unsupported {
            return Self { callable: Some(false), reason: Some(why), ..Self::default() };
        }
        match bound.and_then(|bound| bound.loaded.bindings.get(number)) {
            None => Self::default(),
            Some(Binding::Bound { export, convention }) => {
                Self { callable: Some(true), reason: None, export: Some(export), bound_convention: Some(*convention) }
            }
            Some(Binding::Missing(fault)) => {
                Self { callable: Some(false), reason: Some(&fault.detail), ..Self::default() }
            }
        }
    }
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
