//! What a signal's `siginfo_t` and the registers say, in words.

use std::ffi::c_int;
use std::fmt::Write as _;

use crate::crash::words::Words;

/// Signals, and their `si_code`s, in words. The numbers are those of Linux (sigaction(2), asm-generic/siginfo.h).
const NAMES: [(c_int, &str, &str, &[&str]); 7] = [
    (libc::SIGSEGV, "SIGSEGV", "segmentation fault", &["no memory is there", "the memory may not be used so"]),
    (libc::SIGBUS, "SIGBUS", "bus error", &["wrong alignment", "no such physical address", "hardware error"]),
    (
        libc::SIGFPE,
        "SIGFPE",
        "arithmetic error",
        &[
            "integer division by zero, or a quotient that is too large",
            "integer overflow",
            "floating-point division by zero",
            "floating-point overflow",
            "floating-point underflow",
            "inexact floating-point result",
            "invalid floating-point operation",
            "subscript out of range",
        ],
    ),
    (
        libc::SIGILL,
        "SIGILL",
        "illegal instruction",
        &[
            "unknown instruction",
            "unknown operand",
            "unknown addressing mode",
            "illegal trap",
            "privileged instruction",
            "privileged register",
            "coprocessor error",
            "stack error",
        ],
    ),
    (libc::SIGABRT, "SIGABRT", "abort", &[]),
    (libc::SIGSYS, "SIGSYS", "forbidden system call", &[]),
    (libc::SIGTRAP, "SIGTRAP", "breakpoint", &[]),
];

/// `si_code` of a signal that the kernel sent without a reason of its own.
const SI_KERNEL: c_int = 0x80;

/// The number of the page fault exception, and what bits of its error code mean (Intel SDM volume 3, 4.7 and 6.15).
const PAGE_FAULT: usize = 14;
const GENERAL_PROTECTION: usize = 13;
const WRITE: usize = 1 << 1;
const FETCH: usize = 1 << 4;

/// An access so near to the stack pointer that fails has found the end of the stack: a frame that has just been made is
/// at most about this large, or the compiler probes page by page.
const NEAR_BYTES: usize = 64 << 10;

/// A signal, as far as the registers explain it.
pub(super) struct Fault {
    signal: c_int,
    code: c_int,
    /// What the instruction wanted to use, for page faults.
    address: Option<usize>,
    trap: usize,
    error: usize,
    /// Where the instruction is.
    pub(super) instruction: usize,
    stack: usize,
}

/// A register of the interrupted code. The kernel writes 32 or 64 bits of it, whatever their sign.
macro_rules! register {
    ($context:expr, $x86:ident, $x86_64:ident) => {{
        #[cfg(target_arch = "x86")]
        const INDEX: c_int = libc::$x86;
        #[cfg(target_arch = "x86_64")]
        const INDEX: c_int = libc::$x86_64;
        $context.uc_mcontext.gregs[INDEX.cast_unsigned() as usize].cast_unsigned() as usize
    }};
}

impl Fault {
    /// Reads what the kernel handed to the handler.
    #[expect(unsafe_code, reason = "siginfo_t is a C union")]
    #[allow(clippy::cast_possible_truncation, reason = "a register is as wide as an address")]
    pub(super) fn of(signal: c_int, info: &libc::siginfo_t, context: &libc::ucontext_t) -> Self {
        let trap = register!(context, REG_TRAPNO, REG_TRAPNO);
        let is_page_fault = info.si_code > 0 && trap == PAGE_FAULT;
        // SAFETY: the kernel fills in the address of signals that a fault raises; for others it is not used.
        let address = unsafe { info.si_addr() }.addr();
        Self {
            signal,
            code: info.si_code,
            address: (is_page_fault && matches!(signal, libc::SIGSEGV | libc::SIGBUS)).then_some(address),
            trap,
            error: register!(context, REG_ERR, REG_ERR),
            instruction: register!(context, REG_EIP, REG_RIP),
            stack: register!(context, REG_ESP, REG_RSP),
        }
    }

    /// A process sent the signal, most often this one by `raise` or `abort`: the instruction says nothing.
    pub(super) fn was_raised(&self) -> bool {
        self.code <= 0
    }

    /// The instruction could not even be fetched.
    pub(super) fn is_jump_to_nowhere(&self) -> bool {
        // Processors without the no-execute bit do not report fetches as such.
        self.address.is_some_and(|address| address == self.instruction || self.error & FETCH != 0)
    }

    /// What a `call` that led nowhere has left on the stack.
    #[expect(unsafe_code, reason = "the stack is where the register says")]
    pub(super) fn return_address(&self) -> usize {
        // SAFETY: the `call` has just written it there. If the stack pointer is wild all the same, this is a crash within
        // the handler, which ends the process as the first one would have.
        unsafe { std::ptr::with_exposed_provenance::<usize>(self.stack).read_unaligned() }
    }

