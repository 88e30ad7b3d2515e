//! What processes take of the machine, as Linux says it.

use std::fs;

/// Seconds of a processor that a process has taken so far, all of its threads together.
pub(crate) fn seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // proc_pid_stat(5): behind the name in brackets, fields 14 and 15 are its own time and the kernel's, in ticks.
    let fields: Vec<&str> = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// Megabytes of memory that are in use of a process.
pub(crate) fn resident_mb(pid: u32) -> f64 {
    kib(pid, "VmRSS:") as f64 * 1024.0 / 1e6
}

/// The most KiB of memory that a process has had in use.
pub(crate) fn peak_kib(pid: u32) -> u64 {
    kib(pid, "VmHWM:")
}

fn kib(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}
