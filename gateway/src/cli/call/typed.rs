//! Values by their types: text for a string needs no quotes, a list no brackets, and a name of an enumerator is one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::interface::{Extent, Interface, Pointer, Type};

use super::values::{Place, Read, Written, bytes, called, is_composed, json};
use super::{buffers, scalars};
use crate::cli::words::is_bytes;
use crate::json::{Json, integer};

/// One value of a known type.
///
/// # Errors
/// What is wrong with it, with the name.
pub(super) fn value(
    place: Place,
    written: &Written,
    ty: &Type,
    interface: &Interface,
    read: Read,
) -> Result<Json, String> {
    match *written {
        Written::Json(text) => json(place, text),
        Written::File(file) => {
            let bytes = bytes(place, file, read)?;
            if is_buffer(ty) {
                return Ok(Json::text(&STANDARD.encode(bytes)));
            }
            let file = called(file);
            let text = String::from_utf8(bytes).map_err(|_| format!("{place}: {file} is not UTF-8 text"))?;
            if is_text(ty) {
                return Ok(Json::text(&text));
            }
            // What is in a file is not repeated: it may be long, or a secret.
            Json::parse(text.trim()).map_err(|error| format!("{place}: what is in {file} is not JSON: {error}"))
        }
        Written::Quoted(text) if is_buffer(ty) => Ok(Json::text(&STANDARD.encode(text))),
        Written::Quoted(text) => Ok(Json::text(text)),
        Written::Plain(text) => Plain { place, interface }.value(ty, text),
    }
}

/// Text, whatever stands in memory.
fn is_text(ty: &Type) -> bool {
    match ty {
        Type::Pointer(pointer) => match &pointer.extent {
            Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Bstr => true,
            Extent::One => is_text(&pointer.to),
            Extent::Elements { .. } | Extent::Handle { .. } => false,
        },
        Type::Array(array) => array.text.is_some(),
        _ => false,
    }
}

/// What travels as base64: bytes behind a pointer, or in an array.
pub(super) fn is_buffer(ty: &Type) -> bool {
    match ty {
        Type::Pointer(pointer) => match &pointer.extent {
            Extent::Elements { .. } => is_bytes(&pointer.to),
            Extent::One => is_buffer(&pointer.to),
            Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Bstr | Extent::Handle { .. } => false,
        },
        Type::Array(array) => array.text.is_none() && is_bytes(&array.of),
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

/// `{"$handle": "library.g1.3.2f9c04b7a1d8"}`, which stands for any pointer.
pub(super) fn handed(text: &str) -> Option<Json> {
    Json::parse(text).ok().filter(|json| json.get("$handle").is_some())
}

/// A value without quotes.
struct Plain<'a> {
    place: Place<'a>,
    interface: &'a Interface,
}

impl Plain<'_> {
    fn value(&self, ty: &Type, text: &str) -> Result<Json, String> {
        match ty {
            Type::Scalar(scalar) => scalars::value(self.place, text, scalar, self.interface),
            Type::Pointer(pointer) => self.pointer(pointer, text),
            Type::Array(array) if array.text.is_some() => Ok(Json::text(text)),
            Type::Array(array) if is_bytes(&array.of) => buffers::value(self.place, text),
            Type::Array(array) => self.list(&array.of, text),
            Type::Structure(structure) => match is_composed(text).then(|| json(self.place, text)).transpose()? {
                Some(object @ Json::Object(_)) => Ok(object),
                _ => Err(self.structure(structure, text)),
            },
            Type::Callback(_) if is_token(text) => Ok(Json::text(text)),
            Type::Callback(_) => json(self.place, text)
                .map_err(|error| format!("{error}; a callback is null or an object, such as {{\"returns\": 0}}")),
            Type::Void | Type::Unsupported { .. } => Ok(Json::parse(text).unwrap_or_else(|_| Json::text(text))),
        }
    }

    fn structure(&self, name: &str, text: &str) -> String {
        let own = self.place;
        let fields = self.interface.structures.get(name).map(|structure| structure.fields.as_slice());
        let first = fields.unwrap_or_default().iter().find(|field| !field.name.is_empty());
        let member = first.map_or("member", |field| field.name.as_str());
        format!(
            "{own}: {} is no structure: write its members, as in {own}.{member}=…, or an object, {own}='{{\"{member}\": …}}'",
            own.shown(text)
        )
    }

    fn pointer(&self, pointer: &Pointer, text: &str) -> Result<Json, String> {
        match &pointer.extent {
            Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Bstr => return Ok(Json::text(text)),
            // An array of characters is text as well.
            Extent::One if matches!(pointer.to, Type::Array(_)) && is_text(&pointer.to) => return Ok(Json::text(text)),
            _ if text == "null" => return Ok(Json::null()),
            _ => {}
        }
        if let Some(handle) = handed(text) {
            return Ok(handle);
        }
        match &pointer.extent {
            Extent::Handle { .. } => Ok(integer(text).map_or_else(|| Json::text(text), Json::scalar)),
            _ if is_token(text) => Ok(Json::text(text)),
            Extent::Elements { .. } if is_bytes(&pointer.to) => buffers::value(self.place, text),
            Extent::Elements { .. } => self.list(&pointer.to, text),
            _ => self.value(&pointer.to, text),
        }
    }

    /// `[1, 2]`, and `1,2` for numbers.
    fn list(&self, of: &Type, text: &str) -> Result<Json, String> {
        let place = self.place;
        let composed = is_composed(text).then(|| json(place, text)).transpose()?;
        match (composed, of) {
            (Some(list @ Json::List(_)), _) => Ok(list),
            (None, _) if text.is_empty() => Ok(Json::List(Vec::new())),
            (None, Type::Scalar(scalar)) => {
                let number = |part| scalars::value(place, part, scalar, self.interface);
                Ok(Json::List(elements(place, text)?.into_iter().map(number).collect::<Result<_, _>>()?))
            }
            _ => Err(format!("{place}: {} is no list: write it as JSON, {place}='[…]'", place.shown(text))),
        }
    }
}

