//! Random signatures for the tests of the ABI, the same ones on every machine.

use std::ops::Range;

use bridge32_protocol::interface::{
    Array, Convention, Direction, Extent, Field, Integer, Interface, Parameter, Pointer, Scalar, Signature, Structure,
    StructureKind, Type, Width,
};

use crate::layout::{HOST, Layouts, Mode};

/// Structures that signatures choose from.
const STRUCTURES: u64 = 200;

/// Steele, Lea and Flood's `SplitMix64`.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next().to_le_bytes()[0];
        }
    }

    /// Structures named `s0`, `s1`, …, with unions among them if those are wanted.
    pub(super) fn interface(&mut self, unions: bool) -> Interface {
        let structures = (0..STRUCTURES).map(|index| (format!("s{index}"), self.structure(index, unions))).collect();
        Interface { structures, ..Interface::default() }
    }

    fn structure(&mut self, earlier: u64, unions: bool) -> Structure {
        let union = unions && self.below(5) == 0;
        let many = if self.below(2) == 0 { 2 } else { 5 };
        let fields = (0..=self.below(many)).map(|index| {
            let mut ty = if self.below(6) == 0 && earlier > 0 {
                Type::Structure(format!("s{}", self.below(earlier)))
            } else {
                Type::Scalar(self.scalar())
            };
            if self.below(5) == 0 {
                let count = u32::try_from(self.below(4)).unwrap() + 1;
                ty = Type::Array(Box::new(Array { of: ty, count, text: None }));
            }
            Field {
                name: format!("m{index}"),
                ty,
                bits: None,
                align: None,
                sensitive: false,
                description: String::new(),
            }
        });
        Structure {
            fields: fields.collect(),
            kind: if union { StructureKind::Union } else { StructureKind::Struct },
            pack: None,
            packed: false,
            align: None,
            description: String::new(),
        }
    }

    fn scalar(&mut self) -> Scalar {
        let width = [Width::W8, Width::W16, Width::W32, Width::W64, Width::Long, Width::Pointer];
        match self.below(10) {
            0 | 1 => Scalar::Float,
            2 | 3 => Scalar::Double,
            4 => Scalar::Boolean(Width::W8),
            choice => {
                let width = width[usize::try_from(self.below(6)).unwrap()];
                Scalar::Integer(Integer { width, signed: choice % 2 == 0 })
            }
        }
    }

    /// A type that can be passed; structures of up to 64 bytes.
    pub(super) fn ty(&mut self, layouts: &Layouts) -> Type {
        match self.below(8) {
            0 => {
                let extent = Extent::Handle { kind: "void".into(), system: false };
                Type::Pointer(Box::new(Pointer { to: Type::Void, constant: false, extent, freed_by: None }))
            }
            1 | 2 => loop {
                let ty = Type::Structure(format!("s{}", self.below(STRUCTURES)));
                if layouts.of(&ty).is_ok_and(|layout| layout.size <= 64) {
                    return ty;
                }
            },
            _ => Type::Scalar(self.scalar()),
        }
    }

    pub(super) fn signature(&mut self, convention: Convention, layouts: &Layouts) -> Signature {
        let count = self.below(11);
        let result = if self.below(8) == 0 { Type::Void } else { self.ty(layouts) };
        let parameters = (0..count).map(|index| parameter(index, self.ty(layouts))).collect();
        Signature { convention: Some(convention), parameters, result }
    }
}

impl Random {
    /// Values for the parameters, at their slots.
    pub(super) fn arguments(
        &mut self,
        signature: &Signature,
        slots: &[Range<usize>],
        interface: &Interface,
        layouts: &Layouts,
    ) -> Box<Block> {
        let mut block = Box::new(Block([0; 2048]));
        for (slot, parameter) in slots.iter().zip(&signature.parameters) {
            block.0[slot.clone()].copy_from_slice(&self.value(&parameter.ty, interface, layouts));
        }
        block
    }

    /// A value of a type; padding is zero.
    pub(super) fn value(&mut self, ty: &Type, interface: &Interface, layouts: &Layouts) -> Vec<u8> {
        // Not any bits: the x87 makes other ones of a signalling NaN.
        let number = f32::from(u16::try_from(self.below(60000)).unwrap()) / 8.0;
        match ty {
            Type::Void => Vec::new(),
            Type::Scalar(Scalar::Float) => number.to_le_bytes().to_vec(),
            Type::Scalar(Scalar::Double) => f64::from(number).to_le_bytes().to_vec(),
            Type::Scalar(Scalar::Boolean(_)) => vec![u8::from(self.below(2) == 0)],
            _ if matches!(layouts.mode(ty), Mode::Float) => number.to_le_bytes().to_vec(),
            _ if matches!(layouts.mode(ty), Mode::Double) => f64::from(number).to_le_bytes().to_vec(),
            _ => {
                let mut bytes = vec![0; layouts.of(ty).unwrap().size];
                self.fill(&mut bytes);
                without_padding(&bytes, ty, interface, layouts)
            }
        }
    }
}

/// Marks the bytes of a value that are no padding.
fn mark(ty: &Type, at: usize, interface: &Interface, layouts: &Layouts, marks: &mut [bool]) {
    match ty {
        Type::Structure(name) => {
            let layout = layouts.structure(name).unwrap();
            for (field, place) in interface.structures[name].fields.iter().zip(&layout.places) {
                mark(&field.ty, at + place.offset, interface, layouts, marks);
            }
        }
        Type::Array(array) => {
            let size = layouts.of(&array.of).unwrap().size;
            (0..array.count as usize).for_each(|n| mark(&array.of, at + n * size, interface, layouts, marks));
        }
        _ => marks[at..at + layouts.element_bytes(ty).unwrap()].fill(true),
    }
}

/// A value with its padding zeroed.
pub(super) fn without_padding(bytes: &[u8], ty: &Type, interface: &Interface, layouts: &Layouts) -> Vec<u8> {
    let mut marks = vec![false; bytes.len()];
    if *ty != Type::Void {
        mark(ty, 0, interface, layouts, &mut marks);
    }
    bytes.iter().zip(marks).map(|(byte, marked)| if marked { *byte } else { 0 }).collect()
}

/// Memory for arguments, aligned as the plan wants it.
#[repr(align(16))]
pub(super) struct Block(pub(super) [u8; 2048]);

pub(super) fn parameter(index: u64, ty: Type) -> Parameter {
    let name = format!("p{index}");
    Parameter {
        name,
        ty,
        direction: Direction::In,
        optional: false,
        releases: None,
        sensitive: false,
        description: String::new(),
    }
}

/// The conventions that differ on this target.
pub(super) fn conventions() -> &'static [Convention] {
    const ALL: &[Convention] = &[Convention::Cdecl, Convention::Stdcall, Convention::Fastcall, Convention::Thiscall];
    if HOST.pointer_bytes() == 4 { ALL } else { &ALL[..1] }
}

/// How many signatures a test tries with each convention; Wine is slow to start, and Windows' ABI not so different.
pub(super) const SIGNATURES: usize = if cfg!(windows) { 1000 } else { 4000 };
