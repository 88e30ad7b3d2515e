//! Files that hold secrets: only their owner may read them.

use std::io;
use std::path::Path;

/// The permission bits of a file that others can read; `None` for one that is its owner's alone.
///
/// # Errors
/// Nobody can look.
#[cfg(unix)]
pub(crate) fn exposed(file: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(file)?.permissions().mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

/// Access is by lists there, inherited from the folder: the profile of the user is closed to others.
///
/// # Errors
/// Nobody can look.
#[cfg(not(unix))]
pub(crate) fn exposed(file: &Path) -> io::Result<Option<u32>> {
    std::fs::metadata(file).map(|_| None)
}
