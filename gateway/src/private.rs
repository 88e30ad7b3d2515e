//! Files and folders that are for the gateway's user alone: those that hold secrets, and all of `data_dir`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Why a folder is not fit for what the gateway keeps.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made.
    #[error("data_dir: {} cannot be made: {source}; `data_dir` in the configuration sets another place", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another gateway uses it.
    #[error(
        "data_dir: another gateway uses {}{}: each needs a folder of its own, which `data_dir` in the configuration sets",
        folder.display(), pid.map_or(String::new(), |pid| format!(" (process {pid})"))
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process that uses it, if that can be told.
        pid: Option<u32>,
    },
    /// It is somebody else's.
    #[error(
        "data_dir: {} belongs to the user {owner}, who could change what this gateway believes: run the gateway as that user, or set \
         `data_dir` to a folder of its own", folder.display()
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// The id of its owner.
        owner: u32,
    },
    /// Others could put files into it.
    #[error(
        "data_dir: other users can write into {} (mode {mode:04o}), and so change what this gateway believes: chmod 700 {}, or \
         set `data_dir` to a folder of its own", folder.display(), folder.display()
    )]
    Writable {
        /// The folder.
        folder: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// The permission bits of an open file that others can read; `None` for one that is its owner's alone.
///
/// # Errors
/// Nobody can look.
#[cfg(unix)]
pub(crate) fn exposed(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

/// Access is by lists there, inherited from the folder: the profile of the user is closed to others.
///
/// # Errors
/// Nobody can look.
#[cfg(not(unix))]
pub(crate) fn exposed(file: &File) -> io::Result<Option<u32>> {
    file.metadata().map(|_| None)
}

/// Whether standard error is kept where others may read it: in a file that they can open, or in the system's journal.
#[cfg(unix)]
pub(crate) fn others_read_stderr() -> bool {
    use std::os::fd::AsFd as _;
    let metadata = || File::from(std::io::stderr().as_fd().try_clone_to_owned().ok()?).metadata().ok();
    let journal = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    metadata().is_some_and(|stderr| others_read(&stderr, &journal))
}

/// `journal` is what systemd has put into the environment (systemd.exec(5)): device and inode of the journal's stream. Programs of a
/// desktop inherit the variable, too, with a terminal for standard error.
#[cfg(unix)]
fn others_read(stream: &std::fs::Metadata, journal: &str) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let exposed = stream.is_file() && stream.mode() & 0o077 != 0;
    exposed || journal == format!("{}:{}", stream.dev(), stream.ino())
}

/// Access is by lists there, see [`exposed`].
#[cfg(not(unix))]
pub(crate) fn others_read_stderr() -> bool {
    false
}

/// Makes a folder, and what is missing above it, for this user alone. One that is there stays as it is.
///
/// # Errors
/// It cannot be made.
#[cfg(unix)]
pub fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// As on other systems; access is inherited from the folder above.
///
/// # Errors
/// It cannot be made.
#[cfg(not(unix))]
pub fn make_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

/// Opens a file to write it anew; one that is made is for this user alone.
///
/// # Errors
/// It cannot be opened.
pub fn create(file: &Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// Makes an empty file for this user alone. One that is there keeps what is in it, and is closed to others.
///
/// # Errors
/// It cannot be made, or not be closed.
pub fn touch(file: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    close_to_others(&options.open(file)?)
}

#[cfg(unix)]
fn close_to_others(file: &File) -> io::Result<()> {
    if exposed(file)?.is_some() {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(())
}

/// Access is inherited from the folder here.
#[cfg(not(unix))]
fn close_to_others(_: &File) -> io::Result<()> {
    Ok(())
}

/// Makes `data_dir`, or looks at the one that is there: others must not be able to write into it. Every file and folder in it
/// is closed to them by itself; that they can list it is told.
///
/// # Errors
/// It cannot be made, or others can write into it.
pub fn prepare_data_dir(folder: &Path) -> Result<(), FolderError> {
    let unusable = |source| FolderError::Unusable { folder: folder.to_owned(), source };
    make_folder(folder).map_err(unusable)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = std::fs::metadata(folder).map_err(unusable)?;
        let mode = metadata.permissions().mode() & 0o7777;
        if let Some(owner) = foreign(&metadata) {
            return Err(FolderError::Foreign { folder: folder.to_owned(), owner });
        }
        if mode & 0o022 != 0 {
            return Err(FolderError::Writable { folder: folder.to_owned(), mode });
        }
        if mode & 0o055 != 0 {
            let folder = folder.display();
            tracing::warn!("data_dir: other users can list {folder} (mode {mode:04o}): chmod 700 {folder}");
        }
    }
    Ok(())
}

/// Whether a folder is this user's, and closed to all others.
///
/// # Errors
/// Nobody can look.
#[cfg(unix)]
pub(crate) fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    // Not of what a link leads to, which somebody else may have put there.
    let metadata = std::fs::symlink_metadata(folder)?;
    let for_others = metadata.mode() & 0o077;
    Ok(metadata.is_dir() && metadata.uid() == user() && for_others == 0)
}

/// Access is by lists there, see [`exposed`].
///
/// # Errors
/// None.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn is_ours_alone(_: &Path) -> io::Result<bool> {
    Ok(true)
}

