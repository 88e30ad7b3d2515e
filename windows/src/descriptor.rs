//! Security descriptors as text (SDDL, "Security Descriptor Definition Language"): who owns a file, and who may do what with it.
//!
//! Windows makes the text, so that what is decided from it is plain code.

/// What makes a file its user's, the system's and the administrators' alone: the last two could take it anyway, as root could.
/// Nothing comes from the folder above.
pub fn of_file(user: &str) -> String {
    format!("D:P(A;;FA;;;{user})(A;;FA;;;SY)(A;;FA;;;BA)")
}

/// The same of a folder; what is made in it is as the folder is.
pub fn of_folder(user: &str) -> String {
    format!("D:P(A;OICI;FA;;;{user})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)")
}

/// Accounts that are no others: the system, its administrators, the rights of the owner, and those of whoever makes a file
/// (which is not about this one). Windows shortens some of the numbers, and not always.
const OWN: [&str; 8] = ["SY", "BA", "OW", "CO", "S-1-5-18", "S-1-5-32-544", "S-1-3-4", "S-1-3-0"];

/// What the accounts of services begin with (`NT SERVICE\…`): only an administrator makes one, and runs programs as it.
const SERVICES: &str = "S-1-5-80-";

/// All services together, those of accounts that many have in common, too.
const ALL_SERVICES: &str = "S-1-5-80-0";

/// Who owns a file or folder, and who may do what with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Whoever asks.
    user: String,
    owner: String,
    allowed: Vec<Allowed>,
}

/// What an account may do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Allowed {
    account: String,
    rights: u32,
    /// Only with what is made in the folder.
    inside: bool,
}

impl Descriptor {
    /// Reads what Windows makes of a descriptor, for the account `user`. Without a list of who may do what, everybody may do everything.
    ///
    /// # Errors
    /// The text is none that Windows makes.
    pub fn parse(text: &str, user: &str) -> Result<Self, Unreadable> {
        let owner = part(text, "O:").unwrap_or_default().trim().to_owned();
        let list = part(text, "D:").unwrap_or("NO_ACCESS_CONTROL").trim();
        let (flags, entries) = list.split_at(list.find('(').unwrap_or(list.len()));
        let mut allowed = Vec::new();
        if flags.contains("NO_ACCESS_CONTROL") {
            allowed.push(Allowed { account: "WD".to_owned(), rights: u32::MAX, inside: false });
        }
        for entry in entries.split('(').filter(|entry| !entry.is_empty()) {
            let entry = entry.trim_end_matches(|c: char| c == ')' || c.is_whitespace());
            let fields: Vec<&str> = entry.split(';').collect();
            let [kind, inheritance, rights, _, _, account, ..] = fields[..] else {
                return Err(Unreadable(text.to_owned()));
            };
            let rights = rights_of(rights).ok_or_else(|| Unreadable(text.to_owned()))?;
            // Those that deny something take nothing from what others have.
            if matches!(kind, "A" | "OA") {
                let inside = inheritance.as_bytes().chunks(2).any(|flag| flag == b"IO");
                allowed.push(Allowed { account: account.to_owned(), rights, inside });
            }
        }
        Ok(Self { user: user.to_owned(), owner, allowed })
    }

    /// The accounts that have any of these rights to the file itself, and are neither the user nor the owner.
    pub fn others_with(&self, rights: u32) -> Vec<String> {
        self.others(rights, |allowed| !allowed.inside)
    }

    /// Those that have any of these rights to a folder, or to what will be made in it.
    pub fn others_within(&self, rights: u32) -> Vec<String> {
        self.others(rights, |_| true)
    }

    fn others(&self, rights: u32, about: impl Fn(&Allowed) -> bool) -> Vec<String> {
        let others = self.allowed.iter().filter(|allowed| allowed.rights & rights != 0 && about(allowed));
        let mut others: Vec<String> = others.map(|allowed| allowed.account.clone()).collect();
        others.retain(|account| !self.is_own(account) && *account != self.owner);
        others.dedup();
        others
    }

    /// The owner, if it is neither the user nor the system.
    pub fn foreign_owner(&self) -> Option<String> {
        (!self.is_own(&self.owner)).then(|| self.owner.clone())
    }

    fn is_own(&self, account: &str) -> bool {
        let service = account.starts_with(SERVICES) && account != ALL_SERVICES;
        account == self.user || OWN.contains(&account) || service
    }
}

/// An account as people know it, for those that every Windows has.
pub fn account_name(account: &str) -> &str {
    const NAMES: [(&str, &str); 7] = [
        ("WD", "Everyone"),
        ("BU", "Users"),
        ("AU", "Authenticated Users"),
        ("IU", "Interactive Users"),
        ("BG", "Guests"),
        ("LS", "Local Service"),
        ("NS", "Network Service"),
    ];
    NAMES.iter().find(|(short, _)| *short == account).map_or(account, |(_, name)| name)
}

/// A text that says something else than who may do what.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no security descriptor")]
pub struct Unreadable(String);

/// Every right to read what is in a file or folder: `FILE_READ_DATA` and `GENERIC_READ`, and `GENERIC_ALL`.
pub const READ: u32 = 0x1 | 0x8000_0000 | 0x1000_0000;
/// Every right to change or remove it, or to give somebody a right: `FILE_WRITE_DATA`, `FILE_APPEND_DATA` and `FILE_DELETE_CHILD`, `DELETE`, `WRITE_DAC` and `WRITE_OWNER`, `GENERIC_WRITE` and `GENERIC_ALL`.
pub const WRITE: u32 = 0x2 | 0x4 | 0x40 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x4000_0000 | 0x1000_0000;

