//! The keys that are in force: read from the key file, and again whenever that changes.
//!
//! A file that cannot be used changes nothing: the keys that were there stay, and the log says why. What is known of a key
//! (how much was asked with it, when it was used last) outlives a change of the others.

mod change;
mod edit;
mod file;
mod limits;
mod usage;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use bridge32_signature::Key;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use super::scopes::Scopes;
use super::verify::Verifier;
use crate::error::{Code, Problem};
use limits::Meter;
use usage::LastUse;

pub use edit::{EditError, NewKey, Shown, add, revoke, rotate};
pub use file::{Entry, KeyFileError, parse_end, read};
pub use limits::{Limits, Permit, Rate};
pub use usage::{LastUses, read as last_uses};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Last uses are written after so many looks, if there are new ones.
const WRITE_AFTER: u32 = 5;

/// A key that is in force, and what is known of it.
#[derive(Debug)]
pub struct Credential {
    /// What the file says.
    pub(super) entry: Entry,
    /// Its id and whose it is, for what is to be known of each call.
    pub(super) names: [Arc<str>; 2],
    meter: Arc<Meter>,
    last_use: Arc<LastUse>,
}

/// A key as it is shown: without its secret.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// What it allows.
    pub scopes: Scopes,
    /// When it was made, if that is known.
    pub created: Option<Timestamp>,
    /// From when on it is good for nothing; `None` is never.
    pub expires: Option<Timestamp>,
    /// Whether that time has come.
    pub expired: bool,
    /// When it was used last; `None` is never, as far as the gateway knows.
    pub last_used: Option<Timestamp>,
    /// Requests in a time.
    pub rate: Option<Rate>,
    /// Requests at once.
    pub concurrency: Option<u32>,
}

impl View {
    /// What is shown of an entry of the file.
    pub fn new(entry: &Entry, last_used: Option<Timestamp>) -> Self {
        Self {
            id: entry.key.id().to_owned(),
            owner: entry.owner.clone(),
            scopes: entry.scopes.clone(),
            created: entry.created,
            expires: entry.expires,
            expired: entry.is_over(),
            last_used,
            rate: entry.limits.rate,
            concurrency: entry.limits.concurrency,
        }
    }
}

impl Credential {
    /// Its id.
    pub fn id(&self) -> &str {
        self.entry.key.id()
    }

    /// What it allows.
    pub fn scopes(&self) -> &Scopes {
        &self.entry.scopes
    }

    /// Whether both have the same secret and allow the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.entry.key.is_same(&other.entry.key) && self.entry.scopes == other.entry.scopes
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self) -> bool {
        self.entry.is_over()
    }

    /// Looks whether its time is over; whoever has signed with it may know that.
    ///
    /// # Errors
    /// It is.
    pub(super) fn check_time(&self) -> Result<(), Problem> {
        let id = self.id();
        if let Some(expires) = self.entry.expires.filter(|_| self.is_over()) {
            let detail =
                format!("The key `{id}` was good until {expires}; whoever runs this gateway has to give a new one.");
            return Err(Problem::new(Code::UnknownKey, detail));
        }
        Ok(())
    }

    /// Lets a request begin, and notes that the key was used.
    ///
    /// # Errors
    /// It asks too much.
    pub(super) fn begin(&self) -> Result<Permit, Problem> {
        let permit = self.meter.begin(self.id())?;
        self.last_use.note(Timestamp::now().as_second());
        Ok(permit)
    }

    /// Lets a call go on, whatever becomes of its request.
    ///
    /// # Errors
    /// It would be one too many.
    pub(super) fn keep(&self) -> Result<Permit, Problem> {
        self.meter.keep(self.id())
    }
}

/// The keys by id, at one time.
#[derive(Debug)]
pub(super) struct KeySet {
    by_id: HashMap<String, Arc<Credential>>,
    /// The ids in the order of the file.
    order: Vec<String>,
}

