//! Names from a file as text that is safe to print, and back to the exact bytes.
//!
//! Symbol and file names in PE and ELF are bytes without a declared encoding. Here they become a `String` by a mapping that
//! can be undone: valid, printable UTF-8 stays as it is; any other byte becomes `\xNN`; a backslash becomes `\\`.

use std::fmt::Write as _;

/// The text of `bytes`: printable UTF-8 as it is, every other byte as `\xNN`, a backslash doubled.
pub fn escape(bytes: &[u8]) -> String {
    if bytes.iter().all(|b| (0x20..0x7f).contains(b) && *b != b'\\') {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            escape_character(&mut text, character);
        }
        chunk.invalid().iter().for_each(|byte| push_byte(&mut text, *byte));
    }
    text
}

fn escape_character(text: &mut String, character: char) {
    if character == '\\' {
        text.push_str("\\\\");
    } else if character.is_control() || is_invisible(character) {
        let mut buffer = [0; 4];
        character.encode_utf8(&mut buffer).bytes().for_each(|byte| push_byte(text, byte));
    } else {
        text.push(character);
    }
}

/// Characters that change how the text around them is displayed (bidirectional controls, zero width, line separators).
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn push_byte(text: &mut String, byte: u8) {
    let _ = write!(text, "\\x{byte:02x}");
}

/// The bytes that [`escape`] was given. A backslash that starts no escape stands for itself.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, used) = match (first, tail) {
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', [b'x', high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => (first, 1),
            },
            _ => (first, 1),
        };
        bytes.push(byte);
        rest = &rest[used..];
    }
    bytes
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        assert_eq!(escape(b"?f@@YAHH@Z"), "?f@@YAHH@Z");
        assert_eq!(escape("größe".as_bytes()), "größe");
    }

    #[test]
    fn other_bytes_and_controls_are_escaped() {
        assert_eq!(escape(b"a\xff\x1b[2J\\x"), "a\\xff\\x1b[2J\\\\x");
        assert_eq!(escape("a\u{202e}b".as_bytes()), "a\\xe2\\x80\\xaeb");
    }

    proptest! {
        #[test]
        fn escaping_can_be_undone(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(unescape(&escape(&bytes)), bytes);
        }

        #[test]
        fn unescape_takes_any_text(text in "\\PC{0,40}") { let _ = unescape(&text); }
    }
}