/// The part of a descriptor that such a letter begins, up to the next one.
fn part<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    let starts = |at: usize| ["O:", "G:", "D:", "S:"].iter().any(|letter| text[at..].starts_with(letter));
    let mut depth = 0_usize;
    let mut found = None;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && starts(at) => match found {
                None if text[at..].starts_with(begin) => found = Some(at + begin.len()),
                Some(from) => return Some(&text[from..at]),
                None => {}
            },
            _ => {}
        }
    }
    found.map(|from| &text[from..])
}

/// Rights as a number: `0x1200a9`, `FA`, `CCDCLC`.
fn rights_of(text: &str) -> Option<u32> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok();
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return text.parse().ok();
    }
    let mut rights = 0;
    for code in text.as_bytes().chunks(2) {
        rights |= RIGHTS.iter().find(|(name, _)| name.as_bytes() == code)?.1;
    }
    Some(rights)
}

/// The codes of rights (winnt.h, sddl.h).
const RIGHTS: [(&str, u32); 25] = [
    ("GA", 0x1000_0000),
    ("GX", 0x2000_0000),
    ("GW", 0x4000_0000),
    ("GR", 0x8000_0000),
    ("SD", 0x1_0000),
    ("RC", 0x2_0000),
    ("WD", 0x4_0000),
    ("WO", 0x8_0000),
    ("CC", 0x1),
    ("DC", 0x2),
    ("LC", 0x4),
    ("SW", 0x8),
    ("RP", 0x10),
    ("WP", 0x20),
    ("DT", 0x40),
    ("LO", 0x80),
    ("CR", 0x100),
    ("FA", 0x1f_01ff),
    ("FR", 0x12_0089),
    ("FW", 0x12_0116),
    ("FX", 0x12_00a0),
    ("KA", 0xf_003f),
    ("KR", 0x2_0019),
    ("KW", 0x2_0006),
    ("KX", 0x2_0019),
];

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "S-1-5-21-1-2-3-1001";

    fn read(text: &str) -> Descriptor {
        Descriptor::parse(text, USER).unwrap()
    }

    fn others(text: &str) -> Vec<String> {
        read(text).others_with(READ | WRITE)
    }

    #[test]
    fn a_file_that_is_made_for_its_user_is_nobody_elses() {
        for text in [of_file(USER), of_folder(USER)] {
            assert_eq!(others(&text), [""; 0]);
        }
        assert_eq!(others(&format!("O:{USER}G:S-1-5-21-1-2-3-513D:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)")), [""; 0]);
        assert_eq!(others("O:S-1-5-21-9G:BAD:(A;;FA;;;S-1-5-21-9)(A;;0x1f01ff;;;S-1-5-18)"), [""; 0]);
        assert_eq!(others("O:BAG:BAD:P(A;;FA;;;SY)(A;;FR;;;S-1-5-80-1-2-3-4-5)"), [""; 0]);
        assert_eq!(others("O:BAG:BAD:P(A;;FA;;;SY)(A;;FR;;;S-1-5-80-0)"), ["S-1-5-80-0"]);
    }

    #[test]
    fn whoever_else_may_read_or_write_is_named() {
        // What a file in C:\ has by inheritance.
        let in_root =
            "O:BAG:S-1-5-21-1-2-3-513D:AI(A;ID;FA;;;BA)(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)";
        assert_eq!(others(in_root), ["BU", "AU"]);
        assert_eq!(read(in_root).others_with(WRITE), ["AU"]);
        for (rights, named) in
            [("FR", true), ("GR", true), ("CC", true), ("FX", false), ("RCLO", false), ("0x40000", true)]
        {
            assert_eq!(others(&format!("D:P(A;;{rights};;;WD)")).len(), usize::from(named), "{rights}");
        }
    }

    #[test]
    fn what_is_only_for_files_in_a_folder_or_denies_gives_nobody_anything() {
        assert_eq!(others("D:(A;OICIIO;GA;;;CO)(A;OICIIO;GA;;;BU)(D;;FA;;;WD)"), [""; 0]);
        assert_eq!(others("D:(A;OICI;FR;;;BU)"), ["BU"]);
        let within = |text: &str| read(text).others_within(READ | WRITE);
        assert_eq!(within("D:(A;OICIIO;GA;;;CO)(A;OICIIO;GR;;;BU)(A;OICI;FR;;;BU)"), ["BU"]);
    }

    #[test]
    fn without_a_list_everybody_may_and_with_an_empty_one_nobody() {
        assert_eq!(others("O:BAG:BA"), ["WD"]);
        assert_eq!(others("O:BAG:BAD:NO_ACCESS_CONTROL"), ["WD"]);
        assert_eq!(others("O:BAG:BAD:P"), [""; 0]);
        // Auditing and labels are another list.
        assert_eq!(others("D:P(A;;FA;;;SY)S:AI(ML;;NW;;;HI)(AU;SA;FA;;;WD)"), [""; 0]);
    }

    #[test]
    fn an_owner_is_foreign_who_is_neither_the_user_nor_the_system() {
        for (owner, foreign) in
            [(USER, false), ("BA", false), ("SY", false), ("S-1-5-21-9-9-9-1002", true), ("BU", true)]
        {
            assert_eq!(read(&format!("O:{owner}G:BAD:P(A;;FA;;;SY)")).foreign_owner().is_some(), foreign, "{owner}");
        }
        assert_eq!((account_name("BU"), account_name("S-1-5-21-9")), ("Users", "S-1-5-21-9"));
    }

    #[test]
    fn what_is_no_descriptor_is_an_error_and_not_nobody() {
        for text in ["D:(A;;FA;;)", "D:(A;;QQ;;;WD)", "D:(A;;0xzz;;;WD)", "D:(hello)"] {
            assert!(Descriptor::parse(text, USER).is_err(), "{text}");
        }
    }
}
