//! Builds tiny PE and ELF files for cases that no real file shows.

pub(crate) mod elf;
pub(crate) mod pe;

/// Bytes that grow, with little-endian numbers.
#[derive(Clone, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    pub(crate) fn pad_to(&mut self, length: usize) -> &mut Self {
        self.0.resize(length.max(self.0.len()), 0);
        self
    }

    /// Where the next byte goes.
    pub(crate) fn here(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap()
    }
}
