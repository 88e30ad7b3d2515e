//! The dynamic symbol table of an ELF file: what it exports.

use object::Endianness;
use object::elf;
use object::read::elf::{FileHeader, GnuHashTable, HashTable, Sym as _};

use super::versions::Versions;
use super::{Dynamic, Memory};
use crate::budget::{Budget, MAX_EXPORTS, Warnings};
use crate::demangle;
use crate::error::ImageError;
use crate::model::{Export, ExportKind};
use crate::text::escape;

/// The symbols that other files can use, in the file's order.
pub(super) fn read<Elf: FileHeader<Endian = Endianness>>(
    memory: &Memory<'_, Elf>,
    dynamic: &Dynamic<'_, Elf>,
    budget: &mut Budget,
    warnings: &mut Warnings,
) -> Result<Vec<Export>, ImageError> {
    let Some(table) = dynamic.value(elf::DT_SYMTAB) else { return Ok(Vec::new()) };
    let count = count(memory, dynamic, table, warnings);
    if count > MAX_EXPORTS {
        return Err(ImageError::Unsupported { what: "it has more than 500000 dynamic symbols" });
    }
    let symbols: &[Elf::Sym] = memory.slice_at(table, count);
    if symbols.len() < count {
        warnings.push(|| format!("the file has {} of {count} dynamic symbols", symbols.len()));
    }
    let versions = Versions::read(memory, dynamic, count);
    let mut exports = Vec::new();
    for (index, symbol) in symbols.iter().enumerate().skip(1) {
        if !is_exported::<Elf>(symbol, memory.endian) || versions.is_local(index) {
            continue;
        }
        let Some(name) = dynamic.string(symbol.st_name(memory.endian).into()).filter(|name| !name.is_empty()) else {
            warnings.push(|| format!("the name of dynamic symbol {index} cannot be read"));
            continue;
        };
        // Linkers add an absolute symbol for each version they define.
        if symbol.st_shndx(memory.endian) == elf::SHN_ABS && versions.defines(name) {
            continue;
        }
        let (version, hidden) = versions.of(index, dynamic);
        budget.take(name.len() + version.map_or(0, <[u8]>::len))?;
        let address = symbol.st_value(memory.endian).into();
        exports.push(Export {
            name: Some(escape(name)),
            ordinal: None,
            kind: kind::<Elf>(symbol, memory, address),
            address: Some(address),
            forwarder: None,
            decoration: None,
            demangled: None,
            version: version.map(escape),
            hidden,
        });
    }
    demangle::fill(&mut exports);
    Ok(exports)
}

fn is_exported<Elf: FileHeader<Endian = Endianness>>(symbol: &Elf::Sym, endian: Endianness) -> bool {
    let bound = matches!(symbol.st_bind(), elf::STB_GLOBAL | elf::STB_WEAK | elf::STB_GNU_UNIQUE);
    let visible = matches!(symbol.st_visibility(), elf::STV_DEFAULT | elf::STV_PROTECTED);
    let section = symbol.st_shndx(endian);
    let defined = section != elf::SHN_UNDEF && section != elf::SHN_COMMON;
    let typed = !matches!(symbol.st_type(), elf::STT_SECTION | elf::STT_FILE);
    bound && visible && defined && typed
}

/// Assembly code often leaves the type out: then the segment decides.
fn kind<Elf: FileHeader<Endian = Endianness>>(symbol: &Elf::Sym, memory: &Memory<'_, Elf>, address: u64) -> ExportKind {
    match symbol.st_type() {
        elf::STT_FUNC | elf::STT_GNU_IFUNC => ExportKind::Function,
        elf::STT_NOTYPE if symbol.st_shndx(memory.endian) != elf::SHN_ABS && memory.is_executable(address) => {
            ExportKind::Function
        }
        _ => ExportKind::Data,
    }
}

/// The dynamic section does not state the size of the symbol table; the hash tables imply it.
fn count<Elf: FileHeader<Endian = Endianness>>(
    memory: &Memory<'_, Elf>,
    dynamic: &Dynamic<'_, Elf>,
    table: u64,
    warnings: &mut Warnings,
) -> usize {
    let endian = memory.endian;
    let at = |tag| dynamic.value(tag).and_then(|address| memory.at(address));
    let hash = at(elf::DT_HASH).and_then(|data| HashTable::<Elf>::parse(endian, data).ok());
    if let Some(hash) = hash {
        return usize::try_from(hash.symbol_table_length()).unwrap_or(usize::MAX);
    }
    if let Some(hash) = at(elf::DT_GNU_HASH).and_then(|data| GnuHashTable::<Elf>::parse(endian, data).ok()) {
        // No bucket is in use if nothing is exported.
        let length = hash.symbol_table_length(endian).unwrap_or(0);
        return usize::try_from(length).unwrap_or(usize::MAX);
    }
    // Linkers put the string table right behind the symbols.
    let between = dynamic.value(elf::DT_STRTAB).and_then(|strings| strings.checked_sub(table)).unwrap_or(0);
    if between == 0 {
        warnings.push(|| "the file has no usable hash table, so its symbols cannot be counted".into());
    }
    usize::try_from(between / size_of::<Elf::Sym>() as u64).unwrap_or(usize::MAX)
}
