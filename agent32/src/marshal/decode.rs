//! The client's JSON arguments become machine values and memory; everything that can be wrong with them is found here,
//! before anything is called.

use bridge32_protocol::interface::{Direction, Encoding, Extent, Function, Length, Parameter, Pointer, Scalar, Type};
use bridge32_protocol::wire::{Fault, FaultCode};
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::arena::{Arena, Block, OutOfMemory};
use super::scalar::{self, Bits};
use super::{Context, bytes, length, mismatch, object, pointer_to, text};
use crate::abi::frame::Value;
use crate::layout::{element_bytes, scalar_bytes, text_unit_bytes};

/// The largest single buffer. A 32-bit process has 2 to 4 GB in all, and the answer is JSON, which takes more.
pub const MAX_BUFFER_BYTES: usize = 64 << 20;

/// The arguments of a call, ready to be placed.
#[derive(Debug, Default)]
pub struct Prepared {
    /// One machine value for each parameter.
    pub values: Vec<Value>,
    /// Where the parameters that are pointers point to; `None` for values and null pointers.
    pub blocks: Vec<Option<Block>>,
    /// The integers that the length expressions of outputs may refer to, as they were before the call.
    pub numbers: Vec<Option<i128>>,
}

/// Checks `json` against the function's declaration and lays its arguments out in `arena`.
///
/// # Errors
/// [`FaultCode::ArgumentMismatch`] with the JSON pointer to what is wrong, or [`FaultCode::OutOfMemory`].
pub fn arguments(json: &str, function: &Function, context: Context<'_>, arena: &mut Arena) -> Result<Prepared, Fault> {
    let given = object::by_parameter(json, &function.parameters)?;
    let mut call = Call { function, context, arena, given: Vec::with_capacity(given.len()) };
    for (parameter, raw) in function.parameters.iter().zip(given) {
        let given = call.read(parameter, raw)?;
        call.given.push(given);
    }
    call.infer_lengths()?;
    call.lay_out()
}

/// What the client gave for a parameter, checked as far as it can be alone.
enum Given<'a> {
    /// Nothing.
    Absent,
    /// JSON `null` for a pointer that may be null.
    Null,
    /// A number, by value or behind a pointer.
    Scalar(Bits),
    /// A NUL-terminated string or a text buffer's content, encoded, without NUL.
    Text(Vec<u8>),
    /// Base64, and how many bytes it stands for.
    Base64(Cow<'a, str>, usize),
    /// An array's elements.
    Elements(Vec<Bits>),
}

impl Given<'_> {
    /// The bytes of C memory that it takes, for elements of `unit_bytes`.
    fn bytes(&self, unit_bytes: usize) -> Option<usize> {
        match self {
            Self::Text(bytes) => Some(bytes.len()),
            Self::Base64(_, count) => Some(*count),
            Self::Elements(elements) => elements.len().checked_mul(unit_bytes),
            Self::Absent | Self::Null | Self::Scalar(_) => None,
        }
    }
}

struct Call<'a, 'm> {
    function: &'a Function,
    context: Context<'a>,
    arena: &'m mut Arena,
    given: Vec<Given<'a>>,
}

