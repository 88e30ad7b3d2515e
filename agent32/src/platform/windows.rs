//! Windows: `LoadLibraryExW`, the standard handles, and no dialogs: nobody sits in front of an agent.

pub mod bstr;
pub mod errno;
mod figures;
mod observation;
pub(crate) mod runtimes;
mod shared;

pub use figures::figures;
pub use observation::{observe, prepare_observation};
pub use shared::map_shared;

use std::ffi::{CStr, OsString, c_int, c_void};
use std::fs::File;
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, AsRawSocket as _, IntoRawHandle as _};
use std::path::{Path, PathBuf};

use bridge32_image::Dependency;
use tokio::net::TcpStream;
use windows_sys::Win32::Foundation::{FreeLibrary, GetLastError, HANDLE_FLAG_INHERIT, HMODULE, SetHandleInformation};
use windows_sys::Win32::Globalization::GetACP;
use windows_sys::Win32::System::Console::{STD_INPUT_HANDLE, SetStdHandle};
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SEM_NOOPENFILEERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LOAD_WITH_ALTERED_SEARCH_PATH, LoadLibraryExW,
};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

use super::LoadError;

/// A library mapped into this process; unmapped when dropped.
#[derive(Debug)]
pub struct Module(HMODULE);

// SAFETY: the handle is a number for the loader, whose functions may be called from any thread.
#[expect(unsafe_code, reason = "lanes share their library")]
unsafe impl Send for Module {}

// SAFETY: as above; `GetProcAddress` changes nothing that another thread could see half done.
#[expect(unsafe_code, reason = "lanes share their library")]
unsafe impl Sync for Module {}

impl Module {
    /// Maps the file and its dependencies (looked for beside it first), and runs their `DllMain`.
    ///
    /// # Errors
    /// What `GetLastError` says.
    #[expect(unsafe_code, reason = "LoadLibrary runs the library's DllMain")]
    pub fn load(file: &str) -> Result<Self, LoadError> {
        let path = Path::new(file);
        let wide: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        // The altered search needs an absolute path; a bare name ("version.dll") is searched for by the system.
        let flags = if path.is_absolute() { LOAD_WITH_ALTERED_SEARCH_PATH } else { 0 };
        // SAFETY: `wide` ends with NUL. DllMain may do anything: this process exists to bear that.
        let module = unsafe { LoadLibraryExW(wide.as_ptr(), std::ptr::null_mut(), flags) };
        if module.is_null() { Err(last_error()) } else { Ok(Self(module)) }
    }

    /// The address of an exported function; forwarders are followed.
    #[expect(unsafe_code, reason = "GetProcAddress is a C function")]
    pub fn symbol(&self, name: &CStr) -> Option<*const c_void> {
        // SAFETY: the module is loaded until `drop`; `name` is a C string.
        let address = unsafe { GetProcAddress(self.0, name.as_ptr().cast()) }?;
        Some(address as *const c_void)
    }

    /// The address of an exported function that may have no name.
    #[expect(unsafe_code, reason = "GetProcAddress is a C function")]
    pub fn ordinal(&self, ordinal: u16) -> Option<*const c_void> {
        // SAFETY: the module is loaded until `drop`; a "name" below 65536 is an ordinal (`MAKEINTRESOURCEA`).
        let address = unsafe { GetProcAddress(self.0, std::ptr::without_provenance(ordinal.into())) }?;
        Some(address as *const c_void)
    }
}

impl Drop for Module {
    #[expect(unsafe_code, reason = "FreeLibrary runs the library's DllMain")]
    fn drop(&mut self) {
        // SAFETY: the module came from LoadLibrary and is freed once; addresses from `symbol` are used by calls only,
        // which the apartment makes while it holds the library.
        unsafe { FreeLibrary(self.0) };
    }
}

#[expect(unsafe_code, reason = "GetLastError is a C function")]
fn last_error() -> LoadError {
    // SAFETY: reads this thread's error number.
    let number = unsafe { GetLastError() }.cast_signed();
    let message = std::io::Error::from_raw_os_error(number).to_string();
    // Rust appends the number, which is told with its name.
    let message = message.trim_end_matches(&format!(" (os error {number})")).to_owned();
    LoadError { number: Some(number), message }
}

// The C library of mingw programs, msvcrt.dll, which most old DLLs share: its own view of the standard streams.
#[expect(unsafe_code, reason = "declarations of C functions")]
unsafe extern "C" {
    fn _open_osfhandle(handle: isize, flags: c_int) -> c_int;
    fn _dup2(from: c_int, to: c_int) -> c_int;
    fn __acrt_iob_func(index: u32) -> *mut c_void;
    fn setvbuf(stream: *mut c_void, buffer: *mut u8, mode: c_int, size: usize) -> c_int;
}

