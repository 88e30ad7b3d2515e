//! Changing the key file: everything else in it stays as it is, and it is whole at any time.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_signature::Key;
use jiff::Timestamp;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};
use zeroize::Zeroizing;

use super::file::{self, KeyFileError};
use crate::private;

/// A key that is to be made.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    /// Its id.
    pub id: String,
    /// Whose it is, if not the id's.
    pub owner: Option<String>,
    /// What it allows.
    pub scopes: Vec<String>,
    /// From when on it is good for nothing.
    pub expires: Option<Timestamp>,
    /// Requests in a time, as [`super::Rate`] is written.
    pub rate: Option<String>,
    /// Requests at once.
    pub concurrency: Option<u32>,
}

/// A key that was made: the only time that its secret is seen.
#[derive(Debug)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// Its secret, base64.
    pub secret: Zeroizing<String>,
}

/// Why the file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// It cannot be written.
    #[error("{}: {source}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no such key, or there is one already, or it would not be one.
    #[error("{0}")]
    Key(String),
}

/// Adds a key. A file that is not there is made.
///
/// # Errors
/// The file cannot be used or written, the id is taken, or the key would not be one.
pub fn add(file: &Path, new: &NewKey) -> Result<Shown, EditError> {
    Locked::open(file)?.edit(|tables| {
        if find(tables, &new.id).is_some() {
            let text = format!(
                "there is a key `{}` already: `bridge32 keys rotate {}` gives its owner another one",
                new.id, new.id
            );
            return Err(EditError::Key(text));
        }
        let (table, shown) = table_of(new)?;
        tables.push(table);
        Ok(shown)
    })
}

/// Adds a key like that of an id, which ends at `until` if it did not end before; gives when it ends.
///
/// # Errors
/// The file cannot be used or written, or has no such key.
pub fn rotate(file: &Path, id: &str, until: Timestamp) -> Result<(Shown, Timestamp), EditError> {
    Locked::open(file)?.edit(|tables| {
        let at = find(tables, id).ok_or_else(|| unknown(tables, id))?;
        let old = tables.get_mut(at).ok_or_else(|| EditError::Key(format!("there is no key `{id}`")))?;
        let text = |key: &str| old.get(key).and_then(Item::as_str).map(str::to_owned);
        let scopes = old.get("scopes").and_then(Item::as_array).into_iter().flatten();
        let new = NewKey {
            id: String::new(),
            owner: Some(text("owner").unwrap_or_else(|| id.to_owned())),
            scopes: scopes.filter_map(|scope| scope.as_str().map(str::to_owned)).collect(),
            expires: None,
            rate: text("rate"),
            concurrency: old.get("concurrency").and_then(Item::as_integer).and_then(|number| number.try_into().ok()),
        };
        let before = old.get("expires").and_then(Item::as_value).and_then(file::time_of);
        let until = before.map_or(until, |before| before.min(until));
        set(old, "expires", seconds(until));
        let new = NewKey { id: next_id(tables, id, new.owner.as_deref()), ..new };
        let (table, shown) = table_of(&new)?;
        tables.push(table);
        Ok((shown, until))
    })
}

/// Takes a key away.
///
/// # Errors
/// The file cannot be used or written, or has no such key, or no other.
pub fn revoke(file: &Path, id: &str) -> Result<(), EditError> {
    Locked::open(file)?.edit(|tables| {
        let at = find(tables, id).ok_or_else(|| unknown(tables, id))?;
        if tables.len() == 1 {
            let text = format!("`{id}` is the only key: without it nobody could sign a request. Add another one first");
            return Err(EditError::Key(text));
        }
        let before = tables.get(at).map(comments_apart).unwrap_or_default();
        tables.remove(at);
        // Whatever was the last one has nothing behind it that could keep them.
        if let Some(next) = tables.get_mut(at) {
            let own = prefix(next);
            next.decor_mut().set_prefix(before + &own);
        }
        Ok(())
    })
}

/// What stands in front of a table.
fn prefix(table: &Table) -> String {
    table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned()
}

/// The comments in front of a table that a blank line keeps apart from it: they are not about this one.
fn comments_apart(table: &Table) -> String {
    let prefix = prefix(table);
    prefix.rfind("\n\n").map_or(String::new(), |end| prefix[..=end].to_owned())
}

fn find(tables: &ArrayOfTables, id: &str) -> Option<usize> {
    tables.iter().position(|table| table.get("id").and_then(Item::as_str) == Some(id))
}

fn unknown(tables: &ArrayOfTables, id: &str) -> EditError {
    let known: Vec<&str> = tables.iter().filter_map(|table| table.get("id").and_then(Item::as_str)).collect();
    EditError::Key(format!("there is no key `{id}`; there are: {}", known.join(", ")))
}

