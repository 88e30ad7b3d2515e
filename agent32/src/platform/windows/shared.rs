//! Memory that is a file's, for whoever reads the file later.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr::{NonNull, null};

use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MapViewOfFile, PAGE_READWRITE,
};

/// Maps the first `bytes` of a file, which must have them, for reading and writing, and for good: what is stored there is in
/// the file's pages at once. (Wine maps the file itself, so that programs of the host see the same pages.)
///
/// # Errors
/// The system refuses it.
#[expect(unsafe_code, reason = "mappings are made by C functions")]
pub fn map_shared(file: &File, bytes: usize) -> io::Result<NonNull<u8>> {
    let size = u32::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the file is open; without a name and with the default security nothing else is read.
    let mapping = unsafe { CreateFileMappingW(file.as_raw_handle(), null(), PAGE_READWRITE, 0, size, null()) };
    if mapping.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was made just now, and nobody else has it. A view keeps what it needs when it is closed.
    let _mapping = unsafe { OwnedHandle::from_raw_handle(mapping) };
    // SAFETY: a new view, wherever the system has room; it is never unmapped.
    let view = unsafe { MapViewOfFile(mapping, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, bytes) };
    NonNull::new(view.Value.cast()).ok_or_else(io::Error::last_os_error)
}
