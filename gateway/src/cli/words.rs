//! Types, directions and lengths of an interface in words for a person at a terminal, in terms of JSON.

use bridge32_protocol::interface::{
    Direction, Encoding, Expression, Extent, Interface, Length, Parameter, Pointer, Scalar, Type, Unit,
};
use bridge32_protocol::target::Target;

/// So many names are listed before the rest is left out.
const MAX_NAMES: usize = 8;

/// What words are about: the interface, and the ABI that decides widths.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    /// The interface.
    pub(super) interface: &'a Interface,
    /// The library's target.
    pub(super) target: Target,
}

impl Words<'_> {
    /// A type as JSON has it. `names` are those that lengths refer to.
    pub(super) fn of(&self, ty: &Type, names: &[&str]) -> String {
        match ty {
            Type::Void => "nothing (null)".to_owned(),
            Type::Scalar(scalar) => self.scalar(scalar),
            Type::Pointer(pointer) => self.pointer(pointer, names),
            Type::Structure(name) => format!("object {name} {}", self.members(name)),
            Type::Array(array) => match &array.text {
                Some(encoding) => format!("text{}, at most {} characters", encoded(encoding), array.count),
                None if is_bytes(&array.of) => format!("bytes (base64), {} of them", array.count),
                None => format!("list of {} × {}", array.count, self.of(&array.of, names)),
            },
            Type::Callback(_) => "callback, such as {\"returns\": 0}".to_owned(),
            Type::Unsupported { spelling } => spelling.clone(),
        }
    }

    fn scalar(&self, scalar: &Scalar) -> String {
        match scalar {
            Scalar::Integer(integer) => {
                let (least, most) = integer.range(self.target);
                format!("integer from {least} to {most}")
            }
            Scalar::Boolean(_) => "true or false".to_owned(),
            Scalar::Float | Scalar::Double => "number".to_owned(),
            Scalar::Enumeration(name) => {
                let enumerators = self.interface.enumerations.get(name).map(|found| found.enumerators.as_slice());
                let enumerators = enumerators.unwrap_or_default().iter().map(|(enumerator, _)| enumerator.as_str());
                format!("one of {}", some(enumerators, "no enumerators"))
            }
        }
    }

    fn pointer(&self, pointer: &Pointer, names: &[&str]) -> String {
        match &pointer.extent {
            Extent::One => self.of(&pointer.to, names),
            Extent::Text(encoding) => format!("text{}", encoded(encoding)),
            Extent::Bstr => "text".to_owned(),
            Extent::TextBuffer { encoding, capacity, .. } => {
                format!("text{} in a buffer of {}", encoded(encoding), counted(capacity, "characters", names))
            }
            Extent::Elements { capacity, .. } if is_bytes(&pointer.to) => {
                format!("bytes (base64), {} of them", length(capacity, names))
            }
            Extent::Elements { capacity, .. } => {
                format!("list of {} × {}", length(capacity, names), self.of(&pointer.to, names))
            }
            Extent::Handle { kind, .. } => format!("handle ({kind}): a token that an earlier call answered"),
        }
    }

    fn members(&self, name: &str) -> String {
        let fields = self.interface.structures.get(name).map(|structure| structure.fields.as_slice());
        let fields = fields.unwrap_or_default().iter().map(|field| field.name.as_str());
        format!("{{{}}}", some(fields.filter(|name| !name.is_empty()), ""))
    }
}

/// A list that ends before it gets boring.
pub(super) fn some<'n>(names: impl Iterator<Item = &'n str>, none: &str) -> String {
    let all: Vec<&str> = names.collect();
    match all.len() {
        0 => none.to_owned(),
        count if count > MAX_NAMES => format!("{}, … ({} more)", all[..MAX_NAMES].join(", "), count - MAX_NAMES),
        _ => all.join(", "),
    }
}

/// Whether it is shown as base64.
pub(crate) fn is_bytes(ty: &Type) -> bool {
    use bridge32_protocol::interface::Width;
    match ty {
        Type::Void => true,
        Type::Scalar(Scalar::Integer(integer)) => integer.width == Width::W8,
        _ => false,
    }
}

/// Which way the data of a parameter goes.
pub(super) const fn direction(parameter: &Parameter) -> &'static str {
    match parameter.direction {
        Direction::In => "in",
        Direction::Out => "out",
        Direction::InOut => "in-out",
    }
}

