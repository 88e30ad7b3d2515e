//! Where nothing says how long an array is, the parameter behind it often does, by its name: `const int *values, int count`.
//!
//! A guess that is wrong asks the client for an array where one value would do. Without it the library would read
//! beyond that one value.

use bridge32_protocol::interface::{Expression, Extent, Length, Scalar, Unit};

use crate::lengths::Operand;
use crate::types::CType;

/// The length of the pointer parameter `name`, and the parameter that gives it.
pub(crate) fn behind<'o>(name: &str, operands: &'o [Operand]) -> Option<(Extent, &'o str)> {
    let next = operands.iter().position(|operand| operand.name == name)? + 1;
    let count = operands.get(next)?;
    let number = matches!(&count.ty, CType::Scalar { scalar: Scalar::Integer(_), characters: None });
    if !number || !is_count(&count.name) {
        return None;
    }
    // In bytes it is fewer elements; then the array is longer than it had to be.
    let count_of = Expression::Parameter(u32::try_from(next).ok()?);
    let capacity = Length { count: count_of, unit: Unit::Elements };
    Some((Extent::Elements { capacity, written: None }, &count.name))
}

/// Whether a name says that this is how many of something there are.
fn is_count(name: &str) -> bool {
    const WORDS: [&str; 9] = ["count", "cnt", "len", "length", "size", "num", "nelem", "nelems", "nmemb"];
    let lower = name.to_ascii_lowercase();
    let hungarian =
        |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    lower == "n"
        || WORDS.iter().any(|word| lower.ends_with(word))
        || ["n_", "num_", "count_"].iter().any(|word| lower.starts_with(word))
        || ["n", "c"].iter().any(|prefix| hungarian(prefix))
}

#[cfg(test)]
mod tests {
    use super::is_count;

    #[test]
    fn counts_are_known_by_their_names() {
        for name in ["n", "count", "itemCount", "nValues", "cItems", "num_points", "buffer_size", "len"] {
            assert!(is_count(name), "{name}");
        }
        for name in ["node", "color", "flags", "context", "channel", "next", "number", "mode", "x"] {
            assert!(!is_count(name), "{name}");
        }
    }
}
