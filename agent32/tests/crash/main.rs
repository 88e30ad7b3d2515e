//! What is recorded when a process dies. Each crash happens in a process of its own: this program, started again with the
//! kind of crash in its environment (`victim`). Runs wherever agents run: natively, as an i386 program, and under Wine.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a failing test says where it is")]

mod victim;

use std::fs;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use agent32::crash;
use bridge32_protocol::wire::CrashRecord;

use victim::{CALL, FILE, KIND};

struct Death {
    status: ExitStatus,
    lines: Vec<CrashRecord>,
    /// The lines in one.
    record: CrashRecord,
    /// From the last write into the record to the end.
    stayed: Duration,
}

impl Death {
    fn what(&self) -> &str {
        self.record.what.as_deref().unwrap_or_default()
    }

    fn access(&self) -> &str {
        self.record.access.as_deref().unwrap_or_default()
    }

    fn assert_names_the_call(&self) {
        assert_eq!(self.record.library.as_deref(), Some("calc"));
        assert_eq!(self.record.function.as_deref(), Some("Divide"));
        assert_eq!(self.record.call_id, Some(CALL.to_string()));
    }

    /// The place is within the program that crashed: its own file name.
    fn assert_happened_in_this_program(&self) {
        let program = std::env::current_exe().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(self.record.module, Some(program), "{:?}", self.record);
        assert!(self.record.offset.is_some_and(|offset| offset > 0 && offset < 1 << 30), "{:?}", self.record);
    }
}

fn address(address: usize) -> String {
    format!("0x{address:0width$x}", width = 2 * size_of::<usize>())
}

fn die(kind: &str) -> Death {
    let file = std::env::temp_dir().join(format!("bridge32-crash-{}-{kind}.jsonl", std::process::id()));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim::victim", "--nocapture", "--test-threads=1"])
        .env(KIND, kind)
        .env(FILE, &file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{kind}: the process does not end; so far it wrote {:?}", fs::read_to_string(&file));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    let stayed = SystemTime::now().duration_since(written).unwrap_or_default();
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let lines: Vec<CrashRecord> = text.lines().map(read).collect();
    let record = lines.iter().cloned().fold(CrashRecord::default(), |earlier, later| CrashRecord {
        what: earlier.what.or(later.what),
        code: earlier.code.or(later.code),
        access: earlier.access.or(later.access),
        module: earlier.module.or(later.module),
        offset: earlier.offset.or(later.offset),
        symbol: earlier.symbol.or(later.symbol),
        symbol_offset: earlier.symbol_offset.or(later.symbol_offset),
        library: earlier.library.or(later.library),
        function: earlier.function.or(later.function),
        call_id: earlier.call_id.or(later.call_id),
        trace_id: earlier.trace_id.or(later.trace_id),
    });
    println!("{kind}: {status}; {text}");
    Death { status, lines, record, stayed }
}

/// How the process must have ended.
#[track_caller]
fn assert_ended_by(death: &Death, signal: i32, exception: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        let _ = exception;
        assert_eq!(death.status.signal(), Some(signal), "{:?}", death.record);
        assert_eq!(death.record.code, u32::try_from(signal).ok());
    }
    #[cfg(windows)]
    {
        let _ = signal;
        assert_eq!(death.status.code().map(i32::cast_unsigned), Some(exception), "{:?}", death.record);
        assert_eq!(death.record.code, Some(exception));
    }
}

#[test]
fn a_write_to_a_bad_address_is_told() {
    let death = die("write");
    assert_ended_by(&death, 11, 0xC000_0005);
    let expected = if cfg!(unix) { "SIGSEGV (segmentation fault)" } else { "0xC0000005 (access violation)" };
    assert!(death.what().starts_with(expected), "{}", death.what());
    assert_eq!(death.access(), format!("write of {}", address(0x10)));
    death.assert_names_the_call();
    death.assert_happened_in_this_program();
    assert_eq!(death.lines.len(), 2);
    assert!(death.lines[0].module.is_none(), "the first line says what is known at once");
}

