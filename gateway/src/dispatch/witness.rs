//! Who is told how calls ended: the history, the metrics, the traces, the events.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::interface::Interface;
use bridge32_protocol::wire::Callee;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::arguments::Arguments;
use super::outcome::{CallResult, Failure};
use crate::agents::CallOutput;
use crate::interfaces::Declared;
use crate::trace::{TraceContext, TraceId};

/// Characters of the name in a prototype that are told.
const LONGEST_NAME: usize = 128;

/// Is told of each call that has ended, once, and passes its outcome on to whoever waits for it.
///
/// It is told where calls end, on the way of the next one: it takes note, and does its work elsewhere.
pub trait Witness: Debug + Send + Sync {
    /// A call has ended.
    fn ended(&self, call: Ended, reply: Reply);

    /// An agent has taken so many calls of that library, which all mean one interface, as one request.
    fn sent(&self, library: &Arc<str>, declared: Option<&Declared>, calls: usize);

    /// The calls of a batch have ended, one by one; or none of them was taken.
    fn batch_ended(&self, batch: EndedBatch);
}

/// What was called with what by whom, how that ended and how long it took.
#[derive(Debug)]
pub struct Ended {
    /// The call's id: when it came is in it.
    pub id: Uuid,
    /// The library.
    pub library: Arc<str>,
    /// What was called.
    pub callee: Callee,
    /// With what.
    pub args: Arguments,
    /// The interface whose numbers the callee uses.
    pub declared: Option<Arc<Declared>>,
    /// The prototype that came with the call, where it calls no declared function.
    pub prototype: Option<Arc<Prototype>>,
    /// The batch that it was a part of.
    pub part: Option<Part>,
    /// Who has made it.
    pub origin: Arc<Origin>,
    /// The session that it belonged to.
    pub session: Option<Uuid>,
    /// How it ended.
    pub result: CallResult,
    /// Where it was sent to the last time, if it was.
    pub sent: Option<SentTo>,
    /// What it has printed there, if that is told apart.
    pub output: Option<Arc<CallOutput>>,
    /// How many processes it was sent to that ended before.
    pub attempts: u32,
    /// When it came.
    pub since: Instant,
    /// When it ended.
    pub until: Instant,
}

/// What is to be known of a batch besides its calls.
#[derive(Debug)]
pub struct EndedBatch {
    /// Its id.
    pub id: Uuid,
    /// The library.
    pub library: Arc<str>,
    /// How many calls it has.
    pub calls: usize,
    /// Who has made it.
    pub origin: Arc<Origin>,
    /// Why none of them was taken, if so.
    pub failure: Option<Failure>,
    /// When it came.
    pub since: Instant,
    /// When the last of them had ended.
    pub until: Instant,
}

/// Who has made a call.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The id of the key, or of the session at a browser: clients take turns.
    pub client: Option<Arc<str>>,
    /// Whose key it is: calls can be asked about by their owner.
    pub owner: Option<Arc<str>>,
    /// SHA-256 of the client's key for repeating the request, in base64.
    pub idempotency_key: Option<String>,
    /// The call of the history that it repeats.
    pub replay_of: Option<Uuid>,
    /// The trace that the request belongs to, where its client says so.
    pub trace: Option<TraceContext>,
    /// When the request came.
    pub arrived: Option<Instant>,
}

impl Origin {
    /// The trace of a call, or of a batch with its calls: the client's, or one of its own.
    pub fn trace_of(&self, id: Uuid) -> TraceId {
        self.trace.as_ref().map_or(TraceId::of_call(id), |context| context.trace)
    }
}

/// A prototype that came with a call, and the export that it is of where its name is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prototype {
    /// C text.
    pub text: String,
    /// The export's exact name.
    pub export: Option<String>,
    /// Or its ordinal.
    pub ordinal: Option<u32>,
}

/// The place of a call in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The batch's id.
    pub batch: Uuid,
    /// 0 is its first call.
    pub index: u32,
}

/// Where and when a call was sent.
#[derive(Clone, Debug)]
pub struct SentTo {
    /// The agent's id.
    pub agent: Arc<str>,
    /// Which start of it.
    pub generation: u64,
    /// When.
    pub at: Instant,
}

/// What a call's time went to. The three parts are the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// It waited at the gateway for its turn, or for an agent.
    pub queue: Duration,
    /// It was on its way to the library and back: in the agent's queue, marshalling included.
    pub agent: Duration,
    /// The library's own code ran, as far as that is known: of a call that did not return, nobody measured it.
    pub library: Duration,
}

impl Ended {
    /// What its time went to.
    pub fn parts(&self) -> Parts {
        let whole = self.until.saturating_duration_since(self.since);
        let Some(sent) = &self.sent else { return Parts { queue: whole, ..Parts::default() } };
        let queue = sent.at.saturating_duration_since(self.since).min(whole);
        let rest = whole.saturating_sub(queue);
        let library = self.result.as_ref().map_or(Duration::ZERO, |answer| Duration::from_nanos(answer.duration_ns));
        let library = library.min(rest);
        Parts { queue, agent: rest.saturating_sub(library), library }
    }

    /// The trace that it belongs to.
    pub fn trace(&self) -> TraceId {
        self.origin.trace_of(self.part.map_or(self.id, |part| part.batch))
    }

    /// The interface that declares the function, and its number there.
    pub fn interface(&self) -> Option<(&Interface, usize)> {
        match (&self.callee, &self.declared) {
            (Callee::Function(number), Some(declared)) => Some((declared.interface(), usize::try_from(*number).ok()?)),
            (Callee::Prototype(interface), _) => Some((interface, 0)),
            _ => None,
        }
    }

    /// The function's name, as the interface has it or the prototype gives it. What a client makes up may be as long as a request:
    /// it is told by its beginning.
    pub fn function(&self) -> Option<&str> {
        let (interface, number) = self.interface()?;
        let name = interface.functions.get(number)?.name.as_str();
        let is_made_up = matches!(self.callee, Callee::Prototype(_));
        let end = name.char_indices().nth(LONGEST_NAME).filter(|_| is_made_up).map_or(name.len(), |(end, _)| end);
        Some(&name[..end])
    }
}

/// Whoever waits for a call's outcome.
#[derive(Debug)]
pub struct Reply(pub(super) oneshot::Sender<CallResult>);

impl Reply {
    /// One that nobody has made, and where its outcome arrives, for tests of witnesses.
    #[cfg(test)]
    pub(crate) fn awaited() -> (Self, oneshot::Receiver<CallResult>) {
        let (reply, outcome) = oneshot::channel();
        (Self(reply), outcome)
    }

    /// Passes the outcome on. Whoever does not wait any more has lost only the answer.
    pub fn send(self, result: CallResult) {
        let _ = self.0.send(result);
    }
}
