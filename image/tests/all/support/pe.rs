//! PE files of two sections: code at `TEXT`, tables at `DATA`.

use super::Bytes;

pub(crate) const TEXT: u32 = 0x1000;
pub(crate) const DATA: u32 = 0x2000;
pub(crate) const IMAGE_BASE: u32 = 0x1000_0000;

pub(crate) const EXPORTS: usize = 0;
pub(crate) const IMPORTS: usize = 1;
pub(crate) const RESOURCES: usize = 2;
pub(crate) const DELAYED: usize = 13;
pub(crate) const CLR: usize = 14;

#[derive(Clone)]
pub(crate) struct Pe {
    pub(crate) machine: u16,
    pub(crate) wide: bool,
    pub(crate) characteristics: u16,
    pub(crate) subsystem: u16,
    pub(crate) directories: [(u32, u32); 16],
    pub(crate) data: Bytes,
}

impl Default for Pe {
    fn default() -> Self {
        Self {
            machine: 0x14c,
            wide: false,
            characteristics: 0x2102,
            subsystem: 2,
            directories: [(0, 0); 16],
            data: Bytes::default(),
        }
    }
}

/// One entry of the address table.
pub(crate) enum Entry {
    Code(u32),
    Data(u32),
    Forward(&'static str),
    Gap,
}

impl Pe {
    /// Address of the next byte of the data section.
    pub(crate) fn here(&self) -> u32 {
        DATA + self.data.here()
    }

    pub(crate) fn string(&mut self, text: &[u8]) -> u32 {
        let at = self.here();
        self.data.raw(text).raw(&[0]);
        at
    }

    /// An export directory with the names in front of it, outside its size.
    pub(crate) fn exports(mut self, base: u32, entries: &[Entry], names: &[(&[u8], u16)]) -> Self {
        let library = self.string(b"test.dll");
        let names: Vec<_> = names.iter().map(|(name, index)| (self.string(name), *index)).collect();
        let start = self.here();
        let count = u32::try_from(entries.len()).unwrap();
        let named_count = u32::try_from(names.len()).unwrap();
        let functions_at = start + 40;
        let names_at = functions_at + 4 * count;
        let ordinals_at = names_at + 4 * named_count;
        let mut text_at = ordinals_at + 2 * named_count;
        let mut forwards = Bytes::default();
        self.data.u32(0).u32(0).u32(0).u32(library).u32(base).u32(count).u32(named_count);
        self.data.u32(functions_at).u32(names_at).u32(ordinals_at);
        for entry in entries {
            let address = match entry {
                Entry::Code(offset) => TEXT + offset,
                Entry::Data(offset) => DATA + offset,
                Entry::Gap => 0,
                Entry::Forward(target) => {
                    forwards.raw(target.as_bytes()).raw(&[0]);
                    let at = text_at;
                    text_at += u32::try_from(target.len()).unwrap() + 1;
                    at
                }
            };
            self.data.u32(address);
        }
        for (name, _) in &names {
            self.data.u32(*name);
        }
        for (_, index) in &names {
            self.data.u16(*index);
        }
        self.data.raw(&forwards.0);
        self.directories[EXPORTS] = (start, self.here() - start);
        self
    }

    /// Imports of one function (`Imported`) from each library.
    pub(crate) fn imports(mut self, libraries: &[&str]) -> Self {
        let hint = self.here();
        self.data.u16(0).raw(b"Imported\0");
        let thunks = self.here();
        if self.wide {
            self.data.u64(hint.into()).u64(0)
        } else {
            self.data.u32(hint).u32(0)
        };
        let names: Vec<_> = libraries.iter().map(|name| self.string(name.as_bytes())).collect();
        let start = self.here();
        for name in names {
            self.data.u32(thunks).u32(0).u32(0).u32(name).u32(thunks);
        }
        self.data.raw(&[0; 20]);
        self.directories[IMPORTS] = (start, self.here() - start);
        self
    }

    /// A delay-load directory, with relative addresses or as Visual C++ 6 wrote it.
    pub(crate) fn delayed(mut self, library: &str, relative: bool) -> Self {
        let name = self.string(library.as_bytes());
        let thunks = self.here();
        self.data.u32(thunks).u32(thunks).u32(0);
        let start = self.here();
        let base = if relative { 0 } else { IMAGE_BASE };
        self.data.u32(u32::from(relative)).u32(base + name).u32(0).u32(0).u32(base + thunks).u32(0).u32(0).u32(0);
        self.data.raw(&[0; 32]);
        self.directories[DELAYED] = (start, 64);
        self
    }

