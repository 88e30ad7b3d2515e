//! How the arguments of an invocation compare, for `compare`: numbers by value, enumerators too, text by its characters.

use std::cmp::Ordering;

use bridge32_protocol::interface::{Extent, Interface, Scalar, Type};
use serde_json::Value;

/// What an argument is compared by.
#[derive(Clone, Debug)]
pub(super) enum Key {
    /// A null pointer: before all others.
    Nothing,
    Integer(i128),
    /// Its total order has a place for NaN, so that a sort ends.
    Float(f64),
    Text(String),
}

/// The scalar that an argument of this type is, or points to.
fn scalar(ty: &Type) -> Option<&Scalar> {
    match ty {
        Type::Scalar(scalar) => Some(scalar),
        Type::Pointer(pointer) if pointer.extent == Extent::One => scalar(&pointer.to),
        _ => None,
    }
}

/// What sort of order arguments have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Numbers,
    Text,
}

/// The order that anybody would expect of arguments of this type, if there is one.
pub(super) fn sort_of(ty: &Type) -> Option<Sort> {
    let text = matches!(ty, Type::Pointer(pointer) if matches!(pointer.extent, Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Bstr));
    if text { Some(Sort::Text) } else { scalar(ty).map(|_| Sort::Numbers) }
}

impl Key {
    /// The key of an argument, from its JSON.
    pub(super) fn of(value: &Value, ty: &Type, interface: &Interface) -> Self {
        match (value, scalar(ty)) {
            (Value::String(name), Some(Scalar::Enumeration(enumeration))) => {
                let enumeration = interface.enumerations.get(enumeration);
                let named = enumeration.and_then(|found| found.enumerators.iter().find(|(other, _)| other == name));
                named.map_or(Self::Nothing, |(_, value)| Self::Integer((*value).into()))
            }
            // "NaN", "Infinity", "-Infinity"
            (Value::String(name), Some(Scalar::Float | Scalar::Double)) => {
                name.parse().map_or(Self::Nothing, Self::Float)
            }
            (Value::String(text), _) => Self::Text(text.clone()),
            (Value::Bool(truth), _) => Self::Integer((*truth).into()),
            (Value::Number(number), Some(Scalar::Float | Scalar::Double)) => {
                number.as_f64().map_or(Self::Nothing, Self::Float)
            }
            (Value::Number(number), _) => number.as_i128().map_or(Self::Nothing, Self::Integer),
            _ => Self::Nothing,
        }
    }

    /// Both are of one type, or nothing.
    pub(super) fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Integer(a), Self::Float(b)) => float(*a).total_cmp(b),
            (Self::Float(a), Self::Integer(b)) => a.total_cmp(&float(*b)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (a, b) => matches!(b, Self::Nothing).cmp(&matches!(a, Self::Nothing)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number is compared with a float, and no more exact than it")]
const fn float(number: i128) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge32_protocol::interface::Enumeration;

    #[test]
    fn arguments_compare_by_what_they_mean() {
        let mut interface = Interface::default();
        let enumerators = vec![("LOW".to_owned(), 1), ("HIGH".to_owned(), 9)];
        interface.enumerations.insert("level".to_owned(), Enumeration { enumerators });
        let order = |a: &str, b: &str, scalar: Scalar| {
            let ty = Type::Scalar(scalar);
            let key = |json: &str| Key::of(&serde_json::from_str(json).unwrap(), &ty, &interface);
            key(a).cmp(&key(b))
        };
        assert_eq!(order("\"LOW\"", "\"HIGH\"", Scalar::Enumeration("level".to_owned())), Ordering::Less);
        assert_eq!(order("0.5", "\"Infinity\"", Scalar::Double), Ordering::Less);
        assert_eq!(order("\"NaN\"", "\"Infinity\"", Scalar::Double), Ordering::Greater);
        assert_eq!(order("true", "false", Scalar::Boolean(bridge32_protocol::interface::Width::W8)), Ordering::Greater);
        assert_eq!(Key::Nothing.cmp(&Key::Text("a".to_owned())), Ordering::Less);
        assert_eq!(Key::Nothing.cmp(&Key::Nothing), Ordering::Equal);
    }
}
