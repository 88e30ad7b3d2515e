//! What differs between the systems that an agent runs on: loading a library, the standard streams, error numbers, the
//! strings of COM, and the end of the process. Each system's file has the same items.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

#[cfg(windows)]
pub(crate) use system::runtimes;
pub use system::{
    Module, ansi_code_page, bstr, end_process, errno, find_symbol, keep_from_children, keep_streams_from_the_library,
    let_crashes_end_the_process, library_folders, map_shared, resident_bytes,
};

/// Why the system's loader refused a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The system's error number, where it has one (Windows).
    pub number: Option<i32>,
    /// The system's words.
    pub message: String,
}
