//! The error numbers of the operating system that a call leaves behind: `errno`, `GetLastError`, and the `HRESULT` that it
//! returned; each with its name and in words.
//!
//! The numbers belong to a thread, and almost everything sets them. So the apartment clears them right before the call
//! and captures them right after it; words are found later.

mod names;

use bridge32_image::Dependency;
use bridge32_protocol::wire::SystemError;

use crate::platform::errno::{self, Errno};

/// Where the error numbers of one library are.
#[derive(Clone, Debug)]
pub struct ErrorNumbers(Errno);

impl ErrorNumbers {
    /// Those that a library with these dependencies sets; it must be loaded already. On Windows each C library has an
    /// `errno` of its own.
    pub fn of(dependencies: &[Dependency]) -> Self {
        Self(Errno::of(dependencies))
    }

    /// Sets this thread's numbers to 0. To be called last before the library is.
    pub fn clear(&self) {
        self.0.clear();
        errno::clear_last_error();
    }

    /// What this thread's numbers are. To be called before anything else after the library: takes some nanoseconds.
    pub fn capture(&self) -> Captured {
        // In this order: asking a C library for its `errno` may set the other.
        let last_error = errno::last_error();
        let errno = self.0.get();
        Captured { errno: (errno != 0).then_some(errno), last_error: (last_error != 0).then_some(last_error) }
    }
}

/// The error numbers that a call has set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// `errno`.
    pub errno: Option<i32>,
    /// `GetLastError()`.
    pub last_error: Option<u32>,
}

impl Captured {
    /// `errno` in words.
    pub fn describe_errno(&self) -> Option<SystemError> {
        let number = self.errno?;
        Some(SystemError { code: number.into(), name: errno::name(number), message: errno::message(number) })
    }

    /// `GetLastError()` in words.
    pub fn describe_last_error(&self) -> Option<SystemError> {
        let number = self.last_error?;
        let name = names::win32(number);
        let message = errno::system_message(number).unwrap_or_else(|| format!("Windows error {number}"));
        Some(SystemError { code: number.into(), name: name.map(str::to_owned), message })
    }
}

/// Bits of an `HRESULT` (Microsoft, "Structure of COM Error Codes"): the facility, and the facility of those that wrap a
/// number of `GetLastError`.
const FACILITY_SHIFT: u32 = 16;
const FACILITY_MASK: u32 = 0x1FFF;
const FACILITY_WIN32: u32 = 7;
const FAILURE: u32 = 1 << 31;

/// An `HRESULT` in words. Its code is the number as the function returned it, so failures are negative.
pub fn hresult(code: i32) -> SystemError {
    let bits = code.cast_unsigned();
    let known = names::hresult(bits);
    let is_wrapped = bits & FAILURE != 0 && (bits >> FACILITY_SHIFT) & FACILITY_MASK == FACILITY_WIN32;
    let wrapped = is_wrapped.then_some(bits & 0xFFFF);
    let name = known.map(|(name, _)| name).or_else(|| names::win32(wrapped?)).map(str::to_owned);
    // S_OK and S_FALSE are no errors, but the system's text for the error numbers 0 and 1 would be found.
    let of_system = || errno::system_message(wrapped.unwrap_or(bits));
    let text = if bits & FAILURE == 0 { None } else { of_system() };
    let text = text.or_else(|| known.map(|(_, text)| text.to_owned())).unwrap_or_else(|| match wrapped {
        Some(number) => format!("Windows error {number}"),
        None if bits & FAILURE == 0 => "success".into(),
        None => format!("failure {} of facility {}", bits & 0xFFFF, (bits >> FACILITY_SHIFT) & FACILITY_MASK),
    });
    SystemError { code: code.into(), name, message: format!("{text} ({bits:#010x})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dependencies of a library that uses the C library of this test.
    fn dependencies() -> Vec<Dependency> {
        vec![Dependency { name: "msvcrt.dll".into(), delayed: false, imports: None }]
    }

    #[expect(unsafe_code, reason = "calls a C function")]
    fn open_nothing() {
        unsafe extern "C" {
            #[cfg_attr(windows, link_name = "_access")]
            fn access(path: *const std::ffi::c_char, mode: std::ffi::c_int) -> std::ffi::c_int;
        }
        // SAFETY: a C string.
        let answer = unsafe { access(c"no such file".as_ptr(), 0) };
        assert_eq!(answer, -1);
    }

    #[test]
    fn what_a_call_sets_is_captured() {
        let numbers = ErrorNumbers::of(&dependencies());
        open_nothing();
        numbers.clear();
        assert_eq!(numbers.capture(), Captured::default(), "what was there before is not reported");
        open_nothing();
        let captured = numbers.capture();
        let errno = captured.describe_errno().unwrap();
        assert_eq!((errno.code, errno.name.as_deref()), (2, Some("ENOENT")));
        assert_eq!(errno.message, "No such file or directory");
        if cfg!(windows) {
            let error = captured.describe_last_error().unwrap();
            assert_eq!((error.code, error.name.as_deref()), (2, Some("ERROR_FILE_NOT_FOUND")));
            assert!(error.message.to_lowercase().contains("file not found") || error.message.contains("cannot find"));
            assert!(!error.message.ends_with('\n'));
        } else {
            assert_eq!(captured.describe_last_error(), None);
        }
    }

    #[test]
    fn unknown_numbers_are_described_all_the_same() {
        for number in [-1, 9999, i32::MAX] {
            let told = Captured { errno: Some(number), last_error: Some(0xFFFF_FFF0) };
            let errno = told.describe_errno().unwrap();
            assert_eq!((errno.code, errno.name), (number.into(), None));
            assert!(errno.message.contains(&number.to_string()), "{}", errno.message);
            assert!(!told.describe_last_error().unwrap().message.is_empty());
        }
    }

    #[test]
    fn an_hresult_is_told_by_name_and_words() {
        let told = |bits: u32| hresult(bits.cast_signed());
        let fail = told(0x8000_4005);
        assert_eq!((fail.code, fail.name.as_deref()), (-2_147_467_259, Some("E_FAIL")));
        assert!(fail.message.ends_with("(0x80004005)"), "{}", fail.message);
        assert_eq!(told(0x8007_0057).name.as_deref(), Some("E_INVALIDARG"));
        assert_eq!(told(0).name.as_deref(), Some("S_OK"));
        assert_eq!(told(1).name.as_deref(), Some("S_FALSE"));
        assert!(!told(1).message.contains("function"), "S_FALSE is not ERROR_INVALID_FUNCTION");
    }

    #[test]
    fn an_hresult_that_wraps_a_windows_error_is_unwrapped() {
        let told = hresult(0x8007_0002_u32.cast_signed());
        assert_eq!(told.name.as_deref(), Some("ERROR_FILE_NOT_FOUND"));
        assert!(cfg!(windows) || told.message.starts_with("Windows error 2"), "{}", told.message);
    }

    #[test]
    fn an_unknown_hresult_tells_its_facility() {
        let told = hresult(0x8ABC_1234_u32.cast_signed());
        assert_eq!(told.name, None);
        assert_eq!(told.message, "failure 4660 of facility 2748 (0x8abc1234)");
        assert_eq!(hresult(0x0004_1234).message, "success (0x00041234)");
    }
}
