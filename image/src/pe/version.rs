//! The version resource of a PE file (Microsoft, "PE Format", "The .rsrc Section"; "`VS_VERSIONINFO`").
//!
//! It is a tree of blocks: each has its length, the length of its value, a key in UTF-16, the value, and blocks within; keys and
//! blocks begin at multiples of 4 bytes. Nothing of it is needed to load the file, so that what is damaged is passed over.

use std::collections::BTreeMap;

use object::LittleEndian as LE;
use object::pe;
use object::read::pe::ResourceDirectory;

use super::Layout;
use crate::budget::{Budget, Warnings};
use crate::model::Version;
use crate::text::escape;

/// The type of the resource.
const RT_VERSION: u16 = 16;
/// How `VS_FIXEDFILEINFO` begins.
const SIGNATURE: u32 = 0xFEEF_04BD;
/// Most strings that are kept; files have about ten.
const MAX_STRINGS: usize = 64;
/// Longest key or string, in UTF-16 units.
const MAX_UNITS: usize = 1024;

/// What the first version resource says, if there is one.
pub(super) fn read(layout: &Layout<'_>, budget: &mut Budget, warnings: &mut Warnings) -> Option<Version> {
    let data = resource(layout)?;
    let version = parse(data, budget);
    if version.is_none() {
        warnings.push(|| "the version resource cannot be read".into());
    }
    version
}

/// The bytes of the first version resource in the first language.
fn resource<'data>(layout: &Layout<'data>) -> Option<&'data [u8]> {
    let (address, _) = layout.directory(pe::IMAGE_DIRECTORY_ENTRY_RESOURCE)?;
    let section = ResourceDirectory::new(layout.at(address)?);
    let types = section.root().ok()?;
    let versions = types.entries.iter().find(|entry| entry.name_or_id().id() == Some(RT_VERSION))?;
    let names = versions.data(section).ok()?.table()?;
    let languages = names.entries.first()?.data(section).ok()?.table()?;
    let entry = languages.entries.first()?.data(section).ok()?.data()?;
    let size = usize::try_from(entry.size.get(LE)).ok()?;
    layout.at(entry.offset_to_data.get(LE))?.get(..size)
}

fn parse(data: &[u8], budget: &mut Budget) -> Option<Version> {
    let (root, _) = Block::read(data)?;
    if root.key != "VS_VERSION_INFO" {
        return None;
    }
    let mut version = Version::default();
    if let Some([file, product]) = fixed(root.value) {
        (version.file, version.product) = (Some(file), Some(product));
    }
    let tables = root.children().filter(|block| block.key == "StringFileInfo").flat_map(|info| info.children());
    version.strings = strings(tables, budget);
    Some(version)
}

/// The numbers of the file's version and the product's.
fn fixed(value: &[u8]) -> Option<[String; 2]> {
    let word = |index: usize| Some(u32::from_le_bytes(value.get(4 * index..4 * index + 4)?.try_into().ok()?));
    if word(0)? != SIGNATURE {
        return None;
    }
    let numbers = |high: u32, low: u32| format!("{}.{}.{}.{}", high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF);
    Some([numbers(word(2)?, word(3)?), numbers(word(4)?, word(5)?)])
}

/// The strings of the first table that has some.
fn strings<'data>(tables: impl Iterator<Item = Block<'data>>, budget: &mut Budget) -> BTreeMap<String, String> {
    for table in tables {
        let mut strings = BTreeMap::new();
        for string in table.children().take(MAX_STRINGS) {
            let text = text(string.value);
            if budget.take(string.key.len() + text.len()).is_err() {
                return strings;
            }
            if !string.key.is_empty() && !text.is_empty() {
                strings.insert(escape(string.key.as_bytes()), escape(text.as_bytes()));
            }
        }
        if !strings.is_empty() {
            return strings;
        }
    }
    BTreeMap::new()
}

struct Block<'data> {
    key: String,
    value: &'data [u8],
    rest: &'data [u8],
}

impl<'data> Block<'data> {
    /// The block at the start of `data`, and what follows it.
    fn read(data: &'data [u8]) -> Option<(Self, &'data [u8])> {
        let word = |at: usize| Some(usize::from(u16::from_le_bytes(data.get(at..at + 2)?.try_into().ok()?)));
        let (length, value_length, is_text) = (word(0)?, word(2)?, word(4)? == 1);
        let block = data.get(..length).filter(|block| block.len() >= 6)?;
        let key = text(&block[6..]);
        let key_bytes = 2 * (key.encode_utf16().count() + 1);
        let value_at = aligned(6 + key_bytes).min(block.len());
        // The length of text is in characters; some compilers count bytes, and so more than there is.
        let bytes = if is_text { 2 * value_length } else { value_length };
        let value_end = value_at.saturating_add(bytes).min(block.len());
        let rest = &block[aligned(value_end).min(block.len())..];
        let next = data.get(aligned(length)..).unwrap_or_default();
        Some((Self { key, value: &block[value_at..value_end], rest }, next))
    }

    /// The blocks within it.
    fn children(&self) -> impl Iterator<Item = Block<'data>> + use<'data> {
        let mut rest = self.rest;
        std::iter::from_fn(move || {
            let (block, next) = Self::read(rest)?;
            rest = next;
            Some(block)
        })
    }
}

fn aligned(offset: usize) -> usize {
    offset.saturating_add(3) & !3
}

/// UTF-16 up to its NUL.
fn text(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
    let units = units.take(MAX_UNITS).take_while(|unit| *unit != 0);
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
