//! The arguments behind `...`: a list of `{"type", "value"}`, because only the caller knows what they are.
//!
//! The types are those that C passes there after its default promotions (C17, 6.5.2.2), pointers to numbers that the
//! function writes (as `sscanf` does), and buffers for text.

use bridge32_protocol::interface::{
    Direction, Encoding, Expression, Extent, Integer, Length, Parameter, Pointer, Scalar, Type, Unit, Width,
};
use bridge32_protocol::wire::Fault;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::mismatch;
use super::place::At;

/// The name of the list among the arguments and the outputs.
pub(super) const NAME: &str = "...";

/// More are refused; no format string is longer.
const MAX_ARGUMENTS: usize = 100;

/// What `type` may be, for error texts.
const TYPES: &str = "int, unsigned int, long, unsigned long, long long, unsigned long long, size_t, char, \
    short, float, double (and unsigned ones), const char*, const wchar_t*, void*, a pointer to one of the numbers such as \
    int* or double*, or a buffer for text such as char[100] or wchar_t[100]";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Argument<'a> {
    #[serde(rename = "type", borrow)]
    ty: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    encoding: Option<String>,
}

/// Reads the list: for each argument what it is, as a parameter named `...0`, and its value. `sensitive`: values in it may
/// not be repeated.
///
/// # Errors
/// It is no such list.
pub(super) fn read<'a>(
    list: &'a RawValue,
    sensitive: bool,
    root: &At<'_>,
) -> Result<Vec<(Parameter, Option<&'a RawValue>)>, Fault> {
    let at = root.member(NAME).hidden(sensitive);
    let shape = "must be an array of objects such as {\"type\": \"int\", \"value\": 5}";
    let items: Vec<&RawValue> = serde_json::from_str(list.get())
        .map_err(|_| mismatch(&at, format!("`...` {shape}, not {}", at.shown(list.get()))))?;
    if items.len() > MAX_ARGUMENTS {
        return Err(mismatch(&at, format!("`...` has {} arguments; at most {MAX_ARGUMENTS} are passed", items.len())));
    }
    let mut arguments = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let at = at.element(index);
        let argument: Argument<'_> = serde_json::from_str(item.get())
            .map_err(|error| mismatch(&at, format!("`...` {shape}: {}", at.complaint(&error))))?;
        let (ty, direction) = type_of(&argument.ty, argument.encoding.as_deref()).ok_or_else(|| {
            let at = at.member("type");
            let given = if at.is_sensitive() { "this".to_owned() } else { format!("{:?}", argument.ty) };
            mismatch(&at, format!("{given} is none of the types {TYPES}"))
        })?;
        let parameter = Parameter {
            name: format!("{NAME}{index}"),
            ty,
            direction,
            optional: false,
            releases: None,
            sensitive,
            description: String::new(),
        };
        arguments.push((parameter, argument.value));
    }
    Ok(arguments)
}

/// The type that is spelled so, and which way its data goes.
fn type_of(spelling: &str, encoding: Option<&str>) -> Option<(Type, Direction)> {
    let words: Vec<&str> = spelling.split_whitespace().collect();
    let spelling = words.join(" ");
    let narrow = encoding.map_or(Encoding::Utf8, |label| match label {
        "ansi" => Encoding::Ansi,
        label => Encoding::CodePage(label.to_owned()),
    });
    if let Some((of, count)) = spelling.strip_suffix(']').and_then(|inner| inner.split_once('[')) {
        let count: u32 = count.trim().parse().ok().filter(|count| *count > 0)?;
        let capacity = Length { count: Expression::Constant(count.into()), unit: Unit::Elements };
        let (width, encoding) = match of.trim() {
            "char" => (Width::W8, narrow),
            "wchar_t" => (Width::Wchar, Encoding::Wide),
            _ => return None,
        };
        return Some((
            pointer(integer(width, true), Extent::TextBuffer { encoding, capacity, written: None }),
            Direction::Out,
        ));
    }
    if let Some(to) = spelling.strip_suffix('*') {
        let (ty, direction) = match to.trim() {
            "const char" | "char" => (pointer(integer(Width::W8, true), Extent::Text(narrow)), Direction::In),
            "const wchar_t" | "wchar_t" => {
                (pointer(integer(Width::Wchar, false), Extent::Text(Encoding::Wide)), Direction::In)
            }
            "void" | "const void" => {
                let extent = Extent::Handle { kind: "void".to_owned(), system: false };
                (pointer(Type::Void, extent), Direction::In)
            }
            to => (pointer(Type::Scalar(number(to).or_else(|| small(to))?), Extent::One), Direction::InOut),
        };
        return Some((ty, direction));
    }
    let scalar = match number(&spelling).or_else(|| small(&spelling))? {
        Scalar::Float => Scalar::Double,
        scalar => scalar,
    };
    Some((Type::Scalar(scalar), Direction::In))
}

