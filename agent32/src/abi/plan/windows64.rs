//! `x86_64` on Windows (Microsoft, "x64 calling convention"): the first four arguments in rcx rdx r8 r9 or xmm0 to xmm3
//! by position, the rest on the stack behind 32 bytes of shadow space that belong to the function. Every argument takes
//! eight bytes: of a structure of another size than 1, 2, 4 or 8 the address goes, and the function may write to the copy
//! there. Variadic functions find floating-point arguments in the general register, too.

use super::{Destination, Home, Kind, Placement, Register, Shape, Source, one};
use crate::layout::Layout;

const REGISTERS: usize = 4;
const SHADOW_BYTES: usize = 32;

pub(super) fn place(shape: &Shape<'_>, hidden: bool) -> Placement {
    let mut placement = Placement { stack_bytes: SHADOW_BYTES, ..Placement::default() };
    if hidden {
        placement.send(Source::Result, Destination::General(0));
    }
    for (index, argument) in shape.arguments.iter().enumerate() {
        let position = index + usize::from(hidden);
        let by_address = argument.kind == Kind::Structure && !fits_a_register(argument.layout);
        let source = || if by_address { Source::Address(argument.slot.start) } else { argument.source() };
        if position >= REGISTERS {
            placement.send(source(), Destination::Stack(placement.stack_bytes));
            placement.stack_bytes += 8;
            continue;
        }
        if argument.is_floating() {
            placement.send(source(), Destination::Vector(position));
        }
        if !argument.is_floating() || shape.variadic {
            placement.send(source(), Destination::General(position));
        }
    }
    placement
}

const fn fits_a_register(layout: Layout) -> bool {
    matches!(layout.size, 1 | 2 | 4 | 8)
}

/// Where a structure comes back: in rax, whatever is in it, or in memory.
pub(super) fn structure_home(layout: Layout) -> Home {
    if fits_a_register(layout) { one(Register::General(0)) } else { Home::Memory }
}
