//! Lengths: from the expression in an annotation to one over the parameters of the function.

use bridge32_protocol::interface::{Direction, Expression};

use crate::expression::{Expr, evaluate};
use crate::lexer::{Token, lex};
use crate::report::Reporter;
use crate::source::Position;
use crate::types::{CType, Types};

/// The longest expression: its depth must stay well below the nesting that JSON parsers accept (128).
const MAX_TOKENS: usize = 64;

/// A parameter, as far as lengths refer to it.
#[derive(Debug)]
pub(crate) struct Operand {
    pub(crate) name: String,
    pub(crate) ty: CType,
    /// Where it points to, for pointers.
    pub(crate) direction: Option<Direction>,
}

/// Splits the text of a tag into tokens, all at the place of its comment.
pub(crate) fn tokens(text: &str, at: Position) -> Vec<Token<'static>> {
    let lexed = lex(text, 0, &mut Reporter::default());
    lexed.tokens.into_iter().map(|token| token.into_owned(at)).collect()
}

/// Resolves the names of a length. `before` says that it is needed before the call.
pub(crate) fn resolve(
    tokens: &[Token],
    operands: &[Operand],
    types: &Types,
    before: bool,
) -> Result<Expression, String> {
    if tokens.len() > MAX_TOKENS {
        return Err(format!("it has more than {MAX_TOKENS} words and signs"));
    }
    if tokens.iter().any(|token| token.is_word("return")) {
        return Err("it depends on the result, which cannot be used yet".to_owned());
    }
    if tokens.iter().any(|token| token.is("->") || token.is(".")) {
        return Err("it is a member of a structure, and structures cannot be passed yet".to_owned());
    }
    convert(&types.expression(tokens)?, operands, types, before)
}

fn convert(expr: &Expr, operands: &[Operand], types: &Types, before: bool) -> Result<Expression, String> {
    let inner = |expr: &Expr| convert(expr, operands, types, before);
    // A name of a parameter hides a constant of that name.
    if let Ok(value) = evaluate(expr, &|name| {
        if operands.iter().any(|operand| operand.name == name) { None } else { types.constant(name) }
    }) {
        let number = i64::try_from(value.number).ok().filter(|number| *number >= 0);
        return number.map(Expression::Constant).ok_or_else(|| format!("{} is no length", value.number));
    }
    Ok(match expr {
        Expr::Name(name) => {
            let (index, operand) = find(name, operands)?;
            match &operand.ty {
                CType::Scalar { .. } => Expression::Parameter(index),
                CType::Pointer { to, .. } if matches!(**to, CType::Scalar { .. }) => {
                    return Err(format!("“{name}” is a pointer: write `*{name}` for the number behind it"));
                }
                _ => return Err(format!("“{name}” is not a number")),
            }
        }
        Expr::Pointee(operand) => {
            let Expr::Name(name) = &**operand else {
                return Err("only the number behind a parameter can be used: `*n`".to_owned());
            };
            let (index, operand) = find(name, operands)?;
            match &operand.ty {
                CType::Pointer { to, .. } if matches!(**to, CType::Scalar { .. }) => {}
                _ => return Err(format!("“{name}” does not point to a number")),
            }
            if before && operand.direction == Some(Direction::Out) {
                return Err(format!(
                    "`*{name}` is needed before the call, but “{name}” is an output: it must be `_Inout_`"
                ));
            }
            Expression::Pointee(index)
        }
        Expr::Cast(_, operand) | Expr::Unary("+", operand) => inner(operand)?,
        Expr::Binary(operator, left, right) => {
            let (left, right) = (Box::new(inner(left)?), Box::new(inner(right)?));
            match *operator {
                "+" => Expression::Add(left, right),
                "-" => Expression::Subtract(left, right),
                "*" => Expression::Multiply(left, right),
                "/" => Expression::Divide(left, right),
                other => return Err(format!("“{other}” cannot be used in a length: use + - * /")),
            }
        }
        Expr::Call(name) => return Err(format!("“{name}(…)” cannot be used in a length")),
        Expr::Unary(operator, _) => return Err(format!("“{operator}” cannot be used in a length: use + - * /")),
        Expr::Conditional(..) => return Err("“?” cannot be used in a length: use + - * /".to_owned()),
        Expr::Number(value) => return Err(format!("{} is no length", value.number)),
    })
}

fn find<'o>(name: &str, operands: &'o [Operand]) -> Result<(u32, &'o Operand), String> {
    let index = operands.iter().position(|operand| operand.name == name);
    let index = index.ok_or_else(|| format!("“{name}” is neither a parameter of the function nor a known constant"))?;
    Ok((u32::try_from(index).unwrap_or(u32::MAX), &operands[index]))
}
