//! PE files of unusual shape.

use super::support::pe::{Entry, Pe};
use bridge32_image::{Architecture, Convention, Dotnet, Export, ExportKind, Image, ImageError, Kind, Looks};

fn parse(pe: &Pe) -> Image {
    Image::parse(&pe.build()).unwrap()
}

fn by_ordinal(image: &Image, ordinal: u32) -> Vec<&Export> {
    image.exports.iter().filter(|export| export.ordinal == Some(ordinal)).collect()
}

#[test]
fn gaps_unnamed_entries_and_several_names_are_listed() {
    let entries = [Entry::Code(0), Entry::Gap, Entry::Code(4), Entry::Data(0), Entry::Code(8)];
    let names: [(&[u8], u16); 4] = [(b"first", 0), (b"second", 2), (b"also_second", 2), (b"variable", 3)];
    let image = parse(&Pe::default().exports(100, &entries, &names));
    assert_eq!(image.internal_name.as_deref(), Some("test.dll"));
    assert_eq!((image.architecture, image.kind), (Architecture::X86, Kind::Library));
    assert_eq!(image.exports.len(), 5);
    assert!(by_ordinal(&image, 101).is_empty(), "a gap is no export");
    let names: Vec<_> = by_ordinal(&image, 102).iter().map(|export| export.name.clone().unwrap()).collect();
    assert_eq!(names, ["second", "also_second"]);
    assert_eq!(by_ordinal(&image, 103)[0].kind, ExportKind::Data);
    let unnamed = by_ordinal(&image, 104)[0];
    assert_eq!((unnamed.name.as_deref(), unnamed.kind, unnamed.address), (None, ExportKind::Function, Some(0x1008)));
    assert!(image.warnings.is_empty());
}

#[test]
fn forwarders_name_another_library() {
    let entries = [Entry::Forward("NTDLL.RtlAllocateHeap"), Entry::Forward("WS2_32.#115"), Entry::Forward("broken")];
    let image = parse(&Pe::default().exports(1, &entries, &[(b"HeapAlloc", 0)]));
    let json = serde_json::to_value(&image).unwrap();
    assert_eq!(
        json["exports"][0],
        serde_json::json!({"name": "HeapAlloc", "ordinal": 1, "kind": "forwarder", "forwarder": "NTDLL.RtlAllocateHeap"})
    );
    assert_eq!(json["exports"][1]["forwarder"], "WS2_32.#115");
    assert_eq!(json["exports"][2]["forwarder"], serde_json::Value::Null);
    assert_eq!(image.warnings.len(), 1);
    assert_eq!(serde_json::from_value::<Image>(json).unwrap(), image);
}

#[test]
fn decorated_and_mangled_names_are_explained() {
    let names: [(&[u8], u16); 4] = [(b"_Add@8", 0), (b"?f@@YAHH@Z", 0), (b"_open", 0), (b"caf\xe9", 0)];
    let image = parse(&Pe::default().exports(1, &[Entry::Code(0)], &names));
    let decoration = image.exports[0].decoration.as_ref().unwrap();
    assert_eq!((decoration.convention, decoration.argument_bytes), (Convention::Stdcall, Some(8)));
    assert_eq!(image.exports[1].demangled.as_deref(), Some("int __cdecl f(int)"));
    assert_eq!(image.exports[2].decoration, None, "_open may be the plain name");
    assert_eq!(image.exports[3].name.as_deref(), Some("caf\\xe9"));
}

#[test]
fn decoration_means_nothing_on_64_bits() {
    let pe = Pe { machine: 0x8664, wide: true, ..Pe::default() };
    let image = parse(&pe.exports(1, &[Entry::Code(0)], &[(b"_Add@8", 0)]).imports(&["KERNEL32.dll"]));
    assert_eq!(image.architecture, Architecture::X86_64);
    assert_eq!(image.exports[0].decoration, None);
    assert_eq!(image.dependencies[0].imports, Some(1));
}

#[test]
fn imports_and_delayed_imports_are_dependencies() {
    for relative in [true, false] {
        let image = parse(&Pe::default().imports(&["A.dll", "b.DLL"]).delayed("later.dll", relative));
        let found: Vec<_> = image.dependencies.iter().map(|d| (d.name.as_str(), d.delayed, d.imports)).collect();
        assert_eq!(found, [("A.dll", false, Some(1)), ("b.DLL", false, Some(1)), ("later.dll", true, Some(2))]);
    }
}

