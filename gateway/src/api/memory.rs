//! `/v1/libraries/{library}/memory`: blocks of memory in the library's process that outlive a call.
//!
//! They wait in the library's queue as calls do, because its functions read and write them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::json::complaint;
use bridge32_protocol::wire::Callee;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::prefer::Preferences;
use super::session_header::{Addressee, addressed};
use super::{Path, Query, accepts, expect_json, idempotency, media_type, read_json, reply};
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::dispatch::{Answer, Arguments};
use crate::error::{Code, Problem};

const BINARY: &str = "application/octet-stream";

/// A block that is wanted. The agent checks the values; what is not there is not sent.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Wanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Made {
    handle: String,
    size: u64,
}

/// Which part of a block is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    offset: Option<u64>,
    length: Option<u64>,
}

/// What an agent needs to know to find a block, or a part of it.
#[derive(Debug, Serialize)]
struct Place<'a> {
    handle: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Written {
    data: String,
    offset: Option<u64>,
}

/// Makes a block.
///
/// # Errors
/// The body is not good, or everything that keeps a call from returning.
pub async fn create(
    State(bridge): State<Arc<Bridge>>,
    Path(library): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let addressee = addressed(&bridge, &caller, &headers, &library)?;
    idempotency::expect_none(&headers)?;
    let preferences = Preferences::of_waiting(&headers)?;
    expect_json(&headers, &body)?;
    let args = Arguments::of(&wanted(&body)?);
    let (id, answer) = ask(&addressee, &preferences, Callee::Allocate, args).await?;
    let made: Made = serde_json::from_slice(&answer.result)
        .map_err(|error| Problem::internal(format!("call {id}: the agent's new block: {}", complaint(&error))))?;
    let location = HeaderValue::from_str(&format!("/v1/libraries/{library}/memory/{}", made.handle));
    let mut response = (StatusCode::CREATED, axum::Json(made)).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(preferences.noted(response))
}

/// Gives what is in a block, as base64 or as it is.
///
/// # Errors
/// There is no such block, or everything that keeps a call from returning.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Path((library, handle)): Path<(String, String)>,
    Query(part): Query<Part>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Part { offset, length } = part;
    let args = Arguments::of(&Place { handle: &handle, offset, length, data: None });
    let preferences = Preferences::of_waiting(&headers)?;
    let addressee = addressed(&bridge, &caller, &headers, &library)?;
    let answer = ask_for(&addressee, &preferences, Callee::ReadBlock, args).await;
    let (id, answer) = answer.map_err(Problem::without_pointer)?;
    if !accepts(&headers, BINARY) {
        return Ok(preferences.noted(reply::json(answer.result.clone())));
    }
    let bytes = decode(&answer.result);
    let bytes = bytes.ok_or_else(|| Problem::internal(format!("call {id}: the agent's block has no base64 data")))?;
    Ok(preferences.noted(([(CONTENT_TYPE, HeaderValue::from_static(BINARY))], bytes).into_response()))
}

/// Writes into a block.
///
/// # Errors
/// There is no such block, the data does not fit, or everything that keeps a call from returning.
pub async fn write(
    State(bridge): State<Arc<Bridge>>,
    Path((library, handle)): Path<(String, String)>,
    Query(part): Query<Part>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let binary = media_type(&headers).is_some_and(|given| given.eq_ignore_ascii_case(BINARY));
    let Written { data, offset } = written(binary, &part, &headers, &body)?;
    let args = Arguments::of(&Place { handle: &handle, offset, length: None, data: Some(data) });
    let preferences = Preferences::of_waiting(&headers)?;
    let addressee = addressed(&bridge, &caller, &headers, &library)?;
    let answer = ask_for(&addressee, &preferences, Callee::WriteBlock, args).await;
    answer.map_err(|problem| if binary { problem.without_pointer() } else { problem })?;
    Ok(preferences.noted(StatusCode::NO_CONTENT.into_response()))
}

/// Frees a block.
///
/// # Errors
/// There is no such block, or everything that keeps a call from returning.
pub async fn free(
    State(bridge): State<Arc<Bridge>>,
    Path((library, handle)): Path<(String, String)>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let args = Arguments::of(&Place { handle: &handle, offset: None, length: None, data: None });
    let preferences = Preferences::of_waiting(&headers)?;
    let addressee = addressed(&bridge, &caller, &headers, &library)?;
    let answer = ask_for(&addressee, &preferences, Callee::FreeBlock, args).await;
    answer.map_err(Problem::without_pointer)?;
    Ok(preferences.noted(StatusCode::NO_CONTENT.into_response()))
}

/// The block that a body asks for: it is as large as its data unless it says more.
fn wanted(body: &[u8]) -> Result<Wanted, Problem> {
    let mut wanted: Wanted = read_json(body)?;
    if wanted.size.is_none() {
        let Some(data) = &wanted.data else {
            let detail =
                "A block needs a `size` in bytes, or `data` (base64) that it begins with, such as {\"size\": 64}.";
            return Err(Problem::new(Code::MalformedRequest, detail));
        };
        // What it says of a wrong character is the character.
        let bytes = STANDARD.decode(data).map_err(|_| {
            let detail = "`data` is not base64 (RFC 4648 §4, with padding).";
            Problem::new(Code::ArgumentMismatch, detail).at("/data")
        })?;
        wanted.size = Some(to_raw_value(&bytes.len()).map_err(Problem::internal)?);
    }
    Ok(wanted)
}

