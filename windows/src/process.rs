//! What the system says of this process.

use std::io;
use std::time::Duration;

use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount, GetProcessTimes};

/// What this process has used so far, or uses now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, of the kernel for it, too.
    pub processor: Duration,
    /// Bytes in memory: its working set.
    pub resident_bytes: u64,
    /// Open handles: files, connections, threads and more.
    pub handles: u32,
}

/// Asks the system.
///
/// # Errors
/// It does not tell.
#[expect(unsafe_code, reason = "counters are asked for by C functions")]
pub fn usage() -> io::Result<Usage> {
    const NEVER: FILETIME = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    // SAFETY: it has no preconditions, and what it gives need not be closed.
    let own = unsafe { GetCurrentProcess() };
    let [mut begun, mut ended, mut kernel, mut user] = [NEVER; 4];
    // SAFETY: each answer has a place.
    let times = unsafe { GetProcessTimes(own, &raw mut begun, &raw mut ended, &raw mut kernel, &raw mut user) };
    let mut counters = PROCESS_MEMORY_COUNTERS::default();
    let size = u32::try_from(size_of::<PROCESS_MEMORY_COUNTERS>()).unwrap_or_default();
    // SAFETY: it writes at most `size` bytes, which `counters` has.
    let memory = unsafe { K32GetProcessMemoryInfo(own, &raw mut counters, size) };
    let mut handles = 0;
    // SAFETY: the answer has a place.
    let counted = unsafe { GetProcessHandleCount(own, &raw mut handles) };
    if times == 0 || memory == 0 || counted == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Usage { processor: duration(kernel) + duration(user), resident_bytes: counters.WorkingSetSize as u64, handles })
}

/// So many steps of 100 ns.
fn duration(time: FILETIME) -> Duration {
    let steps = u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_nanos(steps.saturating_mul(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_something() {
        let before = usage().unwrap();
        let block = std::hint::black_box(vec![1_u8; 16 << 20]);
        let after = usage().unwrap();
        // Wine counts no handles.
        assert!(before.resident_bytes > 0);
        assert!(after.resident_bytes >= before.resident_bytes + (15 << 20), "{before:?} {after:?} {}", block.len());
        assert!(after.processor >= before.processor);
    }
}
