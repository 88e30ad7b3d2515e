//! The strings of COM: there is no COM here.

/// Always refused.
///
/// # Errors
/// Says that there is no COM on this system.
pub fn allocate(_units: &[u16]) -> Result<usize, String> {
    Err("a BSTR can be passed on Windows only".into())
}

/// No BSTR can be here: 0.
///
/// # Safety
/// None is needed on this system; on Windows `address` must be that of a BSTR or 0.
#[expect(unsafe_code, reason = "the same signature as on Windows")]
pub const unsafe fn byte_length(_address: usize) -> u32 {
    0
}

/// No BSTR can be here: nothing happens.
///
/// # Safety
/// None is needed on this system; on Windows `address` must be that of a BSTR that is not used any more, or 0.
#[expect(unsafe_code, reason = "the same signature as on Windows")]
pub const unsafe fn free(_address: usize) {}
