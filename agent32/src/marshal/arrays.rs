//! Arrays and buffers: how long they are, and what is in them before the call.

use bridge32_protocol::interface::{Array, Direction, Encoding, Expression, Extent, Pointer, Scalar, Unit};
use bridge32_protocol::wire::Fault;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::arena::Block;
use super::decode::{Spot, Writer};
use super::place::At;
use super::scope::{Scope, capacity, needs_result};
use super::{MAX_BUFFER_BYTES, bytes, is_bytes, length, mismatch, out_of_memory, scalar, shared, unsupported};
use crate::layout::text_unit_bytes;

impl Writer<'_, '_> {
    /// A member that only gives the length of arrays in the request may be left out.
    pub(super) fn infer_lengths(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Result<(), Fault> {
        if !scope.members.have_lengths() {
            return Ok(());
        }
        for own in 0..scope.members.len() {
            let Some(Scalar::Integer(integer)) = scope.members.integer(own) else { continue };
            if scope.given[own].is_some() {
                continue;
            }
            let mut inferred: Option<(i128, usize)> = None;
            for (index, pointer, unit, direction) in scope.members.measured_by(own) {
                let in_file = scope.buffer(index).and_then(|buffer| buffer.given).map(i128::from);
                let count = in_file.or_else(|| self.count(pointer, unit, direction, scope.given[index]));
                let Some(count) = count else { continue };
                match inferred {
                    Some((earlier, first)) if earlier != count => {
                        let (name, first, own) =
                            (scope.members.name(index), scope.members.name(first), scope.members.name(own));
                        let detail = format!(
                            "`{name}` has length {count}, but `{first}` has {earlier}, and `{own}` is the length of both"
                        );
                        return Err(mismatch(&at.member(name), detail));
                    }
                    _ => inferred = Some((count, index)),
                }
            }
            let Some((count, array)) = inferred else { continue };
            let (_, most) = integer.range(self.environment.context.target);
            if count > most {
                let own = scope.members.name(own);
                let detail = format!("its length {count} does not fit into `{own}` (at most {most})");
                return Err(mismatch(&at.member(scope.members.name(array)), detail));
            }
            scope.infer(own, count);
        }
        Ok(())
    }

    /// How many units a given value has; `None` if it tells nothing.
    fn count(&self, pointer: &Pointer, unit: Unit, direction: Direction, raw: Option<&RawValue>) -> Option<i128> {
        let json = raw?.get();
        let unit_bytes = self.unit_bytes(pointer)?;
        let have = match &pointer.extent {
            _ if json == "null" => Some(0),
            Extent::TextBuffer { encoding, .. } => {
                let text = self.text(raw?, encoding, &At::ROOT).ok()?;
                // In-out text needs room for its NUL.
                Some(text.len() + if direction == Direction::InOut { unit_bytes } else { 0 })
            }
            _ if is_bytes(&pointer.to) => {
                scalar::string(json).filter(|text| !text.contains('.')).map(|text| bytes::decoded_length(&text))
            }
            _ => serde_json::from_str::<Vec<&RawValue>>(json).ok().and_then(|all| all.len().checked_mul(unit_bytes)),
        };
        let divisor = match unit {
            Unit::Elements => unit_bytes,
            Unit::Bytes => 1,
        };
        i128::try_from(have? / divisor.max(1)).ok()
    }

    /// Bytes from a base64 string, in a buffer of the declared length.
    pub(super) fn byte_buffer(
        &mut self,
        pointer: &Pointer,
        raw: &RawValue,
        at: &At<'_>,
        scope: &Scope<'_>,
    ) -> Result<Block, Fault> {
        let text = base64(raw, at)?;
        let count = bytes::decoded_length(&text);
        let block = self.buffer(pointer, count, 0, at, scope)?;
        let place = &mut self.arena.bytes_mut(block)[..count];
        bytes::decode(&text, place, at)?;
        Ok(block)
    }

    /// So many bytes that are in the parameter's file, in a buffer of the declared length.
    pub(super) fn bytes_of_file(
        &mut self,
        pointer: &Pointer,
        bytes: u64,
        at: &At<'_>,
        scope: &Scope<'_>,
    ) -> Result<Block, Fault> {
        let have = shared::given(bytes, self.most(), at)?;
        self.buffer(pointer, have, 0, at, scope)
    }

    /// Text in a buffer of the declared length.
    pub(super) fn text_buffer(
        &mut self,
        pointer: &Pointer,
        text: &[u8],
        encoding: &Encoding,
        at: &At<'_>,
        scope: &Scope<'_>,
    ) -> Result<Block, Fault> {
        if self.direction == Direction::In && is_fixed(pointer) {
            return self.fixed_text(pointer, text, encoding, at, scope);
        }
        // Without its NUL the function would read on.
        let terminator = match self.direction {
            Direction::InOut => text_unit_bytes(encoding, self.environment.context.target),
            Direction::In | Direction::Out => 0,
        };
        let block = self.buffer(pointer, text.len(), terminator, at, scope)?;
        self.arena.bytes_mut(block)[..text.len()].copy_from_slice(text);
        Ok(block)
    }

    /// Text for `const char code[4]`: whoever reads all of it finds zeros behind it, and whoever looks for its end, a NUL.
    fn fixed_text(
        &mut self,
        pointer: &Pointer,
        text: &[u8],
        encoding: &Encoding,
        at: &At<'_>,
        scope: &Scope<'_>,
    ) -> Result<Block, Fault> {
        let capacity = self.capacity_bytes(pointer, at, scope)?;
        if text.len() > capacity {
            return Err(too_long(pointer, text.len(), at, scope));
        }
        let terminator = text_unit_bytes(encoding, self.environment.context.target);
        let block = self.arena.allocate(capacity + terminator).map_err(|error| out_of_memory(at, error))?;
        self.arena.bytes_mut(block)[..text.len()].copy_from_slice(text);
        Ok(block)
    }

    /// An array's elements, in a buffer of the declared length.
    pub(super) fn elements(
        &mut self,
        pointer: &Pointer,
        raw: &RawValue,
        at: &At<'_>,
        scope: &Scope<'_>,
    ) -> Result<Block, Fault> {
        let elements = list(raw, at)?;
        let size = self.unit_bytes(pointer).ok_or_else(|| unsupported(at, "its elements have no size"))?;
        let have = elements.len().checked_mul(size).filter(|bytes| *bytes <= MAX_BUFFER_BYTES);
        let have = have.ok_or_else(|| {
            mismatch(at, format!("`{at}` has {} elements, more than {MAX_BUFFER_BYTES} bytes", elements.len()))
        })?;
        let block = self.buffer(pointer, have, 0, at, scope)?;
        for (index, element) in elements.into_iter().enumerate() {
            let spot = Spot { block, offset: index * size };
            self.value(&pointer.to, element, &at.element(index), scope, spot)?;
        }
        Ok(block)
    }

    /// An array of a fixed size, as a member of a structure or as an element.
    pub(super) fn fixed_array(
        &mut self,
        array: &Array,
        raw: &RawValue,
        at: &At<'_>,
        scope: &Scope<'_>,
        spot: Spot,
    ) -> Result<(), Fault> {
        let size = self.environment.layouts.of(&array.of).map_err(|why| unsupported(at, &why))?.size;
        let count = usize::try_from(array.count).unwrap_or(usize::MAX);
        if let Some(encoding) = &array.text {
            let text = self.text(raw, encoding, at)?;
            if text.len() > count * size {
                let room = format!("`{at}` has room for {} bytes of text, and this has {}", count * size, text.len());
                return Err(mismatch(at, room));
            }
            self.arena.bytes_mut(spot.block)[spot.offset..spot.offset + text.len()].copy_from_slice(&text);
            return Ok(());
        }
        if is_bytes(&array.of) {
            let text = base64(raw, at)?;
            let given = bytes::decoded_length(&text);
            self.check_count(given, count, "bytes", at)?;
            let place = &mut self.arena.bytes_mut(spot.block)[spot.offset..spot.offset + given];
            return bytes::decode(&text, place, at);
        }
        let elements = list(raw, at)?;
        self.check_count(elements.len(), count, "elements", at)?;
        for (index, element) in elements.into_iter().enumerate() {
            self.value(&array.of, element, &at.element(index), scope, spot.plus(index * size))?;
        }
        Ok(())
    }

    /// An array that is only read has to be given whole; one that the function fills in may be given in part.
    fn check_count(&self, given: usize, count: usize, what: &str, at: &At<'_>) -> Result<(), Fault> {
        if given == count || (given < count && self.direction != Direction::In) {
            return Ok(());
        }
        Err(mismatch(at, format!("`{at}` has {count} {what}, and {given} are given")))
    }

    /// A buffer that holds `have` bytes of input, and `terminator` bytes beyond them.
    fn buffer(
        &mut self,
        pointer: &Pointer,
        have: usize,
        terminator: usize,
        at: &At<'_>,
        scope: &Scope<'_>,
    ) -> Result<Block, Fault> {
        let capacity = self.capacity_bytes(pointer, at, scope)?;
        match self.direction {
            Direction::In if have < capacity => return Err(too_short(pointer, have, at, scope)),
            Direction::InOut if have + terminator > capacity => return Err(too_long(pointer, have, at, scope)),
            _ => {}
        }
        self.room(have.max(capacity), at)
    }

    /// Bytes of one element, or of one unit of text.
    fn unit_bytes(&self, pointer: &Pointer) -> Option<usize> {
        match &pointer.extent {
            Extent::TextBuffer { encoding, .. } => Some(text_unit_bytes(encoding, self.environment.context.target)),
            _ => self.environment.layouts.element_bytes(&pointer.to),
        }
    }

    /// The bytes that the function may use, as far as the arguments tell.
    pub(super) fn known_capacity_bytes(
        &self,
        pointer: &Pointer,
        at: &At<'_>,
        scope: &Scope<'_>,
    ) -> Result<Option<usize>, Fault> {
        let (Some(capacity), Some(unit_bytes)) = (capacity(pointer), self.unit_bytes(pointer)) else { return Ok(None) };
        let Some(bytes) = length::bytes(capacity, unit_bytes, scope) else { return Ok(None) };
        let (most, why) = self.most();
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= most => Ok(Some(bytes)),
            _ => {
                let length = scope.describe(capacity);
                let secret = length::dependencies(capacity).iter().any(|index| scope.members.is_sensitive(*index));
                let bytes =
                    if secret || at.is_sensitive() { String::new() } else { format!(", which is {bytes} bytes") };
                let detail = format!("the length of `{at}` is {length}{bytes}; it must be from 0 to {most} bytes{why}");
                let culprit = length::dependencies(capacity).first().map(|index| scope.members.name(*index));
                Err(culprit
                    .map_or_else(|| mismatch(at, detail.as_str()), |name| mismatch(&at.sibling(name), detail.as_str())))
            }
        }
    }

