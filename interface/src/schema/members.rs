//! Named values whose lengths refer to each other: parameters, or the members of a structure. The same rules as the
//! agent's: what is a length, which lengths can be taken from the arrays, and what may be left out.

use bridge32_protocol::interface::{
    Direction, Expression, Extent, Field, Length, Parameter, Pointer, Release, Scalar, Type,
};

/// A length in an example, where arrays have to be written out.
const FEW: i128 = 2;

/// A length in an example, where it is only the room for what the function writes.
const ROOM: i128 = 64;

/// One of them.
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    pub(super) ty: &'a Type,
    pub(super) direction: Direction,
    /// A null pointer is allowed.
    pub(super) optional: bool,
    pub(super) description: &'a str,
    pub(super) bits: Option<u32>,
    pub(super) releases: Option<Release>,
}

/// All of them, in order.
pub(super) struct Members<'a>(Vec<Member<'a>>);

impl<'a> Members<'a> {
    pub(super) fn of_parameters(parameters: &'a [Parameter]) -> Self {
        let member = |parameter: &'a Parameter| Member {
            name: &parameter.name,
            ty: &parameter.ty,
            direction: parameter.direction,
            optional: parameter.optional,
            description: &parameter.description,
            bits: None,
            releases: parameter.releases,
        };
        Self(parameters.iter().map(member).collect())
    }

    /// Those of a structure that goes in `direction`.
    pub(super) fn of_fields(fields: &'a [Field], direction: Direction) -> Self {
        let member = |field: &'a Field| Member {
            name: &field.name,
            ty: &field.ty,
            direction,
            optional: true,
            description: &field.description,
            bits: field.bits,
            releases: None,
        };
        Self(fields.iter().map(member).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Member<'a>)> {
        self.0.iter().enumerate()
    }

    pub(super) fn get(&self, index: usize) -> &Member<'a> {
        &self.0[index]
    }

    /// Whether some length depends on this member.
    pub(super) fn is_length(&self, own: usize) -> bool {
        self.lengths().any(|(_, length)| depends(&length.count, own))
    }

    /// The arrays of the request that tell this member's value when it is left out.
    pub(super) fn measured_by(&self, own: usize) -> Vec<&'a str> {
        if !matches!(integer(self.0[own].ty), Some(Scalar::Integer(_))) {
            return Vec::new();
        }
        let alone = |length: &Length| match length.count {
            Expression::Parameter(index) | Expression::Pointee(index) => usize::try_from(index) == Ok(own),
            _ => false,
        };
        let arrays = self.lengths().filter(|(member, length)| member.direction != Direction::Out && alone(length));
        arrays.map(|(member, _)| member.name).collect()
    }

    fn lengths(&self) -> impl Iterator<Item = (&Member<'a>, &'a Length)> {
        self.0.iter().filter_map(|member| match member.ty {
            Type::Pointer(pointer) => Some((member, capacity(pointer)?)),
            _ => None,
        })
    }

    /// Whether a request has to have this member. `complete`: it belongs to a structure that the function only reads.
    pub(super) fn is_required(&self, own: usize, complete: bool) -> bool {
        let member = &self.0[own];
        match member.ty {
            Type::Pointer(_) | Type::Callback(_) if member.optional => false,
            Type::Pointer(pointer) if member.direction != Direction::In => match &pointer.extent {
                Extent::One => self.is_length(own) && self.measured_by(own).is_empty(),
                Extent::TextBuffer { .. } | Extent::Elements { .. } => false,
                Extent::Text(_) | Extent::Bstr | Extent::Handle { .. } => true,
            },
            Type::Pointer(_) | Type::Callback(_) => true,
            _ => complete && self.measured_by(own).is_empty(),
        }
    }

    /// Whether an example shows this member, which need not be given: arrays with a length do better with something in.
    pub(super) fn is_shown(&self, own: usize) -> bool {
        let member = &self.0[own];
        matches!(member.ty, Type::Pointer(pointer) if capacity(pointer).is_some()) && member.direction != Direction::Out
    }

    /// The numbers that lengths are computed with in an example, by member.
    pub(super) fn numbers(&self) -> Vec<Option<i128>> {
        let number = |own: usize| {
            integer(self.0[own].ty)?;
            let mut using = self.lengths().filter(|(_, length)| depends(&length.count, own)).peekable();
            using.peek()?;
            Some(if using.all(|(member, _)| member.direction == Direction::Out) { ROOM } else { FEW })
        };
        (0..self.0.len()).map(number).collect()
    }
}

/// The declared length of what a pointer points to.
pub(super) const fn capacity(pointer: &Pointer) -> Option<&Length> {
    match &pointer.extent {
        Extent::Elements { capacity, .. } | Extent::TextBuffer { capacity, .. } => Some(capacity),
        _ => None,
    }
}

/// The number that a member is, or points to: what lengths may refer to.
fn integer(ty: &Type) -> Option<&Scalar> {
    match ty {
        Type::Scalar(scalar) => Some(scalar),
        Type::Pointer(pointer) => match (&pointer.extent, &pointer.to) {
            (Extent::One, Type::Scalar(scalar)) => Some(scalar),
            _ => None,
        },
        _ => None,
    }
}

fn depends(expression: &Expression, own: usize) -> bool {
    match expression {
        Expression::Constant(_) | Expression::Result => false,
        Expression::Parameter(index) | Expression::Pointee(index) => usize::try_from(*index) == Ok(own),
        Expression::Add(a, b) | Expression::Subtract(a, b) | Expression::Multiply(a, b) | Expression::Divide(a, b) => {
            depends(a, own) || depends(b, own)
        }
    }
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
