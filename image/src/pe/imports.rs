//! The import tables of a PE file: what it needs at load, and what only when first used.

use object::LittleEndian as LE;
use object::pe;
use object::read::pe::{ImageNtHeaders, ImageThunkData};

use super::Layout;
use crate::budget::{Budget, MAX_DEPENDENCIES, Warnings};
use crate::error::ImageError;
use crate::model::Dependency;
use crate::text::escape;

/// Most imports that are counted for one library.
const MAX_THUNKS: u32 = 100_000;
/// `dlattrRva` of a delay-load descriptor: its fields are relative to the image base. Visual C++ 6 wrote full addresses.
const DELAY_ATTRIBUTE_RVA: u32 = 1;

/// The libraries of the import directory.
pub(super) fn read<Nt: ImageNtHeaders>(
    layout: &Layout<'_>,
    budget: &mut Budget,
    warnings: &mut Warnings,
) -> Result<Vec<Dependency>, ImageError> {
    let mut dependencies = Vec::new();
    let Some((start, _)) = layout.directory(pe::IMAGE_DIRECTORY_ENTRY_IMPORT) else { return Ok(dependencies) };
    // The loader reads to the null entry, whatever size the directory states.
    for address in entries::<pe::ImageImportDescriptor>(start) {
        let descriptor: &pe::ImageImportDescriptor = layout
            .read_at(address)
            .ok_or_else(|| ImageError::malformed_at("the import directory lies outside the file", address))?;
        if descriptor.name.get(LE) == 0 || descriptor.first_thunk.get(LE) == 0 {
            return Ok(dependencies);
        }
        let thunks = match descriptor.original_first_thunk.get(LE) {
            0 => descriptor.first_thunk.get(LE),
            thunks => thunks,
        };
        let imports = count_thunks::<Nt>(layout, thunks, budget)?;
        push(layout, &mut dependencies, descriptor.name.get(LE), false, imports, budget, warnings)?;
    }
    Err(ImageError::Unsupported { what: "it needs more than 4096 libraries" })
}

/// Adds the libraries of the delay-load directory to `dependencies`.
pub(super) fn read_delayed<Nt: ImageNtHeaders>(
    layout: &Layout<'_>,
    dependencies: &mut Vec<Dependency>,
    budget: &mut Budget,
    warnings: &mut Warnings,
) -> Result<(), ImageError> {
    let Some((start, _)) = layout.directory(pe::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT) else { return Ok(()) };
    for address in entries::<pe::ImageDelayloadDescriptor>(start) {
        let Some(descriptor) = layout.read_at::<pe::ImageDelayloadDescriptor>(address) else {
            // Nothing of this is needed to load the file.
            warnings.push(|| "the delay-load directory lies outside the file".into());
            return Ok(());
        };
        if descriptor.dll_name_rva.get(LE) == 0 {
            return Ok(());
        }
        let relative = descriptor.attributes.get(LE) & DELAY_ATTRIBUTE_RVA != 0;
        let base = if relative { 0 } else { layout.image_base };
        let rva = |address: u32| u64::from(address).checked_sub(base).and_then(|rva| u32::try_from(rva).ok());
        let name = rva(descriptor.dll_name_rva.get(LE)).unwrap_or(0);
        let thunks = rva(descriptor.import_name_table_rva.get(LE)).unwrap_or(0);
        let imports = count_thunks::<Nt>(layout, thunks, budget)?;
        push(layout, dependencies, name, true, imports, budget, warnings)?;
    }
    Err(ImageError::Unsupported { what: "it needs more than 4096 libraries" })
}

/// The addresses of the entries of a table that starts at `start`, as far as they are read.
fn entries<T>(start: u32) -> impl Iterator<Item = u32> {
    let step = u32::try_from(size_of::<T>()).unwrap_or(u32::MAX);
    std::iter::successors(Some(start), move |address| address.checked_add(step)).take(MAX_DEPENDENCIES)
}

fn push(
    layout: &Layout<'_>,
    dependencies: &mut Vec<Dependency>,
    name: u32,
    delayed: bool,
    imports: u32,
    budget: &mut Budget,
    warnings: &mut Warnings,
) -> Result<(), ImageError> {
    let Some(bytes) = layout.string_at(name).filter(|bytes| !bytes.is_empty()) else {
        if delayed {
            warnings.push(|| "the name of a delay-loaded library cannot be read".into());
            return Ok(());
        }
        return Err(ImageError::malformed_at("the name of an imported library cannot be read", name));
    };
    budget.take(bytes.len())?;
    dependencies.push(Dependency { name: escape(bytes), delayed, imports: Some(imports) });
    Ok(())
}

/// How many entries the thunk table at `address` has before its null entry.
fn count_thunks<Nt: ImageNtHeaders>(layout: &Layout<'_>, address: u32, budget: &mut Budget) -> Result<u32, ImageError> {
    let step = u32::try_from(size_of::<Nt::ImageThunkData>()).unwrap_or(8);
    let mut count = 0;
    while count < MAX_THUNKS {
        let thunk = address.checked_add(count * step).and_then(|at| layout.read_at::<Nt::ImageThunkData>(at));
        if thunk.is_none_or(|thunk| thunk.raw() == 0) {
            break;
        }
        count += 1;
    }
    // Tables may overlap in a hostile file; each look counts.
    budget.take(usize::try_from(count).unwrap_or(usize::MAX))?;
    Ok(count)
}