impl KeySet {
    /// The keys of the file. What was known of those that are the same goes on.
    fn new(entries: Vec<Entry>, before: Option<&Self>, uses: &LastUses) -> Self {
        let order = entries.iter().map(|entry| entry.key.id().to_owned()).collect();
        let credential = |entry: Entry| {
            let id = entry.key.id().to_owned();
            let before = before.and_then(|set| set.by_id.get(&id));
            let meter = before.map(|before| &before.meter).filter(|meter| meter.limits == entry.limits);
            let meter = meter.map_or_else(|| Arc::new(Meter::new(entry.limits)), Arc::clone);
            let known = || Arc::new(LastUse::at(uses.get(&id).copied()));
            let last_use = before.map_or_else(known, |before| Arc::clone(&before.last_use));
            let names = [id.as_str().into(), entry.owner.as_str().into()];
            (id, Arc::new(Credential { entry, names, meter, last_use }))
        };
        Self { by_id: entries.into_iter().map(credential).collect(), order }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<Credential>> {
        self.by_id.get(id)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }

    fn last_uses(&self) -> LastUses {
        self.all().filter_map(|key| Some((key.entry.key.id().to_owned(), key.last_use.get()?))).collect()
    }
}

/// What tells one state of a file from another.
type FileState = Option<(SystemTime, u64, u64)>;

/// A key file that was read, and is not followed yet.
#[derive(Debug)]
pub struct OtherFile {
    file: PathBuf,
    state: FileState,
    entries: Vec<Entry>,
}

impl OtherFile {
    /// Reads it.
    ///
    /// # Errors
    /// It cannot be used.
    pub(super) fn read(file: &Path) -> Result<Self, KeyFileError> {
        // Before it is read: what changes in between is noticed.
        let state = state_of(file);
        Ok(Self { file: file.to_owned(), state, entries: file::read(file)? })
    }
}

/// The keys of a gateway.
#[derive(Debug)]
pub struct Keys {
    file: RwLock<PathBuf>,
    data_dir: PathBuf,
    /// Of which state of the file they are.
    read: Mutex<FileState>,
    current: RwLock<Arc<KeySet>>,
    pub(super) verifier: Verifier,
}

impl Keys {
    /// Reads the key file.
    ///
    /// # Errors
    /// It cannot be used.
    pub(super) fn open(file: &Path, data_dir: &Path, verifier: Verifier) -> Result<Self, KeyFileError> {
        let uses = usage::read(data_dir).unwrap_or_else(|error| {
            tracing::warn!(%error, "when keys were used last is not known any more");
            LastUses::default()
        });
        // Before it is read: what changes in between is noticed.
        let read = Mutex::new(state_of(file));
        let set = KeySet::new(file::read(file)?, None, &uses);
        let (file, data_dir) = (RwLock::new(file.to_owned()), data_dir.to_owned());
        let current = RwLock::new(Arc::new(set));
        Ok(Self { file, data_dir, read, current, verifier })
    }

    /// Those of a file's text, of which nothing is kept.
    #[cfg(test)]
    pub(super) fn of_text(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        std::io::Write::write_all(&mut crate::private::create(&file).unwrap(), text.as_bytes()).unwrap();
        Self::open(&file, folder.path(), Verifier::forgetful()).unwrap()
    }

    /// The keys that are in force now.
    pub(super) fn current(&self) -> Arc<KeySet> {
        // Only ever replaced as a whole.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down which signatures were used.
    pub(super) fn close(&self) {
        self.verifier.close();
    }

    /// All keys, in the order of the file.
    pub fn views(&self) -> Vec<View> {
        self.current().all().map(|key| View::new(&key.entry, key.last_use.get())).collect()
    }

    /// Puts what the file says now in force.
    ///
    /// # Errors
    /// It cannot be used; nothing has changed then.
    pub fn reload(&self) -> Result<(), KeyFileError> {
        let file = self.file();
        self.put_in_force(file::read(&file)?, &file);
        Ok(())
    }

    fn put_in_force(&self, entries: Vec<Entry>, file: &Path) {
        let set = KeySet::new(entries, Some(&self.current()), &LastUses::default());
        tracing::info!(keys = set.order.len(), file = %file.display(), "the key file has changed: its keys are in force");
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
    }

    fn file(&self) -> PathBuf {
        self.file.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts the keys of a file in force that was read, and follows it from now on.
    pub(super) fn follow(&self, other: OtherFile) {
        let OtherFile { file, state, entries } = other;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *read == state && self.file() == file {
            return;
        }
        self.put_in_force(entries, &file);
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = file;
        *read = state;
    }

    /// Follows the file, and writes down when keys were used, until `stopping` says so.
    pub async fn watch(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut written = self.current().last_uses();
        let mut told = None;
        for look in 1.. {
            let last = tokio::time::timeout(LOOK, stopping.wait_for(|stopping| *stopping)).await.is_ok();
            self.look(&mut told);
            if last || look % WRITE_AFTER == 0 {
                self.write_uses(&mut written);
            }
            if last {
                return;
            }
        }
    }

    /// Reads the file again if it has changed. What is wrong with it is told once.
    fn look(&self, told: &mut Option<String>) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = state_of(&self.file());
        if now == *read {
            return;
        }
        match self.reload() {
            Ok(()) => (*read, *told) = (now, None),
            Err(error) => {
                // One that cannot be read may be there again at the next look, as when an editor was just writing it; and who may
                // read it is not seen by its times.
                if !matches!(error, KeyFileError::Unreadable { .. } | KeyFileError::Exposed { .. }) {
                    *read = now;
                }
                let text = error.to_string();
                if told.as_ref() != Some(&text) {
                    tracing::error!(%error, "the key file has changed and cannot be used: the keys stay what they were");
                    *told = Some(text);
                }
            }
        }
    }

    fn write_uses(&self, written: &mut LastUses) {
        let uses = self.current().last_uses();
        if uses != *written {
            match usage::write(&self.data_dir, &uses) {
                Ok(()) => *written = uses,
                Err(error) => tracing::warn!(%error, "when keys were used last cannot be written"),
            }
        }
    }
}

/// The state of a file now; `None` if it is not there.
fn state_of(file: &Path) -> FileState {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), identity(&metadata)))
}

