//! The export nearest to an address, from the dynamic symbols of an ELF module as it lies in memory (System V gABI,
//! chapters 4 and 5; `DT_GNU_HASH` as glibc's `elf/dl-lookup.c` reads it). `dladdr` stops where a symbol's size ends, so it
//! knows nothing of the functions between exports. The module may have been written over: every place is checked, every
//! loop has an end, and nothing is allocated.

use crate::crash::words::{CAPACITY, Words};

/// Bytes at the beginning of a module that hold its headers: a page, which is mapped as a whole.
pub(super) const HEADER_BYTES: usize = 4096;

/// Symbols that are looked at: more than any library has.
const MAX_SYMBOLS: u64 = 1 << 20;

/// Entries of the dynamic section that are looked at: the specification knows some 60.
const MAX_DYNAMIC: u64 = 512;

/// Segments that are looked at: linkers make four or five.
const MAX_SEGMENTS: usize = 16;

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PF_R: u64 = 4;
const DT_NULL: u64 = 0;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const STB_GLOBAL: u64 = 1;
const STB_WEAK: u64 = 2;
const STT_FUNC: u64 = 2;
const STT_GNU_IFUNC: u64 = 10;
const SHN_UNDEF: u64 = 0;
const SHN_ABS: u64 = 0xfff1;

/// A field: its distance from the beginning of its structure, and its bytes.
type Field = (usize, usize);

/// The structures of 32-bit or 64-bit files.
struct Class {
    word: usize,
    header_phoff: Field,
    header_phentsize: Field,
    header_phnum: Field,
    segment: usize,
    segment_flags: Field,
    segment_address: Field,
    segment_memory: Field,
    symbol: usize,
    symbol_value: Field,
    symbol_info: Field,
    symbol_section: Field,
}

/// `ELFCLASS32` and `ELFCLASS64`.
const CLASSES: [(u8, Class); 2] = [
    (
        1,
        Class {
            word: 4,
            header_phoff: (28, 4),
            header_phentsize: (42, 2),
            header_phnum: (44, 2),
            segment: 32,
            segment_flags: (24, 4),
            segment_address: (8, 4),
            segment_memory: (20, 4),
            symbol: 16,
            symbol_value: (4, 4),
            symbol_info: (12, 1),
            symbol_section: (14, 2),
        },
    ),
    (
        2,
        Class {
            word: 8,
            header_phoff: (32, 8),
            header_phentsize: (54, 2),
            header_phnum: (56, 2),
            segment: 56,
            segment_flags: (4, 4),
            segment_address: (16, 8),
            segment_memory: (40, 8),
            symbol: 24,
            symbol_value: (8, 8),
            symbol_info: (4, 1),
            symbol_section: (6, 2),
        },
    ),
];

/// The largest symbol of both classes.
const SYMBOL_BYTES: usize = 24;

/// The bytes of a module, by their distance from its beginning.
pub(super) trait Memory {
    /// Fills `bytes`; `None` if not all of them are the module's.
    fn read(&self, offset: u64, bytes: &mut [u8]) -> Option<()>;

    /// A little-endian number of `width` bytes, at most eight.
    fn number(&self, offset: u64, width: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(offset, bytes.get_mut(..width)?)?;
        Some(u64::from_le_bytes(bytes))
    }
}

/// What the headers of a module say. All distances are from its beginning.
pub(super) struct Module {
    class: &'static Class,
    /// Where the module lies.
    base: u64,
    /// The address that its linker gave to its beginning.
    start: u64,
    /// What the loader has mapped for reading: from and to.
    segments: [(u64, u64); MAX_SEGMENTS],
    dynamic: u64,
}

impl Module {
    /// Reads the headers of the module at `base`, whose first bytes are `page`.
    pub(super) fn of(page: &[u8], base: u64) -> Option<Self> {
        (page.get(..4)? == b"\x7fELF").then_some(())?;
        let (_, class) = CLASSES.iter().find(|(number, _)| page.get(4) == Some(number))?;
        let table = usize::try_from(field(page, class.header_phoff)?).ok()?;
        let size = usize::try_from(field(page, class.header_phentsize)?).ok()?;
        (size >= class.segment).then_some(())?;
        // A table that is longer than the page is read as far as that goes.
        let table = page.get(table..)?.chunks_exact(size).take(usize::try_from(field(page, class.header_phnum)?).ok()?);
        let of_kind = |kind| table.clone().filter(move |segment| field(segment, (0, 4)) == Some(kind));
        let address = |segment: &[u8]| field(segment, class.segment_address);
        // The loader maps whole pages.
        let start = of_kind(PT_LOAD).filter_map(address).min()? & !(HEADER_BYTES as u64 - 1);
        let mut segments = [(0, 0); MAX_SEGMENTS];
        for (entry, segment) in segments.iter_mut().zip(of_kind(PT_LOAD)) {
            let from = address(segment)?.checked_sub(start)?;
            if field(segment, class.segment_flags)? & PF_R != 0 {
                *entry = (from, from.checked_add(field(segment, class.segment_memory)?)?);
            }
        }
        let dynamic = of_kind(PT_DYNAMIC).find_map(address)?.checked_sub(start)?;
        Some(Self { class, base, start, segments, dynamic })
    }

