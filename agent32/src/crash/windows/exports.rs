//! The export nearest to an address, from the export directory of a module as it lies in memory (Microsoft, "PE Format",
//! sections 3 and 6.3). The module may have been written over: every offset is checked, and nothing is allocated.

use crate::crash::words::{CAPACITY, Words};

/// Exports that are looked at: more than any module has.
const MAX_EXPORTS: u32 = 1 << 16;

/// Where the header of the PE format is told.
const NEW_HEADER: u32 = 0x3C;

/// From the PE signature to the optional header, and in that to the first data directory, which is that of the exports,
/// in PE32 and PE32+ files.
const OPTIONAL_HEADER: u32 = 24;
const DIRECTORIES: [(u16, u32); 2] = [(0x10B, 96), (0x20B, 112)];

/// The bytes of a module, by their distance from its beginning.
pub(super) trait Memory {
    /// One byte; `None` beyond the module's end.
    fn byte(&self, offset: u32) -> Option<u8>;

    /// A little-endian number of two bytes.
    fn u16(&self, offset: u32) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte(offset)?, self.byte(offset.checked_add(1)?)?]))
    }

    /// A little-endian number of four bytes.
    fn u32(&self, offset: u32) -> Option<u32> {
        let (low, high) = (self.u16(offset)?, self.u16(offset.checked_add(2)?)?);
        Some(u32::from(high) << 16 | u32::from(low))
    }
}

/// Bytes of the module's image.
pub(super) fn size(module: &impl Memory) -> Option<u32> {
    // `SizeOfImage` has the same place in both formats.
    module.u32(header(module)?.checked_add(OPTIONAL_HEADER + 56)?)
}

/// The export at or before `target`, and the bytes from there. One without a name is told as `#ordinal`.
pub(super) fn nearest(module: &impl Memory, target: u32) -> Option<(Words, u32)> {
    let directory = Directory::of(module)?;
    let mut best: Option<(u32, u32)> = None;
    for index in 0..directory.functions.min(MAX_EXPORTS) {
        let address = module.u32(directory.addresses.checked_add(index * 4)?)?;
        // An address within the directory is the name of another module's export.
        let is_own = address != 0 && !(directory.start..directory.end).contains(&address);
        if is_own && address <= target && best.is_none_or(|(nearest, _)| address > nearest) {
            best = Some((address, index));
        }
    }
    let (address, index) = best?;
    Some((directory.name(module, index)?, target - address))
}

fn header(module: &impl Memory) -> Option<u32> {
    let header = module.u32(NEW_HEADER)?;
    (module.u16(0)? == u16::from_le_bytes(*b"MZ") && module.u32(header)? == u32::from_le_bytes(*b"PE\0\0"))
        .then_some(header)
}

/// The fields of an export directory.
struct Directory {
    start: u32,
    end: u32,
    ordinal_base: u32,
    functions: u32,
    names: u32,
    addresses: u32,
    name_addresses: u32,
    name_indices: u32,
}

impl Directory {
    fn of(module: &impl Memory) -> Option<Self> {
        let optional = header(module)?.checked_add(OPTIONAL_HEADER)?;
        let magic = module.u16(optional)?;
        let (_, distance) = DIRECTORIES.iter().find(|(known, _)| *known == magic)?;
        let entry = optional.checked_add(*distance)?;
        let start = module.u32(entry)?;
        let end = start.checked_add(module.u32(entry.checked_add(4)?)?)?;
        let field = |offset: u32| module.u32(start.checked_add(offset)?);
        (start != 0).then_some(())?;
        Some(Self {
            start,
            end,
            ordinal_base: field(16)?,
            functions: field(20)?,
            names: field(24)?,
            addresses: field(28)?,
            name_addresses: field(32)?,
            name_indices: field(36)?,
        })
    }

    /// The name of the function number `index`.
    fn name(&self, module: &impl Memory, index: u32) -> Option<Words> {
        use std::fmt::Write as _;
        for position in 0..self.names.min(MAX_EXPORTS) {
            if u32::from(module.u16(self.name_indices.checked_add(position * 2)?)?) == index {
                let start = module.u32(self.name_addresses.checked_add(position * 4)?)?;
                let mut name = Words::new();
                for offset in 0..u32::try_from(CAPACITY).ok()? {
                    match module.byte(start.checked_add(offset)?)? {
                        0 => break,
                        byte => name.push(&[byte]),
                    }
                }
                return Some(name);
            }
        }
        let mut ordinal = Words::new();
        // `Words` cuts off instead of failing.
        let _ = write!(ordinal, "#{}", self.ordinal_base.checked_add(index)?);
        Some(ordinal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Memory for Vec<u8> {
        fn byte(&self, offset: u32) -> Option<u8> {
            self.get(offset as usize).copied()
        }
    }

    fn put(module: &mut [u8], offset: usize, bytes: &[u8]) {
        module[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    /// A module of 0x800 bytes with the exports `first` at 0x400, ordinal 6 at 0x500 and `third`, which is a forwarder.
    fn module(magic: u16) -> Vec<u8> {
        let mut module = vec![0; 0x800];
        put(&mut module, 0, b"MZ");
        put(&mut module, 0x3C, &0x80_u32.to_le_bytes());
        put(&mut module, 0x80, b"PE\0\0");
        put(&mut module, 0x98, &magic.to_le_bytes());
        put(&mut module, 0x98 + 56, &0x800_u32.to_le_bytes());
        let directory = 0x98 + if magic == 0x10B { 96 } else { 112 };
        put(&mut module, directory, &0x200_u32.to_le_bytes());
        put(&mut module, directory + 4, &0x100_u32.to_le_bytes());
        for (index, field) in [5_u32, 3, 2, 0x240, 0x250, 0x260].into_iter().enumerate() {
            put(&mut module, 0x200 + 16 + 4 * index, &field.to_le_bytes());
        }
        for (index, address) in [0x400_u32, 0x500, 0x290].into_iter().enumerate() {
            put(&mut module, 0x240 + 4 * index, &address.to_le_bytes());
        }
        put(&mut module, 0x250, &[0x70, 2, 0, 0, 0x78, 2, 0, 0]);
        put(&mut module, 0x260, &[0, 0, 2, 0]);
        put(&mut module, 0x270, b"first\0");
        put(&mut module, 0x278, b"third\0");
        module
    }

    fn told(module: &Vec<u8>, target: u32) -> Option<(String, u32)> {
        nearest(module, target).map(|(name, offset)| (name.to_string(), offset))
    }

    #[test]
    fn the_nearest_export_before_an_address_is_found() {
        for magic in [0x10B, 0x20B] {
            let module = module(magic);
            assert_eq!(size(&module), Some(0x800));
            assert_eq!(told(&module, 0x400), Some(("first".into(), 0)));
            assert_eq!(told(&module, 0x4FF), Some(("first".into(), 0xFF)));
            assert_eq!(told(&module, 0x500), Some(("#6".into(), 0)));
            assert_eq!(told(&module, 0x3FF), None, "a forwarder is no code of this module");
        }
    }

    #[test]
    fn a_module_that_was_written_over_is_no_danger() {
        let whole = module(0x10B);
        for length in 0..whole.len() {
            let _ = told(&whole[..length].to_vec(), 0x4FF);
        }
        for offset in 0..0x280 {
            let mut broken = whole.clone();
            broken[offset..offset + 4].fill(0xFF);
            let _ = told(&broken, 0x4FF);
        }
        assert_eq!(told(&vec![0xFF; 0x800], 0x400), None);
        assert_eq!(told(&Vec::new(), 0), None);
    }
}
