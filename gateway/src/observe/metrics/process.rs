//! What the system says of the gateway's own process, under the names that all exporters have for it.

#[cfg(target_os = "linux")]
use super::families::PROCESS_MAX_FDS;
use super::families::{PROCESS_CPU, PROCESS_OPEN_FDS, PROCESS_RESIDENT};
use super::page::{Page, Value, level};

/// Adds what can be told.
#[cfg(target_os = "linux")]
pub(super) fn write(page: &mut Page) {
    use rustix::process::{Resource, getrlimit};
    use rustix::time::{ClockId, clock_gettime};

    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(cpu.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(cpu.tv_nsec).unwrap_or_default();
    page.add_one(&PROCESS_CPU, Value::Seconds(level(seconds) + level(nanoseconds) / 1e9));
    let mut tell = |family, number: Option<u64>| {
        page.add(family, number.map(|number| (Vec::new(), Value::Level(level(number)))));
    };
    tell(&PROCESS_RESIDENT, resident_bytes());
    // The one that reads the folder is there, too, for that time.
    let open = std::fs::read_dir("/proc/self/fd").ok().map(|files| (files.count() as u64).saturating_sub(1));
    tell(&PROCESS_OPEN_FDS, open);
    tell(&PROCESS_MAX_FDS, getrlimit(Resource::Nofile).current);
}

/// `VmRSS` of `/proc/self/status`.
#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Adds what can be told. Handles are what comes closest to open files, and have no limit that matters.
#[cfg(windows)]
pub(super) fn write(page: &mut Page) {
    let Ok(usage) = bridge32_windows::process::usage() else { return };
    page.add_one(&PROCESS_CPU, Value::Seconds(usage.processor.as_secs_f64()));
    page.add_one(&PROCESS_RESIDENT, Value::Level(level(usage.resident_bytes)));
    page.add_one(&PROCESS_OPEN_FDS, Value::Level(level(usage.handles.into())));
}

/// Nothing that all systems tell.
#[cfg(not(any(target_os = "linux", windows)))]
pub(super) fn write(_: &mut Page) {}
