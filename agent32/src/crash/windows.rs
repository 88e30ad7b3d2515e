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
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::thread::Thread;

use bridge32_image::Dependency;
use windows_sys::Win32::Foundation::NTSTATUS;
use windows_sys::Win32::System::Diagnostics::Debug::{
    CONTEXT, EXCEPTION_POINTERS, LPTOP_LEVEL_EXCEPTION_FILTER, SetUnhandledExceptionFilter,
};
use windows_sys::Win32::System::Memory::{PAGE_GUARD, PAGE_READWRITE, VirtualProtect};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThreadId, GetCurrentThreadStackLimits, SetThreadStackGuarantee, TerminateProcess,
};

use self::exceptions::Exception;
use super::words::Words;
use super::{DYING, LAST_ANSWERS, PATIENCE, Turn, begin, write_first_line, write_second_line};
use crate::platform::runtimes::Runtime;

/// Bytes of stack that stay for the filter when a thread has used up the rest.
const GUARANTEED_STACK_BYTES: u32 = 64 << 10;

/// Between the guard page and what is in use there must be at least so much.
const MARGIN_BYTES: usize = 64 << 10;

/// Bytes of stack for the reporter.
const REPORTER_STACK_BYTES: usize = 256 << 10;

/// What a filter answers (Microsoft, `SetUnhandledExceptionFilter`): go on where the exception happened.
const CONTINUE_EXECUTION: i32 = -1;

/// And: ask whoever comes next.
const CONTINUE_SEARCH: i32 = 0;

/// The C libraries' number of the signal that `abort` raises; the same in all of them.
const SIGABRT: c_int = 22;

/// The exit code of a process that called `abort`.
const ABORTED: u32 = 3;

/// A bit of exception codes that no code of the system has: a program has raised it (Microsoft, "NTSTATUS", C).
const MADE_BY_A_PROGRAM: u32 = 1 << 29;

/// The filter of the C library that this program is linked with: it serves handlers that were set with `signal`.
static INNER_FILTER: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// The thread that writes the record of an exception, and sees to it that the process ends.
static REPORTER: OnceLock<Thread> = OnceLock::new();

/// The exception that nobody has handled, for the reporter; null if the process is dying of something else.
static EXCEPTION: AtomicPtr<EXCEPTION_POINTERS> = AtomicPtr::new(std::ptr::null_mut());

/// The exit code that the process is dying with.
static EXIT_CODE: AtomicU32 = AtomicU32::new(0);

/// From where a program's own exception was raised.
static FRAMES: [AtomicUsize; place::FRAMES] = [const { AtomicUsize::new(0) }; place::FRAMES];

/// `EXIT_CODE` and what else there is are set.
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
#[expect(unsafe_code, reason = "stacks are the system's")]
pub(super) fn prepare_thread() {
    ending::watch_this_thread();
    let mut bytes = GUARANTEED_STACK_BYTES;
    // SAFETY: reads and writes `bytes`. If it is refused, a stack overflow ends the process without a record.
    unsafe { SetThreadStackGuarantee(&raw mut bytes) };
    // Windows lets the guard page go ahead of what is in use, and stop before the guaranteed bytes. Wine's stands where the
    // stack ends, with two pages left and no regard for the guarantee until it is touched: an exception's own data fill
    // these pages, and the thread just ends. So the guard page is put where it belongs.
    let (mut low, mut high) = (0, 0);
    // SAFETY: both are written.
    unsafe { GetCurrentThreadStackLimits(&raw mut low, &raw mut high) };
    let guard = low + GUARANTEED_STACK_BYTES as usize;
    let in_use = (&raw const bytes).addr();
    if guard + MARGIN_BYTES < in_use {
        let mut earlier = 0;
        // SAFETY: one page of this thread's own stack, far below what is in use. It stays readable and writable once it
        // has been touched. On Windows it is not committed yet, which is an error that changes nothing.
        unsafe { VirtualProtect(with_exposed_provenance(guard), 1, PAGE_READWRITE | PAGE_GUARD, &raw mut earlier) };
    }
}

