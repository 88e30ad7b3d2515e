//! Where nothing says how long an array is, the parameter behind it often does, by its name: `const int *values, int count`.
//!
//! A guess that is wrong asks the client for an array where one value would do, or lets the library read beyond what the
//! client gave: where a name may as well mean bytes, nothing is guessed.

use bridge32_protocol::interface::{Expression, Extent, Length, Scalar, Unit};

use crate::lengths::Operand;
use crate::types::CType;

/// What a number is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// How many of something there are: `count`, `nItems`.
    Count,
    /// How long something is, in whatever it consists of: `length`.
    Length,
    /// How large something is, in bytes or not: `size`, `cbSize`.
    Size,
}

/// What the number behind the pointer parameter `name` is.
pub(crate) fn behind<'o>(name: &str, operands: &'o [Operand]) -> Option<(Meaning, Extent, &'o str)> {
    let next = operands.iter().position(|operand| operand.name == name)? + 1;
    let count = operands.get(next)?;
    let number = matches!(&count.ty, CType::Scalar { scalar: Scalar::Integer(_), characters: None });
    let meaning = meaning(&count.name).filter(|_| number)?;
    let capacity = Length { count: Expression::Parameter(u32::try_from(next).ok()?), unit: Unit::Elements };
    Some((meaning, Extent::Elements { capacity, written: None }, &count.name))
}

/// What a name says.
pub(crate) fn meaning(name: &str) -> Option<Meaning> {
    const COUNTS: [&str; 6] = ["count", "cnt", "num", "nelem", "nelems", "nmemb"];
    let lower = name.to_ascii_lowercase();
    let ends = |words: &[&str]| words.iter().any(|word| lower.ends_with(word));
    let hungarian =
        |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    if ends(&["size", "bytes", "sz", "octets"]) || lower == "cb" || hungarian("cb") || lower.starts_with("cb_") {
        Some(Meaning::Size)
    } else if ends(&["len", "length"]) {
        Some(Meaning::Length)
    } else if lower == "n"
        || ends(&COUNTS)
        || ["n_", "num_", "count_"].iter().any(|word| lower.starts_with(word))
        || ["n", "c", "num"].iter().any(|prefix| hungarian(prefix))
    {
        Some(Meaning::Count)
    } else {
        None
    }
}

/// Whether a count has the name of what it counts: `points, nPoints`.
pub(crate) fn is_named_after(count: &str, array: &str) -> bool {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let (count, array) = (plain(count), plain(array));
    let singular = array.strip_suffix('s').unwrap_or(&array);
    singular.len() > 1 && count.contains(singular)
}

#[cfg(test)]
mod tests {
    use super::{Meaning, is_named_after, meaning};

    #[test]
    fn counts_are_known_by_their_names() {
        for name in ["n", "count", "itemCount", "nValues", "cItems", "num_points", "numPoints", "cElements"] {
            assert_eq!(meaning(name), Some(Meaning::Count), "{name}");
        }
        for name in ["len", "length", "sourceLen", "good_length", "nLength"] {
            assert_eq!(meaning(name), Some(Meaning::Length), "{name}");
        }
        for name in ["size", "buffer_size", "cbSize", "cb", "nSize", "num_bytes", "nBytes", "dwSize"] {
            assert_eq!(meaning(name), Some(Meaning::Size), "{name}");
        }
        for name in ["node", "color", "flags", "context", "channel", "next", "number", "mode", "x", "cbar"] {
            assert_eq!(meaning(name), None, "{name}");
        }
    }

    #[test]
    fn a_count_may_have_the_name_of_its_array() {
        assert!(is_named_after("nPoints", "points") && is_named_after("point_count", "points"));
        assert!(!is_named_after("num_passes", "png") && !is_named_after("n", "p"));
    }
}