/// The encoding of text, where it is not the usual one.
fn encoded(encoding: &Encoding) -> String {
    match encoding {
        Encoding::Utf8 => String::new(),
        Encoding::Wide => " (wchar_t)".to_owned(),
        Encoding::Utf16 => " (utf-16)".to_owned(),
        Encoding::Ansi => " (ansi)".to_owned(),
        Encoding::CodePage(label) => format!(" ({label})"),
    }
}

fn counted(length_of: &Length, elements: &str, names: &[&str]) -> String {
    let unit = if length_of.unit == Unit::Bytes { "bytes" } else { elements };
    format!("{} {unit}", length(length_of, names))
}

/// A length as the header has it.
pub(crate) fn length(length: &Length, names: &[&str]) -> String {
    expression(&length.count, names)
}

fn expression(count: &Expression, names: &[&str]) -> String {
    let name = |index: u32| usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or("?");
    let pair = |a, sign, b| format!("{} {sign} {}", expression(a, names), expression(b, names));
    match count {
        Expression::Constant(number) => number.to_string(),
        Expression::Parameter(index) | Expression::Pointee(index) => name(*index).to_owned(),
        Expression::Result => "the result".to_owned(),
        Expression::Add(a, b) => pair(a, "+", b),
        Expression::Subtract(a, b) => pair(a, "-", b),
        Expression::Multiply(a, b) => pair(a, "*", b),
        Expression::Divide(a, b) => pair(a, "/", b),
    }
}

/// `1 function`, `2 functions`.
pub(super) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Lines of at most `WIDTH` columns, each with the indent.
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    const WIDTH: usize = 100;
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        let full = indent + line.chars().count() + 1 + word.chars().count() > WIDTH;
        if full && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    let space = " ".repeat(indent);
    lines.iter().map(|line| format!("{space}{line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The first sentence of a description.
pub(super) fn first_sentence(text: &str) -> String {
    let paragraph = text.trim_start().split("\n\n").next().unwrap_or_default();
    let folded = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = folded.match_indices(". ").map(|(at, _)| at).find(|at| {
        // Not behind an abbreviation such as “e.g.”.
        let word = folded[..*at].rsplit(' ').next().unwrap_or_default();
        !word.contains('.') && word.chars().count() > 1
    });
    end.map_or(folded.as_str(), |end| &folded[..end]).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(declaration: &str) -> Vec<String> {
        let source = bridge32_interface::Source { name: "a.h", text: declaration.as_bytes() };
        let read = bridge32_interface::read(&[source], &bridge32_interface::Options::new(Target::Win32));
        let words = Words { interface: &read.interface, target: Target::Win32 };
        let function = &read.interface.functions[0];
        let names: Vec<&str> = function.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        function.parameters.iter().map(|parameter| words.of(&parameter.ty, &names)).collect()
    }

    #[test]
    fn each_kind_of_type_has_words() {
        let header = "enum color { RED, GREEN }; struct P { int x, y; }; typedef unsigned char md5[16];
            int f(unsigned char a, enum color b, double c, const char *d, const wchar_t *e, struct P *g,
                  _In_reads_bytes_(n) const void *h, unsigned n, _In_reads_(4) const short *i, void *j, bool k, const md5 *l);";
        assert_eq!(
            of(header),
            [
                "integer from 0 to 255",
                "one of RED, GREEN",
                "number",
                "text",
                "text (wchar_t)",
                "object P {x, y}",
                "bytes (base64), n of them",
                "integer from 0 to 4294967295",
                "list of 4 × integer from -32768 to 32767",
                "handle (void): a token that an earlier call answered",
                "true or false",
                "bytes (base64), 16 of them",
            ]
        );
    }

    #[test]
    fn a_sentence_ends_where_people_end_it() {
        assert_eq!(first_sentence("Reads a card. Fails without one."), "Reads a card");
        assert_eq!(first_sentence("Opens, e.g. a file. Or not."), "Opens, e.g. a file");
        assert_eq!(first_sentence("Adds\n two numbers\n\nMore text."), "Adds two numbers");
        assert_eq!(first_sentence(""), "");
    }

    #[test]
    fn long_texts_are_wrapped_between_words() {
        let text = wrapped(&"word ".repeat(30), 4);
        assert!(
            text.lines().count() == 2 && text.lines().all(|line| line.starts_with("    word") && line.len() <= 100)
        );
        assert_eq!((count(1, "function"), count(2, "function")), ("1 function".into(), "2 functions".into()));
    }
}
