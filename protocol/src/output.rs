//! Marks in the output of a library: where the process that runs it writes down, in the very pipes that the library writes to,
//! which call has just ended. So whoever reads them knows what was written before that, whatever else is under way.
//!
//! A mark is `RS`, 32 hexadecimal digits that only the two sides know, `:`, the call's id as 32 hexadecimal digits, `RS`
//! (U+001E). The nil id ends what belongs to no call. A pipe takes that few bytes as a whole (`PIPE_BUF`, POSIX `write`).

use uuid::Uuid;

const SEPARATOR: u8 = 0x1e;

/// Bytes of a mark.
pub const MARK_BYTES: usize = PREFIX_BYTES + 32 + 1;

/// Bytes with which all marks of a process begin.
pub const PREFIX_BYTES: usize = 1 + 32 + 1;

/// The marks of one process.
#[derive(Clone, PartialEq, Eq)]
pub struct Marks([u8; PREFIX_BYTES]);

impl Marks {
    /// Those that have this secret, 32 hexadecimal digits.
    pub fn of(secret: &str) -> Option<Self> {
        let digits: &[u8; 32] = secret.as_bytes().try_into().ok()?;
        let mut prefix = [SEPARATOR; PREFIX_BYTES];
        prefix[1..33].copy_from_slice(digits);
        prefix[33] = b':';
        digits.iter().all(u8::is_ascii_hexdigit).then_some(Self(prefix))
    }

    /// What they begin with.
    pub const fn prefix(&self) -> &[u8] {
        &self.0
    }

    /// The mark that ends a call's output.
    pub fn end_of(&self, call: Uuid) -> [u8; MARK_BYTES] {
        let mut mark = [SEPARATOR; MARK_BYTES];
        mark[..PREFIX_BYTES].copy_from_slice(&self.0);
        call.simple().encode_lower(&mut mark[PREFIX_BYTES..MARK_BYTES - 1]);
        mark
    }

    /// The call whose output a mark ends.
    pub fn read(&self, mark: &[u8]) -> Option<Uuid> {
        let mark: &[u8; MARK_BYTES] = mark.try_into().ok()?;
        let id = Uuid::try_parse_ascii(&mark[PREFIX_BYTES..MARK_BYTES - 1]).ok()?;
        (mark[..PREFIX_BYTES] == self.0 && mark[MARK_BYTES - 1] == SEPARATOR).then_some(id)
    }
}

/// Without the secret.
impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Marks(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn a_mark_says_which_call_has_ended() {
        let marks = Marks::of(SECRET).unwrap();
        for id in [Uuid::now_v7(), Uuid::nil(), Uuid::max()] {
            let mark = marks.end_of(id);
            assert!(mark.starts_with(marks.prefix()));
            assert_eq!(marks.read(&mark), Some(id));
        }
    }

    #[test]
    fn what_is_no_mark_of_this_process_says_nothing() {
        let marks = Marks::of(SECRET).unwrap();
        let mark = marks.end_of(Uuid::nil());
        assert_eq!(marks.read(&mark[1..]), None);
        assert_eq!(marks.read(&[&mark[..], b"\n"].concat()), None);
        assert_eq!(Marks::of(&SECRET.replace('0', "1")).unwrap().read(&mark), None);
        let mut wrong = mark;
        wrong[40] = b'x';
        assert_eq!(marks.read(&wrong), None);
        assert_eq!(Marks::of("short"), None);
        assert_eq!(Marks::of(&"x".repeat(32)), None);
    }
}