/// `_IONBF` of msvcrt: line buffering does not exist there.
const UNBUFFERED: c_int = 4;

/// Takes standard input away from the library (it gets `NUL`), and returns it. Output of msvcrt's `stdio` is made
/// unbuffered, so that it is not lost in a crash.
///
/// # Errors
/// When the handles cannot be duplicated.
#[expect(unsafe_code, reason = "the process's handles and C streams are set in C")]
pub fn keep_streams_from_the_library() -> std::io::Result<File> {
    let lifeline = File::from(std::io::stdin().as_handle().try_clone_to_owned()?);
    // The one that this process was started with stays open, and children of the library would get it.
    // SAFETY: sets a flag of a handle that is open: it was just duplicated.
    unsafe { SetHandleInformation(std::io::stdin().as_raw_handle(), HANDLE_FLAG_INHERIT, 0) };
    let null = File::open("NUL")?;
    // SAFETY: `null` is an open handle, and given away two lines below, so it is never closed.
    unsafe { SetStdHandle(STD_INPUT_HANDLE, null.as_raw_handle()) };
    // SAFETY: the handle is open, and from here on msvcrt's.
    let descriptor = unsafe { _open_osfhandle(null.into_raw_handle() as isize, 0) };
    // SAFETY: a wrong descriptor is answered with -1.
    unsafe { _dup2(descriptor, 0) };
    for stream in [1, 2] {
        // SAFETY: the streams 0 to 2 always exist.
        let stream = unsafe { __acrt_iob_func(stream) };
        // SAFETY: an open stream with nothing written to it yet; no buffer is passed.
        unsafe { setvbuf(stream, std::ptr::null_mut(), UNBUFFERED, 0) };
    }
    Ok(lifeline)
}

/// Standard output and error as they are now, for the agent alone.
///
/// # Errors
/// When the handles cannot be duplicated.
pub fn own_outputs() -> std::io::Result<[File; 2]> {
    let (output, error) = (std::io::stdout(), std::io::stderr());
    Ok([output.as_handle().try_clone_to_owned()?.into(), error.as_handle().try_clone_to_owned()?.into()])
}

/// Nothing: msvcrt's streams have no buffer here, and those of other C libraries cannot be reached.
pub const fn flush_output() {}

/// No child of the library gets this connection: accepted sockets are inherited here, unlike those that are made.
#[expect(unsafe_code, reason = "a socket's flags are set in C")]
pub fn keep_from_children(connection: &TcpStream) {
    let handle = std::ptr::with_exposed_provenance_mut(usize::try_from(connection.as_raw_socket()).unwrap_or_default());
    // SAFETY: sets a flag of a socket that is open, and sockets are handles.
    unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
}

/// A crash ends the process, and its exception code tells the gateway which it was: no dialog waits for a click.
#[expect(unsafe_code, reason = "SetErrorMode is a C function")]
pub fn let_crashes_end_the_process() {
    // SAFETY: sets this process's flags.
    unsafe { SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX) };
}

/// Libraries of the system whose functions free what others of them, or libraries in their manner, give away: `LocalFree`,
/// `CoTaskMemFree`, `SysFreeString`, `FreeSid`, `DestroyIcon`, `NetApiBufferFree`.
const SYSTEM_LIBRARIES: [&str; 6] =
    ["kernel32.dll", "ole32.dll", "oleaut32.dll", "advapi32.dll", "user32.dll", "netapi32.dll"];

/// The address of a function by name, for memory that a library gave away: of the C libraries among its `dependencies`,
/// else of the system's libraries, which are loaded for it.
///
/// A library that has its C library built in has a heap of its own, too: no other `free` may be used for it, so none
/// is found.
pub fn find_symbol(name: &CStr, dependencies: &[Dependency]) -> Option<*const c_void> {
    let of_runtimes = runtimes::Runtime::imported(dependencies).find_map(|runtime| runtime.symbol(name));
    of_runtimes.or_else(|| SYSTEM_LIBRARIES.iter().find_map(|library| system_symbol(library, name)))
}

/// A function of one of the system's own libraries. It stays loaded.
#[expect(unsafe_code, reason = "LoadLibraryEx and GetProcAddress are C functions")]
fn system_symbol(library: &str, name: &CStr) -> Option<*const c_void> {
    let wide: Vec<u16> = library.encode_utf16().chain([0]).collect();
    // SAFETY: `wide` ends with NUL. With this flag only the system's folder is searched.
    let module = unsafe { LoadLibraryExW(wide.as_ptr(), std::ptr::null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32) };
    if module.is_null() {
        return None;
    }
    // SAFETY: the module is loaded and never freed; `name` is a C string.
    let address = unsafe { GetProcAddress(module, name.as_ptr().cast()) }?;
    Some(address as *const c_void)
}