    /// A CLR header with these flags.
    pub(crate) fn dotnet(mut self, flags: u32) -> Self {
        let start = self.here();
        self.data.u32(72).u16(2).u16(5).u64(0).u32(flags).raw(&[0; 52]);
        self.directories[CLR] = (start, 72);
        self
    }

    /// A version resource of file 1.2.3.4 and product 5.6.7.8, with these strings.
    pub(crate) fn version(mut self, strings: &[(&str, &str)]) -> Self {
        let strings: Vec<u8> = strings.iter().flat_map(|(key, value)| block(key, &utf16(value), true, &[])).collect();
        let table = block("040904B0", &[], true, &strings);
        let info = block("StringFileInfo", &[], true, &table);
        let mut fixed = Bytes::default();
        fixed.u32(0xFEEF_04BD).u32(0x1_0000).u32(0x1_0002).u32(0x3_0004).u32(0x5_0006).u32(0x7_0008).raw(&[0; 28]);
        let resource = block("VS_VERSION_INFO", &fixed.0, false, &info);
        let start = self.data.0.len().next_multiple_of(4);
        self.data.pad_to(start);
        let start = self.here();
        // Type 16, name 1, language 0x409, and the entry that has the address.
        for (id, to) in [(16, 0x8000_0000_u32 + 24), (1, 0x8000_0000 + 48), (0x409, 72)] {
            self.data.raw(&[0; 12]).u16(0).u16(1).u32(id).u32(to);
        }
        self.data.u32(start + 88).u32(u32::try_from(resource.len()).unwrap()).u64(0).raw(&resource);
        self.directories[RESOURCES] = (start, self.here() - start);
        self
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut file = Bytes::default();
        file.raw(b"MZ").pad_to(0x3c).u32(0x40).raw(b"PE\0\0");
        let optional: u16 = if self.wide { 112 + 128 } else { 96 + 128 };
        file.u16(self.machine).u16(2).u32(0).u32(0).u32(0).u16(optional).u16(self.characteristics);
        file.u16(if self.wide { 0x20b } else { 0x10b }).u16(0).u32(0).u32(0).u32(0).u32(0).u32(TEXT);
        if self.wide {
            file.u64(IMAGE_BASE.into())
        } else {
            file.u32(DATA).u32(IMAGE_BASE)
        };
        file.u32(0x1000).u32(0x200).u64(0).u64(4).u32(0x4000).u32(0x400).u32(0).u16(self.subsystem).u16(0);
        let words = if self.wide { 8 } else { 4 };
        for _ in 0..words {
            file.u32(0x1000);
        }
        file.u32(0).u32(16);
        for (address, size) in &self.directories {
            file.u32(*address).u32(*size);
        }
        let data = self.data.here();
        let raw = data.next_multiple_of(0x200);
        section(&mut file, *b".text\0\0\0", (0x100, TEXT, 0x200, 0x400), 0x6000_0020);
        section(&mut file, *b".data\0\0\0", (data, DATA, raw, 0x600), 0xc000_0040);
        file.pad_to(0x600).raw(&self.data.0).pad_to(0x600 + raw as usize);
        file.0
    }
}

fn section(file: &mut Bytes, name: [u8; 8], (size, address, raw, offset): (u32, u32, u32, u32), flags: u32) {
    file.raw(&name).u32(size).u32(address).u32(raw).u32(offset).u32(0).u32(0).u32(0).u32(flags);
}

/// UTF-16 with its NUL.
fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// A block of a version resource, up to where the next one may begin.
fn block(key: &str, value: &[u8], is_text: bool, children: &[u8]) -> Vec<u8> {
    let mut bytes = Bytes::default();
    let length = if is_text { value.len() / 2 } else { value.len() };
    bytes.u16(0).u16(u16::try_from(length).unwrap()).u16(u16::from(is_text)).raw(&utf16(key));
    let value_at = bytes.0.len().next_multiple_of(4);
    bytes.pad_to(value_at).raw(value);
    let mut bytes = bytes.0;
    if !children.is_empty() {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(children);
    }
    let length = u16::try_from(bytes.len()).unwrap().to_le_bytes();
    bytes[..2].copy_from_slice(&length);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
