//! C memory becomes JSON: values of any type, followed through their pointers.

use bridge32_protocol::interface::{Array, Encoding, Expression, Extent, Length, Pointer, StructureKind, Type, Unit};
use bridge32_protocol::wire::{Fault, FaultCode};

use super::arena::Arena;
use super::decode::is_anonymous;
use super::length::{self, Numbers};
use super::numbers::Fields;
use super::place::At;
use super::scalar::{self, Bits};
use super::structures::word;
use super::{Environment, MAX_BUFFER_BYTES, bytes, handle, is_bytes, memory, text};
use crate::handles::Origin;
use crate::layout::text_unit_bytes;

/// Pointers are followed so far; then they become handles. Lists and trees of structures may have no end.
const MAX_DEPTH: usize = 16;

/// Pointers are not followed any more when the answer has become so long: trees and rings of structures grow fast.
const MAX_ANSWER_BYTES: usize = 128 << 20;

/// What the bridge has to free after it has read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owned {
    /// By this function of the library's, or of the system's.
    By(String, usize),
    /// A `BSTR`.
    Bstr(usize),
}

/// Reads values.
///
/// Whoever makes one promises that the addresses in what it reads are what their types say: see [`Reader::new`].
#[derive(Debug)]
pub struct Reader<'a> {
    environment: Environment<'a>,
    /// The memory of the call, whose blocks have known ends; none in a callback.
    arena: Option<&'a Arena>,
    /// The caller owns what it gets, and frees it.
    owner: bool,
    owned: Vec<Owned>,
    depth: usize,
    /// Inside a union, where nobody knows which member is meant: pointers are not followed.
    overlaid: bool,
}

impl<'a> Reader<'a> {
    /// A reader of what a library gave back.
    ///
    /// # Safety
    /// The addresses in all that it will read must be null or point to what their types declare, and nobody may write
    /// there meanwhile. It is the header's promise; the process exists to bear it if it is broken.
    #[expect(unsafe_code, reason = "what a library's pointers point to can only be trusted")]
    pub const unsafe fn new(environment: Environment<'a>, arena: Option<&'a Arena>, owner: bool) -> Self {
        Self { environment, arena, owner, owned: Vec::new(), depth: 0, overlaid: false }
    }

    /// What is to be freed now that it has been read.
    pub fn into_owned(self) -> Vec<Owned> {
        self.owned
    }

    /// Appends a value. `bytes` has its type's size.
    ///
    /// # Errors
    /// Text that is not valid in its encoding, an impossible length, no memory.
    pub(super) fn value(
        &mut self,
        ty: &Type,
        bytes: &[u8],
        numbers: &dyn Numbers,
        at: &At<'_>,
        json: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match ty {
            Type::Void | Type::Unsupported { .. } => json.extend_from_slice(b"null"),
            Type::Scalar(scalar) => {
                scalar::encode(Bits::load(bytes, scalar), scalar, self.environment.context, json);
            }
            Type::Structure(name) => return self.structure(name, bytes, at, json),
            Type::Array(array) => return self.array(array, bytes, numbers, at, json),
            Type::Pointer(pointer) => return self.pointer(pointer, word(bytes), numbers, at, json),
            Type::Callback(_) => return self.handle(word(bytes), ("function", false), None, at, json),
        }
        Ok(())
    }

    /// Appends what a pointer points to.
    pub(super) fn pointer(
        &mut self,
        pointer: &Pointer,
        address: u64,
        numbers: &dyn Numbers,
        at: &At<'_>,
        json: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if address == 0 || self.overlaid {
            json.extend_from_slice(b"null");
            return Ok(());
        }
        if json.len() > MAX_ANSWER_BYTES {
            let why = format!("it is longer than {MAX_ANSWER_BYTES} bytes; declare pointers in it as handles");
            return Err(untold(at, &why));
        }
        let kind = match (&pointer.extent, &pointer.to) {
            (Extent::Handle { kind, system }, _) => Some((kind.as_str(), *system)),
            (_, Type::Structure(name)) if self.depth >= MAX_DEPTH => Some((name.as_str(), false)),
            _ if self.depth >= MAX_DEPTH => Some(("void", false)),
            _ => None,
        };
        if let Some(kind) = kind {
            return self.handle(address, kind, pointer.freed_by.as_deref(), at, json);
        }
        #[expect(clippy::cast_possible_truncation, reason = "a pointer has the width of this process")]
        let address = address as usize;
        self.depth += 1;
        let read = self.followed(pointer, address, numbers, at, json);
        self.depth -= 1;
        self.note_owned(pointer, address);
        read
    }

