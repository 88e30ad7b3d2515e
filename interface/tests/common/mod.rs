//! What the tests of declarations have in common.
#![allow(dead_code, reason = "each test program uses its part")]

use bridge32_interface::{Header, Options, Source, read};
use bridge32_protocol::interface::{Extent, Function, Interface, Parameter, Pointer, Signature, Structure, Type};
use bridge32_protocol::target::Target;

/// Reads a header for 32-bit Windows.
pub(crate) fn header(text: &str) -> Header {
    header_for(text, Target::Win32)
}

pub(crate) fn header_for(text: &str, target: Target) -> Header {
    read(&[Source { name: "a.h", text: text.as_bytes() }], &Options::new(target))
}

/// The interface of a header that is fine.
pub(crate) fn interface(text: &str) -> Interface {
    let header = header(text);
    assert_eq!(header.diagnostics, [], "{text}");
    header.interface
}

/// The first function of a header that is fine, and can be called.
pub(crate) fn only(text: &str) -> Function {
    let function = interface(text).functions.into_iter().next().expect("it declares a function");
    assert_eq!(function.unsupported, None, "{text}");
    function
}

/// The structure that the only function takes or gives.
pub(crate) fn structure(text: &str, name: &str) -> Structure {
    let interface = interface(text);
    let known: Vec<_> = interface.structures.keys().cloned().collect();
    interface.structures.get(name).unwrap_or_else(|| panic!("{name} is among {known:?}")).clone()
}

/// Why the first function cannot be called.
pub(crate) fn unsupported(text: &str) -> String {
    let interface = header(text).interface;
    interface.functions[0].unsupported.clone().unwrap_or_else(|| panic!("{text} is refused"))
}

/// The first parameter of `void f(…)`, behind the declarations of a header.
pub(crate) fn first(before: &str, parameters: &str) -> Parameter {
    only(&format!("{before}\nvoid f({parameters});")).parameters.remove(0)
}

pub(crate) fn pointer(ty: &Type) -> &Pointer {
    let Type::Pointer(pointer) = ty else { panic!("{ty:?} is a pointer") };
    pointer
}

pub(crate) fn callback(ty: &Type) -> &Signature {
    let Type::Callback(signature) = ty else { panic!("{ty:?} is a callback") };
    signature
}

/// The kind of handle that a type is, and whether it is one of the system's.
pub(crate) fn handle(ty: &Type) -> (&str, bool) {
    let Extent::Handle { kind, system } = &pointer(ty).extent else { panic!("{ty:?} is a handle") };
    (kind, *system)
}
