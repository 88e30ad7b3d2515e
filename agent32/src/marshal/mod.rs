//! JSON to and from C memory with the target's layout.
//!
//! A call is marshalled in three steps: [`decode::arguments`] checks the client's JSON against the declaration and puts
//! everything the function needs into an [`arena::Arena`]; the call itself; [`encode::outcome`] reads the result and the
//! output parameters back. Parameters and the members of a structure are the same thing here: named values at offsets
//! of a block, whose lengths may refer to each other ([`scope`]).
//!
//! | file | job |
//! | --- | --- |
//! | `decode`, `pointers`, `arrays`, `structures` | JSON → memory |
//! | `encode`, `read`, `alone` | memory → JSON |
//! | `scope`, `length`, `numbers` | named values, and lengths that refer to them |
//! | `scalar`, `text`, `bytes`, `bstrs`, `handle` | single values, both ways |
//! | `variadic` | the arguments behind `...` |
//! | `object`, `place` | JSON objects by name; where something is wrong |
//! | `arena`, `shared`, `memory` | the call's own memory; buffers that are in files; the library's memory |

pub mod alone;
pub mod arena;
mod arrays;
mod bstrs;
pub(crate) mod bytes;
pub mod decode;
pub mod encode;
mod handle;
mod length;
pub mod memory;
mod numbers;
mod object;
pub mod place;
mod pointers;
pub mod read;
pub mod scalar;
mod scope;
mod shared;
mod structures;
pub mod text;
mod variadic;

use std::sync::Arc;

use bridge32_protocol::interface::{Interface, Type};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::{Dialect, Fault, FaultCode};
use uuid::Uuid;

use crate::handles::Handles;
use crate::layout::Layouts;

use arena::OutOfMemory;
use place::At;
use text::Codec;

pub(crate) use object::shortened;

/// What scalars need to know: named values, and whose widths count.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Where constants and enumerations are looked up.
    pub interface: &'a Interface,
    /// Whose widths count.
    pub target: Target,
}

/// What declarations refer to: an interface, and where the members of its structures lie.
#[derive(Debug)]
pub struct Home {
    /// The declarations.
    pub interface: Interface,
    /// Sizes and places on the target.
    pub layouts: Layouts,
}

impl Home {
    /// Computes the layouts.
    pub fn new(interface: Interface, target: Target, dialect: Dialect) -> Self {
        let layouts = Layouts::new(&interface, target, dialect);
        Self { interface, layouts }
    }
}

/// What the marshaller needs to know of one call besides the arguments.
#[derive(Clone, Copy, Debug)]
pub struct Environment<'a> {
    /// What the declarations refer to.
    pub home: &'a Arc<Home>,
    /// The same, as scalars need it.
    pub context: Context<'a>,
    /// The same, as structures need it.
    pub layouts: &'a Layouts,
    /// How text is converted.
    pub codec: Codec,
    /// The library's handles.
    pub handles: &'a Handles,
    /// The name of the function.
    pub function: &'a str,
    /// Whose handles are given out.
    pub session: Option<Uuid>,
}

impl<'a> Environment<'a> {
    /// The environment of one function.
    pub fn of(home: &'a Arc<Home>, codec: Codec, handles: &'a Handles, function: &'a str) -> Self {
        let context = Context { interface: &home.interface, target: home.layouts.target() };
        Self { home, context, layouts: &home.layouts, codec, handles, function, session: None }
    }

    /// The same, for a call of a session.
    #[must_use]
    pub const fn within(self, session: Option<Uuid>) -> Self {
        Self { session, ..self }
    }
}

/// The largest single buffer that goes through JSON, which takes more. A 32-bit process has 2 to 4 GB in all.
pub const MAX_BUFFER_BYTES: usize = 64 << 20;

/// Whether elements of this type travel as base64: bytes, which have no sign worth telling and no names.
fn is_bytes(ty: &Type) -> bool {
    use bridge32_protocol::interface::{Scalar, Width};
    match ty {
        Type::Void => true,
        Type::Scalar(Scalar::Integer(integer)) => integer.width == Width::W8,
        _ => false,
    }
}

/// A fault of the arguments: nothing was called.
pub(crate) fn mismatch(at: &At<'_>, detail: impl Into<String>) -> Fault {
    Fault { code: FaultCode::ArgumentMismatch, detail: detail.into(), pointer: Some(at.pointer()), ran: false }
}

/// A declaration that the interface should not have let through.
fn unsupported(at: &At<'_>, why: &str) -> Fault {
    let detail = format!("`{at}` cannot be passed: {why}; correct its declaration");
    Fault { code: FaultCode::UnsupportedDeclaration, detail, pointer: None, ran: false }
}

fn out_of_memory(at: &At<'_>, error: OutOfMemory) -> Fault {
    let detail = format!("there is no room for `{at}` in the agent's address space: {error}; pass less at a time");
    Fault { code: FaultCode::OutOfMemory, detail, pointer: Some(at.pointer()), ran: false }
}

#[cfg(test)]
mod tests;
