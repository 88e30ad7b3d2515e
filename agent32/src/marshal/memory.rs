//! Reads memory that a library points to. Everything here trusts the library's pointer: a wild one takes the process
//! down, which is what agents are for.

/// The most bytes of a NUL-terminated string that are read from the library: a missing terminator must not turn into a
/// gigabyte of JSON.
const MAX_TEXT_BYTES: usize = 64 << 20;

/// A copy of the NUL-terminated string at `address`, without its NUL, in units of `unit` bytes (1, 2 or 4).
/// `None` if there is no NUL within 64 MiB.
///
/// # Safety
/// `address` must point to readable memory up to and including a NUL unit, and nobody may write to it meanwhile.
#[expect(unsafe_code, reason = "the string is where the library says")]
pub unsafe fn text(address: usize, unit: usize) -> Option<Vec<u8>> {
    let start = std::ptr::with_exposed_provenance::<u8>(address);
    let mut length = 0;
    loop {
        if length >= MAX_TEXT_BYTES {
            return None;
        }
        let next = start.wrapping_add(length);
        // SAFETY: all units before this one were not NUL, so by the caller's promise this one is readable.
        // Bytes have no alignment, and the slice is dropped before the next step.
        let character = unsafe { std::slice::from_raw_parts(next, unit) };
        if character.iter().all(|byte| *byte == 0) {
            break;
        }
        length += unit;
    }
    // SAFETY: the loop above has read exactly these bytes.
    Some(unsafe { std::slice::from_raw_parts(start, length) }.to_vec())
}

/// A copy of `length` bytes at `address`.
///
/// # Safety
/// They must be readable, and nobody may write to them meanwhile.
#[expect(unsafe_code, reason = "the data is where the library says")]
pub unsafe fn bytes(address: usize, length: usize) -> Vec<u8> {
    let mut copy = Vec::with_capacity(length);
    if length > 0 {
        let start = std::ptr::with_exposed_provenance::<u8>(address);
        // SAFETY: readable by the caller's promise, and the copy has room for it; the two cannot overlap, since the copy
        // was allocated just now.
        unsafe { std::ptr::copy_nonoverlapping(start, copy.as_mut_ptr(), length) };
        // SAFETY: exactly these bytes were written above.
        unsafe { copy.set_len(length) };
    }
    copy
}

/// A copy of `N` bytes at `address`.
///
/// # Safety
/// As [`bytes`].
#[expect(unsafe_code, reason = "the data is where the library says")]
pub unsafe fn array<const N: usize>(address: usize) -> [u8; N] {
    let start = std::ptr::with_exposed_provenance::<[u8; N]>(address);
    // SAFETY: readable by the caller's promise; bytes have no alignment.
    unsafe { start.read() }
}

/// Writes `data` to `address`.
///
/// # Safety
/// The memory must be writable and nobody else may use it meanwhile.
#[expect(unsafe_code, reason = "an exported variable is where the library says")]
pub unsafe fn write(address: usize, data: &[u8]) {
    let start = std::ptr::with_exposed_provenance_mut::<u8>(address);
    // SAFETY: writable by the caller's promise; `data` is the bridge's own memory and does not overlap it.
    unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), start, data.len()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "reads the test's own bytes")]
    fn text_ends_at_the_first_whole_nul_unit() {
        let bytes = b"a\0\0b\0\0\0\0".as_slice();
        let address = bytes.as_ptr().expose_provenance();
        // SAFETY: `bytes` lives through the test and has a NUL unit of each size.
        let read = |unit| unsafe { text(address, unit) }.unwrap();
        assert_eq!(read(1), b"a");
        assert_eq!(read(2), b"a\0\0b");
        assert_eq!(read(4), b"a\0\0b");
    }

    #[test]
    #[expect(unsafe_code, reason = "copies the test's own bytes")]
    fn what_is_written_is_read() {
        let mut place = [0_u8; 4];
        let address = place.as_mut_ptr().expose_provenance();
        // SAFETY: `place` lives through the test and has 4 bytes.
        unsafe { write(address, &[1, 2, 3]) };
        // SAFETY: as above.
        assert_eq!(unsafe { bytes(address, 4) }, [1, 2, 3, 0]);
        // SAFETY: no byte is read.
        assert!(unsafe { bytes(0, 0) }.is_empty());
    }
}
