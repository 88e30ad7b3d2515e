//! Windows: exceptions that nobody handles, `abort` of the C libraries, and the end of the process by its own will.
//!
//! The filter for unhandled exceptions is the last to be asked: what a library catches itself never comes here. It runs on
//! the thread that crashed, with the stack that `SetThreadStackGuarantee` keeps for it.

mod exceptions;
mod exports;
mod place;

use std::ffi::{c_int, c_void};
use std::ptr::with_exposed_provenance;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::thread::Thread;
use std::time::Duration;

use bridge32_image::Dependency;
use windows_sys::Win32::System::Diagnostics::Debug::{
    CONTEXT, EXCEPTION_POINTERS, LPTOP_LEVEL_EXCEPTION_FILTER, SetUnhandledExceptionFilter,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThreadId, SetThreadStackGuarantee, TerminateProcess,
};

use self::exceptions::Exception;
use super::words::Words;
use super::{FILE, PATIENCE_SECONDS, Turn, begin, write_first_line, write_second_line};
use crate::platform::runtimes::Runtime;

/// Bytes of stack that stay for the filter when a thread has used up the rest.
const GUARANTEED_STACK_BYTES: u32 = 64 << 10;

/// What a filter answers (Microsoft, `SetUnhandledExceptionFilter`): go on where the exception happened.
const CONTINUE_EXECUTION: i32 = -1;

/// The C libraries' number of the signal that `abort` raises; the same in all of them.
const SIGABRT: c_int = 22;

/// The exit code of a process that called `abort`.
const ABORTED: u32 = 3;

/// Modules that stand between a library and the end of the process.
const SYSTEM: &[&str] = &["ntdll.dll", "kernel32.dll", "kernelbase.dll", "msvcrt.dll", "ucrtbase.dll"];

/// The filter of the C library that this program is linked with: it serves handlers that were set with `signal`.
static INNER_FILTER: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Ends the process if the one that is dying hangs.
static WATCHDOG: OnceLock<Thread> = OnceLock::new();

/// The exit code that the process is dying with.
static EXIT_CODE: AtomicU32 = AtomicU32::new(0);

#[expect(unsafe_code, reason = "the declaration of a C function")]
unsafe extern "C" {
    /// Of msvcrt.dll, which this program is linked with.
    fn signal(signal: c_int, handler: extern "C" fn(c_int)) -> *const c_void;
}

/// The system's number of this thread.
#[expect(unsafe_code, reason = "GetCurrentThreadId is a C function")]
pub(super) fn thread_id() -> u32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { GetCurrentThreadId() }
}

/// From here on unhandled exceptions and `abort` are noticed.
#[expect(unsafe_code, reason = "handlers are C functions")]
pub(super) fn install() {
    let inner = set_filter();
    INNER_FILTER.store(inner.map_or(std::ptr::null_mut(), |filter| filter as *mut c_void), Ordering::Release);
    // SAFETY: the handler has the signature that `signal` asks for.
    unsafe { signal(SIGABRT, on_abort) };
    // Without the watchdog all else works.
    let watchdog = std::thread::Builder::new().name("watchdog".into()).stack_size(64 << 10).spawn(watch);
    if let Ok(watchdog) = watchdog {
        let _ = WATCHDOG.set(watchdog.thread().clone());
    }
    prepare_thread();
}

/// Keeps some stack of this thread for the filter.
#[expect(unsafe_code, reason = "SetThreadStackGuarantee is a C function")]
pub(super) fn prepare_thread() {
    let mut bytes = GUARANTEED_STACK_BYTES;
    // SAFETY: reads and writes `bytes`. If it is refused, a stack overflow ends the process without a record.
    unsafe { SetThreadStackGuarantee(&raw mut bytes) };
}

/// The library may have put its own filter in the place of ours, and it may have a C library of its own.
#[expect(unsafe_code, reason = "`signal` of each C library is a C function")]
pub(super) fn library_loaded(dependencies: &[Dependency]) {
    set_filter();
    for runtime in Runtime::imported(dependencies) {
        if let Some(address) = runtime.symbol(c"signal") {
            type Signal = unsafe extern "C" fn(c_int, extern "C" fn(c_int)) -> *const c_void;
            // SAFETY: every C library exports `signal` with this signature.
            let signal = unsafe { std::mem::transmute::<*const c_void, Signal>(address) };
            // SAFETY: the handler has the signature that `signal` asks for.
            unsafe { signal(SIGABRT, on_abort) };
        }
    }
}

#[expect(unsafe_code, reason = "SetUnhandledExceptionFilter is a C function")]
fn set_filter() -> LPTOP_LEVEL_EXCEPTION_FILTER {
    // SAFETY: the filter stays where it is as long as the process lives.
    unsafe { SetUnhandledExceptionFilter(Some(on_exception)) }
}

