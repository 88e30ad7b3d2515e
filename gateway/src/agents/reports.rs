//! The folder of crash reports: where dying processes write, and what is kept of it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bridge32_protocol::target::Target;
use bridge32_protocol::wire::CrashRecord;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use super::crash;
use super::output::Line;

/// So many reports are kept; the oldest ones go first.
const KEPT: usize = 200;
/// Digits and letters, so that names sort by time: `20260131T235959.123Z`.
const TIME: &str = "%Y%m%dT%H%M%S.%3fZ";
/// How long [`TIME`] is.
const TIME_LENGTH: usize = 20;

/// The reports of all agents, in one folder.
#[derive(Debug)]
pub struct Reports {
    folder: PathBuf,
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

/// The file that one generation is given for its last words.
#[derive(Debug)]
pub(super) struct Slot {
    stem: String,
    part: PathBuf,
}

impl Slot {
    /// The file into which the process writes.
    pub(super) fn file(&self) -> &Path {
        &self.part
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
        match std::fs::remove_file(&self.part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = %self.part.display(), %error, "the record of a crash cannot be removed");
            }
            _ => {}
        }
        record
    }
}

impl Reports {
    /// The folder `crashes` in the gateway's data directory; it is made when the first agent starts.
    pub fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("crashes"), failed: AtomicBool::new(false) }
    }

    /// A file for a generation that is about to start; `None` where nothing can be written.
    pub(super) fn slot(&self, agent: &str, generation: u64) -> Option<Slot> {
        if let Err(error) = make_folder(&self.folder) {
            self.warn(&error);
            return None;
        }
        let time = Timestamp::now().to_zoned(TimeZone::UTC).strftime(TIME);
        let stem = format!("{time}-{agent}-g{generation}");
        let part = self.folder.join(format!("{stem}.part"));
        // What another process may have left under this name is not this one's.
        let _ = std::fs::remove_file(&part);
        Some(Slot { stem, part })
    }

    /// Keeps a report; whether it could be.
    pub(super) fn keep(&self, report: &Report) -> bool {
        let kept = self.write(report).and_then(|()| self.prune());
        kept.inspect_err(|error| self.warn(error)).is_ok()
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
            std::fs::remove_file(self.folder.join(name))?;
        }
        Ok(())
    }

    fn warn(&self, error: &io::Error) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "crash reports cannot be kept there; `data_dir` sets another place");
        }
    }

    /// The names of all reports, the newest first.
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| agent_of(name).is_some()).collect();
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

/// Reports hold what libraries print: they are for the gateway's user alone.
#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

#[cfg(unix)]
fn create(file: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)
}

#[cfg(not(unix))]
fn create(file: &Path) -> io::Result<std::fs::File> {
    std::fs::File::create(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report<'a>(slot: &Slot, agent: &'a str, crash: Option<&'a CrashRecord>) -> Report<'a> {
        let now = Timestamp::now();
        Report {
            name: slot.report(),
            agent,
            generation: 1,
            runtime: Target::Linux32,
            pid: Some(7),
            started_at: now,
            ended_at: now,
            exit: "killed by signal 11 (SIGSEGV)",
            exit_code: None,
            crash,
            libraries: Vec::new(),
            output: vec![Line { at: now, generation: 1, stream: "stderr", text: "last words".into() }],
        }
    }

    #[test]
    fn a_report_is_made_of_what_the_process_wrote_and_can_be_asked_for() {
        let data = tempfile::tempdir().unwrap();
        let reports = Reports::new(data.path());
        let slot = reports.slot("my.lib-x", 12).unwrap();
        std::fs::write(slot.file(), "{\"code\":11}\n").unwrap();
        let record = slot.take();
        assert!(!slot.file().exists());
        assert!(reports.keep(&report(&slot, "my.lib-x", record.as_ref())));
        let listed = reports.of_agent("my.lib-x", 10).unwrap();
        assert_eq!((listed.len(), &listed[0]["crash"]["code"]), (1, &Value::from(11)));
        assert_eq!(listed[0].get("output"), None);
        let name = listed[0]["report"].as_str().unwrap();
        let whole: Value = serde_json::from_slice(&reports.get(name).unwrap().unwrap()).unwrap();
        assert_eq!(whole["output"][0]["text"], "last words");
        assert_eq!(reports.of_agent("my.lib", 10).unwrap(), Vec::<Value>::new());
    }

    #[test]
    fn an_empty_file_is_removed_and_a_missing_one_is_no_matter() {
        let data = tempfile::tempdir().unwrap();
        let slot = Reports::new(data.path()).slot("a", 1).unwrap();
        assert_eq!(slot.take(), None);
        std::fs::write(slot.file(), "").unwrap();
        assert_eq!(slot.take(), None);
        assert_eq!(std::fs::read_dir(data.path().join("crashes")).unwrap().count(), 0);
    }

    #[test]
    fn only_names_of_reports_are_opened() {
        let data = tempfile::tempdir().unwrap();
        let reports = Reports::new(data.path());
        std::fs::write(data.path().join("keys.toml"), "secret").unwrap();
        let good = "20260131T235959.123Z-a-b.c-g12.json";
        assert_eq!(agent_of(good), Some("a-b.c"));
        for bad in [
            "../keys.toml",
            "..",
            "",
            "keys.toml",
            "20260131T235959.123Z-../../keys-g1.json",
            "20260131T235959.123Z-a\\b-g1.json",
            "20260131T235959.123Z-a-g1.part",
            "20260131T235959.123Z--g1.json",
            "20260131T235959.123Z-a-g.json",
            "20260131T235959.123Z-a-g1x.json",
            "2026-131T235959.123Z-a-g1.json",
            "20260131T235959.123Z-.a-g1.json",
            "20260131T235959.12éZ-a-g1.json",
            "20260131T235959.123Z-a\0-g1.json",
        ] {
            assert_eq!(agent_of(bad), None, "{bad}");
            assert_eq!(reports.get(bad).unwrap(), None, "{bad}");
        }
        assert_eq!(reports.get(good).unwrap(), None);
    }

    #[test]
    fn the_oldest_reports_go_first() {
        let data = tempfile::tempdir().unwrap();
        let reports = Reports::new(data.path());
        let slot = reports.slot("a", 1).unwrap();
        for day in 0..=KEPT {
            let name = format!("20250101T000000.{day:03}Z-old-g1.json");
            std::fs::write(data.path().join("crashes").join(name), "{}").unwrap();
        }
        assert!(reports.keep(&report(&slot, "a", None)));
        let names = reports.names().unwrap();
        assert_eq!((names.len(), agent_of(&names[0])), (KEPT, Some("a")));
        assert_eq!(names.last().unwrap(), "20250101T000000.002Z-old-g1.json");
    }

    #[test]
    fn a_folder_that_cannot_be_made_keeps_nothing_from_running() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("crashes"), "a file").unwrap();
        let reports = Reports::new(data.path());
        assert!(reports.slot("a", 1).is_none());
        assert!(reports.slot("a", 2).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_reports() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().unwrap();
        let reports = Reports::new(data.path());
        let slot = reports.slot("a", 1).unwrap();
        reports.keep(&report(&slot, "a", None));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = data.path().join("crashes");
        assert_eq!((mode(&folder), mode(&folder.join(slot.report()))), (0o700, 0o600));
    }
}
