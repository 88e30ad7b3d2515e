//! Values that are no part of a call's answer: the arguments with which a library calls back, and its variables.

use bridge32_protocol::interface::{Signature, Type};
use bridge32_protocol::wire::Fault;

use super::Environment;
use super::numbers::{Arguments, Nothing};
use super::place::At;
use super::read::Reader;

/// Appends an argument of a callback: the library waits while it is read.
///
/// # Errors
/// It cannot be told.
///
/// # Safety
/// `arguments` is what the library called with, `slots` says where each argument of `signature` lies in it, and their
/// addresses must be null or point to what the signature declares.
#[expect(unsafe_code, reason = "a callback's arguments are where the library says")]
pub unsafe fn argument(
    signature: &Signature,
    index: usize,
    arguments: &[u8],
    slots: &[std::ops::Range<usize>],
    environment: Environment<'_>,
    json: &mut Vec<u8>,
) -> Result<(), Fault> {
    // SAFETY: the caller's promise is this function's. The library owns what it passes.
    let mut reader = unsafe { Reader::new(environment, None, false) };
    let numbers = Arguments { signature, block: arguments, slots, environment };
    let parameter = &signature.parameters[index];
    let bytes = &arguments[slots[index].clone()];
    reader.value(&parameter.ty, bytes, &numbers, &At::ROOT.member(&parameter.name), json)
}

/// Appends a value that stands alone: a variable.
///
/// # Errors
/// It cannot be told.
///
/// # Safety
/// The addresses in `bytes` must be null or point to what `ty` declares.
#[expect(unsafe_code, reason = "a variable's pointers are where the library says")]
pub unsafe fn single(
    ty: &Type,
    bytes: &[u8],
    environment: Environment<'_>,
    name: &str,
    json: &mut Vec<u8>,
) -> Result<(), Fault> {
    // SAFETY: the caller's promise is this function's. The library owns its variables.
    let mut reader = unsafe { Reader::new(environment, None, false) };
    reader.value(ty, bytes, &Nothing, &At::ROOT.member(name), json)
}
