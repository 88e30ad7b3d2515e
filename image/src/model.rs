//! What is read from a library file, as plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::decoration::Decoration;

/// A library file, or a relative of one, as read from its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Image {
    /// The file format.
    pub format: Format,
    /// The processor the file is made for.
    pub architecture: Architecture,
    /// Library, program or other.
    pub kind: Kind,
    /// What the file holds of .NET; native libraries hold nothing.
    #[serde(default, skip_serializing_if = "Dotnet::is_none")]
    pub dotnet: Dotnet,
    /// The name the file has for itself: `DT_SONAME` of ELF, the name in the export directory of PE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_name: Option<String>,
    /// What the version resource of PE says; not read where exports are not, either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The export table: by ordinal for PE, in the file's order for ELF.
    pub exports: Vec<Export>,
    /// The libraries this one needs, in the file's order.
    pub dependencies: Vec<Dependency>,
    /// A GNU linker has made it, so most likely GCC or Clang the code: of two ABIs for i386 Windows it follows theirs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gnu: bool,
    /// `DT_RPATH` of ELF, split at colons, as written (`$ORIGIN` is not replaced). Ignored by loaders if there is a runpath.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rpath: Vec<String>,
    /// `DT_RUNPATH` of ELF, split at colons, as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runpath: Vec<String>,
    /// Oddities that were passed over, for a person to read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Image {
    /// The name of the runtime that can load this file (`linux32`, `win32`, `linux64`, `win64`), if there is one.
    pub fn runtime(&self) -> Option<&'static str> {
        match (self.format, self.architecture) {
            (Format::Elf, Architecture::X86) => Some("linux32"),
            (Format::Pe, Architecture::X86) => Some("win32"),
            (Format::Elf, Architecture::X86_64) => Some("linux64"),
            (Format::Pe, Architecture::X86_64) => Some("win64"),
            _ => None,
        }
    }

    /// The exports as people look for them: by ordinal for PE, as in the file; by name for ELF, whose tables are in the
    /// order of a hash.
    pub fn sorted_exports(&self) -> Vec<&Export> {
        let mut exports: Vec<&Export> = self.exports.iter().collect();
        if self.format == Format::Elf {
            exports.sort_by(|a, b| a.name.cmp(&b.name));
        }
        exports
    }
}

/// The version resource of a PE file (`VS_VERSIONINFO`): what Explorer shows under "Details".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Version {
    /// The file's version as numbers, `1.2.3.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The product's version as numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// What its first table of strings says, such as `CompanyName` and `FileDescription`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub strings: BTreeMap<String, String>,
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Windows: .dll, .ocx, .exe.
    Pe,
    /// Linux: .so, programs.
    Elf,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pe => "Windows (PE)",
            Self::Elf => "Linux (ELF)",
        })
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A library that a process can load.
    Library,
    /// A program (a PE file without the DLL flag, an ELF executable, position-independent or not).
    Program,
    /// A Windows kernel driver, or another file for the native subsystem.
    Driver,
    /// An object file: input for a linker.
    Object,
    /// A memory dump of a crashed process.
    Core,
}

/// What a PE file says about .NET (ECMA-335 II.25.3.3, "CLI header").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dotnet {
    /// No CLR header: native code.
    #[default]
    None,
    /// Managed code only.
    Managed,
    /// Managed and native code together (C++/CLI).
    Mixed,
}

impl Dotnet {
    /// True for a native file.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// An entry of an export table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Export {
    /// The name exactly as in the file, by [`crate::text::escape`]; PE exports may have none.
    pub name: Option<String>,
    /// The ordinal of PE, base included; ELF has none.
    pub ordinal: Option<u32>,
    /// Function, data or forwarder.
    pub kind: ExportKind,
    /// Where it is, relative to the address the file is loaded at; a forwarder has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<u64>,
    /// The export of another library that this one stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarder: Option<Forwarder>,
    /// What the name says about the calling convention; only where the name leaves no doubt (`_f@8`, `@f@8`, `f@@8`, `f@8`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoration: Option<Decoration>,
    /// The name as C++ or Rust source would say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demangled: Option<String>,
    /// The ELF symbol version, for example `ZLIB_1.2.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// True if this is not the version of the name that a lookup without a version finds (`f@V` rather than `f@@V`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// What is behind an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportKind {
    /// Code: in an executable section (PE), or `STT_FUNC` / `STT_GNU_IFUNC` (ELF).
    Function,
    /// A variable.
    Data,
    /// An entry that names an export of another library.
    Forwarder,
}

/// The export of another library that a PE forwarder names. As JSON: `"NTDLL.RtlAllocateHeap"` or `"WS2_32.#115"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Forwarder {
    /// The library's name as written, usually without `.dll`.
    pub library: String,
    /// The export in it.
    pub target: ForwarderTarget,
}

/// How a forwarder names the export.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwarderTarget {
    /// By name.
    Name(String),
    /// By ordinal.
    Ordinal(u32),
}

impl Forwarder {
    /// Reads `LIBRARY.name` or `LIBRARY.#ordinal`; the last dot divides. `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (library, target) = text.rsplit_once('.').filter(|(library, _)| !library.is_empty())?;
        let target = match target.strip_prefix('#') {
            Some(digits) => ForwarderTarget::Ordinal(digits.parse().ok()?),
            None if target.is_empty() => return None,
            None => ForwarderTarget::Name(target.to_owned()),
        };
        Some(Self { library: library.to_owned(), target })
    }
}

impl fmt::Display for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            ForwarderTarget::Name(name) => write!(f, "{}.{name}", self.library),
            ForwarderTarget::Ordinal(ordinal) => write!(f, "{}.#{ordinal}", self.library),
        }
    }
}

impl From<Forwarder> for String {
    fn from(forwarder: Forwarder) -> Self {
        forwarder.to_string()
    }
}

impl TryFrom<String> for Forwarder {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("\"{text}\" is not LIBRARY.name or LIBRARY.#ordinal"))
    }
}

/// A library that a file needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Dependency {
    /// The name as in the file, by [`crate::text::escape`].
    pub name: String,
    /// True if it is loaded only when one of its functions is first called (PE delay-load).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delayed: bool,
    /// How many of its exports are imported; ELF does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imports: Option<u32>,
}
