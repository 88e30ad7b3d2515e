//! Where loaders look for libraries: resolvers for [`crate::dependencies::check`] that read folders.

use std::path::{Path, PathBuf};

use crate::dependencies::Found;
use crate::model::Image;
use crate::parse::read;

mod linux;
mod windows;

pub use linux::{Linux, linux};
pub use windows::{Windows, is_api_set, windows};

/// The library at `path`, which exists.
fn open(path: PathBuf) -> Found {
    match load(&path) {
        Ok(image) => Found::Library { image: Box::new(image), path: Some(path) },
        Err(error) => Found::Unreadable { path, reason: error.to_string() },
    }
}

fn load(path: &Path) -> Result<Image, crate::error::ImageError> {
    Image::parse_without_exports(&read(path)?)
}
