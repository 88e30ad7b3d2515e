//! What can happen, as readers are told it. Never arguments, and nothing that a function answered.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::dispatch::Ended;
use crate::observe::metrics::outcome_name;
use bridge32_protocol::wire::Callee;

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call has ended.
    Call,
    /// An agent is in another state.
    Agent,
    /// A process has ended by itself.
    Crash,
    /// Something was replaced, or could not be.
    Reload,
    /// The history fares differently.
    History,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Call, Self::Agent, Self::Crash, Self::Reload, Self::History];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Agent => "agent",
            Self::Crash => "crash",
            Self::Reload => "reload",
            Self::History => "history",
        }
    }
}

/// An event.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// A call has ended.
    Call(CallEnd),
    /// An agent is in another state.
    Agent(Arc<AgentChange>),
    /// A process has ended by itself.
    Crash(Arc<Crash>),
    /// Something was replaced, or could not be.
    Reload(Arc<Replaced>),
    /// The history fares differently.
    History(Arc<HistoryChange>),
}

/// A call that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct CallEnd {
    /// When.
    pub at: Timestamp,
    /// Its id.
    pub call_id: Uuid,
    /// The library.
    pub library: Arc<str>,
    /// The function; `None` where a prototype that came with the call has no name.
    pub function: Option<Arc<str>>,
    /// `returned`, or the code of its problem.
    pub outcome: &'static str,
    /// Microseconds from its arrival to its end.
    pub duration_us: u64,
    /// The agent that it was sent to last.
    pub agent: Option<Arc<str>>,
    /// Which start of that.
    pub generation: Option<u64>,
    /// With which key.
    pub key: Option<Arc<str>>,
    /// Whose that is.
    pub owner: Option<Arc<str>>,
}

impl CallEnd {
    /// What is told of that call.
    pub fn of(call: &Ended) -> Self {
        let function = match (&call.callee, &call.declared) {
            (Callee::Function(number), Some(declared)) => declared.name_of(*number),
            _ => call.function().map(Into::into),
        };
        let duration = call.until.saturating_duration_since(call.since);
        Self {
            at: Timestamp::now(),
            call_id: call.id,
            library: Arc::clone(&call.library),
            function,
            outcome: outcome_name(&call.result),
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            agent: call.sent.as_ref().map(|sent| Arc::clone(&sent.agent)),
            generation: call.sent.as_ref().map(|sent| sent.generation),
            key: call.origin.client.clone(),
            owner: call.origin.owner.clone(),
        }
    }
}

/// An agent that is in another state now.
#[derive(Clone, Debug, Serialize)]
pub struct AgentChange {
    /// Since when.
    pub at: Timestamp,
    /// Its id.
    pub agent: String,
    /// The library or group that it runs.
    pub pool: String,
    /// Its libraries.
    pub libraries: Vec<String>,
    /// The number of its start.
    pub generation: u64,
    /// The state.
    pub state: &'static str,
    /// Why, where there is a reason beyond the ordinary.
    pub reason: Option<String>,
    /// How its last process ended; `None` if none has.
    pub last_exit: Option<String>,
}

/// A process that has ended by itself.
#[derive(Clone, Debug, Serialize)]
pub struct Crash {
    /// When.
    pub at: Timestamp,
    /// The agent.
    pub agent: String,
    /// The library or group that it runs.
    pub pool: String,
    /// Its libraries.
    pub libraries: Vec<String>,
    /// The number of the start that is over.
    pub generation: u64,
    /// How it ended, in words.
    pub exit: String,
    /// The name of its report, under `/v1/crashes`; `None` if there is none.
    pub report: Option<String>,
    /// The library that ran, as the process itself says.
    pub library: Option<String>,
    /// The function that ran, likewise.
    pub function: Option<String>,
    /// The call that ran, likewise.
    pub call_id: Option<Uuid>,
}

/// What was to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    /// The whole configuration.
    Configuration,
    /// A library, by another that was read anew.
    Library,
    /// The header of a library.
    Interface,
    /// A library that cannot be run, by its fallback.
    Fallback,
}

