//! Text in a buffer of fixed size, for where nothing may be allocated: what does not fit is cut off.

use std::fmt;

/// Bytes that a text may have: names of C++ functions can be longer, and are cut off.
pub(super) const CAPACITY: usize = 256;

/// A text of at most [`CAPACITY`] bytes.
#[derive(Clone, Copy)]
pub(super) struct Words {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Words {
    /// No text yet.
    pub(super) const fn new() -> Self {
        Self { bytes: [0; CAPACITY], length: 0 }
    }

    /// The beginning of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut words = Self::new();
        words.push(bytes);
        words
    }

    /// Appends as much as there is room for.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = &mut self.bytes[self.length..];
        let length = bytes.len().min(room.len());
        room[..length].copy_from_slice(&bytes[..length]);
        self.length += length;
    }

    /// What was written; it may end in the middle of a character.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Write for Words {
    /// Never fails: what is too long is cut off.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

impl fmt::Display for Words {
    /// Bytes that are no UTF-8 become replacement characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().utf8_chunks().try_for_each(|chunk| {
            f.write_str(chunk.valid())?;
            if chunk.invalid().is_empty() { Ok(()) } else { f.write_str("\u{fffd}") }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn what_is_too_long_is_cut_off() {
        let mut words = Words::of(&[b'a'; CAPACITY - 1]);
        write!(words, "{}", 23).unwrap();
        words.push(b"more");
        assert_eq!(words.bytes().len(), CAPACITY);
        assert_eq!(words.bytes().last(), Some(&b'2'));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(Words::of(b"a\xffb").to_string(), "a\u{fffd}b");
        assert_eq!(Words::of("é".as_bytes()).to_string(), "é");
        assert_eq!(Words::of(&"é".as_bytes()[..1]).to_string(), "\u{fffd}");
    }
}
