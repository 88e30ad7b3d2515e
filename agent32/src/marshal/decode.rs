//! The client's JSON arguments become machine values and memory; everything that can be wrong with them is found here,
//! before anything is called.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bridge32_protocol::interface::{Direction, Extent, Field, Function, Parameter, Scalar, Type};
use bridge32_protocol::wire::{Buffer, Fault};
use serde_json::value::RawValue;

use super::arena::{Arena, Block};
use super::bstrs::Bstrs;
use super::handle::{self, Bare};
use super::object::{self, Names, shortened};
use super::place::At;
use super::pointers::{Level, Target};
use super::scalar::{self, Bits};
use super::scope::{Members, Scope};
use super::structures::holds_secrets;
use super::{Environment, is_bytes, mismatch, out_of_memory, unsupported, variadic};
use crate::callbacks::{Bound as Callback, Callbacks};
use crate::handles::Hold;

/// The arguments of a call, ready to be placed.
#[derive(Debug)]
pub struct Prepared<'a> {
    /// The parameters with those behind `...`; each has its slot in [`Prepared::arguments`].
    pub parameters: Cow<'a, [Parameter]>,
    /// How many of them are declared.
    pub fixed: usize,
    /// The argument block: each parameter's value as in memory, at its slot.
    pub arguments: Block,
    /// Where the parameters that are pointers point to.
    pub pointees: Vec<Pointee>,
    /// For each parameter, the number of the first block of the arena that belongs to it or to a later one.
    pub first_blocks: Vec<usize>,
    /// How many blocks of the arena the arguments take.
    pub blocks: usize,
    /// Where each parameter's slot is.
    pub slots: &'a [Range<usize>],
    /// The handles that were passed, by parameter.
    pub handles: Vec<(usize, u64)>,
    /// The blocks of memory among them, by parameter: they stay until the call is over, whoever frees them.
    pub blocks_held: Vec<(usize, Hold)>,
    /// The callbacks that were passed, by parameter.
    pub callbacks: Vec<(usize, Callback)>,
    /// The `BSTR`s that were allocated for the call.
    pub bstrs: Bstrs,
    /// The blocks whose bytes the gateway reads from their files.
    pub answered: Vec<Block>,
}

/// What a pointer parameter points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointee {
    /// It is no pointer.
    Value,
    /// Nothing.
    Null,
    /// Memory of the call.
    Block(Block),
    /// What the client has a handle for: outputs go there, and the answer repeats the token.
    Handle(String),
}

/// What a handle that was given stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) address: usize,
    /// The bytes of a block of memory.
    pub(super) size: Option<usize>,
}

/// Where a value is to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) block: Block,
    pub(super) offset: usize,
}

impl Spot {
    pub(super) const fn start(block: Block) -> Self {
        Self { block, offset: 0 }
    }

    pub(super) const fn plus(self, offset: usize) -> Self {
        Self { block: self.block, offset: self.offset + offset }
    }
}

/// Where a call's arguments go: the offsets of the slots, and the bytes of all.
#[derive(Clone, Copy, Debug)]
pub struct Slots<'a> {
    /// One for each parameter.
    pub ranges: &'a [Range<usize>],
    /// Bytes of the block.
    pub bytes: usize,
}

/// The arguments as given, before they have places: variadic ones extend the parameters.
#[derive(Debug)]
pub struct Given<'a> {
    /// The declared parameters, and those behind `...`.
    pub parameters: Cow<'a, [Parameter]>,
    values: Vec<Option<&'a RawValue>>,
    /// By parameter, those that have a file; empty where none has.
    buffers: Vec<Option<&'a Buffer>>,
    /// How many are declared.
    pub fixed: usize,
    /// The place of all of them.
    root: At<'static>,
}

