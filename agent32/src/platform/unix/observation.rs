//! What the kernel says of this process's threads.

use std::path::Path;

use bridge32_protocol::wire::Observation;

/// So many threads are told of.
const MAX_THREADS: usize = 16;

/// System calls in which threads wait, with their numbers for this kind of process.
const WAITING: [(libc::c_long, &str); 15] = [
    (libc::SYS_read, "read"),
    (libc::SYS_write, "write"),
    (libc::SYS_poll, "poll"),
    (libc::SYS_select, "select"),
    (libc::SYS_futex, "futex (for another thread)"),
    (libc::SYS_nanosleep, "nanosleep"),
    (libc::SYS_clock_nanosleep, "clock_nanosleep"),
    (libc::SYS_wait4, "wait4 (for another process)"),
    (libc::SYS_waitid, "waitid (for another process)"),
    (libc::SYS_connect, "connect"),
    (libc::SYS_accept4, "accept4"),
    (libc::SYS_recvfrom, "recvfrom"),
    (libc::SYS_recvmsg, "recvmsg"),
    (libc::SYS_flock, "flock (for a file's lock)"),
    (libc::SYS_pause, "pause"),
];

/// Those of 32-bit processes whose times have 64 bits (Linux, arch/x86/entry/syscalls/syscall_32.tbl).
#[cfg(target_pointer_width = "32")]
const WAITING_LONG: [(libc::c_long, &str); 3] =
    [(407, "clock_nanosleep"), (414, "ppoll"), (422, "futex (for another thread)")];

#[cfg(target_pointer_width = "64")]
const WAITING_LONG: [(libc::c_long, &str); 1] = [(libc::SYS_ppoll, "ppoll")];

/// Nothing has to be made ready.
pub const fn prepare_observation() {}

/// What each thread does, those of apartments first. Nothing is waited for.
pub async fn observe() -> Observation {
    look()
}

fn look() -> Observation {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    // The first thread is the agent's own: it is the one that asks.
    let others = threads.filter(|entry| entry.file_name().to_str() != Some(&std::process::id().to_string()));
    let mut notes: Vec<(bool, String)> = others.filter_map(|entry| note(&entry.path())).collect();
    notes.sort_by_key(|(apartment, _)| !apartment);
    let notes = notes.into_iter().take(MAX_THREADS).map(|(_, note)| note).collect();
    Observation { windows: Vec::new(), notes }
}

/// What one thread does, and whether it is an apartment's. `None` for one that has just ended.
fn note(task: &Path) -> Option<(bool, String)> {
    let read = |name: &str| std::fs::read_to_string(task.join(name)).ok();
    let name = read("comm")?;
    let state = state(&read("stat")?)?;
    let call = read("syscall").and_then(|text| system_call(&text));
    let place = read("wchan").filter(|place| !matches!(place.as_str(), "" | "0"));
    let waits = match (call, place) {
        (Some(call), Some(place)) => format!(" in the system call {call}, in the kernel's `{place}`"),
        (Some(call), None) => format!(" in the system call {call}"),
        (None, Some(place)) => format!(" in the kernel's `{place}`"),
        (None, None) => String::new(),
    };
    let name = name.trim_end();
    Some((name.starts_with("apartment"), format!("the thread `{name}` {state}{waits}")))
}

/// The third field of `stat`; the second, a name in brackets, may have brackets itself (proc(5)).
fn state(stat: &str) -> Option<&'static str> {
    let letter = stat.rsplit_once(") ")?.1.chars().next()?;
    Some(match letter {
        'R' => "runs",
        'S' => "waits",
        'D' => "waits for a device or a network drive",
        'T' | 't' => "was stopped",
        'Z' | 'X' => "has ended",
        _ => "does something that the system has no word for",
    })
}

/// `240 0x… …`, `running`, or `-1 …` outside of any.
fn system_call(text: &str) -> Option<String> {
    let number: libc::c_long = text.split_whitespace().next()?.parse().ok().filter(|number| *number >= 0)?;
    let known = WAITING.iter().chain(&WAITING_LONG).find(|(known, _)| *known == number);
    Some(known.map_or_else(|| format!("number {number}"), |(_, name)| (*name).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_is_told_by_its_name() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("apartment slow".into());
        let thread = thread.spawn(move || wait.recv().is_err()).unwrap();
        let told = || look().notes.into_iter().find(|note| note.contains("`apartment slow`"));
        // It may not have got so far yet.
        let waits = (0..200).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            told().filter(|note| note.contains("waits"))
        });
        drop(stop);
        assert!(thread.join().unwrap());
        assert!(waits.is_some(), "{:?}", look().notes);
    }

    #[test]
    fn states_and_system_calls_are_read() {
        assert_eq!(state("7 (a) b) (c) D 1 2"), Some("waits for a device or a network drive"));
        assert_eq!(state("7 (a) R 1"), Some("runs"));
        assert_eq!(state("garbage"), None);
        assert_eq!(system_call(&format!("{} 0x1", libc::SYS_read)).as_deref(), Some("read"));
        assert_eq!(system_call("999 0x1").as_deref(), Some("number 999"));
        for nothing in ["running", "-1 0x0 0x0", ""] {
            assert_eq!(system_call(nothing), None);
        }
    }
}
