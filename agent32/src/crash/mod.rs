//! What is recorded when a library takes the process down: a [`CrashRecord`](bridge32_protocol::wire::CrashRecord), one
//! JSON object a line, written while the process is dying.
//!
//! Nothing here allocates or takes a lock once something has gone wrong: the heap may be destroyed, and the thread that
//! holds a lock may be the very one that has just died. The first line says what is known at once. Whatever needs the
//! system's loader (which module, which export) comes in a second line, and a watchdog ends the process if that hangs.
//! In the end the process dies as it would have died without us: the exit status is the gateway's first evidence.
//!
//! | file | job |
//! | --- | --- |
//! | `running` | which function runs on which thread |
//! | `line`, `words` | JSON and text in buffers of fixed size |
//! | `unix` | signals, `exit` |
//! | `windows` | unhandled exceptions, `abort`, the end of the process |

mod line;
mod running;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
mod words;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bridge32_image::Dependency;

use line::Line;
pub use running::{Running, TraceId};
use words::Words;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

/// Where the record goes.
static FILE: OnceLock<File> = OnceLock::new();

/// The system's number of the thread that writes the record; 0 while all is well.
static DYING: AtomicU32 = AtomicU32::new(0);

/// How long finding out the details may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the process stays when the record is written. A call that has just returned may still have its outcome with
/// the agent's network thread: this is its time to send what is finished, or the client of that call would be told that
/// its answer is lost. Only who was told [`Turn::First`] waits, so it is waited once.
const LAST_ANSWERS: Duration = Duration::from_millis(20);

/// Opens the file for the record (an earlier one is overwritten), and from now on notices crashes. Without a file they
/// end the process as ever.
///
/// # Errors
/// When the file cannot be opened; then nothing is installed.
pub fn install(file: Option<&str>) -> std::io::Result<()> {
    let Some(path) = file else { return Ok(()) };
    if FILE.set(File::create(path)?).is_ok() {
        system::install();
    }
    Ok(())
}

/// Makes the calling thread known as the apartment of `library`, and gives it what a stack overflow needs to be
/// noticed. Once per apartment, before the library is loaded.
pub fn prepare_thread(library: &str) {
    running::claim(library);
    system::prepare_thread();
}

/// To be called on the apartment's thread when its library is loaded: watches `abort` of the C libraries that it uses (on
/// Windows, where there are many).
#[cfg_attr(unix, expect(unused_variables, reason = "a Linux process has one C library"))]
pub fn library_loaded(dependencies: &[Dependency]) {
    #[cfg(windows)]
    if FILE.get().is_some() {
        system::library_loaded(dependencies);
    }
}

/// Whose turn it is to write.
enum Turn {
    /// This thread's.
    First,
    /// This thread crashed again, while it was writing.
    Again,
    /// Another thread is writing, and will end the process.
    AnotherThread,
}

/// Asks to write the record. At most one thread of the process is ever told [`Turn::First`].
fn begin() -> Turn {
    let own = system::thread_id();
    match DYING.compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Turn::First,
        Err(writer) if writer == own => Turn::Again,
        Err(_) => Turn::AnotherThread,
    }
}

/// Writes what is known at once of the thread that has crashed.
fn write_first_line(what: &Words, code: Option<u32>, access: Option<&Words>, thread: u32) {
    let own = running::of_thread(thread);
    let mut line = Line::new();
    let mut what = *what;
    if own.is_none() {
        add_other_threads(&mut what);
    }
    line.text("what", what.bytes());
    if let Some(code) = code {
        line.number("code", code.into());
    }
    if let Some(access) = access {
        line.text("access", access.bytes());
    }
    if let Some(slot) = own {
        line.text("library", slot.library().bytes());
        if let Some((function, call, trace)) = slot.call() {
            line.text("function", function.bytes());
            let mut id = uuid::Uuid::encode_buffer();
            line.text("call_id", call.hyphenated().encode_lower(&mut id).as_bytes());
            if let Some(trace) = trace {
                line.text("trace_id", trace.simple().encode_lower(&mut id).as_bytes());
            }
        }
    }
    write(line);
}

/// The thread is no apartment's: what ran at that time elsewhere is the best that can be said.
fn add_other_threads(what: &mut Words) {
    // `Words` cuts off instead of failing.
    let _ = write!(what, ", on a thread that is no apartment's");
    for (slot, (function, call, _)) in running::slots().filter_map(|slot| Some((slot, slot.call()?))).take(3) {
        let (function, library) = (function, slot.library());
        let _ = write!(what, ", while `{function}` of `{library}` ran (call {call})");
    }
}

/// Where the code was.
struct Place {
    /// The module's file name.
    module: Words,
    /// Bytes from its beginning.
    offset: u64,
    /// The nearest export, and the bytes from there.
    symbol: Option<(Words, u64)>,
}

/// Writes what had to be found out.
fn write_second_line(place: &Place) {
    let mut line = Line::new();
    line.text("module", file_name(place.module.bytes()));
    line.number("offset", place.offset);
    if let Some((symbol, offset)) = &place.symbol {
        line.text("symbol", symbol.bytes());
        line.number("symbol_offset", *offset);
    }
    write(line);
}

/// What follows the last `/` or `\`.
fn file_name(path: &[u8]) -> &[u8] {
    let is_separator = |byte: &u8| *byte == b'/' || (cfg!(windows) && *byte == b'\\');
    path.rsplit(is_separator).next().unwrap_or(path)
}

fn write(mut line: Line) {
    if let Some(mut file) = FILE.get() {
        // `File` has no buffer: this is one system call. If it fails there is nobody left to tell.
        let _ = file.write_all(line.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_told_without_its_folder() {
        assert_eq!(file_name(b"/usr/lib/libz.so.1"), b"libz.so.1");
        assert_eq!(file_name(b"libz.so.1"), b"libz.so.1");
        assert_eq!(file_name(b""), b"");
    }
}
