//! Windows: folders in order, names without regard to upper and lower case.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::open;
use crate::dependencies::{Found, Request, Resolver};

/// Looks in folders as the Windows loader does. Made by [`windows`].
pub struct Windows {
    folders: Vec<PathBuf>,
    /// File names in lower case, for each folder that was read.
    listings: RefCell<HashMap<PathBuf, HashMap<String, PathBuf>>>,
}

/// A resolver that looks in `folders`, in that order: the library's own folder, then the system's for its architecture
/// (`C:\Windows\SysWOW64`, or `drive_c/windows/syswow64` or `system32` of a Wine prefix), then those of `PATH`.
///
/// The first file of a name counts, as on Windows, even if it is of no use. API sets ([`is_api_set`]) are taken as present.
pub fn windows(folders: impl IntoIterator<Item = impl Into<PathBuf>>) -> Windows {
    Windows { folders: folders.into_iter().map(Into::into).collect(), listings: RefCell::default() }
}

impl Resolver for Windows {
    fn resolve(&self, request: &Request<'_>) -> Found {
        if is_api_set(request.name) {
            return Found::System;
        }
        let Some(name) = file_name(request.name) else { return Found::Missing };
        self.folders.iter().find_map(|folder| self.find(folder, &name)).map_or(Found::Missing, open)
    }
}

impl Windows {
    fn find(&self, folder: &Path, lower_case: &str) -> Option<PathBuf> {
        let mut listings = self.listings.borrow_mut();
        let listing = listings.entry(folder.to_owned()).or_insert_with(|| list(folder));
        listing.get(lower_case).cloned()
    }
}

/// The files of a folder by name in lower case. A folder that cannot be read holds nothing, as for the loader.
fn list(folder: &Path) -> HashMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    files.filter_map(|entry| Some((entry.file_name().to_str()?.to_lowercase(), entry.path()))).collect()
}

/// The file that an import names: its last component in lower case, `.dll` added if it has no extension.
fn file_name(import: &str) -> Option<String> {
    let name = import.rsplit(['\\', '/', ':']).next().unwrap_or(import).to_lowercase();
    // A trailing dot says: no extension.
    let name = match name.strip_suffix('.') {
        Some(bare) => bare.to_owned(),
        None if name.contains('.') => name,
        None => name + ".dll",
    };
    (!name.starts_with(".dll") && !name.is_empty()).then_some(name)
}

/// True for the names of API sets (`api-ms-win-…`, `ext-ms-…`), which the loader maps to other libraries without a file.
pub fn is_api_set(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("api-ms-win-") || lower.starts_with("ext-ms-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_become_file_names() {
        assert_eq!(file_name("KERNEL32"), Some("kernel32.dll".into()));
        assert_eq!(file_name("Vendor.OCX"), Some("vendor.ocx".into()));
        assert_eq!(file_name("..\\..\\evil.dll"), Some("evil.dll".into()));
        assert_eq!(file_name("bare."), Some("bare".into()));
        assert_eq!(file_name(""), None);
    }

    #[test]
    fn api_sets_are_known() {
        assert!(is_api_set("API-MS-Win-Core-File-l1-1-0.dll"));
        assert!(is_api_set("ext-ms-win-ntuser-window-l1-1-0"));
        assert!(!is_api_set("apisetschema.dll"));
    }
}
