//! `/v1/libraries/{library}/calls`: ad hoc calls, with a prototype instead of a declared function.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bridge32_protocol::interface::{ExportName, Interface};
use bridge32_protocol::wire::Callee;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::perform::{Target, Task, Work, perform};
use super::session_header::addressed;
use super::{Path, expect_json, read_json};
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::dispatch::{Arguments, Order, Prototype};
use crate::error::{CallProblem, Code, Problem};
use crate::libraries::Library;

/// The longest prototype, in bytes, with the types that it needs.
const MAX_PROTOTYPE: usize = 16 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Request<'a> {
    prototype: String,
    export: Option<String>,
    ordinal: Option<u32>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

/// A call of what a prototype declares, with these arguments.
///
/// # Errors
/// The prototype cannot be read, or the export is said twice.
pub(super) async fn ad_hoc(library: &Library, prototype: Prototype, args: Arguments) -> Result<Order, Problem> {
    let export = match (&prototype.export, prototype.ordinal) {
        (Some(_), Some(_)) => {
            let detail = "`export` and `ordinal` both say which export is meant: give one of them.";
            return Err(Problem::new(Code::MalformedRequest, detail).at("/ordinal"));
        }
        (Some(name), None) if name.is_empty() => {
            let detail = "`export` is empty: an export has a name, or give its `ordinal`.";
            return Err(Problem::new(Code::MalformedRequest, detail).at("/export"));
        }
        (Some(name), None) => Some(ExportName::Name(name.clone())),
        (None, Some(ordinal)) => Some(ExportName::Ordinal(ordinal)),
        (None, None) => None,
    };
    let mut interface = read_prototype(library, &prototype.text, &args).await?;
    if let (Some(export), Some(function)) = (export, interface.functions.first_mut()) {
        function.export = Some(export);
    }
    let order = library.undeclared_order(Callee::Prototype(Box::new(interface)), args);
    Ok(Order { prototype: Some(Arc::new(prototype)), ..order })
}

/// Calls an export with the prototype of the body.
///
/// # Errors
/// Everything that keeps the call from returning.
pub async fn create(
    State(bridge): State<Arc<Bridge>>,
    Path(library): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, CallProblem> {
    let (library, sender) = addressed(&bridge, &caller, &headers, &library)?;
    expect_json(&headers, &body)?;
    let Request { prototype, export, ordinal, args } = read_json(&body)?;
    let args = args.map_or_else(|| Arguments::parse(&Bytes::new()), Arguments::from_raw)?;
    let order = ad_hoc(&library, Prototype { text: prototype, export, ordinal }, args).await?;
    let function = match &order.callee {
        Callee::Prototype(interface) => interface.functions.first().map(|function| function.name.clone()),
        _ => None,
    };
    let (target, work) = (Target::Export(function), Work::Call(Box::new(order)));
    let task = Task { library, sender, target, body, wanted: None, work };
    Ok(perform(&bridge, &caller, &headers, task).await)
}

/// What a prototype declares.
///
/// # Errors
/// It cannot be read.
pub(crate) async fn read_prototype(library: &Library, text: &str, args: &Arguments) -> Result<Interface, Problem> {
    if text.len() > MAX_PROTOTYPE {
        let detail =
            format!("It has {} bytes; more than {MAX_PROTOTYPE} is a header: put it into `header`.", text.len());
        return Err(Problem::new(Code::InvalidPrototype, detail));
    }
    library.prototype(text, args).await.map_err(|diagnostics| {
        let list: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        let detail = if list.is_empty() {
            "It must declare exactly one function, such as `int __stdcall f(int a)`.".to_owned()
        } else {
            list.join("\n")
        };
        Problem::new(Code::InvalidPrototype, detail).with_diagnostics(diagnostics.to_vec())
    })
}