    fn followed(
        &mut self,
        pointer: &Pointer,
        address: usize,
        numbers: &dyn Numbers,
        at: &At<'_>,
        json: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match &pointer.extent {
            Extent::Text(encoding) => {
                let unit = text_unit_bytes(encoding, self.environment.context.target);
                let bytes = text_at(address, unit).ok_or_else(|| endless(at))?;
                self.text(&bytes, encoding, at, json)
            }
            Extent::Bstr => {
                let bytes = bytes_at(address, bstr_bytes(address));
                self.text(&bytes, &Encoding::Utf16, at, json)
            }
            Extent::One | Extent::Handle { .. } => {
                let size = self.size(&pointer.to, at)?;
                let bytes = bytes_at(address, size);
                self.value(&pointer.to, &bytes, numbers, at, json)
            }
            Extent::Elements { .. } | Extent::TextBuffer { .. } => {
                let bytes = self.counted(pointer, address, numbers, at)?;
                self.behind(pointer, &bytes, numbers, at, json)
            }
        }
    }

    /// What the caller has to free: not what it has passed itself.
    fn note_owned(&mut self, pointer: &Pointer, address: usize) {
        let own = self.arena.is_some_and(|arena| arena.find(address).is_some());
        if !self.owner || own {
            return;
        }
        match &pointer.freed_by {
            Some(function) => self.owned.push(Owned::By(function.clone(), address)),
            None if pointer.extent == Extent::Bstr => self.owned.push(Owned::Bstr(address)),
            None => {}
        }
    }

    /// The bytes of an array whose length is declared.
    fn counted(&self, pointer: &Pointer, address: usize, numbers: &dyn Numbers, at: &At<'_>) -> Result<Vec<u8>, Fault> {
        let length = match &pointer.extent {
            Extent::Elements { capacity, written } | Extent::TextBuffer { capacity, written, .. } => {
                written.as_ref().unwrap_or(capacity)
            }
            _ => return Ok(Vec::new()),
        };
        let unit = self.unit_bytes(pointer);
        let declared = length::bytes(length, unit, numbers).and_then(|bytes| usize::try_from(bytes.max(0)).ok());
        // What lies in the call's own memory has an end that the library cannot move.
        let end = self.arena.and_then(|arena| arena.find(address)).map(|(block, inside)| block.length() - inside);
        match (declared, end) {
            (Some(declared), Some(end)) => Ok(bytes_at(address, declared.min(end))),
            (None, Some(end)) => Ok(bytes_at(address, end)),
            (Some(declared), None) if declared <= MAX_BUFFER_BYTES => Ok(bytes_at(address, declared)),
            (declared, None) => {
                let length = declared.map_or_else(|| "is not known".to_owned(), |bytes| format!("is {bytes} bytes"));
                Err(untold(at, &format!("its length {length}; at most {MAX_BUFFER_BYTES} bytes are answered")))
            }
        }
    }

    fn unit_bytes(&self, pointer: &Pointer) -> usize {
        match &pointer.extent {
            Extent::TextBuffer { encoding, .. } => text_unit_bytes(encoding, self.environment.context.target),
            _ => self.environment.layouts.element_bytes(&pointer.to).unwrap_or(1),
        }
    }

