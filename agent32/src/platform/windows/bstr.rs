//! The strings of COM, which have their length in the four bytes before them, and belong to `oleaut32.dll`. It is loaded
//! when the first one is needed.

use std::ffi::c_void;
use std::ptr::with_exposed_provenance;
use std::sync::OnceLock;

/// The functions of `oleaut32.dll` (Microsoft, `oleauto.h`).
struct Functions {
    allocate: unsafe extern "system" fn(units: *const u16, count: u32) -> *mut u16,
    byte_length: unsafe extern "system" fn(text: *const u16) -> u32,
    free: unsafe extern "system" fn(text: *const u16),
}

/// Makes a BSTR of UTF-16 units, which may hold NULs, and returns its address. Whoever it is passed to frees it, or
/// [`free`] does.
///
/// # Errors
/// When there is no `oleaut32.dll`, or no memory.
#[expect(unsafe_code, reason = "SysAllocStringLen is a C function")]
pub fn allocate(units: &[u16]) -> Result<usize, String> {
    let functions = functions().ok_or("oleaut32.dll, which makes BSTRs, cannot be loaded")?;
    let count = u32::try_from(units.len()).map_err(|_| "the text is too long for a BSTR")?;
    // SAFETY: as many units as are there are copied.
    let text = unsafe { (functions.allocate)(units.as_ptr(), count) };
    if text.is_null() { Err("there is no memory for the BSTR".into()) } else { Ok(text.expose_provenance()) }
}

/// The bytes of a BSTR without its NUL; 0 for a null pointer, which is an empty one.
///
/// # Safety
/// `address` must be that of a BSTR, or 0.
#[expect(unsafe_code, reason = "SysStringByteLen is a C function")]
pub unsafe fn byte_length(address: usize) -> u32 {
    // SAFETY: the caller's promise.
    functions().map_or(0, |functions| unsafe { (functions.byte_length)(with_exposed_provenance(address)) })
}

/// Frees a BSTR; a null pointer is passed over.
///
/// # Safety
/// `address` must be that of a BSTR that is not used any more, or 0.
#[expect(unsafe_code, reason = "SysFreeString is a C function")]
pub unsafe fn free(address: usize) {
    if let Some(functions) = functions() {
        // SAFETY: the caller's promise.
        unsafe { (functions.free)(with_exposed_provenance(address)) };
    }
}

fn functions() -> Option<&'static Functions> {
    static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
    FUNCTIONS.get_or_init(load).as_ref()
}

#[expect(unsafe_code, reason = "the loader's addresses become functions")]
fn load() -> Option<Functions> {
    let find = |name| super::system_symbol("oleaut32.dll", name);
    let (allocate, byte_length, free) =
        (find(c"SysAllocStringLen")?, find(c"SysStringByteLen")?, find(c"SysFreeString")?);
    Some(Functions {
        // SAFETY: oleauto.h declares it `BSTR WINAPI SysAllocStringLen(const OLECHAR *, UINT)`.
        allocate: unsafe { std::mem::transmute::<*const c_void, unsafe extern "system" fn(_, _) -> _>(allocate) },
        // SAFETY: `UINT WINAPI SysStringByteLen(BSTR)`.
        byte_length: unsafe { std::mem::transmute::<*const c_void, unsafe extern "system" fn(_) -> _>(byte_length) },
        // SAFETY: `void WINAPI SysFreeString(BSTR)`.
        free: unsafe { std::mem::transmute::<*const c_void, unsafe extern "system" fn(_)>(free) },
    })
}

#[cfg(test)]
#[expect(unsafe_code, reason = "the functions take addresses")]
mod tests {
    use super::*;

    #[test]
    fn a_bstr_knows_its_length() {
        for units in [&[][..], &[0x41, 0, 0x20AC]] {
            let address = allocate(units).unwrap();
            // SAFETY: it was just made.
            let length = unsafe { byte_length(address) };
            assert_eq!(length as usize, units.len() * 2);
            // SAFETY: a BSTR has its units and a NUL.
            let read = unsafe { std::slice::from_raw_parts(with_exposed_provenance::<u16>(address), units.len() + 1) };
            assert_eq!(&read[..units.len()], units);
            assert_eq!(read.last(), Some(&0));
            // SAFETY: it is not used any more.
            unsafe { free(address) };
        }
        // SAFETY: 0 is an empty BSTR.
        assert_eq!(unsafe { byte_length(0) }, 0);
        // SAFETY: and freeing it does nothing.
        unsafe { free(0) };
    }
}
