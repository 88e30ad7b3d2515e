//! A signature, compiled once: where each argument goes and where the result comes from, so that a call only copies.
//!
//! Arguments come in a *block*: each lies there as in memory, at its slot. Which ABI sends what where:
//!
//! | | in | source |
//! | --- | --- | --- |
//! | i386 | `plan/i386.rs` | System V ABI i386 supplement 4 §2.2; GCC's i386.cc; clang's X86.cpp for Microsoft's dialect |
//! | `x86_64` System V | `plan/system_v.rs` | x86-64 psABI §3.2.3 |
//! | `x86_64` Windows | `plan/windows64.rs` | Microsoft, "x64 calling convention" |

use std::ops::Range;

use bridge32_protocol::interface::{Convention, Scalar, Type};
use bridge32_protocol::target::Target;

use super::frame::{Frame, MAX_STACK_BYTES};
use super::thunk::{ResultKind, Returned};
use crate::layout::{Layout, Layouts};

mod i386;
mod mismatch;
mod system_v;
#[cfg(test)]
mod tests;
mod windows64;

/// A compiled signature.
#[derive(Clone, Debug)]
pub struct Plan {
    slots: Vec<Range<usize>>,
    slots_bytes: usize,
    placement: Placement,
    convention: Convention,
    home: Home,
    /// Bytes of a word: of a general register.
    word: usize,
    result_bytes: usize,
    result_signed: bool,
    result_kind: ResultKind,
    /// What functions of each convention would remove.
    removed_by: [(Convention, usize); 4],
}

/// How arguments and result travel.
#[derive(Clone, Debug, Default)]
struct Placement {
    moves: Vec<Move>,
    /// Bytes of the stack area.
    stack_bytes: usize,
    /// Bytes that the function removes.
    removed: usize,
    /// Vector registers that carry arguments.
    vectors: u8,
}

impl Placement {
    fn send(&mut self, from: Source, to: Destination) {
        self.moves.push(Move { from, to });
    }
}

/// One piece of an argument on its way.
#[derive(Clone, Debug)]
struct Move {
    from: Source,
    to: Destination,
}

/// Where a piece comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Bytes of the block, at most 8 if they go into a register, extended with zeros.
    Bytes(Range<usize>),
    /// A signed integer in the block, extended with its sign.
    Signed(Range<usize>),
    /// A `float` at this place of the block, which becomes a `double`, as C does for arguments after `...`.
    Promoted(usize),
    /// The address of this place of the block.
    Address(usize),
    /// The address where the result shall be written.
    Result,
}

/// Where a piece goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Destination {
    /// The general register of that index, as [`Frame::general`] counts them.
    General(usize),
    /// The vector register of that index.
    Vector(usize),
    /// This place of the stack area, in whole words.
    Stack(usize),
}

/// A parameter as the ABIs see it.
#[derive(Clone, Debug)]
struct Argument<'a> {
    slot: Range<usize>,
    layout: Layout,
    kind: Kind,
    ty: &'a Type,
}

/// What the ABIs tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An integer, truth value, enumerator or address.
    Integer { signed: bool },
    /// `float` or `double`.
    Floating,
    /// A `float` after `...`.
    Promoted,
    /// A structure or union.
    Structure,
}

impl Argument<'_> {
    /// The value, extended to a register or to words of the stack.
    fn source(&self) -> Source {
        match self.kind {
            Kind::Integer { signed: true } => Source::Signed(self.slot.clone()),
            Kind::Promoted => Source::Promoted(self.slot.start),
            _ => Source::Bytes(self.slot.clone()),
        }
    }

    /// Bytes that the value has when it is passed.
    const fn bytes(&self) -> usize {
        if matches!(self.kind, Kind::Promoted) { 8 } else { self.layout.size }
    }

    const fn is_floating(&self) -> bool {
        matches!(self.kind, Kind::Floating | Kind::Promoted)
    }
}

/// Where the result comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// There is none.
    Nowhere,
    /// In up to two registers.
    Registers([Option<Register>; 2]),
    /// The function writes it to an address that it was given.
    Memory,
}

/// A register with a part of a result: eight bytes each, or what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    /// The general one of that index, as [`Returned::general`] counts them.
    General(usize),
    /// The vector one of that index; on i386 the only one is st0.
    Vector(usize),
}

/// A signature with the sizes of its types.
struct Shape<'a> {
    arguments: Vec<Argument<'a>>,
    variadic: bool,
    layouts: &'a Layouts,
}

