//! Reads C headers: prototypes, typedefs, enumerations and constants become a [`bridge32_protocol::interface::Interface`].
//!
//! Pure: the input is bytes that somebody else has read. Nothing that cannot be understood stops the rest; it becomes
//! a [`Diagnostic`].
//!
//! The way of a header: its bytes become text (`source`) and tokens (`lexer`); directives and macros are carried out
//! (`preprocess`, `macros`, with what compilers predefine from `predefined`); annotations and conventions are taken out
//! and kept beside (`annotations`, `sal`); the rest is split into declarations (`chunks`), freed of unknown macros
//! (`noise`) and parsed by tree-sitter (`tree`; `mistakes` tells what is wrong with one that it
//! refuses). `declarations`, `declarators` and `structures` walk the trees (`reach` has which words
//! speak of which function) with the
//! `types` known so far (those of system headers are in `builtin` and `windows`). When all is read, since a structure may
//! be completed late, `functions` joins each prototype (`prototypes`) with its comment (`comments`, `doxygen`, `tags`);
//! `parameters` decides how each parameter is passed, `pointees` and `text` what lies behind it, `extents` and `lengths` how much (where nothing
//! says it, `guesses`, by the names in `counts` and by what `usage` tells of all functions), `signatures` and
//! `members` the same for callbacks and structures, and `unsupported` has every reason why something cannot be passed. What
//! was stated and what was assumed on the way are `findings`. Of an interface, `needs` says what a request has to have, and
//! `schema` all that it may have; `places` tells what stands where in a call's JSON; `sensitive` marks the values that must not be repeated, and `redact` takes them out.
//! Every token knows its place, also behind macros, so diagnostics do.

mod annotations;
mod attributes;
mod builtin;
mod characters;
mod chunks;
mod comments;
mod constants;
mod counts;
mod declarations;
mod declarators;
mod documentation;
mod doxygen;
mod enumerations;
mod expression;
mod extents;
mod findings;
mod functions;
mod guesses;
mod lengths;
mod lexer;
mod macros;
mod markup;
mod members;
mod mistakes;
pub mod needs;
mod noise;
mod packing;
mod parameters;
pub mod places;
mod pointees;
mod predefined;
mod preprocess;
mod prototypes;
mod reach;
pub mod redact;
pub mod report;
mod sal;
pub mod schema;
pub mod sensitive;
mod signatures;
mod source;
mod structures;
mod tag_values;
mod tags;
mod text;
mod tree;
mod types;
mod unsupported;
mod usage;
mod variables;
mod windows;

use bridge32_protocol::interface::{Encoding, Interface};
use bridge32_protocol::target::Target;

pub use report::{Diagnostic, Finding, Guess, Severity, Topic};

use comments::Comments;
use declarations::Reader;
use findings::Findings;
use report::Reporter;
use source::Files;
use types::Types;

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
    pub assumptions: Vec<Finding>,
    /// What it does say of the same things, in the order of the functions.
    pub statements: Vec<Finding>,
}

/// The text of a header, in any encoding that C files come in: the lines that diagnostics and findings name are its lines.
pub fn text(header: &[u8]) -> String {
    source::text(header)
}

/// Reads the headers of one library, as if each included the ones before it.
pub fn read(sources: &[Source], options: &Options) -> Header {
    read_functions(sources, None, options)
}

/// The same; `of` is the only file whose functions and variables are wanted.
fn read_functions(sources: &[Source], of: Option<usize>, options: &Options) -> Header {
    let files = Files::new(sources);
    let prelude = predefined::prelude(options);
    let mut reporter = Reporter::default();
    let preprocessed = preprocess::preprocess(&files, &prelude, options, &mut reporter);
    let mut macros = preprocessed.macros;
    let unicode = ["UNICODE", "_UNICODE"].iter().any(|name| macros.get(name).is_some());
    let mut types = Types::new(options.target, unicode);
    if options.target == Target::Win32 && macros.get("_USE_32BIT_TIME_T").is_some() {
        types.shorten_time();
    }
    let has_64 = |name: &str| macros.get(name).is_some_and(|found| matches!(&*found.body, [bits] if bits.text == "64"));
    match options.target {
        Target::Linux32 => types.widen(has_64("_FILE_OFFSET_BITS"), has_64("_TIME_BITS")),
        Target::Win32 | Target::Win64 if has_64("_FILE_OFFSET_BITS") => {
            types.refuse("off_t", "with _FILE_OFFSET_BITS=64 it has 64 bits for MinGW and 32 for Microsoft's compiler");
        }
        _ => {}
    }
    let system = windows::declarations(&preprocessed.tokens, unicode);
    let annotated = annotations::annotate(preprocessed.tokens, &mut reporter);
    let chunks = chunks::split(annotated, &mut reporter);
    let comments = Comments::new(&preprocessed.comments, &files);
    let mut reader = Reader::new(types, &files, &comments, options, &mut reporter);
    for chunk in system.into_iter().chain(chunks) {
        reader.read(chunk);
    }
    let (interface, findings) = reader.finish(of, &mut macros);
    let Findings { assumptions, statements } = findings;
    Header { interface, diagnostics: reporter.finish(&files), assumptions, statements }
}

/// Reads one prototype, such as `int __stdcall f(int a)`, with or without the semicolon. The types that it needs may be
/// declared before it.
///
/// # Errors
/// The diagnostics, where there is an error among them or the text does not declare exactly one function.
pub fn prototype(text: &str, options: &Options) -> Result<Interface, Vec<Diagnostic>> {
    prototype_after(&[], text, options)
}

/// The same, where the types, constants and macros of these headers are known. What is wrong in the headers does not matter.
///
/// # Errors
/// Those of [`prototype`].
pub fn prototype_after(headers: &[Source], text: &str, options: &Options) -> Result<Interface, Vec<Diagnostic>> {
    let closed = format!("{text}\n;");
    let source = Source { name: PROTOTYPE, text: closed.as_bytes() };
    let sources = [headers, &[source]].concat();
    let Header { interface, mut diagnostics, .. } = read_functions(&sources, Some(headers.len()), options);
    diagnostics.retain(|diagnostic| diagnostic.file == PROTOTYPE);
    let errors = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    if !errors && interface.functions.len() == 1 {
        return Ok(interface);
    }
    if !errors {
        let message = match interface.functions.len() {
            0 => "this declares no function: write it as in C, such as `int __stdcall f(int a)`".to_owned(),
            count => format!("this declares {count} functions: give one at a time"),
        };
        let file = PROTOTYPE.to_owned();
        let source_line = text.lines().next().unwrap_or_default().to_owned();
        diagnostics.push(Diagnostic { severity: Severity::Error, file, line: 1, column: 1, source_line, message });
    }
    // A bracket that a header leaves open would swallow a prototype that is good by itself.
    if headers.is_empty() { Err(diagnostics) } else { prototype(text, options).map_err(|_| diagnostics) }
}

/// The name of the text in the diagnostics about it.
const PROTOTYPE: &str = "prototype";
