//! Where the members of one structure or union lie.
//!
//! Two families of rules, which differ in bit-fields only:
//!
//! - GCC's, of ELF targets (System V ABI x86-64 §3.1.2, and `place_field` of GCC's stor-layout.cc for packed ones): a
//!   bit-field goes to the next free bit, unless it would then cross more boundaries of its type's alignment than a
//!   variable of its type. `#pragma pack` and `packed` let it cross them.
//! - Microsoft's, of Windows (`TARGET_MS_BITFIELD_LAYOUT_P` in GCC's manual; clang's RecordLayoutBuilder.cpp): the first
//!   bit-field of a run takes a whole variable of its type; those after it share that as long as they fit and their types
//!   have the same size.
//!
//! Where MinGW and Visual C++ differ among themselves, the [`Dialect`] decides.

use bridge32_protocol::interface::{Field, Scalar, Structure, StructureKind, Type};
use bridge32_protocol::wire::Dialect;

use super::{
    BitPlace, Layout, Layouts, Leaf, LeafKind, MAX_REGISTER_BYTES, MAX_TYPE_BYTES, Mode, Place, StructureLayout,
};

/// The largest alignment that can be asked for: what PE files allow a section.
const MAX_ALIGN: u32 = 8192;

/// Computes a structure whose inner ones are in `layouts` already.
pub(super) fn lay_out(structure: &Structure, layouts: &Layouts) -> Result<StructureLayout, String> {
    if structure.fields.is_empty() {
        return Err("it has no members".into());
    }
    let mut builder = Builder {
        layouts,
        union: structure.kind == StructureKind::Union,
        pack: alignment(structure.pack)?,
        packed: structure.packed,
        end: 0,
        largest: 0,
        align: alignment(structure.align)?.unwrap_or(1),
        required: alignment(structure.align)?.unwrap_or(1),
        run: None,
        leaves: Vec::new(),
        block: false,
        biggest: None,
    };
    let mut places = Vec::with_capacity(structure.fields.len());
    for (index, field) in structure.fields.iter().enumerate() {
        let place = builder.member(field).map_err(|error| match field.name.as_str() {
            "" => format!("member {index}: {error}"),
            name => format!("`{name}`: {error}"),
        })?;
        places.push(place);
    }
    builder.finish(places)
}

/// An alignment that is asked for, checked.
fn alignment(asked: Option<u32>) -> Result<Option<usize>, String> {
    match asked {
        None => Ok(None),
        Some(bytes) if bytes.is_power_of_two() && bytes <= MAX_ALIGN => Ok(Some(bytes as usize)),
        Some(bytes) => Err(format!("{bytes} is no alignment: it must be a power of two up to {MAX_ALIGN}")),
    }
}

/// What lies before the next member.
struct Builder<'a> {
    layouts: &'a Layouts,
    union: bool,
    pack: Option<usize>,
    packed: bool,
    /// Bits in use. 64 MiB are 2²⁹ bits, which a 32-bit `usize` holds.
    end: usize,
    /// Of a union: the bytes of its largest member.
    largest: usize,
    align: usize,
    required: usize,
    /// Microsoft's rules: the variable that the bit-field just before has its place in.
    run: Option<Run>,
    leaves: Vec<Leaf>,
    /// A member has the mode [`Mode::Block`].
    block: bool,
    /// Size and mode of the largest member.
    biggest: Option<(usize, Mode)>,
}

/// A variable that bit-fields share.
#[derive(Clone, Copy)]
struct Run {
    bytes: usize,
    free_bits: usize,
}

