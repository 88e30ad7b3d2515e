//! The export directory of a PE file (Microsoft, "PE Format", "The .edata Section").

use object::LittleEndian as LE;
use object::pe;

use super::Layout;
use crate::architecture::Architecture;
use crate::budget::{Budget, MAX_EXPORTS, Warnings};
use crate::decoration::Decoration;
use crate::demangle;
use crate::error::ImageError;
use crate::model::{Export, ExportKind, Forwarder};
use crate::text::escape;

/// Ordinals have 16 bits in every interface that takes one.
const MAX_FUNCTIONS: u32 = 0x1_0000;

type Exports = (Option<String>, Vec<Export>);

/// The library's own name and its exports, by ordinal; names of one ordinal in the file's order.
pub(super) fn read(layout: &Layout<'_>, budget: &mut Budget, warnings: &mut Warnings) -> Result<Exports, ImageError> {
    let Some((address, size)) = layout.directory(pe::IMAGE_DIRECTORY_ENTRY_EXPORT) else {
        return Ok((None, Vec::new()));
    };
    let directory: &pe::ImageExportDirectory = layout
        .read_at(address)
        .ok_or_else(|| ImageError::malformed_at("the export directory lies outside the file", address))?;
    let table = Table { layout, directory, start: address, size };
    let internal_name = layout.string_at(directory.name.get(LE)).filter(|name| !name.is_empty());
    if let Some(name) = internal_name {
        budget.take(name.len())?;
    }
    let names = table.names(warnings)?;
    let mut exports = table.exports(&names, budget, warnings)?;
    demangle::fill(&mut exports);
    Ok((internal_name.map(escape), exports))
}

/// One entry of the name table: index into the address table, address of the name.
type NameEntry = (u32, u32);

struct Table<'a, 'data> {
    layout: &'a Layout<'data>,
    directory: &'data pe::ImageExportDirectory,
    start: u32,
    size: u32,
}

impl Table<'_, '_> {
    /// The name table, sorted by function.
    fn names(&self, warnings: &mut Warnings) -> Result<Vec<NameEntry>, ImageError> {
        let count = usize::try_from(self.directory.number_of_names.get(LE)).unwrap_or(usize::MAX);
        if count == 0 {
            return Ok(Vec::new());
        }
        if count > MAX_EXPORTS {
            return Err(ImageError::Unsupported { what: "it exports more than 500000 names" });
        }
        let pointers_at = self.directory.address_of_names.get(LE);
        let ordinals_at = self.directory.address_of_name_ordinals.get(LE);
        let pointers: &[object::U32<LE>] = self
            .layout
            .slice_at(pointers_at, count)
            .ok_or_else(|| ImageError::malformed_at("the table of export names lies outside the file", pointers_at))?;
        let ordinals: &[object::U16<LE>] = self
            .layout
            .slice_at(ordinals_at, count)
            .ok_or_else(|| ImageError::malformed_at("the table of name ordinals lies outside the file", ordinals_at))?;
        let functions = self.directory.number_of_functions.get(LE);
        let mut names: Vec<NameEntry> =
            ordinals.iter().zip(pointers).map(|(index, pointer)| (u32::from(index.get(LE)), pointer.get(LE))).collect();
        names.retain(|(index, _)| {
            let exists = *index < functions;
            if !exists {
                warnings.push(|| format!("an export name belongs to entry {index}, but there are {functions} entries"));
            }
            exists
        });
        names.sort_by_key(|(index, _)| *index);
        Ok(names)
    }

    fn exports(
        &self,
        names: &[NameEntry],
        budget: &mut Budget,
        warnings: &mut Warnings,
    ) -> Result<Vec<Export>, ImageError> {
        let count = self.directory.number_of_functions.get(LE);
        if count > MAX_FUNCTIONS {
            return Err(ImageError::malformed_at("the export directory has more than 65536 entries", self.start));
        }
        let addresses_at = self.directory.address_of_functions.get(LE);
        let addresses: &[object::U32<LE>] = match count {
            0 => &[],
            _ => usize::try_from(count).ok().and_then(|count| self.layout.slice_at(addresses_at, count)).ok_or_else(
                || ImageError::malformed_at("the export address table lies outside the file", addresses_at),
            )?,
        };
        let base = self.directory.base.get(LE);
        let mut exports = Vec::new();
        let mut names = names;
        for (index, address) in (0u32..).zip(addresses) {
            let here = names.iter().take_while(|(of, _)| *of == index).count();
            let (own, rest) = names.split_at(here);
            names = rest;
            let address = address.get(LE);
            // Ordinals without a function leave gaps.
            if address == 0 {
                continue;
            }
            let ordinal = base
                .checked_add(index)
                .ok_or_else(|| ImageError::malformed_at("export ordinals exceed 32 bits", self.start))?;
            let unnamed = self.export(ordinal, address, budget, warnings)?;
            if own.is_empty() {
                exports.push(unnamed);
                continue;
            }
            for (_, pointer) in own {
                exports.push(self.named(&unnamed, *pointer, budget, warnings)?);
            }
        }
        Ok(exports)
    }

    /// The export at `address` without its name.
    fn export(
        &self,
        ordinal: u32,
        address: u32,
        budget: &mut Budget,
        warnings: &mut Warnings,
    ) -> Result<Export, ImageError> {
        let mut export = Export {
            name: None,
            ordinal: Some(ordinal),
            kind: ExportKind::Data,
            address: Some(u64::from(address)),
            forwarder: None,
            decoration: None,
            demangled: None,
            version: None,
            hidden: false,
        };
        // An address inside the export directory is that of a forwarder's text.
        if address.wrapping_sub(self.start) < self.size {
            let text = self.layout.string_at(address).unwrap_or_default();
            budget.take(text.len())?;
            export.kind = ExportKind::Forwarder;
            export.address = None;
            export.forwarder = Forwarder::parse(&escape(text));
            if export.forwarder.is_none() {
                warnings.push(|| format!("export {ordinal} is a forwarder, but its text is not LIBRARY.name"));
            }
        } else if self.layout.is_executable(address) {
            export.kind = ExportKind::Function;
        }
        Ok(export)
    }

    /// `unnamed` with the name at `pointer`.
    fn named(
        &self,
        unnamed: &Export,
        pointer: u32,
        budget: &mut Budget,
        warnings: &mut Warnings,
    ) -> Result<Export, ImageError> {
        let mut export = unnamed.clone();
        if let Some(forwarder) = &export.forwarder {
            budget.take(forwarder.to_string().len())?;
        }
        let Some(name) = self.layout.string_at(pointer).filter(|name| !name.is_empty()) else {
            warnings.push(|| format!("the name of export {} cannot be read", unnamed.ordinal.unwrap_or_default()));
            return Ok(export);
        };
        budget.take(name.len())?;
        let name = escape(name);
        if self.layout.architecture == Architecture::X86 {
            export.decoration = Decoration::parse_certain(&name);
        }
        export.name = Some(name);
        Ok(export)
    }
}
