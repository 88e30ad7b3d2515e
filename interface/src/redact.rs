//! Takes the sensitive values out of what is kept of a call: its arguments, and its answer. Everything else stays as it was
//! written, digit by digit.
//!
//! What is not as the interface says is taken out, too: a secret under a name that was misspelt, or in the wrong place, is
//! one all the same. So is a text that is no JSON. Marks are those of the interface ([`crate::sensitive`]).

use bridge32_protocol::interface::{Function, Interface, Parameter, Signature, Structure, Type};
use bridge32_protocol::json::members;
use bridge32_protocol::wire::Digest;
use serde_json::value::RawValue;

use crate::schema::is_bytes;

/// What stands in the place of a sensitive value, as JSON text.
pub const MARKER: &str = "\"«redacted»\"";

/// Values that are nested more deeply are taken out as a whole.
const MAX_DEPTH: usize = 128;

/// The arguments of a call, an object, without what is sensitive.
pub fn arguments(interface: &Interface, function: &Function, json: &str) -> String {
    Redaction { interface }.text(json, |redaction, name, value, kept| {
        redaction.argument(function, name, value, kept);
    })
}

/// The answer to a call, an object with `result` and `outputs`, without what is sensitive. Its other members stay.
pub fn answer(interface: &Interface, function: &Function, json: &str) -> String {
    Redaction { interface }.text(json, |redaction, name, value, kept| match name {
        "result" if function.sensitive_result => kept.push_str(MARKER),
        "result" => redaction.value(&function.result, value, 0, kept),
        "outputs" => redaction.object(value, 0, kept, |redaction, name, value, kept| {
            redaction.argument(function, name, value, kept);
        }),
        _ => kept.push_str(value.get()),
    })
}

/// Whether a call of the function can have a sensitive value, as far as the interface says: in an argument, in its answer, in a
/// callback, or in any structure of the interface.
pub fn has_any(interface: &Interface, function: &Function) -> bool {
    has_marked_field(interface) || has_own(function)
}

/// The same of all its functions, by their numbers.
pub fn having_any(interface: &Interface) -> Vec<bool> {
    let in_structures = has_marked_field(interface);
    interface.functions.iter().map(|function| in_structures || has_own(function)).collect()
}

fn has_marked_field(interface: &Interface) -> bool {
    let mut fields = interface.structures.values().flat_map(|structure| &structure.fields);
    fields.any(|field| field.sensitive || has_mark(&field.ty))
}

fn has_own(function: &Function) -> bool {
    function.sensitive_result
        || function.sensitive_extra
        || has_mark(&function.result)
        || function.parameters.iter().any(is_marked)
}

fn is_marked(parameter: &Parameter) -> bool {
    parameter.sensitive || has_mark(&parameter.ty)
}

/// Whether a value of the type has a parameter of a callback in it that is marked. Structures are looked at by themselves.
fn has_mark(ty: &Type) -> bool {
    match ty {
        Type::Pointer(pointer) => has_mark(&pointer.to),
        Type::Array(array) => has_mark(&array.of),
        Type::Callback(signature) => has_mark(&signature.result) || signature.parameters.iter().any(is_marked),
        _ => false,
    }
}

struct Redaction<'a> {
    interface: &'a Interface,
}

impl<'a> Redaction<'a> {
    fn text(&self, json: &str, member: impl Fn(&Self, &str, &RawValue, &mut String)) -> String {
        let mut kept = String::with_capacity(json.len());
        match serde_json::from_str::<&RawValue>(json) {
            Ok(raw) => self.object(raw, 0, &mut kept, member),
            Err(_) => kept.push_str(MARKER),
        }
        kept
    }

    /// An argument or an output.
    fn argument(&self, function: &Function, name: &str, value: &RawValue, kept: &mut String) {
        let extra = function.sensitive_extra || function.parameters.iter().any(|parameter| parameter.sensitive);
        match name {
            "..." if function.variadic && !extra => kept.push_str(value.get()),
            _ => self.parameter(&function.parameters, name, value, 0, kept),
        }
    }

    fn parameter(&self, parameters: &[Parameter], name: &str, value: &RawValue, depth: usize, kept: &mut String) {
        match parameters.iter().find(|parameter| parameter.name == name) {
            Some(parameter) if !parameter.sensitive => self.value(&parameter.ty, value, depth, kept),
            _ => kept.push_str(MARKER),
        }
    }

