//! The answer to a call whose buffers come out as they are.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::json::members;
use bridge32_protocol::wire::Digest;
use bytes::Bytes;
use uuid::Uuid;

use crate::api::reply;
use crate::bulk::{Content, Piece, TempFile};
use crate::dispatch::Answer;
use crate::error::Problem;

/// What of the outcome is no buffer.
const OUTCOME: HeaderName = HeaderName::from_static("bridge32-outcome");

/// The most bytes of that: clients take no heads without end.
const MOST_OUTCOME: usize = 8 << 10;

/// How a client wants the buffers that come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Form {
    /// As the body: there is one.
    One,
    /// As parts of it.
    Parts,
}

/// The buffers that a client wants as they are.
#[derive(Debug)]
pub(in crate::api) struct Wanted {
    pub(super) form: Form,
    /// By parameter, the files through which they may come.
    pub(super) files: Vec<(String, Arc<TempFile>)>,
}

impl Wanted {
    /// The answer of a function that has returned.
    ///
    /// # Errors
    /// The agent's answer is not what the protocol says.
    pub(in crate::api) fn answer(self, id: Uuid, answer: &Answer) -> Result<Response, Problem> {
        let (buffers, others) =
            self.parted(&answer.outputs).map_err(|why| Problem::internal(format!("call {id}: {why}")))?;
        let outcome = reply::answer(id, &Answer { outputs: others, ..answer.clone() });
        let mut headers = HeaderMap::new();
        let content = match self.form {
            Form::One => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
                headers.insert(OUTCOME, in_head(id, answer, &outcome));
                Content::new(buffers.into_iter().map(|(_, piece)| piece).collect())
            }
            Form::Parts => {
                let boundary = Uuid::now_v7().simple().to_string();
                let kind = format!("multipart/form-data; boundary={boundary}");
                headers.insert(CONTENT_TYPE, HeaderValue::try_from(kind).map_err(Problem::internal)?);
                Content::new(parts(&boundary, outcome, buffers))
            }
        };
        headers.insert(CONTENT_LENGTH, content.bytes().into());
        let mut response = (headers, Body::from_stream(content.stream())).into_response();
        // For whoever signs it.
        response.extensions_mut().insert(content);
        Ok(response)
    }

    /// The wanted buffers, and the object of the other outputs.
    fn parted(&self, outputs: &[u8]) -> Result<(Vec<(String, Piece)>, Bytes), String> {
        let text = std::str::from_utf8(outputs).map_err(|error| error.to_string())?;
        let outputs = members(text).ok_or("its outputs are no object")?;
        let (mut buffers, mut others) = (Vec::new(), String::from("{"));
        for (name, value) in outputs {
            if let Some((_, file)) = self.files.iter().find(|(wanted, _)| *wanted == name) {
                let piece = piece(value.get(), file).ok_or_else(|| format!("the output `{name}` is no buffer"))?;
                buffers.push((name, piece));
            } else {
                let separator = if others.len() > 1 { "," } else { "" };
                let _ = write!(others, "{separator}{}:{}", serde_json::Value::from(name), value.get());
            }
        }
        others.push('}');
        Ok((buffers, others.into()))
    }
}

/// The bytes that an agent has answered: in the file, or here.
fn piece(json: &str, file: &Arc<TempFile>) -> Option<Piece> {
    if json.starts_with('{') {
        return Some(Piece::File(Arc::clone(file), Digest::read(json)?.bytes));
    }
    let text: Option<String> = serde_json::from_str(json).ok()?;
    let bytes = text.map_or_else(|| Ok(Vec::new()), |text| STANDARD.decode(text)).ok()?;
    Some(Piece::Bytes(bytes.into()))
}

/// The outcome as the value of a header. One that is too long says so, and has the values that are short.
fn in_head(id: Uuid, answer: &Answer, outcome: &[u8]) -> HeaderValue {
    let whole = ascii(outcome);
    let text = if whole.len() <= MOST_OUTCOME {
        whole
    } else {
        let duration = answer.duration_ns;
        format!(r#"{{"call_id":"{id}","duration_us":{}.{:03},"truncated":true}}"#, duration / 1000, duration % 1000)
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("{}"))
}

/// JSON in visible characters of ASCII: what is no such character stands in a text, and has an escape there.
fn ascii(json: &[u8]) -> String {
    let json = String::from_utf8_lossy(json);
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

fn parts(boundary: &str, outcome: Vec<u8>, buffers: Vec<(String, Piece)>) -> Vec<Piece> {
    let head = |name: &str, media_type: &str| {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n"
        );
        Piece::Bytes(head.into())
    };
    let end = || Piece::Bytes(Bytes::from_static(b"\r\n"));
    let mut pieces = vec![head("outcome", "application/json"), Piece::Bytes(outcome.into()), end()];
    for (name, piece) in buffers {
        pieces.extend([head(&name, "application/octet-stream"), piece, end()]);
    }
    pieces.push(Piece::Bytes(format!("--{boundary}--\r\n").into()));
    pieces
}