    /// Appends what lies behind a pointer, whose bytes are known: a buffer's content, or one value.
    pub(super) fn behind(
        &mut self,
        pointer: &Pointer,
        bytes: &[u8],
        numbers: &dyn Numbers,
        at: &At<'_>,
        json: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match &pointer.extent {
            Extent::Text(encoding) => self.text(self.until_nul(bytes, encoding), encoding, at, json),
            Extent::TextBuffer { encoding, written, .. } => {
                let written = written.as_ref().map(|length| self.valid_bytes(length, pointer, bytes.len(), numbers));
                self.text(self.until_nul(&bytes[..written.unwrap_or(bytes.len())], encoding), encoding, at, json)
            }
            Extent::Elements { .. } => {
                self.elements(&pointer.to, self.valid(pointer, bytes, numbers), numbers, at, json)
            }
            Extent::One | Extent::Handle { .. } | Extent::Bstr => self.value(&pointer.to, bytes, numbers, at, json),
        }
    }

    /// What of an array's memory the function filled.
    pub(super) fn valid<'b>(&self, pointer: &Pointer, bytes: &'b [u8], numbers: &dyn Numbers) -> &'b [u8] {
        let Extent::Elements { capacity, written } = &pointer.extent else { return bytes };
        &bytes[..self.valid_bytes(written.as_ref().unwrap_or(capacity), pointer, bytes.len(), numbers)]
    }

    /// How much of a buffer the function filled. What it says beyond the buffer (many functions answer the size that
    /// they would need) is not there to be read.
    fn valid_bytes(&self, length: &Length, pointer: &Pointer, have: usize, numbers: &dyn Numbers) -> usize {
        let unit = match length.unit {
            Unit::Bytes => 1,
            Unit::Elements => self.unit_bytes(pointer),
        };
        let bytes = length::bytes(length, unit, numbers);
        // A function that answers -1 has written nothing.
        let bytes = bytes.map(|bytes| usize::try_from(bytes.max(0)).unwrap_or(usize::MAX));
        let unknown = if matches!(length.count, Expression::Result) { 0 } else { have };
        bytes.unwrap_or(unknown).min(have)
    }

    /// A text buffer's content: up to its first NUL, or all of it.
    fn until_nul<'b>(&self, bytes: &'b [u8], encoding: &Encoding) -> &'b [u8] {
        let unit = text_unit_bytes(encoding, self.environment.context.target);
        let end = bytes.chunks_exact(unit).position(|unit| unit.iter().all(|byte| *byte == 0));
        &bytes[..end.map_or(bytes.len() / unit * unit, |units| units * unit)]
    }

    fn text(&self, bytes: &[u8], encoding: &Encoding, at: &At<'_>, json: &mut Vec<u8>) -> Result<(), Fault> {
        let codec = text::Codec { lossy: self.environment.codec.lossy || self.overlaid, ..self.environment.codec };
        let text = text::decode(bytes, encoding, codec).map_err(|error| untold(at, &error.to_string()))?;
        string(&text, json);
        Ok(())
    }

    /// Appends an array: base64 of bytes, else a JSON array.
    fn elements(
        &mut self,
        of: &Type,
        bytes: &[u8],
        numbers: &dyn Numbers,
        at: &At<'_>,
        json: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if is_bytes(of) {
            bytes::encode(bytes, json);
            return Ok(());
        }
        let size = self.size(of, at)?;
        json.push(b'[');
        for (index, element) in bytes.chunks_exact(size).enumerate() {
            if index > 0 {
                json.push(b',');
            }
            self.value(of, element, numbers, &at.element(index), json)?;
        }
        json.push(b']');
        Ok(())
    }

    fn array(
        &mut self,
        array: &Array,
        bytes: &[u8],
        numbers: &dyn Numbers,
        at: &At<'_>,
        json: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match &array.text {
            Some(encoding) => self.text(self.until_nul(bytes, encoding), encoding, at, json),
            None => self.elements(&array.of, bytes, numbers, at, json),
        }
    }

    fn structure(&mut self, name: &str, bytes: &[u8], at: &At<'_>, json: &mut Vec<u8>) -> Result<(), Fault> {
        json.push(b'{');
        let mut first = true;
        self.fields(name, bytes, at, json, &mut first)?;
        json.push(b'}');
        Ok(())
    }

    /// Appends the members of a structure; those of anonymous ones stand among them.
    fn fields(
        &mut self,
        name: &str,
        bytes: &[u8],
        at: &At<'_>,
        json: &mut Vec<u8>,
        first: &mut bool,
    ) -> Result<(), Fault> {
        let interface = self.environment.context.interface;
        let layouts = self.environment.layouts;
        let unknown = || untold(at, &format!("the members of `{name}` are not known"));
        let structure = interface.structures.get(name).ok_or_else(unknown)?;
        let places = &layouts.structure(name).map_err(|why| untold(at, &why))?.places;
        let numbers = Fields { structure, places, bytes, context: self.environment.context };
        let around = self.overlaid;
        self.overlaid |= structure.kind == StructureKind::Union;
        for (field, place) in structure.fields.iter().zip(places) {
            if let Type::Structure(inner) = &field.ty
                && is_anonymous(field)
            {
                let size = self.size(&field.ty, at)?;
                self.fields(inner, &bytes[place.offset..place.offset + size], at, json, first)?;
                continue;
            }
            if field.name.is_empty() {
                continue;
            }
            if !std::mem::take(first) {
                json.push(b',');
            }
            string(&field.name, json);
            json.push(b':');
            let at = at.member(&field.name);
            if let (Type::Scalar(scalar), Some(bits)) = (&field.ty, &place.bits) {
                let context = self.environment.context;
                let field = bits.load(&bytes[place.offset..place.offset + bits.unit]);
                scalar::encode(Bits::of_bit_field(field, bits.width, scalar, context), scalar, context, json);
                continue;
            }
            let size = self.size(&field.ty, &at)?;
            let value = &bytes[place.offset..place.offset + size];
            self.value(&field.ty, value, &numbers, &at, json)?;
        }
        self.overlaid = around;
        Ok(())
    }

    fn size(&self, ty: &Type, at: &At<'_>) -> Result<usize, Fault> {
        self.environment.layouts.of(ty).map(|layout| layout.size).map_err(|why| untold(at, &why))
    }

    /// Appends the token for an address.
    fn handle(
        &self,
        address: u64,
        (kind, system): (&str, bool),
        freed_by: Option<&str>,
        at: &At<'_>,
        json: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if address == 0 || self.overlaid {
            json.extend_from_slice(b"null");
            return Ok(());
        }
        if let Some(number) = handle::as_number(address, system, self.environment.context.target) {
            json.extend_from_slice(number.to_string().as_bytes());
            return Ok(());
        }
        #[expect(clippy::cast_possible_truncation, reason = "a pointer has the width of this process")]
        let address = address as usize;
        let Environment { function, session, .. } = self.environment;
        let origin = Origin { kind, function, freed_by, session };
        let token = self.environment.handles.issue(address, origin);
        let token = token.map_err(|_| untold(at, "there are too many live handles; release some"))?;
        string(&token, json);
        Ok(())
    }
}

