//! Which module an address belongs to, and which export is near. The loader knows; asking it takes its lock, so this
//! comes after the first line, and under `alarm`.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null_mut, with_exposed_provenance};

use super::exports::{HEADER_BYTES, Memory, Module};
use crate::crash::Place;
use crate::crash::words::Words;

/// Frames that are looked at.
const FRAMES: usize = 64;

/// The place of a code address; `None` if no module has it.
pub(super) fn of(address: usize) -> Option<Place> {
    let info = module_of(address)?;
    let offset = address.checked_sub(info.dli_fbase.addr())? as u64;
    let around = words(info.dli_sname).zip(address.checked_sub(info.dli_saddr.addr()).map(|distance| distance as u64));
    // `dladdr` tells the symbol that the address is within. Most code of most libraries is within none.
    let symbol = around.or_else(|| {
        let module = Loaded::at(info.dli_fbase)?;
        module.headers.nearest(&module, offset)
    });
    Some(Place { module: words(info.dli_fname)?, offset, symbol })
}

/// A module that the loader has mapped.
struct Loaded {
    base: *const u8,
    headers: Module,
}

impl Loaded {
    /// The module that begins at `base`, as `dladdr` has told.
    #[expect(unsafe_code, reason = "the module's headers are read where they lie")]
    fn at(base: *const c_void) -> Option<Self> {
        let mut page = [0; HEADER_BYTES];
        // SAFETY: the loader has mapped whole pages from here on. If the library has unmapped or protected them, this is a
        // crash within the handler, which ends the process as the first one would have.
        unsafe { copy(base.cast(), &mut page) };
        Some(Self { base: base.cast(), headers: Module::of(&page, base.addr() as u64)? })
    }
}

impl Memory for Loaded {
    #[expect(unsafe_code, reason = "the module's tables are read where they lie")]
    fn read(&self, offset: u64, bytes: &mut [u8]) -> Option<()> {
        self.headers.has(offset, bytes.len()).then_some(())?;
        let from = self.base.wrapping_add(usize::try_from(offset).ok()?);
        // SAFETY: by the module's headers the loader has mapped this for reading. If the library has unmapped or protected
        // a part of it, or written over the headers, this is a crash within the handler, as above.
        unsafe { copy(from, bytes) };
        Some(())
    }
}

/// Copies what another thread may be writing over.
///
/// # Safety
/// From `from` on there must be as many readable bytes as `into` has.
#[expect(unsafe_code, reason = "reads memory that is nobody's in Rust")]
unsafe fn copy(from: *const u8, into: &mut [u8]) {
    for (index, byte) in into.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *byte = unsafe { from.wrapping_add(index).read_volatile() };
    }
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

    /// What another reader finds in the module's file.
    fn exports_of_the_file(path: &[u8]) -> Vec<(u64, String)> {
        use object::{Object as _, ObjectSymbol as _, SymbolFlags, elf};
        let bytes = std::fs::read(std::str::from_utf8(path).unwrap()).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let is_function = |flags| match flags {
            SymbolFlags::Elf { st_info, .. } => matches!(st_info.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC),
            _ => false,
        };
        let mut exports: Vec<_> = file
            .dynamic_symbols()
            .filter(|symbol| !symbol.is_undefined() && symbol.is_global() && is_function(symbol.flags()))
            .map(|symbol| (symbol.address(), symbol.name().unwrap().to_owned()))
            .collect();
        exports.sort();
        exports
    }

    #[test]
    fn the_nearest_export_is_that_of_the_file() {
        let info = module_of(libc::getpid as *const () as usize).unwrap();
        let module = Loaded::at(info.dli_fbase).unwrap();
        let exports = exports_of_the_file(words(info.dli_fname).unwrap().bytes());
        let (first, last) = (exports.first().unwrap().0, exports.last().unwrap().0);
        assert!(exports.len() > 1000 && module.headers.nearest(&module, first - 1).is_none());
        for target in (first..last + 0x1_0000).step_by(0x1357) {
            let (name, distance) = module.headers.nearest(&module, target).unwrap();
            let nearest = exports.iter().rev().find(|(address, _)| *address <= target).unwrap().0;
            assert_eq!(target - distance, nearest, "{name}");
            assert!(exports.contains(&(nearest, name.to_string())), "{name}");
        }
    }

    #[test]
    fn code_between_exports_is_told_by_the_one_before() {
        // Most functions of the C library are internal to it.
        let info = module_of(libc::getpid as *const () as usize).unwrap();
        let internal = (0x1000..0x10_0000)
            .map(|step| libc::getpid as *const () as usize + step)
            .find(|address| module_of(*address).is_some_and(|info| info.dli_sname.is_null()));
        let place = of(internal.unwrap()).unwrap();
        let (symbol, distance) = place.symbol.unwrap();
        assert!(distance > 0 && distance < place.offset, "{symbol}");
        assert_eq!(place.module.bytes(), words(info.dli_fname).unwrap().bytes());
    }

    #[test]
    fn an_address_of_no_module_has_no_place() {
        assert!(of(0).is_none());
        assert!(of(usize::MAX).is_none());
    }
}
