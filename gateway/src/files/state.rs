//! How a file that was replaced is told from the one before, without reading it.

use std::path::Path;
use std::time::SystemTime;

/// By what a file that was replaced is told from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// One that the gateway reads.
    Host {
        /// When it was written, if the file system knows.
        modified: Option<SystemTime>,
        /// Its size in bytes.
        size: u64,
        /// Which file it is and when that last changed in any way, which nobody can set back; 0 where the system has no such
        /// numbers.
        identity: [u64; 4],
    },
    /// One that only an agent can read: it is looked at anew after each start.
    Runtime {
        /// The agent's generation.
        generation: u64,
    },
}

impl FileState {
    /// Of a file of this host.
    ///
    /// # Errors
    /// It is not there, or cannot be looked at.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let found = std::fs::metadata(path)?;
        Ok(Self::Host { modified: found.modified().ok(), size: found.len(), identity: identity(&found) })
    }
}

#[cfg(unix)]
fn identity(found: &std::fs::Metadata) -> [u64; 4] {
    use std::os::unix::fs::MetadataExt as _;
    [found.dev(), found.ino(), found.ctime().cast_unsigned(), found.ctime_nsec().cast_unsigned()]
}

#[cfg(not(unix))]
const fn identity(_found: &std::fs::Metadata) -> [u64; 4] {
    [0; 4]
}
