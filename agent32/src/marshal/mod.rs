//! JSON to and from C memory with the target's layout.
//!
//! A call is marshalled in three steps: [`decode::arguments`] checks the client's JSON against the declaration and puts
//! everything the function needs into an [`arena::Arena`]; the call itself; [`encode::outcome`] reads the result and the
//! output parameters back. All of it is pure but [`memory`], which reads what the library's pointers point to.

pub mod arena;
mod bytes;
pub mod decode;
pub mod encode;
mod length;
pub mod memory;
mod object;
pub mod scalar;
pub mod text;

use bridge32_protocol::interface::Interface;
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::{Fault, FaultCode};

/// What the marshaller needs to know besides the function: named values and the target's widths.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Where constants and enumerations are looked up.
    pub interface: &'a Interface,
    /// Whose widths count.
    pub target: Target,
}

/// A fault of the arguments: nothing was called.
fn mismatch(pointer: &str, detail: impl Into<String>) -> Fault {
    Fault { code: FaultCode::ArgumentMismatch, detail: detail.into(), pointer: Some(pointer.to_owned()), ran: false }
}

/// The JSON pointer (RFC 6901) to a member of the arguments.
fn pointer_to(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
