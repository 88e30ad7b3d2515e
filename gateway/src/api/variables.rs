//! `/v1/libraries/{library}/variables`: the data that a library exports.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bridge32_protocol::interface::{Type, Variable};
use bridge32_protocol::wire::Callee;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::prefer::Preferences;
use super::session_header::addressed;
use super::{Path, expect_json, read_json, reply};
use crate::agents::Bound;
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::config::nearest;
use crate::dispatch::{Arguments, Order};
use crate::error::{Code, Problem};
use crate::interfaces;
use crate::libraries::Library;

#[derive(Serialize)]
struct List<'a> {
    variables: Vec<Declared<'a>>,
}

/// A variable with whether it was found in the library.
#[derive(Serialize)]
pub(super) struct Declared<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    ty: &'a Type,
    constant: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sensitive: bool,
    declaration: &'a str,
    file: &'a str,
    line: u32,
    description: &'a str,
    /// `null` until the library is loaded.
    callable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// A value that is to be written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Written<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
}

/// Every variable of the interface.
///
/// # Errors
/// There is no such library.
pub async fn list(State(bridge): State<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    let interface = library.declared();
    let bound = library.bound(&interface);
    Ok(Json(List { variables: declared(&interface, bound.as_deref()) }).into_response())
}

/// The value of one.
///
/// # Errors
/// There is none of that name, or everything that keeps a call from returning.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Path((library, name)): Path<(String, String)>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (library, sender) = addressed(&bridge, &caller, &headers, &library)?;
    let preferences = Preferences::of_waiting(&headers)?;
    let declared = library.declared();
    let (number, _) = declared.variable(&name).ok_or_else(|| unknown(&library, &declared, &name))?;
    let mut order = library.undeclared_order(Callee::ReadVariable(number), Arguments::empty());
    preferences.apply(&mut order, library.config.running.max_deadline)?;
    let (id, result) = library.call(Order { declared: Some(declared), ..order }, &sender).end().await;
    let answer = result.map_err(|failure| Problem::of_call(id, failure).without_pointer())?;
    Ok(preferences.noted(reply::value(id, &answer)))
}

/// Writes one.
///
/// # Errors
/// There is none of that name, it is `const`, or everything that keeps a call from returning.
pub async fn write(
    State(bridge): State<Arc<Bridge>>,
    Path((library, name)): Path<(String, String)>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (library, sender) = addressed(&bridge, &caller, &headers, &library)?;
    let preferences = Preferences::of_waiting(&headers)?;
    let mut order = assignment(&library, &name, &headers, &body)?;
    preferences.apply(&mut order, library.config.running.max_deadline)?;
    let (id, result) = library.call(order, &sender).end().await;
    result.map_err(|failure| Problem::of_call(id, failure))?;
    Ok(preferences.noted(StatusCode::NO_CONTENT.into_response()))
}

fn assignment(library: &Library, name: &str, headers: &HeaderMap, body: &Bytes) -> Result<Order, Problem> {
    let declared = library.declared();
    let (number, variable) = declared.variable(name).ok_or_else(|| unknown(library, &declared, name))?;
    if variable.constant {
        let detail = format!("`{}` is const: it can be read only ({}).", variable.name, variable.declaration);
        return Err(Problem::new(Code::UnsupportedDeclaration, detail));
    }
    expect_json(headers, body)?;
    let written: Written = read_json(body)?;
    let order = library.undeclared_order(Callee::WriteVariable(number), Arguments::of(&written));
    Ok(Order { declared: Some(declared), ..order })
}

/// The variables of a library, and whether they can be reached.
pub(super) fn declared<'a>(interface: &'a interfaces::Declared, bound: Option<&'a Bound>) -> Vec<Declared<'a>> {
    let describe = |(number, variable): (usize, &'a Variable)| {
        let missing = bound.and_then(|bound| bound.loaded.variables.get(number)).map(Option::as_ref);
        let (callable, reason) = match (&variable.unsupported, missing) {
            (Some(why), _) => (Some(false), Some(why.as_str())),
            (None, None) => (None, None),
            (None, Some(None)) => (Some(true), None),
            (None, Some(Some(fault))) => (Some(false), Some(fault.detail.as_str())),
        };
        let Variable { name, ty, constant, sensitive, description, declaration, file, line, .. } = variable;
        let (constant, sensitive) = (*constant, *sensitive);
        Declared { name, ty, constant, sensitive, declaration, file, line: *line, description, callable, reason }
    };
    interface.interface().variables.iter().enumerate().map(describe).collect()
}

