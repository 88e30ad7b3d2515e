//! ELF files, read as a loader reads them: through the program headers and the dynamic section, never the section headers,
//! which may be stripped.
//!
//! Source: System V gABI, chapters 4 and 5; the Linux Standard Base, "Symbol Versioning".

use object::elf::{self, DynamicTag, FileHeader32, FileHeader64};
use object::read::ReadRef as _;
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use object::{Endianness, Pod};

use crate::architecture::Architecture;
use crate::budget::{Budget, MAX_DEPENDENCIES, Warnings, c_string};
use crate::error::ImageError;
use crate::model::{Dependency, Dotnet, Format, Image, Kind};
use crate::parse::Scope;
use crate::text::escape;

mod symbols;
mod versions;

/// Most program headers that are read; linkers write some ten.
const MAX_SEGMENTS: usize = 1024;
/// Most entries of the dynamic section that are read.
const MAX_DYNAMIC: usize = 100_000;

/// Reads `data`, which begins with the ELF magic number.
pub(crate) fn parse(data: &[u8], scope: Scope) -> Result<Image, ImageError> {
    // Offset 4 of the identification is the class.
    match data.get(4).copied() {
        Some(1) => parse_as::<FileHeader32<Endianness>>(data, scope),
        Some(2) => parse_as::<FileHeader64<Endianness>>(data, scope),
        Some(_) => Err(ImageError::malformed_at("the ELF class is neither 32 nor 64 bits", 4u8)),
        None => Err(truncated_header(data)),
    }
}

fn truncated_header(data: &[u8]) -> ImageError {
    ImageError::Truncated { what: "its ELF header", needed: 64, size: data.len() as u64 }
}

fn parse_as<Elf: FileHeader<Endian = Endianness>>(data: &[u8], scope: Scope) -> Result<Image, ImageError> {
    if data.len() < size_of::<Elf>() {
        return Err(truncated_header(data));
    }
    let header = Elf::parse(data).map_err(|_| ImageError::malformed("the ELF identification is not valid"))?;
    let endian = header.endian().map_err(|_| ImageError::malformed_at("the byte order is not valid", 5u8))?;
    let architecture = Architecture::from_elf(header.e_machine(endian).0, header.is_type_64());
    let little = matches!(architecture, Architecture::X86 | Architecture::X86_64 | Architecture::X32);
    if little && endian == Endianness::Big {
        return Err(ImageError::malformed_at("x86 code in big-endian byte order", 5u8));
    }
    let memory = Memory::<Elf>::read(data, header, endian)?;
    let dynamic = Dynamic::read(&memory);
    let mut budget = Budget::for_file(data.len());
    let mut warnings = Warnings::default();
    let mut strings = |tag| dynamic.strings_of(tag, &mut budget, &mut warnings);
    let dependencies = strings(elf::DT_NEEDED)?;
    let internal_name = strings(elf::DT_SONAME)?.into_iter().next();
    let rpath = split_path(&strings(elf::DT_RPATH)?);
    let runpath = split_path(&strings(elf::DT_RUNPATH)?);
    let exports = match scope {
        Scope::Everything => symbols::read(&memory, &dynamic, &mut budget, &mut warnings)?,
        Scope::Dependencies => Vec::new(),
    };
    Ok(Image {
        gnu: true,
        format: Format::Elf,
        architecture,
        kind: kind(&memory, &dynamic, header.e_type(endian), internal_name.is_some()),
        dotnet: Dotnet::None,
        internal_name,
        version: None,
        exports,
        dependencies: dependencies.into_iter().map(|name| Dependency { name, delayed: false, imports: None }).collect(),
        rpath,
        runpath,
        warnings: warnings.into_vec(),
    })
}

/// Position-independent programs are `ET_DYN` as libraries are. Linkers mark them with `DF_1_PIE`; old ones did not, but
/// a program has an interpreter and no soname (libc.so.6 has both).
fn kind<Elf: FileHeader<Endian = Endianness>>(
    memory: &Memory<'_, Elf>,
    dynamic: &Dynamic<'_, Elf>,
    file_type: elf::FileType,
    has_soname: bool,
) -> Kind {
    let pie = dynamic.value(elf::DT_FLAGS_1).is_some_and(|flags| flags & elf::DF_1_PIE.0 != 0);
    let interpreter = || memory.segments.iter().any(|segment| segment.p_type(memory.endian) == elf::PT_INTERP);
    match file_type {
        elf::ET_REL => Kind::Object,
        elf::ET_CORE => Kind::Core,
        elf::ET_DYN if !pie && (has_soname || !interpreter()) => Kind::Library,
        _ => Kind::Program,
    }
}

/// Splits search paths at colons.
fn split_path(paths: &[String]) -> Vec<String> {
    paths.iter().flat_map(|path| path.split(':')).filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

/// The file as its segments lay it out in memory.
struct Memory<'data, Elf: FileHeader> {
    data: &'data [u8],
    endian: Elf::Endian,
    segments: &'data [Elf::ProgramHeader],
}

