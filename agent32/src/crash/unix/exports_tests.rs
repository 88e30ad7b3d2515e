//! Modules made by hand, whole and broken. Real ones are compared with another reader in `place`.

use super::*;

/// Where the modules lie, and the address that their linker gave them.
const BASE: u64 = 0x40_0000;
const START: u64 = 0x1_0000;

impl Memory for Vec<u8> {
    fn read(&self, offset: u64, bytes: &mut [u8]) -> Option<()> {
        let offset = usize::try_from(offset).ok()?;
        bytes.copy_from_slice(self.get(offset..offset.checked_add(bytes.len())?)?);
        Some(())
    }
}

fn put(module: &mut [u8], offset: usize, width: usize, number: u64) {
    module[offset..offset + width].copy_from_slice(&number.to_le_bytes()[..width]);
}

fn put_field(module: &mut [u8], structure: usize, (offset, width): Field, number: u64) {
    put(module, structure + offset, width, number);
}

const DYNAMIC: usize = 0x200;
const SYMBOLS: usize = 0x300;
const HASH: usize = 0x400;
const GNU_HASH: usize = 0x440;
const STRINGS: usize = 0x500;

/// Names, values, kinds and sections: what is no exported function of this module must not be found.
const ENTRIES: [(&[u8], u64, u64, u64); 7] = [
    (b"", 0, 0, 0),
    (b"imported", 0x7F0, STB_GLOBAL << 4 | STT_FUNC, SHN_UNDEF),
    (b"first", 0x600, STB_GLOBAL << 4 | STT_FUNC, 1),
    (b"variable", 0x680, STB_GLOBAL << 4 | 1, 1),
    (b"local", 0x690, STT_FUNC, 1),
    (b"absolute", 0x698, STB_GLOBAL << 4 | STT_FUNC, SHN_ABS),
    (b"resolver", 0x700, STB_WEAK << 4 | STT_GNU_IFUNC, 1),
];

/// A module of 0x800 bytes with the exports `first` at 0x600 and `resolver` at 0x700.
fn module(class: &(u8, Class), hash: u64, origin: u64) -> Vec<u8> {
    let (number, class) = class;
    let mut module = vec![0; 0x800];
    module[..4].copy_from_slice(b"\x7fELF");
    module[4] = *number;
    put_field(&mut module, 0, class.header_phoff, 0x40);
    put_field(&mut module, 0, class.header_phentsize, class.segment as u64);
    put_field(&mut module, 0, class.header_phnum, 2);
    let dynamic = 0x40 + class.segment;
    for (segment, kind, address, size) in [(0x40, PT_LOAD, 0, 0x800), (dynamic, PT_DYNAMIC, DYNAMIC as u64, 0x80)] {
        put(&mut module, segment, 4, kind);
        put_field(&mut module, segment, class.segment_flags, PF_R);
        put_field(&mut module, segment, class.segment_address, START + address);
        put_field(&mut module, segment, class.segment_memory, size);
    }
    let hash_table = if hash == DT_HASH { HASH } else { GNU_HASH };
    for (index, (tag, table)) in
        [(DT_STRTAB, STRINGS), (DT_SYMTAB, SYMBOLS), (hash, hash_table)].into_iter().enumerate()
    {
        put(&mut module, DYNAMIC + 2 * index * class.word, class.word, tag);
        put(&mut module, DYNAMIC + (2 * index + 1) * class.word, class.word, origin + table as u64);
    }
    let mut name = STRINGS + 1;
    for (index, (text, value, info, section)) in ENTRIES.into_iter().enumerate().skip(1) {
        let symbol = SYMBOLS + index * class.symbol;
        put(&mut module, symbol, 4, (name - STRINGS) as u64);
        put_field(&mut module, symbol, class.symbol_value, START + value);
        put_field(&mut module, symbol, class.symbol_info, info);
        put_field(&mut module, symbol, class.symbol_section, section);
        module[name..name + text.len()].copy_from_slice(text);
        name += text.len() + 1;
    }
    // One bucket; as many links as symbols.
    put(&mut module, HASH, 4, 1);
    put(&mut module, HASH + 4, 4, ENTRIES.len() as u64);
    // Two buckets, symbols from 2 on, one word of Bloom filter; the chains are 2, 3 and 4, 5, 6.
    for (index, number) in [2, 2, 1, 0].into_iter().enumerate() {
        put(&mut module, GNU_HASH + 4 * index, 4, number);
    }
    let buckets = GNU_HASH + 16 + class.word;
    for (index, number) in [2, 4, 0x10, 0x21, 0x30, 0x40, 0x51].into_iter().enumerate() {
        put(&mut module, buckets + 4 * index, 4, number);
    }
    module
}

