//! What a call left behind becomes JSON: the result, and the output parameters by name.

use bridge32_protocol::interface::{Direction, Encoding, Extent, Function, Length, Pointer, Scalar, Type, Unit};
use bridge32_protocol::wire::{Fault, FaultCode};

use super::arena::{Arena, Block, OutOfMemory};
use super::decode::{self, Prepared, is_bytes, scalar_of};
use super::scalar::{self, Bits};
use super::{Context, bytes, length, memory, text};
use crate::layout::{element_bytes, scalar_bytes, text_unit_bytes};

/// Makes room for the outputs before the call: a process that has no memory left must say so while nothing has happened,
/// not end when the answer is written.
///
/// # Errors
/// [`FaultCode::OutOfMemory`], for the parameter with which it became too much.
pub fn reserve(
    prepared: &Prepared,
    function: &Function,
    context: Context<'_>,
    arena: &Arena,
    json: &mut Vec<u8>,
) -> Result<(), Fault> {
    let mut total: usize = 0;
    for (parameter, block) in function.parameters.iter().zip(&prepared.blocks) {
        let (Type::Pointer(pointer), Some(block)) = (&parameter.ty, block) else { continue };
        if parameter.direction == Direction::In {
            continue;
        }
        let bytes = arena.bytes(*block).len();
        total += parameter.name.len() + 16 + json_bytes(pointer, bytes, context);
        json.try_reserve(total).map_err(|_| decode::out_of_memory(parameter, OutOfMemory { bytes: total }))?;
    }
    Ok(())
}

/// About how long `bytes` of C memory become as JSON.
fn json_bytes(pointer: &Pointer, bytes: usize, context: Context<'_>) -> usize {
    /// The longest number that JSON gets, with its comma.
    const NUMBER: usize = 26;
    match (&pointer.extent, element_bytes(&pointer.to, context.target)) {
        (Extent::Elements { .. }, Some(size)) if !is_bytes(&pointer.to, context) => bytes / size * NUMBER,
        // Base64 takes a third more; text is seldom more than that, and then grows.
        _ => bytes / 3 * 4 + NUMBER,
    }
}

/// Appends `"result":…,"outputs":{…}`.
///
/// # Errors
/// When text that came back is not valid in its encoding: the function ran, but its answer cannot be told truthfully.
///
/// # Safety
/// `register` is what the function returned: if its declaration promises text, it must be null or the address of a
/// NUL-terminated string.
#[expect(unsafe_code, reason = "a returned string is where the library says")]
pub unsafe fn outcome(
    register: u64,
    prepared: &Prepared,
    function: &Function,
    context: Context<'_>,
    arena: &Arena,
    json: &mut Vec<u8>,
) -> Result<(), Fault> {
    json.extend_from_slice(b"\"result\":");
    // SAFETY: the caller's promise is this function's.
    unsafe { result(register, &function.result, context, json) }?;
    json.extend_from_slice(b",\"outputs\":{");
    let outputs = Outputs { prepared, function, context, arena };
    let mut first = true;
    for (index, parameter) in function.parameters.iter().enumerate() {
        let Type::Pointer(pointer) = &parameter.ty else { continue };
        if parameter.direction == Direction::In {
            continue;
        }
        if !std::mem::take(&mut first) {
            json.push(b',');
        }
        string(&parameter.name, json);
        json.push(b':');
        match prepared.blocks[index] {
            Some(block) => outputs.write(pointer, block, json).map_err(|error| undecodable(&parameter.name, &error))?,
            None => json.extend_from_slice(b"null"),
        }
    }
    json.push(b'}');
    Ok(())
}

/// # Safety
/// As [`outcome`].
#[expect(unsafe_code, reason = "a returned string is where the library says")]
unsafe fn result(register: u64, ty: &Type, context: Context<'_>, json: &mut Vec<u8>) -> Result<(), Fault> {
    match ty {
        Type::Scalar(scalar) => {
            let bits = Bits::extend(register, scalar_bytes(scalar, context.target), scalar);
            scalar::encode(bits, scalar, context, json);
            Ok(())
        }
        Type::Pointer(pointer) => {
            let Extent::Text(encoding) = &pointer.extent else { return Err(unsupported_result()) };
            let unit = text_unit_bytes(encoding, context.target);
            #[expect(clippy::cast_possible_truncation, reason = "a pointer has the width of this process")]
            let address = register as usize;
            if address == 0 {
                json.extend_from_slice(b"null");
                return Ok(());
            }
            // SAFETY: not null, so by the caller's promise a NUL-terminated string.
            let bytes = unsafe { memory::text(address, unit) }.ok_or_else(|| endless("the result"))?;
            let text = text::decode(&bytes, encoding, context.target).map_err(|error| undecodable("result", &error))?;
            string(&text, json);
            Ok(())
        }
        Type::Void => {
            json.extend_from_slice(b"null");
            Ok(())
        }
        _ => Err(unsupported_result()),
    }
}

