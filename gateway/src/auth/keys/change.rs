//! Changes of the key file by the running gateway itself: in force as soon as they are made, and told in the log.

use std::path::Path;

use jiff::Timestamp;

use super::Keys;
use super::edit::{self, EditError, NewKey, Shown};

/// All of these read and write files.
impl Keys {
    /// Adds a key, as `by` wants.
    ///
    /// # Errors
    /// The file cannot be used or written, the id is taken, or the key would not be one.
    pub fn add(&self, new: &NewKey, by: &str) -> Result<Shown, EditError> {
        let shown = self.change(|file| edit::add(file, new))?;
        let NewKey { id, owner, scopes, expires, .. } = new;
        let (owner, expires) = (owner.as_deref().unwrap_or(id), expires.map(tracing::field::display));
        tracing::info!(key = id, owner, scopes = scopes.join(" "), expires, by, "a key was added");
        Ok(shown)
    }

    /// Adds a key like that of an id, which ends at `until` if it does not before, as `by` wants; gives when it ends.
    ///
    /// # Errors
    /// The file cannot be used or written, or has no such key.
    pub fn rotate(&self, id: &str, until: Timestamp, by: &str) -> Result<(Shown, Timestamp), EditError> {
        let (shown, until) = self.change(|file| edit::rotate(file, id, until))?;
        tracing::info!(key = id, new = shown.id, %until, by, "a key was rotated");
        Ok((shown, until))
    }

    /// Takes a key away, as `by` wants.
    ///
    /// # Errors
    /// The file cannot be used or written, or has no such key, or no other.
    pub fn revoke(&self, id: &str, by: &str) -> Result<(), EditError> {
        self.change(|file| edit::revoke(file, id))?;
        tracing::info!(key = id, by, "a key was revoked");
        Ok(())
    }

    /// Reads the file again if it has changed.
    pub fn refresh(&self) {
        self.look(&mut None);
    }

    fn change<T>(&self, edit: impl FnOnce(&Path) -> Result<T, EditError>) -> Result<T, EditError> {
        let done = edit(&self.file())?;
        self.refresh();
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "[[key]]\nid='a'\nsecret='AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='\nscopes=['read']\n";

    #[test]
    fn what_the_gateway_changes_itself_is_in_force_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        std::io::Write::write_all(&mut crate::private::create(&file).unwrap(), FIRST.as_bytes()).unwrap();
        let keys = Keys::open(&file, folder.path(), super::super::Verifier::forgetful()).unwrap();
        let ids = || keys.views().into_iter().map(|view| view.id).collect::<Vec<_>>();
        let new = NewKey { id: "b".to_owned(), scopes: vec!["read".to_owned()], ..NewKey::default() };
        keys.add(&new, "somebody").unwrap();
        assert_eq!(ids(), ["a", "b"]);
        keys.add(&new, "somebody").unwrap_err();
        keys.rotate("b", Timestamp::now(), "somebody").unwrap();
        assert_eq!(ids(), ["a", "b", "b-2"]);
        keys.revoke("b", "somebody").unwrap();
        keys.revoke("b-2", "somebody").unwrap();
        assert!(keys.revoke("a", "somebody").unwrap_err().to_string().contains("the only key"));
        assert_eq!(ids(), ["a"]);
    }
}