impl Plan {
    /// Compiles a signature. `fixed` is the number of parameters before the `...` of a `variadic` function, and that of
    /// all for another. The types of parameters behind it are promoted as C does.
    ///
    /// # Errors
    /// In words, which type cannot be passed or returned, or that the arguments need more than [`MAX_STACK_BYTES`].
    pub fn new(
        parameters: &[&Type],
        fixed: usize,
        variadic: bool,
        result: &Type,
        convention: Convention,
        layouts: &Layouts,
    ) -> Result<Self, String> {
        let shape = Shape { arguments: arguments(parameters, fixed, layouts)?, variadic, layouts };
        let (home, result_bytes) = result_home(result, layouts)?;
        let hidden = home == Home::Memory;
        let placement = shape.place(hidden, convention);
        if placement.stack_bytes > MAX_STACK_BYTES {
            return Err(format!("the arguments take more than {MAX_STACK_BYTES} bytes of stack"));
        }
        let conventions = [Convention::Cdecl, Convention::Stdcall, Convention::Fastcall, Convention::Thiscall];
        let removed_by = conventions.map(|convention| (convention, shape.place(hidden, convention).removed));
        let slots: Vec<Range<usize>> = shape.arguments.iter().map(|argument| argument.slot.clone()).collect();
        let slots_bytes = slots.last().map_or(0, |slot| slot.end.next_multiple_of(8));
        let result_kind = result_kind(result, home, layouts);
        let word = layouts.target().pointer_bytes().into();
        let result_signed = matches!(passed(result, layouts), Ok((Kind::Integer { signed: true }, _)));
        Ok(Self {
            slots,
            slots_bytes,
            placement,
            convention,
            home,
            word,
            result_bytes,
            result_signed,
            result_kind,
            removed_by,
        })
    }

    /// Where in the block each argument lies: at a multiple of 8 bytes, or of 16 if its type needs that.
    pub fn slots(&self) -> &[Range<usize>] {
        &self.slots
    }

    /// Bytes of the block.
    pub const fn slots_bytes(&self) -> usize {
        self.slots_bytes
    }

    /// Puts the arguments into registers and onto the stack, forgetting what was placed before. The block is at
    /// `block_address`, a multiple of 16, until the function has returned: some ABIs pass the addresses of structures.
    /// `result_address` is used if [`Plan::result_in_memory`].
    pub fn place(&self, block: &[u8], block_address: usize, result_address: usize, frame: &mut Frame) {
        frame.clear(self.placement.stack_bytes, self.placement.vectors);
        for Move { from, to } in &self.placement.moves {
            let (bits, width) = match from {
                Source::Bytes(range) => {
                    let bytes = &block[range.clone()];
                    if let Destination::Stack(offset) = *to {
                        frame.write(offset, bytes);
                        continue;
                    }
                    (zero_extended(bytes), bytes.len())
                }
                Source::Signed(range) => (sign_extended(&block[range.clone()]), range.len().max(self.word)),
                Source::Promoted(offset) => (promoted(&block[*offset..offset + 4]), 8),
                Source::Address(offset) => ((block_address + offset) as u64, self.word),
                Source::Result => (result_address as u64, self.word),
            };
            match *to {
                Destination::General(index) => frame.general[index] = bits,
                Destination::Vector(index) => frame.vector[index] = bits,
                Destination::Stack(offset) => frame.write(offset, &bits.to_le_bytes()[..width]),
            }
        }
    }

    /// Bytes of the result in memory; 0 for `void`.
    pub const fn result_bytes(&self) -> usize {
        self.result_bytes
    }

    /// The function writes its result to an address that it is given: `result_address` of [`Plan::place`], with room for
    /// [`Plan::result_bytes`], at a multiple of 16.
    pub fn result_in_memory(&self) -> bool {
        self.home == Home::Memory
    }

    /// What the thunk must take from the floating-point unit.
    pub const fn result_kind(&self) -> ResultKind {
        self.result_kind
    }

    /// Writes a result that came back in registers, as it lies in memory, into the first [`Plan::result_bytes`] of `into`.
    pub fn take_result(&self, returned: &Returned, into: &mut [u8]) {
        let Home::Registers(registers) = self.home else { return };
        let parts = into[..self.result_bytes].chunks_mut(8);
        for (part, register) in parts.zip(registers) {
            let bits = match register {
                Some(Register::General(index)) => returned.general[index],
                Some(Register::Vector(index)) => returned.vector[index],
                None => 0,
            };
            part.copy_from_slice(&bits.to_le_bytes()[..part.len()]);
        }
    }

    /// Each piece of the arguments: where it lies in the block, and where it is passed.
    pub(super) fn moves(&self) -> impl Iterator<Item = (&Source, Destination)> {
        self.placement.moves.iter().map(|Move { from, to }| (from, *to))
    }

    /// Where the result comes back.
    pub(super) const fn home(&self) -> Home {
        self.home
    }

    /// Whether the result is an integer that has a sign.
    pub(super) const fn result_is_signed(&self) -> bool {
        self.result_signed
    }

    /// Bytes of arguments on the stack.
    pub const fn stack_bytes(&self) -> usize {
        self.placement.stack_bytes
    }

