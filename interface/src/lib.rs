//! Reads C headers: prototypes, typedefs, enumerations and constants become a [`bridge32_protocol::interface::Interface`].
//!
//! Pure: the input is bytes that somebody else has read. Nothing that cannot be understood stops the rest; it becomes
//! a [`Diagnostic`].

pub mod report;

use bridge32_protocol::interface::{Encoding, Interface};
use bridge32_protocol::target::Target;

pub use report::{Assumption, Diagnostic, Severity, Topic};

/// One header file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file's name, for diagnostics.
    pub name: &'a str,
    /// Its bytes, in any encoding that C files come in.
    pub text: &'a [u8],
}

/// What the header is read for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides which macros a compiler would have predefined (`_WIN32`, `__i386__`, …).
    pub target: Target,
    /// More macros, as with `-D name=value`.
    pub definitions: Vec<(String, String)>,
    /// How `char` strings are encoded where the header does not say.
    pub default_encoding: Encoding,
}

impl Options {
    /// UTF-8 strings and no definitions beyond those of the target's compilers.
    pub fn new(target: Target) -> Self {
        Self { target, definitions: Vec::new(), default_encoding: Encoding::Utf8 }
    }
}

/// What was read, and what a person should look at.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// The functions, enumerations and constants.
    pub interface: Interface,
    /// What was not understood, in the order of the sources.
    pub diagnostics: Vec<Diagnostic>,
    /// What the header does not say and was therefore assumed, in the order of the functions.
    pub assumptions: Vec<Assumption>,
}

/// Reads the headers of one library, as if each included the ones before it.
pub fn read(sources: &[Source], options: &Options) -> Header {
    let _ = (sources, options);
    Header::default()
}

/// Reads one prototype, such as `int __stdcall f(int a)`, with or without the semicolon.
///
/// # Errors
/// The diagnostics, where there is an error among them or the text does not declare exactly one function.
pub fn prototype(text: &str, options: &Options) -> Result<Interface, Vec<Diagnostic>> {
    let _ = (text, options);
    Err(Vec::new())
}
