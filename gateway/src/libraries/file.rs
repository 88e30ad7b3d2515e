//! What a library's file shows before anything is loaded: its architecture, and what would keep it from loading.

use std::path::Path;

use bridge32_image::Image;
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Fault;

use super::load_failed;

/// The kind of process that a file needs.
///
/// # Errors
/// It cannot be read, is no library, or is not for the configured runtime.
pub(super) fn target(path: &Path, configured: Option<Target>) -> Result<Target, Fault> {
    let image = Image::open(path).map_err(|error| load_failed(format!("{}: {error}.", path.display())))?;
    let found = image.runtime().and_then(|name| Target::ALL.into_iter().find(|target| target.name() == name));
    let Some(found) = found else {
        let architecture = image.architecture;
        return Err(load_failed(format!("{} is made for {architecture}, which no runtime is.", path.display())));
    };
    Ok(configured.unwrap_or(found))
}

/// What is missing among the libraries that a file needs, in words.
pub(super) fn missing(_path: &Path, _target: Option<Target>) -> Option<String> {
    None
}