    /// Bytes that the function must have removed from the stack when it returns.
    pub const fn removed_bytes(&self) -> usize {
        self.placement.removed
    }
}

impl Shape<'_> {
    fn place(&self, hidden: bool, convention: Convention) -> Placement {
        match self.layouts.target() {
            Target::Linux32 | Target::Win32 => i386::place(self, hidden, convention),
            Target::Linux64 => system_v::place(self, hidden),
            Target::Win64 => windows64::place(self, hidden),
        }
    }
}

/// Gives every parameter its slot.
fn arguments<'a>(parameters: &[&'a Type], fixed: usize, layouts: &Layouts) -> Result<Vec<Argument<'a>>, String> {
    let mut end: usize = 0;
    let mut arguments = Vec::with_capacity(parameters.len());
    for (index, ty) in parameters.iter().copied().enumerate() {
        let (kind, layout) = passed(ty, layouts).map_err(|error| format!("argument {}: {error}", index + 1))?;
        let kind = match ty {
            Type::Scalar(Scalar::Float) if index >= fixed => Kind::Promoted,
            _ => kind,
        };
        let start = end.next_multiple_of(if slot_needs_16(kind, layout, layouts.target()) { 16 } else { 8 });
        end = start + layout.size;
        if end > MAX_STACK_BYTES {
            return Err(format!("the arguments take more than {MAX_STACK_BYTES} bytes"));
        }
        arguments.push(Argument { slot: start..end, layout, kind, ty });
    }
    Ok(arguments)
}

/// Structures whose address is passed lie at multiples of 16 bytes (Microsoft, "x64 calling convention").
fn slot_needs_16(kind: Kind, layout: Layout, target: Target) -> bool {
    layout.align > 8 || kind == Kind::Structure && target == Target::Win64
}

/// What kind of value a type is when it is passed or returned.
fn passed(ty: &Type, layouts: &Layouts) -> Result<(Kind, Layout), String> {
    let kind = match ty {
        Type::Scalar(Scalar::Float | Scalar::Double) => Kind::Floating,
        Type::Scalar(Scalar::Integer(integer)) => Kind::Integer { signed: integer.signed },
        Type::Scalar(Scalar::Enumeration(_)) => Kind::Integer { signed: true },
        Type::Scalar(Scalar::Boolean(_)) | Type::Pointer(_) | Type::Callback(_) => Kind::Integer { signed: false },
        Type::Structure(_) => Kind::Structure,
        Type::Array(_) => return Err("an array cannot be passed or returned by value".into()),
        Type::Void | Type::Unsupported { .. } => return layouts.of(ty).map(|layout| (Kind::Structure, layout)),
    };
    let layout = layouts.of(ty)?;
    if layout.align > 16 && !is_i386(layouts.target()) {
        return Err(format!("its alignment to {} bytes cannot be kept; at most 16 can", layout.align));
    }
    Ok((kind, layout))
}

const fn is_i386(target: Target) -> bool {
    matches!(target, Target::Linux32 | Target::Win32)
}

/// Where a result comes back, and its size.
fn result_home(result: &Type, layouts: &Layouts) -> Result<(Home, usize), String> {
    if matches!(result, Type::Void) {
        return Ok((Home::Nowhere, 0));
    }
    let (kind, layout) = passed(result, layouts).map_err(|error| format!("the result: {error}"))?;
    let home = match kind {
        Kind::Floating | Kind::Promoted => one(Register::Vector(0)),
        Kind::Integer { .. } => one(Register::General(0)),
        Kind::Structure => match layouts.target() {
            Target::Linux32 | Target::Win32 => i386::structure_home(result, layout, layouts),
            Target::Linux64 => system_v::structure_home(result, layout, layouts),
            Target::Win64 => windows64::structure_home(layout),
        },
    };
    Ok((home, layout.size))
}

/// A result in one register.
const fn one(register: Register) -> Home {
    Home::Registers([Some(register), None])
}

fn result_kind(result: &Type, home: Home, layouts: &Layouts) -> ResultKind {
    let floating = matches!(home, Home::Registers([Some(Register::Vector(_)), _]));
    match layouts.of(result) {
        Ok(layout) if floating && layout.size == 4 => ResultKind::Float,
        Ok(_) if floating => ResultKind::Double,
        _ => ResultKind::Integer,
    }
}

/// Up to eight bytes as the low part of a register.
pub(super) fn zero_extended(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

/// One to eight bytes of a signed integer as a register.
pub(super) fn sign_extended(bytes: &[u8]) -> u64 {
    let unused = 64 - 8 * bytes.len();
    (zero_extended(bytes).cast_signed() << unused >> unused).cast_unsigned()
}

/// The bits of the `double` that a `float`'s bytes become.
fn promoted(bytes: &[u8]) -> u64 {
    let mut float = [0; 4];
    float.copy_from_slice(bytes);
    f64::from(f32::from_le_bytes(float)).to_bits()
}
