//! A JSON object taken apart by the names that it may have, without copying the values.

use std::borrow::Cow;
use std::fmt;

use bridge32_protocol::wire::Fault;
use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::mismatch;
use super::place::At;

/// The names that an object may have.
pub(super) trait Names {
    /// How many there are.
    fn count(&self) -> usize;
    /// The index of a name.
    fn index(&self, name: &str) -> Option<usize>;
    /// What is said of a name that there is not in the object at this place.
    fn unknown(&self, name: &str, at: &At<'_>) -> String;
}

/// The value given for each name, in the order of their indices.
///
/// # Errors
/// When the JSON is no object, has a name that does not exist, or one twice.
pub(super) fn by_name<'a>(json: &'a str, names: &dyn Names, at: &At<'_>) -> Result<Vec<Option<&'a RawValue>>, Fault> {
    let mut fault = None;
    let visitor = Members { names, at, fault: &mut fault };
    let values = serde_json::Deserializer::from_str(json).deserialize_map(visitor);
    values.map_err(|error| {
        fault.unwrap_or_else(|| match json.as_bytes().first() {
            Some(b'{') => mismatch(at, format!("{} not a JSON object: {}", at.subject(), at.complaint(&error))),
            _ => mismatch(at, format!("{} not a JSON object, but {}", at.subject(), at.shown(json))),
        })
    })
}

struct Members<'n, 'f> {
    names: &'n dyn Names,
    at: &'n At<'n>,
    /// serde's errors carry text only; the fault goes beside them.
    fault: &'f mut Option<Fault>,
}

/// A client's own text in an error stays short.
pub(crate) fn shortened(name: &str) -> String {
    if name.chars().count() <= 80 { name.to_owned() } else { name.chars().take(79).chain(['…']).collect() }
}

impl<'de> Visitor<'de> for Members<'_, '_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Self::Value, M::Error> {
        let mut values = vec![None; self.names.count()];
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            let detail = match self.names.index(&name) {
                Some(index) if values[index].is_none() => {
                    values[index] = Some(members.next_value::<&RawValue>()?);
                    continue;
                }
                Some(_) => format!("`{}` is given twice", shortened(&name)),
                None => self.names.unknown(&name, self.at),
            };
            members.next_value::<IgnoredAny>()?;
            // Names within something sensitive are a part of it.
            let named = self.at.member(&name);
            *self.fault = Some(mismatch(if self.at.is_sensitive() { self.at } else { &named }, detail));
            return Err(M::Error::custom("refused"));
        }
        Ok(values)
    }
}
