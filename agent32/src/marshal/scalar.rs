//! One scalar between JSON and its bits: range-checked, never truncated.

use bridge32_protocol::interface::{Int64, Integer, Scalar};
use bridge32_protocol::wire::Fault;
use serde_json::value::RawValue;

use super::place::At;
use super::{Context, mismatch};

/// The bits of a scalar: the low `scalar_bytes` bytes count, integers are extended to 64 bits by their signedness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits(pub u64);

impl Bits {
    /// Those of an integer, which is in range.
    pub const fn of(number: i128) -> Self {
        Self(wrap(number))
    }

    /// The number as an integer, for lengths.
    pub fn integer(self, scalar: &Scalar) -> Option<i128> {
        match scalar {
            Scalar::Integer(Integer { signed: true, .. }) | Scalar::Enumeration(_) => Some(self.0.cast_signed().into()),
            Scalar::Integer(_) | Scalar::Boolean(_) => Some(self.0.into()),
            Scalar::Float | Scalar::Double => None,
        }
    }

    /// Reads a scalar from memory: `bytes` has exactly its size.
    pub fn load(bytes: &[u8], scalar: &Scalar) -> Self {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        Self::extend(u64::from_le_bytes(wide), bytes.len(), scalar)
    }

    /// Writes it to memory: `bytes` has exactly its size.
    pub fn store(self, bytes: &mut [u8]) {
        let size = bytes.len();
        bytes.copy_from_slice(&self.0.to_le_bytes()[..size]);
    }

    /// Takes the low `size` bytes of a word, and extends them as the type demands.
    pub fn extend(word: u64, size: usize, scalar: &Scalar) -> Self {
        Self::narrow(word, 8 * u32::try_from(size).unwrap_or(8).min(8), is_signed(scalar))
    }

    /// Those of a bit-field, from its `width` low bits in a word.
    pub fn of_bit_field(word: u64, width: u32, scalar: &Scalar, context: Context<'_>) -> Self {
        Self::narrow(word, width, has_negatives(scalar, context))
    }

    /// Takes the low `bits` bits of a word (1 to 64), and extends them.
    fn narrow(word: u64, bits: u32, signed: bool) -> Self {
        let unused = 64 - bits;
        Self(if signed {
            ((word << unused).cast_signed() >> unused).cast_unsigned()
        } else {
            (word << unused) >> unused
        })
    }
}

/// Whether a scalar's bits are extended by their sign.
pub const fn is_signed(scalar: &Scalar) -> bool {
    matches!(scalar, Scalar::Integer(Integer { signed: true, .. }) | Scalar::Enumeration(_))
}

