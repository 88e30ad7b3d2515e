//! The nonces that were used, kept over restarts in `data_dir/nonces`: a signature that was good once must not be good again
//! because the gateway was started anew.
//!
//! A nonce is taken in memory at once, and written within [`PAUSE`] by a thread of its own, so that no request waits for a
//! disk. At a graceful end everything is written. When the process is killed, the nonces of the last [`PAUSE`] are lost; when
//! the machine loses power, those that the system had not written yet. A file holds what came in [`SEGMENT`] seconds, is only
//! appended to, and is removed when nothing in it can be used any more: nothing has to be rewritten. What cannot be
//! written is tried again, and requests are refused once [`MOST_WAITING`] nonces wait.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bridge32_signature::{CLOCK_WINDOW, Mark, ReplayStore};
use jiff::Timestamp;

use crate::private;

/// How long nonces wait at most until they are written.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it takes until what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The seconds that one file covers.
const SEGMENT: i64 = 300;
/// The age in seconds after which nothing in a file can be used again: it was written for [`SEGMENT`], a signature may be of
/// the future, and it may be as old.
const OLD: i64 = SEGMENT + 2 * CLOCK_WINDOW;
/// How many nonces may wait while nothing can be written.
const MOST_WAITING: usize = 1 << 18;
/// What a file begins with.
const MAGIC: &[u8; 16] = b"bridge32 nonces1";
/// What its name ends in.
const SUFFIX: &str = ".nonces";

/// Why nonces cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum ReplayLogError {
    /// The folder, or a file in it, cannot be used.
    #[error("{}: {source}. The nonces of signatures are kept there; `data_dir` sets another place", place.display())]
    Unusable {
        /// The folder or the file.
        place: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is something else.
    #[error(
        "{} is no list of nonces. Without it, signatures of the last minutes could be used again: move it away, and start \
         the gateway after {} s", file.display(), 2 * CLOCK_WINDOW
    )]
    Foreign {
        /// The file.
        file: PathBuf,
    },
}

/// The log of one running gateway.
#[derive(Debug)]
pub(super) struct ReplayLog {
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// In the form in which they are written.
    nonces: Vec<u8>,
    closing: bool,
}

impl ReplayLog {
    /// Reads what earlier gateways have left in the folder into the store, and begins to write.
    ///
    /// # Errors
    /// The folder or a file in it cannot be used, so that nobody knows which signatures were used.
    pub(super) fn open(folder: PathBuf, store: &ReplayStore) -> Result<Self, ReplayLogError> {
        let now = Timestamp::now().as_second();
        let unusable = |place: &Path, source| ReplayLogError::Unusable { place: place.to_owned(), source };
        private::make_folder(&folder).map_err(|source| unusable(&folder, source))?;
        for (file, started) in segments(&folder).map_err(|source| unusable(&folder, source))? {
            if now.saturating_sub(started) <= OLD {
                let bytes = std::fs::read(&file).map_err(|source| unusable(&file, source))?;
                restore(&bytes, store, now).ok_or(ReplayLogError::Foreign { file })?;
            }
        }
        let mut segment = Segment { folder, current: None };
        // What cannot be written is noticed now and not at the first request.
        if let Err(source) = segment.start(now) {
            return Err(unusable(&segment.folder, source));
        }
        let queue = Arc::<Queue>::default();
        let of_writer = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("nonces".to_owned());
        let writer = thread.spawn(move || of_writer.write_all(&mut segment));
        let writer = writer.map_err(|source| ReplayLogError::Unusable { place: "nonces".into(), source })?;
        Ok(Self { queue, writer: Mutex::new(Some(writer)) })
    }

    /// Hands over a nonce that was taken; false if so many wait that it cannot be promised to be written.
    pub(super) fn push(&self, taken: Mark) -> bool {
        let mut waiting = self.queue.lock();
        if waiting.nonces.len() >= MOST_WAITING * Mark::BYTES {
            return false;
        }
        let first = waiting.nonces.is_empty();
        waiting.nonces.extend_from_slice(&taken.to_bytes());
        drop(waiting);
        if first {
            self.queue.changed.notify_one();
        }
        true
    }

