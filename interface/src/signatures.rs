//! Callbacks: from the type of a function to what is told of its parameters and its result.

use bridge32_protocol::interface::{Extent, Signature, Type};

use crate::documentation::ParameterDocumentation;
use crate::doxygen;
use crate::findings::Notes;
use crate::lengths::{PARAMETERS, Scope};
use crate::parameters::{Passed, Role, Surroundings, pass, pass_one};
use crate::prototypes::FunctionType;
use crate::report::Reporter;
use crate::source::Position;
use crate::tags::{self, Owner};
use crate::types::CType;
use crate::unsupported::About;

/// How the library calls a function back, with what was assumed.
///
/// # Errors
/// Why it cannot, in words.
pub(crate) fn signature(
    function: &FunctionType,
    around: &Surroundings,
    reporter: &mut Reporter,
) -> Result<Passed<Signature>, String> {
    if let Some(keyword) = &function.unknown_convention {
        return Err(format!("its calling convention {keyword} is not known"));
    }
    if function.variadic {
        return Err("it takes a variable number of arguments".to_owned());
    }
    let mut documentation = function.comment.as_deref().map(doxygen::read).unwrap_or_default();
    let owner = Owner { name: "", at: function.parameters.first().map_or(Position::default(), |first| first.place.at) };
    let (mut declared, doubled) = tags::declare(function, &mut documentation, around, owner, reporter);
    if let Some(name) = doubled.first() {
        return Err(format!("two of its parameters have the name “{name}”"));
    }
    tags::apply(&documentation, &mut declared, None, around, owner, reporter);
    let around = &Surroundings { encoding: documentation.encoding.as_ref().or(around.encoding), ..*around };
    let operands: Vec<_> = declared.iter().map(|declared| declared.operand(Role::CallbackParameter)).collect();
    let numeric_result = matches!(function.result.ty, CType::Scalar { .. });
    let scope = Scope { operands: &operands, types: around.types, what: PARAMETERS, numeric_result };
    let mut parameters = Vec::with_capacity(declared.len());
    let mut notes = Notes::default();
    for passed in pass(&declared, Role::CallbackParameter, scope, around, reporter) {
        if let Some(reason) = passed.reason {
            return Err(reason.text(About::Parameter(&passed.what.name)));
        }
        notes.of_callback(&passed.what.name, passed.notes);
        parameters.push(passed.what);
    }
    let documented = ParameterDocumentation::default();
    let result = tags::one("return".to_owned(), &function.result, "its result", &[], owner.at, documented);
    let result = pass_one(&result, Role::Result, scope, around, reporter);
    if let Some(reason) = result.reason {
        return Err(reason.text(About::Result));
    }
    if !can_be_answered(&result.what) {
        return Err("it returns something else than a number or a handle".to_owned());
    }
    let what = Signature { convention: function.convention, parameters, result: result.what };
    Ok(Passed { what, reason: None, notes })
}

/// Whether a client can say beforehand what a callback returns.
fn can_be_answered(result: &Type) -> bool {
    match result {
        Type::Void | Type::Scalar(_) => true,
        Type::Pointer(pointer) => matches!(pointer.extent, Extent::Handle { .. }),
        _ => false,
    }
}
