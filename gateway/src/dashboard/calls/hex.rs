//! Bytes as people read them: where they are, their digits, and those that are letters. Pure.

use std::fmt::Write as _;

/// So many bytes stand on a line.
const LINE: usize = 16;

/// The characters of a line, with its end.
const WIDTH: usize = 77;

/// At most so many bytes are shown of a buffer.
pub(super) const MOST: usize = 4096;

/// As many bytes as have room in so many characters.
pub(super) const fn fitting(characters: usize) -> usize {
    let bytes = characters / WIDTH * LINE;
    if bytes < MOST { bytes } else { MOST }
}

/// Lines of 16 bytes.
pub(super) fn lines(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(LINE) * WIDTH);
    for (number, line) in bytes.chunks(LINE).enumerate() {
        let _ = write!(text, "{:08x} ", number * LINE);
        for at in 0..LINE {
            // A gap after eight, so that one can count.
            text.push_str(if at == LINE / 2 { "  " } else { " " });
            match line.get(at) {
                Some(byte) => {
                    let _ = write!(text, "{byte:02x}");
                }
                None => text.push_str("  "),
            }
        }
        text.push_str("  ");
        text.extend(line.iter().map(|byte| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '·' }));
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

/// The first bytes, on one line.
pub(super) fn glance(bytes: &[u8]) -> String {
    const GLANCE: usize = 8;
    let mut text = bytes.iter().take(GLANCE).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x} ");
        text
    });
    if bytes.len() > GLANCE {
        text.push('…');
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_place_digits_and_letters() {
        let bytes: Vec<u8> = (0x3c..0x3c + 18).collect();
        let expected = "00000000  3c 3d 3e 3f 40 41 42 43  44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK\n\
                        00000010  4c 4d                                             LM";
        assert_eq!(lines(&bytes), expected);
        assert_eq!(lines(b""), "");
        assert!(lines(&[0, 7, b'\n', 0x80, 0xff]).ends_with("  ·····"));
    }

    #[test]
    fn no_more_is_shown_than_has_room() {
        assert_eq!((fitting(0), fitting(76), fitting(77), fitting(usize::MAX)), (0, 0, 16, MOST));
        // Dots are two bytes each, so that there is some more of it than there are characters.
        assert!(lines(&vec![b'x'; 1 << 20]).lines().all(|line| line.len() < WIDTH));
    }

    #[test]
    fn a_glance_is_short() {
        assert_eq!((glance(b""), glance(b"ab")), (String::new(), "61 62".to_owned()));
        assert_eq!(glance(&[0xff; 1000]), "ff ff ff ff ff ff ff ff …");
    }
}
