//! The ABIs that an agent can be built for, and what C leaves to them: the widths of `long`, pointers and `wchar_t`.
//!
//! Sources: System V ABI i386 supplement 4 (ILP32), System V ABI x86-64 (LP64), and Microsoft's "x86" and "x64
//! software conventions" (ILP32, LLP64).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of process that a library needs: also the name of the `[runtime.*]` table that starts one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// 32-bit ELF on Linux (i386).
    Linux32,
    /// 64-bit ELF on Linux (`x86_64`).
    Linux64,
    /// 32-bit PE on Windows or Wine (i386).
    Win32,
    /// 64-bit PE on Windows or Wine (`x86_64`).
    Win64,
}

impl Target {
    /// Every target, in the order in which they are listed to people.
    pub const ALL: [Self; 4] = [Self::Linux32, Self::Win32, Self::Linux64, Self::Win64];

    /// The name used in configuration, API and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux32 => "linux32",
            Self::Linux64 => "linux64",
            Self::Win32 => "win32",
            Self::Win64 => "win64",
        }
    }

    /// Whether libraries of this target are PE files that follow the Windows conventions.
    pub const fn is_windows(self) -> bool {
        matches!(self, Self::Win32 | Self::Win64)
    }

    /// Bytes of a pointer, `size_t` and `intptr_t`.
    pub const fn pointer_bytes(self) -> u8 {
        match self {
            Self::Linux32 | Self::Win32 => 4,
            Self::Linux64 | Self::Win64 => 8,
        }
    }

    /// Bytes of `long`: 8 only under LP64.
    pub const fn long_bytes(self) -> u8 {
        match self {
            Self::Linux64 => 8,
            Self::Linux32 | Self::Win32 | Self::Win64 => 4,
        }
    }

    /// Bytes of `wchar_t`: UTF-16 units on Windows, UTF-32 elsewhere.
    pub const fn wchar_bytes(self) -> u8 {
        if self.is_windows() { 2 } else { 4 }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
