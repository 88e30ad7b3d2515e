//! What reading a header tells people: diagnostics with a place in the file, and what was stated or assumed of functions.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::source::{Files, Position};

/// Something in a header that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Whether something is missing from the interface because of it.
    pub severity: Severity,
    /// The name of the file, as given in [`crate::Source::name`].
    pub file: String,
    /// The line, 1 is the first.
    pub line: u32,
    /// The column in characters, 1 is the first.
    pub column: u32,
    /// That line's text.
    pub source_line: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A declaration is missing from the interface, or is not what the header says.
    Error,
    /// The interface is complete, but something was left out of account.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Diagnostic {
    /// As compilers print it: place, message, the line, and a mark under the column. No line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, file, line, column, source_line, message } = self;
        writeln!(f, "{file}:{line}:{column}: {severity}: {message}")?;
        let number = line.to_string();
        writeln!(f, "  {number} | {source_line}")?;
        // Tabs stay tabs, so that the mark stands under its character however wide they are shown.
        let before = usize::try_from(column.saturating_sub(1)).unwrap_or_default();
        let indent: String = source_line.chars().take(before).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        write!(f, "  {:width$} | {indent}^", "", width = number.len())
    }
}

/// Something of a function that the header states, or that was assumed because it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The function.
    pub function: String,
    /// Its parameter; `None` for the function or its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What it is about.
    pub what: Topic,
    /// What is stated and by what, or what was assumed and why.
    pub text: String,
    /// What was taken to lie behind the pointer, if that was assumed.
    #[serde(skip)]
    pub guess: Option<Guess>,
    /// The name of the file, as given in [`crate::Source::name`].
    pub file: String,
    /// The line of it that says so, or that leaves it open; 1 is the first.
    pub line: u32,
}

/// What a [`Finding`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Which way the data behind a pointer goes.
    Direction,
    /// How much lies behind a pointer.
    Length,
    /// How the characters of a string are encoded.
    Encoding,
    /// The calling convention.
    Convention,
    /// Who frees what a function returns.
    Ownership,
}

/// What a pointer of which nothing says how much it points to is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// A string that ends with a NUL.
    Text,
    /// The address of something that only the library looks at.
    Handle,
    /// One value.
    One,
}

/// Collects diagnostics while the places are still offsets.
#[derive(Default)]
pub(crate) struct Reporter {
    items: Vec<(Severity, Position, String)>,
    seen: HashSet<String>,
}

/// How many diagnostics are kept: whoever gets that many looks at the first.
const MAX_DIAGNOSTICS: usize = 500;

impl Reporter {
    /// Something is missing or wrong in the interface.
    pub(crate) fn error(&mut self, at: Position, message: impl Into<String>) {
        self.push(Severity::Error, at, message.into());
    }

    /// Something was left out of account.
    pub(crate) fn warning(&mut self, at: Position, message: impl Into<String>) {
        self.push(Severity::Warning, at, message.into());
    }

    /// The same, unless it has been said of another place.
    pub(crate) fn warning_once(&mut self, at: Position, message: impl Into<String>) {
        let message = message.into();
        if self.seen.insert(message.clone()) {
            self.warning(at, message);
        }
    }

    fn push(&mut self, severity: Severity, at: Position, message: String) {
        // The type of a callback is looked at for each function that takes one.
        if self.items.iter().any(|(_, place, said)| (*place, said) == (at, &message)) {
            return;
        }
        if self.items.len() < MAX_DIAGNOSTICS {
            self.items.push((severity, at, message));
        } else if self.items.len() == MAX_DIAGNOSTICS {
            let message = format!("there are more than {MAX_DIAGNOSTICS} diagnostics; this is the last one shown");
            self.items.push((severity, at, message));
        }
    }

    /// The diagnostics in the order of the files.
    pub(crate) fn finish(mut self, files: &Files) -> Vec<Diagnostic> {
        self.items.sort_by_key(|item| item.1);
        self.items.into_iter().map(|(severity, at, message)| files.diagnostic(severity, at, message)).collect()
    }
}
