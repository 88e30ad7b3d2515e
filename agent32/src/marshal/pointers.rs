//! Pointers: from JSON to memory of the call, handles and null.

use bridge32_protocol::interface::{Direction, Encoding, Extent, Interface, Parameter, Pointer, Scalar, Type};
use bridge32_protocol::wire::{Fault, FaultCode};
use serde_json::value::RawValue;

use super::arena::{Arena, Block};
use super::arrays::{is_fixed, too_short};
use super::decode::{Pointee, Spot, Writer, missing};
use super::handle::Bare;
use super::place::At;
use super::scalar::{self, Bits};
use super::scope::Scope;
use super::text::TextError;
use super::{is_bytes, mismatch, out_of_memory, text, unsupported};
use crate::layout::text_unit_bytes;
use crate::platform;

/// So many pointers may lead to each other in arguments. Each takes some of the apartment's stack.
const MAX_DEPTH: usize = 64;

/// Where a pointer stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level<'a> {
    /// It is a parameter: its direction and annotations say what may be left out.
    Parameter { parameter: &'a Parameter, index: usize },
    /// It lies in a structure, an array or behind a pointer, where C code leaves pointers null.
    Nested,
}

/// What a pointer points to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Null,
    Block(Block),
    /// A handle's, or one that is no address at all.
    Address(usize),
}

impl Target {
    /// As it is kept for the outputs.
    pub(super) fn into_pointee(self, raw: Option<&RawValue>) -> Pointee {
        match self {
            Self::Null => Pointee::Null,
            Self::Block(block) => Pointee::Block(block),
            Self::Address(_) => Pointee::Handle(raw.map_or_else(String::new, |raw| raw.get().to_owned())),
        }
    }
}

impl Writer<'_, '_> {
    /// Writes the address of what a pointer points to.
    pub(super) fn store_target(&mut self, target: &Target, spot: Spot) {
        let address = match target {
            Target::Null => 0,
            Target::Block(block) => Arena::address(self.arena, *block),
            Target::Address(address) => *address,
        };
        self.store_address(address, spot);
    }

    /// Makes what a pointer points to.
    pub(super) fn pointer(
        &mut self,
        pointer: &Pointer,
        raw: Option<&RawValue>,
        at: &At<'_>,
        scope: &Scope<'_>,
        level: Level<'_>,
    ) -> Result<Target, Fault> {
        let Some(raw) = raw else { return self.absent(pointer, at, scope, level) };
        if raw.get() == "null" {
            return self.null(pointer, at, scope, level);
        }
        let kind = kind_of(pointer);
        if let Some(held) = self.handle(raw, kind, bare(pointer), at)? {
            if let Some(size) = held.size {
                if let Level::Parameter { parameter, .. } = level
                    && parameter.releases.is_some()
                {
                    let detail = format!(
                        "the function frees what `{at}` points to, and a block of memory is the bridge's: free it with DELETE"
                    );
                    return Err(mismatch(at, detail));
                }
                self.check_room(pointer, size, at, scope)?;
                self.check_contents(pointer, at)?;
            }
            return Ok(Target::Address(held.address));
        }
        if let Level::Parameter { parameter, .. } = level
            && parameter.direction == Direction::Out
        {
            let detail = format!(
                "`{at}` is an output of the function: leave it out of the request, or pass the handle of a block of memory"
            );
            return Err(mismatch(at, detail));
        }
        if self.depth >= MAX_DEPTH {
            let detail =
                format!("pointers lead to pointers more than {MAX_DEPTH} times here; make blocks of memory instead");
            return Err(mismatch(at, detail));
        }
        self.depth += 1;
        let target = self.pointee(pointer, raw, at, scope);
        self.depth -= 1;
        target
    }

