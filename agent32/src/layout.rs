//! Sizes and places of C types under the target's ABI. Pure: never the host's `size_of`, so that the 64-bit tests check
//! the layouts of 32-bit targets too.
//!
//! [`Layouts`] is computed once for an interface. How members of one structure are placed is in `members`.
//!
//! | | linux32 | win32 | linux64 | win64 | |
//! | --- | --- | --- | --- | --- | --- |
//! | `long`, pointers | 4, 4 | 4, 4 | 8, 8 | 4, 8 | [`Target`] |
//! | an 8-byte scalar is aligned, as a member, to | 4 | 8 | 8 | 8 | System V ABI i386 supplement 4, §2.1.1; GCC's `-malign-double` is Windows' default |
//! | bit-fields | GCC's | Microsoft's | GCC's | Microsoft's | MinGW has `-mms-bitfields` by default |

use std::collections::BTreeMap;

use bridge32_protocol::interface::{Encoding, Interface, Scalar, Structure, Type};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Dialect;

mod members;

/// What this program was compiled for.
pub const HOST: Target = if cfg!(windows) {
    if cfg!(target_pointer_width = "32") { Target::Win32 } else { Target::Win64 }
} else if cfg!(target_pointer_width = "32") {
    Target::Linux32
} else {
    Target::Linux64
};

/// The largest type, in bytes: more than any real structure, little enough that sizes never overflow.
pub const MAX_TYPE_BYTES: usize = 64 << 20;

/// How deep structures may be nested by value: more than C compilers have to accept (C11 §5.2.4.1 asks for 63).
const MAX_DEPTH: usize = 100;

/// Structures of at most so many bytes may travel in registers, so what they are made of is kept ([`Leaf`]).
pub const MAX_REGISTER_BYTES: usize = 16;

/// Size and alignment of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes that a value takes; a multiple of `align` but for packed structures.
    pub size: usize,
    /// The alignment in bytes, a power of two: that of a member of the type, which is less than that of a variable for
    /// 8-byte scalars on i386 ELF.
    pub align: usize,
}

/// How the members of a structure or union lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructureLayout {
    /// Bytes that it takes.
    pub size: usize,
    /// Its alignment in bytes, a power of two.
    pub align: usize,
    /// Where each member is, by the index of its `Field`.
    pub places: Vec<Place>,
    /// The alignment that somebody asked for with `align`: Microsoft's compilers let no `#pragma pack` reduce it.
    required: usize,
    /// What it is made of, if it is small enough for registers; no two are equal.
    leaves: Vec<Leaf>,
    mode: Mode,
}

/// Where a member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the beginning of the structure.
    pub offset: usize,
    /// Which bits there, of a bit-field that has a width.
    pub bits: Option<BitPlace>,
}

/// Where the bits of a bit-field are: bits `shift` to `shift + width` of the little-endian integer of `unit` bytes at the
/// member's offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitPlace {
    /// Bits below it: less than 8.
    pub shift: u32,
    /// Its width: 1 to 64.
    pub width: u32,
    /// The fewest bytes that hold it, 1 to 8; 3, 5, 6 and 7 occur too. They never reach beyond the structure.
    pub unit: usize,
}

impl BitPlace {
    /// The bits, read from the `unit` bytes at the member's offset; not extended by their sign.
    pub fn load(self, unit: &[u8]) -> u64 {
        (self.integer(unit) >> self.shift) & self.mask()
    }

    /// Writes the low bits of `value` into the `unit` bytes at the member's offset, and leaves the others alone.
    pub fn store(self, unit: &mut [u8], value: u64) {
        let integer = self.integer(unit) & !(self.mask() << self.shift) | ((value & self.mask()) << self.shift);
        for (byte, new) in unit.iter_mut().zip(integer.to_le_bytes()).take(self.unit) {
            *byte = new;
        }
    }

    fn integer(self, unit: &[u8]) -> u64 {
        unit.iter().take(self.unit).rev().fold(0, |integer, byte| integer << 8 | u64::from(*byte))
    }

    const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.width)
    }
}

/// A scalar inside a small structure, which decides into which register its part of the structure goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Bytes from the beginning of the structure.
    pub offset: usize,
    /// Bytes that it takes.
    pub size: usize,
    /// What it is.
    pub kind: LeafKind,
}

