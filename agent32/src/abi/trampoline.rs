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
use bridge32_protocol::target::Target;
use libffi_sys::{
    ffi_abi, ffi_cif, ffi_closure, ffi_closure_alloc, ffi_closure_free, ffi_prep_cif, ffi_prep_closure_loc,
    ffi_status_FFI_OK, ffi_type, ffi_type_double, ffi_type_enum_STRUCT, ffi_type_float, ffi_type_uint32,
    ffi_type_uint64, ffi_type_void,
};

use super::plan::{Destination, Home, Plan, Register, Source, sign_extended, zero_extended};
use crate::layout::{HOST, Layouts};

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

/// Where one piece of an argument comes from and goes.
struct Piece {
    /// libffi's argument.
    argument: usize,
    /// Bytes behind its beginning.
    offset: usize,
    to: To,
}

enum To {
    /// These bytes of the block.
    Block(Range<usize>),
    /// It is the address of what goes to these bytes of the block.
    Copied(Range<usize>),
    /// It is where the result shall be written.
    Result,
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

/// One of libffi's types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Void,
    Integer32,
    Integer64,
    Float,
    Double,
    /// A structure of two: what `x86_64` System V returns in two registers.
    Pair([bool; 2]),
    /// A structure that is too large for registers.
    Large,
}

/// What libffi is told.
struct Arrangement {
    abi: ffi_abi,
    arguments: Vec<Word>,
    result: Word,
    /// libffi's first argument for a vector register.
    first_vector: usize,
    /// libffi's first argument on the stack, and its place in the plan's stack area.
    first_on_stack: (usize, usize),
}

impl Arrangement {
    fn of(plan: &Plan, convention: Convention) -> Result<Self, String> {
        let destinations = || plan.moves().map(|(_, to)| to);
        // MinGW's fastcall may leave ecx out.
        let general = destinations()
            .filter_map(|to| if let Destination::General(index) = to { Some(index + 1) } else { None })
            .max()
            .unwrap_or(0);
        let vector = destinations().filter(|to| matches!(to, Destination::Vector(_))).count();
        let result = result(plan)?;
        let mut arguments = Vec::new();
        Ok(match HOST {
            Target::Linux32 | Target::Win32 => {
                let popped = convention == Convention::Cdecl && plan.removed_bytes() > 0;
                let hidden = if popped { plan.removed_bytes() } else { 0 };
                arguments.resize(general, Word::Integer32);
                arguments.resize(general + (plan.stack_bytes() - hidden) / 4, Word::Float);
                let result = if popped { Word::Large } else { result };
                let abi = i386_abi(convention);
                Self { abi, arguments, result, first_vector: general, first_on_stack: (general, hidden) }
            }
            Target::Linux64 => {
                arguments.resize(general, Word::Integer64);
                arguments.resize(general + vector, Word::Double);
                if plan.stack_bytes() > 0 {
                    arguments.push(Word::Large);
                }
                let abi = libffi_sys::ffi_abi_FFI_DEFAULT_ABI;
                Self { abi, arguments, result, first_vector: general, first_on_stack: (general + vector, 0) }
            }
            Target::Win64 => {
                let positions = destinations().count().max(4);
                arguments.resize(positions, Word::Integer64);
                for to in destinations() {
                    if let Destination::Vector(position) = to {
                        arguments[position] = Word::Double;
                    }
                }
                let abi = libffi_sys::ffi_abi_FFI_DEFAULT_ABI;
                Self { abi, arguments, result, first_vector: 0, first_on_stack: (4, 32) }
            }
        })
    }

    /// Where the pieces of the plan's arguments are.
    fn pieces(&self, plan: &Plan) -> Result<Vec<Piece>, String> {
        let slot = |start: usize| plan.slots().iter().find(|slot| slot.start == start).cloned();
        let piece = |(from, to): (&Source, Destination)| {
            let to_block = match from {
                Source::Bytes(range) | Source::Signed(range) => To::Block(range.clone()),
                Source::Address(start) => To::Copied(slot(*start)?),
                Source::Result => To::Result,
                Source::Promoted(_) => return None,
            };
            let (argument, offset) = self.place(to);
            // libffi itself takes the address that a structure's type stands for.
            if matches!(to_block, To::Result) && self.result == Word::Large {
                return Some(None);
            }
            Some(Some(Piece { argument, offset, to: to_block }))
        };
        let pieces: Option<Vec<Option<Piece>>> = plan.moves().map(piece).collect();
        pieces
            .map(|pieces| pieces.into_iter().flatten().collect())
            .ok_or_else(|| "a variadic function cannot be a callback".into())
    }

