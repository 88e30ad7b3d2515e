//! Arguments of a call as people write them on a command line: `name=value`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Makes the object of arguments. A value is JSON if it reads as such, otherwise text; `'…'` is always text, and
/// `@file` the bytes of a file, base64.
///
/// # Errors
/// Which argument is wrong, and how it should look.
pub(super) fn object(
    arguments: &[String],
    read: impl Fn(&str) -> std::io::Result<Vec<u8>>,
) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    for argument in arguments {
        let Some((name, text)) = argument.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(format!("`{argument}` is not name=value, such as a=2 or s=text"));
        };
        let value = if let Some(file) = text.strip_prefix('@') {
            let bytes = read(file).map_err(|error| format!("{name}: cannot read {file}: {error}"))?;
            Value::String(STANDARD.encode(bytes))
        } else if let Some(quoted) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            Value::String(quoted.to_owned())
        } else {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
        };
        if object.insert(name.to_owned(), value).is_some() {
            return Err(format!("`{name}` is given twice"));
        }
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(arguments: &[&str]) -> Result<Value, String> {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let read =
            |file: &str| if file == "here" { Ok(b"abc".to_vec()) } else { Err(std::io::ErrorKind::NotFound.into()) };
        object(&arguments, read).map(Value::Object)
    }

    #[test]
    fn json_is_json_and_everything_else_is_text() {
        let given =
            values(&["a=2", "b=-1.5", "c=true", "d=hello world", "e=[1,2]", "f=\"x\"", "g=null", "h="]).unwrap();
        let expected = json!({"a":2,"b":-1.5,"c":true,"d":"hello world","e":[1,2],"f":"x","g":null,"h":""});
        assert_eq!(given, expected);
    }

    #[test]
    fn quotes_make_text_and_an_at_sign_reads_a_file() {
        assert_eq!(
            values(&["s='2'", "t=''", "b=@here", "e=a=b"]).unwrap(),
            json!({"s":"2","t":"","b":"YWJj","e":"a=b"})
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(values(&["x"]).unwrap_err().contains("`x` is not name=value"));
        assert!(values(&["=1"]).is_err());
        assert!(values(&["a=1", "a=2"]).unwrap_err().contains("twice"));
        assert!(values(&["a=@gone"]).unwrap_err().contains("cannot read gone"));
    }
}