#[test]
fn assemblies_programs_and_drivers_are_told_apart() {
    assert_eq!(parse(&Pe::default().dotnet(1)).dotnet, Dotnet::Managed);
    assert_eq!(parse(&Pe::default().dotnet(0x10)).dotnet, Dotnet::Mixed);
    assert_eq!(parse(&Pe { characteristics: 0x102, ..Pe::default() }).kind, Kind::Program);
    assert_eq!(parse(&Pe { characteristics: 0x102, subsystem: 1, ..Pe::default() }).kind, Kind::Driver);
    assert_eq!(parse(&Pe { machine: 0x1c4, ..Pe::default() }).architecture, Architecture::Arm);
}

#[test]
fn the_version_resource_is_read() {
    let strings = [("CompanyName", "读卡器 <b>GmbH</b>"), ("FileDescription", ""), ("ProductVersion", "5.6 beta")];
    let version = parse(&Pe::default().version(&strings)).version.unwrap();
    assert_eq!((version.file.as_deref(), version.product.as_deref()), (Some("1.2.3.4"), Some("5.6.7.8")));
    let told: Vec<_> = version.strings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(told, [("CompanyName", "读卡器 <b>GmbH</b>"), ("ProductVersion", "5.6 beta")]);
    assert_eq!(parse(&Pe::default()).version, None);
    // One that is damaged does not keep the file from being read.
    let pe = Pe::default().version(&strings);
    let mut bytes = pe.build();
    let key = bytes.windows(6).position(|bytes| bytes == b"V\0S\0_\0").unwrap();
    bytes[key] = b'X';
    let image = Image::parse(&bytes).unwrap();
    assert_eq!((image.version, image.warnings.len()), (None, 1));
}

#[test]
fn counts_that_no_file_can_hold_are_refused() {
    let pe = Pe::default().exports(1, &[Entry::Code(0)], &[(b"f", 0)]);
    let directory = 0x600 + (pe.directories[0].0 - super::support::pe::DATA) as usize;
    for (field, code) in [(20, "malformed"), (24, "unsupported")] {
        let mut bytes = pe.build();
        bytes[directory + field..directory + field + 4].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
        assert_eq!(Image::parse(&bytes).unwrap_err().code(), code);
    }
    // A name for an entry that does not exist is passed over, and said.
    let image = parse(&Pe::default().exports(1, &[Entry::Code(0)], &[(b"f", 0), (b"g", 9)]));
    assert_eq!((image.exports.len(), image.warnings.len()), (1, 1));
}

#[test]
fn many_names_in_one_place_do_not_fill_the_memory() {
    // 20 000 names that are all the same 60 000 bytes would take more than a gigabyte.
    let mut pe = Pe::default();
    let long = pe.string(&vec![b'a'; 60_000]);
    let names: Vec<(&[u8], u16)> = vec![(b"", 0); 20_000];
    let pe = pe.exports(1, &[Entry::Code(0)], &names);
    let mut bytes = pe.build();
    let at = 0x600 + (pe.directories[0].0 - super::support::pe::DATA) as usize + 40 + 4;
    for pointer in bytes[at..at + 4 * 20_000].chunks_exact_mut(4) {
        pointer.copy_from_slice(&long.to_le_bytes());
    }
    assert!(matches!(Image::parse(&bytes), Err(ImageError::Unsupported { .. })));
}

#[test]
fn cut_files_are_called_cut() {
    let pe = Pe::default().imports(&["A.dll"]);
    let bytes = pe.build();
    let end = 0x600 + pe.data.0.len();
    assert!(Image::parse(&bytes[..end]).is_ok(), "padding may be missing");
    let error = Image::parse(&bytes[..end - 1]).unwrap_err();
    assert!(matches!(error, ImageError::Truncated { what: "a section", .. }), "{error}");
    assert!(matches!(Image::parse(&bytes[..0x60]), Err(ImageError::Truncated { what: "its PE header", .. })));
    assert!(matches!(Image::parse(&bytes[..0x20]), Err(ImageError::NotALibrary { looks: Looks::Dos })));
}