/// The number of the user that this process runs as.
#[cfg(unix)]
pub(crate) fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Takes the folder for this process, for as long as what is given is kept: two gateways would each take the other's calls for
/// lost.
///
/// # Errors
/// Another gateway has it.
pub fn claim_data_dir(folder: &Path) -> Result<File, FolderError> {
    use std::io::Write as _;
    let unusable = |source| FolderError::Unusable { folder: folder.to_owned(), source };
    let path = folder.join("gateway.lock");
    touch(&path).map_err(unusable)?;
    let mut lock = std::fs::OpenOptions::new().write(true).open(&path).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let pid = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            return Err(FolderError::InUse { folder: folder.to_owned(), pid });
        }
        Err(std::fs::TryLockError::Error(error)) => return Err(unusable(error)),
    }
    // Who it is helps a person; the lock is what counts.
    let _ = lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id()));
    Ok(lock)
}

/// The owner of what is neither this user's nor the system's own.
#[cfg(target_os = "linux")]
fn foreign(metadata: &std::fs::Metadata) -> Option<u32> {
    let own = rustix::process::geteuid().as_raw();
    Some(std::os::unix::fs::MetadataExt::uid(metadata)).filter(|owner| *owner != own && *owner != 0)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn foreign(_: &std::fs::Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_others_read_is_a_file_that_they_can_open_or_the_journal() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let with = |mode| {
            create(&file).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            std::fs::metadata(&file).unwrap()
        };
        assert!(!others_read(&with(0o600), "") && !others_read(&with(0o600), "1:1"));
        assert!(others_read(&with(0o640), "") && others_read(&with(0o604), "1:1"));
        let own = with(0o600);
        assert!(others_read(&own, &format!("{}:{}", own.dev(), own.ino())));
        assert!(!others_read(&std::fs::metadata("/dev/null").unwrap(), "1:1"));
    }

    #[test]
    fn a_folder_is_one_gateways_until_that_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let claim = claim_data_dir(folder.path()).unwrap();
        let text = claim_data_dir(folder.path()).unwrap_err().to_string();
        assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
        assert_eq!(mode(&folder.path().join("gateway.lock")), 0o600);
        drop(claim);
        claim_data_dir(folder.path()).unwrap();
    }

    #[test]
    fn what_is_made_is_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/data");
        prepare_data_dir(&data).unwrap();
        create(&data.join("file")).unwrap();
        assert_eq!((mode(&data), mode(&data.join("file"))), (0o700, 0o600));
    }

    #[test]
    fn a_folder_that_others_can_write_into_is_refused_with_the_command_to_run() {
        let folder = tempfile::tempdir().unwrap();
        for (wanted, good) in [(0o700, true), (0o755, true), (0o770, false), (0o1777, false)] {
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(wanted)).unwrap();
            match prepare_data_dir(folder.path()) {
                Ok(()) => assert!(good, "{wanted:o}"),
                Err(error) => assert!(!good && error.to_string().contains("chmod 700 /"), "{error}"),
            }
        }
    }
}