/// Sets a text, and leaves the comment behind it where it is.
fn set(table: &mut Table, key: &str, text: String) {
    let decor = table.get(key).and_then(Item::as_value).map(|old| old.decor().clone());
    let mut new = toml_edit::Value::from(text);
    if let Some(decor) = decor {
        *new.decor_mut() = decor;
    }
    table.insert(key, Item::Value(new));
}

/// `ci`, `ci-2`, `ci-3`, …: a number at the end counts on only where a rotation has put it behind the owner's name.
fn next_id(tables: &ArrayOfTables, id: &str, owner: Option<&str>) -> String {
    let numbered = id.rsplit_once('-').and_then(|(stem, number)| Some((stem, number.parse::<u32>().ok()?)));
    let (stem, first) = numbered.filter(|(stem, _)| owner == Some(stem)).unwrap_or((id, 1));
    let ids = (first.saturating_add(1)..).map(|number| format!("{stem}-{number}"));
    ids.into_iter().find(|id| find(tables, id).is_none()).unwrap_or_default()
}

fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// A fresh secret, and the table that has it.
fn table_of(new: &NewKey) -> Result<(Table, Shown), EditError> {
    let random = Key::random_secret().map_err(|error| EditError::Key(format!("no random numbers: {error}")))?;
    let secret = Zeroizing::new(STANDARD.encode(*Zeroizing::new(random)));
    let mut table = Table::new();
    table.insert("id", value(&new.id));
    table.insert("secret", value(secret.as_str()));
    table.insert("scopes", value(new.scopes.iter().collect::<Array>()));
    if let Some(owner) = new.owner.as_ref().filter(|owner| **owner != new.id) {
        table.insert("owner", value(owner));
    }
    table.insert("created", value(seconds(Timestamp::now())));
    if let Some(expires) = new.expires {
        table.insert("expires", value(seconds(expires)));
    }
    if let Some(rate) = &new.rate {
        table.insert("rate", value(rate));
    }
    if let Some(concurrency) = new.concurrency {
        table.insert("concurrency", value(i64::from(concurrency)));
    }
    table.decor_mut().set_prefix("\n");
    Ok((table, Shown { id: new.id.clone(), secret }))
}

/// The file, while nobody else changes it.
struct Locked {
    file: PathBuf,
    _lock: File,
}

impl Locked {
    /// Waits until it is nobody else's. A link is followed: its target is what is replaced.
    fn open(file: &Path) -> Result<Self, EditError> {
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let failed = |source| EditError::Write { file: file.clone(), source };
        let lock = lock_file(&file).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Self { file, _lock: lock })
    }

    fn folder(&self) -> &Path {
        folder_of(&self.file)
    }

    fn edit<T>(&self, change: impl FnOnce(&mut ArrayOfTables) -> Result<T, EditError>) -> Result<T, EditError> {
        let failed = |source| EditError::Write { file: self.file.clone(), source };
        let invalid = |message| KeyFileError::Invalid { file: self.file.clone(), message };
        let text = match file::text(&self.file) {
            Err(KeyFileError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Zeroizing::new(FIRST_LINES.to_owned())
            }
            other => other?,
        };
        let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            // Its own text would show the line, which may hold a secret.
            invalid(error.message().to_owned())
        })?;
        // Comments of a file without tables are behind everything else, as TOML sees it: what is added goes behind them.
        let comments = if document.contains_key("key") { String::new() } else { trailing(&mut document) };
        let tables = document.entry("key").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        let tables = tables.as_array_of_tables_mut().ok_or_else(|| {
            invalid("`key` is written in another way: write [[key]], with double brackets".to_owned())
        })?;
        let done = change(tables)?;
        if let Some(first) = tables.get_mut(0).filter(|_| !comments.is_empty()) {
            let own = prefix(first);
            first.decor_mut().set_prefix(comments + &own);
        }
        let text = Zeroizing::new(document.to_string());
        // Beside it, so that it takes the file's place in one step; dropped, and so removed, if it is not fit to.
        let mut partial = tempfile::Builder::new().make_in(self.folder(), private::create_new).map_err(failed)?;
        partial.write_all(text.as_bytes()).and_then(|()| partial.as_file().sync_all()).map_err(failed)?;
        file::read(partial.path()).map_err(|error| match error {
            KeyFileError::Invalid { message, .. } => EditError::Key(message),
            other => other.into(),
        })?;
        private::keep_access(&self.file, partial.as_file()).map_err(failed)?;
        partial.persist(&self.file).map_err(|error| failed(error.error))?;
        sync_folder(self.folder()).map_err(failed)?;
        Ok(done)
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What is locked while a file is changed: its folder, because the file itself is replaced.
#[cfg(unix)]
fn lock_file(file: &Path) -> io::Result<File> {
    File::open(folder_of(file))
}

