//! What a person should know of an interface before calling it: what can be called, what was assumed, what is missing.

use std::time::Duration;

use bridge32_interface::{Diagnostic, Finding, Header, Severity};
use bridge32_protocol::interface::{Direction, Function};
use bridge32_protocol::target::Target;
use serde::Serialize;

use crate::cli::words::Words;
use crate::libraries::coverage::Coverage;

/// What is looked at.
pub(in crate::cli) struct Subject<'a> {
    /// What the summary calls it: the header, or the library.
    pub(in crate::cli) name: String,
    /// The headers' files.
    pub(in crate::cli) headers: Vec<String>,
    /// What they were read for.
    pub(in crate::cli) target: Target,
    /// What was read.
    pub(in crate::cli) header: &'a Header,
    /// How long that took.
    pub(in crate::cli) took: Duration,
    /// The library's file, and what it and the headers say of each other.
    pub(in crate::cli) coverage: Option<(String, Coverage)>,
}

/// The review; as JSON, all of it.
#[derive(Serialize)]
pub(in crate::cli) struct Review<'a> {
    pub(super) name: String,
    headers: Vec<String>,
    /// That these are not the header files of the configuration, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replacement: Option<String>,
    pub(super) target: Target,
    /// The library's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    pub(in crate::cli) summary: Summary,
    pub(super) functions: Vec<Reviewed<'a>>,
    /// Declarations that the file does not export, and the reverse; absent if there is no file to look into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) coverage: Option<Coverage>,
    pub(super) diagnostics: &'a [Diagnostic],
    /// How many variables they declare.
    #[serde(skip)]
    variables: usize,
}

/// The numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Summary {
    pub(in crate::cli) functions: usize,
    pub(in crate::cli) callable: usize,
    pub(in crate::cli) assumptions: usize,
    pub(in crate::cli) statements: usize,
    pub(in crate::cli) errors: usize,
    pub(in crate::cli) warnings: usize,
    pub(in crate::cli) milliseconds: u64,
}

/// One function.
#[derive(Serialize)]
pub(super) struct Reviewed<'a> {
    pub(super) name: &'a str,
    pub(super) declaration: &'a str,
    /// The header that it is in, and the line.
    pub(super) file: &'a str,
    pub(super) line: u32,
    pub(super) callable: bool,
    /// Why it cannot be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Calling it twice does no harm.
    pub(super) idempotent: bool,
    pub(super) parameters: Vec<Passed<'a>>,
    pub(super) result: String,
    pub(super) assumptions: Vec<&'a Finding>,
    pub(super) statements: Vec<&'a Finding>,
}

/// How one parameter is passed.
#[derive(Serialize)]
pub(super) struct Passed<'a> {
    pub(super) name: &'a str,
    pub(super) direction: Direction,
    pub(super) optional: bool,
    /// What it is in JSON, in words.
    pub(super) json: String,
}

impl<'a> Review<'a> {
    /// Looks at all of it.
    pub(in crate::cli) fn new(subject: Subject<'a>) -> Self {
        let Subject { name, headers, target, header, took, coverage } = subject;
        let (file, coverage) = coverage.unzip();
        let words = Words { interface: &header.interface, target };
        let review = |function: &'a Function| Reviewed::new(function, header, words, coverage.as_ref());
        let functions: Vec<Reviewed> = header.interface.functions.iter().map(review).collect();
        let severe = |wanted| header.diagnostics.iter().filter(|found| found.severity == wanted).count();
        let summary = Summary {
            functions: functions.len(),
            callable: functions.iter().filter(|function| function.callable).count(),
            assumptions: header.assumptions.len(),
            statements: header.statements.len(),
            errors: severe(Severity::Error),
            warnings: severe(Severity::Warning),
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        let (diagnostics, variables) = (&header.diagnostics[..], header.interface.variables.len());
        Self { name, headers, replacement: None, target, file, summary, functions, coverage, diagnostics, variables }
    }

    /// Whether there is nothing in the headers that could be used.
    pub(in crate::cli) fn declares_nothing(&self) -> bool {
        self.functions.is_empty() && self.variables == 0
    }

    /// Whether the headers are those of another library.
    pub(in crate::cli) fn is_of_another_library(&self) -> bool {
        self.coverage.as_ref().is_some_and(Coverage::is_of_another_library)
    }
}

impl<'a> Reviewed<'a> {
    fn new(function: &'a Function, header: &'a Header, words: Words, coverage: Option<&Coverage>) -> Self {
        let names: Vec<&str> = function.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let unexported = || {
            let missing = coverage?.unexported.iter().find(|missing| missing.name == function.name)?;
            Some(missing.reason())
        };
        let reason = function.unsupported.clone().or_else(unexported);
        let parameters = function.parameters.iter().map(|parameter| Passed {
            name: &parameter.name,
            direction: parameter.direction,
            optional: parameter.optional,
            json: words.of(&parameter.ty, &names),
        });
        Self {
            name: &function.name,
            declaration: &function.declaration,
            file: &function.file,
            line: function.line,
            callable: reason.is_none(),
            reason,
            idempotent: function.idempotent,
            parameters: parameters.collect(),
            result: words.of(&function.result, &names),
            assumptions: header.assumptions.iter().filter(|found| found.function == function.name).collect(),
            statements: header.statements.iter().filter(|found| found.function == function.name).collect(),
        }
    }
}
