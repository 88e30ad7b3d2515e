//! What a call left behind becomes JSON: the result, and the output parameters by name.

use bridge32_protocol::interface::{Direction, Extent, Function, Parameter, Pointer, Scalar, Type};
use bridge32_protocol::wire::{Fault, FaultCode};

use super::arena::{Arena, OutOfMemory};
use super::decode::{Pointee, Prepared};
use super::length::Numbers;
use super::place::At;
use super::pointers::pointed_scalar;
use super::read::{Owned, Reader, string};
use super::scalar::Bits;
use super::{Environment, is_bytes, out_of_memory, shared, variadic};

/// Makes room for the outputs before the call: a process that has no memory left must say so while nothing has happened,
/// not end when the answer is written.
///
/// # Errors
/// [`FaultCode::OutOfMemory`], for the parameter with which it became too much.
pub fn reserve(
    prepared: &Prepared<'_>,
    environment: Environment<'_>,
    arena: &Arena,
    json: &mut Vec<u8>,
) -> Result<(), Fault> {
    let mut total: usize = 0;
    for (parameter, pointee) in prepared.parameters.iter().zip(&prepared.pointees) {
        let (Type::Pointer(pointer), Pointee::Block(block)) = (&parameter.ty, pointee) else { continue };
        if parameter.direction == Direction::In || prepared.answered.contains(block) {
            continue;
        }
        let bytes = arena.bytes(*block).len();
        total += parameter.name.len() + 16 + json_bytes(pointer, bytes, environment);
        json.try_reserve(total)
            .map_err(|_| out_of_memory(&At::ROOT.member(&parameter.name), OutOfMemory { bytes: total }))?;
    }
    Ok(())
}

/// About how long `bytes` of C memory become as JSON.
fn json_bytes(pointer: &Pointer, bytes: usize, environment: Environment<'_>) -> usize {
    /// The longest number that JSON gets, with its comma.
    const NUMBER: usize = 26;
    match (&pointer.extent, environment.layouts.element_bytes(&pointer.to)) {
        (Extent::Elements { .. }, Some(size)) if !is_bytes(&pointer.to) => bytes / size.max(1) * NUMBER,
        // Base64 takes a third more; text is seldom more than that, and then grows.
        _ => bytes / 3 * 4 + NUMBER,
    }
}

/// Appends `"result":…,"outputs":{…}`. Gives what has to be freed now, and whether all could be told: if not, the function
/// ran, but its answer would not be the truth.
///
/// # Safety
/// `result` is what the function returned, and the memory of its output parameters is what it left there: their addresses
/// must be null or point to what the declaration says.
#[expect(unsafe_code, reason = "what a function returned is where the library says")]
pub unsafe fn outcome(
    result: &[u8],
    function: &Function,
    prepared: &Prepared<'_>,
    environment: Environment<'_>,
    arena: &Arena,
    json: &mut Vec<u8>,
) -> (Vec<Owned>, Result<(), Fault>) {
    // SAFETY: the caller's promise is this function's.
    let mut reader = unsafe { Reader::new(environment, Some(arena), true) };
    let told = tell(result, function, prepared, arena, &mut reader, json);
    (reader.into_owned(), told)
}

fn tell(
    result: &[u8],
    function: &Function,
    prepared: &Prepared<'_>,
    arena: &Arena,
    reader: &mut Reader<'_>,
    json: &mut Vec<u8>,
) -> Result<(), Fault> {
    let numbers = After { prepared, arena, result: result_number(result, &function.result) };
    json.extend_from_slice(b"\"result\":");
    reader.value(&function.result, result, &numbers, &At::ROOT.member("result"), json)?;
    json.extend_from_slice(b",\"outputs\":{");
    let mut outputs = Outputs { prepared, arena, numbers, first: true };
    let (declared, extra) = prepared.parameters.split_at(prepared.fixed);
    for (index, parameter) in declared.iter().enumerate() {
        if is_output(parameter) {
            outputs.name(&parameter.name, json);
            outputs.write(index, &At::ROOT.member(&parameter.name), reader, json)?;
        }
    }
    if extra.iter().any(is_output) {
        outputs.name(variadic::NAME, json);
        let root = At::ROOT;
        let list = root.member(variadic::NAME);
        for (extra_index, parameter) in extra.iter().enumerate() {
            json.push(if extra_index == 0 { b'[' } else { b',' });
            if is_output(parameter) {
                outputs.write(prepared.fixed + extra_index, &list.element(extra_index), reader, json)?;
            } else {
                json.extend_from_slice(b"null");
            }
        }
        json.push(b']');
    }
    json.push(b'}');
    Ok(())
}

