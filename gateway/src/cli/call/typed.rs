//! Values by their types: text for a string needs no quotes, a list no brackets, and a name of an enumerator is one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::interface::{Extent, Interface, Pointer, Scalar, Type};

use super::values::{Given, Read, Written, bytes, json};
use crate::cli::json::Json;
use crate::cli::words::is_bytes;
use crate::config::nearest;

/// One value of a known type.
///
/// # Errors
/// What is wrong with it, with the name.
pub(super) fn value(given: &Given, ty: &Type, interface: &Interface, read: Read) -> Result<Json, String> {
    let name = given.name;
    match given.value {
        Written::Json(text) => json(name, text),
        Written::File(file) => {
            let bytes = bytes(name, file, read)?;
            if is_buffer(ty) {
                return Ok(Json::text(&STANDARD.encode(bytes)));
            }
            let text = String::from_utf8(bytes).map_err(|_| format!("{name}: {file} is not UTF-8 text"))?;
            if is_text(ty) { Ok(Json::text(&text)) } else { json(name, text.trim()) }
        }
        Written::Quoted(text) if is_buffer(ty) => Ok(Json::text(&STANDARD.encode(text))),
        Written::Quoted(text) => Ok(Json::text(text)),
        Written::Plain(text) => Plain { name, interface }.value(ty, text),
    }
}

/// Text, whatever stands in memory.
fn is_text(ty: &Type) -> bool {
    match ty {
        Type::Pointer(pointer) => matches!(pointer.extent, Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Bstr),
        Type::Array(array) => array.text.is_some(),
        _ => false,
    }
}

/// What travels as base64.
pub(super) fn is_buffer(ty: &Type) -> bool {
    match ty {
        Type::Pointer(pointer) => matches!(pointer.extent, Extent::Elements { .. }) && is_bytes(&pointer.to),
        _ => false,
    }
}

/// `library.g1.3.2f9c04b7a1d8`
pub(super) fn is_token(text: &str) -> bool {
    let mut parts = text.rsplitn(4, '.');
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let tag = parts.next().is_some_and(|tag| tag.len() == 12 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let number = parts.next().is_some_and(digits);
    let generation = parts.next().and_then(|part| part.strip_prefix('g')).is_some_and(digits);
    tag && number && generation && parts.next().is_some_and(|library| !library.is_empty())
}

/// A value without quotes.
struct Plain<'a> {
    name: &'a str,
    interface: &'a Interface,
}

