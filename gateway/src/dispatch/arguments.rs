//! The arguments of a call: a JSON object, checked for its syntax and otherwise left as the client wrote it.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::syntax;

/// To copy more than these bytes costs more than a new buffer.
const LONGEST_COPY: usize = 4096;

/// A JSON object's text.
#[derive(Clone, Debug)]
pub struct Arguments(Bytes);

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
        Self(Bytes::from_static(b"{}"))
    }

    /// The same, in memory of their own where they are short: what came through a connection is a part of its buffer, which is
    /// used again only when nobody has a part of it any more.
    #[must_use]
    pub fn detached(self) -> Self {
        if self.0.len() > LONGEST_COPY { self } else { Self(Bytes::copy_from_slice(&self.0)) }
    }

    /// Arguments that the gateway itself makes: `members` is a structure or a map.
    pub fn of(members: &impl serde::Serialize) -> Self {
        Self(serde_json::to_vec(members).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from))
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
        Ok(Self(body.slice_ref(raw.get().as_bytes())))
    }

    /// Takes a value that was part of a larger document.
    ///
    /// # Errors
    /// It is not a JSON object.
    pub fn from_raw(raw: &RawValue) -> Result<Self, ArgumentsError> {
        Self::check(raw.get())?;
        Ok(Self(Bytes::copy_from_slice(raw.get().as_bytes())))
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
        &self.0
    }
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
    fn deep_nesting_does_not_overflow_the_stack() {
        let body = format!("{{\"a\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let _ = Arguments::parse(&Bytes::from(body));
    }
}