impl<'a> Given<'a> {
    /// The same, where these buffers have files.
    ///
    /// # Errors
    /// [`bridge32_protocol::wire::FaultCode::ArgumentMismatch`]: one is no parameter, is no buffer of bytes, or is among the
    /// arguments as well.
    pub fn with_buffers(mut self, buffers: &'a [Buffer]) -> Result<Self, Fault> {
        if buffers.is_empty() {
            return Ok(self);
        }
        self.buffers = vec![None; self.parameters.len()];
        for buffer in buffers {
            let (name, at) = (&buffer.parameter, self.root.member(&buffer.parameter));
            let index = self.parameters[..self.fixed].iter().position(|parameter| parameter.name == *name);
            let index = index.filter(|index| is_byte_buffer(&self.parameters[*index].ty));
            let index = index.ok_or_else(|| mismatch(&at, format!("`{at}` is no buffer of bytes of the function")))?;
            if self.buffers[index].is_some() || (buffer.given.is_some() && self.values[index].is_some()) {
                return Err(mismatch(&at, format!("`{at}` is given twice")));
            }
            self.buffers[index] = Some(buffer);
        }
        Ok(self)
    }
}

fn is_byte_buffer(ty: &Type) -> bool {
    matches!(ty, Type::Pointer(pointer) if matches!(pointer.extent, Extent::Elements { .. }) && is_bytes(&pointer.to))
}

/// Takes the arguments' object apart. `hidden`: no value in it may be repeated.
///
/// # Errors
/// [`bridge32_protocol::wire::FaultCode::ArgumentMismatch`]: it is no object, or has a name that is no parameter's.
pub fn split<'a>(json: &'a str, function: &'a Function, hidden: bool) -> Result<Given<'a>, Fault> {
    let names = ParameterNames { parameters: &function.parameters, variadic: function.variadic };
    let root = At::ROOT.hidden(hidden);
    // Names are no values, whatever stands under them.
    let mut values = object::by_name(json, &names, &At::ROOT)?;
    let mut parameters = Cow::Borrowed(function.parameters.as_slice());
    if function.variadic
        && let Some(list) = values.pop().flatten()
    {
        // They have no names by which one could be told from the other.
        let sensitive = function.sensitive_extra || function.parameters.iter().any(|parameter| parameter.sensitive);
        for (parameter, value) in variadic::read(list, sensitive, &root)? {
            parameters.to_mut().push(parameter);
            values.push(value);
        }
    }
    Ok(Given { parameters, values, buffers: Vec::new(), fixed: function.parameters.len(), root })
}

/// Checks the arguments against the declaration and lays them out in `arena`.
///
/// # Errors
/// [`bridge32_protocol::wire::FaultCode::ArgumentMismatch`] with the JSON pointer to what is wrong, `StaleHandle`, or
/// `OutOfMemory`.
pub fn arguments<'a>(
    given: Given<'a>,
    slots: Slots<'a>,
    environment: Environment<'_>,
    callbacks: &Arc<Callbacks>,
    arena: &mut Arena,
) -> Result<Prepared<'a>, Fault> {
    let Given { parameters, values, buffers, fixed, root } = given;
    let block = arena.allocate(slots.bytes).map_err(|error| out_of_memory(&At::ROOT, error))?;
    let count = parameters.len();
    let mut writer = Writer::new(environment, callbacks, arena);
    let (mut pointees, mut first_blocks) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut scope = Scope::new(Members::Parameters(&parameters), values, environment.context).with_buffers(buffers);
    let list = root.member(variadic::NAME);
    writer.infer_lengths(&mut scope, &root)?;
    for (index, parameter) in parameters.iter().enumerate() {
        first_blocks.push(writer.arena.count());
        writer.parameter = index;
        writer.direction = parameter.direction;
        writer.buffer = scope.buffer(index);
        let spot = Spot { block, offset: slots.ranges[index].start };
        let element;
        let at = match index.checked_sub(fixed) {
            None => root.member(&parameter.name),
            Some(extra) => {
                element = list.element(extra);
                element.member("value")
            }
        }
        .hidden(parameter.sensitive);
        pointees.push(writer.parameter(parameter, &scope, index, &at, spot)?);
    }
    let blocks = writer.arena.count();
    let Writer { handles, holds, callbacks, bstrs, answered, .. } = writer;
    drop(scope);
    Ok(Prepared {
        parameters,
        fixed,
        arguments: block,
        pointees,
        first_blocks,
        blocks,
        slots: slots.ranges,
        handles,
        blocks_held: holds,
        callbacks,
        bstrs,
        answered,
    })
}

