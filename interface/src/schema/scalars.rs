//! Numbers, truth values and enumerators.

use bridge32_protocol::interface::{Int64, Integer, Scalar};
use serde_json::{Value, json};

use super::shape::{Shape, number};
use super::walk::{Walk, Way};
use super::{Component, Shared};

impl Walk<'_> {
    pub(super) fn scalar(&mut self, scalar: &Scalar, way: Way) -> Shape {
        match scalar {
            Scalar::Integer(integer) => {
                let (least, most) = integer.range(self.target);
                self.integer(*integer, least, most)
            }
            Scalar::Boolean(_) => Shape::new(json!({"type": "boolean"}), true.into()),
            Scalar::Float => Shape::new(self.float(Shared::Float, way), json!(1.5)),
            Scalar::Double => Shape::new(self.float(Shared::Double, way), json!(1.5)),
            Scalar::Enumeration(name) => self.enumeration(name),
        }
    }

    /// A whole number; as text where the library's clients round the large ones.
    fn integer(&self, integer: Integer, least: i128, most: i128) -> Shape {
        if self.interface.int64 == Int64::String && integer.width.bytes(self.target) == 8 {
            let pattern = if integer.signed { "^-?[0-9]{1,19}$" } else { "^[0-9]{1,20}$" };
            return Shape::new(json!({"type": "string", "format": "int64-text", "pattern": pattern}), json!("1"));
        }
        Shape::new(integers(least, most), number(1.clamp(least, most)))
    }

    /// An answer may be no number at all; an argument seldom wants to be, and is a plain number for that.
    fn float(&mut self, shared: Shared, way: Way) -> Value {
        match way {
            Way::Told => self.component(Component::Shared(shared)),
            Way::Given(_) => floats(shared),
        }
    }

    fn enumeration(&mut self, name: &str) -> Shape {
        let first = self.interface.enumerations.get(name).and_then(|found| found.enumerators.first());
        let example = first.map_or_else(|| json!(1), |(enumerator, _)| enumerator.as_str().into());
        Shape::new(self.component(Component::Enumeration(name.to_owned())), example)
    }

    /// A bit-field: as its type, in fewer bits.
    pub(super) fn bit_field(&mut self, scalar: &Scalar, bits: u32) -> Shape {
        let bits = bits.clamp(1, 64);
        let enumerators = match scalar {
            Scalar::Enumeration(name) => self.interface.enumerations.get(name).map(|found| &found.enumerators),
            _ => None,
        };
        let signed = match scalar {
            Scalar::Integer(Integer { signed, .. }) => *signed,
            Scalar::Enumeration(_) => enumerators.is_some_and(|all| all.iter().any(|(_, value)| *value < 0)),
            _ => false,
        };
        let (least, most) =
            if signed { (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1) } else { (0, (1_i128 << bits) - 1) };
        match scalar {
            Scalar::Boolean(_) => Shape::new(json!({"type": "boolean"}), true.into()),
            Scalar::Enumeration(_) => {
                let fits = |(_, value): &&(String, i64)| (least..=most).contains(&(*value).into());
                let names = enumerators.into_iter().flatten().filter(fits).map(|(name, _)| name.as_str());
                let names: Vec<&str> = names.collect();
                let Some(first) = names.first().map(|name| Value::from(*name)) else {
                    return Shape::new(integers(least, most), number(1.clamp(least, most)));
                };
                let schema = json!({"anyOf": [{"type": "string", "enum": names}, integers(least, most)]});
                Shape::new(schema, first)
            }
            Scalar::Integer(integer) => self.integer(*integer, least, most),
            _ => Shape::new(integers(least, most), number(1.clamp(least, most))),
        }
    }

    /// The names of an enumeration or a number: a library may answer one that has no name.
    pub(super) fn enumeration_body(&mut self, name: &str) -> Value {
        let enumerators = self.interface.enumerations.get(name).map(|found| found.enumerators.as_slice());
        let enumerators = enumerators.unwrap_or_default();
        // One beyond `int` makes compilers take `unsigned`; the 32 bits are the same.
        let unsigned = enumerators.iter().any(|(_, value)| *value > i32::MAX.into());
        let most = if unsigned { u32::MAX.into() } else { i128::from(i32::MAX) };
        let numbers = integers(i32::MIN.into(), most);
        if enumerators.is_empty() {
            return numbers;
        }
        let names = self.component(Component::EnumeratorNames(name.to_owned()));
        json!({"description": "The name of an enumerator, or a number", "anyOf": [names, numbers]})
    }

    pub(super) fn enumerator_names(&self, name: &str) -> Value {
        let enumerators = self.interface.enumerations.get(name).map(|found| found.enumerators.as_slice());
        let enumerators = enumerators.unwrap_or_default();
        let names: Vec<&str> = enumerators.iter().map(|(name, _)| name.as_str()).collect();
        let values: Vec<String> = enumerators.iter().map(|(name, value)| format!("`{name}` is {value}")).collect();
        json!({"type": "string", "description": values.join(", "), "enum": names})
    }
}

/// The numbers from `least` to `most`. What a signed 32-bit number cannot hold is `int64`, so that typed clients have room.
pub(super) fn integers(least: i128, most: i128) -> Value {
    let fits = least >= i32::MIN.into() && most <= i32::MAX.into();
    let format = if fits { "int32" } else { "int64" };
    json!({"type": "integer", "format": format, "minimum": number(least), "maximum": number(most)})
}

/// The finite numbers of a type.
pub(super) fn floats(shared: Shared) -> Value {
    match shared {
        // More would be infinite as a `float`.
        Shared::Float => {
            json!({"type": "number", "format": "float", "minimum": f64::from(f32::MIN), "maximum": f64::from(f32::MAX)})
        }
        _ => json!({"type": "number", "format": "double"}),
    }
}
