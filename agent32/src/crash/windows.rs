//! Windows: exceptions that nobody handles, `abort` of the C libraries, and the end of the process by its own will.
//!
//! The filter for unhandled exceptions is the last to be asked: what a library catches itself never comes here. It runs on
//! the thread that crashed, which may have no more than a page of stack left; so it only wakes the reporter, a thread that
//! was waiting for this, and waits for it to end the process.

mod ending;
mod exceptions;
mod exports;
mod place;

use std::ffi::{c_int, c_void};
use std::ptr::with_exposed_provenance;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::thread::Thread;

use bridge32_image::Dependency;
use windows_sys::Win32::System::Diagnostics::Debug::{
    CONTEXT, EXCEPTION_POINTERS, LPTOP_LEVEL_EXCEPTION_FILTER, SetUnhandledExceptionFilter,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThreadId, SetThreadStackGuarantee, TerminateProcess,
};

use self::exceptions::Exception;
use super::words::Words;
use super::{DYING, PATIENCE, Turn, begin, write_first_line, write_second_line};
use crate::platform::runtimes::Runtime;

/// Bytes of stack that stay for the filter when a thread has used up the rest. (Wine keeps a page, whatever is asked for.)
const GUARANTEED_STACK_BYTES: u32 = 64 << 10;

/// Bytes of stack for the reporter.
const REPORTER_STACK_BYTES: usize = 256 << 10;

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

/// The thread that writes the record of an exception, and sees to it that the process ends.
static REPORTER: OnceLock<Thread> = OnceLock::new();

/// The exception that nobody has handled, for the reporter; null if the process is dying of something else.
static EXCEPTION: AtomicPtr<EXCEPTION_POINTERS> = AtomicPtr::new(std::ptr::null_mut());

/// The exit code that the process is dying with.
static EXIT_CODE: AtomicU32 = AtomicU32::new(0);

/// `EXIT_CODE` and `EXCEPTION` are set.
static REPORTER_IS_NEEDED: AtomicBool = AtomicBool::new(false);

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
    let reporter = std::thread::Builder::new().name("crash reporter".into()).stack_size(REPORTER_STACK_BYTES);
    // Without it a crash ends the process, unrecorded.
    if let Ok(reporter) = reporter.spawn(report) {
        let _ = REPORTER.set(reporter.thread().clone());
    }
    prepare_thread();
}

/// Keeps some stack of this thread for the filter, and watches whether it ends the process.
#[expect(unsafe_code, reason = "SetThreadStackGuarantee is a C function")]
pub(super) fn prepare_thread() {
    ending::watch_this_thread();
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
    if inner_filter(pointers) == CONTINUE_EXECUTION {
        return CONTINUE_EXECUTION;
    }
    match begin() {
        Turn::First => {
            // SAFETY: the system passes a pointer to pointers that live as long as the filter runs.
            let record = unsafe { (*pointers).ExceptionRecord };
            // SAFETY: as above.
            let code = unsafe { (*record).ExceptionCode };
            EXCEPTION.store(pointers.cast_mut(), Ordering::Relaxed);
            wake_reporter(code.cast_unsigned());
            std::thread::sleep(PATIENCE);
        }
        // What comes after the first line is what failed.
        Turn::Again => {}
        Turn::AnotherThread if is_reporter() => {}
        Turn::AnotherThread => loop {
            std::thread::park();
        },
    }
    end_process(EXIT_CODE.load(Ordering::Acquire))
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

/// `abort` was called: in the C libraries it raises no exception, but a signal of their own.
extern "C" fn on_abort(_: c_int) {
    if matches!(begin(), Turn::First) {
        wake_reporter(ABORTED);
        write_first_line(&Words::of(b"abort() was called"), None, None, thread_id());
        if let Some(place) = place::caller_of(SYSTEM) {
            write_second_line(&place);
        }
    }
    // The C library ends the process.
}

/// Has the reporter do its work, and from now on the process has `PATIENCE` to end.
fn wake_reporter(exit_code: u32) {
    EXIT_CODE.store(exit_code, Ordering::Relaxed);
    REPORTER_IS_NEEDED.store(true, Ordering::Release);
    match REPORTER.get() {
        Some(reporter) => reporter.unpark(),
        None => end_process(exit_code),
    }
}

/// The reporter's life.
fn report() {
    while !REPORTER_IS_NEEDED.load(Ordering::Acquire) {
        std::thread::park();
    }
    let exception = EXCEPTION.load(Ordering::Relaxed);
    if exception.is_null() {
        std::thread::sleep(PATIENCE);
    } else {
        record(exception);
    }
    end_process(EXIT_CODE.load(Ordering::Acquire))
}

/// Writes the record of an exception.
#[expect(unsafe_code, reason = "the system hands a filter pointers")]
fn record(pointers: *const EXCEPTION_POINTERS) {
    // SAFETY: the thread that crashed waits in its filter, and so long all that it was handed stays where it is.
    let EXCEPTION_POINTERS { ExceptionRecord: record, ContextRecord: context } = unsafe { *pointers };
    // SAFETY: as above.
    let exception = Exception::of(unsafe { &*record });
    let thread = DYING.load(Ordering::Acquire);
    write_first_line(&exception.what(), Some(exception.code), exception.access().as_ref(), thread);
    let address = if exception.is_jump_to_nowhere() {
        // SAFETY: as above.
        return_address(unsafe { &*context })
    } else {
        exception.instruction
    };
    if let Some(place) = place::of(address) {
        write_second_line(&place);
    }
}

fn is_reporter() -> bool {
    REPORTER.get().is_some_and(|reporter| reporter.id() == std::thread::current().id())
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

#[expect(unsafe_code, reason = "TerminateProcess is a C function")]
fn end_process(exit_code: u32) -> ! {
    // SAFETY: a pseudo handle that needs no closing.
    let own = unsafe { GetCurrentProcess() };
    // SAFETY: ends this process; nothing runs afterwards.
    unsafe { TerminateProcess(own, exit_code) };
    std::process::abort()
}