#[test]
fn a_read_of_a_bad_address_is_told() {
    let death = die("read");
    assert_ended_by(&death, 11, 0xC000_0005);
    assert_eq!(death.access(), format!("read of {}", address(0x10)));
    death.assert_names_the_call();
}

#[test]
fn a_crash_in_another_module_is_told_with_its_export() {
    let death = die("read_in_the_c_library");
    assert_ended_by(&death, 11, 0xC000_0005);
    let module = death.record.module.as_deref().unwrap().to_lowercase();
    let expected: &[&str] = if cfg!(unix) { &["libc.so"] } else { &["msvcrt.dll", "ucrtbase.dll", "ntdll.dll"] };
    assert!(expected.iter().any(|name| module.starts_with(name)), "{module}");
    assert!(death.record.offset.is_some());
    // On Linux this is the C library's own code for one kind of processor, which no symbol covers.
    assert!(death.record.symbol.is_some(), "{:?}", death.record);
    assert!(death.record.symbol_offset < death.record.offset, "{:?}", death.record);
}

#[test]
fn a_jump_to_null_is_told_by_its_caller() {
    let death = die("jump");
    assert_ended_by(&death, 11, 0xC000_0005);
    assert!(death.what().contains("a jump to where no code is"), "{}", death.what());
    assert_eq!(death.access(), format!("execution of {}", address(0)));
    death.assert_happened_in_this_program();
}

#[test]
fn a_division_by_zero_is_told() {
    let death = die("divide");
    assert_ended_by(&death, 8, 0xC000_0094);
    assert!(death.what().contains("integer division by zero"), "{}", death.what());
    death.assert_names_the_call();
    death.assert_happened_in_this_program();
}

#[test]
fn an_illegal_instruction_is_told() {
    let death = die("illegal");
    assert_ended_by(&death, 4, 0xC000_001D);
    assert!(death.what().contains("illegal instruction"), "{}", death.what());
    death.assert_happened_in_this_program();
}

#[test]
fn a_breakpoint_is_told() {
    let death = die("breakpoint");
    assert_ended_by(&death, 5, 0x8000_0003);
    assert!(death.what().contains("breakpoint"), "{}", death.what());
}

#[test]
fn a_stack_overflow_is_told_however_large_the_frames_are() {
    for kind in ["overflow", "overflow_by_small_steps", "overflow_by_large_steps"] {
        let death = die(kind);
        assert_ended_by(&death, 11, 0xC000_00FD);
        assert!(death.what().contains("stack overflow"), "{}", death.what());
        death.assert_names_the_call();
        death.assert_happened_in_this_program();
    }
}

#[test]
fn abort_is_told() {
    let death = die("abort");
    assert!(death.what().contains("abort"), "{}", death.what());
    death.assert_names_the_call();
    if cfg!(unix) {
        assert_ended_by(&death, 6, 0);
        death.assert_happened_in_this_program();
    } else {
        assert_eq!(death.status.code(), Some(3));
    }
    assert!(death.lines.iter().filter(|line| line.what.is_some()).count() == 1, "the end itself is not told again");
}

#[test]
fn exit_is_told() {
    let death = die("exit");
    assert_eq!(death.status.code(), Some(5));
    assert!(death.what().starts_with("exit("), "{}", death.what());
    if cfg!(unix) {
        assert_eq!(death.what(), "exit(5) was called");
        death.assert_happened_in_this_program();
    }
    death.assert_names_the_call();
}

#[test]
fn the_answers_of_finished_calls_have_time_to_leave() {
    // Windows ends all other threads before it tells of `exit`.
    let kinds: &[&str] = if cfg!(unix) { &["write", "divide", "abort", "exit"] } else { &["write", "divide", "abort"] };
    for kind in kinds {
        let stayed = die(kind).stayed;
        assert!(stayed >= Duration::from_millis(20), "{kind}: {stayed:?}");
    }
}

