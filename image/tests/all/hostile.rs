//! Any bytes may be read: nothing panics, nothing takes long or much memory.

use super::support::elf::{Elf, Hash, function};
use super::support::pe::{Entry, Pe};
use bridge32_image::{Image, Looks};
use proptest::prelude::*;

const ZLIB_ELF: &str = "/usr/lib32/libz.so.1";
const ZLIB_PE: &str = "/usr/i686-w64-mingw32/lib/zlib1.dll";

fn seeds() -> Vec<Vec<u8>> {
    let pe = Pe::default()
        .exports(1, &[Entry::Code(0), Entry::Forward("A.b")], &[(b"_f@8", 0), (b"?f@@YAHH@Z", 0)])
        .imports(&["A.dll"])
        .delayed("b.dll", false)
        .dotnet(1)
        .version(&[("CompanyName", "ACME"), ("FileVersion", "1.2")]);
    let elf = Elf {
        symbols: vec![function(b"f"), function(b"_Z1fi")],
        versions: vec!["V_1"],
        strings: vec![(1, "libc.so.6".into()), (29, "$ORIGIN".into())],
        ..Elf::default()
    };
    vec![
        pe.build(),
        Pe { machine: 0x8664, wide: true, ..pe }.build(),
        Elf { hash: Hash::Gnu, ..elf.clone() }.build(),
        Elf { wide: true, machine: 62, ..elf }.build(),
    ]
}

/// Reads the bytes; if they are a library, its data must survive JSON.
fn check(bytes: &[u8]) {
    let _ = Looks::of(bytes);
    if let Ok(image) = Image::parse(bytes) {
        let json = serde_json::to_string(&image).unwrap();
        assert_eq!(serde_json::from_str::<Image>(&json).unwrap(), image);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2000), magic in 0..3usize) {
        let magic: &[u8] = [&b"MZ"[..], b"\x7fELF", b""][magic];
        check(&[magic, &bytes].concat());
    }

    #[test]
    fn small_files_with_changed_bytes(
        seed in 0..4usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = seeds()[seed].clone();
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        check(&bytes);
    }

    #[test]
    fn small_files_with_changed_numbers(seed in 0..4usize, at in any::<prop::sample::Index>(), value in 0..6usize) {
        let mut bytes = seeds()[seed].clone();
        let at = at.index(bytes.len() - 4);
        let value = [0, 1, 0x7fff_ffff, u32::MAX, 0x8000_0000, 0xffff][value];
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        check(&bytes);
    }

    #[test]
    fn cut_files(seed in 0..4usize, at in any::<prop::sample::Index>()) {
        let bytes = &seeds()[seed];
        check(&bytes[..at.index(bytes.len())]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn real_files_with_changed_bytes(
        changes in proptest::collection::vec((0..0x2000usize, any::<u8>()), 1..40),
        far in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
    ) {
        for path in [ZLIB_ELF, ZLIB_PE] {
            let mut bytes = std::fs::read(path).unwrap();
            for (at, value) in &changes {
                bytes[*at] = *value;
            }
            for (at, value) in &far {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            check(&bytes);
        }
    }

    #[test]
    fn real_files_cut(at in any::<prop::sample::Index>()) {
        for path in [ZLIB_ELF, ZLIB_PE] {
            let bytes = std::fs::read(path).unwrap();
            check(&bytes[..at.index(bytes.len())]);
        }
    }
}

#[test]
fn an_oversized_archive_member_is_survived() {
    let archive = format!("!<arch>\n{:<48}{:<10}`\n", "a", u64::MAX);
    assert_eq!(Looks::of(archive.as_bytes()), Looks::StaticLibrary);
}