    /// Which of libffi's arguments is there, or before there by some bytes.
    fn place(&self, destination: Destination) -> (usize, usize) {
        match destination {
            Destination::General(index) => (index, 0),
            Destination::Vector(index) => (self.first_vector + index, 0),
            Destination::Stack(offset) => {
                let (first, base) = self.first_on_stack;
                (first, offset.saturating_sub(base))
            }
        }
    }
}

/// libffi's type of the result.
fn result(plan: &Plan) -> Result<Word, String> {
    let i386 = HOST.pointer_bytes() == 4;
    let integer = if i386 { Word::Integer32 } else { Word::Integer64 };
    Ok(match plan.home() {
        Home::Nowhere => Word::Void,
        // The address goes back in eax or rax.
        Home::Memory => integer,
        Home::Registers([Some(first), None]) => match first {
            Register::General(_) if i386 && plan.result_bytes() == 8 => Word::Integer64,
            Register::General(_) => integer,
            Register::Vector(_) if plan.result_bytes() == 4 => Word::Float,
            Register::Vector(_) => Word::Double,
        },
        Home::Registers([Some(first), Some(second)]) => {
            Word::Pair([first, second].map(|register| matches!(register, Register::Vector(_))))
        }
        Home::Registers([None, _]) => return Err("the result begins with padding only".into()),
    })
}

#[cfg(target_arch = "x86")]
const fn i386_abi(convention: Convention) -> ffi_abi {
    match convention {
        // libffi numbers these differently for each system.
        Convention::Cdecl if cfg!(windows) => libffi_sys::ffi_abi_FFI_MS_CDECL,
        Convention::Cdecl => libffi_sys::ffi_abi_FFI_SYSV,
        Convention::Stdcall => libffi_sys::ffi_abi_FFI_STDCALL,
        // Of thiscall's one register the plan knows.
        Convention::Fastcall | Convention::Thiscall => libffi_sys::ffi_abi_FFI_FASTCALL,
    }
}

#[cfg(not(target_arch = "x86"))]
const fn i386_abi(_: Convention) -> ffi_abi {
    libffi_sys::ffi_abi_FFI_DEFAULT_ABI
}

/// The types of a signature as libffi wants them.
struct Types {
    arguments: Vec<*mut ffi_type>,
    result: *mut ffi_type,
    /// The structures among them, and what those point to.
    _structures: Vec<(Box<ffi_type>, Vec<*mut ffi_type>)>,
}

impl Types {
    fn of(arrangement: &Arrangement) -> Self {
        let mut structures = Vec::new();
        let mut of = |word: Word| match word {
            Word::Void => &raw mut ffi_type_void,
            Word::Integer32 => &raw mut ffi_type_uint32,
            Word::Integer64 => &raw mut ffi_type_uint64,
            Word::Float => &raw mut ffi_type_float,
            Word::Double => &raw mut ffi_type_double,
            Word::Pair(floating) => {
                let eightbyte = |floating| if floating { &raw mut ffi_type_double } else { &raw mut ffi_type_uint64 };
                structure(floating.map(eightbyte).to_vec(), &mut structures)
            }
            Word::Large => structure(vec![&raw mut ffi_type_uint64; 3], &mut structures),
        };
        let result = of(arrangement.result);
        let arguments = arrangement.arguments.iter().map(|word| of(*word)).collect();
        Self { arguments, result, _structures: structures }
    }
}

/// A structure of these members; libffi computes its size.
fn structure(
    mut members: Vec<*mut ffi_type>,
    structures: &mut Vec<(Box<ffi_type>, Vec<*mut ffi_type>)>,
) -> *mut ffi_type {
    members.push(ptr::null_mut());
    let elements = members.as_mut_ptr();
    let mut own = Box::new(ffi_type { size: 0, alignment: 0, type_: ffi_type_enum_STRUCT, elements });
    let pointer = &raw mut *own;
    structures.push((own, members));
    pointer
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
