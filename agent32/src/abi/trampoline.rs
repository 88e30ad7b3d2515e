//! Function pointers that a library calls: the way in, as the thunk is the way out.
//!
//! libffi provides executable memory and the machine code at its beginning (`ffi_closure_i386` and its relatives). It is
//! told nothing of C's types: which argument lies in which register or word of the stack is the [`Plan`]'s knowledge, for
//! both directions. So libffi sees *words* only, in an order in which it finds each of them where the plan says:
//!
//! | | libffi's arguments | its result |
//! | --- | --- | --- |
//! | i386 | one integer for ecx, edx; a `float`, which it never looks for in a register, for each word of the stack | eax, edx:eax, st0; a structure for ELF's `ret 4` |
//! | `x86_64` System V | integers, `double`s, then one structure too large for registers, which is where the stack begins | one or two eightbytes |
//! | `x86_64` Windows | an integer or `double` for each position | rax, xmm0 |
//!
//! That also goes round what libffi does otherwise than compilers: its fastcall closures remove a wrong number of bytes if
//! there are structures or 64-bit integers, and it knows no difference between MinGW's and Visual C++'s fastcall.

use std::ffi::c_void;
use std::ops::Range;
use std::ptr;

use bridge32_protocol::interface::{Convention, Signature, Type};
use libffi_sys::{
    ffi_abi, ffi_cif, ffi_closure, ffi_closure_alloc, ffi_closure_free, ffi_prep_cif, ffi_prep_closure_loc,
    ffi_status_FFI_OK,
};

use super::plan::{Plan, sign_extended, zero_extended};
use crate::layout::{HOST, Layouts};

mod arrangement;

use arrangement::{Arrangement, Piece, To, Types};

/// What answers the calls: it gets the arguments, each as in memory at its slot, and fills in the result's memory, which
/// is zero.
pub type Handler = Box<dyn Fn(&[u8], &mut [u8]) + Send + Sync>;

/// Blocks of arguments up to this size lie on the stack.
const USUAL_BLOCK_BYTES: usize = 256;

/// A function pointer and the handler behind it. When it is dropped, the pointer must not be called any more.
pub struct Trampoline {
    closure: *mut ffi_closure,
    code: *const c_void,
    /// What the closure points to.
    inner: Box<Inner>,
}

// SAFETY: the closure and what it points to are not written after `new`; the handler is `Send`.
#[expect(unsafe_code, reason = "the pointers are to memory that this value owns")]
unsafe impl Send for Trampoline {}
// SAFETY: as above, and the handler is `Sync`.
#[expect(unsafe_code, reason = "the pointers are to memory that this value owns")]
unsafe impl Sync for Trampoline {}

/// What a closure needs when it is called.
struct Inner {
    cif: ffi_cif,
    /// What `cif` points to.
    types: Types,
    plan: Plan,
    pieces: Vec<Piece>,
    /// The result is an integer that has a sign.
    signed: bool,
    handler: Handler,
}

impl Trampoline {
    /// Makes a function pointer of this signature.
    ///
    /// # Errors
    /// In words: a type that cannot be passed, or no executable memory.
    pub fn new(signature: &Signature, layouts: &Layouts, handler: Handler) -> Result<Self, String> {
        if layouts.target() != HOST {
            return Err(format!("function pointers for {} cannot be made in a {HOST} process", layouts.target()));
        }
        let types: Vec<&Type> = signature.parameters.iter().map(|parameter| &parameter.ty).collect();
        let convention = signature.convention.unwrap_or(Convention::Cdecl);
        let plan = Plan::new(&types, types.len(), false, &signature.result, convention, layouts)?;
        let arrangement = Arrangement::of(&plan, convention)?;
        let signed = plan.result_is_signed();
        let pieces = arrangement.pieces(&plan)?;
        let types = Types::of(&arrangement);
        let mut inner = Box::new(Inner { cif: ffi_cif::default(), types, plan, pieces, signed, handler });
        inner.prepare(arrangement.abi)?;
        Self::allocate(inner)
    }

