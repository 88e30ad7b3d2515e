//! What stands where in the JSON of a call, for whoever shows it: which of its texts are bytes in base64.

use bridge32_protocol::interface::{Extent, Function, Interface, Parameter, Structure, Type};

use crate::schema::is_bytes;

/// Structures that are nested more deeply without a name are not looked into.
const MAX_DEPTH: usize = 32;

/// A place in a call's JSON, and what the interface says of it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    interface: &'a Interface,
    at: At<'a>,
}

#[derive(Clone, Copy, Debug)]
enum At<'a> {
    /// An object of parameters: the arguments, or the outputs.
    Parameters(&'a Function),
    /// An object with `result` and `outputs`.
    Answer(&'a Function),
    Value(&'a Type),
}

/// The parameters that are buffers of bytes, which need not be JSON: those that have a length.
pub fn byte_buffers(function: &Function) -> impl Iterator<Item = &Parameter> {
    function.parameters.iter().filter(|parameter| match &parameter.ty {
        Type::Pointer(pointer) => matches!(pointer.extent, Extent::Elements { .. }) && is_bytes(&pointer.to),
        _ => false,
    })
}

impl<'a> Place<'a> {
    /// The arguments of a function.
    pub const fn arguments(interface: &'a Interface, function: &'a Function) -> Self {
        Self { interface, at: At::Parameters(function) }
    }

    /// What it answers: an object with `result` and `outputs`.
    pub const fn answer(interface: &'a Interface, function: &'a Function) -> Self {
        Self { interface, at: At::Answer(function) }
    }

    /// A member of the object that stands here; `None` where the interface knows none.
    pub fn member(self, name: &str) -> Option<Self> {
        let at = match (self.at, name) {
            (At::Answer(function), "result") => At::Value(&function.result),
            (At::Answer(function), "outputs") => At::Parameters(function),
            (At::Answer(_), _) => return None,
            (At::Parameters(function), _) => {
                At::Value(&function.parameters.iter().find(|parameter| parameter.name == name)?.ty)
            }
            (At::Value(ty), _) => match behind(ty) {
                Type::Structure(structure) => {
                    At::Value(self.field(self.interface.structures.get(structure)?, name, 0)?)
                }
                _ => return None,
            },
        };
        Some(Self { at, ..self })
    }

    /// An element of the list that stands here.
    pub fn element(self) -> Option<Self> {
        let At::Value(ty) = self.at else { return None };
        let of = match ty {
            Type::Array(array) => &array.of,
            Type::Pointer(pointer) => &pointer.to,
            _ => return None,
        };
        Some(Self { at: At::Value(of), ..self })
    }

    /// Whether a text that stands here is base64, unless it is the token of a handle.
    pub fn is_bytes(self) -> bool {
        let At::Value(ty) = self.at else { return false };
        match behind(ty) {
            Type::Array(array) => array.text.is_none() && is_bytes(&array.of),
            Type::Pointer(pointer) => matches!(pointer.extent, Extent::Elements { .. }) && is_bytes(&pointer.to),
            _ => false,
        }
    }

    /// A field by its name, also of a structure in it that has none.
    fn field(self, structure: &'a Structure, name: &str, depth: usize) -> Option<&'a Type> {
        structure.fields.iter().filter(|_| depth < MAX_DEPTH).find_map(|field| match &field.ty {
            Type::Structure(inner) if field.name.is_empty() => {
                self.field(self.interface.structures.get(inner)?, name, depth + 1)
            }
            ty => (field.name == name).then_some(ty),
        })
    }
}

/// What JSON has in the place of a pointer to one value: the value.
fn behind(ty: &Type) -> &Type {
    match ty {
        Type::Pointer(pointer) if matches!(pointer.extent, Extent::One) => behind(&pointer.to),
        ty => ty,
    }
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::target::Target;

    use super::*;
    use crate::{Options, Source, read};

    fn is_bytes_at(way: &str) -> bool {
        let text = b"typedef struct { unsigned char id[4]; char name[8]; union { unsigned char raw[2]; int number; }; } Card;
            int Read(_In_reads_(length) const unsigned char *data, int length, _Out_ Card *card, Card cards[2], const char *text);";
        let header = read(&[Source { name: "test.h", text }], &Options::new(Target::Linux32));
        let function = &header.interface.functions[0];
        let (side, way) = way.split_once('.').unwrap();
        let begin = match side {
            "args" => Place::arguments(&header.interface, function),
            _ => Place::answer(&header.interface, function),
        };
        let mut place = Some(begin);
        for name in way.split('.') {
            place = place.and_then(|place| if name == "0" { place.element() } else { place.member(name) });
        }
        place.is_some_and(Place::is_bytes)
    }

    #[test]
    fn bytes_are_told_from_texts_wherever_they_stand() {
        for way in ["args.data", "answer.outputs.card.id", "answer.outputs.card.raw", "args.cards.0.id"] {
            assert!(is_bytes_at(way), "{way}");
        }
        for way in
            ["args.length", "args.text", "answer.result", "answer.outputs.card.name", "args.none", "args.data.id"]
        {
            assert!(!is_bytes_at(way), "{way}");
        }
        assert!(!is_bytes_at("answer.call_id") && !is_bytes_at("args.length.0"));
    }
}
