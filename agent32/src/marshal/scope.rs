//! Named values whose lengths refer to each other: the parameters of a function, or the members of a structure.

use bridge32_protocol::interface::{
    Direction, Expression, Extent, Field, Length, Parameter, Pointer, Scalar, Type, Unit,
};
use bridge32_protocol::wire::Buffer;
use serde_json::value::RawValue;

use super::length::{self, Numbers};
use super::{Context, scalar};

/// The names and types.
#[derive(Clone, Copy, Debug)]
pub(super) enum Members<'a> {
    Parameters(&'a [Parameter]),
    Fields(&'a [Field]),
}

impl<'a> Members<'a> {
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Parameters(parameters) => parameters.len(),
            Self::Fields(fields) => fields.len(),
        }
    }

    pub(super) fn ty(self, index: usize) -> &'a Type {
        match self {
            Self::Parameters(parameters) => &parameters[index].ty,
            Self::Fields(fields) => &fields[index].ty,
        }
    }

    pub(super) fn name(self, index: usize) -> &'a str {
        match self {
            Self::Parameters(parameters) => parameters.get(index).map_or("?", |parameter| &parameter.name),
            Self::Fields(fields) => fields.get(index).map_or("?", |field| &field.name),
        }
    }

    /// Whether no text may repeat its value.
    pub(super) fn is_sensitive(self, index: usize) -> bool {
        match self {
            Self::Parameters(parameters) => parameters.get(index).is_some_and(|parameter| parameter.sensitive),
            Self::Fields(fields) => fields.get(index).is_some_and(|field| field.sensitive),
        }
    }

    fn direction(self, index: usize) -> Direction {
        match self {
            Self::Parameters(parameters) => parameters[index].direction,
            Self::Fields(_) => Direction::In,
        }
    }

    /// The length of what a member points to.
    fn capacity(self, index: usize) -> Option<&'a Length> {
        match self.ty(index) {
            Type::Pointer(pointer) => capacity(pointer),
            _ => None,
        }
    }

    /// Whether any length refers to another member.
    pub(super) fn have_lengths(self) -> bool {
        (0..self.len()).any(|index| self.capacity(index).is_some())
    }

    /// Whether some length depends on this member: then it cannot be left out.
    pub(super) fn is_length(self, own: usize) -> bool {
        let depends = |length: &Length| length::dependencies(length).contains(&own);
        (0..self.len()).filter_map(|index| self.capacity(index)).any(depends)
    }

    /// The arrays whose length is this member alone: those that tell it when it is left out.
    pub(super) fn measured_by(self, own: usize) -> impl Iterator<Item = (usize, &'a Pointer, Unit, Direction)> {
        (0..self.len()).filter_map(move |index| {
            let Type::Pointer(pointer) = self.ty(index) else { return None };
            let length = capacity(pointer).filter(|length| length::sole_parameter(length) == Some(own))?;
            let direction = self.direction(index);
            (direction != Direction::Out).then_some((index, &**pointer, length.unit, direction))
        })
    }

    /// The integer that a member is, or points to: what lengths may refer to.
    pub(super) fn integer(self, index: usize) -> Option<&'a Scalar> {
        match self.ty(index) {
            Type::Scalar(scalar) => Some(scalar),
            Type::Pointer(pointer) => match (&pointer.extent, &pointer.to) {
                (Extent::One, Type::Scalar(scalar)) => Some(scalar),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The declared length of what a pointer points to.
pub(super) const fn capacity(pointer: &Pointer) -> Option<&Length> {
    match &pointer.extent {
        Extent::Elements { capacity, .. } | Extent::TextBuffer { capacity, .. } => Some(capacity),
        _ => None,
    }
}

/// The values that a client gave for members, and what lengths need of them.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) members: Members<'a>,
    /// By member; `None` where nothing was given.
    pub(super) given: Vec<Option<&'a RawValue>>,
    /// By member: the integer, if there is one and it is valid. Empty where no length needs any.
    numbers: Vec<Option<i128>>,
    /// By member: the file that its bytes have. Empty where none has one.
    buffers: Vec<Option<&'a Buffer>>,
}

impl<'a> Scope<'a> {
    /// Reads the integers that lengths may refer to. What is not valid is found when it is written.
    pub(super) fn new(members: Members<'a>, given: Vec<Option<&'a RawValue>>, context: Context<'_>) -> Self {
        let number = |index: usize| {
            let scalar = members.integer(index)?;
            scalar::decode(given[index]?, scalar, context).ok()?.integer(scalar)
        };
        let numbers = if members.have_lengths() { (0..members.len()).map(number).collect() } else { Vec::new() };
        Self { members, given, numbers, buffers: Vec::new() }
    }

    /// The same, where some members have files.
    pub(super) fn with_buffers(self, buffers: Vec<Option<&'a Buffer>>) -> Self {
        Self { buffers, ..self }
    }

    /// The file of a member.
    pub(super) fn buffer(&self, index: usize) -> Option<&'a Buffer> {
        self.buffers.get(index).copied().flatten()
    }

    /// Notes the length that was taken from an array.
    pub(super) fn infer(&mut self, index: usize, number: i128) {
        self.numbers[index] = Some(number);
    }

    /// The number of a member, as far as it is known.
    pub(super) fn known(&self, index: usize) -> Option<i128> {
        self.numbers.get(index).copied().flatten()
    }

    /// A length as the header has it.
    pub(super) fn describe(&self, length: &Length) -> String {
        length::describe(length, &|index| self.members.name(index))
    }

    /// The first member that a length needs and that is not known.
    pub(super) fn unknown_in(&self, length: &Length) -> Option<usize> {
        length::dependencies(length).into_iter().find(|index| self.known(*index).is_none())
    }
}

impl Numbers for Scope<'_> {
    fn number(&self, index: u32) -> Option<i128> {
        self.known(usize::try_from(index).ok()?)
    }

    fn result(&self) -> Option<i128> {
        None
    }
}

/// Whether a length can be known before the call.
pub(super) fn needs_result(length: &Length) -> bool {
    fn in_expression(expression: &Expression) -> bool {
        match expression {
            Expression::Result => true,
            Expression::Constant(_) | Expression::Parameter(_) | Expression::Pointee(_) => false,
            Expression::Add(a, b)
            | Expression::Subtract(a, b)
            | Expression::Multiply(a, b)
            | Expression::Divide(a, b) => in_expression(a) || in_expression(b),
        }
    }
    in_expression(&length.count)
}
