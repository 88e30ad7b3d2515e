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
    Module, ansi_code_page, bstr, end_process, errno, figures, find_symbol, flush_output, keep_from_children,
    keep_streams_from_the_library, let_crashes_end_the_process, library_folders, map_shared, observe, own_outputs,
    prepare_observation, resident_bytes,
};

/// What the system tells of this process; `None` is what it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of the address space that are taken, in a 32-bit process.
    pub address_space_bytes: Option<u64>,
    /// The largest block of it that is free.
    pub largest_free_bytes: Option<u64>,
    /// Open file descriptors or handles.
    pub handles: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// GDI objects.
    pub gdi_objects: Option<u64>,
    /// USER objects.
    pub user_objects: Option<u64>,
}

/// Why the system's loader refused a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The system's error number, where it has one (Windows).
    pub number: Option<i32>,
    /// The system's words.
    pub message: String,
}
