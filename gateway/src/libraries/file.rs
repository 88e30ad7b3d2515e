//! What a library's file shows before anything is loaded: the runtime that it needs, and what would keep it from loading.

use std::path::Path;

use bridge32_image::dependencies;
use bridge32_image::diagnose::{Finding, Wanted, dependency_findings, diagnose};
use bridge32_image::{Image, search};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Fault;

use super::load_failed;

/// The kind of process that a file needs.
///
/// # Errors
/// It cannot be read, is no library, or is not for the configured runtime.
pub(super) fn target(path: &Path, configured: Option<Target>) -> Result<Target, Fault> {
    let failed = |why: &dyn std::fmt::Display| load_failed(sentence(&format!("{}: {why}", path.display())));
    let image = Image::open(path).map_err(|error| load_failed(sentence(&error.naming(&path.display().to_string()))))?;
    let own = image.runtime().and_then(|name| Target::ALL.into_iter().find(|target| target.name() == name));
    let wanted = configured.or(own).and_then(|target| Some((target, Wanted::by_runtime(target.name())?)));
    let Some((target, wanted)) = wanted else {
        let why = format!("the file is for {}, and no runtime of bridge32 can load that", image.architecture);
        return Err(failed(&why));
    };
    match diagnose(&image, wanted).into_iter().find(Finding::is_fatal) {
        Some(finding) => Err(failed(&finding)),
        None => Ok(target),
    }
}

/// What to do about a library that a file needs and that is missing.
pub fn remedy(missing: &str, target: Option<Target>) -> String {
    let runtime = target.map_or_else(|| "…".to_owned(), |target| target.to_string());
    let bits = if runtime.ends_with("32") { "32-bit" } else { "64-bit" };
    format!(
        "put the {bits} {missing} beside the library, or name its folder: [runtime.{runtime}] env = {{ LD_LIBRARY_PATH = \"FOLDER\" }}; \
         if it comes with the system: apt-file search {missing}"
    )
}

/// What is missing among the libraries that an ELF file needs, looked for as an agent of this host would with
/// `library_path`; for Windows libraries only the agent knows the folders.
pub fn missing(path: &Path, library_path: Option<&str>) -> Vec<Finding> {
    let Ok(image) = Image::open(path) else { return Vec::new() };
    if image.format != bridge32_image::Format::Elf {
        return Vec::new();
    }
    let folders: Vec<&str> = library_path.into_iter().flat_map(|list| list.split(':')).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let report = dependencies::check(&image, &name, Some(path), &search::linux(folders));
    dependency_findings(report)
}

fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}
