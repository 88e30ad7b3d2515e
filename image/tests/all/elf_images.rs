//! ELF files of unusual shape. None of them has section headers.

use super::support::elf::{Elf, Hash, IFUNC, NOTYPE, OBJECT, Symbol, WEAK, function};
use bridge32_image::{Architecture, ExportKind, Image, ImageError, Kind};

fn parse(elf: &Elf) -> Image {
    Image::parse(&elf.build()).unwrap()
}

fn names(image: &Image) -> Vec<&str> {
    image.exports.iter().map(|export| export.name.as_deref().unwrap()).collect()
}

#[test]
fn each_way_to_count_the_symbols_finds_them() {
    for wide in [false, true] {
        for hash in [Hash::SystemV, Hash::Gnu, Hash::None] {
            let symbols = vec![function(b"one"), function(b"two")];
            let machine = if wide { 62 } else { 3 };
            let image = parse(&Elf { wide, machine, hash, symbols, ..Elf::default() });
            assert_eq!(names(&image), ["one", "two"]);
            assert_eq!(image.architecture.pointer_size(), if wide { 8 } else { 4 });
            assert_eq!(image.kind, Kind::Library);
        }
    }
}

#[test]
fn a_library_that_exports_nothing_has_no_exports() {
    for hash in [Hash::SystemV, Hash::Gnu, Hash::None] {
        assert!(parse(&Elf { hash, ..Elf::default() }).exports.is_empty());
    }
}

#[test]
fn only_what_others_can_use_is_an_export() {
    let symbols = vec![
        Symbol { binding: 0, ..function(b"local") },
        Symbol { section: 0, ..function(b"imported") },
        Symbol { visibility: 2, ..function(b"hidden") },
        Symbol { visibility: 3, ..function(b"protected") },
        Symbol { binding: WEAK, ..function(b"weak") },
        Symbol { binding: 10, kind: OBJECT, ..function(b"unique") },
        Symbol { kind: IFUNC, ..function(b"chosen_at_load") },
        Symbol { kind: NOTYPE, ..function(b"assembly") },
        Symbol { kind: 6, ..function(b"thread_local") },
    ];
    let image = parse(&Elf { symbols, ..Elf::default() });
    let found: Vec<_> = image.exports.iter().map(|export| (export.name.as_deref().unwrap(), export.kind)).collect();
    let (function, data) = (ExportKind::Function, ExportKind::Data);
    assert_eq!(
        found,
        [
            ("protected", function),
            ("weak", function),
            ("unique", data),
            ("chosen_at_load", function),
            ("assembly", function),
            ("thread_local", data)
        ]
    );
}

#[test]
fn versions_are_told_and_the_name_stays_bare() {
    let symbols = vec![
        Symbol { version: 2 | 0x8000, ..function(b"f") },
        Symbol { version: 3, ..function(b"f") },
        Symbol { version: 0, ..function(b"kept_in") },
        Symbol { version: 2, section: 0xfff1, kind: OBJECT, ..function(b"V_1") },
        function(b"unversioned"),
    ];
    let image = parse(&Elf { symbols, versions: vec!["V_1", "V_2"], ..Elf::default() });
    let found: Vec<_> =
        image.exports.iter().map(|e| (e.name.as_deref().unwrap(), e.version.as_deref(), e.hidden)).collect();
    assert_eq!(found, [("f", Some("V_1"), true), ("f", Some("V_2"), false), ("unversioned", None, false)]);
}

#[test]
fn needed_libraries_soname_and_search_paths_are_read() {
    let strings = [(1, "libc.so.6"), (1, "libvendor.so"), (14, "libme.so.1"), (29, "$ORIGIN/lib:/opt/x"), (15, "/old")];
    let image = parse(&Elf { strings: strings.map(|(tag, text)| (tag, text.to_owned())).to_vec(), ..Elf::default() });
    assert_eq!(image.internal_name.as_deref(), Some("libme.so.1"));
    assert_eq!(image.dependencies.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["libc.so.6", "libvendor.so"]);
    assert_eq!((image.runpath, image.rpath), (vec!["$ORIGIN/lib".into(), "/opt/x".into()], vec!["/old".into()]));
}

#[test]
fn x32_is_not_taken_for_i386() {
    assert_eq!(parse(&Elf { machine: 62, ..Elf::default() }).architecture, Architecture::X32);
    assert_eq!(parse(&Elf { machine: 183, wide: true, ..Elf::default() }).architecture, Architecture::Aarch64);
    assert_eq!(parse(&Elf { machine: 40, ..Elf::default() }).architecture, Architecture::Arm);
}

#[test]
fn programs_and_object_files_are_no_libraries() {
    assert_eq!(parse(&Elf { file_type: 2, ..Elf::default() }).kind, Kind::Program);
    assert_eq!(parse(&Elf { file_type: 1, ..Elf::default() }).kind, Kind::Object);
    assert_eq!(parse(&Elf { flags_1: 0x0800_0000, ..Elf::default() }).kind, Kind::Program, "position-independent");
}

#[test]
fn cut_files_are_called_cut() {
    let bytes = Elf { symbols: vec![function(b"f")], ..Elf::default() }.build();
    assert!(matches!(Image::parse(&bytes[..bytes.len() - 1]), Err(ImageError::Truncated { what: "a segment", .. })));
    assert!(matches!(Image::parse(&bytes[..60]), Err(ImageError::Truncated { what: "its program headers", .. })));
    assert!(matches!(Image::parse(&bytes[..20]), Err(ImageError::Truncated { what: "its ELF header", .. })));
    assert!(matches!(Image::parse(&bytes[..4]), Err(ImageError::Truncated { .. })));
}

#[test]
fn a_count_of_symbols_that_the_file_cannot_hold_is_bounded() {
    let mut bytes = Elf { symbols: vec![function(b"f")], ..Elf::default() }.build();
    // The hash table follows the two symbols of 16 bytes at 0x200; its second number is the count.
    bytes[0x224..0x228].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(Image::parse(&bytes).is_ok_and(|image| image.exports.len() <= 1));
}
