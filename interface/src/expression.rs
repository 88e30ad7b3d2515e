//! Integer expressions: one parser for `#if`, constants, enumerators, array sizes and the lengths in annotations, and
//! their evaluation as C does it (C17, 6.3.1.8, 6.4.4.1, 6.6).

use crate::characters;
use crate::lexer::{Kind, Token};

/// Longer expressions are refused, which also bounds every recursion over one.
const MAX_TOKENS: usize = 400;

/// What can be cast to, or have its size taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CastType {
    /// An integer of so many bits.
    Integer { bits: u8, signed: bool },
    /// `bool`: whatever is not 0 becomes 1.
    Boolean,
    /// Anything else of known size, in bytes.
    Sized(u8),
}

/// An integer of a C type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) number: i128,
    bits: u8,
    signed: bool,
}

impl Value {
    /// Cuts the number to the type, as a cast does.
    pub(crate) fn new(number: i128, bits: u8, signed: bool) -> Self {
        let modulus = 1_i128 << bits;
        let mut number = number.rem_euclid(modulus);
        if signed && number >= modulus / 2 {
            number -= modulus;
        }
        Self { number, bits, signed }
    }

    /// An `int`.
    pub(crate) fn int(number: i128) -> Self {
        Self::new(number, 32, true)
    }

    /// After the integer promotions (C17, 6.3.1.1): what is smaller than an `int` becomes one.
    fn promoted(self) -> Self {
        if self.bits < 32 { Self::int(self.number) } else { self }
    }

    fn truth(value: bool) -> Self {
        Self::int(i128::from(value))
    }
}

/// A parsed expression.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Number(Value),
    Name(String),
    /// `f(…)`: never constant.
    Call(String),
    /// `*x`
    Pointee(Box<Self>),
    Unary(&'static str, Box<Self>),
    Binary(&'static str, Box<Self>, Box<Self>),
    Conditional(Box<Self>, Box<Self>, Box<Self>),
    Cast(CastType, Box<Self>),
}

/// How literals, types and names are to be taken.
pub(crate) struct Context<'c> {
    /// Every number has 64 bits, as in `#if`.
    pub(crate) wide: bool,
    /// The bits of `long`.
    pub(crate) long_bits: u8,
    /// The bits of `size_t`.
    pub(crate) size_bits: u8,
    /// Whether the tokens name a type.
    pub(crate) types: &'c dyn Fn(&[Token]) -> Option<CastType>,
}

/// Parses all the tokens.
pub(crate) fn parse(tokens: &[Token], context: &Context) -> Result<Expr, String> {
    if tokens.len() > MAX_TOKENS {
        return Err(format!("the expression is longer than {MAX_TOKENS} tokens"));
    }
    let mut parser = Parser { tokens, at: 0, depth: 0, context };
    let expr = parser.conditional()?;
    match tokens.get(parser.at) {
        None => Ok(expr),
        Some(token) => Err(format!("“{}” was not expected in an integer expression", token.text)),
    }
}

/// The binary operators, from the loosest to the tightest.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<", ">", "<=", ">="],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

struct Parser<'p, 'a> {
    tokens: &'p [Token<'a>],
    at: usize,
    depth: u32,
    context: &'p Context<'p>,
}

