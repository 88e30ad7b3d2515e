//! The ways to run a library, in order of preference: as its table says, and each of its fallbacks.

use crate::config::{Fallback, LibraryConfig};

/// Which of the ways to run a library one is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its place: 0 is what the table itself says, 1 the first fallback.
    pub place: usize,
    /// Why those before it are not in force, in words, in their order.
    pub passed_over: Vec<String>,
}

impl LibraryConfig {
    /// How many ways there are to run it.
    pub fn ways(&self) -> usize {
        1 + self.fallback.len()
    }

    /// The table for the way of that place.
    #[must_use]
    pub fn way(&self, place: usize) -> Self {
        let fallback = place.checked_sub(1).and_then(|place| self.fallback.get(place)).cloned();
        let Some(Fallback { file, runtime, headers, agents, sha256 }) = fallback else { return self.clone() };
        Self { file, headers, runtime, agents, sha256, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::load_text;

    #[test]
    fn a_fallback_has_all_from_the_table_that_it_does_not_say_itself() {
        let text = "[library.a]\nfile='a.dll'\nheader='a.h'\nruntime='win32'\ndeadline='7s'\n\
                    fallback=[{file='a.so', runtime='linux32'}, {agent='pc'}]";
        let table = load_text(text).unwrap().libraries["a"].clone();
        assert_eq!(table.ways(), 3);
        assert_eq!(table.way(0), table);
        let second = table.way(1);
        assert!(second.file.display().ends_with("a.so") && second.headers == table.headers);
        assert_eq!((second.deadline, second.agents.len()), (table.deadline, 0));
        assert_eq!(second.runtime.map(bridge32_protocol::target::Target::name), Some("linux32"));
        let third = table.way(2);
        assert_eq!((&third.file, third.agents.as_slice()), (&table.file, &["pc".to_owned()][..]));
    }
}
