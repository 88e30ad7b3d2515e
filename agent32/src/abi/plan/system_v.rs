//! `x86_64` everywhere but on Windows (x86-64 psABI §3.2.3): integers in rdi rsi rdx rcx r8 r9, floating point in xmm0
//! to xmm7, the rest on the stack. A structure of at most 16 bytes is taken apart into its eightbytes, each of which goes
//! where the scalars in it go; a larger one, or one with unaligned members, goes to the stack as a whole.

use bridge32_protocol::interface::Type;

use super::{Argument, Destination, Home, Kind, Placement, Register, Shape, Source};
use crate::layout::{Layout, Layouts, Leaf, LeafKind, MAX_REGISTER_BYTES};

const GENERAL_REGISTERS: usize = 6;
const VECTOR_REGISTERS: u8 = 8;

/// What an eightbyte holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Integer,
    Sse,
}

/// The classes of a structure's eightbytes; `None` in place of one that is padding. `None` for a structure that travels in
/// memory.
fn classify(leaves: &[Leaf], layout: Layout) -> Option<[Option<Class>; 2]> {
    if layout.size > MAX_REGISTER_BYTES {
        return None;
    }
    let mut classes = [None; 2];
    for leaf in leaves {
        if leaf.kind != LeafKind::Bits && !leaf.offset.is_multiple_of(leaf.size) {
            return None;
        }
        let last = (leaf.offset + leaf.size - 1) / 8;
        for class in &mut classes[leaf.offset / 8..=last.min((layout.size - 1) / 8)] {
            *class = match (leaf.kind, *class) {
                (LeafKind::Floating, None | Some(Class::Sse)) => Some(Class::Sse),
                _ => Some(Class::Integer),
            };
        }
    }
    Some(classes)
}

/// Registers while arguments are being placed.
#[derive(Default)]
struct Registers {
    general: usize,
    vector: u8,
}

impl Registers {
    /// Takes one register for each class, or none at all.
    fn take(&mut self, classes: [Option<Class>; 2]) -> Option<[Option<Destination>; 2]> {
        let count = |class| classes.iter().filter(|own| **own == Some(class)).count();
        let vectors = usize::from(self.vector) + count(Class::Sse);
        if self.general + count(Class::Integer) > GENERAL_REGISTERS || vectors > VECTOR_REGISTERS.into() {
            return None;
        }
        Some(classes.map(|class| match class? {
            Class::Integer => {
                self.general += 1;
                Some(Destination::General(self.general - 1))
            }
            Class::Sse => {
                self.vector += 1;
                Some(Destination::Vector((self.vector - 1).into()))
            }
        }))
    }
}

pub(super) fn place(shape: &Shape<'_>, hidden: bool) -> Placement {
    let mut placement = Placement::default();
    let mut registers = Registers::default();
    if hidden {
        registers.general = 1;
        placement.send(Source::Result, Destination::General(0));
    }
    for argument in &shape.arguments {
        let classes = match argument.kind {
            Kind::Integer { .. } => Some([Some(Class::Integer), None]),
            Kind::Floating | Kind::Promoted => Some([Some(Class::Sse), None]),
            Kind::Structure => classify(&shape.layouts.leaves(argument.ty), argument.layout),
        };
        match classes.and_then(|classes| registers.take(classes)) {
            Some(destinations) => send(argument, destinations, &mut placement),
            None => push(argument, &mut placement),
        }
    }
    placement.vectors = registers.vector;
    placement
}

fn send(argument: &Argument<'_>, destinations: [Option<Destination>; 2], placement: &mut Placement) {
    if argument.kind != Kind::Structure {
        destinations.into_iter().flatten().for_each(|to| placement.send(argument.source(), to));
        return;
    }
    for (index, to) in destinations.into_iter().enumerate() {
        let start = argument.slot.start + index * 8;
        if let Some(to) = to {
            placement.send(Source::Bytes(start..argument.slot.end.min(start + 8)), to);
        }
    }
}

fn push(argument: &Argument<'_>, placement: &mut Placement) {
    let align = if argument.layout.align > 8 { 16 } else { 8 };
    let at = placement.stack_bytes.next_multiple_of(align);
    placement.stack_bytes = at + argument.bytes().next_multiple_of(8);
    placement.send(argument.source(), Destination::Stack(at));
}

/// Where a structure comes back: rax, rdx, xmm0, xmm1 in the order in which its classes ask for them, or in memory.
pub(super) fn structure_home(result: &Type, layout: Layout, layouts: &Layouts) -> Home {
    let Some(classes) = classify(&layouts.leaves(result), layout) else { return Home::Memory };
    let (mut general, mut vector) = (0..2, 0..2);
    Home::Registers(classes.map(|class| match class? {
        Class::Integer => general.next().map(Register::General),
        Class::Sse => vector.next().map(Register::Vector),
    }))
}
