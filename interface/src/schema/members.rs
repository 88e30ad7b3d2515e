//! Lengths in examples: arrays, and the numbers that say how long they are, fit each other.

use bridge32_protocol::interface::{Direction, Expression, Type};

use crate::needs::{Member, Members, capacity, depends, integer};

/// A length in an example, where arrays have to be written out.
const FEW: i128 = 2;

/// A length in an example, where it is only the room for what the function writes.
const ROOM: i128 = 64;

/// Whether an example shows this member, which need not be given: arrays with a length do better with something in.
pub(super) fn is_shown(members: &Members<'_>, own: usize) -> bool {
    let member = members.get(own);
    matches!(member.ty, Type::Pointer(pointer) if capacity(pointer).is_some()) && member.direction != Direction::Out
}

/// The numbers that lengths are computed with in an example, by member.
pub(super) fn numbers(members: &Members<'_>) -> Vec<Option<i128>> {
    let number = |(own, member): (usize, &Member<'_>)| {
        integer(member.ty)?;
        let mut using = members.lengths().filter(|(_, length)| depends(&length.count, own)).peekable();
        using.peek()?;
        Some(if using.all(|(member, _)| member.direction == Direction::Out) { ROOM } else { FEW })
    };
    members.iter().map(number).collect()
}

/// An expression's value with these numbers.
pub(super) fn evaluate(expression: &Expression, numbers: &[Option<i128>]) -> Option<i128> {
    let both = |a, b| Some((evaluate(a, numbers)?, evaluate(b, numbers)?));
    match expression {
        Expression::Constant(number) => Some((*number).into()),
        Expression::Parameter(index) | Expression::Pointee(index) => *numbers.get(usize::try_from(*index).ok()?)?,
        Expression::Result => None,
        Expression::Add(a, b) => both(a, b).and_then(|(a, b)| a.checked_add(b)),
        Expression::Subtract(a, b) => both(a, b).and_then(|(a, b)| a.checked_sub(b)),
        Expression::Multiply(a, b) => both(a, b).and_then(|(a, b)| a.checked_mul(b)),
        Expression::Divide(a, b) => both(a, b).and_then(|(a, b)| a.checked_div(b)),
    }
}
