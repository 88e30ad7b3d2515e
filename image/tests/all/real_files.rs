//! Libraries that nobody here wrote. They come with the packages that the set-up installs (`lib32z1`, `libc6-i386`,
//! `libz-mingw-w64`); a missing file is a failure.

use std::path::Path;

use bridge32_image::dependencies::{Fault, check};
use bridge32_image::diagnose::{Finding, Wanted, diagnose};
use bridge32_image::lookup::{Lookup, find};
use bridge32_image::{Architecture, ExportKind, Format, Image, Kind, search};

use super::support::pe::Pe;

const ZLIB_ELF: &str = "/usr/lib32/libz.so.1";
const LIBC_ELF: &str = "/lib32/libc.so.6";
const ZLIB_PE: &str = "/usr/i686-w64-mingw32/lib/zlib1.dll";

fn open(path: &str) -> Image {
    Image::open(Path::new(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn export<'a>(image: &'a Image, name: &str) -> &'a bridge32_image::Export {
    match find(&image.exports, name, None) {
        Lookup::Found { export, .. } => export,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn zlib_as_elf() {
    let image = open(ZLIB_ELF);
    assert_eq!((image.format, image.architecture, image.kind), (Format::Elf, Architecture::X86, Kind::Library));
    assert_eq!(image.internal_name.as_deref(), Some("libz.so.1"));
    assert_eq!(image.runtime(), Some("linux32"));
    assert_eq!(image.dependencies[0].name, "libc.so.6");
    for name in ["crc32", "compress2", "uncompress", "inflate", "zlibVersion"] {
        assert_eq!(export(&image, name).kind, ExportKind::Function, "{name}");
    }
    assert_eq!(export(&image, "inflateGetDictionary").version.as_deref(), Some("ZLIB_1.2.7.1"));
    assert!(!image.exports.iter().any(|export| export.name.as_deref() == Some("ZLIB_1.2.7.1")));
    assert!(!image.exports.iter().any(|export| export.name.as_deref() == Some("malloc")), "malloc is an import");
    assert!(image.warnings.is_empty());
}

#[test]
fn libc_as_elf() {
    let image = open(LIBC_ELF);
    assert_eq!(image.kind, Kind::Library, "it has an interpreter and is still a library");
    assert!(image.exports.len() > 2000);
    assert_eq!(export(&image, "environ").kind, ExportKind::Data);
    assert_eq!(export(&image, "memcpy").kind, ExportKind::Function, "chosen at load");
    let old = image.exports.iter().filter(|export| export.name.as_deref() == Some("glob") && export.hidden).count();
    assert!(old >= 1, "old versions of a name are listed too");
    assert!(!export(&image, "glob").hidden);
    assert_eq!(export(&image, "printf").version.as_deref(), Some("GLIBC_2.0"));
}

#[test]
fn zlib_as_pe() {
    let image = open(ZLIB_PE);
    assert_eq!((image.format, image.architecture, image.kind), (Format::Pe, Architecture::X86, Kind::Library));
    assert_eq!(image.internal_name.as_deref(), Some("zlib1.dll"));
    assert_eq!(image.runtime(), Some("win32"));
    let crc32 = export(&image, "crc32");
    assert_eq!(crc32.kind, ExportKind::Function);
    assert!(crc32.ordinal.is_some() && crc32.address.is_some());
    let mut needed: Vec<_> = image.dependencies.iter().map(|d| d.name.to_ascii_lowercase()).collect();
    needed.sort();
    assert_eq!(needed, ["kernel32.dll", "msvcrt.dll"]);
    assert!(image.dependencies.iter().all(|dependency| dependency.imports.is_some_and(|count| count > 0)));
}

#[test]
fn the_test_itself_is_a_program_of_its_own_architecture() {
    let image = Image::open(&std::env::current_exe().unwrap()).unwrap();
    assert_eq!((image.architecture, image.kind), (Architecture::of_this_process(), Kind::Program));
    let other = if image.architecture == Architecture::X86 { "linux64" } else { "linux32" };
    let findings = diagnose(&image, Wanted::by_runtime(other).unwrap());
    assert!(findings.iter().any(|finding| matches!(finding, Finding::WrongArchitecture { .. })));
    assert!(findings[0].is_fatal());
}

#[test]
fn what_the_32_bit_zlib_needs_is_found_on_this_system() {
    let image = open(ZLIB_ELF);
    let report = check(&image, "libz.so.1", Some(Path::new(ZLIB_ELF)), &search::linux(Vec::<String>::new()));
    assert_eq!(report.problems, []);
    assert!(report.looked_for >= 2, "libc.so.6 and the loader");
}

#[test]
fn what_is_missing_in_an_empty_folder_is_named() {
    let image = open(ZLIB_PE);
    let folder = tempfile::tempdir().unwrap();
    let report = check(&image, "zlib1.dll", None, &search::windows([folder.path()]));
    let mut texts: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    texts.sort();
    assert_eq!(texts, ["zlib1.dll → KERNEL32.dll (missing)", "zlib1.dll → msvcrt.dll (missing)"]);
    // A file of that name in other case, for another architecture.
    let other = Pe { machine: 0x8664, wide: true, ..Pe::default() };
    std::fs::write(folder.path().join("Kernel32.DLL"), other.build()).unwrap();
    let report = check(&image, "zlib1.dll", None, &search::windows([folder.path()]));
    let other = report.problems.iter().find(|problem| problem.name() == "KERNEL32.dll").unwrap();
    assert!(matches!(other.fault, Fault::OtherArchitecture { architecture: Architecture::X86_64, .. }), "{other}");
}