    /// Writes what waits, and ends.
    pub(super) fn close(&self) {
        self.queue.lock().closing = true;
        self.queue.changed.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Its panic was reported when it happened.
        writer.map(JoinHandle::join);
    }
}

impl Drop for ReplayLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl Queue {
    /// The list is consistent between any two statements, so a poisoned lock is as good as a whole one.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer's thread.
    fn write_all(&self, segment: &mut Segment) {
        let mut failed = false;
        loop {
            let waiting = self.changed.wait_while(self.lock(), |waiting| waiting.nonces.is_empty() && !waiting.closing);
            let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            let (nonces, closing) = (std::mem::take(&mut waiting.nonces), waiting.closing);
            drop(waiting);
            let result = segment.append(&nonces, Timestamp::now().as_second());
            if let Err(error) = &result {
                if !failed {
                    let folder = segment.folder.display();
                    tracing::error!(%folder, %error, "nonces cannot be written: a restart now would let signatures be used again");
                }
                self.lock().nonces.splice(..0, nonces);
            }
            failed = result.is_err();
            if closing {
                return;
            }
            let pause = if failed { RETRY } else { PAUSE };
            // What comes in the meantime is written together.
            drop(self.changed.wait_timeout_while(self.lock(), pause, |waiting| !waiting.closing));
        }
    }
}

/// The file that is written to.
#[derive(Debug)]
struct Segment {
    folder: PathBuf,
    /// With the time in Unix seconds when it was begun.
    current: Option<(File, i64)>,
}

impl Segment {
    fn append(&mut self, nonces: &[u8], now: i64) -> io::Result<()> {
        if nonces.is_empty() {
            return Ok(());
        }
        // Neither is a file used for longer, nor after the clock was set back.
        let file = match self.current.take() {
            Some((file, started)) if (started..started.saturating_add(SEGMENT)).contains(&now) => {
                self.current.insert((file, started))
            }
            _ => self.start(now)?,
        };
        let result = file.0.write_all(nonces);
        if result.is_err() {
            // Half of a nonce may stand at its end: nothing can be appended.
            self.current = None;
        }
        result
    }

    /// Begins a file, and removes those that are too old.
    fn start(&mut self, now: i64) -> io::Result<&mut (File, i64)> {
        for (file, started) in segments(&self.folder)? {
            if now.saturating_sub(started) > OLD {
                std::fs::remove_file(file)?;
            }
        }
        let name = |number: u32| self.folder.join(format!("{now}-{}-{number}{SUFFIX}", std::process::id()));
        let file = (0..u32::MAX).map(name).find(|file| !file.exists()).ok_or(io::ErrorKind::AlreadyExists)?;
        let mut file = private::create_new(&file)?;
        file.write_all(MAGIC)?;
        Ok(self.current.insert((file, now)))
    }
}

/// The files of the folder, with the times in Unix seconds when they were begun.
fn segments(folder: &Path) -> io::Result<Vec<(PathBuf, i64)>> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        let started = name.and_then(|name| name.split('-').next()?.parse().ok());
        segments.extend(started.map(|started| (entry.path(), started)));
    }
    Ok(segments)
}

/// Takes what a file holds, but for a nonce that was not written in full; `None` if it is no such file.
fn restore(bytes: &[u8], store: &ReplayStore, now: i64) -> Option<()> {
    let Some(nonces) = bytes.strip_prefix(MAGIC) else {
        // It was begun when the process ended.
        return MAGIC.starts_with(bytes).then_some(());
    };
    nonces.chunks_exact(Mark::BYTES).filter_map(Mark::from_bytes).for_each(|taken| store.restore(taken, now));
    Some(())
}

#[cfg(test)]
mod tests {
    use bridge32_signature::{SignatureError, Verified};

