//! The types of functions: what a prototype, the type of a callback and the typedef of either have in common.

use std::rc::Rc;

use bridge32_protocol::interface::Convention;

use crate::sal::Sal;
use crate::source::Position;
use crate::types::{CType, Qualified};

/// The type of a function, with what annotations say in it.
#[derive(Clone, Debug)]
pub(crate) struct FunctionType {
    pub(crate) result: Qualified,
    /// The result's type as C spells it.
    pub(crate) result_spelling: String,
    pub(crate) parameters: Vec<FunctionParameter>,
    pub(crate) variadic: bool,
    pub(crate) convention: Option<Convention>,
    /// Where its keyword, or the macro that stands for it, is.
    pub(crate) convention_at: Option<Position>,
    /// The keyword of a convention that nobody here knows.
    pub(crate) unknown_convention: Option<String>,
    /// What annotations say of the result.
    pub(crate) result_sal: Vec<Sal<'static>>,
    /// The documentation comment of the typedef that it comes from.
    pub(crate) comment: Option<Rc<str>>,
    /// How many types it is made of.
    pub(crate) depth: usize,
}

impl FunctionType {
    /// How deeply a function of these types is nested.
    pub(crate) fn depth_of(result: &CType, parameters: &[FunctionParameter]) -> usize {
        let parameters = parameters.iter().map(|parameter| parameter.ty.ty.depth());
        1 + parameters.chain([result.depth()]).max().unwrap_or_default()
    }
}

/// The type of a function, or of a pointer to one, with the comment of its typedef; any other as it is.
pub(crate) fn documented(ty: CType, comment: Option<&Rc<str>>) -> CType {
    match ty {
        CType::Pointer { to, constant } if matches!(*to, CType::Function(_)) => {
            CType::Pointer { to: Rc::new(documented((*to).clone(), comment)), constant }
        }
        CType::Function(function) if function.comment.is_none() && comment.is_some() => {
            CType::Function(Rc::new(FunctionType { comment: comment.cloned(), ..(*function).clone() }))
        }
        other => other,
    }
}

/// Functions are of one type if values are; names and annotations do not matter.
impl PartialEq for FunctionType {
    fn eq(&self, other: &Self) -> bool {
        let types = |function: &Self| -> Vec<CType> {
            function.parameters.iter().map(|parameter| parameter.ty.ty.decayed()).collect()
        };
        self.result.ty == other.result.ty && self.variadic == other.variadic && types(self) == types(other)
    }
}

/// A parameter in the type of a function.
#[derive(Clone, Debug)]
pub(crate) struct FunctionParameter {
    pub(crate) name: Option<String>,
    pub(crate) ty: Qualified,
    /// The type as C spells it.
    pub(crate) spelling: String,
    pub(crate) sal: Vec<Sal<'static>>,
    pub(crate) place: Place,
}

/// Where a parameter or member stands, to find its comment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// Of the name, or the whole.
    pub(crate) at: Position,
    /// Of the token before it.
    pub(crate) before: Position,
    /// Of its first token.
    pub(crate) first: Position,
    /// Of its last token.
    pub(crate) last: Position,
    /// Of the next one's first token, or of the token that ends the list.
    pub(crate) next: Position,
}