fn unknown(library: &Library, declared: &interfaces::Declared, wrong: &str) -> Problem {
    let name = &library.name;
    let known = declared.interface().variables.iter().map(|variable| variable.name.as_str());
    let near = nearest(wrong, known).map_or(String::new(), |near| format!(" Did you mean `{near}`?"));
    let detail = format!(
        "The headers of `{name}` declare no variable `{wrong}`.{near} GET /v1/libraries/{name}/variables lists what is \
         declared (`extern int {wrong};`)."
    );
    Problem::new(Code::UnknownVariable, detail)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::CONTENT_TYPE;
    use bridge32_interface::Header;
    use bridge32_protocol::interface::{Integer, Scalar, Width};
    use bridge32_protocol::wire::{Fault, FaultCode, Loaded, LoadedFile};

    use super::*;
    use crate::interfaces::Origin;
    use crate::libraries::tests::library;

    fn calc() -> Library {
        let calc = library("");
        let int = Type::Scalar(Scalar::Integer(Integer { width: Width::W32, signed: true }));
        let variable = |name: &str, constant: bool, unsupported: Option<&str>| Variable {
            name: name.into(),
            ty: int.clone(),
            constant,
            sensitive: false,
            description: String::new(),
            unsupported: unsupported.map(str::to_owned),
            declaration: format!("extern int {name}"),
            file: "calc.h".into(),
            line: 1,
        };
        let variables = [("counter", false, None), ("version", true, None), ("odd", false, Some("a list of names"))];
        let mut header = Header::default();
        header.interface.variables =
            variables.map(|(name, constant, unsupported)| variable(name, constant, unsupported)).into();
        calc.interface.replace(Arc::new(interfaces::Declared::new(2, header, Vec::new(), Origin::Configured)));
        calc
    }

    fn assigned(name: &str, body: &'static str) -> Result<Order, Problem> {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect();
        assignment(&calc(), name, &headers, &Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn a_value_goes_to_the_agent_as_it_was_written() {
        let order = assigned("counter", r#"{"value": 1.50 }"#).unwrap();
        assert!(matches!(order.callee, Callee::WriteVariable(0)));
        assert_eq!(order.declared.map(|declared| declared.revision), Some(2));
        assert_eq!(order.args.as_bytes(), br#"{"value":1.50}"#);
        assert_eq!(assigned("counter", r#"{"value":null}"#).unwrap().args.as_bytes(), br#"{"value":null}"#);
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_the_agent_is_asked() {
        let refused = |name: &str, body: &'static str| {
            let problem = assigned(name, body).unwrap_err();
            (problem.code(), problem.detail().to_owned())
        };
        assert_eq!(refused("version", r#"{"value":1}"#).0, Code::UnsupportedDeclaration);
        assert_eq!(refused("counter", "{}").0, Code::MalformedRequest);
        assert_eq!(refused("counter", r#"{"value":1,"x":2}"#).0, Code::MalformedRequest);
        let (code, detail) = refused("conter", r#"{"value":1}"#);
        assert_eq!(code, Code::UnknownVariable);
        assert!(detail.contains("Did you mean `counter`?"), "{detail}");
    }

    #[test]
    fn a_list_says_of_each_variable_whether_it_can_be_reached() {
        let library = calc();
        let missing =
            Fault { code: FaultCode::UnknownFunction, detail: "not exported".into(), pointer: None, ran: false };
        let loaded =
            Loaded { bindings: Vec::new(), variables: vec![None, Some(missing), None], file: LoadedFile::default() };
        let interface = library.declared();
        let list = serde_json::to_value(declared(&interface, Some(&Bound { revision: 2, loaded }))).unwrap();
        let reached = |index: usize| (list[index]["callable"].as_bool(), list[index]["reason"].as_str());
        assert_eq!(reached(0), (Some(true), None));
        assert_eq!(reached(1), (Some(false), Some("not exported")));
        assert_eq!(reached(2), (Some(false), Some("a list of names")));
        assert_eq!((&list[1]["constant"], &list[0]["constant"]), (&true.into(), &false.into()));
        let unknown = serde_json::to_value(declared(&interface, None)).unwrap();
        assert_eq!(unknown[0]["callable"], serde_json::Value::Null);
    }
}
