//! How much lies behind a pointer, where an annotation, a tag or an array's declaration says it.

use bridge32_protocol::interface::{Expression, Length, Unit};

use crate::findings::annotation;
use crate::lengths::{self, Resolved};
use crate::lexer::Token;
use crate::parameters::{Passing, Role};
use crate::report::Topic;
use crate::sal::{Sal, SalLength};
use crate::source::Position;
use crate::types::{ArraySize, CType};
use crate::unsupported::Reason;

/// How much lies behind a pointer, where something says it.
pub(crate) struct Extents {
    pub(crate) capacity: Length,
    pub(crate) written: Option<Length>,
}

impl Passing<'_> {
    /// The length that an annotation, a tag or an array's declaration gives.
    pub(crate) fn extents(&mut self) -> Result<Option<Extents>, Reason> {
        let declared = self.declared;
        let mut own = declared.sal.iter().filter(|sal| !sal.inner);
        if let Some((sal, length)) = own.find_map(|sal| Some((sal, sal.length.as_ref()?))) {
            return self.annotated(sal, length, self.role != Role::Result).map(Some);
        }
        if let Some(tokens) = &declared.length {
            return self.tagged(tokens).map(Some);
        }
        match &declared.ty.ty {
            CType::Array { size: ArraySize::Known(size), .. } => {
                self.notes.state(Topic::Length, format!("an array of {size}: `[{size}]`"), None);
                let capacity = Length { count: Expression::Constant(i64::from(*size)), unit: Unit::Elements };
                Ok(Some(Extents { capacity, written: None }))
            }
            CType::Array { size: ArraySize::Unknown(reason), .. } => {
                let reason = format!("the size of the array is not understood: {reason}");
                self.reporter.error(declared.at, self.message(&reason));
                Err(Reason::Length(reason))
            }
            _ => Ok(None),
        }
    }

    /// `@length n`, or `@length n, return`: how many there are, and how many are valid after the call.
    fn tagged(&mut self, tokens: &[Token]) -> Result<Extents, Reason> {
        let text: String = tokens.iter().map(|token| &*token.text).collect();
        self.notes.state(Topic::Length, format!("`@length {}`", text.replace(',', ", ")), None);
        let mut parts = tokens.splitn(2, |token| token.is(","));
        let capacity = parts.next().unwrap_or_default();
        let before = self.role != Role::Result;
        let capacity = Length { count: self.expression(capacity, self.declared.at, before)?, unit: Unit::Elements };
        let written = match parts.next() {
            None => None,
            Some(written) => {
                let count = self.expression(written, self.declared.at, false)?;
                Some(Length { count, unit: Unit::Elements })
            }
        };
        Ok(Extents { capacity, written })
    }

    /// The length in an annotation. `before` says that it is needed before the call.
    pub(crate) fn annotated(&mut self, sal: &Sal, length: &SalLength, before: bool) -> Result<Extents, Reason> {
        if length.unusual {
            let reason = format!("{} does not count from the pointer on", sal.name);
            self.reporter.error(sal.at, self.message(&reason));
            return Err(Reason::Length(reason));
        }
        let capacity = Length { count: self.expression(&length.capacity, sal.at, before)?, unit: length.unit };
        self.notes.state(Topic::Length, annotation(sal), Some(sal.at));
        let written = match &length.written {
            None => None,
            Some(tokens) => match lengths::resolve(tokens, self.scope, false) {
                Ok(Resolved { count, .. }) => Some(Length { count, unit: length.unit }),
                Err(reason) => {
                    let text = format!("all of it is valid after the call, because {reason}");
                    self.notes.assume(Topic::Length, text);
                    None
                }
            },
        };
        // Where the same number is meant and the function does not change it, nothing is added.
        let written = written
            .filter(|written| written.count != capacity.count || matches!(capacity.count, Expression::Pointee(_)));
        Ok(Extents { capacity, written })
    }

    fn expression(&mut self, tokens: &[Token], at: Position, before: bool) -> Result<Expression, Reason> {
        match lengths::resolve(tokens, self.scope, before) {
            Ok(Resolved { count, read_through }) => {
                for name in read_through {
                    let text =
                        format!("the number behind “{name}” is meant (`*{name}`), because “{name}” is a pointer");
                    self.notes.assume(Topic::Length, text);
                }
                Ok(count)
            }
            Err(reason) => {
                let at = tokens.first().map_or(at, |token| token.at);
                self.reporter.error(at, self.message(&reason));
                Err(Reason::Length(reason))
            }
        }
    }

    fn message(&self, reason: &str) -> String {
        let name = &self.declared.name;
        match self.role {
            Role::Parameter | Role::CallbackParameter => {
                format!("the length of the parameter “{name}” is not understood: {reason}")
            }
            Role::Result => format!("the length of the result is not understood: {reason}"),
            Role::Member => format!("the length of the member “{name}” is not understood: {reason}"),
        }
    }
}
