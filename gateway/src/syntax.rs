//! What is wrong with a text that is no JSON, in words: those mistakes that people make by hand. Nothing of what was given
//! is repeated but names: it may be a secret.

use bridge32_protocol::json::complaint;
use serde_json::Error;
use serde_json::error::Category;

/// The reason, and behind it what the parser says.
pub fn reason(text: &[u8], error: &Error) -> String {
    match hint(text, error) {
        Some(hint) => format!("{hint} ({})", complaint(error)),
        None => complaint(error),
    }
}

fn hint(text: &[u8], error: &Error) -> Option<&'static str> {
    if error.classify() != Category::Syntax {
        return None;
    }
    let place = offset(text, error)?;
    // The parser may have taken what it complains of, or not.
    let before = |end: usize| text[..end].iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied();
    let at = |index: usize| text.get(index).copied();
    let candidates = [place.checked_sub(1), Some(place)].into_iter().flatten();
    for index in candidates {
        match at(index)? {
            b'\'' => return Some("text and names stand in double quotes (\"), not in single ones"),
            b'}' | b']' if before(index) == Some(b',') => {
                return Some("there is a comma behind the last value: take it away");
            }
            byte if (byte.is_ascii_alphabetic() || byte == b'_') && matches!(before(index), Some(b'{' | b',')) => {
                return Some("names stand in double quotes (\")");
            }
            _ => {}
        }
    }
    None
}

/// Where the error is, in bytes from the beginning.
fn offset(text: &[u8], error: &Error) -> Option<usize> {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.by_ref().take(error.line().checked_sub(1)?).map(<[u8]>::len).sum();
    Some((before + error.column()).min(text.len().checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn mistakes_that_people_make_are_told_in_words_and_then_as_the_parser_says_it() {
        for (text, expected) in [
            ("{\"a\": 2, \"b\": 3,}", "there is a comma behind the last value"),
            ("{\n  \"a\": [1, 2,\n  ]\n}", "there is a comma behind the last value"),
            ("{'a': 2}", "double quotes (\"), not in single ones"),
            ("{\"a\": 'two'}", "double quotes (\"), not in single ones"),
            ("'{\"a\": 2}'", "double quotes (\"), not in single ones"),
            ("{a: 2}", "names stand in double quotes"),
            ("{\"a\": 1, b: 2}", "names stand in double quotes"),
        ] {
            let errors = [
                serde_json::from_str::<Value>(text).unwrap_err(),
                serde_json::from_str::<&RawValue>(text).unwrap_err(),
            ];
            for error in errors {
                let told = reason(text.as_bytes(), &error);
                assert!(told.contains(expected) && told.contains(&error.to_string()), "{text}: {told}");
            }
        }
    }

    #[test]
    fn anything_else_is_told_as_the_parser_says_it() {
        for text in ["{\"a\":", "{} {}", "\u{0}", "", "[1 2]", "\n\n"] {
            let error = serde_json::from_str::<Value>(text).unwrap_err();
            assert_eq!(reason(text.as_bytes(), &error), error.to_string());
        }
    }

    #[test]
    fn what_is_there_instead_of_what_was_expected_is_not_repeated() {
        let error = serde_json::from_str::<Vec<u8>>("[300]").unwrap_err();
        assert_eq!(reason(b"[300]", &error), "invalid value: integer, expected u8 at line 1 column 4");
    }
}
