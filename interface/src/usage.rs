//! What the functions of a header, taken together, tell of its structures: which the library makes itself, and which are
//! passed one at a time.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::counts::{self, Meaning};
use crate::documentation::{Subject, Tag, TagKind};
use crate::prototypes::{FunctionParameter, FunctionType};
use crate::types::{ArraySize, CType, Types};

/// What is known of structures by the functions that take and give them.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// A function that returns the address of one that the library made, by structure.
    returned: HashMap<Rc<str>, String>,
    /// A function that gives such an address out through a parameter.
    given: HashMap<Rc<str>, String>,
    /// Structures that a function takes without a count behind them.
    alone: HashSet<Rc<str>>,
}

impl Usage {
    /// Adds what one function tells. `tags` are those of its comment.
    pub(crate) fn add(&mut self, name: &str, function: &FunctionType, tags: &[Tag], types: &Types) {
        let own = function.parameters.iter().filter_map(|parameter| structure(&parameter.ty.ty, false));
        let own: HashSet<Rc<str>> = own.collect();
        if let Some(id) = structure(&function.result.ty, true)
            // `Vector *add(Vector *sum, …)` gives back what it was given.
            && !own.contains(&id)
            && !is_array(function, tags)
            && types.layouts.contains_key(&id)
        {
            self.returned.entry(id).or_insert_with(|| name.to_owned());
        }
        for (index, parameter) in function.parameters.iter().enumerate() {
            let counted = function.parameters.get(index + 1).is_some_and(is_counted_by);
            if let Some(id) = structure(&parameter.ty.ty, false).filter(|_| !counted && !says_length(parameter)) {
                self.alone.insert(id);
            }
            let inner = match &parameter.ty.ty {
                CType::Pointer { to, constant: false } => structure(to, true),
                _ => None,
            };
            if let Some(id) = inner.filter(|_| !counted && !says_length(parameter)) {
                self.given.entry(id).or_insert_with(|| name.to_owned());
            }
        }
    }

    /// The function that gives out what only the library makes: a copy that a client fills in is none.
    pub(crate) fn maker(&self, id: &str, constant: bool) -> Option<&str> {
        let given = || self.given.get(id).filter(|_| !constant);
        self.returned.get(id).or_else(given).map(|name| &**name)
    }

    /// Whether a function takes one structure of this kind.
    pub(crate) fn is_taken_alone(&self, id: &str) -> bool {
        self.alone.contains(id)
    }
}

/// The structure that a pointer points to; `changeable` says that only one that is not `const` is meant.
fn structure(ty: &CType, changeable: bool) -> Option<Rc<str>> {
    match ty {
        CType::Pointer { to, constant } if !(changeable && *constant) => match &**to {
            CType::Struct(id) => Some(id.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn is_counted_by(next: &FunctionParameter) -> bool {
    let number = matches!(&next.ty.ty, CType::Scalar { characters: None, .. });
    number && next.name.as_deref().is_some_and(|name| counts::meaning(name) == Some(Meaning::Count))
}

fn says_length(parameter: &FunctionParameter) -> bool {
    let fixed = matches!(parameter.ty.ty, CType::Array { size: ArraySize::Known(_), .. });
    fixed || parameter.sal.iter().any(|sal| sal.length.is_some())
}

/// Whether the result is said to be an array.
fn is_array(function: &FunctionType, tags: &[Tag]) -> bool {
    let of_result = |tag: &Tag| tag.subject == Subject::Result || tag.text.split_whitespace().next() == Some("return");
    let tagged = |tag: &Tag| tag.kind == TagKind::Length && of_result(tag);
    function.result_sal.iter().any(|sal| sal.length.is_some()) || tags.iter().any(tagged)
}
