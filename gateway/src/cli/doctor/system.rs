//! The system: who runs this, limits that agents inherit, and the clock, on which signatures depend.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::finding::Findings;
use super::machine;

/// By so many seconds the times of signatures may differ.
const SIGNATURE_SECONDS: u64 = 300;
/// Programs that set the clock, by the names that the kernel shows.
const TIME_SERVICES: [&str; 8] =
    ["chronyd", "ntpd", "openntpd", "systemd-timesyn", "ptp4l", "phc2sys", "VBoxService", "vmtoolsd"];

/// Looks at it.
pub(super) fn examine(findings: &mut Findings) {
    findings.begin("system");
    user(findings);
    limits(findings);
    memory(findings);
    clock(findings);
}

fn user(findings: &mut Findings) {
    match machine::own_user() {
        Some(0) => {
            let found = "doctor runs as root. A gateway that does so runs the libraries' native code as root, too";
            let remedy = "give the gateway a user of its own, and run doctor as that one: sudo -u USER bridge32 doctor";
            findings.note("user", found).remedy(remedy).see("docs/security.md#the-library-itself");
        }
        Some(id) => findings.ok("user", format!("doctor runs as {}", machine::user_name(id))),
        None => {}
    }
}

/// What the gateway and its agents may use at most.
#[cfg(target_os = "linux")]
fn limits(findings: &mut Findings) {
    use rustix::process::{Resource, getrlimit};
    /// The gateway needs descriptors for connections and agents.
    const FEW_DESCRIPTORS: u64 = 256;
    /// A 32-bit process has so much address space, and a gateway wants some, too.
    const ADDRESS_SPACE: u64 = 4 << 30;
    let descriptors = getrlimit(Resource::Nofile).current;
    match descriptors {
        Some(few @ ..FEW_DESCRIPTORS) => {
            let found = format!("a process may have {few} only: connections would be refused");
            findings.warning("open files", found).remedy("ulimit -n 4096, or LimitNOFILE=4096 of the service");
        }
        _ => findings.ok("open files", descriptors.map_or_else(|| "no limit".to_owned(), |number| number.to_string())),
    }
    match getrlimit(Resource::As).current {
        Some(limit @ ..ADDRESS_SPACE) => {
            let found = format!(
                "a process may have {} only: agents, and Wine above all, need all of their 4 GB to load libraries",
                machine::size(limit)
            );
            findings.warning("address space", found).remedy("ulimit -v unlimited, or LimitAS=infinity of the service");
        }
        _ => findings.ok("address space", "is not limited"),
    }
}

#[cfg(not(target_os = "linux"))]
fn limits(_: &mut Findings) {}

fn memory(findings: &mut Findings) {
    let number = |file: &str| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    if number("/proc/sys/vm/overcommit_memory") == Some(2) {
        let found = "vm.overcommit_memory is 2: what a library reserves and does not use counts, and it may get none";
        findings.note("memory", found).remedy("sysctl vm.overcommit_memory=0");
    }
    if let Some(limit) = number("/sys/fs/cgroup/memory.max").filter(|limit| *limit < 512 << 20) {
        let found =
            format!("this service or container may use {} in all: agents are ended above that", machine::size(limit));
        findings.note("memory", found).remedy("MemoryMax= of the service, or the container's memory limit, sets it");
    }
}

/// Whether somebody sets the clock, and whether it shows a time that can be.
fn clock(findings: &mut Findings) {
    let remedy = "set it and keep it right: timedatectl set-ntp true, or apt install chrony; `date -u` shows it";
    let why = format!(
        "signatures are good for {SIGNATURE_SECONDS} s: a clock that is off refuses every client whose clock is right"
    );
    if let Some(file) = from_the_future() {
        let found =
            format!("shows a time before {} was written: it was set back, or lost its battery; {why}", file.display());
        findings.problem("clock", found).remedy(remedy).see("docs/signing.md#when-it-is-not-accepted");
        return;
    }
    if let Some(seconds) = off_the_hardware() {
        let found = format!("differs by {seconds} s from the hardware's clock; {why}");
        findings.warning("clock", found).remedy(remedy).see("docs/signing.md#when-it-is-not-accepted");
        return;
    }
    match time_service() {
        Some(name) => findings.ok("clock", format!("{name} sets it")),
        None if in_container() => findings.ok("clock", "is that of the machine that this container runs on"),
        None => {
            let found = format!("no program that sets it was found on this machine; {why}");
            findings.warning("clock", found).remedy(remedy).see("docs/signing.md#when-it-is-not-accepted");
        }
    }
}

/// A file that was written later than now: the program itself, which is older than its every use.
fn from_the_future() -> Option<std::path::PathBuf> {
    let program = std::env::current_exe().ok()?;
    let written = std::fs::metadata(&program).ok()?.modified().ok()?;
    let ahead = written.duration_since(SystemTime::now()).ok()?;
    (ahead.as_secs() > SIGNATURE_SECONDS).then_some(program)
}

/// By how many seconds the clock differs from that of the hardware, if that is too much.
fn off_the_hardware() -> Option<u64> {
    let hardware: u64 = std::fs::read_to_string("/sys/class/rtc/rtc0/since_epoch").ok()?.trim().parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    // A hardware clock that shows local time differs by whole quarters of an hour.
    let apart = now.abs_diff(hardware);
    let zone = apart % 900;
    (zone.min(900 - zone) > SIGNATURE_SECONDS || apart > 24 * 3600).then_some(apart)
}

/// A program that sets the clock.
fn time_service() -> Option<String> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some("systemd-timesyncd".to_owned());
    }
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let name = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("comm")).ok();
    processes
        .filter_map(name)
        .map(|name| name.trim_end().to_owned())
        .find(|name| TIME_SERVICES.contains(&name.as_str()))
}

/// Whether another system around this one has the clock.
fn in_container() -> bool {
    let marks = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"];
    let environment = std::env::var_os("container").is_some() || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    environment || marks.iter().any(|mark| Path::new(mark).exists())
}