/// A file that takes another's place is another one, and so is one whose mode has changed.
#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.ino() ^ u64::from(metadata.mode()).rotate_left(48)
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> u64 {
    0
}

/// The keys of a file for somebody who signs: that of an id, or the first that is still good.
///
/// # Errors
/// The file cannot be used.
pub fn to_sign_with(file: &Path, id: Option<&str>) -> Result<Option<Key>, KeyFileError> {
    let entries = file::read(file)?;
    let wanted = |entry: &Entry| match id {
        Some(id) => entry.key.id() == id,
        None => !entry.is_over(),
    };
    Ok(entries.into_iter().find(wanted).map(|entry| entry.key))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(text: &str) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            folder.write(text, 0o600);
            folder
        }

        fn file(&self) -> PathBuf {
            self.0.path().join("keys.toml")
        }

        fn write(&self, text: &str, mode: u32) {
            std::fs::write(self.file(), text).unwrap();
            std::fs::set_permissions(self.file(), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }

        fn open(&self) -> Keys {
            Keys::open(&self.file(), self.0.path(), Verifier::forgetful()).unwrap()
        }
    }

    fn table(id: &str, more: &str) -> String {
        format!("[[key]]\nid='{id}'\nsecret='AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='\nscopes=['read']\n{more}\n")
    }

    #[test]
    fn what_is_known_of_a_key_outlives_a_change_of_the_others() {
        let folder = Folder::with(&table("a", "rate='1/h'"));
        let keys = folder.open();
        keys.current().get("a").unwrap().begin().unwrap();
        folder.write(&(table("b", "") + &table("a", "rate='1/h'\nowner='x'")), 0o600);
        keys.reload().unwrap();
        let (set, views) = (keys.current(), keys.views());
        assert_eq!(set.get("a").unwrap().begin().unwrap_err().code(), Code::RateLimited);
        assert_eq!(views.iter().map(|view| view.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert!(views[1].last_used.is_some() && views[0].last_used.is_none() && views[1].owner == "x", "{views:?}");
        folder.write(&table("a", "rate='2/h'"), 0o600);
        keys.reload().unwrap();
        assert!(keys.current().get("a").unwrap().begin().is_ok(), "another limit counts afresh");
    }

    #[test]
    fn a_file_that_cannot_be_used_changes_nothing() {
        let folder = Folder::with(&table("a", ""));
        let keys = folder.open();
        for (text, mode) in [("[[key]", 0o600), ("", 0o600), (table("b", "").as_str(), 0o644)] {
            folder.write(text, mode);
            keys.reload().unwrap_err();
            assert_eq!(keys.views().len(), 1);
            assert_eq!(keys.views()[0].id, "a");
        }
    }

    #[test]
    fn another_file_is_followed_from_the_moment_that_it_is_in_force() {
        let (folder, other) = (Folder::with(&table("a", "")), Folder::with(&table("b", "")));
        let keys = folder.open();
        OtherFile::read(&folder.0.path().join("nowhere")).unwrap_err();
        let read = OtherFile::read(&other.file()).unwrap();
        assert_eq!(keys.views()[0].id, "a", "it was read, and not more");
        keys.follow(read);
        assert_eq!(keys.views()[0].id, "b");
        folder.write(&table("c", ""), 0o600);
        keys.look(&mut None);
        assert_eq!(keys.views()[0].id, "b", "the first file does not count any more");
        other.write(&table("longer", ""), 0o600);
        keys.look(&mut None);
        assert_eq!(keys.views()[0].id, "longer");
    }

    #[test]
    fn a_key_whose_time_is_over_is_good_for_nothing() {
        let folder = Folder::with(&(table("old", "expires='2020-01-01'") + &table("new", "expires='9000-01-01'")));
        let keys = folder.open().current();
        let problem = keys.get("old").unwrap().check_time().unwrap_err();
        assert_eq!(problem.code(), Code::UnknownKey);
        assert!(problem.detail().contains("2020-01-01T00:00:00Z"), "{problem:?}");
        assert!(keys.get("new").unwrap().check_time().is_ok());
        assert_eq!(to_sign_with(&folder.file(), None).unwrap().unwrap().id(), "new");
        assert_eq!(to_sign_with(&folder.file(), Some("old")).unwrap().unwrap().id(), "old");
        assert!(to_sign_with(&folder.file(), Some("none")).unwrap().is_none());
    }
}
