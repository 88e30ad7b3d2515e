//! Interfaces that came by request, kept in `data_dir/interfaces` so that they outlive the gateway.
//!
//! A stored interface stands in for the header files that were there when it came. Once those change they are what
//! somebody wrote last: they count, and the stored one waits until it is sent again or they are what they were.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{HeaderText, digest};
use crate::private;

/// Why an interface cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {source}", file.display())]
pub struct StoreError {
    file: PathBuf,
    source: std::io::Error,
}

/// The file of one library.
#[derive(Serialize, Deserialize)]
struct Document {
    /// The library's name: file systems that ignore case have one file for `Calc` and `calc`.
    library: String,
    /// When it came.
    at: Timestamp,
    /// Which header files it stands in for.
    replaces: String,
    /// The header, base64: it may be in any encoding.
    header: String,
}

/// The folder of stored interfaces.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The one in that `data_dir`.
    pub fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("interfaces") }
    }

    /// The header that stands in for the configured ones of a library, and when it came.
    pub fn load(&self, library: &str, configured: &[HeaderText]) -> Option<(Vec<u8>, Timestamp)> {
        let file = self.file(library);
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::error!(library, file = %file.display(), %error, "a stored interface cannot be read");
                return None;
            }
        };
        let Some((document, header)) = read(&text) else {
            tracing::error!(library, file = %file.display(), "a stored interface is damaged; the header files count");
            return None;
        };
        if document.library != library {
            let other = document.library;
            tracing::warn!(library, other, file = %file.display(), "a stored interface is that of another library");
            return None;
        }
        if document.replaces == digest(configured) {
            return Some((header, document.at));
        }
        tracing::warn!(
            library,
            file = %file.display(),
            "the header files have changed since the interface was replaced by a request: the header files count"
        );
        None
    }

    /// Keeps a header that stands in for the configured ones; one that is the same as they are needs no keeping.
    ///
    /// # Errors
    /// It cannot be written; what was kept before still is.
    pub fn save(
        &self,
        library: &str,
        header: &[u8],
        at: Timestamp,
        configured: &[HeaderText],
    ) -> Result<(), StoreError> {
        let file = self.file(library);
        let failed = |source| StoreError { file: file.clone(), source };
        if let Some(other) = other_owner(&file, library) {
            let text = format!("it has the interface of the library `{other}`, whose name differs in case only");
            return Err(failed(std::io::Error::new(ErrorKind::AlreadyExists, text)));
        }
        let (library, replaces) = (library.to_owned(), digest(configured));
        let document = Document { library, at, replaces, header: STANDARD.encode(header) };
        let text = serde_json::to_vec_pretty(&document).map_err(|error| failed(error.into()))?;
        private::make_folder(&self.folder).map_err(failed)?;
        // Complete or not there, whenever the power goes.
        let partial = file.with_extension("new");
        let mut written = private::create(&partial).map_err(failed)?;
        written.write_all(&text).and_then(|()| written.sync_all()).map_err(failed)?;
        fs::rename(&partial, &file).map_err(failed)
    }

    /// The configured headers count again.
    ///
    /// # Errors
    /// What is kept cannot be removed.
    pub fn forget(&self, library: &str) -> Result<(), StoreError> {
        let file = self.file(library);
        if other_owner(&file, library).is_some() {
            return Ok(());
        }
        match fs::remove_file(&file) {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(StoreError { file, source }),
            _ => Ok(()),
        }
    }

    /// Names of libraries are letters, digits and `_-.`: each is a file name.
    fn file(&self, library: &str) -> PathBuf {
        self.folder.join(format!("{library}.json"))
    }
}

/// The other library whose interface the file has.
fn other_owner(file: &Path, library: &str) -> Option<String> {
    let (document, _) = read(&fs::read(file).ok()?)?;
    (document.library != library).then_some(document.library)
}

fn read(text: &[u8]) -> Option<(Document, Vec<u8>)> {
    let document: Document = serde_json::from_slice(text).ok()?;
    let header = STANDARD.decode(&document.header).ok()?;
    Some((document, header))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(text: &str) -> Vec<HeaderText> {
        vec![HeaderText { name: "calc.h".to_owned(), text: text.as_bytes().to_vec() }]
    }

    #[test]
    fn a_stored_interface_counts_until_the_header_files_change() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(store.load("calc", &configured("int f(void);")), None);
        store.save("calc", b"int \xb0(void);", now, &configured("int f(void);")).unwrap();
        assert_eq!(store.load("calc", &configured("int f(void);")), Some((b"int \xb0(void);".to_vec(), now)));
        assert_eq!(store.load("other", &configured("int f(void);")), None);
        assert_eq!(store.load("calc", &configured("int f(int a);")), None);
        assert!(store.load("calc", &configured("int f(void);")).is_some(), "the files are what they were");
    }

    #[test]
    fn libraries_whose_names_differ_in_case_only_do_not_take_each_others_interfaces() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        store.save("Calc", b"int f(void);", Timestamp::now(), &[]).unwrap();
        // As on a file system that ignores case.
        fs::copy(store.file("Calc"), store.file("calc")).unwrap();
        assert_eq!(store.load("calc", &[]), None);
        let error = store.save("calc", b"", Timestamp::now(), &[]).unwrap_err().to_string();
        assert!(
            error.ends_with("it has the interface of the library `Calc`, whose name differs in case only"),
            "{error}"
        );
        store.forget("calc").unwrap();
        assert!(store.file("calc").exists() && store.load("Calc", &[]).is_some());
    }

    #[test]
    fn what_is_forgotten_or_damaged_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        store.forget("calc").unwrap();
        store.save("calc", b"int f(void);", Timestamp::now(), &[]).unwrap();
        store.forget("calc").unwrap();
        assert_eq!(store.load("calc", &[]), None);
        fs::write(folder.path().join("interfaces/calc.json"), "{\"at\":").unwrap();
        assert_eq!(store.load("calc", &[]), None);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("interfaces"), "a file").unwrap();
        let error = Store::new(folder.path()).save("calc", b"", Timestamp::now(), &[]).unwrap_err();
        assert!(error.to_string().contains("calc.json cannot be written"), "{error}");
    }
}
