//! Who may do what is a file's access list. The system and its administrators may always, as root may elsewhere.

use std::fs::File;
use std::io;
use std::path::Path;

use bridge32_windows::access::{self, Disposition};
use bridge32_windows::descriptor::{self, Descriptor, READ, WRITE};

use super::{Exposure, Standing};

fn exposure(accounts: &[String]) -> Option<Exposure> {
    let names: Vec<&str> = accounts.iter().map(|account| descriptor::account_name(account)).collect();
    (!names.is_empty()).then(|| Exposure(format!("{} can", names.join(" and "))))
}

/// What others may do with an open file; `None` for one that is its owner's alone.
///
/// # Errors
/// Nobody can look.
pub(crate) fn exposed(file: &File) -> io::Result<Option<Exposure>> {
    Ok(exposure(&Descriptor::of(file)?.others_with(READ | WRITE)))
}

/// The command that closes a file to others, for every shell: accounts are named by number in it.
pub(crate) fn close_file(file: &Path) -> String {
    closing(file, "F")
}

/// The command that closes a folder to others, and what is in it.
pub(crate) fn close_folder(folder: &Path) -> String {
    closing(folder, "(OI)(CI)F")
}

fn closing(path: &Path, rights: &str) -> String {
    let user = access::user().unwrap_or_else(|_| "USER".to_owned());
    format!("icacls \"{}\" /inheritance:r /grant:r \"*{user}:{rights}\"", path.display())
}

/// Whether standard error is kept where others may read it. A file for it is made by whoever starts the gateway, in a folder whose
/// list it gets.
pub(crate) fn others_read_stderr() -> bool {
    access::standard_error().is_some_and(|file| exposed(&file).is_ok_and(|exposed| exposed.is_some()))
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

/// Looks at a folder before it is trusted.
pub(super) fn look_at(folder: &Path) -> io::Result<Standing> {
    let found = Descriptor::of(&access::open_folder(folder)?)?;
    let (writable, listed) = (exposure(&found.others_with(WRITE)), exposure(&found.others_with(READ)));
    Ok(Standing { foreign: found.foreign_owner(), writable, listed })
}

/// Whether a folder is this user's, and closed to all others.
///
/// # Errors
/// Nobody can look.
pub(crate) fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    let found = look_at(folder)?;
    Ok(found.foreign.is_none() && found.writable.is_none() && found.listed.is_none())
}
