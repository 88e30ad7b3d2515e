//! What libffi is told of a signature: words in an order in which it finds each where the plan says (see the table at the
//! head of `trampoline.rs`).

use std::ops::Range;
use std::ptr;

use bridge32_protocol::interface::Convention;
use bridge32_protocol::target::Target;
use libffi_sys::{
    ffi_abi, ffi_type, ffi_type_double, ffi_type_enum_STRUCT, ffi_type_float, ffi_type_uint32, ffi_type_uint64,
    ffi_type_void,
};

use crate::abi::plan::{Destination, Home, Plan, Register, Source};
use crate::layout::HOST;

/// Where one piece of an argument comes from and goes.
pub(super) struct Piece {
    /// libffi's argument.
    pub(super) argument: usize,
    /// Bytes behind its beginning.
    pub(super) offset: usize,
    pub(super) to: To,
}

pub(super) enum To {
    /// These bytes of the block.
    Block(Range<usize>),
    /// It is the address of what goes to these bytes of the block.
    Copied(Range<usize>),
    /// It is where the result shall be written.
    Result,
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
pub(super) struct Arrangement {
    pub(super) abi: ffi_abi,
    arguments: Vec<Word>,
    result: Word,
    /// libffi's first argument for a vector register.
    first_vector: usize,
    /// libffi's first argument on the stack, and its place in the plan's stack area.
    first_on_stack: (usize, usize),
}

impl Arrangement {
    pub(super) fn of(plan: &Plan, convention: Convention) -> Result<Self, String> {
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
    pub(super) fn pieces(&self, plan: &Plan) -> Result<Vec<Piece>, String> {
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
pub(super) struct Types {
    pub(super) arguments: Vec<*mut ffi_type>,
    pub(super) result: *mut ffi_type,
    /// The structures among them, and what those point to.
    _structures: Vec<(Box<ffi_type>, Vec<*mut ffi_type>)>,
}

impl Types {
    pub(super) fn of(arrangement: &Arrangement) -> Self {
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
