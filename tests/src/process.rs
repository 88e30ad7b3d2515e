//! Processes of this machine: which there are, and ending one.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable by which the processes that a test has started are found again.
pub const MARK: &str = "STARTED_BY_TEST";

/// Sends a signal.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().expect("a process id"));
    kill(pid, signal).unwrap_or_else(|error| panic!("{signal} to {pid}: {error}"));
}

/// `kill -9`.
pub fn kill_9(pid: u32) {
    signal(pid, Signal::SIGKILL);
}

/// `kill -9` of a process that may be gone already.
pub fn try_kill_9(pid: u32) {
    let pid = Pid::from_raw(pid.try_into().expect("a process id"));
    let _ = kill(pid, Signal::SIGKILL);
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

/// The TCP ports at which a process listens.
pub fn listening_ports(pid: u32) -> Vec<u16> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the process runs, and is ours").flatten();
    let target = |entry: std::fs::DirEntry| Some(std::fs::read_link(entry.path()).ok()?.to_str()?.to_owned());
    let inode = |target: String| Some(target.strip_prefix("socket:[")?.trim_end_matches(']').to_owned());
    let sockets: Vec<String> = links.filter_map(target).filter_map(inode).collect();
    let table = std::fs::read_to_string("/proc/net/tcp").expect("there is /proc");
    // proc_pid_net(5): the second column is address:port, the fourth the state (0A listens), the tenth the inode.
    let listening = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let ours = columns.get(3) == Some(&"0A") && sockets.iter().any(|inode| columns.get(9) == Some(&inode.as_str()));
        u16::from_str_radix(columns.get(1)?.rsplit(':').next()?, 16).ok().filter(|_| ours)
    };
    table.lines().filter_map(listening).collect()
}

/// The program that a process runs.
pub fn program(pid: u32) -> String {
    let link = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    link.file_name().unwrap_or_default().to_string_lossy().trim_end_matches(" (deleted)").to_owned()
}

/// The agents among the processes that carry this mark. Wine's own servers belong to all that use the same Wine, and
/// end by themselves a moment after the last one; they are not counted.
pub fn marked_agents(mark: &str) -> Vec<Running> {
    marked(mark).into_iter().filter(|process| process.command.contains("agent")).collect()
}

/// All processes that carry this mark and run, Wine's servers included.
pub fn marked(mark: &str) -> Vec<Running> {
    let mark = format!("{MARK}={mark}");
    let processes = std::fs::read_dir("/proc").expect("there is /proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let running = |pid: u32| {
        let folder = format!("/proc/{pid}");
        let environment = std::fs::read(Path::new(&folder).join("environ")).ok()?;
        let command = std::fs::read(Path::new(&folder).join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let ours = environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes());
        (ours && is_alive(pid)).then_some(Running { pid, command })
    };
    pids.filter_map(running).collect()
}
