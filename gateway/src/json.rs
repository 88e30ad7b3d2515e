//! JSON that keeps what `serde_json::Value` does not: the order of members, and every digit of numbers.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// A value.
#[derive(Clone, Debug)]
pub enum Json {
    /// A number, a string, `true`, `false` or `null`, as it is written.
    Scalar(Box<RawValue>),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a value.
    ///
    /// # Errors
    /// The text is not JSON.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        // What is wrong is said better by a reader that looks for values than by one that only finds their ends.
        let raw = |error| serde_json::from_str::<serde_json::Value>(text).err().unwrap_or(error);
        Self::of(serde_json::from_str(text).map_err(raw)?)
    }

    fn of(raw: &RawValue) -> serde_json::Result<Self> {
        match raw.get().as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(raw.get())?;
                let members = members.into_iter().map(|(name, value)| Ok((name, Self::of(&value)?)));
                Ok(Self::Object(members.collect::<serde_json::Result<_>>()?))
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(raw.get())?;
                Ok(Self::List(elements.into_iter().map(Self::of).collect::<serde_json::Result<_>>()?))
            }
            _ => Ok(Self::Scalar(raw.to_owned())),
        }
    }

    /// A string.
    pub fn text(text: &str) -> Self {
        Self::scalar(serde_json::Value::from(text).to_string())
    }

    /// `null`.
    pub fn null() -> Self {
        Self::Scalar(RawValue::NULL.to_owned())
    }

    /// A number or a word that is known to be JSON.
    pub fn scalar(text: String) -> Self {
        RawValue::from_string(text).map_or_else(|_| Self::null(), Self::Scalar)
    }

    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(own, _)| own == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The members of an object.
    pub fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The text of a string.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::Scalar(raw) => serde_json::from_str(raw.get()).ok(),
            _ => None,
        }
    }

    /// In one line.
    pub fn compact(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// In many, indented.
    pub fn pretty(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The members of an object in their order.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Scalar(raw) => raw.serialize(serializer),
            Self::List(elements) => elements.serialize(serializer),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// A whole number as JSON writes it: decimal, or hexadecimal as C does. Ranges are the agent's to check.
pub fn integer(text: &str) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        // What the conversion would accept in front of the digits is none of them.
        Some(hex) if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => None,
        Some(hex) => i128::from_str_radix(hex, 16).ok().map(|number| format!("{sign}{number}")),
        None => number(text),
    }
}

/// A number as JSON has it.
pub fn number(text: &str) -> Option<String> {
    let plain = text.strip_prefix('+').unwrap_or(text);
    let filled = plain.strip_prefix('.').map_or_else(|| plain.to_owned(), |rest| format!("0.{rest}"));
    let is_number = filled.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && Json::parse(&filled).is_ok();
    is_number.then_some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_are_kept() {
        let text = r#"{"z":123456789012345678901234567890,"a":[1.10,{"y":"\u00e9","x":null}]}"#;
        assert_eq!(Json::parse(text).unwrap().compact(), text);
        assert!(Json::parse("{").is_err() && Json::parse("{} 1").is_err());
        assert!(Json::parse("{\"a\":1,}").unwrap_err().to_string().starts_with("trailing comma"));
    }

    #[test]
    fn members_and_text_are_found() {
        let json = Json::parse(r#"{"a":"x\ny","b":1}"#).unwrap();
        assert_eq!(json.get("a").and_then(Json::as_text).as_deref(), Some("x\ny"));
        assert!(json.get("b").and_then(Json::as_text).is_none() && json.get("c").is_none());
        assert_eq!(Json::text("a\"b").compact(), r#""a\"b""#);
    }
}
