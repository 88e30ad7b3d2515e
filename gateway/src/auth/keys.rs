//! The key file: `[[key]]` tables with `id`, `secret` (base64) and `scopes`. Only its owner may read it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_signature::Key;
use serde::Deserialize;

use super::scopes::Scopes;

/// The shortest secret that is accepted, in bytes.
const MIN_SECRET: usize = 16;

/// A key, and what it allows.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    /// The key.
    pub key: Key,
    /// What it allows.
    pub scopes: Scopes,
}

/// Keys by id.
#[derive(Debug, Default)]
pub struct Keys {
    pub(super) owners: BTreeMap<String, Owner>,
    /// The id of the one that stands first in the file.
    first: Option<String>,
    pub(super) verifier: super::verify::Verifier,
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error(
        "cannot read the key file {}: {source}. It holds [[key]] tables with id, secret (base64 of 32 random bytes) and \
         scopes; for a first look on this machine alone, [auth] mode = \"off\" needs none", file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Others can read it.
    #[error("the key file {} can be read by others (mode {mode:04o}): chmod 600 {}", file.display(), file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not say what it should.
    #[error("{}: {message}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    key: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    secret: String,
    scopes: Vec<String>,
}

impl Keys {
    /// Reads a key file.
    ///
    /// # Errors
    /// It cannot be read, or too many can read it, or it does not hold keys.
    pub fn read(file: &Path) -> Result<Self, KeyFileError> {
        let unreadable = |source| KeyFileError::Unreadable { file: file.to_owned(), source };
        let invalid = |message| KeyFileError::Invalid { file: file.to_owned(), message };
        check_mode(file)?;
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        // The message alone: the line that toml would show holds the secret.
        let document: Document = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let brackets = error.message().contains("expected a sequence");
            let remedy = if brackets { "; write [[key]], with double brackets" } else { "" };
            invalid(format!("line {line}: {}{remedy}", error.message()))
        })?;
        let first = document.key.first().map(|entry| entry.id.clone());
        let mut owners = BTreeMap::new();
        for Entry { id, secret, scopes } in document.key {
            let secret = STANDARD.decode(secret).map_err(|_| invalid(format!("the secret of `{id}` is not base64")))?;
            if secret.len() < MIN_SECRET {
                return Err(invalid(format!("the secret of `{id}` is shorter than {MIN_SECRET} bytes")));
            }
            let scopes = Scopes::parse(scopes).map_err(|message| invalid(format!("key `{id}`: {message}")))?;
            let unusable = || invalid(format!("`{id}` is no key id: printable ASCII without quotes and backslashes"));
            let key = Key::new(&id, &secret).ok_or_else(unusable)?;
            if owners.insert(id.clone(), Owner { key, scopes }).is_some() {
                return Err(invalid(format!("the key id `{id}` is there twice")));
            }
        }
        if owners.is_empty() {
            return Err(invalid("it holds no [[key]]: nobody could sign a request".to_owned()));
        }
        Ok(Self { owners, first, verifier: super::verify::Verifier::default() })
    }

    /// The key of that id; without one, the first.
    pub fn get(&self, id: Option<&str>) -> Option<&Key> {
        self.owners.get(id.or(self.first.as_deref())?).map(|owner| &owner.key)
    }
}

#[cfg(unix)]
fn check_mode(file: &Path) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata =
        std::fs::metadata(file).map_err(|source| KeyFileError::Unreadable { file: file.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o7777;
    let others = mode & 0o077;
    if others == 0 { Ok(()) } else { Err(KeyFileError::Exposed { file: file.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check_mode(_file: &Path) -> Result<(), KeyFileError> {
    // Access there is by lists, inherited from the folder: the profile of the user is closed to others.
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read(text: &str, mode: u32) -> Result<Keys, KeyFileError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        Keys::read(&file)
    }

    const GOOD: &str = "[[key]]\nid='a'\nsecret='AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='\nscopes=['read']";

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_to_run() {
        assert!(read(GOOD, 0o600).is_ok());
        for mode in [0o640, 0o604, 0o644] {
            let text = read(GOOD, mode).unwrap_err().to_string();
            assert!(text.contains("chmod 600 /"), "{text}");
        }
    }

    #[test]
    fn errors_do_not_show_the_secret() {
        let text = read(&GOOD.replace("scopes", "scope"), 0o600).unwrap_err().to_string();
        assert!(!text.contains("AAAA"), "{text}");
        assert!(read("[[key]]\nid='a'\nsecret='AAAA'\nscopes=[]", 0o600).unwrap_err().to_string().contains("shorter"));
        assert!(read("", 0o600).unwrap_err().to_string().contains("no [[key]]"));
        assert!(!format!("{:?}", read(GOOD, 0o600).unwrap()).contains("AAAA"));
    }
}