impl Plain<'_> {
    fn value(&self, ty: &Type, text: &str) -> Result<Json, String> {
        match ty {
            Type::Scalar(scalar) => self.scalar(scalar, text),
            Type::Pointer(pointer) => self.pointer(pointer, text),
            Type::Array(array) if array.text.is_some() => Ok(Json::text(text)),
            Type::Array(array) => self.list(&array.of, text),
            Type::Structure(structure) => match Json::parse(text) {
                Ok(object @ Json::Object(_)) => Ok(object),
                _ => Err(self.structure(structure, text)),
            },
            Type::Callback(_) if is_token(text) => Ok(Json::text(text)),
            Type::Callback(_) => json(self.name, text)
                .map_err(|error| format!("{error}; a callback is null or an object, such as {{\"returns\": 0}}")),
            Type::Void | Type::Unsupported { .. } => Ok(Json::parse(text).unwrap_or_else(|_| Json::text(text))),
        }
    }

    fn structure(&self, name: &str, text: &str) -> String {
        let own = self.name;
        let fields = self.interface.structures.get(name).map(|structure| structure.fields.as_slice());
        let first = fields.unwrap_or_default().iter().find(|field| !field.name.is_empty());
        let member = first.map_or("member", |field| field.name.as_str());
        format!(
            "{own}: `{text}` is no structure: write its members, as in {own}.{member}=…, or an object, {own}='{{\"{member}\": …}}'"
        )
    }

    fn pointer(&self, pointer: &Pointer, text: &str) -> Result<Json, String> {
        let handed = text.starts_with("{\"$handle\"");
        match &pointer.extent {
            Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Bstr => Ok(Json::text(text)),
            _ if text == "null" => Ok(Json::null()),
            _ if handed => json(self.name, text),
            Extent::Handle { .. } => Ok(match integer(text) {
                Some(number) => Json::scalar(number),
                None => Json::text(text),
            }),
            _ if is_token(text) => Ok(Json::text(text)),
            Extent::One => self.value(&pointer.to, text),
            Extent::Elements { .. } if is_bytes(&pointer.to) && STANDARD.decode(text).is_ok() => Ok(Json::text(text)),
            Extent::Elements { .. } if is_bytes(&pointer.to) => Err(format!(
                "{0}: `{text}` is not base64: to send a file's bytes write {0}=@FILE, and those of a text {0}=\"'text'\"",
                self.name
            )),
            Extent::Elements { .. } => self.list(&pointer.to, text),
        }
    }

    /// `[1, 2]`, and `1,2` for numbers.
    fn list(&self, of: &Type, text: &str) -> Result<Json, String> {
        match of {
            _ if text.starts_with('[') => json(self.name, text),
            Type::Scalar(scalar) if text.is_empty() || !text.starts_with('{') => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Ok(Json::List(parts.map(|part| self.scalar(scalar, part)).collect::<Result<_, _>>()?))
            }
            _ => Err(format!("{0}: `{text}` is no list: write it as JSON, {0}='[…]'", self.name)),
        }
    }

    fn scalar(&self, scalar: &Scalar, text: &str) -> Result<Json, String> {
        let name = self.name;
        match scalar {
            Scalar::Integer(_) => match integer(text) {
                Some(number) => Ok(Json::scalar(number)),
                None if self.interface.constants.contains_key(text) => Ok(Json::text(text)),
                None => {
                    let constants = self.interface.constants.keys().map(String::as_str);
                    Err(format!(
                        "{name}: `{text}` is no integer and no constant of the header{}",
                        meant(text, constants)
                    ))
                }
            },
            Scalar::Boolean(_) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(Json::scalar("true".to_owned())),
                "false" | "0" => Ok(Json::scalar("false".to_owned())),
                _ => Err(format!("{name}: `{text}` is neither true nor false")),
            },
            Scalar::Float | Scalar::Double => match text.to_ascii_lowercase().as_str() {
                "nan" => Ok(Json::text("NaN")),
                "infinity" | "inf" => Ok(Json::text("Infinity")),
                "-infinity" | "-inf" => Ok(Json::text("-Infinity")),
                _ => number(text).map(Json::scalar).ok_or_else(|| format!("{name}: `{text}` is no number")),
            },
            Scalar::Enumeration(kind) => {
                if let Some(number) = integer(text) {
                    return Ok(Json::scalar(number));
                }
                let found = self.interface.enumerations.get(kind).map(|found| found.enumerators.as_slice());
                let mut names = found.unwrap_or_default().iter().map(|(enumerator, _)| enumerator.as_str());
                if names.clone().any(|enumerator| enumerator == text) {
                    return Ok(Json::text(text));
                }
                let near = meant(text, names.clone());
                let first = names.by_ref().take(6).collect::<Vec<_>>().join(", ");
                Err(format!("{name}: `{text}` is no enumerator of {kind}, which has {first}{near}"))
            }
        }
    }
}

/// "; did you mean `x`?"
pub(super) fn meant<'n>(wrong: &str, known: impl Iterator<Item = &'n str>) -> String {
    // One letter is near to every other.
    let near = nearest(wrong, known).filter(|_| wrong.chars().count() > 2);
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// A whole number as JSON writes it: decimal, or hexadecimal as C does. Ranges are the agent's to check.
fn integer(text: &str) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return i128::from_str_radix(hex, 16)
            .ok()
            .filter(|number| *number >= 0)
            .map(|number| format!("{sign}{number}"));
    }
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let trimmed = digits.trim_start_matches('0');
        return Some(format!("{sign}{}", if trimmed.is_empty() { "0" } else { trimmed }));
    }
    number(text)
}

/// A number as JSON has it.
fn number(text: &str) -> Option<String> {
    let plain = text.strip_prefix('+').unwrap_or(text);
    let filled = plain.strip_prefix('.').map_or_else(|| plain.to_owned(), |rest| format!("0.{rest}"));
    let is_number = filled.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && Json::parse(&filled).is_ok();
    is_number.then_some(filled)
}

