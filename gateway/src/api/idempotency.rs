//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request with the same key and body is run once.

use axum::http::{HeaderMap, HeaderName};

use crate::error::{Code, Problem};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// In the answer to a request whose call another request has made.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key, in characters.
const LONGEST: usize = 255;

/// The key of a request, if it has one: a string of RFC 8941, or the same without its quotation marks.
///
/// # Errors
/// It is no key.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = values.next().is_none().then(|| value.to_str().ok()).flatten().and_then(|text| parse(text.trim()));
    key.map(Some).ok_or_else(|| {
        let detail = format!(
            "Idempotency-Key is one text of 1 to {LONGEST} visible ASCII characters, in quotation marks or without, such as \
             \"8e03978e-40d5-43dd-bc93-6894a57f9324\": choose a new one for each call."
        );
        Problem::new(Code::MalformedRequest, detail)
    })
}

/// That a request has no key, where none is of use.
///
/// # Errors
/// It has one.
pub(super) fn expect_none(headers: &HeaderMap) -> Result<(), Problem> {
    if !headers.contains_key(KEY) {
        return Ok(());
    }
    let detail = "Idempotency-Key is for calls and batches: a block of memory ends with its process, and so does what could be \
                  repeated of it. Leave the header out.";
    Err(Problem::new(Code::MalformedRequest, detail))
}

fn parse(text: &str) -> Option<String> {
    let key = match text.strip_prefix('"') {
        Some(rest) => unescaped(rest.strip_suffix('"')?)?,
        None if text.contains(['"', ',', ';', '\\']) => return None,
        None => text.to_owned(),
    };
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && (1..=LONGEST).contains(&key.len())).then_some(key)
}

/// What stands between quotation marks, in which `\` stands before `"` and `\` alone.
fn unescaped(inner: &str) -> Option<String> {
    let mut key = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        key.push(match character {
            '\\' => characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?,
            '"' => return None,
            other => other,
        });
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<Option<String>, Problem> {
        key(&values.iter().map(|value| (KEY, HeaderValue::from_bytes(value).unwrap())).collect())
    }

    #[test]
    fn a_key_is_a_text_with_or_without_quotation_marks() {
        assert_eq!(read(&[]).unwrap(), None);
        for (text, wanted) in [("\"a-1\"", "a-1"), ("a-1", "a-1"), (" a:b/c= ", "a:b/c="), (r#""a\"\\b""#, r#"a"\b"#)] {
            assert_eq!(read(&[text.as_bytes()]).unwrap().as_deref(), Some(wanted), "{text}");
        }
        let longest = "k".repeat(LONGEST);
        assert_eq!(read(&[longest.as_bytes()]).unwrap(), Some(longest));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = format!("\"{}\"", "k".repeat(LONGEST + 1));
        let wrong: [&[u8]; 12] = [
            b"",
            b"\"\"",
            b"\"a",
            b"a\"",
            b"a b",
            b"\"a b\"",
            b"a,b",
            b"a;b=1",
            b"\"a\\n\"",
            b"\"a\"b\"",
            "\u{e9}".as_bytes(),
            long.as_bytes(),
        ];
        for value in wrong {
            let problem = read(&[value]).unwrap_err();
            assert!(problem.detail().contains("255"), "{}: {}", String::from_utf8_lossy(value), problem.detail());
        }
        assert!(read(&[b"a", b"a"]).is_err(), "twice, even if they are the same");
        assert!(expect_none(&[(KEY, HeaderValue::from_static("a"))].into_iter().collect()).is_err());
        assert!(expect_none(&HeaderMap::new()).is_ok());
    }
}
