//! The arguments' JSON object, taken apart by parameter without copying the values.

use std::fmt;

use bridge32_protocol::interface::Parameter;
use bridge32_protocol::wire::Fault;
use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{mismatch, pointer_to};

/// The value given for each parameter, in the parameters' order.
///
/// # Errors
/// When the JSON is no object, names a parameter that does not exist, or one twice.
pub(super) fn by_parameter<'a>(json: &'a str, parameters: &[Parameter]) -> Result<Vec<Option<&'a RawValue>>, Fault> {
    let mut fault = None;
    let visitor = Members { parameters, fault: &mut fault };
    let values = serde_json::Deserializer::from_str(json).deserialize_map(visitor);
    values
        .map_err(|error| fault.unwrap_or_else(|| mismatch("", format!("the arguments are not a JSON object: {error}"))))
}

struct Members<'p, 'f> {
    parameters: &'p [Parameter],
    /// serde's errors carry text only; the fault goes beside them.
    fault: &'f mut Option<Fault>,
}

impl Members<'_, '_> {
    fn index(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|parameter| parameter.name == name)
    }

    fn unknown(&self, name: &str) -> Fault {
        let names: Vec<String> = self.parameters.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
        let known = if names.is_empty() {
            "it takes none".to_owned()
        } else {
            format!("its parameters are {}", names.join(", "))
        };
        mismatch(&pointer_to(name), format!("the function has no parameter `{}`; {known}", shortened(name)))
    }
}

/// A client's own text in an error stays short.
fn shortened(name: &str) -> String {
    if name.chars().count() <= 80 { name.to_owned() } else { name.chars().take(79).chain(['…']).collect() }
}

impl<'de> Visitor<'de> for Members<'_, '_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of arguments by parameter name")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Self::Value, M::Error> {
        let mut values = vec![None; self.parameters.len()];
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            let fault = match self.index(&name) {
                Some(index) if values[index].is_none() => {
                    values[index] = Some(members.next_value::<&RawValue>()?);
                    continue;
                }
                Some(_) => mismatch(&pointer_to(&name), format!("`{}` is given twice", shortened(&name))),
                None => self.unknown(&name),
            };
            members.next_value::<IgnoredAny>()?;
            *self.fault = Some(fault);
            return Err(M::Error::custom("refused"));
        }
        Ok(values)
    }
}
