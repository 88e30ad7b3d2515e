//! i386: arguments in words of 4 bytes on the stack, the first at the lowest address; nothing is aligned to more.
//!
//! What GCC and Visual C++ do differently under fastcall and thiscall, where ecx and edx carry arguments of one word:
//!
//! | | GCC (`function_arg_advance_32`) | Visual C++ (clang's `X86_32ABIInfo` imitates it) |
//! | --- | --- | --- |
//! | a 64-bit integer, a structure | goes to the stack, and uses up the registers that it would fill | uses up none |
//! | `float`, `double`, structures of one of them | uses up none | uses up none |
//! | the address for a structure result, fastcall | in ecx | in ecx |
//! | the address for a structure result, thiscall | in ecx; `this` goes to the stack | on the stack; `this` in ecx |
//!
//! And everywhere: a variadic function is called as cdecl whatever it is declared. An ELF cdecl function that returns a
//! structure removes the address that it was given for it (`ret 4`), a Windows one does not.

use bridge32_protocol::interface::{Convention, Type};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Dialect;

use super::{Argument, Destination, Home, Kind, Placement, Register, Shape, Source, one};
use crate::layout::{Layout, Layouts, Mode};

/// Registers while arguments are being placed: ecx, then edx.
struct Registers {
    next: usize,
    count: usize,
}

impl Registers {
    fn take(&mut self) -> Option<Destination> {
        let register = self.next;
        self.use_up(1);
        (register < self.count).then_some(Destination::General(register))
    }

    fn use_up(&mut self, words: usize) {
        self.next = (self.next + words).min(self.count);
    }
}

pub(super) fn place(shape: &Shape<'_>, hidden: bool, convention: Convention) -> Placement {
    let microsoft = is_microsoft(shape.layouts);
    let count = match convention {
        _ if shape.variadic => 0,
        Convention::Cdecl | Convention::Stdcall => 0,
        Convention::Thiscall => 1,
        Convention::Fastcall => 2,
    };
    let mut registers = Registers { next: 0, count };
    let mut placement = Placement::default();
    if hidden {
        let this_comes_first = microsoft && convention == Convention::Thiscall;
        let register = if this_comes_first { None } else { registers.take() };
        let to = register.unwrap_or_else(|| push(&mut placement, 4));
        placement.send(Source::Result, to);
    }
    let hidden_on_stack = placement.stack_bytes;
    for argument in &shape.arguments {
        let words = argument.bytes().div_ceil(4);
        let register = match argument.kind {
            Kind::Integer { .. } if words == 1 => registers.take(),
            _ => {
                if !microsoft && !goes_to_the_x87(argument, shape.layouts) {
                    registers.use_up(words);
                }
                None
            }
        };
        let to = register.unwrap_or_else(|| push(&mut placement, words * 4));
        placement.send(argument.source(), to);
    }
    let callee_removes = convention != Convention::Cdecl && !shape.variadic;
    // GCC forgets the address when a variadic function is declared with a convention that has registers.
    let forgotten = matches!(convention, Convention::Fastcall | Convention::Thiscall);
    placement.removed = match shape.layouts.target() {
        _ if callee_removes => placement.stack_bytes,
        Target::Linux32 if !forgotten => hidden_on_stack,
        _ => 0,
    };
    placement
}

/// Makes room on the stack.
fn push(placement: &mut Placement, bytes: usize) -> Destination {
    let at = placement.stack_bytes;
    placement.stack_bytes += bytes;
    Destination::Stack(at)
}

fn goes_to_the_x87(argument: &Argument<'_>, layouts: &Layouts) -> bool {
    argument.is_floating()
        || argument.kind == Kind::Structure && matches!(layouts.mode(argument.ty), Mode::Float | Mode::Double)
}

fn is_microsoft(layouts: &Layouts) -> bool {
    layouts.target() == Target::Win32 && layouts.dialect() == Dialect::Microsoft
}

/// Structures come back in memory on ELF. On Windows those of 1, 2, 4 and 8 bytes come back in eax or edx:eax; MinGW
/// returns what has the machine mode of a `float` or `double` in st0, and what has none in memory.
pub(super) fn structure_home(result: &Type, layout: Layout, layouts: &Layouts) -> Home {
    let mode = match layouts.target() {
        Target::Win32 if layouts.dialect() == Dialect::Gnu => layouts.mode(result),
        Target::Win32 if matches!(layout.size, 1 | 2 | 4 | 8) => Mode::Integer,
        _ => Mode::Block,
    };
    match mode {
        Mode::Block => Home::Memory,
        Mode::Integer => one(Register::General(0)),
        Mode::Float | Mode::Double => one(Register::Vector(0)),
    }
}
