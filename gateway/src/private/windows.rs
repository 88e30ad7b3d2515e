//! Who may do what is a file's access list. The system and its administrators may always, as root may elsewhere.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bridge32_windows::access::{self, Disposition};
use bridge32_windows::descriptor::{Descriptor, READ, WRITE, account_name};

use super::{Exposure, Standing};

fn exposure(accounts: &[String]) -> Option<Exposure> {
    let names: Vec<&str> = accounts.iter().map(|account| account_name(account)).collect();
    (!names.is_empty()).then(|| Exposure(format!("{} can", names.join(" and "))))
}

/// What others may do with an open file; `None` for one that is its owner's alone.
///
/// # Errors
/// Nobody can look.
pub(crate) fn exposed(file: &File) -> io::Result<Option<Exposure>> {
    Ok(exposure(&Descriptor::of(file)?.others_with(READ | WRITE)))
}

/// The path of a file as a library that opens it itself takes it: SQLite adds no prefix to a long one.
pub(crate) fn path_for_library(file: &Path) -> io::Result<PathBuf> {
    bridge32_windows::of_any_length(file)
}

/// The commands that close a file to others. The account is named by number in them, which needs no quotes within quotes.
pub(crate) fn close_file(file: &Path) -> String {
    closing(file, "F")
}

/// The commands that close a folder to others, and what is made in it.
pub(crate) fn close_folder(folder: &Path) -> String {
    closing(folder, "(OI)(CI)F")
}

/// The first of them takes away what was given to somebody by name, the second what comes from the folder above.
fn closing(path: &Path, rights: &str) -> String {
    let user = access::user().unwrap_or_else(|_| "USER".to_owned());
    let path = path.display().to_string();
    // A backslash before a quote would be that of the quote.
    let path = path.trim_end_matches('\\');
    format!("icacls \"{path}\" /reset, and then icacls \"{path}\" /inheritance:r /grant:r \"*{user}:{rights}\"")
}

/// Whether standard error is kept where others may read it. A file for it is made by whoever starts the gateway, in a folder whose
/// list it gets.
pub(crate) fn others_read_stderr() -> bool {
    access::standard_error().is_some_and(|file| !matches!(exposed(&file), Ok(None)))
}

/// Makes a folder, and what is missing above it, for this user alone. One that is there stays as it is.
///
/// # Errors
/// It cannot be made.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    match access::create_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(folder.parent().ok_or(error)?)?;
            access::create_folder(folder)
        }
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        result => result,
    }
}

/// Opens a file to write it anew; one that is made is for this user alone.
///
/// # Errors
/// It cannot be opened.
pub fn create(file: &Path) -> io::Result<File> {
    access::create(file, Disposition::Anew)
}

/// Makes a file for this user alone, which must not be there.
///
/// # Errors
/// It cannot be made, or is there.
pub fn create_new(file: &Path) -> io::Result<File> {
    access::create(file, Disposition::New)
}

/// Makes an empty file for this user alone. One that is there keeps what is in it, and is closed to others.
///
/// # Errors
/// It cannot be made, or not be closed.
pub fn touch(file: &Path) -> io::Result<()> {
    let opened = access::create(file, Disposition::Keep)?;
    if exposed(&opened)?.is_some() {
        access::close_to_others(file)?;
    }
    Ok(())
}

/// Gives a file that is to take another's place the other's access list: what the gateway of another account reads stays readable
/// to it, whoever changes it.
///
/// # Errors
/// This user may not do so.
pub(crate) fn keep_access(old: &Path, new: &File) -> io::Result<()> {
    match File::open(old) {
        Ok(old) => access::copy(&old, new),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Looks at a folder before it is trusted. What others may read counts as what they may write: SQLite makes files in it that get
/// the folder's list, where they have the mode of the database elsewhere.
pub(super) fn look_at(folder: &Path) -> io::Result<Standing> {
    let found = Descriptor::of(&access::open_folder(folder)?)?;
    let writable = exposure(&found.others_within(READ | WRITE));
    Ok(Standing { foreign: found.foreign_owner(), writable, listed: None })
}

/// The account that this process runs as, by number.
pub(crate) fn user() -> String {
    access::user().unwrap_or_else(|_| "user".to_owned())
}

/// Whether a folder is this user's, and closed to all others.
///
/// # Errors
/// Nobody can look.
pub(crate) fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    // Not of what a junction leads to, which somebody else may have put there.
    if !std::fs::symlink_metadata(folder)?.is_dir() {
        return Ok(false);
    }
    let found = look_at(folder)?;
    Ok(found.foreign.is_none() && found.writable.is_none())
}