#[expect(unsafe_code, reason = "the string is where the library says")]
fn text_at(address: usize, unit: usize) -> Option<Vec<u8>> {
    // SAFETY: whoever made the reader has promised that its addresses are what their types say: here, a string's.
    unsafe { memory::text(address, unit) }
}

#[expect(unsafe_code, reason = "the length of a BSTR lies before it")]
fn bstr_bytes(address: usize) -> usize {
    // SAFETY: whoever made the reader has promised that its addresses are what their types say: here, a BSTR's.
    let length = unsafe { crate::platform::bstr::byte_length(address) };
    usize::try_from(length).unwrap_or(0)
}

#[expect(unsafe_code, reason = "the data is where the library says")]
pub(super) fn bytes_at(address: usize, length: usize) -> Vec<u8> {
    // SAFETY: whoever made the reader has promised that its addresses are what their types say.
    unsafe { memory::bytes(address, length) }
}

/// Appends a JSON string.
pub fn string(text: &str, json: &mut Vec<u8>) {
    // Writing text into a vector cannot fail.
    let _ = serde_json::to_writer(json, text);
}

/// The function ran, but its answer cannot be told.
pub(super) fn untold(at: &At<'_>, why: &str) -> Fault {
    let detail = format!("the function ran, but its `{at}` cannot be told: {why}");
    Fault { code: FaultCode::UndecodableText, detail, pointer: None, ran: true }
}

fn endless(at: &At<'_>) -> Fault {
    untold(at, "it has no NUL within 64 MiB; is it really a string?")
}