#[cfg(test)]
mod tests {
    use super::super::tests::interface;
    use super::super::values::given;
    use super::*;

    const HEADER: &str = "#define MAX 7
        enum color { RED, GREEN };
        struct P { int x, y; };
        int f(int i, unsigned char b, double d, bool t, enum color c, const char *s, struct P *p,
              _In_reads_bytes_(n) const void *data, unsigned n, _In_reads_(m) const double *list, unsigned m, void *h,
              int (*callback)(int), _In_reads_(k) const struct P *points, int k);";

    fn of(word: &str) -> Result<String, String> {
        let interface = interface(HEADER);
        let words = [word.to_owned()];
        let given = given(&words).unwrap();
        let parameter = interface.functions[0].parameters.iter().find(|p| p.name == given[0].name).unwrap();
        let read = |file: &str| match file {
            "json" => Ok(b" {\"x\": 1} \n".to_vec()),
            "binary" => Ok(vec![0xff]),
            _ => Ok(b"abc".to_vec()),
        };
        value(&given[0], &parameter.ty, &interface, &read).map(|json| json.compact())
    }

    #[test]
    fn text_is_text_whatever_it_looks_like() {
        for (word, json) in [
            ("s=0123", "\"0123\""),
            ("s=true", "\"true\""),
            ("s=null", "\"null\""),
            ("s=", "\"\""),
            ("s='@x'", "\"@x\""),
            ("s=@file", "\"abc\""),
            ("s:=null", "null"),
        ] {
            assert_eq!(of(word).as_deref(), Ok(json), "{word}");
        }
        assert!(of("s=@binary").unwrap_err().contains("not UTF-8"));
    }

    #[test]
    fn numbers_may_be_written_as_in_c() {
        for (word, json) in [
            ("i=0x1F", "31"),
            ("i=-0x10", "-16"),
            ("i=007", "7"),
            ("i=MAX", "\"MAX\""),
            ("i=1e3", "1e3"),
            ("d=.5", "0.5"),
            ("d=nan", "\"NaN\""),
            ("t=TRUE", "true"),
            ("t=0", "false"),
            ("c=GREEN", "\"GREEN\""),
            ("c=1", "1"),
            ("i=123456789012345678901", "123456789012345678901"),
        ] {
            assert_eq!(of(word).as_deref(), Ok(json), "{word}");
        }
        assert!(of("i=MXA").unwrap_err().contains("did you mean `MAX`?"));
        assert!(
            of("c=GREN")
                .unwrap_err()
                .contains("`GREN` is no enumerator of color, which has RED, GREEN; did you mean `GREEN`?")
        );
        assert!(of("t=maybe").unwrap_err().contains("neither true nor false"));
        assert!(of("d=x").is_err());
    }

    #[test]
    fn buffers_are_files_text_or_base64() {
        for (word, json) in [
            ("data=@file", "\"YWJj\""),
            ("data='abc'", "\"YWJj\""),
            ("data=YWJj", "\"YWJj\""),
            ("data=lib.g1.2.0123456789ab", "\"lib.g1.2.0123456789ab\""),
        ] {
            assert_eq!(of(word).as_deref(), Ok(json), "{word}");
        }
        assert!(of("data=a file").unwrap_err().contains("write data=@FILE"));
    }

    #[test]
    fn lists_structures_handles_and_callbacks_are_json() {
        for (word, json) in [
            ("list=1,2.5,-3", "[1,2.5,-3]"),
            ("list=[1,2]", "[1,2]"),
            ("list=", "[]"),
            ("p={\"x\":1}", "{\"x\":1}"),
            ("p=@json", "{\"x\":1}"),
            ("h=lib.g1.2.0123456789ab", "\"lib.g1.2.0123456789ab\""),
            ("h=-1", "-1"),
            ("h=null", "null"),
            ("callback={\"returns\":0}", "{\"returns\":0}"),
            ("callback=null", "null"),
        ] {
            assert_eq!(of(word).as_deref(), Ok(json), "{word}");
        }
        assert!(of("p=5").unwrap_err().contains("p.x=…"));
        assert!(of("points=5").unwrap_err().contains("points='[…]'"));
        assert!(of("callback=x").unwrap_err().contains("{\"returns\": 0}"));
    }
}