/// Nobody has handled an exception.
#[expect(unsafe_code, reason = "the system hands a filter pointers")]
unsafe extern "system" fn on_exception(pointers: *const EXCEPTION_POINTERS) -> i32 {
    // SAFETY: the system passes pointers that live as long as the filter runs.
    let EXCEPTION_POINTERS { ExceptionRecord: record, ContextRecord: context } = unsafe { *pointers };
    // SAFETY: as above.
    let exception = Exception::of(unsafe { &*record });
    if inner_filter(pointers) == CONTINUE_EXECUTION {
        return CONTINUE_EXECUTION;
    }
    die_of(exception.code, || {
        write_first_line(&exception.what(), Some(exception.code), exception.access().as_ref());
        let address = if exception.is_jump_to_nowhere() {
            // SAFETY: as above.
            return_address(unsafe { &*context })
        } else {
            exception.instruction
        };
        place::of(address)
    })
}

/// Asks the filter that was there before ours.
#[expect(unsafe_code, reason = "a filter is a C function")]
fn inner_filter(pointers: *const EXCEPTION_POINTERS) -> i32 {
    let inner = INNER_FILTER.load(Ordering::Acquire);
    // SAFETY: null, or a filter that `SetUnhandledExceptionFilter` has returned: that of the C library in this program.
    let inner = unsafe { std::mem::transmute::<*mut c_void, LPTOP_LEVEL_EXCEPTION_FILTER>(inner) };
    // SAFETY: it gets what the system would have handed to it.
    inner.map_or(0, |inner| unsafe { inner(pointers) })
}

/// Records what `tell` says, unless another thread does so already, and ends the process with `exit_code`.
fn die_of(exit_code: u32, tell: impl FnOnce() -> Option<super::Place>) -> ! {
    match begin() {
        Turn::First => {
            EXIT_CODE.store(exit_code, Ordering::Release);
            if let Some(watchdog) = WATCHDOG.get() {
                watchdog.unpark();
            }
            if let Some(place) = tell() {
                write_second_line(&place);
            }
        }
        // What comes after the first line is what failed.
        Turn::Again => {}
        Turn::AnotherThread => loop {
            std::thread::park();
        },
    }
    end_process(EXIT_CODE.load(Ordering::Acquire))
}

/// `abort` was called: in the C libraries it raises no exception, but a signal of their own.
extern "C" fn on_abort(_: c_int) {
    die_of(ABORTED, || {
        write_first_line(&Words::of(b"abort() was called"), None, None);
        place::caller_of(SYSTEM)
    })
}

/// What a `call` that led nowhere has left on the stack.
#[expect(unsafe_code, reason = "the stack is where the register says")]
#[allow(clippy::cast_possible_truncation, reason = "a register is as wide as an address")]
fn return_address(context: &CONTEXT) -> usize {
    #[cfg(target_arch = "x86")]
    let stack = context.Esp as usize;
    #[cfg(target_arch = "x86_64")]
    let stack = context.Rsp as usize;
    // SAFETY: the `call` has just written it there. If the stack pointer is wild all the same, this is a crash within the
    // filter, which ends the process as the first one would have.
    unsafe { with_exposed_provenance::<usize>(stack).read_unaligned() }
}

/// Waits until the process is dying, and for so long as that may take.
fn watch() {
    loop {
        std::thread::park();
        let exit_code = EXIT_CODE.load(Ordering::Acquire);
        if exit_code != 0 {
            std::thread::sleep(Duration::from_secs(PATIENCE_SECONDS.into()));
            end_process(exit_code);
        }
    }
}

#[expect(unsafe_code, reason = "TerminateProcess is a C function")]
fn end_process(exit_code: u32) -> ! {
    // SAFETY: a pseudo handle that needs no closing.
    let own = unsafe { GetCurrentProcess() };
    // SAFETY: ends this process; nothing runs afterwards.
    unsafe { TerminateProcess(own, exit_code) };
    std::process::abort()
}

/// What the loader calls when the process begins and ends, and threads in between.
type TlsCallback = unsafe extern "system" fn(module: *mut c_void, reason: u32, reserved: *mut c_void);

/// `.CRT$XLA` to `.CRT$XLZ` is the program's list of such functions (Microsoft, "PE Format", TLS callback functions).
#[expect(unsafe_code, reason = "the list is made by the linker")]
#[used]
#[unsafe(link_section = ".CRT$XLC")]
static AT_THE_END: TlsCallback = at_the_end;

const PROCESS_DETACH: u32 = 0;

/// The process ends by `ExitProcess`, which is where `exit` leads whatever C library it belongs to. The agent itself never
/// does that: it ends through [`end_process`](crate::platform::end_process), which asks nobody.
#[expect(unsafe_code, reason = "the type asks for it")]
unsafe extern "system" fn at_the_end(_: *mut c_void, reason: u32, _: *mut c_void) {
    if reason == PROCESS_DETACH && FILE.get().is_some() && matches!(begin(), Turn::First) {
        write_first_line(&Words::of(b"exit() or ExitProcess() was called"), None, None);
        if let Some(place) = place::caller_of(SYSTEM) {
            write_second_line(&place);
        }
    }
}