/// Every kind of module.
fn modules() -> impl Iterator<Item = Vec<u8>> {
    let kinds = CLASSES.iter().flat_map(|class| [DT_HASH, DT_GNU_HASH].map(|hash| (class, hash)));
    kinds.flat_map(|(class, hash)| [BASE, START].map(|origin| module(class, hash, origin)))
}

/// Reads what the module's headers allow, and fails if that is not enough for the reader.
fn told(bytes: &Vec<u8>, target: u64) -> Option<(String, u64)> {
    let module = Module::of(&bytes[..bytes.len().min(HEADER_BYTES)], BASE)?;
    module.nearest(bytes, target).map(|(name, offset)| (name.to_string(), offset))
}

#[test]
fn the_nearest_export_before_an_address_is_found() {
    for module in modules() {
        assert_eq!(told(&module, 0x600), Some(("first".into(), 0)));
        assert_eq!(told(&module, 0x6FF), Some(("first".into(), 0xFF)), "what stands between is no exported function");
        assert_eq!(told(&module, 0x700), Some(("resolver".into(), 0)));
        assert_eq!(told(&module, 0x7FF), Some(("resolver".into(), 0xFF)), "an import is no code of this module");
        assert_eq!(told(&module, 0x5FF), None);
    }
}

#[test]
fn only_what_is_mapped_for_reading_is_read() {
    let class = &CLASSES[1];
    let mut bytes = module(class, DT_HASH, BASE);
    let whole = Module::of(&bytes, BASE).unwrap();
    assert!(whole.has(0, 0x800) && whole.has(0x7FF, 1));
    assert!(!whole.has(0x7FF, 2) && !whole.has(u64::MAX, 2) && !whole.has(0x800, 1));
    put_field(&mut bytes, 0x40, class.1.segment_flags, 1);
    assert!(!Module::of(&bytes, BASE).unwrap().has(0, 1), "code that may only be executed");
}

#[test]
fn a_module_without_exports_has_no_nearest() {
    for (class, buckets) in [(&CLASSES[0], GNU_HASH + 20), (&CLASSES[1], GNU_HASH + 24)] {
        let mut module = module(class, DT_GNU_HASH, BASE);
        module[buckets..buckets + 8].fill(0);
        assert_eq!(told(&module, 0x7FF), None);
    }
}

#[test]
fn a_module_that_was_written_over_is_no_danger() {
    for whole in modules() {
        for length in 0..whole.len() {
            let _ = told(&whole[..length].to_vec(), 0x7FF);
        }
        for offset in 0..0x600 {
            for (byte, width) in [(0xFF, 4), (0xFF, 8), (0x7F, 4), (0, 4), (1, 1)] {
                let mut broken = whole.clone();
                broken[offset..offset + width].fill(byte);
                let _ = told(&broken, 0x7FF);
            }
        }
    }
    assert_eq!(told(&vec![0xFF; 0x800], 0x600), None);
    assert_eq!(told(&Vec::new(), 0), None);
}

#[test]
fn tables_without_an_end_are_left() {
    /// Headers as they should be, and behind them one byte for ever.
    struct Endless(Vec<u8>, u8);
    impl Memory for Endless {
        fn read(&self, offset: u64, bytes: &mut [u8]) -> Option<()> {
            self.0.read(offset, bytes).or_else(|| {
                bytes.fill(self.1);
                Some(())
            })
        }
    }
    for hash in [DT_HASH, DT_GNU_HASH] {
        for byte in [0, 0xFE, 0xFF] {
            let mut bytes = module(&CLASSES[0], hash, BASE);
            put(&mut bytes, HASH + 4, 4, u64::from(u32::MAX));
            put(&mut bytes, GNU_HASH, 4, u64::from(u32::MAX));
            let module = Module::of(&bytes, BASE).unwrap();
            let _ = module.nearest(&Endless(bytes, byte), 0x7FF);
        }
    }
}
