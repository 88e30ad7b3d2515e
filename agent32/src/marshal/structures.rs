//! Structures and unions: JSON objects by member name become memory with the target's layout.

use bridge32_protocol::interface::{Direction, Field, Interface, Scalar, Structure, StructureKind, Type};
use bridge32_protocol::wire::Fault;
use serde_json::value::RawValue;

use super::decode::{Spot, Writer, is_anonymous};
use super::object::{self, Names, shortened};
use super::place::At;
use super::pointers::pointed_scalar;
use super::scalar::{self, Bits};
use super::scope::{Members, Scope};
use super::{mismatch, unsupported};
use crate::layout::Place;

impl Writer<'_, '_> {
    /// Writes an object into the place of a structure.
    pub(super) fn structure(&mut self, name: &str, raw: &RawValue, at: &At<'_>, spot: Spot) -> Result<(), Fault> {
        let interface = self.environment.context.interface;
        let structure = known(interface, name, at)?;
        let names = FieldNames { interface, structure, name };
        // What is no object may be the secret that belongs into one.
        let misplaced = !raw.get().starts_with('{') && holds_secrets(interface, name, 0);
        let given = object::by_name(raw.get(), &names, &at.hidden(misplaced))?;
        self.fields(name, structure, &given, at, spot)
    }

    /// Writes the members of a structure. `given` has one entry for each name, those of anonymous members in between.
    fn fields(
        &mut self,
        name: &str,
        structure: &Structure,
        given: &[Option<&RawValue>],
        at: &At<'_>,
        spot: Spot,
    ) -> Result<(), Fault> {
        let (interface, layouts) = (self.environment.context.interface, self.environment.layouts);
        let places = &layouts.structure(name).map_err(|why| unsupported(at, &why))?.places;
        let mut own = Vec::with_capacity(structure.fields.len());
        let mut inner = Vec::new();
        let mut next = 0;
        for field in &structure.fields {
            let count = names_of(interface, field);
            let slice = &given[next..next + count];
            next += count;
            own.push(if field.name.is_empty() { None } else { slice[0] });
            inner.push(slice);
        }
        if structure.kind == StructureKind::Union {
            self.check_union(structure, &inner, at)?;
        }
        let complete = self.direction == Direction::In && structure.kind == StructureKind::Struct;
        let mut scope = Scope::new(Members::Fields(&structure.fields), own, self.environment.context);
        self.infer_lengths(&mut scope, at)?;
        for (index, field) in structure.fields.iter().enumerate() {
            let spot = spot.plus(places[index].offset);
            let around = at;
            let at = around.member(&field.name).hidden(field.sensitive);
            match (&field.ty, scope.given[index]) {
                (Type::Structure(name), _) if is_anonymous(field) => {
                    let around = &around.hidden(field.sensitive);
                    if structure.kind == StructureKind::Struct || inner[index].iter().any(Option::is_some) {
                        let structure = known(interface, name, around)?;
                        self.fields(name, structure, inner[index], around, spot)?;
                    }
                }
                (Type::Scalar(scalar), Some(raw)) if field.bits.is_some() => {
                    let bits = scalar::decode(raw, scalar, self.environment.context);
                    let bits = bits.map_err(|wrong| wrong.fault(raw, &at))?;
                    self.bit_field(scalar, &places[index], bits, &at, spot)?;
                }
                (ty, Some(raw)) => self.value(ty, raw, &at, &scope, spot)?,
                (Type::Scalar(scalar), None) if scope.known(index).is_some() => {
                    let bits = Bits::of(scope.known(index).unwrap_or_default());
                    if field.bits.is_some() {
                        self.bit_field(scalar, &places[index], bits, &at, spot)?;
                    } else {
                        self.store(bits, scalar, spot);
                    }
                }
                (Type::Pointer(pointer), None) => {
                    if let (Some(number), Some(scalar)) = (scope.known(index), pointed_scalar(pointer)) {
                        let target = self.length(number, scalar, pointer, &at)?;
                        self.store_target(&target, spot);
                    }
                }
                (Type::Callback(_), None) => {}
                (_, None) if !complete || field.name.is_empty() => {}
                (_, None) => {
                    return Err(mismatch(&at, format!("`{at}` is missing: every member of `{name}` is needed here")));
                }
            }
        }
        Ok(())
    }