    /// A value that is not sensitive itself.
    fn value(&self, ty: &Type, raw: &RawValue, depth: usize, kept: &mut String) {
        let first = raw.get().as_bytes().first();
        match (ty, first) {
            (_, Some(b'n')) => kept.push_str(raw.get()),
            (_, Some(b'{')) if is_reference(raw) => kept.push_str(raw.get()),
            // Bytes that went through a file.
            (Type::Pointer(pointer), Some(b'{')) if is_bytes(&pointer.to) && Digest::read(raw.get()).is_some() => {
                kept.push_str(raw.get());
            }
            (Type::Pointer(pointer), Some(b'[')) => self.list(raw, depth, kept, |redaction, element, kept| {
                redaction.value(&pointer.to, element, depth + 1, kept);
            }),
            (Type::Array(array), Some(b'[')) => self.list(raw, depth, kept, |redaction, element, kept| {
                redaction.value(&array.of, element, depth + 1, kept);
            }),
            (Type::Pointer(pointer), _) => self.value(&pointer.to, raw, depth, kept),
            (Type::Array(array), _) => self.value(&array.of, raw, depth, kept),
            (Type::Callback(signature), Some(b'{')) => self.callback(signature, raw, depth, kept),
            (Type::Structure(_) | Type::Callback(_), Some(b'"')) if is_token(raw) => kept.push_str(raw.get()),
            (Type::Structure(name), Some(b'{')) => match self.interface.structures.get(name) {
                Some(structure) => self.object(raw, depth, kept, |redaction, name, value, kept| {
                    redaction.member(structure, name, value, depth + 1, kept);
                }),
                None => kept.push_str(MARKER),
            },
            (Type::Structure(_) | Type::Callback(_), _) | (_, Some(b'{' | b'[')) => kept.push_str(MARKER),
            // Numbers, texts, bytes and handles.
            _ => kept.push_str(raw.get()),
        }
    }

    /// A member of a structure, or of an anonymous one in it.
    fn member(&self, structure: &Structure, name: &str, value: &RawValue, depth: usize, kept: &mut String) {
        match self.find(structure, name, 0) {
            Some((false, ty)) => self.value(ty, value, depth, kept),
            _ => kept.push_str(MARKER),
        }
    }

    /// Whether a member is sensitive, and its type.
    fn find(&self, structure: &'a Structure, name: &str, depth: usize) -> Option<(bool, &'a Type)> {
        structure.fields.iter().filter(|_| depth < MAX_DEPTH && !name.is_empty()).find_map(|field| match &field.ty {
            Type::Structure(inner) if field.name.is_empty() && field.bits.is_none() => {
                let (sensitive, ty) = self.find(self.interface.structures.get(inner)?, name, depth + 1)?;
                Some((sensitive || field.sensitive, ty))
            }
            ty => (field.name == name).then_some((field.sensitive, ty)),
        })
    }

    /// What is said of a callback, or what was recorded of it: the arguments of invocations stand in `when` and `args`.
    fn callback(&self, signature: &Signature, raw: &RawValue, depth: usize, kept: &mut String) {
        self.object(raw, depth, kept, |redaction, name, value, kept| match name {
            "when" | "args" => redaction.object(value, depth + 1, kept, |redaction, name, value, kept| {
                redaction.parameter(&signature.parameters, name, value, depth + 2, kept);
            }),
            "table" | "invocations" => redaction.list(value, depth + 1, kept, |redaction, row, kept| {
                redaction.callback(signature, row, depth + 2, kept);
            }),
            _ => kept.push_str(value.get()),
        });
    }

    fn object(
        &self,
        raw: &RawValue,
        depth: usize,
        kept: &mut String,
        member: impl Fn(&Self, &str, &RawValue, &mut String),
    ) {
        let Some(members) = members(raw.get()).filter(|_| depth < MAX_DEPTH) else { return kept.push_str(MARKER) };
        kept.push('{');
        for (index, (name, value)) in members.into_iter().enumerate() {
            if index > 0 {
                kept.push(',');
            }
            push_name(&name, kept);
            kept.push(':');
            member(self, &name, value, kept);
        }
        kept.push('}');
    }

    fn list(&self, raw: &RawValue, depth: usize, kept: &mut String, element: impl Fn(&Self, &RawValue, &mut String)) {
        let elements = serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok().filter(|_| depth < MAX_DEPTH);
        let Some(elements) = elements else { return kept.push_str(MARKER) };
        kept.push('[');
        for (index, one) in elements.into_iter().enumerate() {
            if index > 0 {
                kept.push(',');
            }
            element(self, one, kept);
        }
        kept.push(']');
    }
}

/// A member's name. Nearly all are written as they are.
fn push_name(name: &str, kept: &mut String) {
    if name.bytes().all(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\' | 0x7f)) {
        kept.push('"');
        kept.push_str(name);
        kept.push('"');
    } else {
        kept.push_str(&serde_json::Value::from(name).to_string());
    }
}

/// `{"$handle": "…"}` or `{"$ref": "…"}`: it stands for a value, and is none.
fn is_reference(raw: &RawValue) -> bool {
    matches!(members(raw.get()).as_deref(), Some([(name, value)]) if matches!(name.as_str(), "$handle" | "$ref")
        && value.get().starts_with('"'))
}

/// `library.g1.5.tag`: the handle of what would be an object.
fn is_token(raw: &RawValue) -> bool {
    raw.get().split('.').count() == 4
}