    /// The same, where it must be known.
    pub(super) fn capacity_bytes(&self, pointer: &Pointer, at: &At<'_>, scope: &Scope<'_>) -> Result<usize, Fault> {
        if let Some(bytes) = self.known_capacity_bytes(pointer, at, scope)? {
            return Ok(bytes);
        }
        let Some(capacity) = capacity(pointer) else { return Err(unsupported(at, "its length is not declared")) };
        if needs_result(capacity) {
            return Err(unsupported(at, "its length is only known after the call"));
        }
        let length = scope.describe(capacity);
        Err(match scope.unknown_in(capacity) {
            Some(index) => {
                let name = scope.members.name(index);
                mismatch(&at.sibling(name), format!("`{name}` is missing: {length} is the length of `{at}`"))
            }
            None => mismatch(
                at,
                format!(
                    "the length of `{at}` is {length}, which cannot be computed: it divides by zero or is out of range"
                ),
            ),
        })
    }
}

/// Whether its length is a number of the declaration, and none that comes with the arguments.
pub(super) fn is_fixed(pointer: &Pointer) -> bool {
    capacity(pointer).is_some_and(|length| matches!(length.count, Expression::Constant(_)))
}

pub(super) fn too_short(pointer: &Pointer, have: usize, at: &At<'_>, scope: &Scope<'_>) -> Fault {
    let remedy = "says that the function reads more; correct the length or leave it out";
    wrong_length(pointer, have, remedy, at, scope)
}

fn too_long(pointer: &Pointer, have: usize, at: &At<'_>, scope: &Scope<'_>) -> Fault {
    wrong_length(pointer, have, "allows less; correct the length or leave it out", at, scope)
}

fn wrong_length(pointer: &Pointer, have: usize, says: &str, at: &At<'_>, scope: &Scope<'_>) -> Fault {
    let length = capacity(pointer).map_or_else(String::new, |length| scope.describe(length));
    mismatch(at, format!("`{at}` holds {have} bytes, but its length {length} {says}"))
}

fn base64<'a>(raw: &'a RawValue, at: &At<'_>) -> Result<Cow<'a, str>, Fault> {
    scalar::string(raw.get())
        .ok_or_else(|| mismatch(at, format!("{} is not a base64 string of bytes", at.shown(raw.get()))))
}

fn list<'a>(raw: &'a RawValue, at: &At<'_>) -> Result<Vec<&'a RawValue>, Fault> {
    serde_json::from_str(raw.get())
        .map_err(|_| mismatch(at, format!("`{at}` is declared as an array, and {} is not one", at.shown(raw.get()))))
}
