//! Texts as Windows takes them: UTF-16, ended by a zero; and paths of any length.

use std::ffi::OsString;
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// Longer paths are only understood with a prefix, as long as the machine is not set to take them.
const LONGEST: usize = 240;

/// A text.
pub(crate) fn text(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A path, whole and ended by a zero.
pub(crate) fn path(path: &Path) -> std::io::Result<Vec<u16>> {
    Ok(whole(path)?.into_iter().chain([0]).collect())
}

/// The path for what opens files of its own: whole, and with the prefix that lets it be as long as it is, if it needs that.
///
/// # Errors
/// It is no path.
pub fn of_any_length(path: &Path) -> std::io::Result<PathBuf> {
    Ok(OsString::from_wide(&whole(path)?).into())
}

fn whole(path: &Path) -> std::io::Result<Vec<u16>> {
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
    Ok(prefixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_paths_get_the_prefix_that_fits_them() {
        let long = "x".repeat(300);
        for (path, expected) in [
            (r"C:\a\b".to_owned(), r"C:\a\b".to_owned()),
            (r"\\server\share\a".to_owned(), r"\\server\share\a".to_owned()),
            (format!(r"C:\{long}"), format!(r"\\?\C:\{long}")),
            (format!(r"\\server\share\{long}"), format!(r"\\?\UNC\server\share\{long}")),
            (format!(r"\\?\C:\{long}"), format!(r"\\?\C:\{long}")),
        ] {
            assert_eq!(of_any_length(Path::new(&path)).unwrap(), Path::new(&expected));
        }
    }
}