    fn is_stack_overflow(&self) -> bool {
        self.address.is_some_and(|address| !self.is_jump_to_nowhere() && address.abs_diff(self.stack) <= NEAR_BYTES)
    }

    /// The signal and its reason.
    pub(super) fn what(&self) -> Words {
        let mut what = Words::new();
        let entry = NAMES.iter().find(|(signal, ..)| *signal == self.signal);
        let (name, general) = entry.map_or(("signal", "crash"), |(_, name, general, _)| (*name, *general));
        let index = usize::try_from(self.code).ok().and_then(|code| code.checked_sub(1));
        let reason = entry.zip(index).and_then(|((.., reasons), index)| reasons.get(index));
        // `Words` cuts off instead of failing.
        let _ = write!(what, "{name} ({})", if self.is_stack_overflow() { "stack overflow" } else { general });
        let _ = match reason {
            _ if self.is_stack_overflow() => Ok(()),
            _ if self.is_jump_to_nowhere() => {
                write!(what, ": a jump to where no code is; the place is that of its caller")
            }
            _ if self.was_raised() && self.signal != libc::SIGABRT => write!(what, ": sent by a process"),
            _ if self.code == SI_KERNEL && self.trap == GENERAL_PROTECTION => {
                write!(what, ": an impossible address, or a privileged instruction")
            }
            Some(reason) => write!(what, ": {reason}"),
            None => Ok(()),
        };
        what
    }

    /// What the code did to which address.
    pub(super) fn access(&self) -> Option<Words> {
        let address = self.address?;
        let access = match () {
            () if self.is_jump_to_nowhere() => "execution",
            () if self.error & WRITE != 0 => "write",
            () => "read",
        };
        let mut words = Words::new();
        let _ = write!(words, "{access} of {address:#0width$x}", width = 2 + 2 * size_of::<usize>());
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARMLESS: Fault = Fault {
        signal: libc::SIGSEGV,
        code: 1,
        address: None,
        trap: PAGE_FAULT,
        error: 0,
        instruction: 0x1000,
        stack: 0,
    };

    fn told(fault: &Fault) -> (String, Option<String>) {
        (fault.what().to_string(), fault.access().map(|access| access.to_string()))
    }

    #[test]
    fn the_error_code_tells_reads_writes_and_jumps_apart() {
        let access = |error, address| told(&Fault { error, address: Some(address), stack: 0x7000_0000, ..HARMLESS });
        let address = |hex: &str| format!("0x{hex:0>width$}", width = 2 * size_of::<usize>());
        let (what, read) = access(0, 0x20);
        assert_eq!(what, "SIGSEGV (segmentation fault): no memory is there");
        assert_eq!(read.unwrap(), format!("read of {}", address("20")));
        assert_eq!(access(WRITE, 0x20).1.unwrap(), format!("write of {}", address("20")));
        let (what, executed) = access(FETCH, 0x20);
        assert_eq!(executed.unwrap(), format!("execution of {}", address("20")));
        assert!(what.contains("a jump to where no code is"), "{what}");
        assert!(access(0, HARMLESS.instruction).0.contains("a jump"), "without the no-execute bit");
    }

    #[test]
    fn an_access_at_the_stack_pointer_is_a_stack_overflow() {
        let fault = Fault { address: Some(0x7000_0000 - 8), stack: 0x7000_0000, error: WRITE, ..HARMLESS };
        assert_eq!(fault.what().to_string(), "SIGSEGV (stack overflow)");
        let jump = Fault { error: FETCH, ..fault };
        assert!(!jump.what().to_string().contains("overflow"), "a jump onto the stack is none");
    }

    #[test]
    fn reasons_are_words_and_unknown_ones_are_left_out() {
        let what = |signal, code| Fault { signal, code, ..HARMLESS }.what().to_string();
        assert_eq!(
            what(libc::SIGFPE, 1),
            "SIGFPE (arithmetic error): integer division by zero, or a quotient that is too large"
        );
        assert_eq!(what(libc::SIGFPE, 99), "SIGFPE (arithmetic error)");
        assert_eq!(what(libc::SIGABRT, -6), "SIGABRT (abort)");
        assert_eq!(what(libc::SIGSEGV, 0), "SIGSEGV (segmentation fault): sent by a process");
        assert_eq!(what(libc::SIGILL, c_int::MIN), "SIGILL (illegal instruction): sent by a process");
        assert_eq!(what(libc::SIGILL, 2), "SIGILL (illegal instruction): unknown operand");
    }
}
