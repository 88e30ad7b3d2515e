//! The folder of crash reports: where dying processes write, and what is kept of it.

use std::fs::TryLockError;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bridge32_protocol::journal::JOURNAL_BYTES;
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::CrashRecord;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use super::crash;
use super::notes::Notes;
use super::output::Line;
use crate::private::{create, lock_file, make_folder};

/// So many reports are kept; the oldest ones go first.
const KEPT: usize = 200;
/// Digits and letters, so that names sort by time: `20260131T235959.123Z`.
const TIME: &str = "%Y%m%dT%H%M%S.%3fZ";
/// How long [`TIME`] is.
const TIME_LENGTH: usize = 20;

/// The file in the folder that every gateway locks which uses it.
const LOCK: &str = "lock";

/// The reports of all agents, in one folder.
#[derive(Debug)]
pub struct Reports {
    folder: PathBuf,
    /// Held as long as agents may write into the folder, so that no other gateway clears it away under them.
    lock: OnceLock<std::fs::File>,
    /// The folder cannot be written: it was said once, and nothing is kept.
    failed: AtomicBool,
}

/// Everything that is known of the end of a process.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    /// Its own name, under which it can be asked for.
    #[serde(rename = "report")]
    pub(super) name: String,
    pub(super) agent: &'a str,
    pub(super) generation: u64,
    pub(super) runtime: Target,
    pub(super) pid: Option<u32>,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Timestamp,
    pub(super) exit: &'a str,
    pub(super) exit_code: Option<i32>,
    pub(super) crash: Option<&'a CrashRecord>,
    pub(super) libraries: Vec<Loaded<'a>>,
    /// The last lines that this generation printed.
    pub(super) output: Vec<Line>,
}

/// A library that the process had, or was about to load.
#[derive(Debug, Serialize)]
pub(super) struct Loaded<'a> {
    pub(super) name: &'a str,
    pub(super) file: &'a str,
}

/// The files that one generation is given: for its last words, and for its notes.
#[derive(Debug)]
pub(super) struct Slot {
    stem: String,
    part: PathBuf,
    journal: PathBuf,
}

impl Slot {
    /// The file into which the process writes.
    pub(super) fn file(&self) -> &Path {
        &self.part
    }

    /// The file in which the process notes its calls.
    pub(super) fn journal(&self) -> &Path {
        &self.journal
    }

    /// What the process has noted. The file is gone afterwards.
    pub(super) fn take_notes(&self) -> Notes {
        let notes = Notes::read(&self.journal);
        if let Err(error) = remove(&self.journal) {
            tracing::warn!(file = %self.journal.display(), %error, "what a process has noted cannot be removed");
        }
        notes
    }

    /// The name of the report that is made of it.
    pub(super) fn report(&self) -> String {
        format!("{}.json", self.stem)
    }

    /// What the process has written. The file is gone afterwards.
    pub(super) fn take(&self) -> Option<CrashRecord> {
        let record = crash::read(&self.part).unwrap_or_else(|error| {
            tracing::warn!(file = %self.part.display(), %error, "the record of a crash cannot be read");
            None
        });
        if let Err(error) = remove(&self.part) {
            tracing::warn!(file = %self.part.display(), %error, "the record of a crash cannot be removed");
        }
        record
    }
}