impl<'a> Call<'a, '_> {
    fn read<'j: 'a>(&self, parameter: &'a Parameter, raw: Option<&'j RawValue>) -> Result<Given<'a>, Fault> {
        let at = || pointer_to(&parameter.name);
        let Some(raw) = raw else { return Ok(Given::Absent) };
        if let Type::Pointer(pointer) = &parameter.ty {
            if raw.get() == "null" {
                return if parameter.optional { Ok(Given::Null) } else { Err(refuse_null(parameter)) };
            }
            if parameter.direction == Direction::Out {
                let detail = format!("`{}` is an output of the function; leave it out of the request", parameter.name);
                return Err(mismatch(&at(), detail));
            }
            return self.read_pointee(pointer, raw, &at());
        }
        let Type::Scalar(scalar) = &parameter.ty else { return Err(unsupported(&parameter.name)) };
        let bits = scalar::decode(raw, scalar, self.context).map_err(|detail| mismatch(&at(), detail))?;
        Ok(Given::Scalar(bits))
    }

    fn read_pointee<'j: 'a>(&self, pointer: &'a Pointer, raw: &'j RawValue, at: &str) -> Result<Given<'a>, Fault> {
        let wrong = |detail: String| mismatch(at, detail);
        match (&pointer.extent, &pointer.to) {
            (Extent::Text(encoding) | Extent::TextBuffer { encoding, .. }, _) => {
                let text = scalar::string(raw.get())
                    .ok_or_else(|| wrong(format!("{} is not a string", scalar::kind(raw.get()))))?;
                let bytes = text::encode(&text, encoding, self.context.target);
                bytes.map(Given::Text).map_err(|error| wrong(error.to_string()))
            }
            (Extent::One, Type::Scalar(scalar)) => {
                scalar::decode(raw, scalar, self.context).map(Given::Scalar).map_err(wrong)
            }
            (Extent::Elements { .. }, to) if is_bytes(to, self.context) => {
                let text = scalar::string(raw.get())
                    .ok_or_else(|| wrong(format!("{} is not a base64 string of bytes", scalar::kind(raw.get()))))?;
                let count = bytes::decoded_length(&text);
                Ok(Given::Base64(text, count))
            }
            (Extent::Elements { .. }, Type::Scalar(scalar)) => self.read_array(raw, scalar, at),
            _ => Err(unsupported(at)),
        }
    }

    fn read_array(&self, raw: &RawValue, scalar: &Scalar, at: &str) -> Result<Given<'a>, Fault> {
        let elements: Vec<&RawValue> = serde_json::from_str(raw.get())
            .map_err(|_| mismatch(at, format!("{} is not an array", scalar::kind(raw.get()))))?;
        let element = |(index, raw): (usize, &&RawValue)| {
            scalar::decode(raw, scalar, self.context).map_err(|detail| mismatch(&format!("{at}/{index}"), detail))
        };
        elements.iter().enumerate().map(element).collect::<Result<_, _>>().map(Given::Elements)
    }

    /// A parameter that only gives the length of arrays in the request may be left out.
    fn infer_lengths(&mut self) -> Result<(), Fault> {
        for index in 0..self.function.parameters.len() {
            if !matches!(self.given[index], Given::Absent) {
                continue;
            }
            let mut inferred: Option<(i128, &str)> = None;
            for (array, parameter) in self.function.parameters.iter().enumerate() {
                let Some(count) = self.implied_length(array, index) else { continue };
                match inferred {
                    Some((earlier, name)) if earlier != count => {
                        let own = &self.function.parameters[index].name;
                        let detail = format!(
                            "`{}` has length {count}, but `{name}` has {earlier}, and `{own}` is the length of both",
                            parameter.name
                        );
                        return Err(mismatch(&pointer_to(&parameter.name), detail));
                    }
                    _ => inferred = Some((count, &parameter.name)),
                }
            }
            if let Some((count, array)) = inferred {
                self.given[index] = self.length_argument(index, count, array)?;
            }
        }
        Ok(())
    }

    /// What `given[array]` implies for the parameter `index`, if that alone is the array's length.
    fn implied_length(&self, array: usize, index: usize) -> Option<i128> {
        let parameter = &self.function.parameters[array];
        let (capacity, unit_bytes) = self.capacity(parameter)?;
        if length::sole_parameter(capacity) != Some(index) || parameter.direction == Direction::Out {
            return None;
        }
        let bytes = match &self.given[array] {
            Given::Null => 0,
            // In-out text needs room for its NUL.
            Given::Text(bytes) if parameter.direction == Direction::InOut => bytes.len() + unit_bytes,
            given => given.bytes(unit_bytes)?,
        };
        let divisor = match capacity.unit {
            bridge32_protocol::interface::Unit::Elements => unit_bytes,
            bridge32_protocol::interface::Unit::Bytes => 1,
        };
        i128::try_from(bytes / divisor).ok()
    }

    fn length_argument(&self, index: usize, count: i128, array: &str) -> Result<Given<'a>, Fault> {
        let parameter = &self.function.parameters[index];
        let Some(Scalar::Integer(integer)) = scalar_of(&parameter.ty) else { return Ok(Given::Absent) };
        let (_, most) = integer.range(self.context.target);
        match u64::try_from(count) {
            Ok(bits) if count <= most => Ok(Given::Scalar(Bits(bits))),
            _ => {
                let detail = format!("its length {count} does not fit into `{}` (at most {most})", parameter.name);
                Err(mismatch(&pointer_to(array), detail))
            }
        }
    }

    fn lay_out(mut self) -> Result<Prepared, Fault> {
        let count = self.function.parameters.len();
        let numbers = (0..count).map(|index| self.number(index)).collect();
        let mut prepared = Prepared { values: Vec::with_capacity(count), blocks: Vec::with_capacity(count), numbers };
        for (index, parameter) in self.function.parameters.iter().enumerate() {
            let given = std::mem::replace(&mut self.given[index], Given::Absent);
            let (value, block) = match &parameter.ty {
                Type::Pointer(pointer) => {
                    let block = self.block(parameter, pointer, given, &prepared.numbers)?;
                    let address = block.map_or(0, |block| self.arena.address(block));
                    (Value::Word(address as u64), block)
                }
                Type::Scalar(scalar) => match given {
                    Given::Scalar(bits) => (bits.value(scalar, self.context), None),
                    _ => return Err(missing(parameter)),
                },
                _ => return Err(unsupported(&parameter.name)),
            };
            prepared.values.push(value);
            prepared.blocks.push(block);
        }
        Ok(prepared)
    }

    fn number(&self, index: usize) -> Option<i128> {
        let scalar = scalar_of(&self.function.parameters[index].ty)?;
        match &self.given[index] {
            Given::Scalar(bits) => bits.integer(scalar),
            _ => None,
        }
    }

    /// The memory that a pointer parameter points to; `None` for a null pointer.
    fn block(
        &mut self,
        parameter: &Parameter,
        pointer: &Pointer,
        given: Given<'_>,
        numbers: &[Option<i128>],
    ) -> Result<Option<Block>, Fault> {
        if matches!(given, Given::Null) {
            // A null array of a length that is not 0 is only sensible where the function writes.
            if parameter.direction == Direction::In && self.capacity_bytes(parameter, numbers)?.unwrap_or(0) > 0 {
                return Err(self.too_short(parameter, 0));
            }
            return Ok(None);
        }
        if matches!(given, Given::Absent) && parameter.direction == Direction::In {
            return if parameter.optional { Ok(None) } else { Err(missing(parameter)) };
        }
        let memory = |error: OutOfMemory| out_of_memory(parameter, error);
        match (&pointer.extent, &pointer.to) {
            (Extent::Text(encoding), _) => {
                let Given::Text(mut bytes) = given else { return Err(missing(parameter)) };
                bytes.resize(bytes.len() + text_unit_bytes(encoding, self.context.target), 0);
                self.arena.store(&bytes).map_err(memory).map(Some)
            }
            (Extent::One, Type::Scalar(scalar)) => {
                if matches!(given, Given::Absent) && self.is_capacity(parameter) {
                    return Err(missing(parameter));
                }
                let block = self.arena.allocate(scalar_bytes(scalar, self.context.target)).map_err(memory)?;
                if let Given::Scalar(bits) = given {
                    bits.store(self.arena.bytes_mut(block));
                }
                Ok(Some(block))
            }
            _ => self.array(parameter, given, numbers).map(Some),
        }
    }

    fn array(&mut self, parameter: &Parameter, given: Given<'_>, numbers: &[Option<i128>]) -> Result<Block, Fault> {
        let Some((_, unit_bytes)) = self.capacity(parameter) else { return Err(unsupported(&parameter.name)) };
        let at = pointer_to(&parameter.name);
        let capacity = self.capacity_bytes(parameter, numbers)?;
        let capacity = capacity.ok_or_else(|| self.unknown_length(parameter))?;
        let have = given.bytes(unit_bytes).unwrap_or(0);
        match parameter.direction {
            Direction::In if have < capacity => return Err(self.too_short(parameter, have)),
            Direction::InOut if have + self.terminator_bytes(parameter) > capacity => {
                return Err(self.too_long(parameter, have));
            }
            _ => {}
        }
        let block = self.arena.allocate(have.max(capacity)).map_err(|error| out_of_memory(parameter, error))?;
        let memory = self.arena.bytes_mut(block);
        match given {
            Given::Base64(text, count) => {
                bytes::decode(&text, &mut memory[..count]).map_err(|detail| mismatch(&at, detail))?;
            }
            Given::Elements(elements) => {
                for (element, place) in elements.into_iter().zip(memory.chunks_exact_mut(unit_bytes)) {
                    element.store(place);
                }
            }
            Given::Text(text) => memory[..text.len()].copy_from_slice(&text),
            Given::Absent | Given::Null | Given::Scalar(_) => {}
        }
        Ok(block)
    }

    /// A parameter's declared length, and the bytes of one of its elements.
    fn capacity<'p>(&self, parameter: &'p Parameter) -> Option<(&'p Length, usize)> {
        let Type::Pointer(pointer) = &parameter.ty else { return None };
        match &pointer.extent {
            Extent::Elements { capacity, .. } => Some((capacity, element_bytes(&pointer.to, self.context.target)?)),
            Extent::TextBuffer { encoding, capacity } => Some((capacity, self.text_unit(encoding))),
            Extent::One | Extent::Text(_) | Extent::Handle { .. } | Extent::Bstr => None,
        }
    }

    /// What an in-out text needs beyond its characters; without its NUL the function would read on.
    fn terminator_bytes(&self, parameter: &Parameter) -> usize {
        match &parameter.ty {
            Type::Pointer(pointer) => match &pointer.extent {
                Extent::TextBuffer { encoding, .. } => self.text_unit(encoding),
                _ => 0,
            },
            _ => 0,
        }
    }

    fn text_unit(&self, encoding: &Encoding) -> usize {
        text_unit_bytes(encoding, self.context.target)
    }

    /// The bytes that the function may use, as far as the arguments tell.
    fn capacity_bytes(&self, parameter: &Parameter, numbers: &[Option<i128>]) -> Result<Option<usize>, Fault> {
        let Some((capacity, unit_bytes)) = self.capacity(parameter) else { return Ok(None) };
        let known = |index: u32| *numbers.get(usize::try_from(index).ok()?)?;
        let Some(bytes) = length::bytes(capacity, unit_bytes, &known) else { return Ok(None) };
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= MAX_BUFFER_BYTES => Ok(Some(bytes)),
            _ => {
                let length = length::describe(capacity, &self.function.parameters);
                let at = length::dependencies(capacity)
                    .first()
                    .and_then(|index| self.function.parameters.get(*index))
                    .unwrap_or(parameter);
                let detail = format!(
                    "the length of `{}` is {length}, which is {bytes} bytes; it must be from 0 to {MAX_BUFFER_BYTES}",
                    parameter.name
                );
                Err(mismatch(&pointer_to(&at.name), detail))
            }
        }
    }

    /// Whether what this pointer points to is the length of another parameter: then it cannot be left out.
    fn is_capacity(&self, parameter: &Parameter) -> bool {
        let own = self.function.parameters.iter().position(|other| other.name == parameter.name);
        self.function
            .parameters
            .iter()
            .filter_map(|other| self.capacity(other))
            .any(|(capacity, _)| length::dependencies(capacity).into_iter().any(|index| Some(index) == own))
    }

    fn too_short(&self, parameter: &Parameter, have: usize) -> Fault {
        let remedy = "says that the function reads more; correct the length or leave it out";
        self.wrong_length(parameter, have, remedy)
    }

    fn too_long(&self, parameter: &Parameter, have: usize) -> Fault {
        self.wrong_length(parameter, have, "allows less; correct the length or leave it out")
    }

    fn wrong_length(&self, parameter: &Parameter, have: usize, says: &str) -> Fault {
        let length =
            self.capacity(parameter).map(|(capacity, _)| length::describe(capacity, &self.function.parameters));
        let name = &parameter.name;
        let detail = format!("`{name}` holds {have} bytes, but its length {} {says}", length.unwrap_or_default());
        mismatch(&pointer_to(name), detail)
    }

    fn unknown_length(&self, parameter: &Parameter) -> Fault {
        let Some((capacity, _)) = self.capacity(parameter) else { return unsupported(&parameter.name) };
        let absent = length::dependencies(capacity)
            .into_iter()
            .filter_map(|index| self.function.parameters.get(index))
            .find(|other| !matches!(other.direction, Direction::Out));
        let length = length::describe(capacity, &self.function.parameters);
        let name = absent.map_or(&parameter.name, |other| &other.name);
        mismatch(&pointer_to(name), format!("`{name}` is missing: {length} is the length of `{}`", parameter.name))
    }
}

