//! Arguments of a call as people write them on a command line: `name=value`, `name:=JSON`, `name=@file`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::example;
use crate::cli::json::Json;

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
    /// `name='text'`: text, whatever it looks like.
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
        let quoted = example::quoted(&format!("{name}='@{file}'"));
        format!("{name}: cannot read {file}: {error}; if it is text that begins with @, write {quoted}")
    })
}

/// `name:=JSON`
///
/// # Errors
/// That it is not.
pub(super) fn json(name: &str, text: &str) -> Result<Json, String> {
    Json::parse(text).map_err(|error| format!("{name}: `{text}` is not JSON: {error}"))
}

/// The object of arguments where nothing is known of the function. A value is JSON if it reads as such, otherwise text;
/// `'…'` is always text, and `@file` the bytes of a file, base64.
///
/// # Errors
/// Which argument is wrong.
pub(super) fn untyped(all: &[Given], read: Read) -> Result<Json, String> {
    let value = |given: &Given| {
        let value = match given.value {
            Written::Json(text) => json(given.name, text)?,
            Written::File(file) => Json::text(&STANDARD.encode(bytes(given.name, file, read)?)),
            Written::Quoted(text) => Json::text(text),
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
        assert!(values(&["a=@gone"]).unwrap_err().contains("cannot read gone: "));
        assert!(values(&["a:=x"]).unwrap_err().contains("a: `x` is not JSON"));
    }
}