    /// What a given value points to.
    fn pointee(&mut self, pointer: &Pointer, raw: &RawValue, at: &At<'_>, scope: &Scope<'_>) -> Result<Target, Fault> {
        match &pointer.extent {
            Extent::Handle { kind, .. } => {
                let given = at.shown(raw.get());
                Err(mismatch(
                    at,
                    format!("{given} is no handle of a `{kind}`: pass the token that an earlier call answered"),
                ))
            }
            Extent::Text(encoding) => {
                let mut bytes = self.text(raw, encoding, at)?;
                let terminator = text_unit_bytes(encoding, self.environment.context.target);
                bytes.resize(bytes.len() + terminator, 0);
                self.arena.store(&bytes).map(Target::Block).map_err(|error| out_of_memory(at, error))
            }
            Extent::TextBuffer { encoding, .. } => {
                let bytes = self.text(raw, encoding, at)?;
                self.text_buffer(pointer, &bytes, encoding, at, scope).map(Target::Block)
            }
            Extent::Bstr => self.bstr(raw, at).map(Target::Address),
            Extent::One if raw.get().starts_with('[') && !matches!(pointer.to, Type::Array(_)) => {
                let detail = format!(
                    "an array is given, and the header was read as one value: if `{at}` is an array, write how long it is, \
                     with `_In_reads_(n)`, `_Inout_updates_(n)` or `@length {at} n`"
                );
                Err(mismatch(at, detail))
            }
            Extent::One => {
                let block = self.one(pointer, at)?;
                self.value(&pointer.to, raw, at, scope, Spot::start(block))?;
                Ok(Target::Block(block))
            }
            Extent::Elements { .. } if is_bytes(&pointer.to) => {
                self.byte_buffer(pointer, raw, at, scope).map(Target::Block)
            }
            Extent::Elements { .. } => self.elements(pointer, raw, at, scope).map(Target::Block),
        }
    }

    /// A pointer that was left out.
    fn absent(&mut self, pointer: &Pointer, at: &At<'_>, scope: &Scope<'_>, level: Level<'_>) -> Result<Target, Fault> {
        let Level::Parameter { parameter, index } = level else { return Ok(Target::Null) };
        if let (Some(number), Some(scalar)) = (scope.known(index), pointed_scalar(pointer)) {
            return self.length(number, scalar, pointer, at);
        }
        if parameter.direction == Direction::In {
            return if parameter.optional { Ok(Target::Null) } else { Err(missing(at)) };
        }
        match &pointer.extent {
            Extent::One if parameter.direction == Direction::InOut && scope.members.is_length(index) => {
                Err(missing(at))
            }
            Extent::One => self.one(pointer, at).map(Target::Block),
            Extent::TextBuffer { .. } | Extent::Elements { .. } => {
                let capacity = self.capacity_bytes(pointer, at, scope)?;
                self.room(capacity, at).map(Target::Block)
            }
            Extent::Text(_) | Extent::Bstr | Extent::Handle { .. } => Err(missing(at)),
        }
    }

    /// The length of an array that was given, behind a pointer that was left out.
    pub(super) fn length(
        &mut self,
        number: i128,
        scalar: &Scalar,
        pointer: &Pointer,
        at: &At<'_>,
    ) -> Result<Target, Fault> {
        let block = self.one(pointer, at)?;
        self.store(Bits::of(number), scalar, Spot::start(block));
        Ok(Target::Block(block))
    }

    fn null(&self, pointer: &Pointer, at: &At<'_>, scope: &Scope<'_>, level: Level<'_>) -> Result<Target, Fault> {
        let Level::Parameter { parameter, .. } = level else { return Ok(Target::Null) };
        if !parameter.optional && pointer.extent != Extent::Bstr {
            return Err(refuse_null(at));
        }
        // A null array of a length that is given and not 0 is only sensible where the function writes.
        let given = parameter.direction == Direction::In && !is_fixed(pointer);
        if given && self.known_capacity_bytes(pointer, at, scope)?.unwrap_or(0) > 0 {
            return Err(too_short(pointer, 0, at, scope));
        }
        Ok(Target::Null)
    }

    fn one(&mut self, pointer: &Pointer, at: &At<'_>) -> Result<Block, Fault> {
        let layout = self.environment.layouts.of(&pointer.to).map_err(|why| unsupported(at, &why))?;
        self.arena.allocate(layout.size).map_err(|error| out_of_memory(at, error))
    }

    /// A string's bytes in its encoding, without NUL.
    pub(super) fn text(&self, raw: &RawValue, encoding: &Encoding, at: &At<'_>) -> Result<Vec<u8>, Fault> {
        let text = scalar::string(raw.get())
            .ok_or_else(|| mismatch(at, format!("{} is not a string", at.shown(raw.get()))))?;
        text::encode(&text, encoding, self.environment.codec).map_err(|error| match error {
            TextError::Unencodable { encoding, .. } if at.is_sensitive() => {
                let detail = format!(
                    "a character of this sensitive text does not exist in {encoding}; declare another `@encoding`, leave the \
                     character out, or declare `@lossy` to have it replaced"
                );
                mismatch(at, detail)
            }
            error => mismatch(at, error.to_string()),
        })
    }

