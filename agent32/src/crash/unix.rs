//! Linux: the signals by which a crash ends a process, and `exit`.
//!
//! A library may install handlers of its own: then those are asked, as without us. What a handler of ours may do is
//! limited to what POSIX calls async-signal-safe (signal-safety(7)), until the first line is written; after that, `alarm`
//! ends what hangs.

mod describe;
mod exports;
mod place;
mod stack;

use std::ffi::{c_int, c_long, c_void};
use std::fmt::Write as _;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, Ordering};

use super::words::Words;
use super::{LAST_ANSWERS, PATIENCE, Turn, begin, write_first_line, write_second_line};

pub(super) use stack::prepare_thread;

/// The signals that a crash raises.
const SIGNALS: [c_int; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT, libc::SIGSYS, libc::SIGTRAP];

/// This process: a child that a library forked inherits our handlers, but its death is not ours.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// The signal that this process is dying of.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

#[expect(unsafe_code, reason = "the declaration of a C function")]
unsafe extern "C" {
    /// Like `atexit`, with the exit code (`on_exit(3)`; a function of glibc).
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

/// The kernel's number of this thread: in a handler nothing else is safe to ask for.
#[expect(unsafe_code, reason = "gettid is a system call")]
pub(super) fn thread_id() -> u32 {
    // SAFETY: takes nothing, touches nothing, cannot fail.
    let id = unsafe { libc::syscall(libc::SYS_gettid) };
    // Thread numbers are positive and below 2^22 (proc(5), pid_max).
    u32::try_from(id).unwrap_or(u32::MAX)
}

/// From here on crashes and `exit` are noticed. The calling thread, the agent's main one, is prepared for them.
#[expect(unsafe_code, reason = "handlers are C functions")]
pub(super) fn install() {
    PROCESS.store(process_id(), Ordering::Relaxed);
    place::warm_up();
    // Rust gives its threads an alternate stack that is hardly larger than what the kernel itself puts onto it.
    prepare_thread();
    for signal in SIGNALS {
        set_handler(signal, on_crash);
    }
    // SAFETY: the function stays where it is, and its argument is not used.
    unsafe { on_exit(exit_was_called, null_mut()) };
}

/// Nothing is to be done before a call: a handler that the library has set is its own decision.
pub(super) const fn before_call() {}

/// Sets a handler that runs on the alternate stack, where there is one, with all crash signals blocked: a crash within
/// the handler ends the process at once.
#[expect(unsafe_code, reason = "sigaction is a C function")]
fn set_handler(signal: c_int, handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)) {
    // SAFETY: a structure of integers and a null pointer; all are set below or may be 0.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    for blocked in SIGNALS {
        // SAFETY: a set that is all zeros is an empty one in glibc, and `blocked` is a signal.
        unsafe { libc::sigaddset(&raw mut action.sa_mask, blocked) };
    }
    // SAFETY: `action` is complete, and the handler has the signature that SA_SIGINFO asks for.
    unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
}

/// The handler of a crash.
#[expect(unsafe_code, reason = "the kernel hands a handler pointers")]
extern "C" fn on_crash(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    if process_id() == PROCESS.load(Ordering::Relaxed) {
        match begin() {
            Turn::First => {
                SIGNAL.store(signal, Ordering::Relaxed);
                // SAFETY: with SA_SIGINFO the kernel passes a `siginfo_t` that lives as long as the handler.
                let info = unsafe { &*info };
                // SAFETY: and a `ucontext_t`.
                let context = unsafe { &*context.cast::<libc::ucontext_t>() };
                record(signal, info, context);
                let_answers_leave();
            }
            Turn::Again => {}
            Turn::AnotherThread => wait_for_the_end(),
        }
    }
    die_of(signal);
}

fn record(signal: c_int, info: &libc::siginfo_t, context: &libc::ucontext_t) {
    let fault = describe::Fault::of(signal, info, context);
    write_first_line(&fault.what(), u32::try_from(signal).ok(), fault.access().as_ref(), thread_id());
    end_what_hangs();
    let place = if fault.was_raised() {
        place::caller_of_the_c_library()
    } else if fault.is_jump_to_nowhere() {
        place::of(fault.return_address())
    } else {
        place::of(fault.instruction)
    };
    if let Some(place) = place {
        write_second_line(&place);
    }
}

/// The C library ends the process, because somebody called `exit` or returned from `main`. The agent itself does neither:
/// it ends through [`end_process`](crate::platform::end_process).
extern "C" fn exit_was_called(code: c_int, _: *mut c_void) {
    if process_id() != PROCESS.load(Ordering::Relaxed) {
        return;
    }
    match begin() {
        Turn::First => {}
        // Whoever writes does not call `exit`.
        Turn::Again => return,
        Turn::AnotherThread => wait_for_the_end(),
    }
    let mut what = Words::new();
    // `Words` cuts off instead of failing.
    let _ = write!(what, "exit({code}) was called");
    write_first_line(&what, None, None, thread_id());
    if let Some(place) = place::caller_of_the_c_library() {
        write_second_line(&place);
    }
    let_answers_leave();
}

/// Waits for [`LAST_ANSWERS`], or until a signal comes. The signal that the process dies of is blocked so long, and
/// `SIGALRM` raises the same one.
#[expect(unsafe_code, reason = "poll is a system call")]
fn let_answers_leave() {
    let milliseconds = c_long::try_from(LAST_ANSWERS.as_millis()).unwrap_or(0);
    // SAFETY: waits for no file at all. The C library's own functions for waiting are where `pthread_cancel` ends a thread,
    // and the process would live on without it; the system call is not.
    unsafe { libc::syscall(libc::SYS_poll, null_mut::<libc::pollfd>(), 0 as c_long, milliseconds) };
}

/// Lets `SIGALRM` end the process if the rest takes too long: the loader's lock may be held by a thread that waits for
/// the one that has crashed.
#[expect(unsafe_code, reason = "alarm is a C function")]
fn end_what_hangs() {
    set_handler(libc::SIGALRM, on_alarm);
    unblock(libc::SIGALRM);
    let seconds = u32::try_from(PATIENCE.as_secs()).unwrap_or(u32::MAX);
    // SAFETY: sets this process's timer.
    unsafe { libc::alarm(seconds) };
}

/// Whichever thread it runs on ends the process by the signal that it was dying of anyway.
extern "C" fn on_alarm(_: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {
    let signal = SIGNAL.load(Ordering::Relaxed);
    die_of(signal);
    unblock(signal);
}

/// Restores the signal's default action, and raises it: it takes effect when the handler returns and the signal is no
/// longer blocked.
#[expect(unsafe_code, reason = "signal and raise are C functions")]
fn die_of(signal: c_int) {
    // SAFETY: restores the default action; no handler of ours is involved any more.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: sends this thread a signal.
    unsafe { libc::raise(signal) };
}

#[expect(unsafe_code, reason = "signal sets are C's")]
fn unblock(signal: c_int) {
    // SAFETY: a structure of integers.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a set that is all zeros is an empty one in glibc.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: changes this thread's mask by a set that lives here.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, null_mut()) };
}

/// Another thread is writing the record; its end is the process's.
#[expect(unsafe_code, reason = "pause is a C function")]
fn wait_for_the_end() -> ! {
    loop {
        // SAFETY: waits for a signal.
        unsafe { libc::pause() };
    }
}

#[expect(unsafe_code, reason = "getpid is a C function")]
fn process_id() -> c_int {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::getpid() }
}
