//! A call as a program to copy, in four languages: pure. Each is complete: it needs nothing that its language does not come with,
//! signs its request (RFC 9421, as `docs/signing.md` says) where that is wanted, and has the key in its environment.
//!
//! Names and texts come from headers and from whoever typed them: each language writes them as a literal that cannot end early, and
//! what nobody sees (controls, marks that turn the direction of text around) is written as an escape.

mod curl;
mod go;
mod python;
mod typescript;

use std::fmt::Write as _;

use serde_json::Value;

use crate::json::Json;

/// A body that is longer is nothing to copy.
const LONGEST: usize = 8 << 10;

/// The call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The gateway, such as `http://127.0.0.1:8032`.
    pub origin: String,
    /// The path, percent-encoded.
    pub path: String,
    /// The body.
    pub body: Json,
    /// Whether it has to be signed.
    pub signed: bool,
}

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// sh, with curl and openssl.
    Curl,
    /// Python, with what comes with it.
    Python,
    /// TypeScript for Node.js.
    TypeScript,
    /// Go.
    Go,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Curl, Self::Python, Self::TypeScript, Self::Go];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Python => "Python",
            Self::TypeScript => "TypeScript",
            Self::Go => "Go",
        }
    }

    /// The same in an id.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Python => "python",
            Self::TypeScript => "typescript",
            Self::Go => "go",
        }
    }

    /// The program.
    pub fn program(self, call: &Call) -> String {
        match self {
            Self::Curl => curl::program(call),
            Self::Python => python::program(call),
            Self::TypeScript => typescript::program(call),
            Self::Go => go::program(call),
        }
    }
}

impl Call {
    /// Whether it is short enough to be copied.
    pub fn is_short(&self) -> bool {
        self.body.compact().len() <= LONGEST
    }

    /// The address.
    fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// The body as JSON in several lines, which is as good in JavaScript.
    fn json(&self) -> String {
        escaped(&plain(&self.body).pretty())
    }
}

/// The same document with every character that can be seen written as itself.
fn plain(json: &Json) -> Json {
    match json {
        Json::Scalar(raw) => json.as_text().map_or_else(|| Json::Scalar(raw.clone()), |text| Json::text(&text)),
        Json::List(elements) => Json::List(elements.iter().map(plain).collect()),
        Json::Object(members) => {
            Json::Object(members.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
        }
    }
}

/// JSON in which everything can be seen: what cannot is written as `\u…`. Only strings have such characters.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        // Between its parts a document has line ends of its own.
        if c == '\n' || !is_unseen(c) {
            text.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

/// What changes how a text looks, or looks like nothing.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xa0 | 0xad | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180e | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f
            | 0x3000 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xe0000..=0xe0fff)
}

/// A string as Python and Go write it, and JavaScript up to U+FFFF: `long` writes a character beyond that.
fn quoted(text: &str, long: fn(u32) -> String) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if is_unseen(c) && u32::from(c) > 0xffff => quoted.push_str(&long(u32::from(c))),
            c if is_unseen(c) => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether JavaScript's numbers have all digits of those of a document, and its objects all members.
fn is_safe_in_javascript(json: &Json) -> bool {
    match json {
        Json::Scalar(raw) => match serde_json::from_str(raw.get()) {
            Ok(Value::Number(number)) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => number.unsigned_abs() < 1 << 53,
                (None, Some(_)) => false,
                // Digits beyond those of a double are lost for everybody.
                (None, None) => raw.get().contains(['.', 'e', 'E']),
            },
            _ => true,
        },
        Json::List(elements) => elements.iter().all(is_safe_in_javascript),
        Json::Object(members) => {
            members.iter().all(|(name, value)| name != "__proto__" && is_safe_in_javascript(value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn call(body: &str, signed: bool) -> Call {
        Call {
            origin: "http://127.0.0.1:8032".to_owned(),
            path: "/v1/libraries/demo/functions/Add".to_owned(),
            body: Json::parse(body).unwrap(),
            signed,
        }
    }

    /// What no program may have as it is: ends of literals, lines that are none, text that runs backwards.
    pub(super) const HOSTILE: &str = r#"{"it's": "\"'`$(id)${x}\\\n\r\u0000#{1}%s \u202eback\u2028 \u00e4\ud83d\ude00\udb40\udc41", "n": 18446744073709551615}"#;

    #[test]
    fn no_program_has_a_secret_and_a_signed_one_takes_it_from_the_environment() {
        for language in Language::ALL {
            let signed = language.program(&call("{}", true));
            let plain = language.program(&call("{}", false));
            assert!(signed.contains("BRIDGE32_SECRET") && signed.contains("BRIDGE32_KEY_ID"), "{language:?}: {signed}");
            assert!(!plain.contains("BRIDGE32") && !plain.to_lowercase().contains("hmac"), "{language:?}: {plain}");
            for program in [signed, plain] {
                assert!(program.contains("/v1/libraries/demo/functions/Add"), "{language:?}: {program}");
                assert!(program.ends_with('\n') && program.lines().all(|line| !line.ends_with(' ')), "{program}");
            }
        }
    }

    #[test]
    fn whatever_stands_in_a_program_can_be_seen() {
        for language in Language::ALL {
            let program = language.program(&call(HOSTILE, true));
            let unseen = program.chars().find(|c| is_unseen(*c) && !matches!(c, '\n' | '\t'));
            assert_eq!(unseen, None, "{language:?}: {program}");
            assert!(program.contains('ä') && program.contains('😀'), "what can be seen stays: {program}");
        }
    }

    #[test]
    fn a_document_with_everything_written_out_is_the_same_document() {
        let pretty = Json::parse(HOSTILE).unwrap().pretty();
        let same: Value = serde_json::from_str(&escaped(&pretty)).unwrap();
        assert_eq!(same, serde_json::from_str::<Value>(HOSTILE).unwrap());
    }

    #[test]
    fn javascript_would_round_some_numbers() {
        let safe = |text: &str| is_safe_in_javascript(&Json::parse(text).unwrap());
        assert!(safe("[9007199254740991, -9007199254740991, 0.1, 1e300, \"9007199254740993\"]"));
        for text in
            ["9007199254740993", "{\"a\": [18446744073709551615]}", "{\"__proto__\": 1}", "123456789012345678901"]
        {
            assert!(!safe(text), "{text}");
        }
    }
}
