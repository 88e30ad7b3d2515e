//! What came of a call: the result first, then outputs and times, then all of it as JSON; or what is wrong, and where.

use std::fmt::Write as _;
use std::time::Duration;

use askama::Template;
use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::interface::{Direction, Extent, Function, Type};
use bytes::Bytes;

use super::call_form::View;
use crate::cli::words::is_bytes;
use crate::dashboard::filters;
use crate::dashboard::words::{size, time_span};
use crate::error::{Code, Problem};
use crate::json::Json;

/// So much of a value is shown, and so much of the whole answer.
const LONGEST_VALUE: usize = 4 << 10;
const LONGEST_ANSWER: usize = 16 << 10;
/// So many outputs are shown by themselves; JSON has all.
const MOST_OUTPUTS: usize = 50;
/// So many bytes of a buffer are shown.
const MOST_BYTES: usize = 512;

/// The answer to a call.
#[derive(Template, Debug)]
#[template(path = "function/answer.html")]
pub struct Answer {
    /// What came of it.
    pub outcome: Outcome,
    /// The call, if one was made.
    pub call_id: Option<String>,
    /// The document that came back.
    pub raw: String,
    /// How long it took as a whole, in nanoseconds.
    pub whole_ns: u64,
}

/// What came of a call.
#[derive(Debug)]
pub enum Outcome {
    /// It returned.
    Returned {
        /// What.
        result: Shown,
        /// What it has written, by name.
        outputs: Vec<(String, Shown)>,
        /// The errors that it has left behind: where, and which.
        errors: Vec<(String, String)>,
        /// How long the library ran, in nanoseconds.
        library_ns: u64,
    },
    /// It did not.
    Failed {
        /// In a few words.
        title: &'static str,
        /// The word for programs.
        code: &'static str,
        /// The status.
        status: u16,
        /// What happened, and what to do.
        detail: String,
        /// Whether the library's code ran.
        execution: Option<String>,
        /// The control that it is about, and what that is called.
        place: Option<(String, String)>,
        /// The crash report.
        report: Option<String>,
        /// In how many seconds it makes sense to try again.
        retry_after: Option<u32>,
    },
    /// It was not even sent.
    Mistaken {
        /// The control that is wrong.
        place: Option<String>,
    },
}

/// A value on a page.
#[derive(Template, Debug, PartialEq, Eq)]
#[template(path = "function/shown.html")]
pub enum Shown {
    /// A number, or a word.
    Plain(String),
    /// A text.
    Text(String),
    /// Bytes: how many, and how the first ones look.
    Bytes(String, String),
    /// Something composed, as JSON.
    Composed(String),
}

impl Answer {
    #[expect(clippy::unused_self, clippy::trivially_copy_pass_by_ref, reason = "its template calls it")]
    fn time(&self, nanoseconds: &u64) -> String {
        time_span(*nanoseconds)
    }

    /// Of what was not sent.
    pub fn mistaken(place: Option<String>) -> Self {
        Self { outcome: Outcome::Mistaken { place }, call_id: None, raw: String::new(), whole_ns: 0 }
    }

    /// Reads the answer of the API. What it complains of is written into the form; `within` is where the arguments stand in the
    /// body. Gives the status for the page, too.
    ///
    /// # Errors
    /// The answer cannot be read.
    pub async fn read(
        response: Response,
        function: &Function,
        view: &mut View,
        within: &str,
        whole: Duration,
    ) -> Result<(Self, StatusCode), Problem> {
        let status = response.status();
        let problem = response.extensions().get::<Problem>().cloned();
        let body = to_bytes(response.into_body(), usize::MAX).await.map_err(Problem::internal)?;
        let json = std::str::from_utf8(&body).ok().and_then(|text| Json::parse(text).ok());
        let json = json.ok_or_else(|| Problem::internal("the answer to a call is no JSON"))?;
        let outcome = match &problem {
            Some(problem) => failed(problem, &json, view, within),
            None => returned(&json, function),
        };
        let whole_ns = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
        let raw = cut(&json.pretty(), LONGEST_ANSWER);
        Ok((Self { outcome, call_id: json.get("call_id").and_then(Json::as_text), raw, whole_ns }, status))
    }
}

fn failed(problem: &Problem, json: &Json, view: &mut View, within: &str) -> Outcome {
    // What is no JSON at all is wrong as a whole.
    let unread = (problem.code() == Code::MalformedRequest).then_some("");
    let place = problem.pointer().or(unread).and_then(|pointer| {
        let pointer = pointer.strip_prefix(within).unwrap_or(pointer);
        Some((view.blame(pointer, problem.detail())?, pointer.trim_start_matches('/').replace('/', ".")))
    });
    let text = |name: &str| json.get(name).and_then(Json::as_text);
    Outcome::Failed {
        title: problem.code().title(),
        code: problem.code().name(),
        status: problem.code().status().as_u16(),
        detail: problem.detail().to_owned(),
        execution: text("execution"),
        place,
        report: text("report"),
        retry_after: problem.retry_after(),
    }
}

