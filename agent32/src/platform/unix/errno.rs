//! The error number of C on this thread.

use bridge32_image::Dependency;

/// Where the error number is. On this system all libraries share one C library.
#[derive(Clone, Copy, Debug)]
pub struct Errno;

impl Errno {
    /// The one that a library with these dependencies sets.
    pub const fn of(_dependencies: &[Dependency]) -> Self {
        Self
    }

    /// Sets it to 0. `last_error` is Windows' own.
    #[expect(unsafe_code, reason = "errno is a C variable")]
    pub fn clear(&self) {
        // SAFETY: always this thread's variable.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: as above.
        unsafe { *errno = 0 };
    }

    /// What it is now; 0 if nobody has set it.
    #[expect(unsafe_code, reason = "errno is a C variable")]
    pub fn get(&self) -> i32 {
        // SAFETY: always this thread's variable.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: as above.
        unsafe { *errno }
    }
}

/// There is no such number here.
pub const fn clear_last_error() {}

/// There is no such number here: 0.
pub const fn last_error() -> u32 {
    0
}

/// The name of an `errno` in the system's headers.
pub fn name(number: i32) -> Option<String> {
    match nix::errno::Errno::from_raw(number) {
        nix::errno::Errno::UnknownErrno => None,
        known => Some(format!("{known:?}")),
    }
}

/// The system's text for an `errno`.
pub fn message(number: i32) -> String {
    let text = std::io::Error::from_raw_os_error(number).to_string();
    // Rust appends the number.
    text.trim_end_matches(&format!(" (os error {number})")).to_owned()
}

/// The system's text for one of Windows' own numbers: this one has none.
pub const fn system_message(_number: u32) -> Option<String> {
    None
}