    use super::*;

    fn verified(nonce: &str, created: i64) -> Verified {
        Verified { key_id: "k".into(), nonce: nonce.into(), created }
    }

    fn now() -> i64 {
        Timestamp::now().as_second()
    }

    /// Takes a nonce and logs it.
    fn take(log: &ReplayLog, store: &ReplayStore, nonce: &str) {
        let nonce = Mark::of(&verified(nonce, now()));
        store.take(nonce, now()).unwrap();
        assert!(log.push(nonce));
    }

    fn open(folder: &Path) -> (ReplayLog, ReplayStore) {
        let store = ReplayStore::new(1000);
        (ReplayLog::open(folder.to_owned(), &store).unwrap(), store)
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        segments(folder).unwrap().into_iter().map(|(file, _)| file).collect()
    }

    #[test]
    fn a_nonce_is_known_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (log, store) = open(folder.path());
        for number in 0..500 {
            take(&log, &store, &number.to_string());
        }
        log.close();
        let (_log, store) = open(folder.path());
        assert_eq!(store.len(), 500);
        assert_eq!(store.take(Mark::of(&verified("7", now())), now()), Err(SignatureError::Replayed));
        assert!(store.take(Mark::of(&verified("500", now())), now()).is_ok());
    }

    #[test]
    fn nonces_are_written_without_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let (log, store) = open(folder.path());
        take(&log, &store, "a");
        let written = || files(folder.path()).iter().any(|file| std::fs::metadata(file).unwrap().len() == 40);
        let start = std::time::Instant::now();
        while !written() {
            assert!(start.elapsed() < Duration::from_secs(20), "nothing was written");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_nonce_that_was_cut_off_spoils_none_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let (log, store) = open(folder.path());
        take(&log, &store, "a");
        log.close();
        let [file] = &files(folder.path())[..] else { panic!("one file") };
        let mut bytes = std::fs::read(file).unwrap();
        bytes.extend([1; 13]);
        std::fs::write(file, bytes).unwrap();
        assert_eq!(open(folder.path()).1.len(), 1);
        // A file that ended in its very beginning.
        std::fs::write(folder.path().join(format!("{}-1-0.nonces", now())), b"bridge32 n").unwrap();
        assert_eq!(open(folder.path()).1.len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_told_and_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(format!("{}-1-0.nonces", now())), b"something else entirely").unwrap();
        std::fs::write(folder.path().join("README"), b"not ours").unwrap();
        let error = ReplayLog::open(folder.path().to_owned(), &ReplayStore::new(10)).unwrap_err();
        assert!(matches!(error, ReplayLogError::Foreign { .. }) && error.to_string().contains("600 s"), "{error}");
        let file = folder.path().join("README");
        assert!(matches!(ReplayLog::open(file, &ReplayStore::new(10)), Err(ReplayLogError::Unusable { .. })));
    }

    #[test]
    fn files_go_when_nothing_in_them_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = |age: i64| folder.path().join(format!("{}-1-0.nonces", now() - age));
        // Even if it cannot be read.
        std::fs::write(file(OLD + 5), b"x").unwrap();
        std::fs::write(file(OLD - 100), MAGIC).unwrap();
        let _open = open(folder.path());
        assert!(!files(folder.path()).iter().any(|name| name.metadata().unwrap().len() == 1));
        assert_eq!(files(folder.path()).len(), 2);
        let mut segment = Segment { folder: folder.path().to_owned(), current: None };
        for (at, files_then) in [(0, 3), (SEGMENT - 1, 3), (SEGMENT, 4), (SEGMENT - 1, 5), (SEGMENT + OLD + 1, 1)] {
            segment.append(&[0; Mark::BYTES], now() + at).unwrap();
            assert!(files(folder.path()).len() <= files_then, "{at}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("data/nonces");
        let _open = open(&place);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&place), mode(&files(&place)[0])), (0o700, 0o600));
    }
}