/// Checks one value and writes it into a new block: for variables and what callbacks answer.
///
/// # Errors
/// As [`arguments`].
pub fn single(
    raw: &RawValue,
    ty: &Type,
    at: &At<'_>,
    environment: Environment<'_>,
    callbacks: &Arc<Callbacks>,
    arena: &mut Arena,
) -> Result<Block, Fault> {
    let bytes = environment.layouts.of(ty).map_err(|why| unsupported(at, &why))?.size;
    let block = arena.allocate(bytes).map_err(|error| out_of_memory(at, error))?;
    let scope = Scope::new(Members::Parameters(&[]), Vec::new(), environment.context);
    let mut writer = Writer::new(environment, callbacks, arena);
    writer.value(ty, raw, at, &scope, Spot::start(block))?;
    if writer.callbacks.is_empty() && writer.bstrs.is_empty() {
        return Ok(block);
    }
    Err(mismatch(at, format!("`{at}` would have to outlive this request: pass the handle of a function or of memory")))
}

struct ParameterNames<'a> {
    parameters: &'a [Parameter],
    variadic: bool,
}

impl Names for ParameterNames<'_> {
    fn count(&self) -> usize {
        self.parameters.len() + usize::from(self.variadic)
    }

    fn index(&self, name: &str) -> Option<usize> {
        if self.variadic && name == variadic::NAME {
            return Some(self.parameters.len());
        }
        self.parameters.iter().position(|parameter| parameter.name == name)
    }

    fn unknown(&self, name: &str, _: &At<'_>) -> String {
        let mut names: Vec<String> = self.parameters.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
        names.extend(self.variadic.then(|| format!("`{}`", variadic::NAME)));
        let known = if names.is_empty() {
            "it takes none".to_owned()
        } else {
            format!("its parameters are {}", names.join(", "))
        };
        format!("the function has no parameter `{}`; {known}", shortened(name))
    }
}

/// Writes JSON values into the memory of a call.
pub(super) struct Writer<'c, 'm> {
    pub(super) environment: Environment<'c>,
    /// Makes function pointers.
    source: &'c Arc<Callbacks>,
    pub(super) arena: &'m mut Arena,
    /// The parameter that is being written.
    parameter: usize,
    /// The file that it has.
    pub(super) buffer: Option<&'m Buffer>,
    /// Which way its data goes.
    pub(super) direction: Direction,
    /// How many pointers lead here.
    pub(super) depth: usize,
    handles: Vec<(usize, u64)>,
    holds: Vec<(usize, Hold)>,
    callbacks: Vec<(usize, Callback)>,
    bstrs: Bstrs,
    /// The blocks whose bytes stay in their files.
    pub(super) answered: Vec<Block>,
}

impl<'c, 'm> Writer<'c, 'm> {
    fn new(environment: Environment<'c>, source: &'c Arc<Callbacks>, arena: &'m mut Arena) -> Self {
        let (handles, holds, callbacks, bstrs) = (Vec::new(), Vec::new(), Vec::new(), Bstrs::default());
        let (parameter, buffer, direction, depth) = (0, None, Direction::In, 0);
        let answered = Vec::new();
        Self {
            environment,
            source,
            arena,
            parameter,
            buffer,
            direction,
            depth,
            handles,
            holds,
            callbacks,
            bstrs,
            answered,
        }
    }

    /// Writes a parameter into its slot.
    fn parameter(
        &mut self,
        parameter: &Parameter,
        scope: &Scope<'_>,
        index: usize,
        at: &At<'_>,
        spot: Spot,
    ) -> Result<Pointee, Fault> {
        let raw = scope.given[index];
        match &parameter.ty {
            Type::Pointer(pointer) => {
                let level = Level::Parameter { parameter, index };
                let target = match self.buffer.and_then(|buffer| buffer.given) {
                    Some(bytes) => self.bytes_of_file(pointer, bytes, at, scope).map(Target::Block)?,
                    None => self.pointer(pointer, raw, at, scope, level)?,
                };
                self.store_target(&target, spot);
                Ok(target.into_pointee(raw))
            }
            Type::Callback(signature) => {
                let raw = raw.or_else(|| parameter.optional.then_some(RawValue::NULL));
                let raw = raw.ok_or_else(|| missing(at))?;
                if raw.get() == "null" && !parameter.optional {
                    return Err(super::pointers::refuse_null(at));
                }
                self.callback(signature, raw, at, &parameter.name, spot)?;
                Ok(Pointee::Value)
            }
            ty => {
                if let (None, Some(number), Type::Scalar(scalar)) = (raw, scope.known(index), ty) {
                    // The length of an array that was given.
                    self.store(Bits::of(number), scalar, spot);
                    return Ok(Pointee::Value);
                }
                self.value(ty, raw.ok_or_else(|| missing(at))?, at, scope, spot)?;
                Ok(Pointee::Value)
            }
        }
    }

