//! Memory that is a file's, for whoever reads the file later.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::ptr::{NonNull, null_mut};

/// Maps the first `bytes` of a file, which must have them, for reading and writing, and for good: what is stored there is in
/// the file's pages at once.
///
/// # Errors
/// The system refuses it.
#[expect(unsafe_code, reason = "mmap is a C function")]
pub fn map_shared(file: &File, bytes: usize) -> io::Result<NonNull<u8>> {
    let (access, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: a new mapping, wherever the system has room; nothing that exists is touched.
    let start = unsafe { libc::mmap(null_mut(), bytes, access, shared, file.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
