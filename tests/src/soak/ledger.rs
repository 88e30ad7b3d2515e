//! The record of what ran, which the library itself writes and no process takes with it: one file for each call.

use std::path::PathBuf;

use tempfile::TempDir;

use super::site::Site;

/// What one call has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// How often its function was entered.
    pub started: usize,
    /// How often it came to its end.
    pub returned: usize,
}

/// A folder with an entry for each call that was started.
#[derive(Debug)]
pub struct Ledger(TempDir);

impl Ledger {
    /// An empty one, which goes away with it.
    pub fn new() -> Self {
        Self(TempDir::with_prefix("bridge32-ledger-").expect("a temporary folder can be made"))
    }

    fn file(&self, token: &str) -> PathBuf {
        self.0.path().join(token)
    }

    /// The argument by which a call of that site writes its entry.
    pub fn argument(&self, site: &Site, token: &str) -> String {
        site.path(&self.file(token))
    }

    /// What a call has written so far.
    pub fn entry(&self, token: &str) -> Entry {
        Entry::read(&std::fs::read_to_string(self.file(token)).unwrap_or_default())
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Entry {
    fn read(text: &str) -> Self {
        let count = |word| text.lines().filter(|line| *line == word).count();
        Self { started: count("started"), returned: count("returned") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_counts_starts_and_returns() {
        assert_eq!(Entry::read(""), Entry { started: 0, returned: 0 });
        assert_eq!(Entry::read("started\nstarted\nreturned\n"), Entry { started: 2, returned: 1 });
    }
}