    /// Writes any value.
    pub(super) fn value(
        &mut self,
        ty: &Type,
        raw: &RawValue,
        at: &At<'_>,
        scope: &Scope<'_>,
        spot: Spot,
    ) -> Result<(), Fault> {
        match ty {
            Type::Scalar(scalar) => {
                let bits = scalar::decode(raw, scalar, self.environment.context);
                let bits = bits.map_err(|wrong| wrong.fault(raw, at))?;
                self.store(bits, scalar, spot);
                Ok(())
            }
            Type::Structure(name) => self.structure(name, raw, at, spot),
            Type::Array(array) => self.fixed_array(array, raw, at, scope, spot),
            Type::Pointer(pointer) => {
                let target = self.pointer(pointer, Some(raw), at, scope, Level::Nested)?;
                self.store_target(&target, spot);
                Ok(())
            }
            Type::Callback(signature) => self.callback(signature, raw, at, "", spot),
            Type::Void => Err(unsupported(at, "it has no type")),
            Type::Unsupported { spelling } => Err(unsupported(at, &format!("its type is {spelling}"))),
        }
    }

    /// Writes a scalar's bits.
    pub(super) fn store(&mut self, bits: Bits, scalar: &Scalar, spot: Spot) {
        let size = crate::layout::scalar_bytes(scalar, self.environment.context.target);
        bits.store(&mut self.arena.bytes_mut(spot.block)[spot.offset..spot.offset + size]);
    }

    /// Writes an address.
    pub(super) fn store_address(&mut self, address: usize, spot: Spot) {
        let size = usize::from(self.environment.context.target.pointer_bytes());
        let place = &mut self.arena.bytes_mut(spot.block)[spot.offset..spot.offset + size];
        place.copy_from_slice(&(address as u64).to_le_bytes()[..size]);
    }

    /// A function pointer that answers as the client says.
    fn callback(
        &mut self,
        signature: &bridge32_protocol::interface::Signature,
        raw: &RawValue,
        at: &At<'_>,
        parameter: &str,
        spot: Spot,
    ) -> Result<(), Fault> {
        if raw.get() == "null" {
            self.store_address(0, spot);
            return Ok(());
        }
        if let Some(held) = self.handle(raw, "function", Bare::Function, at)? {
            if held.size.is_some() {
                return Err(mismatch(at, format!("`{at}` is a function; a block of memory is none")));
            }
            self.store_address(held.address, spot);
            return Ok(());
        }
        let bound = self.source.bind(signature, raw, at, parameter, &self.environment)?;
        self.store_address(bound.address(), spot);
        self.callbacks.push((self.parameter, bound));
        Ok(())
    }

    /// What a handle stands for, if the value is one. It counts as passed.
    pub(super) fn handle(
        &mut self,
        raw: &RawValue,
        kind: &str,
        bare: Bare,
        at: &At<'_>,
    ) -> Result<Option<Held>, Fault> {
        let secrets = bare == Bare::Token && holds_secrets(self.environment.context.interface, kind, 0);
        Ok(match handle::decode(raw.get(), kind, bare, &self.environment, &at.hidden(secrets))? {
            handle::Given::Other => None,
            handle::Given::Sentinel(address) => Some(Held { address, size: None }),
            handle::Given::Token(resolved) => {
                self.handles.push((self.parameter, resolved.number));
                self.holds.extend(resolved.hold.map(|hold| (self.parameter, hold)));
                Some(Held { address: resolved.address, size: resolved.size })
            }
        })
    }

    /// Notes a `BSTR` that is to be freed after the call.
    pub(super) fn owns_bstr(&mut self, address: usize) {
        self.bstrs.own(address);
    }
}

/// The name of a member that has none of its own is that of its neighbours' structure.
pub(super) const fn is_anonymous(field: &Field) -> bool {
    field.name.is_empty() && field.bits.is_none()
}

pub(super) fn missing(at: &At<'_>) -> Fault {
    mismatch(at, format!("`{at}` is missing"))
}
