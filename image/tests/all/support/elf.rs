//! ELF files without section headers: one segment that holds everything, and a dynamic section.

use super::Bytes;

pub(crate) const FUNC: u8 = 2;
pub(crate) const OBJECT: u8 = 1;
pub(crate) const NOTYPE: u8 = 0;
pub(crate) const IFUNC: u8 = 10;
pub(crate) const GLOBAL: u8 = 1;
pub(crate) const WEAK: u8 = 2;

/// Which table tells how many symbols there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    SystemV,
    Gnu,
    None,
}

#[derive(Clone)]
pub(crate) struct Symbol {
    pub(crate) name: &'static [u8],
    pub(crate) binding: u8,
    pub(crate) kind: u8,
    pub(crate) visibility: u8,
    pub(crate) section: u16,
    pub(crate) version: u16,
}

/// A global function.
pub(crate) fn function(name: &'static [u8]) -> Symbol {
    Symbol { name, binding: GLOBAL, kind: FUNC, visibility: 0, section: 1, version: 1 }
}

#[derive(Clone)]
pub(crate) struct Elf {
    pub(crate) wide: bool,
    pub(crate) machine: u16,
    pub(crate) file_type: u16,
    pub(crate) hash: Hash,
    pub(crate) symbols: Vec<Symbol>,
    /// Names of the versions 2, 3, …
    pub(crate) versions: Vec<&'static str>,
    /// Tags whose values are strings: 1 `DT_NEEDED`, 14 `DT_SONAME`, 15 `DT_RPATH`, 29 `DT_RUNPATH`.
    pub(crate) strings: Vec<(u32, String)>,
    pub(crate) flags_1: u32,
}

impl Default for Elf {
    fn default() -> Self {
        Self {
            wide: false,
            machine: 3,
            file_type: 3,
            hash: Hash::SystemV,
            symbols: Vec::new(),
            versions: Vec::new(),
            strings: Vec::new(),
            flags_1: 0,
        }
    }
}

impl Elf {
    fn word(&self, file: &mut Bytes, value: u32) {
        if self.wide {
            file.u64(value.into())
        } else {
            file.u32(value)
        };
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut body = Bytes::default();
        body.pad_to(0x200);
        let mut strings = Bytes::default();
        strings.raw(&[0]);
        let mut string = |text: &[u8]| {
            let at = strings.here();
            strings.raw(text).raw(&[0]);
            at
        };
        let symbols_at = body.here();
        body.raw(&[0; 24][..if self.wide { 24 } else { 16 }]);
        for symbol in &self.symbols {
            let (name, info) = (string(symbol.name), symbol.binding << 4 | symbol.kind);
            let value = if symbol.section == 0 { 0 } else { 0x100 };
            if self.wide {
                body.u32(name).raw(&[info, symbol.visibility]).u16(symbol.section).u64(value.into()).u64(4);
            } else {
                body.u32(name).u32(value).u32(4).raw(&[info, symbol.visibility]).u16(symbol.section);
            }
        }
        let mut tags = vec![(6, symbols_at)];
        self.hash_table(&mut body, &mut tags);
        if !self.versions.is_empty() {
            tags.push((0x6fff_fff0, body.here()));
            body.u16(0);
            for symbol in &self.symbols {
                body.u16(symbol.version);
            }
            tags.extend([(0x6fff_fffc, body.here()), (0x6fff_fffd, u32::try_from(self.versions.len()).unwrap())]);
            for (number, name) in (2..).zip(&self.versions) {
                body.u16(1).u16(0).u16(number).u16(1).u32(0).u32(20).u32(28).u32(string(name.as_bytes())).u32(0);
            }
        }
        tags.extend(self.strings.iter().map(|(tag, text)| (*tag, string(text.as_bytes()))));
        tags.extend([(5, body.here()), (10, strings.here()), (0x6fff_fffb, self.flags_1), (0, 0)]);
        body.raw(&strings.0);
        let dynamic_at = body.here();
        for (tag, value) in &tags {
            self.word(&mut body, *tag);
            self.word(&mut body, *value);
        }
        let dynamic = (dynamic_at, body.here() - dynamic_at);
        let mut file = self.headers(body.here(), dynamic);
        file.raw(&body.0[file.0.len()..]);
        file.0
    }

    fn hash_table(&self, body: &mut Bytes, tags: &mut Vec<(u32, u32)>) {
        let count = u32::try_from(self.symbols.len()).unwrap() + 1;
        match self.hash {
            Hash::SystemV => {
                tags.push((4, body.here()));
                body.u32(1).u32(count).u32(0).raw(&vec![0; 4 * count as usize]);
            }
            Hash::Gnu => {
                tags.push((0x6fff_fef5, body.here()));
                // One bucket, symbols from number 1, one bloom word; the last value of the chain is odd.
                body.u32(1).u32(1).u32(1).u32(0);
                self.word(body, 0);
                body.u32(u32::from(count > 1));
                for index in 1..count {
                    body.u32(u32::from(index + 1 == count));
                }
            }
            Hash::None => {}
        }
    }

    fn headers(&self, length: u32, dynamic: (u32, u32)) -> Bytes {
        let mut file = Bytes::default();
        file.raw(b"\x7fELF").raw(&[if self.wide { 2 } else { 1 }, 1, 1, 0]).pad_to(16);
        file.u16(self.file_type).u16(self.machine).u32(1);
        self.word(&mut file, 0);
        self.word(&mut file, if self.wide { 64 } else { 52 });
        self.word(&mut file, 0);
        let (header, entry) = if self.wide { (64, 56) } else { (52, 32) };
        file.u32(0).u16(header).u16(entry).u16(2).u16(0).u16(0).u16(0);
        for (kind, flags, (offset, size)) in [(1, 5, (0, length)), (2, 6, dynamic)] {
            if self.wide {
                file.u32(kind).u32(flags).u64(offset.into()).u64(offset.into()).u64(offset.into());
                file.u64(size.into()).u64(size.into()).u64(4);
            } else {
                file.u32(kind).u32(offset).u32(offset).u32(offset).u32(size).u32(size).u32(flags).u32(4);
            }
        }
        file
    }
}