#[test]
fn a_crash_between_calls_names_the_library_alone() {
    let death = die("between_calls");
    assert_ended_by(&death, 11, 0xC000_0005);
    assert_eq!(death.record.library.as_deref(), Some("calc"));
    assert_eq!(death.record.function, None);
    assert_eq!(death.record.call_id, None);
}

#[test]
fn a_crash_on_a_librarys_own_thread_names_the_call_that_ran_elsewhere() {
    let death = die("own_thread");
    assert_ended_by(&death, 11, 0xC000_0005);
    assert_eq!(death.record.library, None);
    assert_eq!(death.record.function, None);
    assert!(death.what().contains("on a thread that is no apartment's"), "{}", death.what());
    assert!(death.what().contains(&format!("while `Divide` of `calc` ran (call {CALL})")), "{}", death.what());
    death.assert_happened_in_this_program();
}

#[test]
fn of_threads_that_crash_together_one_is_recorded() {
    let death = die("two_threads");
    assert_ended_by(&death, 11, 0xC000_0005);
    assert_eq!(death.lines.iter().filter(|line| line.what.is_some()).count(), 1, "{:?}", death.lines);
    assert!(death.lines.len() <= 2);
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    let nowhere = std::env::temp_dir().join("bridge32-no-such-folder").join("crash.jsonl");
    assert!(crash::install(nowhere.to_str()).is_err());
    assert!(crash::install(None).is_ok());
}

#[cfg(unix)]
mod linux {
    use super::*;

    #[test]
    fn a_forked_child_leaves_no_record() {
        let death = die("forked_child");
        assert_eq!(death.status.code(), Some(7));
        assert!(death.lines.is_empty(), "{:?}", death.lines);
    }

    #[test]
    fn a_loader_that_does_not_answer_costs_the_second_line_only() {
        let death = die("loader_is_busy");
        assert_ended_by(&death, 11, 0);
        death.assert_names_the_call();
        assert_eq!(death.lines.len(), 1, "{:?}", death.lines);
    }

    #[test]
    fn a_signal_that_was_sent_is_told_as_such() {
        let death = die("sent");
        assert_ended_by(&death, 11, 0);
        assert!(death.what().contains("sent by a process"), "{}", death.what());
    }

    #[test]
    fn a_librarys_own_handler_comes_first() {
        let death = die("own_handler");
        assert_eq!(death.status.code(), Some(9));
        assert!(death.lines.is_empty(), "{:?}", death.lines);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn an_address_that_cannot_exist_is_told() {
        let death = die("impossible_address");
        assert_ended_by(&death, 11, 0);
        assert!(death.what().contains("an impossible address"), "{}", death.what());
        assert_eq!(death.record.access, None, "the processor does not tell it");
    }
}

#[cfg(windows)]
mod windows {
    use super::*;

    #[test]
    fn an_unhandled_cpp_exception_is_told() {
        let death = die("cpp_exception");
        assert_ended_by(&death, 0, 0xE06D_7363);
        assert!(death.what().contains("C++ exception"), "{}", death.what());
    }

    #[test]
    fn a_handled_exception_is_none() {
        let death = die("handled");
        assert_eq!(death.status.code(), Some(9));
        assert!(death.lines.is_empty(), "{:?}", death.lines);
    }

    #[test]
    fn the_end_by_the_system_is_told() {
        let death = die("exit_process");
        assert_eq!(death.status.code(), Some(6));
        assert!(death.what().contains("ExitProcess"), "{}", death.what());
        death.assert_names_the_call();
    }

    #[test]
    fn a_library_that_takes_the_filter_loses_it_again() {
        let death = die("filter_taken");
        assert_ended_by(&death, 0, 0xC000_0005);
        death.assert_names_the_call();
    }
}