    fn bstr(&mut self, raw: &RawValue, at: &At<'_>) -> Result<usize, Fault> {
        let text = scalar::string(raw.get())
            .ok_or_else(|| mismatch(at, format!("{} is not a string", at.shown(raw.get()))))?;
        let units: Vec<u16> = text.encode_utf16().collect();
        let address = platform::bstr::allocate(&units).map_err(|why| Fault {
            code: FaultCode::OutOfMemory,
            detail: format!("`{at}`: no BSTR could be made: {why}"),
            pointer: Some(at.pointer()),
            ran: false,
        })?;
        // One that the function may replace is freed when its new value has been read.
        if self.direction == Direction::In {
            self.owns_bstr(address);
        }
        Ok(address)
    }

    /// Nor may addresses go in or out through a block: its bytes are the client's.
    fn check_contents(&self, pointer: &Pointer, at: &At<'_>) -> Result<(), Fault> {
        let handle = matches!(pointer.extent, Extent::Handle { .. });
        if handle || !has_addresses(&pointer.to, self.environment.context.interface, 0) {
            return Ok(());
        }
        let detail =
            format!("`{at}` leads to pointers, which a block of memory cannot hold: pass the values themselves");
        Err(mismatch(at, detail))
    }

    /// A block of memory that is passed for a buffer must have the buffer's size.
    fn check_room(&self, pointer: &Pointer, size: usize, at: &At<'_>, scope: &Scope<'_>) -> Result<(), Fault> {
        let needed = match &pointer.extent {
            Extent::One => self.environment.layouts.of(&pointer.to).ok().map(|layout| layout.size),
            _ => self.known_capacity_bytes(pointer, at, scope)?,
        };
        match needed {
            Some(needed) if size < needed => {
                let detail =
                    format!("the block of memory has {size} bytes, but `{at}` needs {needed}: make a larger one");
                Err(mismatch(at, detail))
            }
            _ => Ok(()),
        }
    }
}

/// Whether values of this type hold addresses.
fn has_addresses(ty: &Type, interface: &Interface, depth: usize) -> bool {
    match ty {
        Type::Pointer(_) | Type::Callback(_) => true,
        Type::Array(array) => has_addresses(&array.of, interface, depth),
        // Deeper ones are not even laid out.
        Type::Structure(_) if depth > MAX_DEPTH => true,
        Type::Structure(name) => interface.structures.get(name).is_some_and(|structure| {
            structure.fields.iter().any(|field| has_addresses(&field.ty, interface, depth + 1))
        }),
        Type::Void | Type::Scalar(_) | Type::Unsupported { .. } => false,
    }
}

pub(super) fn refuse_null(at: &At<'_>) -> Fault {
    let detail = format!(
        "`{at}` must not be null; if the function accepts a null pointer there, say so in the header with `_In_opt_` \
         (`_Out_opt_`, `_Inout_opt_`)"
    );
    mismatch(at, detail)
}

/// The kind of handle that fits a pointer.
fn kind_of(pointer: &Pointer) -> &str {
    match (&pointer.extent, &pointer.to) {
        (Extent::Handle { kind, .. }, _) => kind,
        (Extent::One, Type::Structure(name)) => name,
        _ => "void",
    }
}

const fn bare(pointer: &Pointer) -> Bare {
    match (&pointer.extent, &pointer.to) {
        (Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Bstr, _) | (Extent::One, Type::Pointer(_)) => {
            Bare::Nothing
        }
        (Extent::Handle { system, .. }, _) => Bare::Handle { system: *system },
        (Extent::One, Type::Structure(_)) => Bare::Token,
        (Extent::Elements { .. } | Extent::One, _) => Bare::Dotted,
    }
}

/// The scalar behind a pointer to one.
pub(super) const fn pointed_scalar(pointer: &Pointer) -> Option<&Scalar> {
    match (&pointer.extent, &pointer.to) {
        (Extent::One, Type::Scalar(scalar)) => Some(scalar),
        _ => None,
    }
}
