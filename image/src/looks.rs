//! What a file that is no library looks like, from its first bytes.

use std::fmt;

/// What a file seems to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looks {
    /// No bytes at all.
    Empty,
    /// Readable text.
    Text,
    /// Text that a linker reads in place of a library (`libc.so` of development packages).
    LinkerScript,
    /// Text that starts with `#!`, and the interpreter it names.
    Script(String),
    /// An HTML or XML page, often a failed download.
    Markup,
    /// `!<arch>`: a static library of object files (.a, .lib).
    StaticLibrary,
    /// `!<arch>` with import descriptions only: the .lib that goes with a .dll.
    ImportLibrary,
    /// A COFF object file (.obj), or a short import object.
    CoffObject,
    /// An archive or compressed file; its usual name.
    Archive(&'static str),
    /// A macOS library or program.
    MachO,
    /// 16-bit Windows (NE).
    Windows16,
    /// LE or LX: OS/2, or a driver of Windows 3 and 9x.
    Linear,
    /// A DOS program.
    Dos,
    /// Another known format; its name.
    Other(&'static str),
    /// Nothing known: the first bytes, at most 8.
    Unknown(Vec<u8>),
}

/// Signatures at the start of a file that need nothing but themselves.
const SIGNATURES: &[(&[u8], Looks)] = &[
    (b"PK\x03\x04", Looks::Archive("ZIP")),
    (b"PK\x05\x06", Looks::Archive("ZIP")),
    (b"\x1f\x8b", Looks::Archive("gzip")),
    (b"BZh", Looks::Archive("bzip2")),
    (b"\xfd7zXZ\0", Looks::Archive("xz")),
    (b"\x28\xb5\x2f\xfd", Looks::Archive("Zstandard")),
    (b"7z\xbc\xaf\x27\x1c", Looks::Archive("7-Zip")),
    (b"Rar!", Looks::Archive("RAR")),
    (b"MSCF", Looks::Archive("cabinet")),
    (b"SZDD", Looks::Archive("compressed (expand it)")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Looks::Archive("Windows installer")),
    (b"\xfe\xed\xfa\xce", Looks::MachO),
    (b"\xfe\xed\xfa\xcf", Looks::MachO),
    (b"\xce\xfa\xed\xfe", Looks::MachO),
    (b"\xcf\xfa\xed\xfe", Looks::MachO),
    (b"\0asm", Looks::Other("a WebAssembly module")),
    (b"\xca\xfe\xba\xbe", Looks::Other("a Java class or a macOS universal file")),
    (b"BC\xc0\xde", Looks::Other("LLVM bitcode")),
    (b"%PDF", Looks::Other("a PDF document")),
    (b"\x89PNG", Looks::Other("a picture")),
    (b"SQLite format 3", Looks::Other("a database")),
    (b"MSFT\x02\0\x01\0", Looks::Other("a type library (.tlb)")),
];

impl Looks {
    /// What `data`, the beginning of a file or all of it, looks like, taken that it is neither PE nor ELF.
    pub fn of(data: &[u8]) -> Self {
        if data.is_empty() {
            return Self::Empty;
        }
        if let Some((_, looks)) = SIGNATURES.iter().find(|(signature, _)| data.starts_with(signature)) {
            return looks.clone();
        }
        if data.starts_with(b"!<arch>\n") || data.starts_with(b"!<thin>\n") {
            return if is_import_library(data) { Self::ImportLibrary } else { Self::StaticLibrary };
        }
        if data.starts_with(b"MZ") {
            return of_dos(data);
        }
        if let Some(looks) = of_text(data) {
            return looks;
        }
        match data {
            // Machine of i386, x86_64, ARM, ARM64; or 0 and 0xffff of an import object (PE format, "COFF file header")
            [0x4c | 0xc4, 0x01, ..] | [0x64, 0x86 | 0xaa, ..] | [0, 0, 0xff, 0xff, ..] if data.len() >= 20 => {
                Self::CoffObject
            }
            _ => Self::Unknown(data.iter().take(8).copied().collect()),
        }
    }
}

/// The new-style header behind a DOS header, where it is not PE.
fn of_dos(data: &[u8]) -> Looks {
    let offset = data.get(0x3c..0x40).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let offset = offset.and_then(|offset| usize::try_from(offset).ok());
    match offset.and_then(|offset| data.get(offset..offset.checked_add(2)?)) {
        Some(b"NE") => Looks::Windows16,
        Some(b"LE" | b"LX" | b"W3" | b"W4") => Looks::Linear,
        _ => Looks::Dos,
    }
}

/// Import libraries hold members that start with 0x0000 0xFFFF (PE format, "Import library format"). Only the first
/// members are looked at: the linker's tables come first, then descriptors, then imports.
fn is_import_library(data: &[u8]) -> bool {
    let mut at = 8usize;
    for _ in 0..12 {
        let Some(header) = at.checked_add(60).and_then(|end| data.get(at..end)) else { break };
        let size = header[48..58].trim_ascii();
        let Some(size) = std::str::from_utf8(size).ok().and_then(|text| text.parse::<usize>().ok()) else { break };
        let body = at + 60;
        if data.get(body..).is_some_and(|body| body.starts_with(&[0, 0, 0xff, 0xff])) {
            return true;
        }
        let Some(next) = body.checked_add(size).and_then(|end| end.checked_add(size & 1)) else { break };
        at = next;
    }
    false
}

fn of_text(data: &[u8]) -> Option<Looks> {
    let head = &data[..data.len().min(1024)];
    // UTF-16 with a byte order mark
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Some(Looks::Text);
    }
    let control = |byte: &u8| *byte < 0x20 && !b"\t\n\r\x0c\x1b".contains(byte);
    // A character may be cut at the end of the head: that is not an error of the text.
    let readable = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    if head.iter().any(control) || !readable {
        return None;
    }
    let text = head.trim_ascii_start();
    Some(if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Looks::Script(crate::text::escape(line.trim_ascii()).chars().take(60).collect())
    } else if text.starts_with(b"<") {
        Looks::Markup
    } else if contains(head, b"GNU ld script") || text.starts_with(b"INPUT") || text.starts_with(b"GROUP") {
        Looks::LinkerScript
    } else {
        Looks::Text
    })
}

