//! JSON text taken apart without being read, and what is wrong with it told without repeating what is in it.

use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

/// The members of an object in their order, those that are there twice included; `None` if it is no object.
pub fn members(json: &str) -> Option<Vec<(String, &RawValue)>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_map(Members).ok()
}

/// What a reader of JSON complains of, without the value that it found: that may be a secret. Names, and where it is, stay.
pub fn complaint(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // Only these texts have a value in them: those of `serde::de::Error`, which writes it before what it expected.
    let quoting =
        ["invalid type: ", "invalid value: ", "unknown variant "].into_iter().find(|begin| text.starts_with(begin));
    let Some(begin) = quoting.filter(|_| error.classify() == Category::Data) else { return text };
    match text[begin.len()..].rsplit_once(", expected ") {
        Some((found, expected)) => format!("{begin}{}, expected {expected}", sort(found)),
        None => format!("{}at line {} column {}", begin.trim_end_matches(": "), error.line(), error.column()),
    }
}

/// What sort of value `serde::de::Unexpected` describes.
fn sort(found: &str) -> &'static str {
    const SORTS: [&str; 7] = ["string", "integer", "floating point", "boolean", "null", "sequence", "map"];
    SORTS.into_iter().find(|sort| found.starts_with(sort)).unwrap_or("a value")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "it is only read")]
        size: Option<u8>,
        #[expect(dead_code, reason = "it is only read")]
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        Red,
        Blue,
    }

    fn told(json: &str) -> String {
        complaint(&serde_json::from_str::<Body>(json).unwrap_err())
    }

    #[test]
    fn a_value_is_not_repeated_whatever_is_in_it() {
        for json in [
            r#"{"size":"hunter2"}"#,
            r#"{"size":"hunter2, expected hunter2 at line 1"}"#,
            r#"{"size":"a\"`hunter2`\", expected "}"#,
            r#"{"colour":"hunter2"}"#,
            r#"{"colour":"hunter2`, expected `hunter2"}"#,
            r#""hunter2""#,
        ] {
            assert!(!told(json).contains("hunter2"), "{json}: {}", told(json));
        }
        for json in [r#"{"size":4711}"#, r#"{"size":47.11}"#, r#"{"size":-4711}"#, "4711"] {
            assert!(!told(json).contains("47"), "{json}: {}", told(json));
        }
    }

    #[test]
    fn what_was_expected_and_where_and_names_stay() {
        assert_eq!(told(r#"{"size":"x"}"#), "invalid type: string, expected u8 at line 1 column 11");
        assert_eq!(told(r#"{"size":300}"#), "invalid value: integer, expected u8 at line 1 column 11");
        assert_eq!(told(r#"{"size":[]}"#), "invalid type: sequence, expected u8 at line 1 column 8");
        assert!(told(r#"{"sise":1}"#).starts_with("unknown field `sise`, expected `size` or `colour`"));
        assert!(told(r#"{"size":"#).starts_with("EOF while parsing"));
        let variant = told(r#"{"colour":"green"}"#);
        assert!(variant.contains("expected `red` or `blue`") && !variant.contains("green"), "{variant}");
    }

    #[test]
    fn members_keep_their_order_and_come_as_often_as_they_stand_there() {
        let all = members(r#"{"b": 1.0e2, "a":[ ], "b":null}"#).unwrap();
        let all: Vec<_> = all.iter().map(|(name, raw)| (name.as_str(), raw.get())).collect();
        assert_eq!(all, [("b", "1.0e2"), ("a", "[ ]"), ("b", "null")]);
        assert!(members("[1]").is_none() && members("{").is_none());
    }
}