/// An integer result, for lengths and for what it releases.
pub fn result_number(result: &[u8], ty: &Type) -> Option<i128> {
    let Type::Scalar(scalar) = ty else { return None };
    Bits::load(result, scalar).integer(scalar)
}

struct Outputs<'a> {
    prepared: &'a Prepared<'a>,
    arena: &'a Arena,
    numbers: After<'a>,
    first: bool,
}

impl Outputs<'_> {
    fn name(&mut self, name: &str, json: &mut Vec<u8>) {
        if !std::mem::take(&mut self.first) {
            json.push(b',');
        }
        string(name, json);
        json.push(b':');
    }

    fn write(&self, index: usize, at: &At<'_>, reader: &mut Reader<'_>, json: &mut Vec<u8>) -> Result<(), Fault> {
        match (&self.prepared.parameters[index].ty, &self.prepared.pointees[index]) {
            (Type::Callback(_), _) => match self.prepared.callbacks.iter().find(|(parameter, _)| *parameter == index) {
                Some((_, callback)) => callback.report(json),
                None => json.extend_from_slice(b"null"),
            },
            (Type::Pointer(pointer), Pointee::Block(block)) => {
                let bytes = self.arena.bytes(*block);
                if self.prepared.answered.contains(block) {
                    shared::describe(reader.valid(pointer, bytes, &self.numbers), json);
                } else {
                    reader.behind(pointer, bytes, &self.numbers, at, json)?;
                }
            }
            (_, Pointee::Handle(token)) => json.extend_from_slice(token.as_bytes()),
            _ => json.extend_from_slice(b"null"),
        }
        Ok(())
    }
}

/// Whether a parameter has something to tell after the call.
const fn is_output(parameter: &Parameter) -> bool {
    match &parameter.ty {
        Type::Pointer(_) => !matches!(parameter.direction, Direction::In),
        Type::Callback(_) => true,
        _ => false,
    }
}

/// The numbers after the call: what a pointer points to may have changed.
struct After<'a> {
    prepared: &'a Prepared<'a>,
    arena: &'a Arena,
    result: Option<i128>,
}

impl Numbers for After<'_> {
    fn number(&self, index: u32) -> Option<i128> {
        let index = usize::try_from(index).ok()?;
        let parameter = self.prepared.parameters.get(index)?;
        match (&parameter.ty, &self.prepared.pointees[index]) {
            (Type::Pointer(pointer), Pointee::Block(block)) => {
                let scalar: &Scalar = pointed_scalar(pointer)?;
                Bits::load(self.arena.bytes(*block), scalar).integer(scalar)
            }
            (Type::Scalar(scalar), _) => {
                let slot = self.prepared.slots.get(index)?.clone();
                Bits::load(&self.arena.bytes(self.prepared.arguments)[slot], scalar).integer(scalar)
            }
            _ => None,
        }
    }

    fn result(&self) -> Option<i128> {
        self.result
    }
}

/// The library wrote past the end of a block of the arena: the fault names the parameter whose it is.
pub fn overrun(prepared: &Prepared<'_>, block: usize) -> Fault {
    let after = prepared.first_blocks.partition_point(|first| *first <= block);
    match after.checked_sub(1).filter(|_| block > 0) {
        // The last blocks of all are the result's.
        Some(parameter) if block < prepared.blocks => overrun_of(prepared, parameter),
        _ => past_the_end("result", None),
    }
}

/// The same, of what a handle stands for.
pub fn overrun_of(prepared: &Prepared<'_>, parameter: usize) -> Fault {
    let name = &prepared.parameters[parameter].name;
    let pointer = match parameter.checked_sub(prepared.fixed) {
        None => At::ROOT.member(name).pointer(),
        Some(extra) => format!("/{}/{extra}", variadic::NAME),
    };
    past_the_end(name, Some(pointer))
}

fn past_the_end(name: &str, pointer: Option<String>) -> Fault {
    let detail = format!(
        "the function wrote past the end of the memory of `{name}`. Its answer is not told, because it may be wrong. The \
         declared size of `{name}` is too small: correct it in the header, or pass a larger buffer"
    );
    Fault { code: FaultCode::BufferOverrun, detail, pointer, ran: true }
}