impl<'p, 'a> Parser<'p, 'a> {
    fn peek(&self) -> Option<&'p Token<'a>> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, punctuator: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is(punctuator));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, punctuator: &str) -> Result<(), String> {
        if self.take(punctuator) { Ok(()) } else { Err(format!("“{punctuator}” is missing in the expression")) }
    }

    fn conditional(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > 60 {
            return Err("the expression is nested too deeply".to_owned());
        }
        let condition = self.binary(0)?;
        let expr = if self.take("?") {
            let yes = self.conditional()?;
            self.expect(":")?;
            Expr::Conditional(Box::new(condition), Box::new(yes), Box::new(self.conditional()?))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn binary(&mut self, level: usize) -> Result<Expr, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.peek().is_some_and(|t| t.is(operator))) {
            self.at += 1;
            let right = self.binary(level + 1)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, String> {
        let mut operators = Vec::new();
        while let Some(operator) =
            ["+", "-", "~", "!", "*"].into_iter().find(|operator| self.peek().is_some_and(|t| t.is(operator)))
        {
            self.at += 1;
            operators.push(operator);
        }
        let mut expr = self.primary()?;
        for operator in operators.into_iter().rev() {
            let operand = Box::new(expr);
            expr = if operator == "*" { Expr::Pointee(operand) } else { Expr::Unary(operator, operand) };
        }
        Ok(expr)
    }

    fn primary(&mut self) -> Result<Expr, String> {
        let Some(token) = self.peek() else { return Err("the expression ends too early".to_owned()) };
        self.at += 1;
        match token.kind {
            Kind::Number => number(&token.text, self.context).map(Expr::Number),
            Kind::Character => characters::value(&token.text).map(|number| Expr::Number(Value::int(number))),
            Kind::Identifier if token.text == "sizeof" => self.size(),
            Kind::Identifier if self.take("(") => {
                self.skip_group()?;
                Ok(Expr::Call(token.text.clone().into_owned()))
            }
            Kind::Identifier => Ok(Expr::Name(token.text.clone().into_owned())),
            Kind::Punctuator if token.text == "(" => {
                if let Some(ty) = self.type_name() {
                    self.depth += 1;
                    if self.depth > 60 {
                        return Err("the expression is nested too deeply".to_owned());
                    }
                    let operand = self.unary()?;
                    self.depth -= 1;
                    return Ok(Expr::Cast(ty, Box::new(operand)));
                }
                let expr = self.conditional()?;
                self.expect(")")?;
                Ok(expr)
            }
            _ => Err(format!("“{}” was not expected in an integer expression", token.text)),
        }
    }

    /// The type and the bracket behind it, if that is what follows.
    fn type_name(&mut self) -> Option<CastType> {
        let length = self.tokens[self.at..].iter().position(|token| token.is(")"))?;
        let ty = (self.context.types)(&self.tokens[self.at..self.at + length])?;
        self.at += length + 1;
        Some(ty)
    }

    fn size(&mut self) -> Result<Expr, String> {
        self.expect("(")?;
        let ty = self.type_name().ok_or("sizeof is understood of scalar types only")?;
        let bytes = match ty {
            CastType::Integer { bits, .. } => bits / 8,
            CastType::Boolean => 1,
            CastType::Sized(bytes) => bytes,
        };
        let bits = if self.context.wide { 64 } else { self.context.size_bits };
        Ok(Expr::Number(Value::new(i128::from(bytes), bits, false)))
    }

    fn skip_group(&mut self) -> Result<(), String> {
        let mut open = 1_u32;
        while open > 0 {
            let Some(token) = self.peek() else { return Err("a bracket is not closed".to_owned()) };
            open += u32::from(token.is("("));
            open -= u32::from(token.is(")"));
            self.at += 1;
        }
        Ok(())
    }
}

/// An integer constant: the first type of its list that can hold it (C17, 6.4.4.1).
fn number(text: &str, context: &Context) -> Result<Value, String> {
    let wrong = || format!("“{text}” is not an integer");
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (&lower[..], 10),
    };
    let length = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (digits, suffix) = digits.split_at(length);
    let digits = if digits.is_empty() && radix == 8 { "0" } else { digits };
    let number = i128::from(u64::from_str_radix(digits, radix).map_err(|_| wrong())?);
    let (unsigned, rest) = match suffix.strip_prefix('u') {
        Some(rest) => (true, rest),
        None => (suffix.ends_with('u'), suffix.trim_end_matches('u')),
    };
    let mut bits = match rest {
        "" | "i8" | "i16" | "i32" => 32,
        "l" => context.long_bits,
        "ll" | "i64" => 64,
        _ => return Err(wrong()),
    };
    if context.wide {
        bits = 64;
    }
    let mut candidates = [bits, context.long_bits.max(bits), 64].into_iter().flat_map(|bits| {
        let only_signed = radix == 10 && !unsigned && bits < 64;
        [(bits, !unsigned), (bits, only_signed)]
    });
    let fits = |&(bits, signed): &(u8, bool)| number < 1 << (bits - u8::from(signed));
    let (bits, signed) = candidates.find(fits).unwrap_or((64, false));
    Ok(Value::new(number, bits, signed))
}