fn pointer(to: Type, extent: Extent) -> Type {
    Type::Pointer(Box::new(Pointer { to, constant: false, extent, freed_by: None }))
}

const fn integer(width: Width, signed: bool) -> Type {
    Type::Scalar(Scalar::Integer(Integer { width, signed }))
}

/// The numbers that are passed as they are.
fn number(spelling: &str) -> Option<Scalar> {
    let (width, signed) = match spelling {
        "int" | "signed int" => (Width::W32, true),
        "unsigned int" | "unsigned" => (Width::W32, false),
        "long" => (Width::Long, true),
        "unsigned long" => (Width::Long, false),
        "long long" => (Width::W64, true),
        "unsigned long long" => (Width::W64, false),
        "size_t" => (Width::Pointer, false),
        "double" => return Some(Scalar::Double),
        _ => return None,
    };
    Some(Scalar::Integer(Integer { width, signed }))
}

/// Those that C widens when they are passed: a `float` becomes a `double`, and the plan extends the others.
fn small(spelling: &str) -> Option<Scalar> {
    let (width, signed) = match spelling {
        "char" | "signed char" => (Width::W8, true),
        "unsigned char" => (Width::W8, false),
        "short" => (Width::W16, true),
        "unsigned short" => (Width::W16, false),
        "float" => return Some(Scalar::Float),
        _ => return None,
    };
    Some(Scalar::Integer(Integer { width, signed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(list: &str) -> Result<Vec<Parameter>, Fault> {
        let raw = RawValue::from_string(list.to_owned()).unwrap();
        read(&raw, false, &At::ROOT).map(|arguments| arguments.into_iter().map(|(parameter, _)| parameter).collect())
    }

    #[test]
    fn each_argument_says_its_type() {
        let list =
            r#"[{"type":"int","value":5},{"type":"const  char *","value":"x"},{"type":"double*"},{"type":"char[20]"}]"#;
        let arguments = read_text(list).unwrap();
        assert_eq!(arguments[0].ty, integer(Width::W32, true));
        let directions: Vec<Direction> = arguments.iter().map(|argument| argument.direction).collect();
        assert_eq!(directions, [Direction::In, Direction::In, Direction::InOut, Direction::Out]);
        assert_eq!(arguments[3].name, "...3");
        let promoted = read_text(r#"[{"type":"float","value":1},{"type":"char","value":66}]"#).unwrap();
        assert_eq!(promoted[0].ty, Type::Scalar(Scalar::Double));
        assert_eq!(promoted[1].ty, integer(Width::W8, true));
    }

    #[test]
    fn what_c_does_not_pass_there_is_refused_with_its_place() {
        for (list, pointer) in [
            (r#"{"type":"int"}"#, "/..."),
            (r"[5]", "/.../0"),
            (r#"[{"type":"int","value":1},{"type":"wchar_t","value":1}]"#, "/.../1/type"),
            (r#"[{"type":"long double","value":1}]"#, "/.../0/type"),
            (r#"[{"type":"char[0]"}]"#, "/.../0/type"),
            (r#"[{"type":"struct x"}]"#, "/.../0/type"),
            (r#"[{"type":"int","valeu":1}]"#, "/.../0"),
            (r#"[{"value":1}]"#, "/.../0"),
        ] {
            assert_eq!(read_text(list).unwrap_err().pointer.as_deref(), Some(pointer), "{list}");
        }
        let many = format!("[{}]", vec![r#"{"type":"int","value":1}"#; 101].join(","));
        assert!(read_text(&many).unwrap_err().detail.contains("at most 100"));
    }
}