    /// Exactly one member of a union is given; where the function fills it in, none is fine, too.
    fn check_union(&self, union: &Structure, inner: &[&[Option<&RawValue>]], at: &At<'_>) -> Result<(), Fault> {
        let given = inner.iter().filter(|slice| slice.iter().any(Option::is_some)).count();
        if given == 1 || (given == 0 && self.direction != Direction::In) {
            return Ok(());
        }
        let names: Vec<&str> =
            union.fields.iter().map(|field| field.name.as_str()).filter(|name| !name.is_empty()).collect();
        let detail = format!("`{at}` is a union: give exactly one of its members ({}), not {given}", names.join(", "));
        Err(mismatch(at, detail))
    }

    fn bit_field(&mut self, scalar: &Scalar, place: &Place, bits: Bits, at: &At<'_>, spot: Spot) -> Result<(), Fault> {
        let place = place.bits.ok_or_else(|| unsupported(at, "it is a bit-field without bits"))?;
        let number = bits.integer(scalar).unwrap_or_default();
        let (least, most) = if scalar::has_negatives(scalar, self.environment.context) {
            (-(1_i128 << (place.width - 1)), (1_i128 << (place.width - 1)) - 1)
        } else {
            (0, (1_i128 << place.width) - 1)
        };
        if !(least..=most).contains(&number) {
            let shown = at.shown(&number.to_string());
            let detail = format!("{shown} is out of range: `{at}` has {} bits, from {least} to {most}", place.width);
            return Err(mismatch(at, detail));
        }
        place.store(&mut self.arena.bytes_mut(spot.block)[spot.offset..spot.offset + place.unit], bits.0);
        Ok(())
    }
}

/// Up to 8 bytes as a little-endian number.
pub(super) fn word(bytes: &[u8]) -> u64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(wide)
}

/// The structure of that name.
///
/// # Errors
/// The interface does not have it: it should not have let the declaration through.
fn known<'i>(interface: &'i Interface, name: &str, at: &At<'_>) -> Result<&'i Structure, Fault> {
    interface.structures.get(name).ok_or_else(|| unsupported(at, &format!("the members of `{name}` are not known")))
}

/// Whether some member of a structure is sensitive, however deep. Deeper ones are not even laid out.
pub(super) fn holds_secrets(interface: &Interface, name: &str, depth: usize) -> bool {
    const MAX_DEPTH: usize = 24;
    let inner = |field: &Field| match &field.ty {
        Type::Structure(inner) => holds_secrets(interface, inner, depth + 1),
        _ => false,
    };
    depth < MAX_DEPTH
        && interface.structures.get(name).is_some_and(|found| found.fields.iter().any(|f| f.sensitive || inner(f)))
}

/// How many names a member has: those of its members, if it has none itself.
fn names_of(interface: &Interface, field: &Field) -> usize {
    match &field.ty {
        Type::Structure(name) if is_anonymous(field) => interface
            .structures
            .get(name)
            .map_or(0, |structure| structure.fields.iter().map(|field| names_of(interface, field)).sum()),
        _ => usize::from(!field.name.is_empty()),
    }
}

/// The names that an object for a structure may have: its members', and those of its anonymous members.
struct FieldNames<'a> {
    interface: &'a Interface,
    structure: &'a Structure,
    name: &'a str,
}

impl FieldNames<'_> {
    fn find(&self, structure: &Structure, wanted: &str, next: &mut usize) -> Option<usize> {
        for field in &structure.fields {
            match &field.ty {
                Type::Structure(name) if is_anonymous(field) => {
                    let inner = self.interface.structures.get(name)?;
                    if let Some(found) = self.find(inner, wanted, next) {
                        return Some(found);
                    }
                }
                _ if field.name.is_empty() => {}
                _ if field.name == wanted => return Some(*next),
                _ => *next += 1,
            }
        }
        None
    }
}

impl Names for FieldNames<'_> {
    fn count(&self) -> usize {
        self.structure.fields.iter().map(|field| names_of(self.interface, field)).sum()
    }

    fn index(&self, name: &str) -> Option<usize> {
        if name.is_empty() { None } else { self.find(self.structure, name, &mut 0) }
    }

    fn unknown(&self, name: &str, at: &At<'_>) -> String {
        let fields = self.structure.fields.iter().map(|field| field.name.as_str()).filter(|name| !name.is_empty());
        let known: Vec<&str> = fields.take(40).collect();
        let member = if at.is_sensitive() { "such member".to_owned() } else { format!("member `{}`", shortened(name)) };
        format!("`{}` has no {member}; it has {}", self.name, known.join(", "))
    }
}
