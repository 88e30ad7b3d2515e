//! Files and folders that are for the gateway's user alone: those that hold secrets, and all of `data_dir`. On Unix their mode says
//! so, on Windows their access list.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use self::unix as system;
#[cfg(windows)]
use self::windows as system;

pub(crate) use system::{
    close_file, close_folder, exposed, is_ours_alone, keep_access, others_read_stderr, path_for_library, user,
};
pub use system::{create, create_new, make_folder, touch};

/// What others may do with a file, as the system says it: `mode 0644`, `Users and Everyone can`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure(String);

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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
        /// Its owner, as the system numbers users.
        owner: String,
    },
    /// Others could put files into it.
    #[error(
        "data_dir: other users can write into {} ({who}), and so change what this gateway believes: {}, or \
         set `data_dir` to a folder of its own", folder.display(), close_folder(folder)
    )]
    Writable {
        /// The folder.
        folder: PathBuf,
        /// Who can.
        who: Exposure,
    },
}

/// Makes `data_dir`, or looks at the one that is there: others must not be able to write into it. Every file and folder in it
/// is closed to them by itself; that they can list it is told. On Windows they must not read it, either (`windows::look_at`).
///
/// # Errors
/// It cannot be made, or others can write into it.
pub fn prepare_data_dir(folder: &Path) -> Result<(), FolderError> {
    let unusable = |source| FolderError::Unusable { folder: folder.to_owned(), source };
    make_folder(folder).map_err(unusable)?;
    let found = system::look_at(folder).map_err(unusable)?;
    if let Some(owner) = found.foreign {
        return Err(FolderError::Foreign { folder: folder.to_owned(), owner });
    }
    if let Some(who) = found.writable {
        return Err(FolderError::Writable { folder: folder.to_owned(), who });
    }
    if let Some(who) = found.listed {
        tracing::warn!("data_dir: other users can list {} ({who}): {}", folder.display(), close_folder(folder));
    }
    Ok(())
}

/// What is to be known of a folder before it is trusted.
struct Standing {
    /// Its owner, if that is neither this user nor the system.
    foreign: Option<String>,
    /// Others that can write into it.
    writable: Option<Exposure>,
    /// Others that can see what is in it.
    listed: Option<Exposure>,
}

/// Opens a file to lock it. One that is there keeps what is in it, which nobody else may read on Windows while it is locked.
///
/// # Errors
/// It cannot be opened.
pub fn lock_file(file: &Path) -> io::Result<File> {
    touch(file)?;
    File::options().write(true).open(file)
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
    let mut lock = lock_file(&path).map_err(unusable)?;
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::unix::others_read;
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
