//! What the gateway reads of the tokens that agents give out. They begin with the library's name and the number of the
//! agent's start: `{library}.g{generation}.{n}.{tag}` for a handle, `{library}.g{generation}.c{n}.{tag}` for a callback.

use crate::config::is_name;

/// The longest token that is looked at.
const MAX_LENGTH: usize = 200;

/// The id of a callback that outlives its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallbackId<'a> {
    /// The whole of it.
    pub text: &'a str,
    /// The library that it was given to.
    pub library: &'a str,
    /// The start of the agent that gave it out.
    pub generation: u64,
}

impl<'a> CallbackId<'a> {
    /// Takes an id apart; `None` if it is none. All of its characters can stand in a path as they are.
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        // The library's name may have dots of its own.
        let mut parts = text.rsplitn(4, '.');
        let (tag, number, generation) = (parts.next()?, parts.next()?, parts.next()?);
        let library = parts.next().filter(|library| is_name(library))?;
        let tagged = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        decimal(number.strip_prefix('c')?)?;
        let generation = decimal(generation.strip_prefix('g')?)?;
        tagged.then_some(Self { text, library, generation })
    }
}

/// Digits only: `parse` would take a sign.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_and_the_generation_are_read_from_the_id() {
        let id = CallbackId::parse("my.lib-x_1.g12.c3.a9Zk").unwrap();
        assert_eq!((id.library, id.generation), ("my.lib-x_1", 12));
        assert_eq!(CallbackId::parse("a.g1.c1.g1.c1.tag").unwrap().library, "a.g1.c1");
    }

    #[test]
    fn anything_else_is_no_id() {
        for text in [
            "",
            "a",
            "a.g1.3.tag",
            "a.g1.c.tag",
            "a.g.c1.tag",
            "a.1.c1.tag",
            "a.g1.c1.",
            ".g1.c1.tag",
            "a.g+1.c1.tag",
            "a.g1.c-1.tag",
            "a.g99999999999999999999.c1.tag",
            "a.g1.c1.t/g",
            "a.g1.c1.t%2F",
            "../a.g1.c1.tag",
            "a b.g1.c1.tag",
        ] {
            assert_eq!(CallbackId::parse(text), None, "{text}");
        }
        assert_eq!(CallbackId::parse(&format!("a.g1.c1.{}", "x".repeat(MAX_LENGTH))), None);
    }
}