/// Folders cannot be locked there: a file beside it is.
#[cfg(not(unix))]
fn lock_file(file: &Path) -> io::Result<File> {
    private::lock_file(&file.with_extension("lock"))
}

/// A name is kept over a loss of power once its folder is written.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Takes what stands behind the last value.
fn trailing(document: &mut DocumentMut) -> String {
    let text = document.trailing().as_str().unwrap_or_default().to_owned();
    document.set_trailing("");
    text
}

/// How a new file begins.
const FIRST_LINES: &str = "\
# The keys of this gateway; `bridge32 keys` changes them. Whoever has a secret of this file can do here what its scopes say:
# keep it to yourself (mode 0600), and out of repositories.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn new(id: &str) -> NewKey {
        NewKey { id: id.to_owned(), scopes: vec!["read".to_owned(), "call:calc".to_owned()], ..NewKey::default() }
    }

    #[test]
    fn a_key_is_added_turned_and_taken_away_and_the_rest_of_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        let first = add(&file, &NewKey { rate: Some("5/s".to_owned()), concurrency: Some(2), ..new("ci") }).unwrap();
        let commented = format!("# mine\n{}", std::fs::read_to_string(&file).unwrap());
        std::fs::write(&file, commented.replace("[[key]]", "# about ci\n[[key]]") + "# at the end\n").unwrap();
        let end = Timestamp::from_second(1_900_000_000).unwrap();
        let (second, until) = rotate(&file, "ci", end).unwrap();
        assert_eq!((second.id.as_str(), first.secret == second.secret, until), ("ci-2", false, end));
        assert_eq!(rotate(&file, "ci-2", Timestamp::now()).unwrap().0.id, "ci-3");
        let entries = file::read(&file).unwrap();
        let [old, new, _] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!(old.expires.unwrap().as_second(), 1_900_000_000);
        assert_eq!((new.owner.as_str(), new.limits, &new.scopes), ("ci", old.limits, &old.scopes));
        assert!(old.created.is_some() && new.expires.is_some());
        revoke(&file, "ci").unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# mine\n# The keys") && text.ends_with("# at the end\n"), "{text}");
        assert!(!text.contains(first.secret.as_str()) && !text.contains("about ci"), "{text}");
        assert_eq!(file::read(&file).unwrap().len(), 2);
    }

    #[test]
    fn a_rotation_lets_nothing_live_longer_and_counts_on_only_where_it_has_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        add(&file, &NewKey { owner: Some("tills".to_owned()), ..new("till-7") }).unwrap();
        let text = std::fs::read_to_string(&file).unwrap() + "expires = \"2027-01-31\"   # the lease\n";
        std::fs::write(&file, text).unwrap();
        let (shown, until) = rotate(&file, "till-7", Timestamp::from_second(2_000_000_000).unwrap()).unwrap();
        assert_eq!((shown.id.as_str(), until.to_string().as_str()), ("till-7-2", "2027-01-31T00:00:00Z"));
        assert!(std::fs::read_to_string(&file).unwrap().contains("   # the lease\n"));
        let (_, until) = rotate(&file, "till-7", Timestamp::from_second(1_700_000_000).unwrap()).unwrap();
        assert_eq!(until.as_second(), 1_700_000_000);
    }

    #[test]
    fn what_would_spoil_the_file_is_refused_and_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        add(&file, &new("ci")).unwrap();
        let before = std::fs::read_to_string(&file).unwrap();
        let refused = |result: Result<(), EditError>, words: &str| {
            let text = result.unwrap_err().to_string();
            assert!(text.contains(words), "{text}");
        };
        refused(add(&file, &new("ci")).map(drop), "keys rotate ci");
        refused(add(&file, &new("c\"i")).map(drop), "no key id");
        refused(add(&file, &NewKey { scopes: vec!["reed".into()], ..new("b") }).map(drop), "`reed` is no scope");
        refused(add(&file, &NewKey { rate: Some("x".into()), ..new("b") }).map(drop), "no rate");
        refused(rotate(&file, "b", Timestamp::now()).map(drop), "there are: ci");
        refused(revoke(&file, "ci"), "the only key");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn those_who_change_it_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let file = &file;
                scope.spawn(move || add(file, &new(&format!("key{number}"))).unwrap());
            }
        });
        assert_eq!(file::read(&file).unwrap().len(), 8);
    }
}
