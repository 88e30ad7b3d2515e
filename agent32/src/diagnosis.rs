//! Why a library cannot be loaded, in words that say what to do next.

use std::path::Path;

use bridge32_image::dependencies::{self, Report};
use bridge32_image::diagnose::{self, Finding, Wanted};
use bridge32_image::{Image, search};
use bridge32_protocol::wire::{Fault, FaultCode};

use crate::layout::HOST;
use crate::platform::{LoadError, library_folders};

/// Reads the file itself.
///
/// # Errors
/// [`FaultCode::LoadFailed`] when it cannot be read, or is no library at all.
pub fn inspect(file: &str) -> Result<Image, Fault> {
    Image::open(Path::new(file)).map_err(|error| failed(error.naming(file)))
}

/// Refuses what this process could never load, before the system's loader sees it.
///
/// # Errors
/// [`FaultCode::LoadFailed`], for example for another architecture or a .NET assembly.
pub fn refuse_impossible(file: &str, image: &Image) -> Result<(), Fault> {
    let Some(wanted) = Wanted::by_runtime(HOST.name()) else { return Ok(()) };
    let findings = diagnose::diagnose(image, wanted);
    match told(findings.iter().filter(|finding| finding.is_fatal())) {
        None => Ok(()),
        Some(reasons) => Err(failed(format!("{file} cannot be loaded: {reasons}"))),
    }
}

/// Puts the loader's refusal into words. The loader itself says little (on Windows a number), so the files are asked
/// whether all that the library needs is there.
pub fn explain(file: &str, image: &Image, error: &LoadError) -> Fault {
    let number = error.number.map_or(String::new(), |number| format!(" (error {number}{})", windows_name(number)));
    let mut detail =
        format!("{file} could not be loaded: {}{number}", error.message.trim_end_matches(['.', '\n', '\r']));
    let missing = diagnose::dependency_findings(check_dependencies(Path::new(file), image));
    let advice = error.number.and_then(advice).map(str::to_owned);
    for sentence in told(missing.iter().filter(|finding| finding.is_fatal())).into_iter().chain(advice) {
        detail.push_str(". ");
        let mut characters = sentence.chars();
        detail.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        detail.push_str(characters.as_str());
    }
    failed(detail)
}

fn check_dependencies(file: &Path, image: &Image) -> Report {
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let folders = library_folders(file);
    if HOST.is_windows() {
        dependencies::check(image, &name, Some(file), &search::windows(folders))
    } else {
        dependencies::check(image, &name, Some(file), &search::linux(folders))
    }
}

fn told<'a>(findings: impl Iterator<Item = &'a Finding>) -> Option<String> {
    let sentences: Vec<String> = findings.map(ToString::to_string).collect();
    (!sentences.is_empty()).then(|| sentences.join(". "))
}

/// What people find when they search for the number.
const fn windows_name(number: i32) -> &'static str {
    match number {
        126 => ", ERROR_MOD_NOT_FOUND",
        127 => ", ERROR_PROC_NOT_FOUND",
        193 => ", ERROR_BAD_EXE_FORMAT",
        1114 => ", ERROR_DLL_INIT_FAILED",
        _ => "",
    }
}

const fn advice(number: i32) -> Option<&'static str> {
    match number {
        127 => Some("A library that it needs is there, but in a version without a function that it calls"),
        1114 => Some(
            "Its own initialisation (DllMain) refused: it may want a licence, a device, a registry entry or a file beside \
             it; what it printed stands in the agent's output",
        ),
        _ => None,
    }
}

const fn failed(detail: String) -> Fault {
    Fault { code: FaultCode::LoadFailed, detail, pointer: None, ran: false }
}
