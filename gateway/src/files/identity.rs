//! Which file a library is: what its agent loaded, whether that was another one before, and whether it still lies on the disk.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bridge32_image::fingerprint::Fingerprint;
use bridge32_protocol::wire::LoadedFile;
use jiff::Timestamp;
use serde::Serialize;

use super::FileState;

/// What is known of a library's file since the gateway started.
#[derive(Debug, Default)]
pub struct Identity {
    known: Mutex<Option<Known>>,
    /// The hash of what was on the disk when somebody last asked, and by what one sees that it was replaced since.
    on_disk: Mutex<Option<(FileState, String)>>,
}

/// A file that was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Its path, as its agent names it.
    pub path: String,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// That it is another one than before, if it is.
    #[serde(skip)]
    pub changed: Option<Changed>,
}

/// That another file was loaded before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The SHA-256 of that one.
    pub from_sha256: String,
    /// When it was noticed.
    pub noticed_at: Timestamp,
}

/// What lies on the disk, compared with what is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisk {
    /// The same file.
    Same,
    /// Another file: a restart of the agent loads that one.
    Changed,
    /// Nothing that can be read.
    Missing,
    /// Only the agent could say.
    Unknown,
}

impl Identity {
    /// An agent has loaded this file. That it is another one than before is logged.
    pub fn note(&self, library: &str, file: LoadedFile) {
        let now = Timestamp::now();
        let mut known = lock(&self.known);
        let changed = match known.take() {
            Some(before) if before.sha256 != file.sha256 => {
                tracing::warn!(
                    library,
                    path = file.path,
                    from_sha256 = before.sha256,
                    sha256 = file.sha256,
                    "the library's file is another one than before"
                );
                Some(Changed { from_sha256: before.sha256, noticed_at: now })
            }
            before => before.and_then(|before| before.changed),
        };
        let LoadedFile { path, sha256, size } = file;
        *known = Some(Known { path, sha256, size, loaded_at: now, changed });
    }

    /// What was loaded last.
    pub fn known(&self) -> Option<Known> {
        lock(&self.known).clone()
    }

    /// Compares what is loaded with the file of this host. It is read only if it was replaced since the last time.
    pub fn on_disk(&self, loaded: &Known, path: &Path) -> OnDisk {
        match self.hash_on_disk(path) {
            Ok(sha256) if sha256 == loaded.sha256 => OnDisk::Same,
            Ok(_) => OnDisk::Changed,
            Err(_) => OnDisk::Missing,
        }
    }

    /// The SHA-256 of the file of this host, likewise.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn hash_on_disk(&self, path: &Path) -> io::Result<String> {
        let state = FileState::of(path)?;
        if let Some((_, sha256)) = lock(&self.on_disk).as_ref().filter(|(seen, _)| *seen == state) {
            return Ok(sha256.clone());
        }
        let sha256 = Fingerprint::of(path)?.sha256;
        *lock(&self.on_disk) = Some((state, sha256.clone()));
        Ok(sha256)
    }
}

/// A panic while such a lock was held cannot leave these plain values half changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(path: &Path) -> LoadedFile {
        let Fingerprint { sha256, size } = Fingerprint::of(path).unwrap();
        LoadedFile { path: path.display().to_string(), sha256, size }
    }

    #[test]
    fn another_file_is_noticed_when_it_is_loaded_and_before_that_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.so");
        let identity = Identity::default();
        std::fs::write(&path, "one").unwrap();
        let one = loaded(&path);
        for _ in 0..2 {
            identity.note("a", one.clone());
            let known = identity.known().unwrap();
            assert_eq!((known.changed.as_ref(), identity.on_disk(&known, &path)), (None, OnDisk::Same));
        }
        std::fs::write(&path, "another").unwrap();
        let known = identity.known().unwrap();
        assert_eq!(identity.on_disk(&known, &path), OnDisk::Changed);
        identity.note("a", loaded(&path));
        let known = identity.known().unwrap();
        assert_eq!(known.changed.as_ref().map(|changed| changed.from_sha256.as_str()), Some(one.sha256.as_str()));
        assert_eq!(identity.on_disk(&known, &path), OnDisk::Same);
        identity.note("a", loaded(&path));
        assert!(identity.known().unwrap().changed.is_some(), "it is still to be seen after the next start");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(identity.on_disk(&known, &path), OnDisk::Missing);
    }
}