/// What registers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafKind {
    /// An integer, truth value, enumerator or address.
    Integer,
    /// A part of a bit-field: an integer that need not be aligned.
    Bits,
    /// `float` or `double`.
    Floating,
}

/// GCC's machine mode of a type, as far as it decides how i386 passes and returns structures ("Machine Modes" in GCC's
/// internals manual, `compute_record_mode` in stor-layout.cc).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It lives in memory only (`BLKmode`): no integer has its size, or a member is such a one.
    Block,
    /// It is handled like an integer of 1, 2, 4 or 8 bytes.
    Integer,
    /// It is handled like a `float`.
    Float,
    /// It is handled like a `double`.
    Double,
}

/// The layouts of an interface's types on one target.
#[derive(Debug)]
pub struct Layouts {
    target: Target,
    dialect: Dialect,
    structures: BTreeMap<String, Result<StructureLayout, String>>,
}

impl Layouts {
    /// Computes the layout of every structure. One that has none (it contains itself, it is too large, …) keeps the reason.
    pub fn new(interface: &Interface, target: Target, dialect: Dialect) -> Self {
        let mut computing = Computing {
            layouts: Self { target, dialect, structures: BTreeMap::new() },
            sources: &interface.structures,
        };
        for name in interface.structures.keys() {
            computing.structure(name, 0);
        }
        computing.layouts
    }

    /// The target that these are the layouts for.
    pub const fn target(&self) -> Target {
        self.target
    }

    /// Whose rules are followed where the compilers of the target differ.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Size and alignment of a type.
    ///
    /// # Errors
    /// In words, why it has none: `void`, an unsupported type, a structure that is unknown or cannot be laid out.
    pub fn of(&self, ty: &Type) -> Result<Layout, String> {
        Ok(match ty {
            Type::Void => return Err("`void` has no size".into()),
            Type::Unsupported { spelling } => return Err(format!("the size of `{spelling}` is not known")),
            Type::Scalar(scalar) => scalar_layout(scalar, self.target),
            Type::Pointer(_) | Type::Callback(_) => {
                let size = self.target.pointer_bytes().into();
                Layout { size, align: size }
            }
            Type::Structure(name) => {
                let structure = self.structure(name)?;
                Layout { size: structure.size, align: structure.align }
            }
            Type::Array(array) => {
                let element = self.of(&array.of)?;
                let count = usize::try_from(array.count).unwrap_or(usize::MAX);
                let size = element.size.checked_mul(count).filter(|size| *size <= MAX_TYPE_BYTES);
                let too_large = || format!("an array of {count} elements of {} bytes is too large", element.size);
                Layout { size: size.ok_or_else(too_large)?, align: element.align }
            }
        })
    }

    /// How a structure's members lie.
    ///
    /// # Errors
    /// In words, why that is not known.
    pub fn structure(&self, name: &str) -> Result<&StructureLayout, String> {
        match self.structures.get(name) {
            Some(Ok(layout)) => Ok(layout),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err(format!("the members of the structure `{name}` are not known")),
        }
    }

    /// Bytes of one element behind a pointer. `void` counts in bytes, as SAL and everybody's `memcpy` do. `None` for a
    /// type that has no size.
    pub fn element_bytes(&self, ty: &Type) -> Option<usize> {
        match ty {
            Type::Void => Some(1),
            _ => self.of(ty).ok().map(|layout| layout.size),
        }
    }

