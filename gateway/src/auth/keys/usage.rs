//! When each key was used last, kept in `data_dir` so that it is known after a restart, and to the command line.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

use crate::private;

/// The file's name in `data_dir`.
const FILE: &str = "key-usage.json";

/// Last uses by the id of the key.
pub type LastUses = BTreeMap<String, Timestamp>;

/// When one key was used last, in Unix seconds; 0 is never.
#[derive(Debug, Default)]
pub(super) struct LastUse(AtomicI64);

impl LastUse {
    pub(super) fn at(time: Option<Timestamp>) -> Self {
        Self(AtomicI64::new(time.map_or(0, Timestamp::as_second)))
    }

    pub(super) fn note(&self, now: i64) {
        // Of two at once either may stay: they are of the same second, or of the one before.
        if self.0.load(Ordering::Relaxed) != now {
            self.0.store(now, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self) -> Option<Timestamp> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            seconds => Timestamp::from_second(seconds).ok(),
        }
    }
}

/// What a gateway with that `data_dir` has written last; nothing if it has not.
///
/// # Errors
/// It cannot be read.
pub fn read(data_dir: &Path) -> io::Result<LastUses> {
    match std::fs::read(data_dir.join(FILE)) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(LastUses::default()),
        Err(error) => Err(error),
    }
}

/// Writes them, whole or not at all.
pub(super) fn write(data_dir: &Path, uses: &LastUses) -> io::Result<()> {
    let file: PathBuf = data_dir.join(FILE);
    let partial = file.with_extension("new");
    serde_json::to_writer(private::create(&partial)?, uses)?;
    std::fs::rename(partial, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_uses_outlive_the_gateway() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap().is_empty());
        let last = LastUse::at(None);
        assert_eq!(last.get(), None);
        last.note(1_800_000_000);
        let uses = LastUses::from([("ci".to_owned(), last.get().unwrap())]);
        write(folder.path(), &uses).unwrap();
        assert_eq!(read(folder.path()).unwrap(), uses);
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(read(folder.path()).is_err());
    }
}
