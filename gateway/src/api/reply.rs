//! The answers to calls.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use crate::dispatch::{Answer, CallResult};
use crate::error::Problem;

/// `{"call_id", "result", "outputs", "duration_us", …}`, or the problem.
pub(super) fn outcome(id: Uuid, result: CallResult) -> Result<Response, Problem> {
    match result {
        Ok(returned) => Ok(json(answer(id, &returned))),
        Err(failure) => Err(Problem::of_call(id, failure)),
    }
}

/// The text of the answer to one call.
pub(super) fn answer(id: Uuid, answer: &Answer) -> Vec<u8> {
    let mut body = Vec::with_capacity(answer.size());
    write(&mut body, id, answer);
    body
}

/// The outcomes of a batch in their order: each like the answer to a single call, or a problem document whose pointer
/// leads into the body of the request.
pub(super) fn outcomes(results: Vec<(Uuid, CallResult)>) -> Response {
    json(batch(results))
}

/// The text of the answer to a batch.
pub(super) fn batch(results: Vec<(Uuid, CallResult)>) -> Vec<u8> {
    let mut body = b"{\"outcomes\":[".to_vec();
    for (index, (id, result)) in results.into_iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        match result {
            Ok(answer) => write(&mut body, id, &answer),
            Err(failure) => {
                let problem = Problem::of_call(id, failure).within(&format!("/calls/{index}/args"));
                body.extend_from_slice(&problem.to_json());
            }
        }
    }
    body.extend_from_slice(b"]}");
    body
}

/// A value that an agent has given, under a name: `{"call_id", "value"}`.
pub(super) fn value(id: Uuid, answer: &Answer) -> Response {
    let mut body = Vec::with_capacity(answer.size());
    write_id(&mut body, id);
    body.extend_from_slice(b",\"value\":");
    body.extend_from_slice(&answer.result);
    body.push(b'}');
    json(body)
}

/// A body that is JSON text already.
pub(super) fn json(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn write(body: &mut Vec<u8>, id: Uuid, answer: &Answer) {
    write_id(body, id);
    body.push(b',');
    answer.write_values(body);
    let nanoseconds = answer.duration_ns;
    body.extend_from_slice(format!(",\"duration_us\":{}.{:03}", nanoseconds / 1000, nanoseconds % 1000).as_bytes());
    answer.write_errors(body);
    body.push(b'}');
}

fn write_id(body: &mut Vec<u8>, id: Uuid) {
    body.extend_from_slice(b"{\"call_id\":\"");
    body.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    body.push(b'"');
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::wire::{Fault, FaultCode, SystemError};
    use bytes::Bytes;

    use super::*;
    use crate::dispatch::Failure;

    fn answer() -> Answer {
        Answer {
            result: Bytes::from_static(b"12345678901234567890123"),
            outputs: Bytes::from_static(b"{\"a\":[1]}"),
            duration_ns: 12_034,
            around_ns: [0; 3],
            errno: None,
            last_error: None,
            hresult: None,
        }
    }

    fn written(id: Uuid, answer: &Answer) -> String {
        let mut body = Vec::new();
        write(&mut body, id, answer);
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn an_answer_carries_the_agents_json_unchanged() {
        let id = Uuid::now_v7();
        assert_eq!(
            written(id, &answer()),
            format!(
                r#"{{"call_id":"{id}","result":12345678901234567890123,"outputs":{{"a":[1]}},"duration_us":12.034}}"#
            )
        );
    }

    #[test]
    fn an_error_number_follows_where_the_function_set_one() {
        let not_found =
            SystemError { code: 2, name: Some("ENOENT".into()), message: "No such file or directory".into() };
        let failed = SystemError { code: -2_147_467_259, name: None, message: "\"Unspecified\"".into() };
        let text = written(Uuid::nil(), &Answer { errno: Some(not_found), hresult: Some(failed), ..answer() });
        let errors =
            r#""duration_us":12.034,"errno":{"code":2,"name":"ENOENT","message":"No such file or directory"},"#;
        assert!(text.contains(errors), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&read["hresult"]["message"], read.get("last_error")), (&"\"Unspecified\"".into(), None));
    }

    #[tokio::test]
    async fn a_batch_answers_each_call_as_if_it_were_alone() {
        let fault = |pointer: Option<&str>| Fault {
            code: FaultCode::ArgumentMismatch,
            detail: "x".into(),
            pointer: pointer.map(str::to_owned),
            ran: false,
        };
        let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
        let response = outcomes(vec![
            (first, Ok(std::sync::Arc::new(answer()))),
            (second, Err(Failure::Fault(fault(Some("/handle"))))),
            (second, Err(Failure::Fault(fault(None)))),
        ]);
        assert_eq!(response.status(), 200);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["outcomes"][0]["call_id"], first.to_string());
        let problem = &body["outcomes"][1];
        assert_eq!((&problem["pointer"], &problem["status"]), (&"/calls/1/args/handle".into(), &422.into()));
        assert_eq!((&problem["call_id"], &problem["execution"]), (&second.to_string().into(), &"not_run".into()));
        assert_eq!(body["outcomes"][2].get("pointer"), None);
    }
}
