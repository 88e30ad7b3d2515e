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

/// What the names in a length stand for.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s> {
    pub(crate) operands: &'s [Operand],
    pub(crate) types: &'s Types,
    /// What the operands are, for diagnostics.
    pub(crate) what: &'static str,
    /// The function returns a number.
    pub(crate) numeric_result: bool,
}

/// The operands of a parameter list.
pub(crate) const PARAMETERS: &str = "a parameter of the function";
/// Those of a structure.
pub(crate) const MEMBERS: &str = "a member of the structure";

/// A length in the terms of the interface.
pub(crate) struct Resolved {
    pub(crate) count: Expression,
    /// The pointers that were taken for the numbers behind them.
    pub(crate) read_through: Vec<String>,
}

/// Resolves the names of a length. `before` says that it is needed before the call.
pub(crate) fn resolve(tokens: &[Token], scope: Scope, before: bool) -> Result<Resolved, String> {
    if tokens.len() > MAX_TOKENS {
        return Err(format!("it has more than {MAX_TOKENS} words and signs"));
    }
    if let Some(token) = tokens.iter().find(|token| token.is("->") || token.is(".")) {
        return Err(format!(
            "“{}” reaches into a structure, and a length can use only {} itself or the number behind one (`*n`): say \
             it with those, or pass a block of memory (`@handle`)",
            token.text, scope.what
        ));
    }
    let mut converter = Converter { scope, before, read_through: Vec::new() };
    let count = converter.convert(&scope.types.expression(tokens)?)?;
    Ok(Resolved { count, read_through: converter.read_through })
}

struct Converter<'s> {
    scope: Scope<'s>,
    before: bool,
    read_through: Vec<String>,
}

impl Converter<'_> {
    fn convert(&mut self, expr: &Expr) -> Result<Expression, String> {
        let Scope { operands, types, .. } = self.scope;
        // A name of a parameter hides a constant of that name.
        if let Ok(value) = evaluate(expr, &|name| {
            if operands.iter().any(|operand| operand.name == name) { None } else { types.constant(name) }
        }) {
            let number = i64::try_from(value.number).ok().filter(|number| *number >= 0);
            return number.map(Expression::Constant).ok_or_else(|| format!("{} is no length", value.number));
        }
        Ok(match expr {
            Expr::Name(name) if name == "return" => self.result()?,
            Expr::Name(name) => {
                let (index, operand) = find(name, self.scope)?;
                match &operand.ty {
                    CType::Scalar { .. } => Expression::Parameter(index),
                    CType::Pointer { to, .. } if matches!(**to, CType::Scalar { .. }) => {
                        self.read_through.push(name.clone());
                        self.pointee(name)?
                    }
                    _ => return Err(format!("“{name}” is not a number")),
                }
            }
            Expr::Pointee(operand) => {
                let Expr::Name(name) = &**operand else {
                    return Err("only the number behind a parameter can be used: `*n`".to_owned());
                };
                self.pointee(name)?
            }
            Expr::Cast(_, operand) | Expr::Unary("+", operand) => self.convert(operand)?,
            Expr::Binary(operator, left, right) => {
                let (left, right) = (Box::new(self.convert(left)?), Box::new(self.convert(right)?));
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

    fn result(&self) -> Result<Expression, String> {
        if self.before {
            return Err("it depends on the result, which is not there before the call".to_owned());
        }
        if !self.scope.numeric_result {
            return Err("it depends on the result, which is no number".to_owned());
        }
        Ok(Expression::Result)
    }

    /// `*name`
    fn pointee(&self, name: &str) -> Result<Expression, String> {
        let (index, operand) = find(name, self.scope)?;
        match &operand.ty {
            CType::Pointer { to, .. } if matches!(**to, CType::Scalar { .. }) => {}
            _ => return Err(format!("“{name}” does not point to a number")),
        }
        if self.before && operand.direction == Some(Direction::Out) {
            return Err(format!(
                "`*{name}` is needed before the call, but “{name}” is an output: it must be `_Inout_`"
            ));
        }
        Ok(Expression::Pointee(index))
    }
}

fn find<'o>(name: &str, scope: Scope<'o>) -> Result<(u32, &'o Operand), String> {
    let index = scope.operands.iter().position(|operand| operand.name == name);
    let index = index.ok_or_else(|| format!("“{name}” is neither {} nor a known constant", scope.what))?;
    Ok((u32::try_from(index).unwrap_or(u32::MAX), &scope.operands[index]))
}
