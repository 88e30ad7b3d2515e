//! The processor a file is made for, as the file says it and as people say it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The instruction set and pointer size of a file.
///
/// As JSON it is [`Architecture::name`], for example `"x86"` or `"x86_64"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Architecture {
    /// 32-bit x86 (i386 and later).
    X86,
    /// 64-bit x86 (AMD64).
    X86_64,
    /// 64-bit x86 instructions with 32-bit pointers (`ELFCLASS32` with `EM_X86_64`). A 32-bit file, but not for i386.
    X32,
    /// 32-bit ARM, Thumb included.
    Arm,
    /// 64-bit ARM.
    Aarch64,
    /// Anything else.
    Other {
        /// The number from the file: `e_machine` of ELF or `Machine` of PE.
        machine: u16,
        /// Width of a pointer in bits, 32 or 64, as the file's header class says.
        bits: u8,
    },
}

impl Architecture {
    /// The architecture of the running program.
    pub const fn of_this_process() -> Self {
        if cfg!(target_arch = "x86") {
            Self::X86
        } else if cfg!(all(target_arch = "x86_64", target_pointer_width = "32")) {
            Self::X32
        } else if cfg!(target_arch = "x86_64") {
            Self::X86_64
        } else if cfg!(target_arch = "aarch64") {
            Self::Aarch64
        } else if cfg!(target_arch = "arm") {
            Self::Arm
        } else {
            Self::Other { machine: 0, bits: if cfg!(target_pointer_width = "64") { 64 } else { 32 } }
        }
    }

    /// From the `Machine` field of a PE file header (Microsoft PE format, "Machine types").
    /// `wide` says whether the optional header is PE32+.
    pub fn from_pe(machine: u16, wide: bool) -> Self {
        match (machine, wide) {
            (0x014c, false) => Self::X86,
            (0x8664, true) => Self::X86_64,
            // ARM, Thumb, ARMNT
            (0x01c0 | 0x01c2 | 0x01c4, false) => Self::Arm,
            // ARM64, ARM64EC, ARM64X
            (0xaa64 | 0xa641 | 0xa64e, true) => Self::Aarch64,
            _ => Self::Other { machine, bits: if wide { 64 } else { 32 } },
        }
    }

    /// From `e_machine` of an ELF header (System V gABI, "ELF header"). `wide` says whether the class is `ELFCLASS64`.
    pub fn from_elf(machine: u16, wide: bool) -> Self {
        match (machine, wide) {
            // EM_386, and EM_486 of old tools
            (3 | 6, false) => Self::X86,
            (62, true) => Self::X86_64,
            (62, false) => Self::X32,
            (40, false) => Self::Arm,
            (183, true) => Self::Aarch64,
            _ => Self::Other { machine, bits: if wide { 64 } else { 32 } },
        }
    }

    /// Size of a data pointer in bytes: 4 or 8.
    pub const fn pointer_size(self) -> usize {
        match self {
            Self::X86 | Self::X32 | Self::Arm => 4,
            Self::X86_64 | Self::Aarch64 => 8,
            Self::Other { bits, .. } => (bits / 8) as usize,
        }
    }

    /// The name in JSON and configuration: `x86`, `x86_64`, `x32`, `arm`, `aarch64`, or `other-MMMM-BB` with the
    /// machine number in hexadecimal and the pointer width in bits.
    pub fn name(self) -> String {
        match self {
            Self::X86 => "x86".into(),
            Self::X86_64 => "x86_64".into(),
            Self::X32 => "x32".into(),
            Self::Arm => "arm".into(),
            Self::Aarch64 => "aarch64".into(),
            Self::Other { machine, bits } => format!("other-{machine:04x}-{bits}"),
        }
    }
}

/// The usual name of a machine number that has no variant of its own. The numbers of PE and ELF do not overlap here.
fn machine_name(machine: u16) -> Option<&'static str> {
    Some(match machine {
        2 | 18 | 43 => "SPARC",
        4 => "Motorola 68000",
        8 | 0x0166 | 0x0169 => "MIPS",
        15 => "PA-RISC",
        20 | 21 | 0x01f0 => "PowerPC",
        22 => "IBM Z",
        42 | 0x01a2 => "SuperH",
        50 | 0x0200 => "Itanium",
        183 => "ARM with 32-bit pointers",
        243 | 0x5032 | 0x5064 => "RISC-V",
        258 | 0x6232 | 0x6264 => "LoongArch",
        0x0184 | 0x9026 => "Alpha",
        0x0ebc => "EFI byte code",
        _ => return None,
    })
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::X86 => f.write_str("32-bit x86 (i386)"),
            Self::X86_64 => f.write_str("64-bit x86 (x86_64)"),
            Self::X32 => f.write_str("x32 (64-bit x86 with 32-bit pointers)"),
            Self::Arm => f.write_str("32-bit ARM"),
            Self::Aarch64 => f.write_str("64-bit ARM"),
            Self::Other { machine, bits } => match machine_name(machine) {
                Some(name) => write!(f, "{bits}-bit {name}"),
                None => write!(f, "an unknown {bits}-bit machine (number {machine:#06x})"),
            },
        }
    }
}

impl From<Architecture> for String {
    fn from(architecture: Architecture) -> Self {
        architecture.name()
    }
}

impl TryFrom<String> for Architecture {
    type Error = UnknownArchitecture;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownArchitecture(name.chars().take(40).collect());
        Ok(match name {
            "x86" => Self::X86,
            "x86_64" => Self::X86_64,
            "x32" => Self::X32,
            "arm" => Self::Arm,
            "aarch64" => Self::Aarch64,
            _ => {
                let (machine, bits) =
                    name.strip_prefix("other-").and_then(|rest| rest.split_once('-')).ok_or_else(unknown)?;
                let machine = u16::from_str_radix(machine, 16).map_err(|_| unknown())?;
                let bits = match bits {
                    "32" => 32,
                    "64" => 64,
                    _ => return Err(unknown()),
                };
                Self::Other { machine, bits }
            }
        })
    }
}

/// A text that is no architecture's [`Architecture::name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an architecture: write x86, x86_64, x32, arm or aarch64")]
pub struct UnknownArchitecture(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x32_is_not_i386() {
        assert_eq!(Architecture::from_elf(62, false), Architecture::X32);
        assert_ne!(Architecture::from_elf(62, false), Architecture::X86);
        assert_eq!(Architecture::X32.pointer_size(), 4);
    }

    #[test]
    fn every_name_reads_back() {
        for architecture in [
            Architecture::X86,
            Architecture::X86_64,
            Architecture::X32,
            Architecture::Arm,
            Architecture::Aarch64,
            Architecture::Other { machine: 8, bits: 32 },
        ] {
            let json = serde_json::to_string(&architecture).unwrap();
            assert_eq!(json, format!("\"{}\"", architecture.name()));
            assert_eq!(serde_json::from_str::<Architecture>(&json).unwrap(), architecture);
        }
        assert!("i386".parse::<Architecture>().is_err());
        assert!("other-zz-32".parse::<Architecture>().is_err());
    }

    #[test]
    fn people_read_what_it_is() {
        assert_eq!(Architecture::X86.to_string(), "32-bit x86 (i386)");
        assert_eq!(Architecture::X86_64.to_string(), "64-bit x86 (x86_64)");
        assert_eq!(Architecture::from_elf(8, false).to_string(), "32-bit MIPS");
        assert_eq!(Architecture::from_pe(0x7777, true).to_string(), "an unknown 64-bit machine (number 0x7777)");
    }
}