/// The WHATWG label of this system's ANSI code page, which `char*` of Windows functions has; `None` for one that the
/// Encoding Standard does not have.
#[expect(unsafe_code, reason = "GetACP is a C function")]
pub fn ansi_code_page() -> Option<&'static str> {
    // SAFETY: takes nothing, cannot fail.
    label(unsafe { GetACP() })
}

/// Microsoft, "Code Page Identifiers"; WHATWG Encoding Standard, "Names and labels".
const fn label(code_page: u32) -> Option<&'static str> {
    Some(match code_page {
        874 => "windows-874",
        932 => "shift_jis",
        936 => "gbk",
        949 => "euc-kr",
        950 => "big5",
        1250 => "windows-1250",
        1251 => "windows-1251",
        1252 => "windows-1252",
        1253 => "windows-1253",
        1254 => "windows-1254",
        1255 => "windows-1255",
        1256 => "windows-1256",
        1257 => "windows-1257",
        1258 => "windows-1258",
        54936 => "gb18030",
        65001 => "utf-8",
        _ => return None,
    })
}

/// Ends this process at once, without telling the DLLs: their `DllMain` may hang.
#[expect(unsafe_code, reason = "TerminateProcess is a C function")]
pub fn end_process(code: u8) -> ! {
    // SAFETY: a pseudo handle that needs no closing.
    let own = unsafe { GetCurrentProcess() };
    // SAFETY: ends this process; nothing runs afterwards.
    unsafe { TerminateProcess(own, code.into()) };
    std::process::abort()
}

/// The folders that the loader searches for what `library` needs: its own, the system's, Windows', and those of `PATH`.
#[expect(unsafe_code, reason = "the system folder's name comes from a C function")]
pub fn library_folders(library: &Path) -> Vec<PathBuf> {
    let mut name = [0; 261];
    // SAFETY: the buffer's length is passed with it. For a 32-bit process this is the folder of 32-bit libraries.
    let length = unsafe { GetSystemDirectoryW(name.as_mut_ptr(), 261) };
    let length = usize::try_from(length).unwrap_or(0).min(name.len());
    let system = PathBuf::from(OsString::from_wide(&name[..length]));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = library.parent().map(Path::to_path_buf);
    let windows = system.parent().map(Path::to_path_buf);
    own.into_iter().chain([system]).chain(windows).chain(std::env::split_paths(&path)).collect()
}

/// Bytes of memory that are resident.
#[expect(unsafe_code, reason = "the counters come from a C function")]
pub fn resident_bytes() -> Option<u64> {
    let size = u32::try_from(size_of::<PROCESS_MEMORY_COUNTERS>()).ok()?;
    let mut counters = PROCESS_MEMORY_COUNTERS { cb: size, ..PROCESS_MEMORY_COUNTERS::default() };
    // SAFETY: a pseudo handle that needs no closing.
    let own = unsafe { GetCurrentProcess() };
    // SAFETY: `counters` has the size that is passed.
    let known = unsafe { K32GetProcessMemoryInfo(own, &raw mut counters, size) };
    (known != 0).then_some(counters.WorkingSetSize as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ansi_code_page_has_a_label_that_the_encoding_standard_knows() {
        for code_page in [874, 932, 936, 949, 950, 65001, 54936].into_iter().chain(1250..=1258) {
            let label = label(code_page).unwrap();
            assert!(encoding_rs::Encoding::for_label(label.as_bytes()).is_some(), "{label}");
        }
        assert_eq!(label(437), None);
        assert!(ansi_code_page().is_some());
    }

    #[test]
    fn functions_that_free_are_found_by_name() {
        let found = |name| find_symbol(name, &[]).is_some();
        assert!(
            found(c"LocalFree") && found(c"CoTaskMemFree") && found(c"SysFreeString") && found(c"NetApiBufferFree")
        );
        assert!(!found(c"no_such_function"));
    }

    #[test]
    fn free_is_that_of_the_c_library_that_is_imported() {
        let dependency = Dependency { name: "MSVCRT.dll".into(), delayed: false, imports: None };
        assert!(find_symbol(c"free", &[dependency]).is_some());
        assert_eq!(find_symbol(c"free", &[]), None, "whose heap it is cannot be known");
    }
}