/// The scalar that a parameter is, or points to.
pub fn scalar_of(ty: &Type) -> Option<&Scalar> {
    match ty {
        Type::Scalar(scalar) => Some(scalar),
        Type::Pointer(pointer) => match (&pointer.extent, &pointer.to) {
            (Extent::One, Type::Scalar(scalar)) => Some(scalar),
            _ => None,
        },
        _ => None,
    }
}

/// Whether elements of this type travel as base64: bytes, which have no sign worth telling and no names.
pub fn is_bytes(ty: &Type, context: Context<'_>) -> bool {
    match ty {
        Type::Void => true,
        Type::Scalar(scalar @ Scalar::Integer(_)) => scalar_bytes(scalar, context.target) == 1,
        _ => false,
    }
}

fn missing(parameter: &Parameter) -> Fault {
    mismatch(&pointer_to(&parameter.name), format!("`{}` is missing", parameter.name))
}

fn refuse_null(parameter: &Parameter) -> Fault {
    let detail = format!(
        "`{}` must not be null; if the function accepts a null pointer there, say so in the header with `_In_opt_` (`_Out_opt_`, `_Inout_opt_`)",
        parameter.name
    );
    mismatch(&pointer_to(&parameter.name), detail)
}

fn unsupported(name: &str) -> Fault {
    Fault {
        code: FaultCode::UnsupportedDeclaration,
        detail: format!("`{name}` has a type that cannot be passed"),
        pointer: None,
        ran: false,
    }
}

pub(super) fn out_of_memory(parameter: &Parameter, error: OutOfMemory) -> Fault {
    Fault {
        code: FaultCode::OutOfMemory,
        detail: format!(
            "there is no room for `{}` in the agent's address space: {error}; pass less at a time",
            parameter.name
        ),
        pointer: Some(pointer_to(&parameter.name)),
        ran: false,
    }
}
