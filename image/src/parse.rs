//! From bytes or a path to an [`Image`].

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::ImageError;
use crate::looks::Looks;
use crate::model::Image;
use crate::{elf, pe};

/// Largest file that is read, in bytes.
pub const MAX_FILE_SIZE: u64 = 512 * 1024 * 1024;

/// How much of a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of it.
    Everything,
    /// Only what decides whether it can be loaded: no exports.
    Dependencies,
}

impl Image {
    /// Reads the bytes of a PE or ELF file. Any bytes may be given.
    ///
    /// # Errors
    /// [`ImageError`] if the bytes are something else, cut off or damaged.
    pub fn parse(data: &[u8]) -> Result<Self, ImageError> {
        parse(data, Scope::Everything)
    }

    /// Like [`Image::parse`], but leaves the exports out, which is quicker for large libraries.
    ///
    /// # Errors
    /// As [`Image::parse`].
    pub fn parse_without_exports(data: &[u8]) -> Result<Self, ImageError> {
        parse(data, Scope::Dependencies)
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// As [`Image::parse`] and [`read`].
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        Self::parse(&read(path)?)
    }
}

fn parse(data: &[u8], scope: Scope) -> Result<Image, ImageError> {
    if data.starts_with(b"MZ") {
        pe::parse(data, scope)
    } else if data.starts_with(b"\x7fELF") {
        elf::parse(data, scope)
    } else {
        Err(ImageError::NotALibrary { looks: Looks::of(data) })
    }
}

/// The bytes of the regular file at `path`, at most [`MAX_FILE_SIZE`].
///
/// # Errors
/// [`ImageError::Unreadable`], [`ImageError::NotAFile`] or [`ImageError::TooLarge`].
pub fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    let unreadable = |source| ImageError::Unreadable { path: path.to_owned(), source };
    // Asked before opening: opening a named pipe waits for a writer.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(ImageError::NotAFile { path: path.to_owned() });
    }
    let too_large = |size| ImageError::TooLarge { path: path.to_owned(), size, limit: MAX_FILE_SIZE };
    if metadata.len() > MAX_FILE_SIZE {
        return Err(too_large(metadata.len()));
    }
    let mut data = Vec::new();
    let expected = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    data.try_reserve_exact(expected).map_err(|_| too_large(metadata.len()))?;
    // The file may have grown since.
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_SIZE).read_to_end(&mut data).map_err(unreadable)?;
    Ok(data)
}
