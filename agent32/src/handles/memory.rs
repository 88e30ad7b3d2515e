//! A block of memory that outlives a call, with guard bytes behind it.

use crate::marshal::arena::{ALIGNMENT, GUARD_BYTES, OutOfMemory};
use crate::marshal::memory;

/// What a guard holds.
const GUARD: u8 = 0xA7;

/// A block of memory with its guard. The library writes into it through its address, on whatever lane it runs: so nothing here
/// keeps a reference into it, and bytes are copied in and out.
#[derive(Debug)]
pub(super) struct Memory {
    /// Never touched as a vector again: it frees the bytes in the end.
    #[expect(dead_code, reason = "it owns the bytes")]
    bytes: Vec<u8>,
    /// Where it lies, for the library.
    pub(super) address: usize,
    /// Bytes of it, without the guard.
    pub(super) size: usize,
}

impl Memory {
    /// `data`, and zeros behind it.
    ///
    /// # Errors
    /// The process has no room for them.
    pub(super) fn new(size: usize, data: &[u8]) -> Result<Self, OutOfMemory> {
        let error = OutOfMemory { bytes: size };
        let wanted = size.checked_add(ALIGNMENT + GUARD_BYTES).ok_or(error)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(wanted).map_err(|_| error)?;
        bytes.resize(wanted, 0);
        let start = bytes.as_ptr().addr().next_multiple_of(ALIGNMENT) - bytes.as_ptr().addr();
        let given = data.len().min(size);
        bytes[start..start + given].copy_from_slice(&data[..given]);
        bytes[start + size..start + size + GUARD_BYTES].fill(GUARD);
        // Made last: no reference to the bytes is made any more, from which on the library has a right to them.
        let address = bytes[start..].as_mut_ptr().expose_provenance();
        Ok(Self { bytes, address, size })
    }

    /// A copy of `length` bytes from `offset` on; `None` if they reach beyond its end.
    pub(super) fn read(&self, offset: usize, length: usize) -> Option<Vec<u8>> {
        let within = offset.checked_add(length).is_some_and(|end| end <= self.size);
        within.then(|| self.copy_out(offset, length))
    }

    /// Writes `data` from `offset` on; `None` if it reaches beyond its end.
    pub(super) fn write(&self, offset: usize, data: &[u8]) -> Option<()> {
        let within = offset.checked_add(data.len()).is_some_and(|end| end <= self.size);
        within.then(|| self.copy_in(offset, data))
    }

    /// Whether somebody has written past its end. Told once: the guard is renewed.
    pub(super) fn take_overrun(&self) -> bool {
        let overrun = self.guard() != [GUARD; GUARD_BYTES];
        if overrun {
            self.copy_in(self.size, &[GUARD; GUARD_BYTES]);
        }
        overrun
    }

    #[expect(unsafe_code, reason = "the library may have the same memory in use")]
    fn copy_out(&self, offset: usize, length: usize) -> Vec<u8> {
        // SAFETY: within the allocation, guard included: the callers see to that. No reference to it exists. Whoever has the
        // library write there at this moment on another lane gets the bytes as they are, some old, some new.
        unsafe { memory::bytes(self.address + offset, length) }
    }

    #[expect(unsafe_code, reason = "the library may have the same memory in use")]
    fn guard(&self) -> [u8; GUARD_BYTES] {
        // SAFETY: the guard lies right behind the block, in the same allocation; otherwise as above.
        unsafe { memory::array(self.address + self.size) }
    }

    #[expect(unsafe_code, reason = "the library may have the same memory in use")]
    fn copy_in(&self, offset: usize, data: &[u8]) {
        // SAFETY: as for reading.
        unsafe { memory::write(self.address + offset, data) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_a_block_is_neither_read_nor_written() {
        let memory = Memory::new(8, b"abc").unwrap();
        assert_eq!(memory.read(0, 8).unwrap(), b"abc\0\0\0\0\0");
        assert_eq!(memory.read(8, 0).unwrap(), b"");
        memory.write(6, b"xy").unwrap();
        assert_eq!(memory.read(6, 2).unwrap(), b"xy");
        for (offset, length) in [(0, 9), (8, 1), (9, 0), (usize::MAX, 2), (1, usize::MAX)] {
            assert_eq!(memory.read(offset, length), None, "{offset} {length}");
        }
        assert!(memory.write(7, b"xy").is_none() && memory.write(usize::MAX, b"x").is_none());
        assert!(!memory.take_overrun());
    }

    #[test]
    fn a_write_into_the_guard_is_told_once() {
        let memory = Memory::new(8, &[]).unwrap();
        for past in [0, GUARD_BYTES - 1] {
            memory.copy_in(8 + past, &[0]);
            assert!(memory.take_overrun());
            assert!(!memory.take_overrun());
        }
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        assert!(Memory::new(usize::MAX - 10, &[]).is_err());
        assert!(Memory::new(usize::MAX / 2, &[]).is_err());
    }
}
