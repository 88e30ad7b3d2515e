//! The data that a library exports.

use bridge32_protocol::interface::{Type, Variable};

use crate::chunks::Chunk;
use crate::documentation::Documentation;
use crate::functions::declaration;
use crate::lengths::{PARAMETERS, Scope};
use crate::parameters::{Role, Surroundings, pass_one};
use crate::prototypes::Place;
use crate::report::Reporter;
use crate::source::{Files, Position};
use crate::tags::{self, Owner};
use crate::types::Qualified;
use crate::unsupported::{About, Reason};

/// A variable as C declares it.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) ty: Qualified,
    pub(crate) spelling: String,
    pub(crate) place: Place,
}

/// Makes the variable of the interface.
pub(crate) fn build(
    declared: &Declared,
    chunk: &Chunk,
    around: &Surroundings,
    files: &Files,
    reporter: &mut Reporter,
) -> Variable {
    let start = chunk.tokens.first().map_or(declared.place.at, |token| token.at);
    let mut place = Place { before: chunk.after, first: start, ..declared.place };
    if let Some(comment) = around.comments.trailing_in_line(place.last) {
        // Nothing is declared in this line behind it.
        place.next = Position { offset: comment.end, ..comment.at };
    }
    let mut own = Documentation::default();
    let documented = tags::comment_of(&declared.name, place, &mut own, around, reporter);
    let description = documented.text.trim_end().to_owned();
    let mut one = tags::one(declared.name.clone(), &declared.ty, &declared.spelling, &[], place.at, documented);
    let owner = Owner { name: &declared.name, at: place.at };
    tags::apply(&own, std::slice::from_mut(&mut one), None, around, owner, reporter);
    let scope = Scope { operands: &[], types: around.types, what: PARAMETERS, numeric_result: false };
    let passed = pass_one(&one, Role::Member, scope, around, reporter);
    if let Some(Reason::Unknown(name)) = &passed.reason {
        let message = format!("the type “{name}” is not declared here: add its typedef, or the header it is in");
        reporter.warning_once(place.at, message);
    }
    let callback = matches!(passed.what, Type::Callback(_));
    Variable {
        name: declared.name.clone(),
        ty: if callback { crate::parameters::handle(false, "function".to_owned(), false) } else { passed.what },
        constant: declared.ty.constant,
        sensitive: one.sensitive,
        description,
        unsupported: passed.reason.map(|reason| reason.text(About::Variable)),
        declaration: declaration(chunk, files),
        file: files.name(start).unwrap_or_default().to_owned(),
        line: files.line(start),
    }
}