    /// The scalars that a type of at most [`MAX_REGISTER_BYTES`] is made of; of a union, all members'. None of a larger type.
    pub fn leaves(&self, ty: &Type) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        if let Ok(layout) = self.of(ty)
            && layout.size <= MAX_REGISTER_BYTES
        {
            self.add_leaves(ty, 0, &mut leaves);
        }
        leaves
    }

    /// GCC's machine mode of a type that has a size.
    pub fn mode(&self, ty: &Type) -> Mode {
        match ty {
            Type::Scalar(Scalar::Float) => Mode::Float,
            Type::Scalar(Scalar::Double) => Mode::Double,
            Type::Structure(name) => self.structure(name).map_or(Mode::Block, |structure| structure.mode),
            Type::Array(array) if array.count == 1 => self.mode(&array.of),
            _ => self.of(ty).map_or(Mode::Block, |layout| Mode::by_size(layout.size)),
        }
    }

    /// Adds the leaves of a `ty` at `offset`.
    fn add_leaves(&self, ty: &Type, offset: usize, leaves: &mut Vec<Leaf>) {
        let mut add = |leaf: Leaf| {
            if !leaves.contains(&leaf) {
                leaves.push(leaf);
            }
        };
        match ty {
            Type::Structure(name) => {
                for leaf in self.structure(name).map(|structure| structure.leaves.as_slice()).unwrap_or_default() {
                    add(Leaf { offset: offset + leaf.offset, ..*leaf });
                }
            }
            Type::Array(array) => {
                // Elements without a size are as many as anybody says; they hold nothing. An array without elements counts
                // as if it had one: so does GCC.
                let Some(size) = self.element_bytes(&array.of).filter(|size| *size > 0) else { return };
                for index in 0..array.count.max(1) as usize {
                    self.add_leaves(&array.of, offset + index * size, leaves);
                }
            }
            _ => {
                let size = self.element_bytes(ty).unwrap_or(0);
                let floating = matches!(ty, Type::Scalar(Scalar::Float | Scalar::Double));
                add(Leaf { offset, size, kind: if floating { LeafKind::Floating } else { LeafKind::Integer } });
            }
        }
    }

    /// The alignment that is asked for inside a type.
    fn required(&self, ty: &Type) -> usize {
        match ty {
            Type::Structure(name) => self.structure(name).map_or(1, |structure| structure.required),
            Type::Array(array) => self.required(&array.of),
            _ => 1,
        }
    }
}

impl Mode {
    /// The mode of what is no single floating-point number.
    const fn by_size(size: usize) -> Self {
        if matches!(size, 1 | 2 | 4 | 8) { Self::Integer } else { Self::Block }
    }
}

/// The layouts while they are being computed: a structure's come after those of its members.
struct Computing<'a> {
    layouts: Layouts,
    sources: &'a BTreeMap<String, Structure>,
}

impl Computing<'_> {
    fn structure(&mut self, name: &str, depth: usize) {
        let Some(source) = self.sources.get(name) else { return };
        if self.layouts.structures.contains_key(name) {
            return;
        }
        if depth > MAX_DEPTH {
            let reason = format!("the structure `{name}` is nested more than {MAX_DEPTH} deep");
            self.layouts.structures.insert(name.to_owned(), Err(reason));
            return;
        }
        // Whoever comes back here while the members are computed is told this.
        let itself = format!("the structure `{name}` contains itself");
        self.layouts.structures.insert(name.to_owned(), Err(itself));
        for field in &source.fields {
            let mut ty = &field.ty;
            while let Type::Array(array) = ty {
                ty = &array.of;
            }
            if let Type::Structure(inner) = ty {
                self.structure(inner, depth + 1);
            }
        }
        let layout =
            members::lay_out(source, &self.layouts).map_err(|error| format!("the structure `{name}`: {error}"));
        self.layouts.structures.insert(name.to_owned(), layout);
    }
}

/// Size and alignment of a scalar, as a member of a structure.
fn scalar_layout(scalar: &Scalar, target: Target) -> Layout {
    let size = scalar_bytes(scalar, target);
    Layout { size, align: if target == Target::Linux32 { size.min(4) } else { size } }
}

/// Bytes of a scalar.
pub fn scalar_bytes(scalar: &Scalar, target: Target) -> usize {
    match scalar {
        Scalar::Integer(integer) => integer.width.bytes(target).into(),
        Scalar::Boolean(width) => width.bytes(target).into(),
        Scalar::Float | Scalar::Enumeration(_) => 4,
        Scalar::Double => 8,
    }
}

/// Bytes of one unit of text: of the NUL that ends it.
pub const fn text_unit_bytes(encoding: &Encoding, target: Target) -> usize {
    match encoding {
        Encoding::Utf8 | Encoding::CodePage(_) | Encoding::Ansi => 1,
        Encoding::Utf16 => 2,
        Encoding::Wide => target.wchar_bytes() as usize,
    }
}

#[cfg(test)]
mod tests;
