//! The one walk over C types: each becomes a schema, with an example.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::interface::{Array, Direction, Extent, Interface, Length, Pointer, Scalar, Type, Unit, Width};
use bridge32_protocol::target::Target;
use serde_json::{Value, json};

use super::example::Example;
use super::members::evaluate;
use super::recursion;
use super::shape::Shape;
use super::{Component, callbacks};
use crate::needs::capacity;

/// Longer text and bytes are not written out in examples.
const LONGEST_EXAMPLE: u64 = 1024;

/// Which way a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Way {
    /// The client gives it: `In` for what the function reads, `InOut` for what it may change.
    Given(Given),
    /// It is in an answer.
    Told,
}

/// How much of it has to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Given {
    /// All: the function reads it.
    Whole,
    /// What is left out is zero: the function fills it in.
    Partly,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Told, Self::Given(Given::Whole), Self::Given(Given::Partly)];

    /// The way of what a client gives for a parameter.
    pub(super) const fn given(direction: Direction) -> Self {
        match direction {
            Direction::In => Self::Given(Given::Whole),
            Direction::Out | Direction::InOut => Self::Given(Given::Partly),
        }
    }

    pub(super) const fn direction(self) -> Direction {
        match self {
            Self::Given(Given::Whole) | Self::Told => Direction::In,
            Self::Given(Given::Partly) => Direction::InOut,
        }
    }
}

/// How many elements lie behind a pointer.
#[derive(Clone, Copy)]
struct Count {
    /// Where the header says a number.
    fixed: Option<u64>,
    /// In an example; `None` where none can be computed.
    example: Option<u64>,
}

