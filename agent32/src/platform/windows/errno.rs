//! The error numbers of this thread: Windows' own, and those of the C libraries.

use std::ffi::{c_int, c_void};

use bridge32_image::Dependency;
use windows_sys::Win32::Foundation::{GetLastError, SetLastError};
use windows_sys::Win32::System::Diagnostics::Debug::{
    FORMAT_MESSAGE_FROM_SYSTEM, FORMAT_MESSAGE_IGNORE_INSERTS, FormatMessageW,
};

use super::runtimes::Runtime;

/// `_errno` of a C library: where this thread's error number is.
type Location = extern "C" fn() -> *mut c_int;

/// Where the C libraries have their error numbers.
#[derive(Clone, Debug, Default)]
pub struct Errno(Vec<Location>);

impl Errno {
    /// Those that a library with these dependencies sets. It must be loaded. A C library that is built into it is out
    /// of reach.
    #[expect(unsafe_code, reason = "the loader's addresses become functions")]
    pub fn of(dependencies: &[Dependency]) -> Self {
        let addresses = Runtime::imported(dependencies).filter_map(|runtime| runtime.symbol(c"_errno"));
        // SAFETY: every C library declares it `int *_errno(void)` (Microsoft, "errno, _doserrno, _sys_errlist").
        let location = |address| unsafe { std::mem::transmute::<*const c_void, Location>(address) };
        Self(addresses.map(location).collect())
    }

    /// Sets them to 0.
    #[expect(unsafe_code, reason = "errno is a C variable")]
    pub fn clear(&self) {
        for location in &self.0 {
            // SAFETY: the function returns this thread's variable, which lives as long as the thread.
            unsafe { *location() = 0 };
        }
    }

    /// The first that is set; 0 if none is.
    #[expect(unsafe_code, reason = "errno is a C variable")]
    pub fn get(&self) -> i32 {
        // SAFETY: the function returns this thread's variable, which lives as long as the thread.
        self.0.iter().map(|location| unsafe { *location() }).find(|number| *number != 0).unwrap_or(0)
    }
}

/// Sets what `GetLastError` returns to 0.
#[expect(unsafe_code, reason = "SetLastError is a C function")]
pub fn clear_last_error() {
    // SAFETY: sets this thread's number.
    unsafe { SetLastError(0) };
}

/// `GetLastError`.
#[expect(unsafe_code, reason = "GetLastError is a C function")]
pub fn last_error() -> u32 {
    // SAFETY: reads this thread's number.
    unsafe { GetLastError() }
}

/// `errno.h` of the C libraries of Windows (Microsoft, "errno constants"), with what it says of each. From 100 on only
/// the newer ones use them.
const NAMES: &[(i32, &str, &str)] = &[
    (1, "EPERM", "Operation not permitted"),
    (2, "ENOENT", "No such file or directory"),
    (3, "ESRCH", "No such process"),
    (4, "EINTR", "Interrupted function"),
    (5, "EIO", "I/O error"),
    (6, "ENXIO", "No such device or address"),
    (7, "E2BIG", "Argument list too long"),
    (8, "ENOEXEC", "Exec format error"),
    (9, "EBADF", "Bad file number"),
    (10, "ECHILD", "No spawned processes"),
    (11, "EAGAIN", "No more processes, not enough memory, or maximum nesting level reached"),
    (12, "ENOMEM", "Not enough memory"),
    (13, "EACCES", "Permission denied"),
    (14, "EFAULT", "Bad address"),
    (16, "EBUSY", "Device or resource busy"),
    (17, "EEXIST", "File exists"),
    (18, "EXDEV", "Cross-device link"),
    (19, "ENODEV", "No such device"),
    (20, "ENOTDIR", "Not a directory"),
    (21, "EISDIR", "Is a directory"),
    (22, "EINVAL", "Invalid argument"),
    (23, "ENFILE", "Too many files open in system"),
    (24, "EMFILE", "Too many open files"),
    (25, "ENOTTY", "Inappropriate I/O control operation"),
    (27, "EFBIG", "File too large"),
    (28, "ENOSPC", "No space left on device"),
    (29, "ESPIPE", "Invalid seek"),
    (30, "EROFS", "Read-only file system"),
    (31, "EMLINK", "Too many links"),
    (32, "EPIPE", "Broken pipe"),
    (33, "EDOM", "Math argument"),
    (34, "ERANGE", "Result too large"),
    (36, "EDEADLK", "Resource deadlock would occur"),
    (38, "ENAMETOOLONG", "Filename too long"),
    (39, "ENOLCK", "No locks available"),
    (40, "ENOSYS", "Function not supported"),
    (41, "ENOTEMPTY", "Directory not empty"),
    (42, "EILSEQ", "Illegal byte sequence"),
    (80, "STRUNCATE", "String was truncated"),
    (100, "EADDRINUSE", "Address in use"),
    (101, "EADDRNOTAVAIL", "Address not available"),
    (106, "ECONNABORTED", "Connection aborted"),
    (107, "ECONNREFUSED", "Connection refused"),
    (108, "ECONNRESET", "Connection reset"),
    (112, "EINPROGRESS", "Operation in progress"),
    (126, "ENOTCONN", "Not connected"),
    (129, "ENOTSUP", "Not supported"),
    (132, "EOVERFLOW", "Value too large"),
    (138, "ETIMEDOUT", "Timed out"),
    (140, "EWOULDBLOCK", "Operation would block"),
];

/// The name of an `errno` in the C libraries' headers.
pub fn name(number: i32) -> Option<String> {
    NAMES.iter().find(|(known, ..)| *known == number).map(|(_, name, _)| (*name).to_owned())
}

/// What the C libraries' documentation says of an `errno`.
pub fn message(number: i32) -> String {
    let known = NAMES.iter().find(|(known, ..)| *known == number);
    known.map_or_else(|| format!("Unknown error {number}"), |(.., message)| (*message).to_owned())
}

/// Units that a text of the system may have.
const MESSAGE_UNITS: u32 = 2048;

/// The system's text for a number of `GetLastError` or an `HRESULT`, on one line; `None` if it has none.
#[expect(unsafe_code, reason = "FormatMessage is a C function")]
pub fn system_message(number: u32) -> Option<String> {
    let mut text = [0; MESSAGE_UNITS as usize];
    let flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
    // SAFETY: the buffer's length is passed with it, and inserts, which would need arguments, are ignored.
    let length = unsafe {
        FormatMessageW(flags, std::ptr::null(), number, 0, text.as_mut_ptr(), MESSAGE_UNITS, std::ptr::null())
    };
    let text = String::from_utf16_lossy(text.get(..usize::try_from(length).ok()?)?);
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}
