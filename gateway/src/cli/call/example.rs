//! An example of a command line for a function: one that the shell and the function take as it is.

use bridge32_interface::needs::{self, Need};
use bridge32_protocol::interface::{Extent, Function, Interface, Pointer, Scalar, Type};

use crate::cli::words::is_bytes;

/// What a handle is written as: the only value that cannot be made up.
pub(in crate::cli) const TOKEN: &str = "TOKEN";

/// How long a buffer is made: long enough for what most functions put there.
const ROOM: &str = "256";

/// So many characters an array has at most, of arrays as well: a longer one has to be made by a program.
const LONGEST: usize = 400;

/// How deep structures are written out.
const MAX_DEPTH: usize = 4;

/// `bridge32 call LIB FUNCTION a=1 …`
pub(in crate::cli) fn command(library: &str, function: &Function, interface: &Interface) -> String {
    let mut words = vec![format!("bridge32 call {library} {}", quoted(&function.name))];
    words.extend(arguments(function, interface).iter().map(|word| quoted(word)));
    words.join(" ")
}

/// The words behind the function's name.
pub(super) fn arguments(function: &Function, interface: &Interface) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (index, (need, parameter)) in needs::of(function).into_iter().zip(&function.parameters).enumerate() {
        if need != Need::Required {
            continue;
        }
        let value = match leaf(&parameter.ty, interface) {
            Some(number) if number == "1" && needs::is_length(function, index) => ROOM.to_owned(),
            Some(value) => value,
            None => sample(&parameter.ty, interface, 0),
        };
        words.push(format!("{}={value}", parameter.name));
    }
    // A length that nothing else tells.
    let given = |name: &str| words.iter().any(|word| word.split('=').next() == Some(name));
    let lacking = needs::missing(function, given);
    let more: Vec<String> = lacking.iter().map(|parameter| format!("{}={ROOM}", parameter.name)).collect();
    words.extend(more);
    words
}

/// A value as a word; `None` for what is written as JSON.
fn leaf(ty: &Type, interface: &Interface) -> Option<String> {
    match ty {
        Type::Scalar(scalar) => Some(number(scalar, interface)),
        Type::Array(array) if array.text.is_some() => Some("text".to_owned()),
        Type::Pointer(pointer) => match &pointer.extent {
            Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Bstr => Some("text".to_owned()),
            Extent::Handle { .. } => Some(TOKEN.to_owned()),
            Extent::One => leaf(&pointer.to, interface),
            Extent::Elements { .. } if is_bytes(&pointer.to) => Some("aGVsbG8=".to_owned()),
            Extent::Elements { .. } => match &pointer.to {
                Type::Scalar(scalar) => Some([number(scalar, interface), number(scalar, interface)].join(",")),
                _ => None,
            },
        },
        _ => None,
    }
}

fn number(scalar: &Scalar, interface: &Interface) -> String {
    match scalar {
        Scalar::Integer(_) => "1".to_owned(),
        Scalar::Boolean(_) => "true".to_owned(),
        Scalar::Float | Scalar::Double => "1.5".to_owned(),
        Scalar::Enumeration(name) => {
            let first = interface.enumerations.get(name).and_then(|found| found.enumerators.first());
            first.map_or_else(|| "0".to_owned(), |(name, _)| name.clone())
        }
    }
}

/// A value as JSON.
fn sample(ty: &Type, interface: &Interface, depth: usize) -> String {
    match ty {
        Type::Void | Type::Unsupported { .. } => "null".to_owned(),
        Type::Scalar(scalar @ Scalar::Enumeration(_)) => format!("{:?}", number(scalar, interface)),
        Type::Scalar(scalar) => number(scalar, interface),
        Type::Callback(_) => "{\"returns\":0}".to_owned(),
        Type::Array(array) if array.text.is_some() => "\"text\"".to_owned(),
        Type::Array(array) => {
            let element = sample(&array.of, interface, depth + 1);
            let count = usize::try_from(array.count).unwrap_or_default().min(LONGEST / (element.len() + 1));
            format!("[{}]", vec![element; count].join(","))
        }
        Type::Structure(name) => structure(name, interface, depth),
        Type::Pointer(pointer) => pointee(pointer, interface, depth),
    }
}

