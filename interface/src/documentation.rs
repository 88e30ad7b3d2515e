//! What a documentation comment says of a function, a parameter or a member.

use bridge32_protocol::interface::{Direction, Encoding, ExportName};

/// What a comment says of a function.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Documentation {
    pub(crate) description: String,
    pub(crate) result: String,
    pub(crate) parameters: Vec<ParameterDocumentation>,
    /// `@encoding` of all strings.
    pub(crate) encoding: Option<Encoding>,
    /// `@encoding` of the result.
    pub(crate) result_encoding: Option<Encoding>,
    /// The tags that speak of a parameter or the result.
    pub(crate) tags: Vec<Tag>,
    pub(crate) export: Option<ExportName>,
    pub(crate) lossy: bool,
    pub(crate) idempotent: bool,
    pub(crate) deadline_ms: Option<u64>,
    /// What was wrong.
    pub(crate) problems: Vec<String>,
}

/// What a comment says of a parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ParameterDocumentation {
    pub(crate) name: String,
    pub(crate) direction: Option<Direction>,
    pub(crate) text: String,
    pub(crate) encoding: Option<Encoding>,
}

/// A tag that says something of a parameter or the result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tag {
    pub(crate) kind: TagKind,
    /// What it stands with.
    pub(crate) subject: Subject,
    /// What follows it.
    pub(crate) text: String,
}

/// Which tag it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TagKind {
    Length,
    Frees,
    Releases,
    Handle,
    Sensitive,
}

impl TagKind {
    /// The tag of a command.
    pub(crate) fn of(command: &str) -> Option<Self> {
        Some(match command {
            "length" => Self::Length,
            "frees" => Self::Frees,
            "releases" => Self::Releases,
            "handle" => Self::Handle,
            "sensitive" => Self::Sensitive,
            _ => return None,
        })
    }

    /// The command.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Length => "@length",
            Self::Frees => "@frees",
            Self::Releases => "@releases",
            Self::Handle => "@handle",
            Self::Sensitive => "@sensitive",
        }
    }
}

/// What a tag stands with in its comment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Subject {
    Whole,
    Parameter(String),
    Result,
}

impl Documentation {
    /// What it says of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&ParameterDocumentation> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// The same, to add to it.
    pub(crate) fn parameter_mut(&mut self, name: &str) -> &mut ParameterDocumentation {
        let index = self.parameters.iter().position(|parameter| parameter.name == name).unwrap_or_else(|| {
            self.parameters.push(ParameterDocumentation { name: name.to_owned(), ..Default::default() });
            self.parameters.len() - 1
        });
        &mut self.parameters[index]
    }
}

/// The tag of ours that a word nearly is: with letters swapped, or one too many or too few.
pub(crate) fn misspelt(word: &str) -> Option<&'static str> {
    const OURS: [&str; 11] = [
        "length",
        "encoding",
        "lossy",
        "handle",
        "frees",
        "releases",
        "export",
        "ordinal",
        "idempotent",
        "deadline",
        "sensitive",
    ];
    let sorted = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let without_one = |long: &str, short: &str| {
        let same = |(index, _): (usize, char)| {
            long.chars().enumerate().filter(|(i, _)| *i != index).map(|(_, c)| c).eq(short.chars())
        };
        long.chars().enumerate().any(same)
    };
    OURS.into_iter().find(|ours| sorted(ours) == sorted(word) || without_one(ours, word) || without_one(word, ours))
}
