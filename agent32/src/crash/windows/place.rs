//! Which module an address belongs to, and which export is near.

use std::ffi::c_void;
use std::ptr::{null_mut, with_exposed_provenance};

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::Diagnostics::Debug::RtlCaptureStackBackTrace;
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, GetModuleFileNameW,
    GetModuleHandleExW, GetModuleHandleW,
};

use super::exports::{self, Memory};
use crate::crash::Place;
use crate::crash::words::Words;

/// The longest path that is looked at; a longer one is cut off by the system.
const PATH_UNITS: u32 = 1024;

/// Frames that are looked at.
pub(super) const FRAMES: usize = 32;

/// The place of a code address; `None` if no module has it.
pub(super) fn of(address: usize) -> Option<Place> {
    let module = Loaded(module_of(address)?);
    let offset = address.checked_sub(module.0.addr())?;
    let symbol = u32::try_from(offset).ok().and_then(|offset| exports::nearest(&module, offset));
    let symbol = symbol.map(|(name, distance)| (name, distance.into()));
    Some(Place { module: module.name(), offset: offset as u64, symbol })
}

/// Where this thread's code was called from, from the inside out; 0 behind the last. Frames of code without frame pointers
/// are passed over (on i386).
#[expect(unsafe_code, reason = "RtlCaptureStackBackTrace is a C function")]
pub(super) fn frames() -> [usize; FRAMES] {
    let mut frames = [null_mut::<c_void>(); FRAMES];
    // SAFETY: the array has FRAMES elements, and no hash is asked for. The walk stays within the thread's stack.
    unsafe { RtlCaptureStackBackTrace(0, frames.len().try_into().unwrap_or(0), frames.as_mut_ptr(), null_mut()) };
    frames.map(<*mut c_void>::addr)
}

/// The place from which a function of the system or of a C or C++ library was called: the first frame that is neither in
/// one of those nor in this program.
#[expect(unsafe_code, reason = "GetModuleHandle is a C function")]
pub(super) fn caller(frames: &[usize]) -> Option<Place> {
    // SAFETY: null asks for this program.
    let program = unsafe { GetModuleHandleW(std::ptr::null()) };
    let called = frames.iter().copied().take_while(|frame| *frame != 0);
    // A return address points behind its call, which may be the last instruction of a function that never returns.
    called.map(|address| address.wrapping_sub(1)).find_map(|address| {
        let module = module_of(address)?;
        if module == program || is_system(Loaded(module).name().bytes()) { None } else { of(address) }
    })
}

/// Modules that stand between a library and the end of the process: those of the system, and those of the compilers' C and
/// C++ libraries, by the beginnings of their names.
fn is_system(name: &[u8]) -> bool {
    const BEGINNINGS: [&str; 9] =
        ["ntdll.", "kernel32.", "kernelbase.", "msvcr", "msvcp", "ucrtbase", "vcruntime", "libgcc_s", "libstdc++"];
    let begins = |beginning: &&str| {
        name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes()))
    };
    BEGINNINGS.iter().any(begins)
}

#[expect(unsafe_code, reason = "GetModuleHandleEx is a C function")]
fn module_of(address: usize) -> Option<HMODULE> {
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let mut module = null_mut();
    // SAFETY: with FROM_ADDRESS any address may be asked for; `module` is written.
    let found = unsafe { GetModuleHandleExW(flags, with_exposed_provenance(address), &raw mut module) };
    (found != 0 && !module.is_null()).then_some(module)
}

/// A module of this process: its handle is where it begins.
struct Loaded(HMODULE);

impl Loaded {
    /// The name of its file, without the folder.
    #[expect(unsafe_code, reason = "GetModuleFileName is a C function")]
    fn name(&self) -> Words {
        let mut path = [0; PATH_UNITS as usize];
        // SAFETY: the buffer's length is passed with it.
        let length = unsafe { GetModuleFileNameW(self.0, path.as_mut_ptr(), PATH_UNITS) };
        let path = &path[..usize::try_from(length).unwrap_or(0).min(path.len())];
        let start = path.iter().rposition(|unit| *unit == u16::from(b'\\')).map_or(0, |position| position + 1);
        let mut name = Words::new();
        for character in char::decode_utf16(path[start..].iter().copied()) {
            name.push(character.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut [0; 4]).as_bytes());
        }
        name
    }
}

impl Memory for Loaded {
    #[expect(unsafe_code, reason = "the module's headers are read where they lie")]
    fn byte(&self, offset: u32) -> Option<u8> {
        let offset = usize::try_from(offset).ok()?;
        // The headers come first, and their page is always there; they say how much more there is.
        if offset >= HEADER_BYTES && offset >= usize::try_from(exports::size(self)?).ok()? {
            return None;
        }
        let byte = self.0.cast::<u8>().wrapping_add(offset).cast_const();
        // SAFETY: the loader has the module, and the offset is within its image. If the library has unmapped or protected
        // a part of it, this is a crash within the handler, which ends the process as the first one would have.
        Some(unsafe { byte.read_volatile() })
    }
}

/// The page of a module that holds its headers.
const HEADER_BYTES: usize = 4096;
