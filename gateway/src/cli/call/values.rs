//! Arguments of a call as people write them on a command line: `name=value`, `name:=JSON`, `name=@file`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cli::json::Json;

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
    for word in words {
        let Some((name, text)) = word.split_once('=').filter(|(name, _)| !name.is_empty() && *name != ":") else {
            return Err(format!("`{word}` is not name=value, such as a=2 or s=text"));
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
pub(super) fn bytes(name: &str, file: &str, read: Read) -> Result<Vec<u8>, String> {
    read(file).map_err(|error| {
        let text = as_text(name, &format!("@{file}"));
        format!("{name}: cannot read {}: {error}; if it is text that begins with @, write {text}", called(file))
    })
}

/// What a file is called.
pub(super) const fn called(file: &str) -> &str {
    match file.as_bytes() {
        b"-" => "standard input",
        _ => file,
    }
}

/// How an argument is written in a shell that is to be text whatever it looks like: the shell takes one pair of quotes away.
pub(super) fn as_text(name: &str, text: &str) -> String {
    // Within double quotes these have a meaning for shells.
    let plain = text.chars().count() <= MAX_REPEATED && !text.contains(['"', '$', '`', '\\', '!', '\n']);
    format!("{name}=\"'{}'\"", if plain { text } else { "TEXT" })
}

/// A value as an error repeats it.
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
pub(super) fn json(name: &str, text: &str) -> Result<Json, String> {
    Json::parse(text).map_err(|error| format!("{name}: `{}` is not JSON: {error}", shortened(text)))
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
        let value = match given.value {
            Written::Json(text) => json(given.name, text)?,
            Written::File(file) => Json::text(&STANDARD.encode(bytes(given.name, file, read)?)),
            Written::Quoted(text) => Json::text(text),
            Written::Plain(text) if is_composed(text) => json(given.name, text)
                .map_err(|error| format!("{error}; if it is text, write {}", as_text(given.name, text)))?,
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
        assert!(values(&["x"]).unwrap_err().contains("`x` is not name=value"));
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
        assert_eq!(as_text("s", "@x y"), "s=\"'@x y'\"");
        assert_eq!(as_text("s", "$HOME"), "s=\"'TEXT'\"");
    }
}
