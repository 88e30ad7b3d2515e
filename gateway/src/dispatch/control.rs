//! What somebody can ask about a call that has no outcome yet, and that it be ended.
//!
//! A call is in the queue, or it was taken from there and is in [`Control`]: both are looked at under the lock of the queue, so
//! that none is missed on its way from one to the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bridge32_protocol::wire::Callee;
use uuid::Uuid;

use super::outcome::{CallResult, Execution, Failure};
use super::queue::{Queue, Queued, Work};
use crate::agents::Agent;
use crate::interfaces::Declared;

/// How far a call is that has no outcome yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// It waits for its turn: its agent has not seen it, or has another one before it.
    Waiting,
    /// The library has it, as far as the bridge knows.
    Running,
}

/// What became of the wish to end a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It waited, and has been taken out: it did not run.
    TakenOut,
    /// Its process is being ended, or will be as soon as the call begins.
    Ending,
    /// No such call is waiting or running.
    Unknown,
}

/// A call that waits or runs, for lists. When it came is in its id.
#[derive(Clone, Debug)]
pub struct UnderWay {
    /// Its id.
    pub id: Uuid,
    /// How far it is.
    pub state: CallState,
    /// Whose key has made it.
    pub owner: Option<Arc<str>>,
    declared: Option<Arc<Declared>>,
    number: Option<u32>,
}

impl UnderWay {
    pub(super) fn of(call: &Queued) -> Self {
        let number = match call.callee {
            Callee::Function(number) => Some(number),
            _ => None,
        };
        let (owner, declared) = (call.owner.clone(), call.declared.clone());
        Self { id: call.id, state: CallState::Waiting, owner, declared, number }
    }

    /// One that nobody has made, for tests of what is shown.
    #[cfg(test)]
    pub(crate) fn waiting(id: Uuid) -> Self {
        Self { id, state: CallState::Waiting, owner: None, declared: None, number: None }
    }

    /// The function, if it is one that a header declares.
    pub fn function(&self) -> Option<&str> {
        let number = usize::try_from(self.number?).ok()?;
        let function = self.declared.as_ref()?.interface().functions.get(number)?;
        Some(&function.name)
    }
}

/// A call that was taken from the queue.
#[derive(Debug)]
struct Flight {
    shown: UnderWay,
    is_call: bool,
    /// The agent that runs it, and which start of that.
    process: Option<(Arc<Agent>, u64)>,
    cancelled: bool,
}

impl Flight {
    fn of(call: &Queued) -> Self {
        Self { shown: UnderWay::of(call), is_call: call.is_call(), process: None, cancelled: false }
    }

    /// Ends the process, if it is this call that runs there.
    fn end_process(&self) {
        if let Some((agent, generation)) = &self.process {
            agent.kill(*generation, format!("call {} was cancelled", self.shown.id));
        }
    }
}

/// The calls that were taken from a queue and have no outcome yet.
#[derive(Debug, Default)]
pub(super) struct Control {
    flights: Mutex<HashMap<Uuid, Flight>>,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Flight>> {
        // Each entry is whole whatever panics elsewhere.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls leave the queue.
    pub(super) fn taken(&self, calls: &[Queued]) {
        self.lock().extend(calls.iter().map(|call| (call.id, Flight::of(call))));
    }

    /// One of them goes back, as it was not sent. Whether it was cancelled meanwhile.
    pub(super) fn put_back(&self, id: Uuid) -> bool {
        self.lock().remove(&id).is_some_and(|flight| flight.cancelled)
    }

    /// Whether one of them was cancelled.
    pub(super) fn is_cancelled(&self, id: Uuid) -> bool {
        self.lock().get(&id).is_some_and(|flight| flight.cancelled)
    }

    /// This one is what its process runs now.
    pub(super) fn begins(&self, id: Uuid, agent: &Arc<Agent>, generation: u64) {
        let mut flights = self.lock();
        let Some(flight) = flights.get_mut(&id) else { return };
        flight.process = Some((Arc::clone(agent), generation));
        flight.shown.state = CallState::Running;
        if flight.cancelled {
            flight.end_process();
        }
    }

    /// One has its outcome: the end of its process is that of a cancelled call, if that was why.
    pub(super) fn ended(&self, id: Uuid, result: CallResult) -> CallResult {
        let flight = self.lock().remove(&id);
        match (flight, result) {
            (Some(Flight { cancelled: true, .. }), Err(Failure::Ended { .. })) => {
                Err(Failure::Cancelled { execution: Execution::MayHaveRun })
            }
            (_, result) => result,
        }
    }

    pub(super) fn cancel(&self, id: Uuid) -> Cancelled {
        let mut flights = self.lock();
        let Some(flight) = flights.get_mut(&id) else { return Cancelled::Unknown };
        flight.cancelled = true;
        flight.end_process();
        Cancelled::Ending
    }

    pub(super) fn find(&self, id: Uuid) -> Option<CallState> {
        self.lock().get(&id).map(|flight| flight.shown.state)
    }

    pub(super) fn list(&self) -> Vec<UnderWay> {
        self.lock().values().filter(|flight| flight.is_call).map(|flight| flight.shown.clone()).collect()
    }
}

impl Queue {
    /// How far a call is; `None` for one that has ended, or that never was.
    pub(super) fn find(&self, id: Uuid) -> Option<CallState> {
        let waiting = self.lock();
        if waiting.calls().any(|call| call.id == id) { Some(CallState::Waiting) } else { self.control.find(id) }
    }

    /// Ends a call, and with one of a batch that still waits all of it.
    pub(super) fn cancel(&self, id: Uuid) -> Cancelled {
        let mut waiting = self.lock();
        let Some(unit) = waiting.remove(id) else { return self.control.cancel(id) };
        drop(waiting);
        self.refuse(unit, &Failure::Cancelled { execution: Execution::NotRun });
        Cancelled::TakenOut
    }

    /// Takes out a call that has waited as long as its client wanted; one that runs is ended by its own deadline.
    pub(super) fn expire(&self, id: Uuid, wait: Duration) {
        let unit = self.lock().remove(id);
        if let Some(unit) = unit {
            self.refuse(unit, &Failure::Waited { wait });
        }
    }

    /// Everything that waits or runs, in no order.
    pub(super) fn under_way(&self) -> Vec<UnderWay> {
        let waiting = self.lock();
        let mut all: Vec<UnderWay> = waiting.calls().filter(|call| call.is_call()).map(UnderWay::of).collect();
        all.extend(self.control.list());
        all
    }

    /// Those that are to be sent after all: what was cancelled since it left the queue is not.
    pub(super) fn still_wanted(&self, work: Work) -> Work {
        let cancelled = |call: &Queued| self.control.is_cancelled(call.id);
        if !work.calls.iter().any(cancelled) {
            return work;
        }
        let Work { calls, batch, declared } = work;
        let whole = batch.is_some();
        let (out, calls): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| whole || cancelled(call));
        for call in out {
            self.end(call, Err(Failure::Cancelled { execution: Execution::NotRun }));
        }
        Work { calls, batch, declared }
    }
}

#[cfg(test)]
mod tests;
