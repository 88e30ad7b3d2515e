//! A block of memory that outlives a call, with guard bytes behind it.

use crate::marshal::arena::{ALIGNMENT, GUARD_BYTES, OutOfMemory};

/// What a guard holds.
const GUARD: u8 = 0xA7;

/// A block of memory with its guard.
#[derive(Debug)]
pub(super) struct Memory {
    bytes: Vec<u8>,
    start: usize,
    /// Bytes of it, without the guard.
    pub(super) size: usize,
}

impl Memory {
    /// Zeros.
    ///
    /// # Errors
    /// The process has no room for them.
    pub(super) fn new(size: usize) -> Result<Self, OutOfMemory> {
        let error = OutOfMemory { bytes: size };
        let wanted = size.checked_add(ALIGNMENT + GUARD_BYTES).ok_or(error)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(wanted).map_err(|_| error)?;
        bytes.resize(wanted, 0);
        let start = bytes.as_ptr().addr().next_multiple_of(ALIGNMENT) - bytes.as_ptr().addr();
        bytes[start + size..start + size + GUARD_BYTES].fill(GUARD);
        Ok(Self { bytes, start, size })
    }

    /// Where it lies, for the library.
    pub(super) fn address(&mut self) -> usize {
        self.bytes[self.start..].as_mut_ptr().expose_provenance()
    }

    /// Its bytes.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.size]
    }

    /// Whether somebody has written past its end. Told once: the guard is renewed.
    pub(super) fn take_overrun(&mut self) -> bool {
        let guard = self.guard_mut();
        let overrun = *guard != [GUARD; GUARD_BYTES];
        guard.fill(GUARD);
        overrun
    }

    /// The bytes behind it.
    pub(super) fn guard_mut(&mut self) -> &mut [u8] {
        let end = self.start + self.size;
        &mut self.bytes[end..end + GUARD_BYTES]
    }
}
