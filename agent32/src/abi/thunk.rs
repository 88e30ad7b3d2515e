//! The machine code that performs an outbound call.
//!
//! [`call`] hands [`Registers`] to `enter`, one naked function for each ABI. It builds the callee's stack area, loads
//! the registers, calls, and writes down what came back, the stack pointer right before and right after included:
//! whatever the callee removed, the stack is put back, so a wrong declaration is reported and does not kill the process.
//!
//! The stack on i386 while the callee runs (it grows downwards; addresses fall towards the bottom):
//!
//! ```text
//!   ebp+8    frame: *mut Registers      the argument of `enter`
//!   ebp+4    return address
//!   ebp      caller's ebp
//!   ebp-4    caller's ebx  ┐
//!   ebp-8    caller's esi  │ callee-saved registers that `enter` uses
//!   ebp-12   caller's edi  ┘
//!   ebp-16   x87 control word           libraries of the Delphi family change it: restored afterwards
//!   ebp-20   MXCSR                      likewise
//!            slack, ≥ 128 bytes of 0    a callee that takes more arguments than were declared reads zeros here, and
//!                                       what it writes into its argument slots does not hit the saved registers
//!   esp+…    arguments, first lowest    esp is a multiple of 16 (System V i386 since gcc 4.5; Windows wants 4)
//!   esp-4    return address into `enter`
//! ```

use std::ffi::c_void;

use super::frame::Frame;

#[expect(unsafe_code, reason = "a call whose signature is known at run time cannot be written in Rust")]
#[cfg_attr(target_arch = "x86", path = "thunk/x86.rs")]
#[cfg_attr(all(target_arch = "x86_64", not(windows)), path = "thunk/x86_64_system_v.rs")]
#[cfg_attr(all(target_arch = "x86_64", windows), path = "thunk/x86_64_windows.rs")]
mod arch;

/// Where the callee leaves its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ResultKind {
    /// eax, edx:eax or rax; also for `void`.
    Integer = 0,
    /// st0 on i386, else xmm0: a `float`.
    Float = 1,
    /// st0 on i386, else xmm0: a `double`.
    Double = 2,
}

/// What came back from a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// What the function left in rax and rdx; on i386 edx:eax and 0. Bits beyond the result's width mean nothing.
    pub general: [u64; 2],
    /// What it left in xmm0 and xmm1; on i386 in st0, as the `float` or `double` that was asked for, and 0.
    pub vector: [u64; 2],
    /// Bytes of arguments that the callee removed from the stack; negative if it left something on it.
    pub removed: isize,
}

/// What `enter` reads and writes. Its layout is what the assembly below relies on.
#[repr(C)]
struct Registers {
    function: *const c_void,
    stack: *const u64,
    stack_bytes: usize,
    result_kind: usize,
    sp_before: usize,
    sp_after: usize,
    general: [u64; 6],
    vector: [u64; 8],
    vectors: usize,
    general_result: [u64; 2],
    vector_result: [u64; 2],
}

/// Calls `function` with the arguments placed in `frame`.
///
/// # Safety
/// `function` must be the address of a function in a loaded library, and the placed arguments must be what it accepts:
/// its addresses must stay valid for as long as the function uses them. No signature can be checked at this depth; a
/// function called with wrong arguments may do anything, which is why it runs in an agent process and not in the gateway.
#[expect(unsafe_code, reason = "this is where control passes to foreign machine code")]
pub unsafe fn call(function: *const c_void, frame: &Frame, result_kind: ResultKind) -> Returned {
    let mut registers = Registers {
        function,
        stack: frame.stack().as_ptr(),
        stack_bytes: frame.stack_bytes(),
        result_kind: result_kind as usize,
        sp_before: 0,
        sp_after: 0,
        general: frame.general,
        vector: frame.vector,
        vectors: frame.vectors.into(),
        general_result: [0; 2],
        vector_result: [0; 2],
    };
    // SAFETY: `registers` and the stack area that it points to live until `enter` returns, and `stack_bytes` is
    // within the area; the function itself is the caller's promise.
    unsafe { arch::enter(&raw mut registers) };
    Returned {
        general: registers.general_result,
        vector: registers.vector_result,
        removed: registers.sp_after.cast_signed().wrapping_sub(registers.sp_before.cast_signed()),
    }
}

/// Bytes kept free between the arguments and what `enter` has saved.
const SLACK: usize = 128;

#[cfg(test)]
mod tests;
