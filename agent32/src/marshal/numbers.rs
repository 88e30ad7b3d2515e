//! The numbers that lengths refer to while memory is read: the arguments of a callback, the members of a structure.

use bridge32_protocol::interface::{Scalar, Signature, Structure, Type};

use super::length::Numbers;
use super::read::bytes_at;
use super::scalar::Bits;
use super::scope::Members;
use super::structures::word;
use super::{Context, Environment};
use crate::layout::Place;

/// No numbers are there to refer to.
pub(super) struct Nothing;

impl Numbers for Nothing {
    fn number(&self, _: u32) -> Option<i128> {
        None
    }

    fn result(&self) -> Option<i128> {
        None
    }
}

/// The numbers of a callback's arguments.
pub(super) struct Arguments<'a> {
    pub(super) signature: &'a Signature,
    pub(super) block: &'a [u8],
    pub(super) slots: &'a [std::ops::Range<usize>],
    pub(super) environment: Environment<'a>,
}

impl Numbers for Arguments<'_> {
    fn number(&self, index: u32) -> Option<i128> {
        let index = usize::try_from(index).ok()?;
        let scalar = Members::Parameters(&self.signature.parameters).integer(index)?;
        let bytes = &self.block[self.slots[index].clone()];
        if matches!(self.signature.parameters[index].ty, Type::Scalar(_)) {
            return Bits::load(bytes, scalar).integer(scalar);
        }
        #[expect(clippy::cast_possible_truncation, reason = "a pointer has the width of this process")]
        let address = Some(word(bytes) as usize).filter(|address| *address != 0)?;
        let size = crate::layout::scalar_bytes(scalar, self.environment.context.target);
        Bits::load(&bytes_at(address, size), scalar).integer(scalar)
    }

    fn result(&self) -> Option<i128> {
        None
    }
}

/// The numbers of a structure's members.
pub(super) struct Fields<'a> {
    pub(super) structure: &'a Structure,
    pub(super) places: &'a [Place],
    pub(super) bytes: &'a [u8],
    pub(super) context: Context<'a>,
}

impl Numbers for Fields<'_> {
    fn number(&self, index: u32) -> Option<i128> {
        let index = usize::try_from(index).ok()?;
        let place = self.places.get(index)?;
        let scalar: &Scalar = Members::Fields(&self.structure.fields).integer(index)?;
        if let Some(bits) = &place.bits {
            let field = bits.load(&self.bytes[place.offset..place.offset + bits.unit]);
            return Bits::of_bit_field(field, bits.width, scalar, self.context).integer(scalar);
        }
        let size = crate::layout::scalar_bytes(scalar, self.context.target);
        match &self.structure.fields[index].ty {
            Type::Scalar(_) => Bits::load(self.bytes.get(place.offset..place.offset + size)?, scalar).integer(scalar),
            _ => None,
        }
    }

    fn result(&self) -> Option<i128> {
        None
    }
}
