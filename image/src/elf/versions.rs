//! GNU symbol versions: `crc32@@ZLIB_1.2.0` (Linux Standard Base, "Symbol Versioning").

use std::collections::{HashMap, HashSet};

use object::Endianness;
use object::elf;
use object::read::ReadRef as _;
use object::read::elf::FileHeader;

use super::{Dynamic, Memory};

/// `VER_NDX_LOCAL`: the symbol is not exported.
const LOCAL: u16 = 0;
/// Bit of a version number that says: not the default version of that name.
const HIDDEN: u16 = 0x8000;
/// Most definitions that are read.
const MAX_DEFINITIONS: u64 = 0x8000;

/// The versions that a file defines, and which symbol has which.
pub(super) struct Versions<'data> {
    /// By symbol; empty if the file has no versions.
    numbers: Vec<u16>,
    /// Offset of the name in the string table, by version number.
    definitions: HashMap<u16, u32>,
    names: HashSet<&'data [u8]>,
}

impl<'data> Versions<'data> {
    pub(super) fn read<Elf: FileHeader<Endian = Endianness>>(
        memory: &Memory<'data, Elf>,
        dynamic: &Dynamic<'data, Elf>,
        symbols: usize,
    ) -> Self {
        let endian = memory.endian;
        let numbers: &[object::U16<Endianness>] = match dynamic.value(elf::DT_VERSYM) {
            Some(address) => memory.slice_at(address, symbols),
            None => &[],
        };
        let definitions = definitions(memory, dynamic);
        let names = definitions.values().filter_map(|name| dynamic.string(u64::from(*name))).collect();
        Self { numbers: numbers.iter().map(|number| number.get(endian)).collect(), definitions, names }
    }

    /// True if a version script keeps the symbol at `index` in the library.
    pub(super) fn is_local(&self, index: usize) -> bool {
        self.numbers.get(index).is_some_and(|number| number & !HIDDEN == LOCAL)
    }

    /// True if the file defines a version of this name.
    pub(super) fn defines(&self, name: &[u8]) -> bool {
        self.names.contains(name)
    }

    /// The version of the symbol at `index`, and whether it is another than the default.
    pub(super) fn of<Elf: FileHeader<Endian = Endianness>>(
        &self,
        index: usize,
        dynamic: &Dynamic<'data, Elf>,
    ) -> (Option<&'data [u8]>, bool) {
        let Some(number) = self.numbers.get(index).copied() else { return (None, false) };
        let name = self.definitions.get(&(number & !HIDDEN));
        (name.and_then(|name| dynamic.string(u64::from(*name))), number & HIDDEN != 0)
    }
}

/// Version number to offset of its name. The base definition, the library itself, is left out.
fn definitions<Elf: FileHeader<Endian = Endianness>>(
    memory: &Memory<'_, Elf>,
    dynamic: &Dynamic<'_, Elf>,
) -> HashMap<u16, u32> {
    let endian = memory.endian;
    let data = dynamic.value(elf::DT_VERDEF).and_then(|address| memory.at(address)).unwrap_or_default();
    let count = dynamic.value(elf::DT_VERDEFNUM).unwrap_or(0).min(MAX_DEFINITIONS);
    let mut definitions = HashMap::new();
    let mut offset = 0u64;
    for _ in 0..count {
        let Ok(definition) = data.read_at::<elf::Verdef<Endianness>>(offset) else { break };
        let auxiliary = offset + u64::from(definition.vd_aux.get(endian));
        if let Ok(name) = data.read_at::<elf::Verdaux<Endianness>>(auxiliary)
            && !definition.vd_flags.get(endian).contains(elf::VER_FLG_BASE)
        {
            definitions.insert(definition.vd_ndx.get(endian).0, name.vda_name.get(endian));
        }
        let next = u64::from(definition.vd_next.get(endian));
        if next == 0 {
            break;
        }
        offset += next;
    }
    definitions
}
