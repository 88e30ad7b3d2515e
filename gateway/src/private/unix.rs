//! Who may do what is a file's mode.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{Exposure, Standing};

fn exposure(mode: u32) -> Exposure {
    Exposure(format!("mode {mode:04o}"))
}

/// What others may do with an open file; `None` for one that is its owner's alone.
///
/// # Errors
/// Nobody can look.
pub(crate) fn exposed(file: &File) -> io::Result<Option<Exposure>> {
    let mode = file.metadata()?.mode() & 0o7777;
    Ok((mode & 0o077 != 0).then(|| exposure(mode)))
}

/// The path of a file as a library that opens it itself takes it.
#[expect(clippy::unnecessary_wraps, reason = "on Windows it can fail")]
pub(crate) fn path_for_library(file: &Path) -> io::Result<PathBuf> {
    Ok(file.to_owned())
}

/// The command that closes a file to others.
pub(crate) fn close_file(file: &Path) -> String {
    format!("chmod 600 {}", file.display())
}

/// The command that closes a folder to others.
pub(crate) fn close_folder(folder: &Path) -> String {
    format!("chmod 700 {}", folder.display())
}

/// Whether standard error is kept where others may read it: in a file that they can open, or in the system's journal.
pub(crate) fn others_read_stderr() -> bool {
    use std::os::fd::AsFd as _;
    let metadata = || File::from(io::stderr().as_fd().try_clone_to_owned().ok()?).metadata().ok();
    let journal = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    metadata().is_some_and(|stderr| others_read(&stderr, &journal))
}

/// `journal` is what systemd has put into the environment (systemd.exec(5)): device and inode of the journal's stream. Programs of a
/// desktop inherit the variable, too, with a terminal for standard error.
pub(super) fn others_read(stream: &Metadata, journal: &str) -> bool {
    let exposed = stream.is_file() && stream.mode() & 0o077 != 0;
    exposed || journal == format!("{}:{}", stream.dev(), stream.ino())
}

/// Makes a folder, and what is missing above it, for this user alone. One that is there stays as it is.
///
/// # Errors
/// It cannot be made.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Opens a file to write it anew; one that is made is for this user alone.
///
/// # Errors
/// It cannot be opened.
pub fn create(file: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)
}

/// Makes a file for this user alone, which must not be there.
///
/// # Errors
/// It cannot be made, or is there.
pub fn create_new(file: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)
}

/// Makes an empty file for this user alone. One that is there keeps what is in it, and is closed to others.
///
/// # Errors
/// It cannot be made, or not be closed.
pub fn touch(file: &Path) -> io::Result<()> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
    if exposed(&file)?.is_some() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Gives a file that is to take another's place the other's owner: what another user's gateway reads stays that user's, whoever
/// changes it.
///
/// # Errors
/// This user may not do so.
pub(crate) fn keep_access(old: &Path, new: &File) -> io::Result<()> {
    let (Ok(old), made) = (std::fs::metadata(old), new.metadata()?) else { return Ok(()) };
    if (old.uid(), old.gid()) == (made.uid(), made.gid()) {
        return Ok(());
    }
    let failed = |error| {
        let text = format!("it belongs to the user {}, who has to run this command ({error})", old.uid());
        io::Error::new(io::ErrorKind::PermissionDenied, text)
    };
    std::os::unix::fs::fchown(new, Some(old.uid()), Some(old.gid())).map_err(failed)
}

/// Looks at a folder before it is trusted.
pub(super) fn look_at(folder: &Path) -> io::Result<Standing> {
    let metadata = std::fs::metadata(folder)?;
    let mode = metadata.mode() & 0o7777;
    let open = |bits| (mode & bits != 0).then(|| exposure(mode));
    let foreign = Some(metadata.uid()).filter(|owner| *owner != user() && *owner != 0);
    Ok(Standing { foreign: foreign.map(|owner| owner.to_string()), writable: open(0o022), listed: open(0o055) })
}

/// Whether a folder is this user's, and closed to all others.
///
/// # Errors
/// Nobody can look.
pub(crate) fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    // Not of what a link leads to, which somebody else may have put there.
    let metadata = std::fs::symlink_metadata(folder)?;
    let for_others = metadata.mode() & 0o077;
    Ok(metadata.is_dir() && metadata.uid() == user() && for_others == 0)
}

/// The number of the user that this process runs as.
pub(crate) fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}
