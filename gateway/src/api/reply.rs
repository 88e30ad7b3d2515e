//! The answer to a call.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use uuid::Uuid;

use crate::dispatch::{Answer, CallResult};
use crate::error::Problem;

/// `{"call_id", "result", "outputs", "duration_us"}`, or the problem.
pub(super) fn outcome(id: Uuid, result: CallResult) -> Result<Response, Problem> {
    match result {
        Ok(answer) => {
            let mut response = write(id, &answer).into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(response)
        }
        Err(failure) => Err(Problem::of_call(id, failure)),
    }
}

/// Result and outputs are JSON already: they are copied, not parsed.
fn write(id: Uuid, answer: &Answer) -> Bytes {
    let Answer { result, outputs, duration_ns } = answer;
    let mut body = Vec::with_capacity(result.len() + outputs.len() + 120);
    body.extend_from_slice(b"{\"call_id\":\"");
    body.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    body.extend_from_slice(b"\",\"result\":");
    body.extend_from_slice(result);
    body.extend_from_slice(b",\"outputs\":");
    body.extend_from_slice(outputs);
    body.extend_from_slice(format!(",\"duration_us\":{}.{:03}}}", duration_ns / 1000, duration_ns % 1000).as_bytes());
    Bytes::from(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_carries_the_agents_json_unchanged() {
        let answer = Answer {
            result: Bytes::from_static(b"12345678901234567890123"),
            outputs: Bytes::from_static(b"{\"a\":[1]}"),
            duration_ns: 12_034,
        };
        let id = Uuid::now_v7();
        assert_eq!(
            write(id, &answer),
            format!(
                r#"{{"call_id":"{id}","result":12345678901234567890123,"outputs":{{"a":[1]}},"duration_us":12.034}}"#
            )
        );
    }
}
