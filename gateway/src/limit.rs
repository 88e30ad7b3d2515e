//! How many entries of a list a client wants: within the bounds that the contract states, instead of fewer without a word.

use serde::de::{Deserialize, Deserializer, Error};

/// Reads a number from 1 to `MAX`, for `#[serde(deserialize_with = …)]` at `limit`.
///
/// # Errors
/// It is no such number.
pub fn up_to<'de, const MAX: usize, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let wanted = usize::deserialize(deserializer)?;
    if (1..=MAX).contains(&wanted) {
        return Ok(Some(wanted));
    }
    Err(D::Error::custom(format!("`limit` is a number from 1 to {MAX}, not {wanted}")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_limit_beyond_the_bounds_is_a_fault_that_names_them() {
        let read = |value: Value| up_to::<5, _>(value).map_err(|error| error.to_string());
        assert_eq!(read(json!(1)), Ok(Some(1)));
        assert_eq!(read(json!(5)), Ok(Some(5)));
        for wrong in [0, 6] {
            assert_eq!(read(json!(wrong)), Err(format!("`limit` is a number from 1 to 5, not {wrong}")));
        }
    }
}
