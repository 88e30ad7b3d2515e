//! What a gateway holds: descriptors, memory, processes, files. Looked at from outside, by `/proc` and its data folder.

use std::collections::BTreeMap;
use std::path::Path;

use super::report::Findings;
use crate::Bridge;

/// Crash reports that are kept, as docs say: more are a leak.
const REPORTS_KEPT: usize = 200;
/// Descriptors that may come and go: connections of an agent that has just registered, a listener's accept.
const DESCRIPTORS_BETWEEN: usize = 8;
/// Megabytes of memory that may stay: what the allocator keeps of the largest bodies and of the kept lines of output.
const MEMORY_BETWEEN: f64 = 24.0;

/// What was there at one moment.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    /// Descriptors that are open.
    pub descriptors: usize,
    /// Resident memory in megabytes.
    pub resident: f64,
    /// The most that it ever was.
    pub peak: f64,
    /// Threads.
    pub threads: usize,
    /// Agents' processes that run.
    pub agents: usize,
    /// Children of the gateway that have ended and that it has not looked after.
    pub zombies: usize,
    /// Files in the data folder, by what they are.
    pub files: BTreeMap<String, usize>,
}

impl Footprint {
    /// Of a gateway now.
    pub fn of(bridge: &Bridge) -> Self {
        let pid = bridge.pid();
        let folder = format!("/proc/{pid}");
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        let count = |name: &str| std::fs::read_dir(format!("{folder}/{name}")).map_or(0, Iterator::count);
        let mut files = BTreeMap::new();
        count_files(&bridge.config().folder().join("data"), &mut files);
        Self {
            descriptors: count("fd"),
            threads: count("task"),
            resident: kilobytes(&status, "VmRSS:") / 1024.0,
            peak: kilobytes(&status, "VmHWM:") / 1024.0,
            agents: agents(bridge),
            zombies: zombies(pid),
            files,
        }
    }

    /// What must not have been left behind since `before`, by a gateway with so many agents.
    pub fn compare(&self, before: &Self, agents: usize, findings: &mut Findings) {
        let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        findings.figure("descriptors of the gateway before", count(before.descriptors), "");
        let descriptors = count(before.descriptors + DESCRIPTORS_BETWEEN);
        findings.bounded("descriptors of the gateway after", count(self.descriptors), "", descriptors);
        findings.figure("threads of the gateway after", count(self.threads), "");
        findings.figure("memory of the gateway before", before.resident, "MB");
        findings.figure("memory of the gateway, the most", self.peak, "MB");
        findings.bounded("memory of the gateway after", self.resident, "MB", before.resident + MEMORY_BETWEEN);
        findings.bounded("agents after", count(self.agents), "", count(agents));
        findings.bounded("zombies after", count(self.zombies), "", 0.0);
        for (kind, found) in &self.files {
            let bound = match kind.as_str() {
                "crashes/*.json" => REPORTS_KEPT,
                // One for each agent that runs.
                "crashes/*.part" => agents,
                "crashes/lock" => 1,
                _ => before.files.get(kind).copied().unwrap_or_default().max(agents),
            };
            findings.bounded(format!("files data/{kind} after"), count(*found), "", count(bound));
        }
    }

    /// Whether [`Footprint::compare`] would find nothing.
    pub fn is_settled(&self, before: &Self, agents: usize) -> bool {
        let mut findings = Findings::default();
        self.compare(before, agents, &mut findings);
        findings.violations.is_empty()
    }
}

/// The runtimes' commands that the gateway has started, and that run: its direct children.
fn agents(bridge: &Bridge) -> usize {
    children(bridge.pid()).filter(|(_, state)| *state != 'Z').count()
}

fn zombies(pid: u32) -> usize {
    children(pid).filter(|(_, state)| *state == 'Z').count()
}

/// The children of a process, with their states (`proc_pid_stat(5)`).
pub(super) fn children(parent: u32) -> impl Iterator<Item = (u32, char)> {
    let entries = std::fs::read_dir("/proc").expect("there is /proc").flatten();
    entries.filter_map(move |entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.chars().next()?;
        (fields.next()?.parse() == Ok(parent)).then_some((pid, state))
    })
}

fn kilobytes(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

/// Counts files by their folder and extension: what many share are lines of one kind.
fn count_files(folder: &Path, files: &mut BTreeMap<String, usize>) {
    for (name, path) in entries(folder) {
        if path.is_dir() {
            for (inner, _) in entries(&path) {
                *files.entry(format!("{name}/{}", kind(&inner))).or_default() += 1;
            }
        } else {
            *files.entry(kind(&name)).or_default() += 1;
        }
    }
}

fn kind(name: &str) -> String {
    name.rsplit_once('.').map_or(name.to_owned(), |(_, extension)| format!("*.{extension}"))
}

fn entries(folder: &Path) -> Vec<(String, std::path::PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect()
}
