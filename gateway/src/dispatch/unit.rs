//! What waits in a queue: a call, or a batch of calls, with where it may run and how long it waits.

use std::sync::Arc;
use std::time::Duration;

use bridge32_interface::redact;
use bridge32_protocol::wire::{Batch, Callee};
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::Sender;
use super::arguments::Arguments;
use super::lease::InUse;
use super::outcome::{CallResult, Execution, Failure};
use super::witness::{Ended, Part, Prototype, Reply, SentTo};
use crate::agents::{CallOutput, Printing};
use crate::interfaces::Declared;

/// One thread of an apartment, in one generation of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// The generation, which is unique among the agents of a library.
    pub generation: u64,
    /// The thread.
    pub number: u32,
}

/// The session of a call.
#[derive(Clone, Debug)]
pub struct Pin {
    /// Its id.
    pub session: Uuid,
    /// The lane that it is bound to.
    pub lane: Lane,
    /// Kept until the call has ended: for so long the session is in use, whoever waits for the call.
    pub in_use: Arc<InUse>,
}

/// Where a unit may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Route {
    /// Wherever there is room.
    Any,
    /// In that process: a handle in its arguments lives there.
    Generation(u64),
    /// In that process and no other: it is about that process.
    Process(u64),
    /// On that thread: it belongs to a session.
    Lane(Lane),
}

/// Whose units take turns with those of others: the id of a key; `None` where nothing is signed.
pub(super) type Client = Option<Arc<str>>;

/// A call that waits.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) id: Uuid,
    pub(super) callee: Callee,
    pub(super) args: Arguments,
    /// How long it may run.
    pub(super) deadline: Duration,
    /// The moment at which its client's patience is over, wherever it is then.
    pub(super) until: Option<Instant>,
    /// The interface whose numbers the callee uses.
    pub(super) declared: Option<Arc<Declared>>,
    pub(super) sender: Sender,
    /// Calling it twice does no harm.
    pub(super) idempotent: bool,
    /// The prototype that came with it.
    pub(super) prototype: Option<Arc<Prototype>>,
    /// The batch that it is a part of.
    pub(super) part: Option<Part>,
    /// How often it was sent.
    pub(super) sends: u32,
    /// Where it was sent to the last time.
    pub(super) sent: Option<SentTo>,
    /// What it prints there, if that is told apart.
    pub(super) output: Option<Arc<CallOutput>>,
    /// It is made to see whether the library works.
    pub(super) is_probe: bool,
    /// How often it was sent to a process that then ended with no other call to blame.
    pub(super) attempts: u32,
    /// It was running at one of these ends.
    pub(super) began: bool,
    pub(super) since: Instant,
    pub(super) reply: oneshot::Sender<CallResult>,
}

impl Queued {
    /// Ends the call, which was one of that library's.
    pub(super) fn end(self, library: &Arc<str>, result: CallResult) {
        let is_call = self.is_call();
        // What became of the last attempt says nothing of those before.
        let began = |failure: Failure| match failure.execution() {
            Execution::NotRun if self.began => Failure::Repeated(Box::new(failure)),
            _ => failure,
        };
        let result = result.map_err(began);
        let reply = Reply(self.reply);
        let Some(witness) = self.sender.witness.filter(|_| is_call) else { return reply.send(result) };
        let Self { id, callee, args, declared, prototype, part, sent, output, sends, since, .. } = self;
        // Whoever looks at the call may do so later than the files may stay.
        let args = args.without_files();
        let ended = Ended {
            id,
            library: Arc::clone(library),
            callee,
            args,
            declared,
            prototype,
            part,
            origin: self.sender.origin,
            session: self.sender.session.map(|pin| pin.session),
            result,
            sent,
            output,
            attempts: sends.saturating_sub(1),
            since,
            until: Instant::now(),
        };
        witness.ended(ended, reply);
    }

    /// What is to be known of it to tell what it prints from what others do.
    pub(super) fn printing(&self) -> Printing {
        let is_sensitive = match (&self.callee, &self.declared) {
            (Callee::Function(number), Some(declared)) => declared.can_be_sensitive(*number),
            (Callee::Prototype(interface), _) => {
                interface.functions.first().is_none_or(|function| redact::has_any(interface, function))
            }
            _ => false,
        };
        let trace = self.sender.origin.trace_of(self.part.map_or(self.id, |part| part.batch));
        Printing { call: self.id, trace, is_sensitive }
    }