fn returned(json: &Json, function: &Function) -> Outcome {
    let null = Json::null();
    let outputs = json.get("outputs").map(Json::members).unwrap_or_default();
    let type_of = |name: &str| {
        let parameter = function.parameters.iter().find(|parameter| parameter.name == name);
        parameter.filter(|parameter| parameter.direction != Direction::In).map(|parameter| &parameter.ty)
    };
    let outputs = outputs.iter().take(MOST_OUTPUTS);
    let errors = ["errno", "last_error", "hresult"].into_iter().filter_map(|name| {
        let error = json.get(name)?;
        let text = |name: &str| error.get(name).map(|value| value.as_text().unwrap_or_else(|| value.compact()));
        let words = [text("code"), text("name"), text("message")];
        Some((name.to_owned(), words.into_iter().flatten().collect::<Vec<_>>().join(" · ")))
    });
    let microseconds = json.get("duration_us").map(Json::compact).and_then(|text| text.parse::<f64>().ok());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration is not negative")]
    let library_ns = (microseconds.unwrap_or_default() * 1000.0) as u64;
    Outcome::Returned {
        result: shown(json.get("result").unwrap_or(&null), Some(&function.result)),
        outputs: outputs.map(|(name, value)| (name.clone(), shown(value, type_of(name)))).collect(),
        errors: errors.collect(),
        library_ns,
    }
}

/// How a value of that type is shown.
fn shown(json: &Json, ty: Option<&Type>) -> Shown {
    match (json, json.as_text()) {
        (Json::List(_) | Json::Object(_), _) => Shown::Composed(cut(&json.pretty(), LONGEST_VALUE)),
        (_, Some(text)) => match STANDARD.decode(&text) {
            Ok(bytes) if ty.is_some_and(are_bytes) => Shown::Bytes(size(bytes.len() as u64), dump(&bytes)),
            _ => Shown::Text(cut(&text, LONGEST_VALUE)),
        },
        (_, None) => Shown::Plain(cut(&json.compact(), LONGEST_VALUE)),
    }
}

/// Whether a value of this type travels as base64.
fn are_bytes(ty: &Type) -> bool {
    match ty {
        Type::Pointer(pointer) => match &pointer.extent {
            Extent::Elements { .. } => is_bytes(&pointer.to),
            Extent::One => are_bytes(&pointer.to),
            _ => false,
        },
        Type::Array(array) => array.text.is_none() && is_bytes(&array.of),
        _ => false,
    }
}

/// The beginning of a text that is too long.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// The first bytes, sixteen in a line: where, digits, and what of them is ASCII.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (number, line) in bytes.chunks(16).take(MOST_BYTES / 16).enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{:04x} ", number * 16);
        (0..16).for_each(|index| match line.get(index) {
            Some(byte) => drop(write!(text, " {byte:02x}")),
            None => text.push_str("   "),
        });
        let sign = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let signs: String = line.iter().map(sign).collect();
        let _ = writeln!(text, "  {signs}");
    }
    if bytes.len() > MOST_BYTES {
        text.push('…');
    }
    text
}

/// The body of a request for the API.
pub(super) fn request(body: String) -> (axum::http::HeaderMap, Bytes) {
    use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    (headers, body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_digits_and_signs() {
        let text = dump(b"hello\0\xff world, again");
        let expected = "0000  68 65 6c 6c 6f 00 ff 20 77 6f 72 6c 64 2c 20 61  hello.. world, a
0010  67 61 69 6e                                      gain\n";
        assert_eq!(text, expected);
        assert!(dump(&[0; 600]).ends_with("\n…") && dump(&[]).is_empty());
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!((cut("äöü", 3).as_str(), cut("äöü", 6).as_str(), cut("äöü", 1).as_str()), ("ä…", "äöü", "…"));
    }

    #[test]
    fn a_value_is_shown_as_what_it_is() {
        let of = |text: &str| shown(&Json::parse(text).unwrap(), None);
        assert_eq!(of("12345678901234567890"), Shown::Plain("12345678901234567890".to_owned()));
        assert_eq!(of("\"aGk=\""), Shown::Text("aGk=".to_owned()), "a text is no buffer");
        assert_eq!(of("[1]"), Shown::Composed("[\n  1\n]".to_owned()));
        assert_eq!(of("null"), Shown::Plain("null".to_owned()));
    }
}
