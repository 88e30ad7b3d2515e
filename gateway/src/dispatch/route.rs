//! In which process a call has to run, because a handle in its arguments lives there.
//!
//! A token is `{library}.g{generation}.{number}.{tag}`, and stands in the arguments as a string of its own. They are not
//! parsed for it: a text that only looks like a token leads to a process that takes the call as any other would.

use std::collections::BTreeSet;

use memchr::memmem;

/// The generations of a library's handles in the text of arguments.
pub fn generations(args: &[u8], library: &str) -> BTreeSet<u64> {
    let prefix = format!("\"{library}.g");
    let found = memmem::find_iter(args, &prefix).filter_map(|at| number(&args[at + prefix.len()..]));
    found.collect()
}

/// The number before the next dot.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().position(|byte| !byte.is_ascii_digit())?;
    if text[digits] != b'.' {
        return None;
    }
    str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &str) -> Vec<u64> {
        generations(args.as_bytes(), "my.lib").into_iter().collect()
    }

    #[test]
    fn the_generations_of_handles_are_found_wherever_they_stand() {
        assert_eq!(of(r#"{"db": "my.lib.g12.3.0a1b2c3d4e5f", "n": [{"x":"my.lib.g3.1.aa"}]}"#), [3, 12]);
        assert_eq!(of(r#"{"a":"my.lib.g7.1.aa","b":"my.lib.g7.2.bb"}"#), [7]);
    }

    #[test]
    fn anything_else_is_no_handle() {
        for args in [
            "{}",
            r#"{"db":"other.g1.1.aa"}"#,
            r#"{"db":"x my.lib.g1.1.aa"}"#,
            r#"{"db":"my.lib.g.1.aa"}"#,
            r#"{"db":"my.lib.g1"}"#,
            r#"{"db":"my.lib.g99999999999999999999.1.aa"}"#,
            r#"{"db":"my.lib.g1"#,
        ] {
            assert_eq!(of(args), [0; 0], "{args}");
        }
    }
}
