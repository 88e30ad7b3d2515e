//! One line of JSON in a buffer of fixed size.

use super::words::{CAPACITY, Words};

/// Room for four texts of full length, and more where they need no escapes.
const LINE_BYTES: usize = 4 * CAPACITY + 1024;

/// An object that is being written. A member that does not fit is left out as a whole.
pub(super) struct Line {
    bytes: [u8; LINE_BYTES],
    length: usize,
}

impl Line {
    /// An object without members.
    pub(super) fn new() -> Self {
        let mut line = Self { bytes: [0; LINE_BYTES], length: 0 };
        line.push(b"{");
        line
    }

    /// Adds a string. `name` is plain text; bytes of `value` that are no UTF-8 become replacement characters.
    pub(super) fn text(&mut self, name: &str, value: &[u8]) {
        let before = self.length;
        if !(self.name(name) && self.push(b"\"") && self.escaped(value) && self.push(b"\"")) {
            self.length = before;
        }
    }

    /// Adds a number.
    pub(super) fn number(&mut self, name: &str, value: u64) {
        use std::fmt::Write as _;
        let before = self.length;
        let mut digits = Words::new();
        let _ = write!(digits, "{value}");
        if !(self.name(name) && self.push(digits.bytes())) {
            self.length = before;
        }
    }

    /// The finished line, its end included.
    pub(super) fn end(&mut self) -> &[u8] {
        // `push` has kept room for these two; what follows them is not looked at.
        self.bytes[self.length..self.length + 2].copy_from_slice(b"}\n");
        &self.bytes[..self.length + 2]
    }

    fn name(&mut self, name: &str) -> bool {
        let separator: &[u8] = if self.length > 1 { b",\"" } else { b"\"" };
        self.push(separator) && self.push(name.as_bytes()) && self.push(b"\":")
    }

    fn escaped(&mut self, value: &[u8]) -> bool {
        value.utf8_chunks().all(|chunk| {
            chunk.valid().bytes().all(|byte| self.escaped_byte(byte))
                && (chunk.invalid().is_empty() || self.push("\u{fffd}".as_bytes()))
        })
    }

    fn escaped_byte(&mut self, byte: u8) -> bool {
        match byte {
            b'"' | b'\\' => self.push(&[b'\\', byte]),
            // RFC 8259, section 7: control characters must be escaped.
            0..0x20 => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let [high, low] = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
                self.push(&[b'\\', b'u', b'0', b'0', high, low])
            }
            _ => self.push(&[byte]),
        }
    }

    /// Appends all of `bytes`, or nothing: then there is no room.
    fn push(&mut self, bytes: &[u8]) -> bool {
        // Two bytes are kept for the end of the object and of the line.
        let Some(room) = self.bytes[..LINE_BYTES - 2].get_mut(self.length..self.length + bytes.len()) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.length += bytes.len();
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(mut line: Line) -> Value {
        let bytes = line.end();
        assert_eq!(bytes.last(), Some(&b'\n'));
        assert_eq!(bytes.split(|byte| *byte == b'\n').count(), 2, "one line");
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn a_line_is_json_whatever_the_texts_hold() {
        let mut line = Line::new();
        line.text("what", b"a \"quoted\" \\ and \n\x01");
        line.number("code", u64::MAX);
        line.text("module", "bibliothèque.so".as_bytes());
        line.text("symbol", b"\xff\xfe");
        let expected = json!({
            "what": "a \"quoted\" \\ and \n\u{1}", "code": u64::MAX, "module": "bibliothèque.so",
            "symbol": "\u{fffd}\u{fffd}",
        });
        assert_eq!(read(line), expected);
        assert_eq!(read(Line::new()), json!({}));
    }

    #[test]
    fn what_does_not_fit_is_left_out_as_a_whole() {
        let mut line = Line::new();
        line.text("first", &[1; CAPACITY]);
        line.text("second", &[1; CAPACITY]);
        line.number("third", 3);
        let read = read(line);
        assert_eq!(read["first"], "\u{1}".repeat(CAPACITY));
        assert_eq!(read["second"], Value::Null);
        assert_eq!(read["third"], 3);
    }
}
