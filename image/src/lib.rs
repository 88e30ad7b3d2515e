//! Reads library files, Windows PE and Linux ELF, without running them: exports, dependencies, architecture, and why a
//! file cannot be loaded.
//!
//! [`Image::parse`] takes any bytes and never panics; hostile counts and sizes are bounded. [`Image::open`], [`search`] and
//! [`fingerprint`] are what touches the file system.
//!
//! - [`lookup::find`] finds the export that a C name means, decorated or not.
//! - [`diagnose::diagnose`] says why a process of a given kind cannot load the file.
//! - [`dependencies::check`] finds what is missing among the libraries it needs, with [`search`] to look in folders.

mod architecture;
mod budget;
pub mod decoration;
pub mod demangle;
pub mod dependencies;
pub mod diagnose;
mod elf;
mod error;
pub mod fingerprint;
mod looks;
pub mod lookup;
mod model;
mod parse;
mod pe;
pub mod search;
pub mod text;

pub use architecture::{Architecture, UnknownArchitecture};
pub use decoration::{Convention, Decoration};
pub use error::ImageError;
pub use looks::Looks;
pub use model::{Dependency, Dotnet, Export, ExportKind, Format, Forwarder, ForwarderTarget, Image, Kind, Version};
pub use parse::{MAX_FILE_SIZE, read};
