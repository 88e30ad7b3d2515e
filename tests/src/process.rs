//! Processes of this machine: which there are, and ending one.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable by which the processes that a test has started are found again.
pub(crate) const MARK: &str = "STARTED_BY_TEST";

/// Sends a signal.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().expect("a process id"));
    kill(pid, signal).unwrap_or_else(|error| panic!("{signal} to {pid}: {error}"));
}

/// `kill -9`.
pub fn kill_9(pid: u32) {
    signal(pid, Signal::SIGKILL);
}

/// Whether there is a process of that id that has not ended.
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in brackets may itself have brackets; `Z` is a process that only waits to be noticed.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// A process that runs.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its id.
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

/// The agents among the processes that carry this mark. Wine's own servers belong to all that use the same Wine, and
/// end by themselves a moment after the last one; they are not counted.
pub fn marked_agents(mark: &str) -> Vec<Running> {
    let mark = format!("{MARK}={mark}");
    let processes = std::fs::read_dir("/proc").expect("there is /proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let running = |pid: u32| {
        let folder = format!("/proc/{pid}");
        let environment = std::fs::read(Path::new(&folder).join("environ")).ok()?;
        let command = std::fs::read(Path::new(&folder).join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let ours = environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes());
        (ours && command.contains("agent") && is_alive(pid)).then_some(Running { pid, command })
    };
    pids.filter_map(running).collect()
}