/// Something was replaced, or could not be.
#[derive(Clone, Debug, Serialize)]
pub struct Replaced {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Replacement,
    /// The library; `None` for the configuration.
    pub library: Option<String>,
    /// Whether it was.
    pub ok: bool,
    /// Why not, in words.
    pub detail: Option<String>,
}

/// How the history fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum HistoryNews {
    /// It cannot be written.
    Broken {
        /// Why.
        error: String,
    },
    /// It can be written again.
    Recovered,
    /// There was no room for calls that have ended.
    Missing {
        /// How many, since the last event of the kind.
        calls: u64,
    },
}

/// The history fares differently.
#[derive(Clone, Debug, Serialize)]
pub struct HistoryChange {
    /// When.
    pub at: Timestamp,
    /// How.
    #[serde(flatten)]
    pub news: HistoryNews,
}

impl From<CallEnd> for Event {
    fn from(call: CallEnd) -> Self {
        Self::Call(call)
    }
}

impl From<AgentChange> for Event {
    fn from(change: AgentChange) -> Self {
        Self::Agent(Arc::new(change))
    }
}

impl From<Crash> for Event {
    fn from(crash: Crash) -> Self {
        Self::Crash(Arc::new(crash))
    }
}

impl From<Replaced> for Event {
    fn from(replaced: Replaced) -> Self {
        Self::Reload(Arc::new(replaced))
    }
}

impl From<HistoryNews> for Event {
    fn from(news: HistoryNews) -> Self {
        Self::History(Arc::new(HistoryChange { at: Timestamp::now(), news }))
    }
}

impl Event {
    /// What kind it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Call(_) => Kind::Call,
            Self::Agent(_) => Kind::Agent,
            Self::Crash(_) => Kind::Crash,
            Self::Reload(_) => Kind::Reload,
            Self::History(_) => Kind::History,
        }
    }

    /// About how many bytes it takes. Names that others hold as well count for nothing.
    pub(super) fn size(&self) -> usize {
        let texts =
            |texts: &[&Option<String>]| texts.iter().map(|text| text.as_ref().map_or(0, String::len)).sum::<usize>();
        let names = |names: &[String]| names.iter().map(|name| name.len() + size_of::<String>()).sum::<usize>();
        let own = match self {
            Self::Call(_) => 0,
            Self::Agent(change) => {
                size_of::<AgentChange>() + names(&change.libraries) + texts(&[&change.reason, &change.last_exit])
            }
            Self::Crash(crash) => {
                let said = texts(&[&crash.report, &crash.library, &crash.function]);
                size_of::<Crash>() + names(&crash.libraries) + crash.exit.len() + said
            }
            Self::Reload(replaced) => size_of::<Replaced>() + texts(&[&replaced.detail, &replaced.library]),
            Self::History(change) => {
                let error = if let HistoryNews::Broken { error } = &change.news { error.len() } else { 0 };
                size_of::<HistoryChange>() + error
            }
        };
        size_of::<Self>() + own
    }

    fn is_about(&self, library: &str) -> bool {
        match self {
            Self::Call(call) => call.library.as_ref() == library,
            Self::Agent(change) => change.libraries.iter().any(|name| name == library),
            Self::Crash(crash) => crash.libraries.iter().any(|name| name == library),
            Self::Reload(replaced) => replaced.library.as_deref() == Some(library),
            Self::History(_) => false,
        }
    }
}

/// Which events somebody wants, and may see.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of these kinds; `None` for all.
    pub kinds: Option<Vec<Kind>>,
    /// Those that are about this library.
    pub library: Option<String>,
    /// Of calls, those of this owner alone.
    pub owner: Option<String>,
}

impl Filter {
    /// Whether that one is among them.
    pub(super) fn wants(&self, event: &Event) -> bool {
        let is_kind = self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind()));
        let is_theirs = match (event, &self.owner) {
            (Event::Call(call), Some(owner)) => call.owner.as_deref() == Some(owner),
            _ => true,
        };
        is_kind && is_theirs && self.library.as_ref().is_none_or(|library| event.is_about(library))
    }
}