/// The library may have put its own filter in the place of ours, when it was loaded or in its last call. Under Wine this
/// takes 10 ns.
pub(super) fn before_call() {
    if REPORTER.get().is_some() {
        set_filter();
    }
}

/// The library may have a C library of its own.
#[expect(unsafe_code, reason = "`signal` of each C library is a C function")]
pub(super) fn library_loaded(dependencies: &[Dependency]) {
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
    // SAFETY: the system passes a pointer to pointers that live as long as the filter runs.
    unsafe { die_of(pointers) }
}

/// Lets the reporter tell of an exception, and end the process.
///
/// # Safety
/// `pointers` must be what the system has handed to a handler or filter that is running.
#[expect(unsafe_code, reason = "the system hands a filter pointers")]
unsafe fn die_of(pointers: *const EXCEPTION_POINTERS) -> ! {
    match begin() {
        Turn::First => {
            // SAFETY: the caller's promise.
            let code = unsafe { code_of(pointers) }.cast_unsigned();
            if code & MADE_BY_A_PROGRAM != 0 {
                for (frame, address) in FRAMES.iter().zip(place::frames()) {
                    frame.store(address, Ordering::Relaxed);
                }
            }
            EXCEPTION.store(pointers.cast_mut(), Ordering::Relaxed);
            wake_reporter(code);
            std::thread::sleep(PATIENCE);
        }
        // What comes after the first line is what failed.
        Turn::Again => {}
        Turn::AnotherThread if is_reporter() => {}
        Turn::AnotherThread => wait_for_the_end(),
    }
    end_process(EXIT_CODE.load(Ordering::Acquire))
}

/// # Safety
/// As for [`die_of`].
#[expect(unsafe_code, reason = "the system hands a filter pointers")]
const unsafe fn code_of(pointers: *const EXCEPTION_POINTERS) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let record = unsafe { (*pointers).ExceptionRecord };
    // SAFETY: it points to the exception's record.
    unsafe { (*record).ExceptionCode }
}

/// Asks the filter that was there before ours.
#[expect(unsafe_code, reason = "a filter is a C function")]
fn inner_filter(pointers: *const EXCEPTION_POINTERS) -> i32 {
    let inner = INNER_FILTER.load(Ordering::Acquire);
    // SAFETY: null, or a filter that `SetUnhandledExceptionFilter` has returned: that of the C library in this program.
    let inner = unsafe { std::mem::transmute::<*mut c_void, LPTOP_LEVEL_EXCEPTION_FILTER>(inner) };
    // SAFETY: it gets what the system would have handed to it.
    inner.map_or(CONTINUE_SEARCH, |inner| unsafe { inner(pointers) })
}

/// `abort` was called: in the C libraries it raises no exception, but a signal of their own.
extern "C" fn on_abort(_: c_int) {
    match begin() {
        Turn::First => {
            wake_reporter(ABORTED);
            write_first_line(&Words::of(b"abort() was called"), None, None, thread_id());
            if let Some(place) = place::caller(&place::frames()) {
                write_second_line(&place);
            }
            // The agent's network thread sends what is finished.
            std::thread::sleep(LAST_ANSWERS);
        }
        Turn::Again => {}
        Turn::AnotherThread => wait_for_the_end(),
    }
    // The C library ends the process.
}

/// Another thread is writing the record; its end is the process's.
fn wait_for_the_end() -> ! {
    loop {
        std::thread::park();
    }
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
        // The agent's network thread sends what is finished.
        std::thread::sleep(LAST_ANSWERS);
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
    let place = if exception.code & MADE_BY_A_PROGRAM != 0 {
        place::caller(&FRAMES.each_ref().map(|frame| frame.load(Ordering::Relaxed)))
    } else if exception.is_jump_to_nowhere() {
        // SAFETY: as above.
        place::of(return_address(unsafe { &*context }))
    } else {
        place::of(exception.instruction)
    };
    if let Some(place) = place {
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
