//! What an exception says, in words.

use std::fmt::Write as _;

use windows_sys::Win32::System::Diagnostics::Debug::EXCEPTION_RECORD;

use crate::crash::words::Words;

/// Codes of exceptions. Those of the system are in Microsoft's ntstatus.h; C++ compilers made up the others: "msc" and
/// "GCC" with bits that say that no system uses the code.
const NAMES: &[(u32, &str)] = &[
    (ACCESS_VIOLATION, "access violation"),
    (IN_PAGE_ERROR, "a page could not be read from its file"),
    (0x8000_0001, "guard page"),
    (0x8000_0002, "wrong alignment"),
    (0x8000_0003, "breakpoint"),
    (0x8000_0004, "single step"),
    (0xC000_0008, "invalid handle"),
    (0xC000_0017, "out of memory"),
    (0xC000_001D, "illegal instruction"),
    (0xC000_0025, "an exception that cannot be continued was continued"),
    (0xC000_0026, "invalid disposition of an exception handler"),
    (0xC000_0028, "destroyed stack, found while unwinding"),
    (0xC000_008C, "array bounds exceeded"),
    (0xC000_008D, "floating-point operand is denormal"),
    (0xC000_008E, "floating-point division by zero"),
    (0xC000_008F, "inexact floating-point result"),
    (0xC000_0090, "invalid floating-point operation"),
    (0xC000_0091, "floating-point overflow"),
    (0xC000_0092, "floating-point stack check"),
    (0xC000_0093, "floating-point underflow"),
    (0xC000_0094, "integer division by zero"),
    (0xC000_0095, "integer overflow"),
    (0xC000_0096, "privileged instruction"),
    (0xC000_00FD, "stack overflow"),
    (0xC000_0135, "a library that is needed was not found"),
    (0xC000_0374, "heap corruption"),
    (0xC000_0409, "stack buffer overrun, or another check that failed"),
    (0xC000_0417, "invalid argument of a C library function"),
    (0xE06D_7363, "C++ exception"),
    (0x2047_4343, "C++ exception of GCC"),
];

const ACCESS_VIOLATION: u32 = 0xC000_0005;
const IN_PAGE_ERROR: u32 = 0xC000_0006;

/// First word of what comes with an access violation (Microsoft, `EXCEPTION_RECORD`).
const WRITE: usize = 1;
const EXECUTION: usize = 8;

/// An exception's own words.
pub(super) struct Exception {
    pub(super) code: u32,
    /// What was done to which address.
    access: Option<(usize, usize)>,
    /// Where the instruction is.
    pub(super) instruction: usize,
}

impl Exception {
    /// Reads what the system handed to the filter.
    pub(super) fn of(record: &EXCEPTION_RECORD) -> Self {
        let code = record.ExceptionCode.cast_unsigned();
        let has_access = matches!(code, ACCESS_VIOLATION | IN_PAGE_ERROR) && record.NumberParameters >= 2;
        Self {
            code,
            access: has_access.then_some((record.ExceptionInformation[0], record.ExceptionInformation[1])),
            instruction: record.ExceptionAddress.addr(),
        }
    }

    /// The instruction could not even be fetched.
    pub(super) fn is_jump_to_nowhere(&self) -> bool {
        // Without the no-execute bit such an access is told as a read.
        self.access.is_some_and(|(kind, address)| kind == EXECUTION || address == self.instruction)
    }

    /// The code and what it means.
    pub(super) fn what(&self) -> Words {
        let mut what = Words::new();
        let name = NAMES.iter().find(|(code, _)| *code == self.code).map(|(_, name)| *name);
        // `Words` cuts off instead of failing.
        let _ = write!(what, "0x{:08X} ({})", self.code, name.unwrap_or("exception"));
        if self.is_jump_to_nowhere() {
            what.push(b": a jump to where no code is; the place is that of its caller");
        }
        what
    }

    /// What the code did to which address.
    pub(super) fn access(&self) -> Option<Words> {
        let (kind, address) = self.access?;
        let access = match kind {
            _ if self.is_jump_to_nowhere() => "execution",
            WRITE => "write",
            _ => "read",
        };
        let mut words = Words::new();
        let _ = write!(words, "{access} of {address:#0width$x}", width = 2 + 2 * size_of::<usize>());
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(code: u32, access: Option<(usize, usize)>) -> Exception {
        Exception { code, access, instruction: 0x40_1000 }
    }

    #[test]
    fn an_access_violation_tells_reads_writes_and_jumps_apart() {
        let told = |kind, address| exception(ACCESS_VIOLATION, Some((kind, address))).access().unwrap().to_string();
        assert!(told(0, 0x10).starts_with("read of 0x0"));
        assert!(told(1, 0x10).starts_with("write of 0x0"));
        assert!(told(8, 0x10).starts_with("execution of 0x0"));
        assert!(told(0, 0x40_1000).starts_with("execution of 0x0"), "without the no-execute bit");
    }

    #[test]
    fn exceptions_are_told_in_words() {
        let what = |code| exception(code, None).what().to_string();
        assert_eq!(what(0xC000_0094), "0xC0000094 (integer division by zero)");
        assert_eq!(what(0xE06D_7363), "0xE06D7363 (C++ exception)");
        assert_eq!(what(0x1234), "0x00001234 (exception)");
    }
}
