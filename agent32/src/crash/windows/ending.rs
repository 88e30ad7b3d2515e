//! The end of the process by `ExitProcess`, which is where `exit` leads, whatever C library it belongs to. The agent itself
//! never does that: it ends through [`end_process`](crate::platform::end_process), which asks nobody.
//!
//! Two of the system's lists are asked to tell of it: the program's TLS callbacks, which Wine does not call at the end, and
//! the callbacks of fiber-local storage, which come for threads that were told to watch.

use std::ffi::c_void;
use std::sync::OnceLock;

use windows_sys::Win32::System::Threading::{FLS_OUT_OF_INDEXES, FlsAlloc, FlsSetValue};

use super::place;
use crate::crash::words::Words;
use crate::crash::{FILE, Turn, begin, write_first_line, write_second_line};

#[expect(unsafe_code, reason = "the declaration of a C function")]
#[cfg_attr(target_arch = "x86", link(name = "ntdll", kind = "raw-dylib", import_name_type = "undecorated"))]
#[cfg_attr(not(target_arch = "x86"), link(name = "ntdll", kind = "raw-dylib"))]
unsafe extern "system" {
    /// Whether the process is ending (winternl; since Windows XP).
    safe fn RtlDllShutdownInProgress() -> u8;
}

/// Has the system tell when this thread ends, or ends the process.
#[expect(unsafe_code, reason = "fiber-local storage is the system's")]
pub(super) fn watch_this_thread() {
    static SLOT: OnceLock<u32> = OnceLock::new();
    // SAFETY: the callback stays where it is as long as the process lives.
    let slot = *SLOT.get_or_init(|| unsafe { FlsAlloc(Some(on_thread_end)) });
    if slot != FLS_OUT_OF_INDEXES {
        // SAFETY: the slot is ours. The value is never followed; only that it is not null has a meaning.
        unsafe { FlsSetValue(slot, std::ptr::without_provenance(1)) };
    }
}

/// A thread ends, or ends the process.
#[expect(unsafe_code, reason = "the type asks for it")]
unsafe extern "system" fn on_thread_end(_: *const c_void) {
    if RtlDllShutdownInProgress() != 0 {
        tell();
    }
}

/// What the loader calls when the process begins and ends, and threads in between.
type TlsCallback = unsafe extern "system" fn(module: *mut c_void, reason: u32, reserved: *mut c_void);

/// `.CRT$XLA` to `.CRT$XLZ` is the program's list of such functions (Microsoft, "PE Format", TLS callback functions).
#[expect(unsafe_code, reason = "the list is made by the linker")]
#[used]
#[unsafe(link_section = ".CRT$XLC")]
static CALLBACK: TlsCallback = on_process_end;

const PROCESS_DETACH: u32 = 0;

/// The process ends.
#[expect(unsafe_code, reason = "the type asks for it")]
unsafe extern "system" fn on_process_end(_: *mut c_void, reason: u32, _: *mut c_void) {
    if reason == PROCESS_DETACH {
        tell();
    }
}

fn tell() {
    if FILE.get().is_some() && matches!(begin(), Turn::First) {
        write_first_line(&Words::of(b"exit() or ExitProcess() was called"), None, None, super::thread_id());
        if let Some(place) = place::caller(&place::frames()) {
            write_second_line(&place);
        }
        // Nobody is left to send what is finished: the system ends all other threads before it tells of the end.
    }
}
