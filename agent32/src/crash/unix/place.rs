//! Which module an address belongs to, and which export is near. The loader knows; asking it takes its lock, so this
//! comes after the first line, and under `alarm`.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null_mut, with_exposed_provenance};

use crate::crash::Place;
use crate::crash::words::Words;

/// Frames that are looked at.
const FRAMES: usize = 64;

/// The place of a code address; `None` if no module has it.
pub(super) fn of(address: usize) -> Option<Place> {
    let info = module_of(address)?;
    let symbol = words(info.dli_sname).map(|symbol| (symbol, (address - info.dli_saddr.addr().min(address)) as u64));
    Some(Place {
        module: words(info.dli_fname)?,
        offset: (address - info.dli_fbase.addr().min(address)) as u64,
        symbol,
    })
}

/// The place from which the C library's `abort`, `raise` or `exit` was called: the nearest frame below its own.
#[expect(unsafe_code, reason = "backtrace is a C function")]
pub(super) fn caller_of_the_c_library() -> Option<Place> {
    let mut frames = [null_mut(); FRAMES];
    // SAFETY: the array has FRAMES elements. The unwinder was loaded by `warm_up`; a destroyed stack may crash it, which
    // ends the process as the first crash would have.
    let count = unsafe { libc::backtrace(frames.as_mut_ptr(), FRAMES.try_into().unwrap_or(0)) };
    let frames = frames.iter().take(usize::try_from(count).unwrap_or(0)).map(|frame| frame.addr());
    // A return address points behind its call, which may be the last instruction of a function that never returns.
    frames
        .map(|address| address.wrapping_sub(1))
        .skip_while(|frame| !is_system(*frame))
        .find(|frame| !is_system(*frame))
        .and_then(of)
}

/// Loads what `backtrace` needs, so that nothing is loaded while the process is dying (backtrace(3), notes).
#[expect(unsafe_code, reason = "backtrace is a C function")]
pub(super) fn warm_up() {
    let mut frame: *mut c_void = null_mut();
    // SAFETY: room for one frame.
    unsafe { libc::backtrace(&raw mut frame, 1) };
}

/// The address lies in the C library or in the code that the kernel maps into every process.
#[expect(unsafe_code, reason = "getauxval is a C function")]
fn is_system(address: usize) -> bool {
    let base = |address| module_of(address).map(|info| info.dli_fbase.addr());
    // SAFETY: reads a vector that the kernel wrote; 0 if it has no such entry.
    let kernel = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
    let own = base(address);
    own.is_some() && (own == base(libc::abort as *const () as usize) || own == usize::try_from(kernel).ok())
}

#[expect(unsafe_code, reason = "dladdr is a C function")]
fn module_of(address: usize) -> Option<libc::Dl_info> {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: null_mut(),
    };
    // SAFETY: any address may be asked for; `info` is written.
    let found = unsafe { libc::dladdr(with_exposed_provenance(address), &raw mut info) };
    (found != 0).then_some(info)
}

#[expect(unsafe_code, reason = "the loader's strings are C strings")]
fn words(text: *const c_char) -> Option<Words> {
    // SAFETY: not null, so a C string of the loader's or in the module's string table; both stay while the process dies.
    (!text.is_null()).then(|| Words::of(unsafe { CStr::from_ptr(text) }.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_by_module_and_export() {
        let place = of(libc::getpid as *const () as usize).unwrap();
        assert!(place.module.to_string().contains("libc.so"), "{}", place.module);
        assert!(place.offset > 0);
        let (symbol, offset) = place.symbol.unwrap();
        assert!(symbol.to_string().contains("getpid"), "{symbol}");
        assert_eq!(offset, 0);
    }

    #[test]
    fn an_address_of_no_module_has_no_place() {
        assert!(of(0).is_none());
        assert!(of(usize::MAX).is_none());
    }
}
