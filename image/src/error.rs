//! Why a file could not be read as a library, and what a person can do about it.

use std::io;
use std::path::PathBuf;

use crate::looks::Looks;

/// A file that could not be read as a PE or ELF file.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The system refused to open or read the file.
    #[error("{path}: {source}{}", hint(.source), path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path names a folder, a pipe or a device.
    #[error("{} is not a regular file; give the path of the library itself", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is larger than any library.
    #[error("{} has {size} bytes; more than {limit} is not read as a library", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The largest size in bytes that is read.
        limit: u64,
    },
    /// The file is something else.
    #[error("this is not a library: {looks}")]
    NotALibrary {
        /// What it looks like.
        looks: Looks,
    },
    /// The file ends before what its own header announces.
    #[error(
        "the file is cut off: {what} should reach to byte {needed}, but the file has {size}; \
         copy or download it again, in binary mode"
    )]
    Truncated {
        /// The part that is missing.
        what: &'static str,
        /// Where that part ends, in bytes from the start of the file.
        needed: u64,
        /// The size of the file in bytes.
        size: u64,
    },
    /// The file contradicts itself.
    #[error("the file is damaged: {what}{}; get an intact copy from where it came", place(.at))]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where, as a file offset or an address in the image, if there is one place.
        at: Option<u64>,
    },
    /// The file may be valid, but exceeds what is read here.
    #[error("this file cannot be handled: {what}")]
    Unsupported {
        /// What is not supported.
        what: &'static str,
    },
}

impl ImageError {
    pub(crate) fn malformed(what: &'static str) -> Self {
        Self::Malformed { what, at: None }
    }

    pub(crate) fn malformed_at(what: &'static str, at: impl Into<u64>) -> Self {
        Self::Malformed { what, at: Some(at.into()) }
    }

    /// The error as a sentence that names the file, once.
    pub fn naming(&self, file: &str) -> String {
        match self {
            Self::Unreadable { .. } | Self::NotAFile { .. } | Self::TooLarge { .. } => self.to_string(),
            _ => format!("{file}: {self}"),
        }
    }

    /// A stable word for the kind of error, for JSON: `unreadable`, `not_a_file`, `too_large`, `not_a_library`,
    /// `truncated`, `malformed`, `unsupported`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::NotAFile { .. } => "not_a_file",
            Self::TooLarge { .. } => "too_large",
            Self::NotALibrary { .. } => "not_a_library",
            Self::Truncated { .. } => "truncated",
            Self::Malformed { .. } => "malformed",
            Self::Unsupported { .. } => "unsupported",
        }
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "; check the path (a relative one starts at the folder of the configuration file)",
        io::ErrorKind::PermissionDenied => "; give the user that runs bridge32 the right to read it",
        _ => "",
    }
}

#[expect(clippy::ref_option, reason = "thiserror hands out references to fields")]
fn place(at: &Option<u64>) -> String {
    at.map(|at| format!(" (at {at:#x})")).unwrap_or_default()
}
