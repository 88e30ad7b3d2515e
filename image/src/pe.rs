//! PE files: headers, and the way from an address in the image to bytes of the file.
//!
//! Source: Microsoft, "PE Format". Structures come from the `object` crate; the tables are walked here because loaders
//! accept more than that crate does (names outside the export directory, many names for one ordinal).

use object::LittleEndian as LE;
use object::Pod;
use object::pe;
use object::read::ReadRef as _;
use object::read::pe::{ImageNtHeaders, ImageOptionalHeader, optional_header_magic};

use crate::architecture::Architecture;
use crate::budget::{Budget, Warnings, c_string};
use crate::error::ImageError;
use crate::looks::Looks;
use crate::model::{Dotnet, Format, Image, Kind};
use crate::parse::Scope;

mod exports;
mod imports;
mod version;

/// Most sections that are read; linkers write some ten, or some hundred for single functions.
const MAX_SECTIONS: usize = 4096;
/// Size of a page of memory in bytes.
const PAGE: u32 = 0x1000;
/// `COMIMAGE_FLAGS_ILONLY` of the CLI header (ECMA-335 II.25.3.3.1): no native code.
const COMIMAGE_FLAGS_ILONLY: u32 = 1;

/// Reads `data`, which begins with `MZ`.
pub(crate) fn parse(data: &[u8], scope: Scope) -> Result<Image, ImageError> {
    match optional_header_magic(data) {
        Ok(pe::IMAGE_NT_OPTIONAL_HDR32_MAGIC) => parse_as::<pe::ImageNtHeaders32>(data, scope),
        Ok(pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC) => parse_as::<pe::ImageNtHeaders64>(data, scope),
        Ok(_) => Err(ImageError::malformed("the optional header has an unknown magic number")),
        Err(_) => Err(not_pe(data)),
    }
}

/// Why a file that begins with `MZ` has no PE headers.
fn not_pe(data: &[u8]) -> ImageError {
    let offset = pe::ImageDosHeader::parse(data).map_or(0, pe::ImageDosHeader::nt_headers_offset);
    let needed = u64::from(offset) + size_of::<pe::ImageNtHeaders32>() as u64;
    let signature = usize::try_from(offset).ok().and_then(|offset| data.get(offset..)?.get(..4));
    if offset >= 0x40 && (signature == Some(b"PE\0\0") || signature.is_none()) && needed > data.len() as u64 {
        return ImageError::Truncated { what: "its PE header", needed, size: data.len() as u64 };
    }
    ImageError::NotALibrary { looks: Looks::of(data) }
}

fn parse_as<Nt: ImageNtHeaders>(data: &[u8], scope: Scope) -> Result<Image, ImageError> {
    let layout = Layout::read::<Nt>(data)?;
    let mut budget = Budget::for_file(data.len());
    let mut warnings = Warnings::default();
    let mut dependencies = imports::read::<Nt>(&layout, &mut budget, &mut warnings)?;
    imports::read_delayed::<Nt>(&layout, &mut dependencies, &mut budget, &mut warnings)?;
    let (internal_name, exports) = match scope {
        Scope::Everything => exports::read(&layout, &mut budget, &mut warnings)?,
        Scope::Dependencies => (None, Vec::new()),
    };
    let version = match scope {
        Scope::Everything => version::read(&layout, &mut budget, &mut warnings),
        Scope::Dependencies => None,
    };
    Ok(Image {
        version,
        gnu: layout.is_gnu(),
        format: Format::Pe,
        architecture: layout.architecture,
        kind: layout.kind,
        dotnet: dotnet(&layout),
        internal_name,
        exports,
        dependencies,
        rpath: Vec::new(),
        runpath: Vec::new(),
        warnings: warnings.into_vec(),
    })
}

fn dotnet(layout: &Layout<'_>) -> Dotnet {
    let Some((address, _)) = layout.directory(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR) else { return Dotnet::None };
    // `Flags` is at offset 16 of the CLI header.
    match layout.read_at::<object::U32<LE>>(address.saturating_add(16)) {
        Some(flags) if flags.get(LE) & COMIMAGE_FLAGS_ILONLY == 0 => Dotnet::Mixed,
        _ => Dotnet::Managed,
    }
}

/// A section as it lies in the image and in the file.
struct Section<'data> {
    start: u32,
    /// Bytes in memory.
    length: u32,
    /// What of it is in the file.
    data: &'data [u8],
    executable: bool,
    /// It has a name that Borland's linkers give.
    borland: bool,
}

/// The parts of a PE file that the tables need.
struct Layout<'data> {
    architecture: Architecture,
    kind: Kind,
    image_base: u64,
    headers: &'data [u8],
    /// Sorted by address.
    sections: Vec<Section<'data>>,
    directories: &'data [pe::ImageDataDirectory],
    /// The first part of the linker's version.
    linker: u8,
}