    /// The function's address, good as long as this value lives.
    pub fn address(&self) -> usize {
        self.code.expose_provenance()
    }

    /// Where each argument lies in the block that the handler gets, as [`Plan::slots`].
    pub fn slots(&self) -> &[Range<usize>] {
        self.inner.plan.slots()
    }

    #[expect(unsafe_code, reason = "libffi is C")]
    fn allocate(mut inner: Box<Inner>) -> Result<Self, String> {
        let mut code = ptr::null_mut();
        // SAFETY: the size is that of the structure; `code` is written.
        let closure = unsafe { ffi_closure_alloc(size_of::<ffi_closure>(), &raw mut code) }.cast::<ffi_closure>();
        if closure.is_null() {
            return Err("the system gives no executable memory for a function pointer".into());
        }
        let user_data = (&raw mut *inner).cast();
        let cif = &raw mut inner.cif;
        let this = Self { closure, code, inner };
        // SAFETY: closure and code belong together; `cif` and `user_data` lie in the box, which lives as long as the closure.
        let status = unsafe { ffi_prep_closure_loc(closure, cif, Some(entry), user_data, code) };
        if status == ffi_status_FFI_OK {
            Ok(this)
        } else {
            Err(format!("libffi refuses the function pointer ({status})"))
        }
    }
}

impl Drop for Trampoline {
    #[expect(unsafe_code, reason = "libffi is C")]
    fn drop(&mut self) {
        // SAFETY: it came from `ffi_closure_alloc` and is freed once.
        unsafe { ffi_closure_free(self.closure.cast()) };
    }
}

impl std::fmt::Debug for Trampoline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trampoline").field("plan", &self.inner.plan).finish_non_exhaustive()
    }
}

impl Inner {
    #[expect(unsafe_code, reason = "libffi is C")]
    fn prepare(&mut self, abi: ffi_abi) -> Result<(), String> {
        let types = &mut self.types;
        let count = u32::try_from(types.arguments.len()).map_err(|_| "too many arguments".to_owned())?;
        // SAFETY: the types live as long as `self`, and `arguments` has `count` of them.
        let status = unsafe { ffi_prep_cif(&raw mut self.cif, abi, count, types.result, types.arguments.as_mut_ptr()) };
        if status == ffi_status_FFI_OK { Ok(()) } else { Err(format!("libffi refuses the signature ({status})")) }
    }

    /// Answers one call.
    ///
    /// # Safety
    /// `result` and `arguments` must be what libffi hands to a closure of this signature.
    #[expect(unsafe_code, reason = "arguments are where libffi says")]
    unsafe fn run(&self, result: *mut c_void, arguments: *const *const c_void) {
        let (mut usual, mut large) = ([0; USUAL_BLOCK_BYTES], Vec::new());
        let bytes = self.plan.slots_bytes();
        let block = if bytes <= usual.len() {
            &mut usual[..bytes]
        } else {
            large.resize(bytes, 0);
            &mut large[..]
        };
        let mut result_at = result;
        for Piece { argument, offset, to } in &self.pieces {
            // SAFETY: `Arrangement` has made an argument of libffi's for every one that pieces name.
            let pointer = unsafe { arguments.add(*argument) };
            // SAFETY: as above.
            let start = unsafe { *pointer };
            // SAFETY: what is behind it is the rest of the stack's arguments.
            let from = unsafe { start.byte_add(*offset) };
            match to {
                To::Block(range) => {
                    // SAFETY: the plan says that the piece has that many bytes there; the block is ours.
                    unsafe { copy(from, &mut block[range.clone()]) };
                }
                To::Copied(range) => {
                    // SAFETY: a structure's address lies there, which the ABI says is a copy for this call.
                    let address = unsafe { from.cast::<*const c_void>().read_unaligned() };
                    // SAFETY: as above.
                    unsafe { copy(address, &mut block[range.clone()]) };
                }
                // SAFETY: the address that the caller wants the result at lies there.
                To::Result => result_at = unsafe { from.cast::<*mut c_void>().read_unaligned() },
            }
        }
        // SAFETY: `result_at` is the caller's memory for the result, or libffi's if that goes into registers.
        unsafe { self.answer(block, result, result_at) };
    }

