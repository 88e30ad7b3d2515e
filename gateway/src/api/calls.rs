//! `/v1/libraries/{library}/calls`: ad hoc calls, with a prototype instead of a declared function.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bridge32_protocol::interface::Interface;
use bridge32_protocol::wire::{Callee, Fault};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Path, expect_json, reply};
use crate::bridge::Bridge;
use crate::dispatch::{Arguments, Failure};
use crate::error::{Code, Problem};
use crate::libraries::Library;

/// The longest prototype, in bytes, with the types that it needs.
const MAX_PROTOTYPE: usize = 16 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    prototype: String,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

/// Calls an export with the prototype of the body.
///
/// # Errors
/// Everything that keeps the call from returning.
pub async fn create(
    State(bridge): State<Arc<Bridge>>,
    Path(library): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let library = bridge.library(&library)?;
    expect_json(&headers, &body)?;
    let request: Request = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::MalformedRequest, format!("The body cannot be read: {error}")))?;
    let args = request.args.map_or_else(|| Arguments::parse(&Bytes::new()), Arguments::from_raw)?;
    let interface = read_prototype(library, &request.prototype)?;
    let callee = Callee::Prototype(Box::new(interface));
    let (id, result) = bridge.call(library, callee, args, library.config.deadline).await;
    reply::outcome(id, result.map_err(pointing_into_body))
}

/// The agent sees the arguments alone; here they are a member of the body.
fn pointing_into_body(failure: Failure) -> Failure {
    match failure {
        Failure::Fault(fault) => {
            let pointer = fault.pointer.map(|pointer| format!("/args{pointer}"));
            Failure::Fault(Fault { pointer, ..fault })
        }
        other => other,
    }
}

fn read_prototype(library: &Library, text: &str) -> Result<Interface, Problem> {
    if text.len() > MAX_PROTOTYPE {
        let detail =
            format!("It has {} bytes; more than {MAX_PROTOTYPE} is a header: put it into `header`.", text.len());
        return Err(Problem::new(Code::InvalidPrototype, detail));
    }
    bridge32_interface::prototype(text, &library.options()).map_err(|diagnostics| {
        let list: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        let detail = if list.is_empty() {
            "It must declare exactly one function, such as `int __stdcall f(int a)`.".to_owned()
        } else {
            list.join("\n")
        };
        Problem::new(Code::InvalidPrototype, detail)
    })
}
