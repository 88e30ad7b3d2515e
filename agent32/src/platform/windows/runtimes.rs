//! The C libraries of Windows: each has its own `errno`, its own heap and its own signals, so it matters which of them a
//! library uses.

use std::ffi::{CStr, c_void};

use bridge32_image::Dependency;
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};

/// A C library that is loaded. It stays: nothing unloads what the library depends on while the library is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runtime(HMODULE);

impl Runtime {
    /// Those that a library imports, in the order of its import table, each once.
    pub(crate) fn imported(dependencies: &[Dependency]) -> impl Iterator<Item = Self> {
        let mut names: Vec<String> = Vec::new();
        for dependency in dependencies {
            if let Some(name) = runtime_of(&dependency.name)
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names.into_iter().filter_map(|name| Self::loaded(&name))
    }

    #[expect(unsafe_code, reason = "GetModuleHandle is a C function")]
    fn loaded(name: &str) -> Option<Self> {
        let wide: Vec<u16> = name.encode_utf16().chain([0]).collect();
        // SAFETY: `wide` ends with NUL.
        let module = unsafe { GetModuleHandleW(wide.as_ptr()) };
        (!module.is_null()).then_some(Self(module))
    }

    /// The address of one of its functions.
    #[expect(unsafe_code, reason = "GetProcAddress is a C function")]
    pub(crate) fn symbol(self, name: &CStr) -> Option<*const c_void> {
        // SAFETY: the module is loaded; `name` is a C string.
        let address = unsafe { GetProcAddress(self.0, name.as_ptr().cast()) }?;
        Some(address as *const c_void)
    }
}

/// The C library that an imported file is, or leads to: `msvcrt.dll`, those of Visual C++ 4 to 2013 (`msvcr100.dll`, with a
/// `d` if it is for debugging), and the universal one, which is imported by way of `api-ms-win-crt-…`.
fn runtime_of(file: &str) -> Option<String> {
    let name = file.to_ascii_lowercase();
    if name.starts_with("api-ms-win-crt-") {
        return Some("ucrtbase.dll".into());
    }
    let stem = name.strip_suffix(".dll")?;
    let stem = stem.strip_suffix('d').unwrap_or(stem);
    let version = stem.strip_prefix("msvcr").unwrap_or_default();
    let is_numbered = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    let is_runtime = is_numbered || matches!(stem, "msvcrt" | "ucrtbase" | "crtdll" | "msvcrt20" | "msvcrt40");
    is_runtime.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_libraries_are_known_by_their_names() {
        for (file, runtime) in [
            ("MSVCRT.dll", "msvcrt.dll"),
            ("msvcr100.dll", "msvcr100.dll"),
            ("MSVCR120D.DLL", "msvcr120d.dll"),
            ("ucrtbased.dll", "ucrtbased.dll"),
            ("api-ms-win-crt-heap-l1-1-0.dll", "ucrtbase.dll"),
        ] {
            assert_eq!(runtime_of(file).as_deref(), Some(runtime), "{file}");
        }
        for file in ["kernel32.dll", "msvcp100.dll", "msvcr.dll", "msvcrx.dll", "", "msvcrt"] {
            assert_eq!(runtime_of(file), None, "{file}");
        }
    }

    #[test]
    fn a_c_library_is_told_once() {
        let dependency = |name: &str| Dependency { name: name.into(), delayed: false, imports: None };
        let twice = [dependency("msvcrt.dll"), dependency("KERNEL32.dll"), dependency("MSVCRT.DLL")];
        assert_eq!(Runtime::imported(&twice).count(), 1);
        assert_eq!(Runtime::imported(&[dependency("msvcr42.dll")]).count(), 0, "it is not loaded");
    }
}
