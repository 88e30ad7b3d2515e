//! Names that every language can use: letters, digits and underscores, beginning with a letter, of a bearable length, and
//! different even for generators that drop underscores and change the case.

use std::collections::HashSet;

/// Longer names are cut: generators make names of files from them.
const LONGEST: usize = 120;

/// The names that are taken.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// Keeps a name that is given already.
    pub(super) fn take(&mut self, name: &str) {
        self.taken.insert(essence(name));
    }

    /// Keeps a name with each of these endings, unless one of those is taken.
    pub(super) fn take_all(&mut self, name: &str, endings: &[&str]) -> bool {
        let names = endings.iter().map(|ending| essence(&format!("{name}{ending}"))).collect::<Vec<_>>();
        let free = names.iter().all(|name| !self.taken.contains(name));
        if free {
            self.taken.extend(names);
        }
        free
    }

    /// `wanted` made legal; a number is added if another name would look like it.
    pub(super) fn choose(&mut self, wanted: &str) -> String {
        let legal = legal(wanted);
        let mut name = legal.clone();
        let mut number = 2;
        while !self.taken.insert(essence(&name)) {
            name = format!("{legal}_{number}");
            number += 1;
        }
        name
    }
}

/// What is left of a name in the language that keeps least of it.
fn essence(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect()
}

fn legal(wanted: &str) -> String {
    let legal = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let mut name: String = wanted.chars().map(legal).collect();
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name.insert(0, 'x');
    }
    if name.len() > LONGEST {
        name.truncate(LONGEST - 9);
        name = format!("{name}_{:08x}", fnv(wanted));
    }
    name
}

/// FNV-1a with 32 bits: names must stay what they are, whatever the hashes of the standard library become.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_legal_everywhere() {
        let mut names = Names::default();
        assert_eq!(names.choose("my-lib.2_Read"), "my_lib_2_Read");
        assert_eq!(names.choose("7zip_Open"), "x7zip_Open");
        assert_eq!(names.choose("_x"), "x_x");
        let long = names.choose(&"a".repeat(300));
        assert_eq!(long.len(), LONGEST);
        assert_ne!(long, names.choose(&"a".repeat(301)));
    }

    #[test]
    fn names_that_some_language_cannot_tell_apart_are_numbered_in_their_order() {
        let mut names = Names::default();
        names.take("listLibraries");
        assert_eq!(names.choose("list_Libraries"), "list_Libraries_2");
        assert_eq!(names.choose("demo_read"), "demo_read");
        assert_eq!(names.choose("demo_Read"), "demo_Read_2");
        assert_eq!(names.choose("demo__read"), "demo__read_3");
    }

    #[test]
    fn a_name_with_endings_has_all_of_them_free() {
        let mut names = Names::default();
        names.take("demo_Add_Answer");
        assert!(!names.take_all("demo_Add", &["_Arguments", "_Answer"]));
        assert_eq!(names.choose("demo_Add_Arguments"), "demo_Add_Arguments", "then none of them is taken");
        assert!(names.take_all("demo_Sub", &["_Arguments", "_Answer"]));
    }
}
