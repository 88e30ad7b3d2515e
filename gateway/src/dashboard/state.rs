//! How something fares, as every page shows it: a colour, a sign and a word, and why.

use askama::Template;

use super::filters::{self, text};
use crate::agents;
use crate::dispatch::Execution;
use crate::error::Code;
use crate::history::Record;
use crate::libraries::LibraryState;

/// How a state looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// All is well.
    Good,
    /// Something goes on, and nobody has to do anything.
    Busy,
    /// Somebody should look at it.
    Warning,
    /// It does not work.
    Bad,
    /// It is not in use.
    Off,
}

impl Mark {
    /// The class that gives it its colour.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::Off => "off",
        }
    }

    /// The sign for whoever does not see colours.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Good => "●",
            Self::Busy => "◐",
            Self::Warning => "▲",
            Self::Bad => "✕",
            Self::Off => "○",
        }
    }
}

/// A state. Pages write it as `{{ state|safe }}`.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/state.html")]
pub struct State {
    /// How it looks.
    pub mark: Mark,
    /// The word for it, in English.
    pub word: &'static str,
}

impl State {
    /// A state of that look and word.
    pub const fn new(mark: Mark, word: &'static str) -> Self {
        Self { mark, word }
    }

    /// Whether a library can be called, and why not.
    pub fn of_library(state: &LibraryState) -> (Self, Option<String>) {
        match state {
            LibraryState::Ready(_) => (Self::new(Mark::Good, text!("ready")), None),
            LibraryState::Waiting(reason) => (Self::new(Mark::Busy, text!("starting")), Some(reason.clone())),
            LibraryState::Idle(reason) => (Self::new(Mark::Off, text!("idle")), Some(reason.clone())),
            LibraryState::Gone(reason) => (Self::new(Mark::Bad, text!("not running")), Some(reason.clone())),
            LibraryState::Failed(fault) => (Self::new(Mark::Bad, text!("failed")), Some(fault.detail.clone())),
        }
    }

    /// The state of an agent.
    pub const fn of_agent(state: agents::State) -> Self {
        match state {
            agents::State::Waiting => Self::new(Mark::Off, text!("waiting")),
            agents::State::Starting => Self::new(Mark::Busy, text!("starting")),
            agents::State::Ready => Self::new(Mark::Good, text!("ready")),
            agents::State::Busy => Self::new(Mark::Busy, text!("busy")),
            agents::State::Draining => Self::new(Mark::Busy, text!("draining")),
            agents::State::Backoff => Self::new(Mark::Warning, text!("restarting")),
            agents::State::GaveUp => Self::new(Mark::Bad, text!("gave up")),
            agents::State::Stopped => Self::new(Mark::Off, text!("stopped")),
        }
    }

    /// How a call ended: the code of its problem, if it has one, and whether it reached the library.
    pub fn of_outcome(code: Option<&str>, reached: bool) -> Self {
        let Some(code) = code else { return Self::new(Mark::Good, text!("returned")) };
        let known = Code::ALL.iter().map(|known| known.name()).find(|known| *known == code);
        // What did not reach the library is the caller's or the bridge's doing.
        let mark = if reached { Mark::Bad } else { Mark::Warning };
        Self::new(mark, known.unwrap_or(text!("failed")))
    }

    /// How a call of the history ended.
    pub fn of_record(record: &Record) -> Self {
        Self::of_outcome(record.code.as_deref(), record.execution != Execution::NotRun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::language::Language;

    #[test]
    fn a_state_is_a_colour_and_a_sign_and_a_word() {
        let state = State::of_agent(agents::State::Backoff);
        let expected = "<span class=\"state warning\"><span class=\"sign\" aria-hidden=\"true\">▲</span> ";
        assert_eq!(state.render().unwrap().trim(), format!("{expected}restarting</span>"));
        let chinese = state.render_with_values(&(filters::LANGUAGE, &Language::Chinese as &dyn std::any::Any)).unwrap();
        assert!(chinese.contains("重启中"), "{chinese}");
    }

    #[test]
    fn an_outcome_that_did_not_reach_the_library_is_a_warning() {
        let of = |code, reached| {
            let State { mark, word } = State::of_outcome(code, reached);
            (mark, word)
        };
        assert_eq!(of(None, true), (Mark::Good, "returned"));
        assert_eq!(of(Some("agent_crashed"), true), (Mark::Bad, "agent_crashed"));
        assert_eq!(of(Some("argument_mismatch"), false), (Mark::Warning, "argument_mismatch"));
        assert_eq!(of(Some("of a newer version"), true), (Mark::Bad, "failed"));
    }
}
