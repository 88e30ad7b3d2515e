//! The headers that a command line names, and what they are read for.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bridge32_image::Image;
use bridge32_interface::{Header, Options, Source};
use bridge32_protocol::interface::Encoding;
use bridge32_protocol::target::Target;

use super::Failed;
use crate::config;

/// Headers, read.
pub(super) struct Read {
    pub(super) header: Header,
    /// How long it took, without the disk.
    pub(super) took: Duration,
}

/// Reads the headers of one library, in order.
///
/// # Errors
/// One of them cannot be read.
pub(super) fn read(files: &[PathBuf], options: &Options) -> Result<Read, Failed> {
    let text = |file: &PathBuf| {
        let text = std::fs::read(file)
            .map_err(|error| Failed::problem(format!("cannot read the header {}: {error}", file.display())))?;
        Ok((shown(file), text))
    };
    let texts = files.iter().map(text).collect::<Result<Vec<_>, Failed>>()?;
    let sources: Vec<Source> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    let start = Instant::now();
    let header = bridge32_interface::read(&sources, options);
    Ok(Read { header, took: start.elapsed() })
}

/// Opens the library that a command line names.
///
/// # Errors
/// It is not there, or no library.
pub(super) fn library(file: &Path) -> Result<Image, Failed> {
    if !file.exists() {
        return Err(Failed::problem(format!("there is no file {}", file.display())));
    }
    Image::open(file).map_err(|error| Failed::problem(error.naming(&file.display().to_string())))
}

/// How a header is named to people.
pub(super) fn shown(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The value of `--target`.
pub(super) fn target(name: &str) -> Result<Target, String> {
    let known = || Target::ALL.map(Target::name).join(", ");
    Target::ALL.into_iter().find(|target| target.name() == name).ok_or_else(|| format!("it is one of {}", known()))
}

/// The value of `--encoding`.
pub(super) fn encoding(label: &str) -> Result<Encoding, String> {
    config::encoding(label)
}

/// The value of `-D`: `NAME=VALUE`, or `NAME` for 1 as compilers have it.
pub(super) fn definition(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, "1"));
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    if name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit()) {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err("it is NAME or NAME=VALUE, and a name has letters, digits and `_`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_as_compilers_take_them() {
        assert_eq!(definition("A=2"), Ok(("A".into(), "2".into())));
        assert_eq!(definition("A"), Ok(("A".into(), "1".into())));
        assert_eq!(definition("A="), Ok(("A".into(), String::new())));
        assert!(definition("2A=1").is_err() && definition("=1").is_err());
    }

    #[test]
    fn targets_and_encodings_are_those_of_the_configuration() {
        assert_eq!(target("win32"), Ok(Target::Win32));
        assert!(target("win23").unwrap_err().contains("linux32, win32"));
        assert_eq!(encoding("ansi"), Ok(Encoding::Ansi));
        assert!(encoding("klingon").is_err());
    }
}
