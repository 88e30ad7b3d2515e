//! The folder of the files that gateway and agents share, and the files in it.
//!
//! Each gateway has a folder of its own, `PLACE/bridge32-USER/PROCESS-NUMBER`, and holds the lock of a file in it for as long as it
//! lives. Whoever starts removes the folders whose lock nobody holds: those of gateways that were killed, whatever `data_dir` they had.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::private;

/// The memory file system of Linux.
const MEMORY: Option<&str> = if cfg!(target_os = "linux") { Some("/dev/shm") } else { None };

/// The file whose lock says that a folder is in use.
const LOCK: &str = "lock";

/// Why there is no place for such files.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system does not let us.
    #[error("bulk_dir: {} cannot be used: {source}; `bulk_dir` in the configuration sets another place", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Other users could read and change what is in it.
    #[error("bulk_dir: {} is not this user's alone; remove it, or set `bulk_dir` to another place", folder.display())]
    Exposed {
        /// The folder.
        folder: PathBuf,
    },
}

/// Where the files of one gateway lie.
#[derive(Debug)]
pub struct Folder {
    /// The place that the configuration says.
    configured: Option<PathBuf>,
    data_dir: PathBuf,
    open: Mutex<Option<Open>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Open {
    folder: PathBuf,
    /// Held for as long as the gateway lives.
    lock: File,
}

impl Folder {
    /// One in which nothing can be made yet.
    pub fn new(configured: Option<&Path>, data_dir: &Path) -> Arc<Self> {
        Arc::new(Self {
            configured: configured.map(Path::to_owned),
            data_dir: data_dir.to_owned(),
            open: Mutex::new(None),
            next: AtomicU64::new(0),
        })
    }

    /// Makes it, and removes those of gateways that are gone. Without a configured place it lies in memory, where the system has
    /// such a file system, and else in `data_dir`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(&self) -> Result<(), FolderError> {
        let opened = match &self.configured {
            Some(place) => Open::below(place)?,
            None => self.by_default()?,
        };
        *self.opened() = Some(opened);
        Ok(())
    }

    fn by_default(&self) -> Result<Open, FolderError> {
        let place = self.data_dir.join("bulk");
        if let Some(memory) = MEMORY.map(Path::new).filter(|memory| memory.is_dir()) {
            match Open::below(memory) {
                Ok(opened) => return Ok(opened),
                Err(error) => tracing::warn!("{error}. Large buffers go through files in {}", place.display()),
            }
        }
        Open::below(&place)
    }

    /// Makes an empty file.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(&self) -> io::Result<(File, Arc<TempFile>)> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let path = self.opened().as_ref().ok_or(io::ErrorKind::NotConnected)?.folder.join(name);
        let file = private::create(&path)?;
        Ok((file, Arc::new(TempFile { path })))
    }

    /// Removes it with all that is in it: the gateway is ending.
    pub fn close(&self) {
        let Some(Open { folder, lock }) = self.opened().take() else { return };
        // Windows removes no folder with an open file in it.
        drop(lock);
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            tracing::warn!(folder = %folder.display(), %error, "the files of large buffers cannot be removed");
        }
    }

    fn opened(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn below(place: &Path) -> Result<Self, FolderError> {
        let home = home(place);
        let unusable = |source| FolderError::Unusable { folder: home.clone(), source };
        private::make_folder(&home).map_err(unusable)?;
        if !private::is_ours_alone(&home).map_err(unusable)? {
            return Err(FolderError::Exposed { folder: home });
        }
        // Whoever makes a folder, and whoever removes those of others, is the only one.
        let gate = locked(&home).map_err(unusable)?;
        gate.lock().map_err(unusable)?;
        sweep(&home);
        let number = getrandom::u64().unwrap_or_default();
        let folder = home.join(format!("{}-{number:016x}", std::process::id()));
        private::make_folder(&folder).map_err(unusable)?;
        let lock = locked(&folder).map_err(unusable)?;
        lock.lock().map_err(unusable)?;
        Ok(Self { folder, lock })
    }
}

/// What all gateways of this user have in common there.
fn home(place: &Path) -> PathBuf {
    place.join(format!("bridge32-{}", private::user()))
}

/// The file of a folder whose lock counts.
fn locked(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    private::lock_file(&path)
}

/// Removes the folders whose gateways are gone.
fn sweep(home: &Path) {
    let Ok(entries) = std::fs::read_dir(home) else { return };
    for folder in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()) {
        let in_use = || File::options().write(true).open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err());
        if in_use() {
            continue;
        }
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => tracing::info!(folder = %folder.display(), "removed what a gateway that was killed has left"),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "what a gateway has left cannot be removed");
            }
        }
    }
}

/// A file that is removed when nobody holds it any more.
#[derive(Debug)]
pub struct TempFile {
    path: PathBuf,
}

impl TempFile {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFile {
    /// Freeing its pages takes a while, which is none of whoever answers requests.
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        let remove = move || match std::fs::remove_file(&path) {
            // A folder that was closed has taken it along.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = %path.display(), %error, "the file of a large buffer cannot be removed");
            }
            _ => {}
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder in that place.
    pub(crate) fn folder(place: &Path) -> Arc<Folder> {
        let folder = Folder::new(Some(place), place);
        folder.open().unwrap();
        folder
    }

    /// How many files there are, of all gateways.
    pub(crate) fn files(place: &Path) -> usize {
        let folders = std::fs::read_dir(home(place)).unwrap().map(|entry| entry.unwrap().path());
        let in_folder = |folder: PathBuf| {
            std::fs::read_dir(folder).unwrap().filter(|file| file.as_ref().unwrap().file_name() != LOCK)
        };
        folders.filter(|path| path.is_dir()).flat_map(in_folder).count()
    }

    #[test]
    fn a_file_is_this_users_alone_and_goes_with_whoever_holds_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let (_, file) = folder.create().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file.path()), mode(file.path().parent().unwrap())), (0o600, 0o700));
        assert_eq!(mode(&home(place.path())), 0o700);
        let other = Arc::clone(&file);
        drop(file);
        assert!(other.path().exists());
        drop(other);
        assert_eq!(files(place.path()), 0);
    }

    #[test]
    fn what_a_killed_gateway_has_left_is_removed_and_that_of_a_live_one_is_not() {
        let place = tempfile::tempdir().unwrap();
        let (live, killed) = (folder(place.path()), folder(place.path()));
        let (_, kept) = live.create().unwrap();
        let (_, left) = killed.create().unwrap();
        let left_at = left.path().to_owned();
        // The end of a process unlocks its files, and drops nothing.
        std::mem::forget(left);
        drop(killed);
        std::fs::create_dir(home(place.path()).join("without a lock")).unwrap();
        let next = folder(place.path());
        assert!(kept.path().exists() && !left_at.exists());
        assert!(!home(place.path()).join("without a lock").exists());
        next.close();
        live.close();
        assert!(!kept.path().exists());
    }

    #[test]
    fn a_folder_that_others_could_have_made_is_not_used() {
        let place = tempfile::tempdir().unwrap();
        let home = home(place.path());
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = Folder::new(Some(place.path()), place.path()).open().unwrap_err();
        assert!(error.to_string().contains("not this user's alone"), "{error}");
    }

    #[test]
    fn before_it_is_open_nothing_is_made_in_it() {
        let place = tempfile::tempdir().unwrap();
        assert!(Folder::new(None, place.path()).create().is_err());
    }
}