struct Outputs<'a> {
    prepared: &'a Prepared,
    function: &'a Function,
    context: Context<'a>,
    arena: &'a Arena,
}

impl Outputs<'_> {
    fn write(&self, pointer: &Pointer, block: Block, json: &mut Vec<u8>) -> Result<(), text::TextError> {
        let bytes = self.arena.bytes(block);
        match (&pointer.extent, &pointer.to) {
            (Extent::One, Type::Scalar(scalar)) => {
                scalar::encode(Bits::load(bytes, scalar), scalar, self.context, json);
            }
            (Extent::Text(encoding) | Extent::TextBuffer { encoding, .. }, _) => {
                string(&self.text(bytes, encoding)?, json);
            }
            (Extent::Elements { capacity, written }, to) => {
                let valid = &bytes[..self.valid_bytes(written.as_ref().unwrap_or(capacity), to, bytes.len())];
                self.elements(valid, to, json);
            }
            (Extent::One | Extent::Handle { .. } | Extent::Bstr, _) => json.extend_from_slice(b"null"),
        }
        Ok(())
    }

    /// A text buffer's content: up to its first NUL, or all of it.
    fn text(&self, bytes: &[u8], encoding: &Encoding) -> Result<String, text::TextError> {
        let unit = text_unit_bytes(encoding, self.context.target);
        let end = bytes.chunks_exact(unit).position(|unit| unit.iter().all(|byte| *byte == 0));
        text::decode(
            &bytes[..end.map_or(bytes.len() / unit * unit, |units| units * unit)],
            encoding,
            self.context.target,
        )
    }

    fn elements(&self, valid: &[u8], to: &Type, json: &mut Vec<u8>) {
        if is_bytes(to, self.context) {
            bytes::encode(valid, json);
            return;
        }
        let (Type::Scalar(scalar), Some(size)) = (to, element_bytes(to, self.context.target)) else {
            json.extend_from_slice(b"null");
            return;
        };
        json.push(b'[');
        for (index, element) in valid.chunks_exact(size).enumerate() {
            if index > 0 {
                json.push(b',');
            }
            scalar::encode(Bits::load(element, scalar), scalar, self.context, json);
        }
        json.push(b']');
    }

    /// How much of a buffer the function filled. What it says beyond the buffer (many functions answer the size that
    /// they would need) is not there to be read.
    fn valid_bytes(&self, length: &Length, to: &Type, have: usize) -> usize {
        let unit = match length.unit {
            Unit::Bytes => 1,
            Unit::Elements => element_bytes(to, self.context.target).unwrap_or(1),
        };
        let bytes = length::bytes(length, unit, &|index| self.number_now(index));
        bytes.and_then(|bytes| usize::try_from(bytes.max(0)).ok()).unwrap_or(have).min(have)
    }

    /// A parameter's number after the call: what a pointer points to may have changed.
    fn number_now(&self, index: u32) -> Option<i128> {
        let index = usize::try_from(index).ok()?;
        let before = *self.prepared.numbers.get(index)?;
        let Some(block) = *self.prepared.blocks.get(index)? else { return before };
        let scalar: &Scalar = scalar_of(&self.function.parameters.get(index)?.ty)?;
        Bits::load(self.arena.bytes(block), scalar).integer(scalar)
    }
}

/// Appends a JSON string.
pub fn string(text: &str, json: &mut Vec<u8>) {
    // Writing text into a vector cannot fail.
    let _ = serde_json::to_writer(json, text);
}

fn undecodable(name: &str, error: &text::TextError) -> Fault {
    let detail = format!("the function ran, but its `{name}` cannot be told: {error}");
    Fault { code: FaultCode::UndecodableText, detail, pointer: None, ran: true }
}

fn endless(name: &str) -> Fault {
    let detail = format!("the function ran, but {name} has no NUL within 64 MiB; is it really a string?");
    Fault { code: FaultCode::UndecodableText, detail, pointer: None, ran: true }
}

fn unsupported_result() -> Fault {
    let detail = "the result's type cannot be returned".to_owned();
    Fault { code: FaultCode::UnsupportedDeclaration, detail, pointer: None, ran: true }
}
