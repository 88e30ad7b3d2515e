//! `/v1/libraries/{library}/batches`: calls that belong together, run as one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bridge32_protocol::wire::Batch;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::calls::ad_hoc;
use super::perform::{Target, Task, Work, perform};
use super::session_header::addressed;
use super::{Path, expect_json, functions, read_json};
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::dispatch::{Arguments, MAX_BATCH, Order, Part, Prototype};
use crate::error::{CallProblem, Code, Problem};
use crate::interfaces::Declared;
use crate::libraries::Library;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Request<'a> {
    /// Read one by one, so that a problem says which of them it is about.
    #[serde(borrow)]
    calls: Vec<&'a RawValue>,
    #[serde(default = "yes")]
    stop_on_error: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Item<'a> {
    function: Option<String>,
    prototype: Option<String>,
    export: Option<String>,
    ordinal: Option<u32>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

/// Runs the calls of the body in their order, with nothing between them.
///
/// # Errors
/// The batch cannot be read, or something in it is not declared or not allowed: nothing of it was run.
pub async fn create(
    State(bridge): State<Arc<Bridge>>,
    Path(library): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, CallProblem> {
    let (library, sender) = addressed(&bridge, &caller, &headers, &library)?;
    expect_json(&headers, &body)?;
    let (orders, batch) = read(&library, &body, |need, function| caller.may(need, &library.name, function)).await?;
    let task = Task { library, sender, target: Target::Batch, body, wanted: None, work: Work::Batch(orders, batch) };
    Ok(perform(&bridge, &caller, &headers, task).await)
}

/// Takes a batch apart, all of it before anything runs. Whether each call is allowed is asked first, so that whoever may
/// not call a function does not learn here whether it exists.
async fn read(
    library: &Library,
    body: &[u8],
    may: impl Fn(Need, &str) -> Result<(), Problem>,
) -> Result<(Vec<Order>, Batch), Problem> {
    let Request { calls, stop_on_error } = read_json(body)?;
    let malformed = |detail: String| Err(Problem::new(Code::MalformedRequest, detail).at("/calls"));
    match calls.len() {
        0 => return malformed("The batch is empty: give at least one call.".to_owned()),
        1..=MAX_BATCH => {}
        count => return malformed(format!("The batch has {count} calls; more than {MAX_BATCH} is not possible.")),
    }
    let (count, room) = (calls.len(), library.config.running.queue);
    if count > room {
        return malformed(format!(
            "The batch has {count} calls, and no more than {room} wait for this library (`queue` in its table): send fewer at a time."
        ));
    }
    let mut items = Vec::with_capacity(calls.len());
    for (index, raw) in calls.into_iter().enumerate() {
        let place = format!("/calls/{index}");
        let item: Item = read_json(raw.get().as_bytes()).map_err(|problem| problem.at(place.clone()))?;
        let (need, function) = match &item.function {
            Some(function) => (Need::Call, function.as_str()),
            None => (Need::AdHoc, ""),
        };
        may(need, function).map_err(|problem| problem.at(place.clone()))?;
        items.push((place, item));
    }
    // One interface for all of them.
    let declared = library.declared();
    let (batch, mut orders) = (Uuid::now_v7(), Vec::with_capacity(items.len()));
    for ((place, item), index) in items.into_iter().zip(0..) {
        let order = order(library, &declared, item).await.map_err(|problem| problem.within(&place))?;
        orders.push(Order { part: Some(Part { batch, index }), ..order });
    }
    Ok((orders, Batch { stop_on_error }))
}

async fn order(library: &Library, declared: &Arc<Declared>, item: Item<'_>) -> Result<Order, Problem> {
    let args = match item.args {
        None => Arguments::empty(),
        Some(raw) => Arguments::from_raw(raw).map_err(|error| Problem::from(error).at("/args"))?,
    };
    match item {
        Item { function: Some(name), prototype: None, export: None, ordinal: None, .. } => {
            let order = library.order(declared, &name);
            let order = order.ok_or_else(|| functions::unknown(library, declared, &name).at("/function"))?;
            Ok(Order { args, ..order })
        }
        Item { function: None, prototype: Some(prototype), export, ordinal, .. } => {
            let pointed =
                |problem: Problem| if problem.pointer().is_some() { problem } else { problem.at("/prototype") };
            ad_hoc(library, Prototype { text: prototype, export, ordinal }, args).await.map_err(pointed)
        }
        _ => {
            let detail = "A call of a batch has either `function`, or `prototype` (and perhaps `export` or `ordinal`).";
            Err(Problem::new(Code::MalformedRequest, detail).at(""))
        }
    }
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::interface::ExportName;
    use bridge32_protocol::wire::Callee;

    use super::*;
    use crate::libraries::tests::library;

    fn calc() -> Library {
        library("int Add(int a, int b); /** @deadline 2s */ int Slow(void);")
    }

    fn wait_for<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    fn allowed(body: &str) -> Result<(Vec<Order>, Batch), Problem> {
        wait_for(read(&calc(), body.as_bytes(), |_, _| Ok(())))
    }

    fn refused(body: &str) -> (Code, String, String) {
        let problem = allowed(body).unwrap_err();
        (problem.code(), problem.pointer().unwrap_or("none").to_owned(), problem.detail().to_owned())
    }

    #[test]
    fn calls_keep_their_order_their_arguments_and_their_deadlines() {
        let (orders, batch) = allowed(
            r#"{"calls":[{"function":"Slow"},{"function":"Add","args":{"a":{"$ref":"0.result"},"b":1.0e0}},
                {"prototype":"int Sub(int a)","ordinal":5,"args":{"a":1}}]}"#,
        )
        .unwrap();
        assert!(batch.stop_on_error);
        assert_eq!(orders[0].deadline.as_secs(), 2);
        assert_eq!(orders[0].args.as_bytes(), b"{}");
        assert_eq!(orders[1].args.as_bytes(), br#"{"a":{"$ref":"0.result"},"b":1.0e0}"#);
        let Callee::Prototype(interface) = &orders[2].callee else { panic!("{:?}", orders[2]) };
        assert_eq!(interface.functions[0].export, Some(ExportName::Ordinal(5)));
        assert!(!allowed(r#"{"calls":[{"function":"Add"}],"stop_on_error":false}"#).unwrap().1.stop_on_error);
    }

    #[test]
    fn what_is_wrong_is_pointed_at_and_refuses_the_whole_batch() {
        let good = r#"{"function":"Add","args":{}}"#;
        for (call, code, pointer) in [
            (r#"{"function":"Addd"}"#, Code::UnknownFunction, "/calls/1/function"),
            (r#"{"function":"Add","args":[1]}"#, Code::MalformedRequest, "/calls/1/args"),
            (r#"{"function":"Add","argz":{}}"#, Code::MalformedRequest, "/calls/1"),
            (r#"{"args":{}}"#, Code::MalformedRequest, "/calls/1"),
            (r#"{"function":"Add","prototype":"int f(void)"}"#, Code::MalformedRequest, "/calls/1"),
            (r#"{"function":"Add","ordinal":1}"#, Code::MalformedRequest, "/calls/1"),
            (r#"{"prototype":"int f("}"#, Code::InvalidPrototype, "/calls/1/prototype"),
            (r#"{"prototype":"int f(void)","export":"f","ordinal":1}"#, Code::MalformedRequest, "/calls/1/ordinal"),
            (r#"{"prototype":"int f(void)","export":""}"#, Code::MalformedRequest, "/calls/1/export"),
            ("7", Code::MalformedRequest, "/calls/1"),
        ] {
            let (found, place, detail) = refused(&format!(r#"{{"calls":[{good},{call}]}}"#));
            assert_eq!((found, place.as_str()), (code, pointer), "{call}: {detail}");
        }
    }

    #[test]
    fn an_empty_batch_and_one_that_is_too_long_are_refused() {
        assert_eq!(refused(r#"{"calls":[]}"#).1, "/calls");
        let long = |count| format!(r#"{{"calls":[{}]}}"#, vec![r#"{"function":"Add"}"#; count].join(","));
        let (code, pointer, detail) = refused(&long(MAX_BATCH + 1));
        assert_eq!((code, pointer.as_str()), (Code::MalformedRequest, "/calls"));
        assert!(detail.contains("257"), "{detail}");
        assert_eq!(allowed(&long(MAX_BATCH)).unwrap().0.len(), MAX_BATCH);
        for body in ["", "[]", "{}", r#"{"calls":{}}"#, r#"{"calls":[],"stop":1}"#, "{\"calls\":["] {
            assert_eq!(refused(body).0, Code::MalformedRequest, "{body}");
        }
    }

    #[test]
    fn the_first_call_that_is_not_allowed_is_named_before_anything_else_is_looked_at() {
        let may = |need, function: &str| match (need, function) {
            (Need::Call, "Add") => Ok(()),
            _ => Err(Problem::new(Code::Forbidden, format!("{need:?} {function}"))),
        };
        let forbidden = |calls: &str| {
            let body = format!(r#"{{"calls":[{calls}]}}"#);
            let problem = wait_for(read(&calc(), body.as_bytes(), may)).unwrap_err();
            (problem.code(), problem.pointer().map(str::to_owned), problem.detail().to_owned())
        };
        let unknown = r#"{"function":"Nope"},{"function":"Slow"}"#;
        assert_eq!(forbidden(unknown), (Code::Forbidden, Some("/calls/0".into()), "Call Nope".into()));
        let adhoc = r#"{"function":"Add"},{"prototype":"int f("}"#;
        assert_eq!(forbidden(adhoc), (Code::Forbidden, Some("/calls/1".into()), "AdHoc ".into()));
    }
}