impl Builder<'_> {
    fn member(&mut self, field: &Field) -> Result<Place, String> {
        let layout = self.layouts.of(&field.ty)?;
        let asked = alignment(field.align)?;
        if self.union {
            self.end = 0;
        }
        let place = match field.bits {
            None => self.whole(field, layout, asked),
            Some(width) => self.bit_field(field, layout, asked, width)?,
        };
        self.largest = self.largest.max(self.end.div_ceil(8));
        if self.largest > MAX_TYPE_BYTES {
            return Err(format!("with it, the structure is larger than {} MiB", MAX_TYPE_BYTES >> 20));
        }
        Ok(place)
    }

    /// A member that is no bit-field.
    fn whole(&mut self, field: &Field, layout: Layout, asked: Option<usize>) -> Place {
        self.run = None;
        let align = self.member_align(layout.align, asked, self.layouts.required(&field.ty));
        self.align = self.align.max(align);
        let offset = self.end.div_ceil(8).next_multiple_of(align);
        // `member` refuses what is too large before anything is added to it.
        self.end = (offset + layout.size) * 8;
        self.note_mode(&field.ty, layout.size);
        if offset + layout.size <= MAX_REGISTER_BYTES {
            self.layouts.add_leaves(&field.ty, offset, &mut self.leaves);
        }
        Place { offset, bits: None }
    }

    fn note_mode(&mut self, ty: &Type, size: usize) {
        let mode = self.layouts.mode(ty);
        self.block |= mode == Mode::Block && size > 0;
        if self.biggest.is_none_or(|(largest, _)| largest <= size) {
            self.biggest = Some((size, mode));
        }
    }

    /// GCC's mode of the whole: that of a member that is all of it, else that of an integer of its size.
    fn mode(&self, size: usize) -> Mode {
        match self.biggest {
            _ if self.block => Mode::Block,
            Some((bytes, mode)) if bytes == size && !self.union => mode,
            _ => Mode::by_size(size),
        }
    }

    /// The alignment of a member, given its type's, what is asked for at the member, and inside its type.
    fn member_align(&mut self, natural: usize, asked: Option<usize>, inner: usize) -> usize {
        if self.microsoft() {
            let required = asked.unwrap_or(1).max(inner);
            self.required = self.required.max(required);
            let natural = if self.packed { 1 } else { natural.min(self.pack.unwrap_or(usize::MAX)) };
            return natural.max(required);
        }
        let natural = if self.packed { 1 } else { natural };
        natural.max(asked.unwrap_or(1)).min(self.pack.unwrap_or(usize::MAX))
    }

    fn microsoft(&self) -> bool {
        self.layouts.target.is_windows() && self.layouts.dialect == Dialect::Microsoft
    }

    fn bit_field(&mut self, field: &Field, layout: Layout, asked: Option<usize>, width: u32) -> Result<Place, String> {
        let integer =
            matches!(field.ty, Type::Scalar(Scalar::Integer(_) | Scalar::Boolean(_) | Scalar::Enumeration(_)));
        let bits = width as usize;
        if !integer {
            return Err("only an integer can be a bit-field".into());
        }
        if bits > layout.size * 8 {
            return Err(format!("a bit-field of {width} bits is wider than its type, which has {}", layout.size * 8));
        }
        if width == 0 && !field.name.is_empty() {
            return Err("a bit-field of 0 bits has no name".into());
        }
        let named = !field.name.is_empty();
        let first = if self.layouts.target.is_windows() {
            self.windows_bits(layout, asked, bits)
        } else {
            self.elf_bits(layout, asked, bits, named)
        };
        self.bit_place(first, width)
    }

    /// GCC's rules: the first bit of a bit-field.
    fn elf_bits(&mut self, layout: Layout, asked: Option<usize>, bits: usize, named: bool) -> usize {
        if bits == 0 {
            // Not even packing keeps it from ending the unit.
            self.end = self.end.next_multiple_of(layout.align * 8);
            return self.end;
        }
        let cap = self.pack.unwrap_or(usize::MAX);
        if let Some(asked) = asked {
            self.end = self.end.next_multiple_of(asked.min(cap) * 8);
        }
        let align = layout.align * 8;
        let crosses = (self.end % align + bits).div_ceil(align) > layout.size * 8 / align;
        if crosses && !self.packed && self.pack.is_none() {
            self.end = self.end.next_multiple_of(align);
        }
        if named {
            let natural = if self.packed && self.pack.is_none() { 1 } else { layout.align.min(cap) };
            self.align = self.align.max(natural).max(asked.unwrap_or(1).min(cap));
        }
        let first = self.end;
        self.end += bits;
        first
    }

    /// Microsoft's rules: the first bit of a bit-field.
    fn windows_bits(&mut self, layout: Layout, asked: Option<usize>, bits: usize) -> usize {
        let align = self.member_align(layout.align, asked, 1);
        let shared = self.run.filter(|run| bits > 0 && run.bytes == layout.size && bits <= run.free_bits);
        if bits == 0 && (self.union || self.run.is_none()) {
            return self.end;
        }
        if !self.microsoft() {
            // In a packed structure MinGW aligns the bit-field as asked, but not the structure; the end of a run does.
            let natural = if self.packed && bits > 0 { 1 } else { layout.align.max(asked.unwrap_or(1)) };
            self.align = self.align.max(natural.min(self.pack.unwrap_or(usize::MAX)));
        }
        if let Some(run) = shared.filter(|_| !self.union) {
            let first = self.end - run.free_bits;
            self.run = Some(Run { bytes: run.bytes, free_bits: run.free_bits - bits });
            return first;
        }
        if self.microsoft() && !self.union {
            self.align = self.align.max(align);
        }
        self.end = self.end.next_multiple_of(align * 8);
        let first = self.end;
        self.run = (bits > 0).then(|| Run { bytes: layout.size, free_bits: layout.size * 8 - bits });
        // In a union, MinGW takes the bits alone.
        self.end += match bits {
            0 => 0,
            _ if self.union && !self.microsoft() => bits,
            _ => layout.size * 8,
        };
        first
    }

    /// The bytes that hold the bits from `first` on.
    fn bit_place(&mut self, first: usize, width: u32) -> Result<Place, String> {
        let offset = first / 8;
        if width == 0 {
            return Ok(Place { offset, bits: None });
        }
        let past = first + width as usize;
        let unit = past.div_ceil(8) - offset;
        if unit > 8 {
            return Err(format!("packing spreads its {width} bits over {unit} bytes; at most 8 can be read at once"));
        }
        // Unnamed ones too: GCC takes them for integers, clang does not.
        if offset + unit <= MAX_REGISTER_BYTES {
            let leaf = Leaf { offset, size: unit, kind: LeafKind::Bits };
            if !self.leaves.contains(&leaf) {
                self.leaves.push(leaf);
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "less than 8")]
        let shift = (first % 8) as u32;
        Ok(Place { offset, bits: Some(BitPlace { shift, width, unit }) })
    }

    fn finish(mut self, places: Vec<Place>) -> Result<StructureLayout, String> {
        let align = self.align.max(self.required);
        let size = self.largest.next_multiple_of(align);
        if size == 0 {
            return Err("it has no members that take room".into());
        }
        if size > MAX_TYPE_BYTES {
            return Err(format!("it is larger than {} MiB", MAX_TYPE_BYTES >> 20));
        }
        let mode = self.mode(size);
        if size > MAX_REGISTER_BYTES {
            self.leaves.clear();
        }
        Ok(StructureLayout { size, align, places, required: self.required, leaves: self.leaves, mode })
    }
}
