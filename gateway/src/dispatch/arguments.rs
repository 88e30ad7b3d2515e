//! The arguments of a call: a JSON object, checked for its syntax and otherwise left as the client wrote it, and the buffers that
//! go beside it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::bulk::SharedBuffer;
use crate::syntax;

/// To copy more than these bytes costs more than a new buffer.
const LONGEST_COPY: usize = 4096;

/// A JSON object's text, and buffers that are not in it.
#[derive(Clone, Debug)]
pub struct Arguments {
    text: Bytes,
    /// Nearly no call has any.
    buffers: Option<Arc<[SharedBuffer]>>,
}

/// Why a body is not an object of arguments.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentsError {
    /// It is not JSON. In words.
    #[error("the body is not valid JSON: {0}")]
    Syntax(String),
    /// It is another JSON value.
    #[error("the arguments must be a JSON object by parameter name, such as {{\"a\": 1}}, not {0}")]
    NotAnObject(&'static str),
}

impl Arguments {
    /// No arguments.
    pub const fn empty() -> Self {
        Self::text(Bytes::from_static(b"{}"))
    }

    const fn text(text: Bytes) -> Self {
        Self { text, buffers: None }
    }

    /// The same, with buffers that go through files.
    #[must_use]
    pub fn with_buffers(self, buffers: Vec<SharedBuffer>) -> Self {
        Self { buffers: (!buffers.is_empty()).then(|| buffers.into()), ..self }
    }

    /// The same with further members in front, whose values are JSON.
    #[must_use]
    pub fn with_members(self, members: &[(String, String)]) -> Self {
        if members.is_empty() { self } else { Self { text: with_members(&self.text, members).into(), ..self } }
    }

    /// The buffers that go through files.
    pub fn buffers(&self) -> &[SharedBuffer] {
        self.buffers.as_deref().unwrap_or_default()
    }

    /// Whether the function writes into what the client has given: then what it began with is not there any more.
    pub fn are_overwritten(&self) -> bool {
        self.buffers().iter().any(|buffer| buffer.answered && buffer.given.is_some())
    }

    /// The same without the files, for whoever looks at a call that has ended.
    #[must_use]
    pub fn without_files(self) -> Self {
        let without = |buffers: Arc<[SharedBuffer]>| {
            buffers.iter().map(|buffer| SharedBuffer { file: None, ..buffer.clone() }).collect()
        };
        Self { buffers: self.buffers.map(without), ..self }
    }

    /// The text as it is kept: for bytes that a file has given there is what [`bridge32_protocol::wire::Digest`] says.
    pub fn recorded(&self) -> Cow<'_, [u8]> {
        let given = |buffer: &'_ SharedBuffer| {
            let digest = serde_json::to_string(buffer.given.as_ref()?).ok()?;
            Some((buffer.parameter.clone(), digest))
        };
        let given: Vec<(String, String)> = self.buffers().iter().filter_map(given).collect();
        if given.is_empty() {
            return Cow::Borrowed(&self.text);
        }
        Cow::Owned(with_members(&self.text, &given))
    }

    /// The same, in memory of their own where they are short: what came through a connection is a part of its buffer, which is
    /// used again only when nobody has a part of it any more.
    #[must_use]
    pub fn detached(self) -> Self {
        if self.text.len() > LONGEST_COPY { self } else { Self { text: Bytes::copy_from_slice(&self.text), ..self } }
    }

    /// Arguments that the gateway itself makes: `members` is a structure or a map.
    pub fn of(members: &impl serde::Serialize) -> Self {
        Self::text(serde_json::to_vec(members).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from))
    }

    /// Checks a body; an empty one means no arguments.
    ///
    /// # Errors
    /// It is not a JSON object.
    pub fn parse(body: &Bytes) -> Result<Self, ArgumentsError> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::empty());
        }
        let raw: &RawValue =
            serde_json::from_slice(body).map_err(|error| ArgumentsError::Syntax(syntax::reason(body, &error)))?;
        Self::check(raw.get())?;
        Ok(Self::text(body.slice_ref(raw.get().as_bytes())))
    }

    /// Takes a value that was part of a larger document.
    ///
    /// # Errors
    /// It is not a JSON object.
    pub fn from_raw(raw: &RawValue) -> Result<Self, ArgumentsError> {
        Self::check(raw.get())?;
        Ok(Self::text(Bytes::copy_from_slice(raw.get().as_bytes())))
    }

    fn check(text: &str) -> Result<(), ArgumentsError> {
        Err(ArgumentsError::NotAnObject(match text.as_bytes().first() {
            Some(b'{') => return Ok(()),
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => "a number",
        }))
    }

    /// The text, without white space around it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }
}

/// An object with further members in front.
fn with_members(object: &[u8], members: &[(String, String)]) -> Vec<u8> {
    let rest = object.strip_prefix(b"{").unwrap_or(object);
    let mut text = b"{".to_vec();
    for (index, (name, value)) in members.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        text.extend_from_slice(format!("{separator}{}:{value}", serde_json::Value::from(name.as_str())).as_bytes());
    }
    if rest.trim_ascii() != b"}" {
        text.push(b',');
    }
    text.extend_from_slice(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_kept_as_it_was_written() {
        let body = Bytes::from_static(b" { \"a\" : 1.0e2,\n\"a\":2 } ");
        assert_eq!(Arguments::parse(&body).unwrap().as_bytes(), body.trim_ascii());
        assert_eq!(Arguments::parse(&Bytes::from_static(b"  ")).unwrap().as_bytes(), b"{}");
    }

    #[test]
    fn anything_else_is_refused_with_its_place() {
        let error =
            |text: &'static str| Arguments::parse(&Bytes::from_static(text.as_bytes())).unwrap_err().to_string();
        assert!(error("{\"j\":").contains("line 1 column 5"));
        assert!(error("{} {}").contains("trailing characters"));
        assert!(error("{\"j\": 1,}").contains("a comma behind the last value"));
        assert!(error("[1]").ends_with("not an array"));
        assert!(error("\u{0}").contains("not valid JSON"));
    }

    #[test]
    fn bytes_of_files_are_kept_as_their_digest_and_the_files_are_not() {
        use bridge32_protocol::wire::Digest;

        let given = Some(Digest { bytes: 3, sha256: "ab".into() });
        let shared = |parameter: &str, given: Option<Digest>| SharedBuffer {
            parameter: parameter.to_owned(),
            file: None,
            answered: true,
            given,
            most: 9,
        };
        let args = |text: &str| Arguments::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap();
        let buffers = || vec![shared("src", given.clone()), shared("dest", None)];
        let recorded = |text: &str| String::from_utf8(args(text).with_buffers(buffers()).recorded().to_vec()).unwrap();
        assert_eq!(recorded("{ }"), r#"{"src":{"bytes":3,"sha256":"ab"} }"#);
        assert_eq!(recorded(r#"{"n": 1}"#), r#"{"src":{"bytes":3,"sha256":"ab"},"n": 1}"#);
        assert!(args("{}").with_buffers(buffers()).are_overwritten());
        assert!(!args("{}").with_buffers(vec![shared("dest", None)]).are_overwritten());
        let more =
            args(r#"{"n":1}"#).with_members(&[("a".to_owned(), "\"x\"".to_owned()), ("b".to_owned(), "2".to_owned())]);
        assert_eq!(more.as_bytes(), br#"{"a":"x","b":2,"n":1}"#);
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let body = format!("{{\"a\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let _ = Arguments::parse(&Bytes::from(body));
    }
}
