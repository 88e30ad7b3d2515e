//! Arguments of a call as people write them on a command line: `name=value`, `name:=JSON`, `name=@file`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_interface::sensitive::Marks;

use crate::json::Json;

/// So many characters of a value are repeated when something is wrong with it.
const MAX_REPEATED: usize = 60;

/// One word of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given<'a> {
    /// The argument's name; `from.x` for a part of one.
    pub(super) name: &'a str,
    /// Its value.
    pub(super) value: Written<'a>,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The argument's name, or that of a part of one.
    pub(super) name: &'a str,
    /// No error repeats what was written: terminals are logged, too.
    pub(super) sensitive: bool,
}

impl<'a> Place<'a> {
    /// Of a function of which nothing is known: the name says whether it is sensitive.
    fn of_unknown(name: &'a str) -> Self {
        Self { name, sensitive: Marks::default().matches(name) }
    }

    /// A value as an error repeats it.
    pub(super) fn shown(&self, text: &str) -> String {
        if self.sensitive { "a sensitive value".to_owned() } else { format!("`{}`", shortened(text)) }
    }

    /// How it is written in a shell that it is to be text whatever it looks like: the shell takes one pair of quotes away.
    pub(super) fn as_text(&self, text: &str) -> String {
        // Within double quotes these have a meaning for shells.
        let plain = text.chars().count() <= MAX_REPEATED && !text.contains(['"', '$', '`', '\\', '!', '\n']);
        format!("{self}=\"'{}'\"", if plain && !self.sensitive { text } else { "TEXT" })
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written<'a> {
    /// `name:=JSON`
    Json(&'a str),
    /// `name=@file`, `name=@-`
    File(&'a str),
    /// `name='text'`, with the quotes, so that in a shell it is written `name="'text'"`: text, whatever it looks like.
    Quoted(&'a str),
    /// `name=anything`
    Plain(&'a str),
}

/// Reads the words.
///
/// # Errors
/// Which one is wrong, and how it should look.
pub(super) fn given(words: &[String]) -> Result<Vec<Given<'_>>, String> {
    let mut all: Vec<Given> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let Some((name, text)) = word.split_once('=').filter(|(name, _)| !name.is_empty() && *name != ":") else {
            // It may be a value whose name is missing, and that a secret.
            return Err(format!("argument {} is not name=value, such as a=2 or s=text", index + 1));
        };
        let quoted = || text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        let (name, value) = if let Some(name) = name.strip_suffix(':') {
            (name, Written::Json(text))
        } else if let Some(file) = text.strip_prefix('@') {
            (name, Written::File(file))
        } else {
            (name, quoted().map_or(Written::Plain(text), Written::Quoted))
        };
        if all.iter().any(|earlier| earlier.name == name) {
            return Err(format!("`{name}` is given twice"));
        }
        all.push(Given { name, value });
    }
    Ok(all)
}

/// Reads a file, or standard input for `-`.
pub(super) type Read<'r> = &'r dyn Fn(&str) -> std::io::Result<Vec<u8>>;

/// The bytes of a file.
///
/// # Errors
/// That it cannot be read, and for which argument.
pub(super) fn bytes(place: Place, file: &str, read: Read) -> Result<Vec<u8>, String> {
    read(file).map_err(|error| {
        let text = place.as_text(&format!("@{file}"));
        // It may be no file at all, but a password that begins with @.
        let file = if place.sensitive { "the file" } else { called(file) };
        format!("{place}: cannot read {file}: {error}; if it is text that begins with @, write {text}")
    })
}

/// What a file is called.
pub(super) const fn called(file: &str) -> &str {
    match file.as_bytes() {
        b"-" => "standard input",
        _ => file,
    }
}

/// The beginning of a long text.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_REPEATED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `name:=JSON`
///
/// # Errors
/// That it is not.
pub(super) fn json(place: Place, text: &str) -> Result<Json, String> {
    Json::parse(text).map_err(|error| format!("{place}: {} is not JSON: {error}", place.shown(text)))
}

/// Whether it is meant as an object or a list.
pub(super) fn is_composed(text: &str) -> bool {
    text.starts_with(['{', '['])
}

/// The object of arguments where nothing is known of the function. A value is JSON if it reads as such, otherwise text;
/// `'…'` is always text, and `@file` the bytes of a file, base64. What begins as an object or a list has to be one.
///
/// # Errors
/// Which argument is wrong.
pub(super) fn untyped(all: &[Given], read: Read) -> Result<Json, String> {
    let value = |given: &Given| {
        let place = Place::of_unknown(given.name);
        let value = match given.value {
            Written::Json(text) => json(place, text)?,
            Written::File(file) => Json::text(&STANDARD.encode(bytes(place, file, read)?)),
            Written::Quoted(text) => Json::text(text),
            Written::Plain(text) if is_composed(text) => {
                json(place, text).map_err(|error| format!("{error}; if it is text, write {}", place.as_text(text)))?
            }
            Written::Plain(text) => Json::parse(text).unwrap_or_else(|_| Json::text(text)),
        };
        Ok((given.name.to_owned(), value))
    };
    all.iter().map(value).collect::<Result<_, String>>().map(Json::Object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let read =
            |file: &str| if file == "here" { Ok(b"abc".to_vec()) } else { Err(std::io::ErrorKind::NotFound.into()) };
        untyped(&given(&words)?, &read).map(|json| json.compact())
    }

    #[test]
    fn json_is_json_and_everything_else_is_text() {
        let given =
            values(&["a=2", "b=-1.5", "c=true", "d=hello world", "e=[1,2]", "f=\"x\"", "g=null", "h="]).unwrap();
        let expected = r#"{"a":2,"b":-1.5,"c":true,"d":"hello world","e":[1,2],"f":"x","g":null,"h":""}"#;
        assert_eq!(given, expected);
    }

    #[test]
    fn quotes_make_text_and_an_at_sign_reads_a_file() {
        assert_eq!(
            values(&["s='2'", "t=''", "b=@here", "e=a=b", "j:=\"2\""]).unwrap(),
            r#"{"s":"2","t":"","b":"YWJj","e":"a=b","j":"2"}"#
        );
    }

    #[test]
    fn numbers_keep_every_digit() {
        assert_eq!(values(&["a=123456789012345678901"]).unwrap(), r#"{"a":123456789012345678901}"#);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(values(&["a=1", "x"]).unwrap_err().contains("argument 2 is not name=value"));
        assert!(values(&["=1"]).is_err() && values(&[":=1"]).is_err());
        assert!(values(&["a=1", "a:=2"]).unwrap_err().contains("twice"));
        let gone = values(&["a=@gone"]).unwrap_err();
        assert!(gone.contains("cannot read gone: ") && gone.ends_with("write a=\"'@gone'\""), "{gone}");
        assert!(values(&["a=@-"]).unwrap_err().contains("cannot read standard input: "));
        assert!(values(&["a:=x"]).unwrap_err().contains("a: `x` is not JSON"));
        let long = values(&[&format!("a:=\"{}", "ä".repeat(1000))]).unwrap_err();
        assert!(long.contains("ää…` is not JSON: ") && long.len() < 300, "{long}");
    }

    #[test]
    fn a_brace_or_a_comma_too_many_is_no_text() {
        for (word, why) in [
            ("p={\"x\":1", "EOF while parsing an object"),
            ("p={\"x\":1}}", "trailing characters"),
            ("p=[1,2,]", "trailing comma"),
        ] {
            let error = values(&[word]).unwrap_err();
            assert!(
                error.contains("is not JSON: ") && error.contains(why) && error.contains("if it is text"),
                "{error}"
            );
        }
        assert_eq!(values(&["p='{'"]).unwrap(), r#"{"p":"{"}"#);
    }

    #[test]
    fn text_is_shown_with_quotes_that_a_shell_leaves() {
        let place = Place { name: "s", sensitive: false };
        assert_eq!(place.as_text("@x y"), "s=\"'@x y'\"");
        assert_eq!(place.as_text("$HOME"), "s=\"'TEXT'\"");
    }

    #[test]
    fn a_secret_is_not_repeated() {
        for word in ["hunter2", "pin:=hunter2", "login.password=@hunter2", "szToken={hunter2", "pin:hunter2"] {
            let error = values(&[word]).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