impl<'data, Elf: FileHeader<Endian = Endianness>> Memory<'data, Elf> {
    fn read(data: &'data [u8], header: &Elf, endian: Endianness) -> Result<Self, ImageError> {
        let size = data.len() as u64;
        let announced = u64::from(header.e_phnum(endian)) * size_of::<Elf::ProgramHeader>() as u64;
        let needed = header.e_phoff(endian).into().saturating_add(announced);
        if header.e_phnum(endian) != 0 && needed > size {
            return Err(ImageError::Truncated { what: "its program headers", needed, size });
        }
        let segments = header
            .program_headers(endian, data)
            .map_err(|_| ImageError::malformed("the program headers cannot be read"))?;
        if segments.len() > MAX_SEGMENTS {
            return Err(ImageError::Unsupported { what: "it has more than 1024 segments" });
        }
        for segment in segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD) {
            let (offset, length) = segment.file_range(endian);
            let needed = offset.saturating_add(length);
            if needed > size {
                return Err(ImageError::Truncated { what: "a segment", needed, size });
            }
        }
        Ok(Self { data, endian, segments })
    }

    /// The file's bytes from `address` to the end of the segment that holds it.
    fn at(&self, address: u64) -> Option<&'data [u8]> {
        self.loaded().find_map(|segment| {
            let offset = address.checked_sub(segment.p_vaddr(self.endian).into())?;
            let data = segment.data(self.endian, self.data).ok()?;
            data.get(usize::try_from(offset).ok()?..).filter(|rest| !rest.is_empty())
        })
    }

    /// Up to `count` structures from `address` on: fewer if the segment ends before.
    fn slice_at<T: Pod>(&self, address: u64, count: usize) -> &'data [T] {
        let data = self.at(address).unwrap_or_default();
        let count = count.min(data.len() / size_of::<T>().max(1));
        data.read_slice_at(0, count).unwrap_or_default()
    }

    fn is_executable(&self, address: u64) -> bool {
        self.loaded().any(|segment| {
            let start = segment.p_vaddr(self.endian).into();
            let executable = segment.p_flags(self.endian).contains(elf::PF_X);
            executable && address.checked_sub(start).is_some_and(|offset| offset < segment.p_memsz(self.endian).into())
        })
    }

    fn loaded(&self) -> impl Iterator<Item = &'data Elf::ProgramHeader> {
        self.segments.iter().filter(|segment| segment.p_type(self.endian) == elf::PT_LOAD)
    }
}

/// The dynamic section: a list of tags and values, and the strings some of them refer to.
struct Dynamic<'data, Elf: FileHeader> {
    endian: Elf::Endian,
    entries: &'data [Elf::Dyn],
    strings: &'data [u8],
}

impl<'data, Elf: FileHeader<Endian = Endianness>> Dynamic<'data, Elf> {
    fn read(memory: &Memory<'data, Elf>) -> Self {
        let endian = memory.endian;
        let segment = memory.segments.iter().find(|segment| segment.p_type(endian) == elf::PT_DYNAMIC);
        let data = segment.and_then(|segment| segment.data(endian, memory.data).ok()).unwrap_or_default();
        let count = (data.len() / size_of::<Elf::Dyn>()).min(MAX_DYNAMIC);
        let entries: &[Elf::Dyn] = data.read_slice_at(0, count).unwrap_or_default();
        let end = entries.iter().position(|entry| entry.d_tag(endian) == elf::DT_NULL).unwrap_or(entries.len());
        let mut dynamic = Self { endian, entries: &entries[..end], strings: &[] };
        let strings = dynamic.value(elf::DT_STRTAB).and_then(|address| memory.at(address)).unwrap_or_default();
        let size = dynamic.value(elf::DT_STRSZ).and_then(|size| usize::try_from(size).ok()).unwrap_or(strings.len());
        dynamic.strings = &strings[..size.min(strings.len())];
        dynamic
    }

    /// The value of the first entry with `tag`.
    fn value(&self, tag: DynamicTag) -> Option<u64> {
        self.values(tag).next()
    }

    fn values(&self, tag: DynamicTag) -> impl Iterator<Item = u64> + 'data {
        let endian = self.endian;
        self.entries.iter().filter(move |entry| entry.d_tag(endian) == tag).map(move |entry| entry.d_val(endian).into())
    }

    /// The string at `offset` of the string table.
    fn string(&self, offset: u64) -> Option<&'data [u8]> {
        self.strings.get(usize::try_from(offset).ok()?..).and_then(c_string)
    }

    /// The strings that entries with `tag` refer to.
    fn strings_of(
        &self,
        tag: DynamicTag,
        budget: &mut Budget,
        warnings: &mut Warnings,
    ) -> Result<Vec<String>, ImageError> {
        let mut strings = Vec::new();
        for offset in self.values(tag) {
            if strings.len() == MAX_DEPENDENCIES {
                return Err(ImageError::Unsupported { what: "it needs more than 4096 libraries" });
            }
            if let Some(bytes) = self.string(offset).filter(|bytes| !bytes.is_empty()) {
                budget.take(bytes.len())?;
                strings.push(escape(bytes));
            } else {
                warnings.push(|| format!("a name in the dynamic section (tag {:#x}) cannot be read", tag.0));
            }
        }
        Ok(strings)
    }
}