    /// Whether the loader has mapped these bytes for reading.
    pub(super) fn has(&self, offset: u64, length: usize) -> bool {
        let end = offset.checked_add(length as u64);
        end.is_some_and(|end| self.segments.iter().any(|(from, to)| *from <= offset && end <= *to))
    }

    /// The function that is exported at or before `target`, and the bytes from there.
    pub(super) fn nearest(&self, memory: &impl Memory, target: u64) -> Option<(Words, u64)> {
        let tables = Tables::of(self, memory)?;
        let mut best: Option<(u64, u64)> = None;
        // The first symbol is none.
        for index in 1..tables.count(self, memory)?.min(MAX_SYMBOLS) {
            let mut symbol = [0; SYMBOL_BYTES];
            let symbol = &mut symbol[..self.class.symbol];
            memory.read(tables.symbols.checked_add(index * self.class.symbol as u64)?, symbol)?;
            let Some(offset) = self.function(symbol) else { continue };
            if offset <= target && best.is_none_or(|(nearest, _)| offset > nearest) {
                best = Some((offset, field(symbol, (0, 4))?));
            }
        }
        let (offset, name) = best?;
        Some((text(memory, tables.strings.checked_add(name)?)?, target - offset))
    }

    /// Where the function is that this symbol exports, if it does.
    fn function(&self, symbol: &[u8]) -> Option<u64> {
        let info = field(symbol, self.class.symbol_info)?;
        let is_export = matches!(info >> 4, STB_GLOBAL | STB_WEAK) && matches!(info & 15, STT_FUNC | STT_GNU_IFUNC);
        let is_here = !matches!(field(symbol, self.class.symbol_section)?, SHN_UNDEF | SHN_ABS);
        let value = field(symbol, self.class.symbol_value)?;
        (is_export && is_here && value != 0).then_some(())?;
        value.checked_sub(self.start)
    }

    /// Where a pointer of the dynamic section leads. glibc turns what the linker wrote into real addresses, where the
    /// section is writable; other loaders do not.
    fn pointed(&self, pointer: u64) -> Option<u64> {
        [self.base, self.start]
            .into_iter()
            .filter_map(|origin| pointer.checked_sub(origin))
            .find(|offset| self.has(*offset, 1))
    }
}

/// The tables that the dynamic section names.
struct Tables {
    symbols: u64,
    strings: u64,
    hash: Option<u64>,
    gnu_hash: Option<u64>,
}

impl Tables {
    fn of(module: &Module, memory: &impl Memory) -> Option<Self> {
        let word = module.class.word;
        let [mut symbols, mut strings, mut hash, mut gnu_hash] = [None; 4];
        for index in 0..MAX_DYNAMIC {
            let entry = module.dynamic.checked_add(index * 2 * word as u64)?;
            let table = match memory.number(entry, word)? {
                DT_NULL => break,
                DT_SYMTAB => &mut symbols,
                DT_STRTAB => &mut strings,
                DT_HASH => &mut hash,
                DT_GNU_HASH => &mut gnu_hash,
                _ => continue,
            };
            *table = module.pointed(memory.number(entry.checked_add(word as u64)?, word)?);
        }
        Some(Self { symbols: symbols?, strings: strings?, hash, gnu_hash })
    }

    /// The number of symbols, which only the hash tables tell.
    fn count(&self, module: &Module, memory: &impl Memory) -> Option<u64> {
        match self.hash {
            // Buckets, then chain links, of which there are as many as symbols.
            Some(hash) => memory.number(hash.checked_add(4)?, 4),
            None => gnu_count(self.gnu_hash?, module.class.word as u64, memory),
        }
    }
}

/// The number of symbols after a table of GNU's kind: the chain that begins last ends with the last symbol.
fn gnu_count(table: u64, word: u64, memory: &impl Memory) -> Option<u64> {
    let header = |index: u64| memory.number(table.checked_add(index * 4)?, 4);
    let (bucket_count, first, bloom_words) = (header(0)?, header(1)?, header(2)?);
    let buckets = table.checked_add(16 + bloom_words * word)?;
    let chains = buckets.checked_add(bucket_count * 4)?;
    let mut last = 0;
    for index in 0..bucket_count.min(MAX_SYMBOLS) {
        last = last.max(memory.number(buckets.checked_add(index * 4)?, 4)?);
    }
    if last < first {
        // All buckets are empty: nothing is exported.
        return Some(0);
    }
    for index in last..last.saturating_add(MAX_SYMBOLS) {
        // The end of a chain has the lowest bit.
        if memory.number(chains.checked_add((index - first) * 4)?, 4)? & 1 != 0 {
            return Some(index + 1);
        }
    }
    None
}

/// The C string at `offset`, cut off where the room ends; `None` if it is empty.
fn text(memory: &impl Memory, offset: u64) -> Option<Words> {
    let mut text = Words::new();
    for index in 0..CAPACITY as u64 {
        let mut byte = [0];
        memory.read(offset.checked_add(index)?, &mut byte)?;
        if byte == [0] {
            break;
        }
        text.push(&byte);
    }
    (!text.bytes().is_empty()).then_some(text)
}

/// A little-endian number within a structure.
fn field(structure: &[u8], (offset, width): Field) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..width)?.copy_from_slice(structure.get(offset..offset.checked_add(width)?)?);
    Some(u64::from_le_bytes(bytes))
}

#[cfg(test)]
#[path = "exports_tests.rs"]
mod tests;