fn contains(data: &[u8], what: &[u8]) -> bool {
    data.windows(what.len()).any(|window| window == what)
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty; copy it again"),
            Self::Text => f.write_str("it is a text file; give the .dll or .so file (a header goes in `header`)"),
            Self::LinkerScript => f.write_str("it is a linker script; the file named in it is the library"),
            Self::Script(interpreter) => write!(f, "it is a script for {interpreter}; scripts export no functions"),
            Self::Markup => f.write_str("it is an HTML or XML page, perhaps a failed download; get the file again"),
            Self::StaticLibrary => f.write_str(
                "it is a static library (an archive of object files, `!<arch>`), which cannot be loaded; \
                 use the .so or .dll, or link it into one",
            ),
            Self::ImportLibrary => f.write_str(
                "it is an import library (.lib, an archive that begins with `!<arch>`), which only tells a linker \
                 about a .dll; use the .dll itself",
            ),
            Self::CoffObject => f.write_str("it is an object file (.obj); link it into a .dll first"),
            Self::Archive(kind) => write!(f, "it is a {kind} archive; unpack it and give the library inside"),
            Self::MachO => f.write_str("it is a macOS file (Mach-O); get the Windows or Linux build of the library"),
            Self::Windows16 => f.write_str(
                "it is a 16-bit Windows file (NE); no 32-bit process can load it, so a 32-bit build is needed",
            ),
            Self::Linear => {
                f.write_str("it is an LE or LX file (OS/2, or a driver of Windows 9x); it cannot be loaded")
            }
            Self::Dos => f.write_str("it is a DOS program; it exports no functions"),
            Self::Other(what) => write!(f, "it is {what}"),
            Self::Unknown(bytes) => {
                f.write_str("it begins with the bytes")?;
                for byte in bytes {
                    write!(f, " {byte:02x}")?;
                }
                f.write_str(
                    ", which is neither a Windows (PE) nor a Linux (ELF) file; check that the file is the right one",
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, body.len()).into_bytes();
        bytes.extend_from_slice(body);
        if body.len() % 2 == 1 {
            bytes.push(b'\n');
        }
        bytes
    }

    #[test]
    fn the_usual_mistakes_are_named() {
        assert_eq!(Looks::of(b""), Looks::Empty);
        assert_eq!(Looks::of(b"int add(int a, int b);\n"), Looks::Text);
        assert_eq!(Looks::of(b"#!/bin/sh\necho\n"), Looks::Script("/bin/sh".into()));
        assert_eq!(Looks::of(b"<!DOCTYPE html><p>404"), Looks::Markup);
        assert_eq!(Looks::of(b"/* GNU ld script\n*/ GROUP ( /lib32/libc.so.6 )"), Looks::LinkerScript);
        assert_eq!(Looks::of(b"PK\x03\x04rest"), Looks::Archive("ZIP"));
        assert_eq!(Looks::of(b"\xce\xfa\xed\xfe...."), Looks::MachO);
        assert_eq!(Looks::of(&[0x4c, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Looks::CoffObject);
        assert_eq!(Looks::of(&[1, 2, 3]), Looks::Unknown(vec![1, 2, 3]));
    }

    #[test]
    fn static_and_import_libraries_are_told_apart() {
        let archive = |body: &[u8]| [&b"!<arch>\n"[..], &member("/", &[0; 5]), &member("a.o", body)].concat();
        assert_eq!(Looks::of(&archive(b"\x7fELFxxx")), Looks::StaticLibrary);
        assert_eq!(Looks::of(&archive(&[0, 0, 0xff, 0xff, 0, 0, 0x4c, 1])), Looks::ImportLibrary);
    }

    #[test]
    fn old_windows_formats_are_told_apart() {
        let old = |magic: &[u8]| {
            let mut bytes = vec![0; 0x40];
            bytes[..2].copy_from_slice(b"MZ");
            bytes[0x3c] = 0x40;
            [&bytes, magic].concat()
        };
        assert_eq!(Looks::of(&old(b"NE")), Looks::Windows16);
        assert_eq!(Looks::of(&old(b"LE")), Looks::Linear);
        assert_eq!(Looks::of(&old(b"xx")), Looks::Dos);
        assert_eq!(Looks::of(b"MZ"), Looks::Dos);
    }
}
