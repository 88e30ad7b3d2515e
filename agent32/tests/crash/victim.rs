//! The processes that crash. Nothing in here is sound, and that is its purpose: each function is what faulty code in a
//! library does.
#![expect(unsafe_code, clippy::undocumented_unsafe_blocks, reason = "crashes are what this is about")]

use std::arch::asm;
#[cfg(unix)]
use std::ffi::c_void;
use std::ffi::{c_char, c_int};
use std::time::Duration;

use agent32::crash::{self, Running};
use uuid::Uuid;

/// Names the kind of crash, in the environment of a child.
pub(crate) const KIND: &str = "BRIDGE32_TEST_CRASH";
/// Names the file for the record.
pub(crate) const FILE: &str = "BRIDGE32_TEST_CRASH_FILE";
/// The id of the call that runs.
pub(crate) const CALL: Uuid = Uuid::from_u128(0x0190_a1b2_c3d4_7e5f_8091_a2b3_c4d5_e6f7);

unsafe extern "C" {
    fn abort() -> !;
    fn exit(code: c_int) -> !;
    fn strlen(text: *const c_char) -> usize;
}

/// Not a test of its own: what the other tests start again.
#[test]
fn victim() {
    let (Ok(kind), Ok(file)) = (std::env::var(KIND), std::env::var(FILE)) else { return };
    agent32::platform::let_crashes_end_the_process();
    crash::install(Some(&file)).unwrap();
    let apartment = std::thread::spawn(move || {
        crash::prepare_thread("calc");
        crash::library_loaded(&[]);
        {
            let _ended = Running::enter("Earlier", &Uuid::nil(), None);
        }
        let _running = (kind != "between_calls").then(|| Running::enter("Divide", &CALL, None));
        match kind.as_str() {
            "own_thread" => {
                start_thread();
                std::thread::sleep(Duration::from_mins(1));
            }
            "two_threads" => {
                for _ in 0..8 {
                    start_thread();
                }
                crash_by("write");
            }
            "between_calls" => crash_by("write"),
            kind => crash_by(kind),
        }
    });
    let _ = apartment.join();
}

#[expect(unconditional_recursion, reason = "it does not end")]
#[expect(clippy::cast_possible_truncation, reason = "any element will do")]
fn recurse<const ELEMENTS: usize>(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; ELEMENTS]);
    recurse::<ELEMENTS>(depth + 1) + room[depth as usize % ELEMENTS]
}

fn crash_by(kind: &str) {
    let low = std::hint::black_box(0x10_usize);
    match kind {
        "write" => unsafe { std::ptr::with_exposed_provenance_mut::<u32>(low).write_volatile(1) },
        "read" => drop(unsafe { std::ptr::with_exposed_provenance::<u32>(low).read_volatile() }),
        "read_in_the_c_library" => {
            std::hint::black_box(unsafe { strlen(std::ptr::with_exposed_provenance(low)) });
        }
        "jump" => unsafe { asm!("call {}", in(reg) 0_usize, clobber_abi("C")) },
        "divide" => unsafe { asm!("div {0:e}", in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _) },
        "illegal" => unsafe { asm!("ud2") },
        "breakpoint" => unsafe { asm!("int3") },
        "overflow" => drop(std::hint::black_box(recurse::<64>(0))),
        "overflow_by_small_steps" => drop(std::hint::black_box(recurse::<2>(0))),
        "overflow_by_large_steps" => drop(std::hint::black_box(recurse::<6000>(0))),
        "abort" => unsafe { abort() },
        "exit" => unsafe { exit(5) },
        other => crash_by_the_system(other),
    }
}

/// Starts a thread that crashes, as a library's C code would.
#[cfg(unix)]
fn start_thread() {
    extern "C" fn body(_: *mut c_void) -> *mut c_void {
        crash_by("write");
        std::ptr::null_mut()
    }
    let mut thread = 0;
    let failed = unsafe { libc::pthread_create(&raw mut thread, std::ptr::null(), body, std::ptr::null_mut()) };
    assert_eq!(failed, 0);
}

/// Starts a thread that crashes, as a library's C code would.
#[cfg(windows)]
fn start_thread() {
    std::thread::spawn(|| crash_by("write"));
}

#[cfg(unix)]
fn crash_by_the_system(kind: &str) {
    match kind {
        "impossible_address" => {
            let address = std::ptr::with_exposed_provenance_mut::<u32>((usize::MAX / 3) & !3);
            unsafe { address.write_volatile(1) };
        }
        "forked_child" => {
            let child = unsafe { libc::fork() };
            if child == 0 {
                crash_by("write");
            }
            let mut status = 0;
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            assert_eq!(libc::WTERMSIG(status), libc::SIGSEGV);
            // Leaves without `exit`, as the agent does.
            agent32::platform::end_process(7);
        }
        "loader_is_busy" => {
            let pipe = std::env::temp_dir().join(format!("bridge32-pipe-{}", std::process::id()));
            let name = std::ffi::CString::new(pipe.to_str().unwrap_or_default()).unwrap_or_default();
            assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
            // Waits for a writer, with the loader's lock in its hands.
            std::thread::spawn(move || unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) }.addr());
            std::thread::sleep(Duration::from_millis(200));
            drop(std::fs::remove_file(pipe));
            crash_by("write");
        }
        "sent" => drop(unsafe { libc::raise(libc::SIGSEGV) }),
        "own_handler" => {
            extern "C" fn handler(_: c_int) {
                agent32::platform::end_process(9);
            }
            unsafe { libc::signal(libc::SIGSEGV, handler as *const () as usize) };
            crash_by("write");
        }
        other => panic!("{other} is no kind of crash"),
    }
}

#[cfg(windows)]
fn crash_by_the_system(kind: &str) {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn RaiseException(code: u32, flags: u32, count: u32, arguments: *const usize);
        fn IsBadReadPtr(address: *const u8, size: usize) -> c_int;
        fn ExitProcess(code: u32) -> !;
        fn SetUnhandledExceptionFilter(filter: *const u8) -> *const u8;
    }
    match kind {
        "cpp_exception" => unsafe { RaiseException(0xE06D_7363, 1, 0, std::ptr::null()) },
        "handled" => {
            let bad = unsafe { IsBadReadPtr(std::ptr::with_exposed_provenance(0x10), 4) };
            assert_ne!(bad, 0);
            agent32::platform::end_process(9);
        }
        "exit_process" => unsafe { ExitProcess(6) },
        "filter_taken" => {
            unsafe { SetUnhandledExceptionFilter(std::ptr::null()) };
            let _running = Running::enter("Divide", &CALL, None);
            crash_by("write");
        }
        other => panic!("{other} is no kind of crash"),
    }
}
