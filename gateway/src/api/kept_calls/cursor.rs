//! Where a list goes on. What a client gets is opaque to it: a version, what kind it is, and the place.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// Another version would mean something else by the rest.
const VERSION: u8 = 1;

/// A place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    /// Calls under way whose ids are less than this; after them the history.
    UnderWay(Uuid),
    /// Calls of the history whose numbers are less than this.
    Recorded(i64),
    /// Calls under way, and kept ones, whose ids are less than this: where there is no history.
    Kept(Uuid),
}

impl Cursor {
    /// As clients have it.
    pub(super) fn text(self) -> String {
        let mut bytes = vec![VERSION];
        match self {
            Self::UnderWay(id) => {
                bytes.push(b'u');
                bytes.extend(id.as_bytes());
            }
            Self::Recorded(seq) => {
                bytes.push(b's');
                bytes.extend(seq.to_be_bytes());
            }
            Self::Kept(id) => {
                bytes.push(b'k');
                bytes.extend(id.as_bytes());
            }
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// One that was given out, or `None`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let id = |rest: &[u8]| Uuid::from_slice(rest).ok();
        match bytes.as_slice() {
            [VERSION, b'u', rest @ ..] => id(rest).map(Self::UnderWay),
            [VERSION, b's', rest @ ..] => {
                let seq = i64::from_be_bytes(rest.try_into().ok()?);
                (seq > 0).then_some(Self::Recorded(seq))
            }
            [VERSION, b'k', rest @ ..] => id(rest).map(Self::Kept),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_and_nothing_else_is_one() {
        let id = Uuid::now_v7();
        for cursor in [Cursor::UnderWay(id), Cursor::Recorded(1), Cursor::Recorded(i64::MAX), Cursor::Kept(id)] {
            assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        }
        let newer = URL_SAFE_NO_PAD.encode([[2, b's'].as_slice(), &7_i64.to_be_bytes()].concat());
        let negative = URL_SAFE_NO_PAD.encode([[1, b's'].as_slice(), &(-7_i64).to_be_bytes()].concat());
        for text in ["", "x", "7", &newer, &negative, &id.to_string(), &Cursor::Recorded(7).text()[1..]] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
