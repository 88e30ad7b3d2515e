//! Lengths that the header gives as expressions over other arguments.

use bridge32_protocol::interface::{Expression, Length, Unit};

/// The numbers that expressions refer to.
pub(super) trait Numbers {
    /// The integer value of the parameter or member of that index, or of what it points to.
    fn number(&self, index: u32) -> Option<i128>;
    /// What the function returned, once it has.
    fn result(&self) -> Option<i128>;
}

/// The bytes that `length` means for elements of `element_bytes`; `None` if a number in it is not known, it divides by
/// zero, or it is out of every range. Negative lengths come out negative.
pub(super) fn bytes(length: &Length, element_bytes: usize, numbers: &dyn Numbers) -> Option<i128> {
    let count = evaluate(&length.count, numbers)?;
    match length.unit {
        Unit::Bytes => Some(count),
        Unit::Elements => count.checked_mul(i128::try_from(element_bytes).ok()?),
    }
}

/// An expression's value.
fn evaluate(expression: &Expression, numbers: &dyn Numbers) -> Option<i128> {
    let both = |a, b| Some((evaluate(a, numbers)?, evaluate(b, numbers)?));
    match expression {
        Expression::Constant(number) => Some((*number).into()),
        Expression::Parameter(index) | Expression::Pointee(index) => numbers.number(*index),
        Expression::Result => numbers.result(),
        Expression::Add(a, b) => both(a, b).and_then(|(a, b)| a.checked_add(b)),
        Expression::Subtract(a, b) => both(a, b).and_then(|(a, b)| a.checked_sub(b)),
        Expression::Multiply(a, b) => both(a, b).and_then(|(a, b)| a.checked_mul(b)),
        Expression::Divide(a, b) => both(a, b).and_then(|(a, b)| a.checked_div(b)),
    }
}

/// The parameter that alone gives this length (`len`, `*len`).
pub(super) fn sole_parameter(length: &Length) -> Option<usize> {
    match length.count {
        Expression::Parameter(index) | Expression::Pointee(index) => usize::try_from(index).ok(),
        _ => None,
    }
}

/// The parameters that a length depends on, in order of appearance.
pub(super) fn dependencies(length: &Length) -> Vec<usize> {
    fn collect(expression: &Expression, found: &mut Vec<usize>) {
        match expression {
            Expression::Constant(_) | Expression::Result => {}
            Expression::Parameter(index) | Expression::Pointee(index) => found.extend(usize::try_from(*index)),
            Expression::Add(a, b)
            | Expression::Subtract(a, b)
            | Expression::Multiply(a, b)
            | Expression::Divide(a, b) => {
                collect(a, found);
                collect(b, found);
            }
        }
    }
    let mut found = Vec::new();
    collect(&length.count, &mut found);
    found
}

/// The length as the header wrote it, more or less, for error texts.
pub(super) fn describe<'n>(length: &Length, name: &dyn Fn(usize) -> &'n str) -> String {
    fn text<'n>(expression: &Expression, by_index: &dyn Fn(usize) -> &'n str) -> String {
        let name = |index: u32| usize::try_from(index).map_or("?", by_index);
        let pair = |a, operator, b| format!("{} {operator} {}", text(a, by_index), text(b, by_index));
        match expression {
            Expression::Constant(number) => number.to_string(),
            Expression::Parameter(index) => name(*index).to_owned(),
            Expression::Pointee(index) => format!("*{}", name(*index)),
            Expression::Result => "return".to_owned(),
            Expression::Add(a, b) => pair(a, "+", b),
            Expression::Subtract(a, b) => pair(a, "-", b),
            Expression::Multiply(a, b) => pair(a, "*", b),
            Expression::Divide(a, b) => pair(a, "/", b),
        }
    }
    format!("`{}`", text(&length.count, name))
}