fn pointee(pointer: &Pointer, interface: &Interface, depth: usize) -> String {
    match &pointer.extent {
        // What C code leaves null.
        _ if depth > MAX_DEPTH => "null".to_owned(),
        Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Bstr => "\"text\"".to_owned(),
        Extent::Handle { .. } if depth == 0 => format!("{TOKEN:?}"),
        Extent::Handle { .. } => "null".to_owned(),
        Extent::One => sample(&pointer.to, interface, depth + 1),
        Extent::Elements { .. } if is_bytes(&pointer.to) => "\"aGVsbG8=\"".to_owned(),
        Extent::Elements { .. } => format!("[{}]", sample(&pointer.to, interface, depth + 1)),
    }
}

fn structure(name: &str, interface: &Interface, depth: usize) -> String {
    use bridge32_protocol::interface::StructureKind;
    let Some(structure) = interface.structures.get(name).filter(|_| depth <= MAX_DEPTH) else { return "{}".to_owned() };
    // Of a union exactly one member; pointers may be left out.
    let most = if structure.kind == StructureKind::Union { 1 } else { usize::MAX };
    let mut members = Vec::new();
    for field in structure.fields.iter().take(most) {
        if matches!(field.ty, Type::Pointer(_) | Type::Callback(_)) && structure.kind == StructureKind::Struct {
            continue;
        }
        let value = sample(&field.ty, interface, depth + 1);
        if field.name.is_empty() {
            // The members of an anonymous structure are members of this one.
            let inner = value.trim_start_matches('{').trim_end_matches('}');
            members.extend((field.bits.is_none() && !inner.is_empty()).then(|| inner.to_owned()));
        } else {
            members.push(format!("\"{}\":{value}", field.name));
        }
    }
    format!("{{{}}}", members.join(","))
}

/// A word as a POSIX shell takes it.
pub(in crate::cli) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.,=:/+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::arguments::object;
    use super::super::tests::interface;
    use super::super::values::given;
    use super::*;

    const HEADER: &str = "enum color { RED, GREEN }; struct P { int x; double y[2]; const char *s; union { int a; char b; }; };
        int f(int i, enum color c, const char *s, const struct P *p, struct P q, _In_reads_bytes_(n) const void *data, unsigned n,
              _In_reads_(m) const int *list, unsigned m, _Out_writes_(k) char *out, int k, struct opaque *h, int (*cb)(int));";

    #[test]
    fn the_example_can_be_typed_as_it_is() {
        let interface = interface(HEADER);
        let line = command("lib", &interface.functions[0], &interface);
        assert_eq!(
            line,
            "bridge32 call lib f i=1 c=RED s=text 'p={\"x\":1,\"y\":[1.5,1.5],\"a\":1}' 'q={\"x\":1,\"y\":[1.5,1.5],\"a\":1}' \
             data=aGVsbG8= list=1,1 k=256 h=TOKEN"
        );
        let words = arguments(&interface.functions[0], &interface);
        let read = |_: &str| Ok(Vec::new());
        object(&given(&words).unwrap(), &interface.functions[0], &interface, &read).unwrap();
    }

    #[test]
    fn arrays_of_arrays_are_not_written_out() {
        let interface =
            interface("struct S { short m[9][9][9][9][9][9][9][9]; int few[3]; }; int f(const struct S *s);");
        let line = command("lib", &interface.functions[0], &interface);
        assert!(line.len() < 1000 && line.ends_with("\"few\":[1,1,1]}'"), "{line}");
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("a=b"), "a=b");
        assert_eq!(quoted("a=it's"), "'a=it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