/// The parts of `1,2,3`.
///
/// # Errors
/// One of them is empty: it is not guessed what was to be there.
pub(super) fn elements<'t>(place: Place, text: &'t str) -> Result<Vec<&'t str>, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    match parts.iter().position(|part| part.is_empty()) {
        Some(empty) => Err(format!(
            "{place}: element {empty} of {} is empty (the first is element 0); the empty list is {place}=",
            place.shown(text)
        )),
        None => Ok(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::interface;
    use super::super::values::given;
    use super::*;

    const HEADER: &str = "#define MAX 7
        enum color { RED, GREEN };
        struct P { int x, y; };
        typedef unsigned char md5[3]; typedef char label[8]; struct K { unsigned char a[2]; md5 sums[2]; };
        int f(int i, unsigned char b, double d, bool t, enum color c, const char *s, struct P *p,
              _In_reads_bytes_(n) const void *data, unsigned n, _In_reads_(m) const double *list, unsigned m, void *h,
              int (*callback)(int), _In_reads_(k) const struct P *points, int k, const md5 *sum, struct K key, const label *l);";

    fn of(word: &str) -> Result<String, String> {
        let interface = interface(HEADER);
        let words = [word.to_owned()];
        let given = given(&words).unwrap();
        let place = Place { name: given[0].name, sensitive: false };
        let parameter = interface.functions[0].parameters.iter().find(|p| p.name == given[0].name).unwrap();
        let read = |file: &str| match file {
            "json" => Ok(b" {\"x\": 1} \n".to_vec()),
            "binary" => Ok(vec![0xff]),
            _ => Ok(b"abc".to_vec()),
        };
        value(place, &given[0].value, &parameter.ty, &interface, &read).map(|json| json.compact())
    }

    #[test]
    fn text_is_text_whatever_it_looks_like() {
        for (word, json) in [
            ("s=0123", "\"0123\""),
            ("s=true", "\"true\""),
            ("s=null", "\"null\""),
            ("s=", "\"\""),
            ("s='@x'", "\"@x\""),
            ("s='a'b", "\"'a'b\""),
            ("s=@file", "\"abc\""),
            ("l=null", "\"null\""),
            ("l=@file", "\"abc\""),
            ("s:=null", "null"),
        ] {
            assert_eq!(of(word).as_deref(), Ok(json), "{word}");
        }
        assert!(of("s=@binary").unwrap_err().contains("not UTF-8"));
    }

    #[test]
    fn what_is_in_a_file_is_not_repeated() {
        let error = of("i=@file").unwrap_err();
        assert!(error.starts_with("i: what is in file is not JSON: ") && !error.contains("abc"), "{error}");
        assert!(of("points=@-").unwrap_err().starts_with("points: what is in standard input is not JSON: "));
    }

    #[test]
    fn buffers_are_files_text_numbers_or_base64_that_says_so() {
        for (word, json) in [
            ("data=@file", "\"YWJj\""),
            ("data='abc'", "\"YWJj\""),
            ("data=base64:YWJj", "\"YWJj\""),
            ("data=1,2,0xff", "\"AQL/\""),
            ("data:=\"YWJj\"", "\"YWJj\""),
            ("data=", "\"\""),
            ("data=null", "null"),
            ("data=lib.g1.2.0123456789ab", "\"lib.g1.2.0123456789ab\""),
            ("data={\"$handle\":\"x\"}", "{\"$handle\":\"x\"}"),
            ("sum=1,2,3", "\"AQID\""),
            ("sum=@file", "\"YWJj\""),
            ("sum='abc'", "\"YWJj\""),
        ] {
            assert_eq!(of(word).as_deref(), Ok(json), "{word}");
        }
        for word in ["data=test", "data=a file", "sum=YWJj"] {
            assert!(of(word).unwrap_err().contains("does not say which bytes"), "{word}");
        }
    }

    #[test]
    fn an_empty_element_is_no_element() {
        for word in ["list=1,,2", "list=,1,", "list=,"] {
            let error = of(word).unwrap_err();
            assert!(error.contains("is empty (the first is element 0)"), "{word}: {error}");
        }
    }

    #[test]
    fn json_that_is_broken_is_said_to_be() {
        for (word, why) in [
            ("p={\"x\":1", "EOF"),
            ("p={\"x\":1,}", "trailing comma"),
            ("list=[1,2,]", "trailing comma"),
            ("points={\"x\":1}}", "trailing characters"),
            ("callback={", "EOF"),
        ] {
            let error = of(word).unwrap_err();
            assert!(error.contains("is not JSON: ") && error.contains(why), "{word}: {error}");
        }
        assert!(of("p=[1]").unwrap_err().contains("`[1]` is no structure"));
        assert!(of("list={}").unwrap_err().contains("`{}` is no list"));
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