/// The walk, with what it has found so far.
pub(super) struct Walk<'a> {
    pub(super) interface: &'a Interface,
    pub(super) target: Target,
    pub(super) library: &'a str,
    /// Structures whose pointers may become handles because they are followed only so far.
    pub(super) endless: BTreeSet<&'a str>,
    /// Inside one of them.
    pub(super) inside_endless: bool,
    /// The numbers that lengths refer to, in examples.
    pub(super) numbers: Vec<Option<i128>>,
    /// The schemas with names, and of structures an example.
    pub(super) bodies: BTreeMap<Component, Shape>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(interface: &'a Interface, target: Target, library: &'a str) -> Self {
        let endless = recursion::endless(interface);
        Self {
            interface,
            target,
            library,
            endless,
            inside_endless: false,
            numbers: Vec::new(),
            bodies: BTreeMap::new(),
        }
    }

    /// A value of any type.
    pub(super) fn value(&mut self, ty: &Type, way: Way) -> Shape {
        match ty {
            Type::Scalar(scalar) => self.scalar(scalar, way),
            Type::Structure(name) => self.structure(name, way),
            Type::Array(array) => self.array(array, way),
            Type::Pointer(pointer) => self.behind(pointer, way, false).nullable(),
            Type::Callback(signature) if way != Way::Told => callbacks::argument(self, signature).nullable(),
            Type::Callback(_) => self.handle("function").nullable(),
            Type::Void | Type::Unsupported { .. } => Shape::new(json!({}), Value::Null),
        }
    }

    /// What a pointer points to. `buffer`: it is a buffer of the call's own, which has its whole length afterwards.
    pub(super) fn behind(&mut self, pointer: &Pointer, way: Way, buffer: bool) -> Shape {
        let shape = match &pointer.extent {
            Extent::Handle { kind, .. } => return self.handle(kind),
            Extent::Text(_) | Extent::Bstr => Shape::new(json!({"type": "string"}), "text".into()),
            Extent::TextBuffer { .. } => self.text_buffer(pointer, way),
            Extent::One => self.value(&pointer.to, way),
            Extent::Elements { written, .. } => {
                let count = self.count(pointer);
                let (least, most) = match way {
                    Way::Given(Given::Whole) => (count.fixed, None),
                    Way::Given(Given::Partly) => (None, count.fixed),
                    Way::Told if buffer && written.is_none() => (count.fixed, count.fixed),
                    Way::Told if buffer || written.is_none() => (None, count.fixed),
                    Way::Told => (None, None),
                };
                self.elements(&pointer.to, way, least, most, count.example)
            }
        };
        if way == Way::Told && self.inside_endless {
            return shape.or(&json!({"type": "string", "format": "handle", "nullable": true}));
        }
        shape
    }

    /// The token of a handle.
    pub(super) fn handle(&self, kind: &str) -> Shape {
        let example = format!("{}.g1.1.2f9c04b7a1d8", self.library);
        Shape::new(json!({"type": "string", "format": "handle"}), example.into())
            .noted(format!("A handle of kind `{kind}`."))
    }

    fn text_buffer(&mut self, pointer: &Pointer, way: Way) -> Shape {
        let count = self.count(pointer);
        let mut schema = json!({"type": "string"});
        let length = match way {
            // Without its NUL the function would read on.
            Way::Given(Given::Partly) => {
                if let Some(most) = count.fixed {
                    schema["maxLength"] = most.saturating_sub(1).into();
                }
                count.example.map(|count| count.saturating_sub(1).min(4))
            }
            Way::Given(Given::Whole) => count.example,
            Way::Told => count.example.map(|count| count.min(4)),
        };
        let text = |length| "text".chars().cycle().take(length).collect::<String>().into();
        let example =
            length.filter(|length| *length <= LONGEST_EXAMPLE).and_then(|length| usize::try_from(length).ok());
        Shape { schema, example: example.map(text).map(Value::into), note: None }
    }

    fn array(&mut self, array: &Array, way: Way) -> Shape {
        let count = u64::from(array.count);
        if array.text.is_some() {
            let text: String = "text".chars().take(usize::try_from(count).unwrap_or(4)).collect();
            return Shape::new(json!({"type": "string", "maxLength": count}), text.into());
        }
        let least = (way != Way::Given(Given::Partly)).then_some(count);
        self.elements(&array.of, way, least, Some(count), Some(count))
    }

    /// Bytes, or an array of anything else.
    fn elements(&mut self, of: &Type, way: Way, least: Option<u64>, most: Option<u64>, count: Option<u64>) -> Shape {
        if is_bytes(of) {
            let mut schema = json!({"type": "string", "format": "byte"});
            // Base64 has 4 characters for 3 bytes, and fills up the last ones.
            let characters = |bytes: u64| bytes.div_ceil(3) * 4;
            for (name, bytes) in [("minLength", least), ("maxLength", most)] {
                if let Some(bytes) = bytes {
                    schema[name] = characters(bytes).into();
                }
            }
            let count = count.filter(|count| *count <= LONGEST_EXAMPLE).and_then(|count| usize::try_from(count).ok());
            let bytes =
                |count| Value::from(STANDARD.encode((0..=u8::MAX).cycle().skip(1).take(count).collect::<Vec<_>>()));
            return Shape { schema, example: count.map(bytes).map(Example::from), note: None };
        }
        let Shape { schema: items, example, note } = self.value(of, way);
        let mut schema = json!({"type": "array", "items": items});
        for (name, limit) in [("minItems", least), ("maxItems", most)] {
            if let Some(limit) = limit {
                schema[name] = limit.into();
            }
        }
        let example = match (count, example) {
            (Some(0), _) => Some(json!([]).into()),
            (Some(count), Some(element)) => Example::array(count, &element),
            _ => None,
        };
        Shape { schema, example, note }
    }

    fn count(&self, pointer: &Pointer) -> Count {
        let Some(Length { count, unit }) = capacity(pointer) else { return Count { fixed: None, example: None } };
        let elements = |number: i128| {
            let number = u64::try_from(number).ok()?;
            match unit {
                Unit::Elements => Some(number),
                Unit::Bytes => self.element_bytes(pointer).map(|size| number.div_ceil(size)),
            }
        };
        let fixed = evaluate(count, &[]).and_then(elements);
        let example = evaluate(count, &self.numbers).filter(|number| *number >= 0);
        // Where the size of an element is not known, the length is taken from what is given.
        Count { fixed, example: example.map(|number| elements(number).unwrap_or(1)) }
    }

    /// Bytes of what a length counts, where no layout is needed to know them.
    fn element_bytes(&self, pointer: &Pointer) -> Option<u64> {
        use bridge32_protocol::interface::Encoding;
        let width = match (&pointer.extent, &pointer.to) {
            (Extent::TextBuffer { encoding: Encoding::Wide, .. }, _) => Width::Wchar,
            (Extent::TextBuffer { encoding: Encoding::Utf16, .. }, _) => Width::W16,
            (Extent::TextBuffer { .. }, _) | (_, Type::Void) => Width::W8,
            (_, Type::Scalar(Scalar::Integer(integer))) => integer.width,
            (_, Type::Scalar(Scalar::Boolean(width))) => *width,
            (_, Type::Scalar(Scalar::Float | Scalar::Enumeration(_))) => Width::W32,
            (_, Type::Scalar(Scalar::Double)) => Width::W64,
            (_, Type::Pointer(_) | Type::Callback(_)) => Width::Pointer,
            (_, Type::Structure(_) | Type::Array(_) | Type::Unsupported { .. }) => return None,
        };
        Some(width.bytes(self.target).into())
    }
}

/// Whether elements of this type travel as base64.
pub(crate) fn is_bytes(ty: &Type) -> bool {
    match ty {
        Type::Void => true,
        Type::Scalar(Scalar::Integer(integer)) => integer.width == Width::W8,
        _ => false,
    }
}