/// The value of an expression, given those of the names.
pub(crate) fn evaluate(expr: &Expr, names: &dyn Fn(&str) -> Option<Value>) -> Result<Value, String> {
    let value = |expr: &Expr| evaluate(expr, names);
    Ok(match expr {
        Expr::Number(number) => *number,
        Expr::Name(name) => names(name).ok_or_else(|| format!("“{name}” is not a known constant"))?,
        Expr::Call(name) => return Err(format!("“{name}(…)” is not a constant")),
        Expr::Pointee(_) => return Err("a constant cannot be read through a pointer".to_owned()),
        Expr::Unary(operator, operand) => {
            let Value { number, bits, signed } = value(operand)?.promoted();
            match *operator {
                "-" => Value::new(-number, bits, signed),
                "~" => Value::new(!number, bits, signed),
                "!" => Value::truth(number == 0),
                _ => Value::new(number, bits, signed),
            }
        }
        Expr::Binary("&&", left, right) => Value::truth(value(left)?.number != 0 && value(right)?.number != 0),
        Expr::Binary("||", left, right) => Value::truth(value(left)?.number != 0 || value(right)?.number != 0),
        Expr::Binary(operator, left, right) => binary(operator, value(left)?, value(right)?)?,
        Expr::Conditional(condition, yes, no) => {
            let (bits, signed) = common(kind(yes, names)?, kind(no, names)?);
            Value::new(value(if value(condition)?.number != 0 { yes } else { no })?.number, bits, signed)
        }
        Expr::Cast(CastType::Boolean, operand) => Value::new(i128::from(value(operand)?.number != 0), 8, false),
        Expr::Cast(CastType::Integer { bits, signed }, operand) => Value::new(value(operand)?.number, *bits, *signed),
        Expr::Cast(CastType::Sized(_), _) => return Err("a cast to something other than an integer".to_owned()),
    })
}

/// The bits of an expression's type and whether it has a sign, without its value: that of `1 / 0` has them, too.
fn kind(expr: &Expr, names: &dyn Fn(&str) -> Option<Value>) -> Result<(u8, bool), String> {
    const INT: (u8, bool) = (32, true);
    let promoted = |(bits, signed): (u8, bool)| if bits < 32 { INT } else { (bits, signed) };
    Ok(match expr {
        Expr::Unary("!", _) | Expr::Binary("&&" | "||" | "==" | "!=" | "<" | ">" | "<=" | ">=", ..) => INT,
        Expr::Unary(_, operand) | Expr::Binary("<<" | ">>", operand, _) => promoted(kind(operand, names)?),
        Expr::Binary(_, left, right) | Expr::Conditional(_, left, right) => {
            common(kind(left, names)?, kind(right, names)?)
        }
        Expr::Cast(CastType::Integer { bits, signed }, _) => (*bits, *signed),
        Expr::Cast(CastType::Boolean, _) => (8, false),
        Expr::Number(_) | Expr::Name(_) | Expr::Call(_) | Expr::Pointee(_) | Expr::Cast(CastType::Sized(_), _) => {
            let Value { bits, signed, .. } = evaluate(expr, names)?;
            (bits, signed)
        }
    })
}

/// The usual arithmetic conversions (C17, 6.3.1.8): the wider type wins, then the unsigned one.
fn common(left: (u8, bool), right: (u8, bool)) -> (u8, bool) {
    let bits = left.0.max(right.0).max(32);
    (bits, [left, right].iter().all(|side| side.1 || side.0 < bits))
}

fn binary(operator: &str, left: Value, right: Value) -> Result<Value, String> {
    if matches!(operator, "<<" | ">>") {
        let left = left.promoted();
        let by = u32::try_from(right.number).ok().filter(|by| *by < u32::from(left.bits));
        let by = by.ok_or("a shift by more bits than the number has")?;
        let number = if operator == "<<" { left.number << by } else { left.number >> by };
        return Ok(Value::new(number, left.bits, left.signed));
    }
    let (bits, signed) = common((left.bits, left.signed), (right.bits, right.signed));
    let (a, b) = (Value::new(left.number, bits, signed).number, Value::new(right.number, bits, signed).number);
    let number = match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a.wrapping_mul(b),
        "/" | "%" if b == 0 => return Err("a division by zero".to_owned()),
        "/" => a / b,
        "%" => a % b,
        "&" => a & b,
        "|" => a | b,
        "^" => a ^ b,
        _ => {
            return Ok(Value::truth(match operator {
                "==" => a == b,
                "!=" => a != b,
                "<" => a < b,
                ">" => a > b,
                "<=" => a <= b,
                _ => a >= b,
            }));
        }
    };
    Ok(Value::new(number, bits, signed))
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
