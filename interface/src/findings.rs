//! What the header states of a parameter or a result, and what is assumed where it does not: collected while it is decided
//! how something is passed, and then given a function and a place.

use bridge32_protocol::interface::{Direction, Release};

use crate::parameters::Declared;
use crate::report::{Finding, Guess, Topic};
use crate::sal::Sal;
use crate::source::{Files, Position};

/// What was found out of one parameter, result or callback.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) assumed: Vec<Note>,
    pub(crate) stated: Vec<Note>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) what: Topic,
    pub(crate) text: String,
    /// What was taken to lie behind a pointer.
    pub(crate) guess: Option<Guess>,
    /// Where the header says it; `None` for the place of what it is said of.
    pub(crate) at: Option<Position>,
}

impl Notes {
    /// Nothing says it.
    pub(crate) fn assume(&mut self, what: Topic, text: impl Into<String>) {
        add(&mut self.assumed, Note { what, text: text.into(), guess: None, at: None });
    }

    /// Nothing says how much lies behind a pointer.
    pub(crate) fn guess(&mut self, guess: Guess, text: impl Into<String>) {
        add(&mut self.assumed, Note { what: Topic::Length, text: text.into(), guess: Some(guess), at: None });
    }

    /// The declaration, an annotation or the comment says it.
    pub(crate) fn state(&mut self, what: Topic, text: impl Into<String>, at: Option<Position>) {
        add(&mut self.stated, Note { what, text: text.into(), guess: None, at });
    }

    /// Takes over what was found out of a callback's parameter.
    pub(crate) fn of_callback(&mut self, parameter: &str, inner: Notes) {
        let told = |note: Note| Note { text: format!("its parameter “{parameter}”: {}", note.text), ..note };
        self.assumed.extend(inner.assumed.into_iter().map(told));
        self.stated.extend(inner.stated.into_iter().map(told));
    }

    /// Takes over what was found out of a callback.
    pub(crate) fn extend(&mut self, other: Notes) {
        self.assumed.extend(other.assumed);
        self.stated.extend(other.stated);
    }
}

/// The same may come up twice: what lies behind a pointer is looked at more than once.
fn add(notes: &mut Vec<Note>, note: Note) {
    if !notes.contains(&note) {
        notes.push(note);
    }
}

/// An annotation as the header has it.
pub(crate) fn annotation(sal: &Sal) -> String {
    let joined = |tokens: &[crate::lexer::Token]| tokens.iter().map(|token| &*token.text).collect::<String>();
    let Some(length) = &sal.length else { return format!("`{}`", sal.name) };
    match &length.written {
        None => format!("`{}({})`", sal.name, joined(&length.capacity)),
        Some(written) => format!("`{}({}, {})`", sal.name, joined(&length.capacity), joined(written)),
    }
}

impl Declared {
    /// Which way data goes, and what says so.
    pub(crate) fn note_direction(&self, constant: bool, notes: &mut Notes) {
        let word = |direction| match direction {
            Direction::In => "in",
            Direction::Out => "out",
            Direction::InOut => "in-out",
        };
        let Some(direction) = self.stated_direction() else {
            if constant {
                notes.state(Topic::Direction, "in: `const`", None);
            } else {
                notes.assume(Topic::Direction, "in-out, because it is a non-const pointer without annotation");
            }
            return;
        };
        let said: Vec<&Sal> = self.sal.iter().filter(|sal| sal.direction.is_some()).collect();
        let names: Vec<String> = said.iter().map(|sal| annotation(sal)).collect();
        let by =
            if names.is_empty() { format!("`@param[{}]`", word(direction).replace('-', ",")) } else { names.join(" ") };
        notes.state(Topic::Direction, format!("{}: {by}", word(direction)), said.first().map(|sal| sal.at));
    }

    /// Who frees or closes what, where that is said.
    pub(crate) fn note_ownership(&self, notes: &mut Notes) {
        if let Some(function) = &self.frees {
            let text = format!("the caller gets it, and “{function}” frees or closes it: `@frees {function}`");
            notes.state(Topic::Ownership, text, None);
        }
        match (&self.releases, self.sal.iter().find(|sal| sal.releases)) {
            (Some(Release::Always), _) => {
                notes.state(Topic::Ownership, "the function closes or frees it: `@releases`", None);
            }
            (Some(Release::When { .. }), _) => {
                let text = "the function closes or frees it, depending on its result: `@releases … if return …`";
                notes.state(Topic::Ownership, text, None);
            }
            (None, Some(sal)) => {
                let text = format!("the function closes or frees it: {}", annotation(sal));
                notes.state(Topic::Ownership, text, Some(sal.at));
            }
            (None, None) => {}
        }
    }
}

/// What was found out of all functions.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) assumptions: Vec<Finding>,
    pub(crate) statements: Vec<Finding>,
}

impl Findings {
    /// Adds the notes of a function's parameter, or of its result or the whole if there is no name.
    pub(crate) fn add(&mut self, function: &str, parameter: Option<&str>, at: Position, notes: Notes, files: &Files) {
        let finding = |Note { what, text, guess, at: own }: Note| {
            // What a macro says stands where the macro does; what is built in stands nowhere.
            let place = own.filter(|own| files.name(*own).is_some()).unwrap_or(at);
            Finding {
                function: function.to_owned(),
                parameter: parameter.map(str::to_owned),
                what,
                text,
                guess,
                file: files.name(place).unwrap_or_default().to_owned(),
                line: files.line(place),
            }
        };
        self.assumptions.extend(notes.assumed.into_iter().map(finding));
        self.statements.extend(notes.stated.into_iter().map(finding));
    }

    /// Adds those of another function.
    pub(crate) fn extend(&mut self, other: Findings) {
        self.assumptions.extend(other.assumptions);
        self.statements.extend(other.statements);
    }
}