    /// When it has waited for an agent as long as it may: since it came, or since the agents went away at `down`.
    fn expiry(&self, down: Instant) -> Instant {
        self.since.max(down) + self.deadline
    }

    /// Whether it is a call of the library's own that somebody has made, and not work on memory or variables beside them.
    pub(super) fn is_call(&self) -> bool {
        !self.is_probe && matches!(self.callee, Callee::Function(_) | Callee::Prototype(_))
    }
}

/// What one request to the agent carries.
#[derive(Debug)]
pub(super) struct Work {
    /// The calls, in their order.
    pub(super) calls: Vec<Queued>,
    /// They are one batch: never split, never together with others.
    pub(super) batch: Option<Batch>,
    /// Where they may run.
    pub(super) route: Route,
    /// The interface that those of them mean which name functions or variables by number.
    pub(super) declared: Option<Arc<Declared>>,
}

impl Work {
    /// Whether it is one call.
    pub(super) const fn is_alone(&self) -> bool {
        self.calls.len() == 1 && self.batch.is_none()
    }

    /// Whether it is a probe: those are sent alone.
    pub(super) fn is_probe(&self) -> bool {
        self.calls.iter().all(|call| call.is_probe)
    }

    /// The units that it was made of, in their order.
    pub(super) fn into_units(self) -> Vec<Unit> {
        let Self { calls, batch, route, .. } = self;
        match batch {
            Some(batch) => vec![Unit { route, kind: Kind::Batch(calls, batch) }],
            None => calls.into_iter().map(|call| Unit { route, kind: Kind::Single(call) }).collect(),
        }
    }
}

/// What waits at one place of the queue.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) route: Route,
    pub(super) kind: Kind,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly all units are single calls, which a box would cost an allocation each"
)]
#[derive(Debug)]
pub(super) enum Kind {
    Single(Queued),
    /// Calls that run as one.
    Batch(Vec<Queued>, Batch),
}

impl Unit {
    pub(super) fn calls(&self) -> &[Queued] {
        match &self.kind {
            Kind::Single(call) => std::slice::from_ref(call),
            Kind::Batch(calls, _) => calls,
        }
    }

    pub(super) fn into_calls(self) -> Vec<Queued> {
        match self.kind {
            Kind::Single(call) => vec![call],
            Kind::Batch(calls, _) => calls,
        }
    }

    /// The first call: its deadline is how long a batch waits for an agent. No batch is empty.
    fn first(&self) -> Option<&Queued> {
        self.calls().first()
    }

    pub(super) fn client(&self) -> Client {
        self.first().and_then(|call| call.sender.origin.client.clone())
    }

    pub(super) fn since(&self) -> Option<Instant> {
        self.first().map(|call| call.since)
    }

    pub(super) fn declared(&self) -> Option<&Arc<Declared>> {
        self.calls().iter().find_map(|call| call.declared.as_ref())
    }

    pub(super) fn has(&self, id: Uuid) -> bool {
        self.calls().iter().any(|call| call.id == id)
    }

    /// Whether nobody waits for any of its answers any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.calls().iter().all(|call| call.reply.is_closed())
    }

    /// Whether its client's patience is over.
    pub(super) fn is_out_of_time(&self, now: Instant) -> bool {
        self.first().is_some_and(|first| first.until.is_some_and(|until| until <= now))
    }

    /// When it has waited as long as it may for an agent, if there has been none since `down`.
    pub(super) fn expiry(&self, down: Option<Instant>) -> Option<Instant> {
        let first = self.first()?;
        let without_agent = down.map(|down| first.expiry(down));
        without_agent.into_iter().chain(first.until).min()
    }

    /// What it is told when that moment has come. `reason` is why there is no agent.
    pub(super) fn overdue(&self, now: Instant, reason: &str) -> Failure {
        match self.first() {
            Some(first) if self.is_out_of_time(now) => {
                let reason = (!reason.is_empty()).then(|| reason.to_owned());
                Failure::NotInTime { waited: now.saturating_duration_since(first.since), reason }
            }
            _ => Failure::NoAgent { reason: reason.to_owned(), retry: true },
        }
    }
}