/// The data of a request in base64, however it came, and where it goes.
fn written(binary: bool, part: &Part, headers: &HeaderMap, body: &Bytes) -> Result<Written, Problem> {
    if part.length.is_some() {
        let detail = "`length` is for reading; writing takes as much as there is data.";
        return Err(Problem::new(Code::MalformedRequest, detail));
    }
    if binary {
        return Ok(Written { data: STANDARD.encode(body), offset: part.offset });
    }
    expect_json(headers, body)?;
    let written: Written = read_json(body)?;
    match (written.offset, part.offset) {
        (Some(_), Some(_)) => {
            let detail = "`offset` is in the address and in the body: give it once.";
            Err(Problem::new(Code::MalformedRequest, detail).at("/offset"))
        }
        (body, address) => Ok(Written { offset: body.or(address), ..written }),
    }
}

/// The bytes of `{"data": base64}`.
fn decode(result: &[u8]) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Block {
        data: String,
    }
    let block: Block = serde_json::from_slice(result).ok()?;
    STANDARD.decode(block.data).ok()
}

async fn ask(
    addressee: &Addressee,
    preferences: &Preferences,
    callee: Callee,
    args: Arguments,
) -> Result<(Uuid, Arc<Answer>), Problem> {
    let (library, sender) = addressee;
    let mut order = library.undeclared_order(callee, args);
    preferences.apply(&mut order, library.config.running.max_deadline)?;
    let (id, result) = library.call(order, sender).end().await;
    Ok((id, result.map_err(|failure| Problem::of_call(id, failure))?))
}

/// [`ask`] about the block that the path names: one that the agent does not know is not there.
async fn ask_for(
    addressee: &Addressee,
    preferences: &Preferences,
    callee: Callee,
    args: Arguments,
) -> Result<(Uuid, Arc<Answer>), Problem> {
    ask(addressee, preferences, callee, args).await.map_err(not_there)
}

fn not_there(problem: Problem) -> Problem {
    match (problem.code(), problem.pointer()) {
        (Code::ArgumentMismatch, Some("/handle")) => problem.with_code(Code::UnknownHandle).without_pointer(),
        (Code::StaleHandle, _) => problem.without_pointer(),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::ACCEPT;

    use super::*;

    fn headers(pairs: &[(axum::http::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_block_is_as_large_as_its_data_unless_it_says_more() {
        let args = |body: &str| Arguments::of(&wanted(body.as_bytes()).unwrap()).as_bytes().to_vec();
        assert_eq!(args(r#"{"size":64}"#), br#"{"size":64}"#);
        assert_eq!(args(r#"{"data":"AQID"}"#), br#"{"size":3,"data":"AQID"}"#);
        assert_eq!(args(r#"{"size":8,"data":"AQID"}"#), br#"{"size":8,"data":"AQID"}"#);
        assert_eq!(args(r#"{"size":18446744073709551616}"#), br#"{"size":18446744073709551616}"#);
    }

    #[test]
    fn a_block_of_nothing_and_one_of_no_base64_are_refused() {
        let refused = |body: &str| {
            let problem = wanted(body.as_bytes()).unwrap_err();
            (problem.code(), problem.pointer().map(str::to_owned))
        };
        assert_eq!(refused("{}"), (Code::MalformedRequest, None));
        assert_eq!(refused(""), (Code::MalformedRequest, None));
        assert_eq!(refused(r#"{"sise":3}"#), (Code::MalformedRequest, None));
        assert_eq!(refused(r#"{"data":"A"}"#), (Code::ArgumentMismatch, Some("/data".into())));
    }

    #[test]
    fn data_comes_as_json_or_as_it_is_and_its_offset_once() {
        let (none, at) = (Part { offset: None, length: None }, Part { offset: Some(4), length: None });
        let json = headers(&[(CONTENT_TYPE, "application/json")]);
        let data = Bytes::from_static(br#"{"data":"AQID","offset":2}"#);
        let from_json = written(false, &none, &json, &data).unwrap();
        assert_eq!((from_json.data.as_str(), from_json.offset), ("AQID", Some(2)));
        assert_eq!(written(false, &at, &json, &data).err().unwrap().pointer(), Some("/offset"));
        let raw = written(true, &at, &HeaderMap::new(), &Bytes::from_static(&[1, 2, 3])).unwrap();
        assert_eq!((raw.data.as_str(), raw.offset), ("AQID", Some(4)));
        let length = Part { offset: None, length: Some(1) };
        assert!(written(true, &length, &HeaderMap::new(), &Bytes::new()).is_err());
        assert_eq!(written(false, &none, &HeaderMap::new(), &data).err().unwrap().code(), Code::UnsupportedMediaType);
    }

    #[test]
    fn bytes_are_given_to_whoever_asks_for_them() {
        assert!(accepts(&headers(&[(ACCEPT, "text/html, Application/Octet-Stream;q=0.9")]), BINARY));
        assert!(!accepts(&headers(&[(ACCEPT, "*/*")]), BINARY) && !accepts(&HeaderMap::new(), BINARY));
        assert_eq!(decode(br#"{"data":"AQID","size":3}"#), Some(vec![1, 2, 3]));
        assert_eq!(decode(b"null"), None);
    }

    #[test]
    fn a_block_that_the_agent_does_not_know_is_not_there() {
        let problem = |pointer: &str| Problem::new(Code::ArgumentMismatch, "x").at(pointer);
        let unknown = not_there(problem("/handle"));
        assert_eq!((unknown.code(), unknown.pointer()), (Code::UnknownHandle, None));
        assert_eq!(not_there(problem("/offset")).code(), Code::ArgumentMismatch);
    }
}
