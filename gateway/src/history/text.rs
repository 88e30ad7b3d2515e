//! A JSON text of a call as the history has it: without what is sensitive, and no longer than the configuration allows.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// A text, or its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What there is of it. A part of it is no JSON.
    pub text: String,
    /// How many bytes the whole has.
    pub size: u64,
    /// The SHA-256 of the whole, in hexadecimal, where it was cut.
    pub sha256: Option<String>,
}

impl Text {
    /// Cuts what is longer than `most` bytes.
    pub(super) fn cut(mut text: String, most: usize) -> Self {
        let size = text.len() as u64;
        if text.len() <= most {
            return Self { text, size, sha256: None };
        }
        let sha256 = Sha256::digest(&text).iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        text.truncate(text.floor_char_boundary(most));
        text.shrink_to_fit();
        Self { text, size, sha256: Some(sha256) }
    }

    /// Whether it is the whole.
    pub fn is_whole(&self) -> bool {
        self.sha256.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_has_the_digest_of_the_whole() {
        let whole = Text::cut("\"abc\"".to_owned(), 5);
        assert_eq!((whole.text.as_str(), whole.size, whole.is_whole()), ("\"abc\"", 5, true));
        let cut = Text::cut("aéb".to_owned(), 2);
        assert_eq!((cut.text.as_str(), cut.size), ("a", 4));
        // printf 'aéb' | sha256sum
        let digest = "987a4acf961d5fb9808a9c5162e1b0e1140b250728f22fbfd0613974f5cf928a";
        assert_eq!(cut.sha256.as_deref(), Some(digest));
        assert_eq!(Text::cut("x".to_owned(), 0).text, "");
    }
}