/// Whether a bit-field of this type holds negative numbers: one of an enumeration only if some enumerator is one.
pub fn has_negatives(scalar: &Scalar, context: Context<'_>) -> bool {
    match scalar {
        Scalar::Enumeration(name) => {
            let enumeration = context.interface.enumerations.get(name);
            enumeration.is_some_and(|found| found.enumerators.iter().any(|(_, value)| *value < 0))
        }
        scalar => is_signed(scalar),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a float has 32 bits")]
const fn low(bits: u64) -> u32 {
    bits as u32
}

/// What is wrong with a value: what follows the value in a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(String);

impl Wrong {
    /// As a fault of the arguments, which repeats the value if that is allowed there.
    pub fn fault(&self, raw: &RawValue, at: &At<'_>) -> Fault {
        mismatch(at, format!("{} {}", at.shown(raw.get()), self.0))
    }
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong(why.into()))
}

/// The bits of a JSON value for a parameter of type `scalar`.
///
/// # Errors
/// What is wrong with it.
pub fn decode(raw: &RawValue, scalar: &Scalar, context: Context<'_>) -> Result<Bits, Wrong> {
    let json = raw.get();
    match scalar {
        Scalar::Integer(integer) => decode_integer(json, *integer, context),
        Scalar::Boolean(_) => decode_boolean(json),
        Scalar::Float => decode_float(json, "float").and_then(|number| {
            #[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest float is what C does too")]
            let float = number as f32;
            if float.is_infinite() && number.is_finite() {
                return wrong(format!("is out of range for `float` (at most {:e})", f32::MAX));
            }
            Ok(Bits(float.to_bits().into()))
        }),
        Scalar::Double => decode_float(json, "double").map(|number| Bits(number.to_bits())),
        Scalar::Enumeration(name) => decode_enumerator(json, name, context),
    }
}

fn decode_integer(json: &str, integer: Integer, context: Context<'_>) -> Result<Bits, Wrong> {
    let (least, most) = integer.range(context.target);
    let expected = format_args!("an integer from {least} to {most}");
    let number = match string(json) {
        Some(text) => {
            let constant = context.interface.constants.get(&*text).map(|value| i128::from(*value));
            // A decimal string is for the numbers that JavaScript cannot write.
            let decimal = || (integer.width.bytes(context.target) == 8).then(|| text.parse().ok()).flatten();
            match constant.or_else(decimal) {
                Some(number) => number,
                None => {
                    return wrong(format!(
                        "is no constant of the header and no number; expected {expected}, as a JSON number"
                    ));
                }
            }
        }
        None => match whole_number(json) {
            Some(number) => number,
            None => return wrong(format!("is not {expected}")),
        },
    };
    if (least..=most).contains(&number) {
        Ok(Bits(wrap(number)))
    } else {
        wrong(format!("is out of range: expected {expected}"))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "callers have checked the range")]
const fn wrap(number: i128) -> u64 {
    number as u64
}

/// A JSON number without a fraction: `5`, but also `5.0` and `5e3`, which JSON Schema calls integers. Exact: a number
/// never goes through a float. One far beyond every range keeps its sign and loses its size.
fn whole_number(json: &str) -> Option<i128> {
    if let Ok(number) = json.parse::<i128>() {
        return Some(number);
    }
    let (negative, digits) = json.strip_prefix('-').map_or((false, json), |digits| (true, digits));
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let significant: String = [whole, fraction].concat();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let trimmed = significant.trim_end_matches('0');
    let dropped = i64::try_from(significant.len() - trimmed.len()).ok()?;
    // An exponent beyond i64 cannot be balanced by digits that fit into memory.
    let exponent: i64 = match exponent.parse() {
        Ok(exponent) => exponent,
        Err(_) if exponent.starts_with('-') => return None,
        Err(_) => i64::MAX / 2,
    };
    let zeros = exponent.checked_add(dropped)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let zeros = usize::try_from(zeros).ok()?;
    let huge = if negative { i128::MIN } else { i128::MAX };
    if zeros > 40 {
        return Some(huge);
    }
    let text = format!("{}{trimmed}{}", if negative { "-" } else { "" }, "0".repeat(zeros));
    Some(text.parse().unwrap_or(huge))
}

fn decode_boolean(json: &str) -> Result<Bits, Wrong> {
    match json {
        "true" | "1" => Ok(Bits(1)),
        "false" | "0" => Ok(Bits(0)),
        _ => wrong("is neither true nor false"),
    }
}

fn decode_float(json: &str, name: &str) -> Result<f64, Wrong> {
    match json {
        "\"NaN\"" => return Ok(f64::NAN),
        "\"Infinity\"" => return Ok(f64::INFINITY),
        "\"-Infinity\"" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    let number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit()).then(|| json.parse().ok());
    match number.flatten() {
        Some(number) if f64::is_finite(number) => Ok(number),
        Some(_) => wrong(format!("is out of range for `{name}`")),
        None => {
            wrong(format!("is not a number; `{name}` takes a JSON number, or \"NaN\", \"Infinity\" or \"-Infinity\""))
        }
    }
}

fn decode_enumerator(json: &str, name: &str, context: Context<'_>) -> Result<Bits, Wrong> {
    let enumerators =
        context.interface.enumerations.get(name).map(|found| found.enumerators.as_slice()).unwrap_or_default();
    let number = if let Some(text) = string(json) {
        let found = enumerators.iter().find(|(enumerator, _)| *enumerator == text);
        let Some((_, value)) = found else {
            let names: Vec<&str> = enumerators.iter().take(20).map(|(enumerator, _)| enumerator.as_str()).collect();
            return wrong(format!("is no enumerator of `{name}`; it has {}", names.join(", ")));
        };
        i128::from(*value)
    } else if let Some(number) = whole_number(json) {
        number
    } else {
        return wrong(format!("is no enumerator of `{name}` and no integer"));
    };
    // An enumerator such as `F_ALL = 0xFFFFFFFF` makes compilers take `unsigned`; the 32 bits are the same.
    let unsigned = enumerators.iter().any(|(_, value)| *value > i32::MAX.into());
    let most = if unsigned { u32::MAX.into() } else { i128::from(i32::MAX) };
    if (i128::from(i32::MIN)..=most).contains(&number) {
        Ok(Bits::extend(wrap(number), 4, &Scalar::Enumeration(String::new())))
    } else {
        wrong(format!("is out of range for `{name}`: expected an enumerator, or an integer up to {most}"))
    }
}

/// Writes a scalar as JSON.
pub fn encode(bits: Bits, scalar: &Scalar, context: Context<'_>, json: &mut Vec<u8>) {
    use std::io::Write as _;
    // Writing into a vector cannot fail.
    let _ = match scalar {
        Scalar::Integer(integer) => {
            let text = context.interface.int64 == Int64::String && integer.width.bytes(context.target) == 8;
            let quote = if text { "\"" } else { "" };
            if integer.signed {
                write!(json, "{quote}{}{quote}", bits.0.cast_signed())
            } else {
                write!(json, "{quote}{}{quote}", bits.0)
            }
        }
        Scalar::Boolean(_) => write!(json, "{}", bits.0 != 0),
        Scalar::Float => encode_float(f32::from_bits(low(bits.0)), json),
        Scalar::Double => encode_float(f64::from_bits(bits.0), json),
        Scalar::Enumeration(name) => {
            let value = bits.0.cast_signed();
            let enumeration = context.interface.enumerations.get(name);
            let named =
                enumeration.and_then(|found| found.enumerators.iter().find(|(_, number)| same_32_bits(*number, value)));
            match named {
                Some((enumerator, _)) => write!(json, "\"{enumerator}\""),
                None => write!(json, "{value}"),
            }
        }
    };
}

#[expect(clippy::cast_possible_truncation, reason = "an enumeration has 32 bits")]
const fn same_32_bits(declared: i64, value: i64) -> bool {
    declared as i32 == value as i32
}

/// The shortest digits that read back as the same number of the same width.
fn encode_float<F: Into<f64> + Copy + serde::Serialize>(number: F, json: &mut Vec<u8>) -> std::io::Result<()> {
    use std::io::Write as _;
    let wide: f64 = number.into();
    if wide.is_finite() {
        serde_json::to_writer(&mut *json, &number).map_err(std::io::Error::from)
    } else if wide.is_nan() {
        json.write_all(b"\"NaN\"")
    } else {
        json.write_all(if wide > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" })
    }
}

/// The text of a JSON string; `None` if it is something else.
pub fn string(json: &str) -> Option<std::borrow::Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str::<String>(json).ok().map(Into::into) } else { Some(inner.into()) }
}

#[cfg(test)]
mod tests;
