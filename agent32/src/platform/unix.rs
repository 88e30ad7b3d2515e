//! Linux: `dlopen`, file descriptors 0 to 2, `/proc`.

pub mod bstr;
pub mod errno;
mod figures;
mod observation;
mod shared;

pub use figures::figures;
pub use observation::{observe, prepare_observation};
pub use shared::map_shared;

use std::ffi::{CStr, CString, c_void};
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use bridge32_image::Dependency;
use tokio::net::TcpStream;

use super::LoadError;

/// A library mapped into this process; unmapped when dropped.
#[derive(Debug)]
pub struct Module(std::ptr::NonNull<c_void>);

// SAFETY: the handle is a number for the loader, whose functions may be called from any thread (dlsym(3), dlclose(3)).
#[expect(unsafe_code, reason = "lanes share their library")]
unsafe impl Send for Module {}

// SAFETY: as above; `dlsym` changes nothing that another thread could see half done.
#[expect(unsafe_code, reason = "lanes share their library")]
unsafe impl Sync for Module {}

impl Module {
    /// Maps the file and its dependencies, and runs their constructors.
    ///
    /// # Errors
    /// What `dlerror` says.
    #[expect(unsafe_code, reason = "dlopen runs the library's constructors")]
    pub fn load(file: &str) -> Result<Self, LoadError> {
        let path = CString::new(file)
            .map_err(|_| LoadError { number: None, message: "the path has a NUL character".into() })?;
        // SAFETY: `path` is a C string. The library's constructors may do anything: this process exists to bear that.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        std::ptr::NonNull::new(handle).map(Self).ok_or_else(last_error)
    }

    /// The address of an exported function.
    #[expect(unsafe_code, reason = "dlsym is a C function")]
    pub fn symbol(&self, name: &CStr) -> Option<*const c_void> {
        // SAFETY: the handle came from dlopen and is closed only by `drop`; `name` is a C string.
        let address = unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr()) };
        (!address.is_null()).then_some(address.cast_const())
    }

    /// ELF files number no exports.
    pub const fn ordinal(&self, _ordinal: u16) -> Option<*const c_void> {
        None
    }
}

impl Drop for Module {
    #[expect(unsafe_code, reason = "dlclose runs the library's destructors")]
    fn drop(&mut self) {
        // SAFETY: the handle came from dlopen, is closed once, and addresses from `symbol` are used by calls only, which
        // the apartment makes while it holds the library.
        unsafe { libc::dlclose(self.0.as_ptr()) };
    }
}

#[expect(unsafe_code, reason = "dlerror is a C function")]
fn last_error() -> LoadError {
    // SAFETY: takes nothing; the string is this thread's until the next dl* call.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return LoadError { number: None, message: "the loader gave no reason".into() };
    }
    // SAFETY: not null, so a C string, copied before anything else is called.
    let message = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    LoadError { number: None, message }
}

#[expect(unsafe_code, reason = "the declaration of a C variable")]
unsafe extern "C" {
    static stdout: *mut libc::FILE;
}

/// Takes standard input away from the library (it gets `/dev/null`), and returns it. Output of the library's `stdio` is
/// made line-buffered, so that it is not lost in a crash.
///
/// # Errors
/// They cannot be had a second time.
#[expect(unsafe_code, reason = "stdio's buffering is set in C")]
pub fn keep_streams_from_the_library() -> std::io::Result<File> {
    keep_descriptors_from_children()?;
    let lifeline = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    // SAFETY: libc sets `stdout` before main and nobody assigns it.
    let stream = unsafe { stdout };
    // SAFETY: an open stream with nothing written to it yet; a null buffer lets libc allocate its own.
    unsafe { libc::setvbuf(stream, std::ptr::null_mut(), libc::_IOLBF, 4096) };
    Ok(lifeline)
}

/// Standard output and error as they are now, for the agent alone.
///
/// # Errors
/// They cannot be had a second time.
pub fn own_outputs() -> std::io::Result<[File; 2]> {
    let (output, error) = (std::io::stdout(), std::io::stderr());
    Ok([own_output(output.as_fd())?, own_output(error.as_fd())?])
}

/// Opened anew where that is possible: what the library says of its own one, such as that it does not block, is not said of ours.
fn own_output(output: BorrowedFd<'_>) -> std::io::Result<File> {
    let anew = File::options().append(true).open(format!("/proc/self/fd/{}", output.as_raw_fd()));
    anew.or_else(|_| output.try_clone_to_owned().map(Into::into))
}

/// Has the C library write what the library has printed so far. Of one stream only: another one may be locked by a thread of
/// the library that waits for its input.
#[expect(unsafe_code, reason = "a C function")]
pub fn flush_output() {
    // SAFETY: libc sets `stdout` before main and nobody assigns it.
    let stream = unsafe { stdout };
    // SAFETY: an open stream. A library may have closed it: then its memory is still the C library's own, static one.
    unsafe { libc::fflush(stream) };
}

/// What whoever started the gateway, or this agent, has left open is for no child of a library.
#[expect(unsafe_code, reason = "a descriptor is known by its number alone")]
fn keep_descriptors_from_children() -> std::io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")?.flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(number @ 3..) = number {
            // SAFETY: sets a flag that nothing in this process depends on; a number that stands for nothing is refused.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

/// No child of the library gets this connection: here that is so for all that are accepted.
pub const fn keep_from_children(_connection: &TcpStream) {}

/// A crash ends the process, and its signal tells the gateway which it was. (Rust's own handler for stack overflows would
/// let the first `raise(SIGSEGV)` of a library pass.)
#[expect(unsafe_code, reason = "signal is a C function")]
pub fn let_crashes_end_the_process() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: restores the default action; no handler of ours is involved.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// The address of a function of this process by name, such as the C library's `free`, for memory that a library gave away.
/// (The dependencies of the library say which C library it means; here there is one only.)
#[expect(unsafe_code, reason = "dlsym is a C function")]
pub fn find_symbol(name: &CStr, _dependencies: &[Dependency]) -> Option<*const c_void> {
    // SAFETY: the pseudo handle stands for the program and what it is linked with; `name` is a C string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address.cast_const())
}

/// The WHATWG label of the encoding that `char*` has by default here.
pub const fn ansi_code_page() -> Option<&'static str> {
    Some("utf-8")
}

/// Ends this process at once, without running destructors, the library's included: they may hang.
#[expect(unsafe_code, reason = "_exit is a C function")]
pub fn end_process(code: u8) -> ! {
    // SAFETY: ends the process; nothing runs afterwards.
    unsafe { libc::_exit(code.into()) }
}

/// The folders that the loader searches before its own: those of `LD_LIBRARY_PATH`.
pub fn library_folders(_library: &Path) -> Vec<PathBuf> {
    std::env::var_os("LD_LIBRARY_PATH").map(|folders| std::env::split_paths(&folders).collect()).unwrap_or_default()
}

/// Bytes of memory that are resident.
pub fn resident_bytes() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_the_c_library_are_found_by_name() {
        assert_eq!(find_symbol(c"free", &[]), Some(libc::free as *const c_void));
        assert_eq!(find_symbol(c"no_such_function", &[]), None);
    }
}