impl<'data> Layout<'data> {
    fn read<Nt: ImageNtHeaders>(data: &'data [u8]) -> Result<Self, ImageError> {
        let dos = pe::ImageDosHeader::parse(data).map_err(|_| ImageError::malformed("no DOS header"))?;
        let mut offset = u64::from(dos.nt_headers_offset());
        let nt = data.read::<Nt>(&mut offset).map_err(|()| ImageError::Truncated {
            what: "its PE header",
            needed: u64::from(dos.nt_headers_offset()) + size_of::<Nt>() as u64,
            size: data.len() as u64,
        })?;
        let file_header = nt.file_header();
        let optional = nt.optional_header();
        let characteristics = file_header.characteristics.get(LE);
        let rest = u64::from(file_header.size_of_optional_header.get(LE))
            .checked_sub(size_of::<Nt::ImageOptionalHeader>() as u64)
            .ok_or_else(|| ImageError::malformed_at("the optional header is too short", offset))?;
        let directories = directories(data, offset, rest, optional.number_of_rva_and_sizes());
        let sections_at = offset + rest;
        let headers_end = usize::try_from(optional.size_of_headers()).unwrap_or(usize::MAX).min(data.len());
        Ok(Self {
            architecture: Architecture::from_pe(file_header.machine.get(LE).0, nt.is_type_64()),
            kind: if characteristics.contains(pe::IMAGE_FILE_DLL) {
                Kind::Library
            } else if optional.subsystem() == pe::IMAGE_SUBSYSTEM_NATIVE {
                Kind::Driver
            } else {
                Kind::Program
            },
            image_base: optional.image_base(),
            headers: &data[..headers_end],
            sections: sections(
                data,
                sections_at,
                file_header.number_of_sections.get(LE),
                optional.section_alignment(),
            )?,
            directories,
            linker: optional.major_linker_version(),
        })
    }

    /// Whether GNU ld has linked it. It writes its own version, 2.x, as Borland's linker does, which names its sections
    /// otherwise; Microsoft's versions have been 3 and more since Windows 95.
    fn is_gnu(&self) -> bool {
        self.linker == 2 && self.sections.iter().all(|section| !section.borland)
    }

    /// Address and size in bytes of a data directory, if the file has it.
    fn directory(&self, index: usize) -> Option<(u32, u32)> {
        let directory = self.directories.get(index)?;
        let (address, size) = (directory.virtual_address.get(LE), directory.size.get(LE));
        (address != 0 && size != 0).then_some((address, size))
    }

    fn section_at(&self, address: u32) -> Option<&Section<'data>> {
        let after = self.sections.partition_point(|section| section.start <= address);
        let section = self.sections[..after].last()?;
        (address - section.start < section.length).then_some(section)
    }

    /// The file's bytes from `address` to the end of the section that holds it.
    fn at(&self, address: u32) -> Option<&'data [u8]> {
        if let Some(section) = self.section_at(address) {
            return section.data.get(usize::try_from(address - section.start).ok()?..);
        }
        // The headers are mapped at address 0.
        self.headers.get(usize::try_from(address).ok()?..)
    }

    fn read_at<T: Pod>(&self, address: u32) -> Option<&'data T> {
        self.at(address)?.read_at(0).ok()
    }

    fn slice_at<T: Pod>(&self, address: u32, count: usize) -> Option<&'data [T]> {
        self.at(address)?.read_slice_at(0, count).ok()
    }

    fn string_at(&self, address: u32) -> Option<&'data [u8]> {
        self.at(address).and_then(c_string)
    }

    fn is_executable(&self, address: u32) -> bool {
        self.section_at(address).is_some_and(|section| section.executable)
    }
}

/// The data directories: as many as are announced, fit in the optional header and are in the file.
fn directories(data: &[u8], at: u64, bytes: u64, announced: u32) -> &[pe::ImageDataDirectory] {
    let fitting = bytes / size_of::<pe::ImageDataDirectory>() as u64;
    let count = fitting.min(u64::from(announced)).min(16);
    usize::try_from(count).ok().and_then(|count| data.read_slice_at(at, count).ok()).unwrap_or_default()
}

fn sections(data: &[u8], at: u64, count: u16, alignment: u32) -> Result<Vec<Section<'_>>, ImageError> {
    let count = usize::from(count);
    if count > MAX_SECTIONS {
        return Err(ImageError::Unsupported { what: "it has more than 4096 sections" });
    }
    let size = data.len() as u64;
    let headers: &[pe::ImageSectionHeader] = data.read_slice_at(at, count).map_err(|()| ImageError::Truncated {
        what: "its section table",
        needed: at + (count * size_of::<pe::ImageSectionHeader>()) as u64,
        size,
    })?;
    let mut sections = headers.iter().map(|header| section(data, header, alignment)).collect::<Result<Vec<_>, _>>()?;
    sections.sort_by_key(|section| section.start);
    Ok(sections)
}

fn section<'data>(
    data: &'data [u8],
    header: &pe::ImageSectionHeader,
    alignment: u32,
) -> Result<Section<'data>, ImageError> {
    let raw_size = header.size_of_raw_data.get(LE);
    // Old linkers leave the virtual size out.
    let length = match header.virtual_size.get(LE) {
        0 => raw_size,
        size => size,
    };
    // The loader rounds the offset down to a disk sector, except in images that are mapped as one piece.
    let sector = if alignment < PAGE { 1 } else { 0x200 };
    let offset = header.pointer_to_raw_data.get(LE) / sector * sector;
    let in_file = if offset == 0 { 0 } else { raw_size.min(length) };
    let (start, end) = (u64::from(offset), u64::from(offset) + u64::from(in_file));
    if in_file != 0 && end > data.len() as u64 {
        return Err(ImageError::Truncated { what: "a section", needed: end, size: data.len() as u64 });
    }
    Ok(Section {
        start: header.virtual_address.get(LE),
        length,
        data: data.read_bytes_at(start, u64::from(in_file)).unwrap_or_default(),
        executable: header.characteristics.get(LE).contains(pe::IMAGE_SCN_MEM_EXECUTE),
        borland: [b"CODE\0\0\0\0", b"DATA\0\0\0\0"].contains(&&header.name),
    })
}