    /// # Safety
    /// `result` must be libffi's memory for the result, and `result_at` where the caller wants it if that is in memory.
    #[expect(unsafe_code, reason = "results go where libffi or the caller says")]
    unsafe fn answer(&self, block: &[u8], result: *mut c_void, result_at: *mut c_void) {
        let bytes = self.plan.result_bytes();
        if self.plan.result_in_memory() {
            // SAFETY: by the ABI it is memory for a value of the result's type, which nobody else uses now.
            unsafe { ptr::write_bytes(result_at.cast::<u8>(), 0, bytes) };
            // SAFETY: as above, and it has just been written.
            let memory = unsafe { std::slice::from_raw_parts_mut(result_at.cast::<u8>(), bytes) };
            (self.handler)(block, memory);
            if result != result_at {
                // SAFETY: libffi's memory for an address.
                unsafe { result.cast::<*mut c_void>().write_unaligned(result_at) };
            }
            return;
        }
        let mut answer = [0; 16];
        (self.handler)(block, &mut answer[..bytes]);
        let first = bytes.min(8);
        let low = if self.signed { sign_extended(&answer[..first]) } else { zero_extended(&answer[..first]) };
        answer[..8].copy_from_slice(&low.to_le_bytes());
        // libffi reads a whole register, of integers at least; its memory has room for the larger of that and the type.
        let wide = if bytes == 0 { 0 } else { bytes.next_multiple_of(size_of::<usize>()) };
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(answer.as_ptr(), result.cast::<u8>(), wide) };
    }
}

/// # Safety
/// As many bytes as `into` has must lie at `from`.
#[expect(unsafe_code, reason = "arguments are where libffi says")]
unsafe fn copy(from: *const c_void, into: &mut [u8]) {
    // SAFETY: the caller's promise; `into` is ours.
    unsafe { ptr::copy_nonoverlapping(from.cast::<u8>(), into.as_mut_ptr(), into.len()) };
}

/// What libffi calls. A panic in the handler ends the process: it must not unwind into C.
#[expect(unsafe_code, reason = "libffi hands over pointers")]
unsafe extern "C" fn invoked(
    _cif: *mut ffi_cif,
    result: *mut c_void,
    arguments: *mut *mut c_void,
    user_data: *mut c_void,
) {
    // SAFETY: `user_data` is the `Inner` that the closure was made with, and which it has not outlived.
    let inner = unsafe { &*user_data.cast_const().cast::<Inner>() };
    // SAFETY: libffi hands both to the closure of this very signature.
    unsafe { inner.run(result, arguments.cast_const().cast()) };
}

#[cfg(not(target_arch = "x86"))]
use invoked as entry;

#[cfg(target_arch = "x86")]
#[expect(unsafe_code, reason = "the stack pointer is set in assembly")]
mod entry {
    /// Aligns the stack first: libraries of old compilers keep it at a multiple of 4 only, and Rust's code counts on 16.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn entry(
        cif: *mut super::ffi_cif,
        result: *mut super::c_void,
        arguments: *mut *mut super::c_void,
        user_data: *mut super::c_void,
    ) {
        std::arch::naked_asm!(
            "push ebp",
            "mov ebp, esp",
            "and esp, -16",
            "push dword ptr [ebp + 20]",
            "push dword ptr [ebp + 16]",
            "push dword ptr [ebp + 12]",
            "push dword ptr [ebp + 8]",
            "call {invoked}",
            "mov esp, ebp",
            "pop ebp",
            "ret",
            invoked = sym super::invoked,
        )
    }
}

#[cfg(target_arch = "x86")]
use entry::entry;

#[cfg(test)]
mod tests;