impl Reports {
    /// The folder `crashes` in the gateway's data directory; it is made when the first agent starts.
    pub fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("crashes"), lock: OnceLock::new(), failed: AtomicBool::new(false) }
    }

    /// Removes what the agents of gateways that were killed have left behind, unless another gateway uses the folder. It
    /// is to be called before the first agent starts.
    pub fn clear(&self) {
        if let Err(error) = self.remove_leftovers() {
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "what earlier gateways left among the crash reports cannot be removed");
        }
    }

    fn remove_leftovers(&self) -> io::Result<()> {
        make_folder(&self.folder)?;
        let file = self.folder.join(LOCK);
        let lock = lock_file(&file)?;
        match lock.try_lock() {
            Ok(()) => {
                for name in self.files()?.filter(|name| is_unfinished(name)) {
                    remove(&self.folder.join(name))?;
                }
            }
            // Agents of another gateway may be writing.
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Closed and opened anew: Wine cannot unlock the whole of a file.
        drop(lock);
        let lock = lock_file(&file)?;
        lock.lock_shared()?;
        // Once is enough.
        let _ = self.lock.set(lock);
        Ok(())
    }

    /// A file for a generation that is about to start; `None` where nothing can be written.
    pub(super) fn slot(&self, agent: &str, generation: u64) -> Option<Slot> {
        if let Err(error) = make_folder(&self.folder) {
            self.warn(&error);
            return None;
        }
        let time = Timestamp::now().to_zoned(TimeZone::UTC).strftime(TIME);
        let stem = format!("{time}-{agent}-g{generation}");
        let [part, journal] = ["part", "journal"].map(|kind| self.folder.join(format!("{stem}.{kind}")));
        // What another process may have left under these names is not this one's.
        let _ = (std::fs::remove_file(&part), std::fs::remove_file(&journal));
        // The agent writes into them; made here they are for this user alone, also where Wine makes files for all to read.
        let bytes = u64::try_from(JOURNAL_BYTES).unwrap_or_default();
        if let Err(error) = create(&part).and_then(|_| create(&journal)?.set_len(bytes)) {
            self.warn(&error);
            return None;
        }
        Some(Slot { stem, part, journal })
    }

    /// Keeps a report; whether it could be.
    pub(super) fn keep(&self, report: &Report) -> bool {
        let kept = self.write(report).inspect_err(|error| self.warn(error)).is_ok();
        if let Err(error) = self.prune() {
            tracing::warn!(folder = %self.folder.display(), %error, "old crash reports cannot be removed");
        }
        kept
    }

    fn write(&self, report: &Report) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(report)?;
        // Under another name first: a report is whole or not there.
        let unfinished = self.folder.join(format!("{}.new", report.name));
        let mut file = create(&unfinished)?;
        file.write_all(&text)?;
        std::fs::rename(&unfinished, self.folder.join(&report.name))
    }

    fn prune(&self) -> io::Result<()> {
        let names = self.names()?;
        for name in names.iter().skip(KEPT) {
            remove(&self.folder.join(name))?;
        }
        Ok(())
    }

    fn warn(&self, error: &io::Error) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "crash reports cannot be kept there; `data_dir` sets another place");
        }
    }

    /// The names of all files in the folder.
    fn files(&self) -> io::Result<impl Iterator<Item = String>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(entries.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok()))
    }

    /// The names of all reports, the newest first.
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = self.files()?.filter(|name| agent_of(name).is_some()).collect();
        names.sort_unstable_by(|left, right| right.cmp(left));
        Ok(names)
    }

    /// The newest reports of an agent, without what it printed.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn of_agent(&self, agent: &str, limit: usize) -> io::Result<Vec<Value>> {
        let names = self.names()?.into_iter().filter(|name| agent_of(name) == Some(agent));
        // One that was removed meanwhile, or that somebody has written into, is left out.
        let summaries = names.filter_map(|name| {
            let mut report: Value = serde_json::from_slice(&std::fs::read(self.folder.join(name)).ok()?).ok()?;
            report.as_object_mut()?.remove("output");
            Some(report)
        });
        Ok(summaries.take(limit).collect())
    }

    /// One report, as JSON text; `None` if there is none of that name.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        if agent_of(name).is_none() {
            return Ok(None);
        }
        match std::fs::read(self.folder.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The agent in a report's name, `{time}-{agent}-g{generation}.json`; `None` if it is no such name, so that nothing but
/// a report is ever opened.
fn agent_of(name: &str) -> Option<&str> {
    let (time, rest) = name.split_at_checked(TIME_LENGTH)?;
    let (agent, generation) = rest.strip_prefix('-')?.strip_suffix(".json")?.rsplit_once("-g")?;
    let digits = |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    let shaped = time.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'T',
        15 => byte == b'.',
        19 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    (shaped && digits(generation) && crate::config::is_name(agent)).then_some(agent)
}

/// Whether this is the name of a file that becomes a report, or part of one.
fn is_unfinished(name: &str) -> bool {
    let stem = name.strip_suffix(".part").or(name.strip_suffix(".journal"));
    let part = stem.map(|stem| format!("{stem}.json"));
    part.as_deref().or(name.strip_suffix(".new")).is_some_and(|report| agent_of(report).is_some())
}

/// Removes a file. That somebody else has done so is no matter.
fn remove(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
