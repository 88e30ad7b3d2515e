//! An example of a command line for a function, which the shell and the function take as it is: the example of the function's
//! schema, in words.

use bridge32_interface::schema::schemas;
use bridge32_protocol::interface::{Function, Int64, Interface, Parameter, Type};
use bridge32_protocol::target::Target;
use serde_json::Value;

use super::typed::{self, is_buffer, is_token};
use super::values::{Given, Place, Written};
use super::{buffers, values};
use crate::json::Json;

/// What a handle is written as: the only value that cannot be made up.
pub(in crate::cli) const TOKEN: &str = "TOKEN";

/// `bridge32 call LIB FUNCTION a=1 …`; `None` where the arguments are too large to be written.
pub(in crate::cli) fn command(
    library: &str,
    function: &Function,
    interface: &Interface,
    target: Target,
) -> Option<String> {
    let mut words = vec![format!("bridge32 call {library} {}", quoted(&function.name))];
    words.extend(arguments(function, interface, target)?.iter().map(|word| quoted(word)));
    Some(words.join(" "))
}

/// The words behind the function's name.
pub(super) fn arguments(function: &Function, interface: &Interface, target: Target) -> Option<Vec<String>> {
    let alone = Interface {
        functions: vec![function.clone()],
        variables: Vec::new(),
        // Both are accepted, and numbers are easier to type.
        int64: Int64::Number,
        ..interface.clone()
    };
    let schemas = schemas(&alone, target, "library", &mut str::to_owned);
    let example = schemas.functions.into_values().next()?.arguments.example?;
    let members = example.as_object()?.iter().map(|(name, value)| {
        let parameter = function.parameters.iter().find(|parameter| parameter.name == *name)?;
        Some(word(parameter, &with_tokens(value), interface))
    });
    members.collect()
}

/// The value with what stands for a handle in the places of those that the schema has made up.
fn with_tokens(value: &Value) -> Value {
    match value {
        Value::String(text) if is_token(text) => TOKEN.into(),
        Value::Array(elements) => elements.iter().map(with_tokens).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), with_tokens(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// The easiest of the words that are read as this value.
fn word(parameter: &Parameter, value: &Value, interface: &Interface) -> String {
    let Parameter { name, ty, .. } = parameter;
    let json = value.to_string();
    let read = |text: &String| {
        let word = [format!("{name}={text}")];
        let given = values::given(&word).ok()?;
        let [given @ Given { value: Written::Plain(_), .. }] = given.as_slice() else { return None };
        let place = Place { name, sensitive: parameter.sensitive };
        typed::value(place, &given.value, ty, interface, &|_| Err(std::io::ErrorKind::NotFound.into())).ok()
    };
    let same = |text: &String| read(text).as_ref().map(Json::compact).as_ref() == Some(&json);
    let easiest = plain(ty, value).into_iter().chain([json.clone()]).find(same);
    easiest.map_or_else(|| format!("{name}:={json}"), |text| format!("{name}={text}"))
}

/// The ways to write a value that are easier than JSON.
fn plain(ty: &Type, value: &Value) -> Vec<String> {
    let bare = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::String(base64) if is_buffer(ty) => buffers::words(base64),
        Value::String(text) => vec![text.clone()],
        Value::Array(elements) => vec![elements.iter().map(bare).collect::<Vec<_>>().join(",")],
        _ => Vec::new(),
    }
}

/// A word as a shell takes it: PowerShell on Windows, else a POSIX shell.
pub(in crate::cli) fn quoted(word: &str) -> String {
    // `@` means something to PowerShell.
    let marks = if cfg!(windows) { "_-.,=:/+%\\" } else { "_-.,=:/+@%" };
    let plain = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', if cfg!(windows) { "''" } else { "'\\''" }))
    }
}

#[cfg(test)]
mod tests {
    use bridge32_interface::schema::json_schema;
    use serde_json::json;

    use super::super::arguments::object;
    use super::super::tests::interface;
    use super::super::values::given;
    use super::*;

    fn line(header: &str) -> String {
        let interface = interface(header);
        command("lib", &interface.functions[0], &interface, Target::Win32).unwrap()
    }

    /// Checks that the examples of a header's functions are read as what their schemas allow, and says how many there are.
    fn checked(header: &str) -> usize {
        let interface = interface(header);
        let described = schemas(&interface, Target::Win32, "library", &mut str::to_owned);
        let all: serde_json::Map<String, Value> = described.components.into_iter().chain(described.shared).collect();
        let mut count = 0;
        for (number, schemas) in described.functions {
            let function = &interface.functions[number];
            let Some(words) = arguments(function, &interface, Target::Win32) else { continue };
            let read = |_: &str| Err(std::io::ErrorKind::NotFound.into());
            let object = object(&given(&words).unwrap(), function, &interface, &read);
            let object = object.unwrap_or_else(|error| panic!("{}: {words:?}: {error}", function.name));
            let mut schema = json_schema(&schemas.arguments.schema);
            schema["components"] = json!({"schemas": json_schema(&all.clone().into())});
            let validator = jsonschema::validator_for(&schema).unwrap();
            let value: Value = serde_json::from_str(&object.compact()).unwrap();
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {words:?}: {errors:?}", function.name);
            count += 1;
        }
        count
    }

    #[test]
    fn the_examples_of_real_headers_are_what_their_schemas_allow() {
        for header in [
            include_str!("../../../../demo/demo.h"),
            include_str!("../../../../demo/zlib.h"),
            include_str!("../../../../tests/fixtures/sqlite3.h"),
            include_str!("../../../../tests/fixtures/passing.h"),
        ] {
            let functions = interface(header).functions;
            let callable = functions.iter().filter(|function| function.unsupported.is_none()).count();
            assert!(callable >= 7 && checked(header) == callable, "{callable} in {}", &header[..80]);
        }
    }

    #[test]
    fn each_kind_of_value_is_written_as_it_is_typed_easiest() {
        let header = "enum color { RED, GREEN };
            struct P { int x; double y[2]; const char *s; union { int a; char b; }; int low : 1; unsigned char sum[3]; };
            int f(int i, enum color c, const char *s, const struct P *p, _In_reads_bytes_(n) const void *data, unsigned n,
                  _In_reads_(m) const int *list, unsigned m, _Out_writes_(k) char *out, int k, struct opaque *h, int (*cb)(int),
                  const wchar_t *w, float z, _In_reads_(2) const enum color *colors);";
        assert_eq!(
            line(header),
            "bridge32 call lib f i=1 c=RED s=text 'p={\"x\":1,\"y\":[1.5,1.5],\"a\":1,\"low\":0,\"sum\":\"AQID\"}' data=1,2 \
             list=1,1 k=64 h=TOKEN w=text z=1.5 colors=RED,RED"
        );
        assert_eq!(checked(header), 1);
    }

    #[test]
    fn many_bytes_are_written_as_base64_and_handles_as_what_stands_for_them() {
        assert_eq!(
            line("int f(_In_reads_bytes_(30) const void *data, struct o *o);"),
            "bridge32 call lib f data=base64:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e o=TOKEN"
        );
    }

    #[test]
    fn what_is_too_large_has_no_example() {
        let interface = interface("int f(_In_reads_(100000) const int *a);");
        assert_eq!(command("lib", &interface.functions[0], &interface, Target::Win32), None);
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("a=b"), "a=b");
        assert_eq!(quoted("a=it's"), "'a=it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
