//! Texts as Windows takes them: UTF-16, ended by a zero.

use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;

/// Longer paths are only understood with a prefix, as long as the machine is not set to take them.
const LONGEST: usize = 240;

/// A text.
pub(crate) fn text(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A path, whole and with the prefix that lets it be as long as it is.
pub(crate) fn path(path: &Path) -> std::io::Result<Vec<u16>> {
    let path = std::path::absolute(path)?;
    let units: Vec<u16> = path.as_os_str().encode_wide().collect();
    if units.contains(&0) {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "a path has no zeros"));
    }
    let begin = |text: &str| units.starts_with(&text.encode_utf16().collect::<Vec<_>>());
    let prefixed = if units.len() < LONGEST || begin(r"\\?\") || begin(r"\\.\") {
        units
    } else if begin(r"\\") {
        r"\\?\UNC".encode_utf16().chain(units[1..].iter().copied()).collect()
    } else {
        r"\\?\".encode_utf16().chain(units).collect()
    };
    Ok(prefixed.into_iter().chain([0]).collect())
}
