//! The data that a library exports, read and written by its name.

use std::sync::Arc;

use bridge32_protocol::interface::{Type, Variable};
use bridge32_protocol::json::complaint;
use bridge32_protocol::wire::{Fault, FaultCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::callbacks::Callbacks;
use crate::caller::ansi;
use crate::handles::Handles;
use crate::library::Declared;
use crate::marshal::arena::Arena;
use crate::marshal::place::At;
use crate::marshal::text::Codec;
use crate::marshal::{Environment, alone, decode, memory};

/// A variable's value as JSON.
///
/// # Errors
/// It is not there, or its value cannot be told.
pub fn read(declared: &Declared, number: u32, handles: &Handles) -> Result<String, Fault> {
    let (variable, address) = declared.variable(number)?;
    let environment = environment(declared, variable, handles);
    let size = size(environment, variable)?;
    let mut json = Vec::new();
    read_at(address, size, variable, environment, &mut json)?;
    Ok(String::from_utf8(json).unwrap_or_default())
}

/// Gives a variable the value in `{"value": …}`.
///
/// # Errors
/// The value does not fit, or the variable cannot be written.
pub fn write(
    declared: &Declared,
    number: u32,
    args: &str,
    handles: &Handles,
    callbacks: &Arc<Callbacks>,
    arena: &mut Arena,
) -> Result<(), Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    struct Args<'a> {
        #[serde(borrow)]
        value: &'a RawValue,
    }
    let (variable, address) = declared.variable(number)?;
    if variable.constant {
        return Err(refused(variable, "it is declared `const`: it can be read only"));
    }
    let args: Args<'_> = serde_json::from_str(args).map_err(|error| Fault {
        code: FaultCode::ArgumentMismatch,
        detail: format!("the body must be {{\"value\": …}}: {}", complaint(&error)),
        pointer: Some(String::new()),
        ran: false,
    })?;
    let environment = environment(declared, variable, handles);
    let root = At::ROOT.hidden(variable.sensitive);
    let block = decode::single(args.value, &variable.ty, &root.member("value"), environment, callbacks, arena)?;
    if arena.count() > 1 {
        return Err(refused(
            variable,
            "the value has pointers to memory that would be gone afterwards: make a block of memory, and give its handle",
        ));
    }
    write_at(address, arena.bytes(block));
    Ok(())
}

fn environment<'a>(declared: &'a Declared, variable: &'a Variable, handles: &'a Handles) -> Environment<'a> {
    let codec = Codec { target: declared.home.layouts.target(), ansi: ansi(), lossy: false };
    Environment::of(&declared.home, codec, handles, &variable.name)
}

fn size(environment: Environment<'_>, variable: &Variable) -> Result<usize, Fault> {
    let ty: &Type = &variable.ty;
    environment.layouts.of(ty).map(|layout| layout.size).map_err(|why| refused(variable, &why))
}

#[expect(unsafe_code, reason = "an exported variable is where the library says")]
fn read_at(
    address: usize,
    size: usize,
    variable: &Variable,
    environment: Environment<'_>,
    json: &mut Vec<u8>,
) -> Result<(), Fault> {
    // SAFETY: the loader found data of that name, and the library stays loaded while its apartment serves; the declared type
    // says how much of it there is. Nothing of the library's runs in this thread now; on another lane it may, if
    // its owner said that it bears several threads, and then what is read is what stands there at that moment.
    let bytes = unsafe { memory::bytes(address, size) };
    // SAFETY: the variable's pointers are what its declaration says; it is the header's promise.
    unsafe { alone::single(&variable.ty, &bytes, environment, &variable.name, json) }
}

#[expect(unsafe_code, reason = "an exported variable is where the library says")]
fn write_at(address: usize, bytes: &[u8]) {
    // SAFETY: as for reading; the declaration does not say `const`, so the memory is writable.
    unsafe { memory::write(address, bytes) };
}

fn refused(variable: &Variable, why: &str) -> Fault {
    let detail = format!("`{}` cannot be accessed so: {why}", variable.name);
    Fault { code: FaultCode::UnsupportedDeclaration, detail, pointer: None, ran: false }
}
