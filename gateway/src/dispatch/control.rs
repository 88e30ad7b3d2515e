//! What somebody can ask about a call that has no outcome yet, and that it be ended.

use std::sync::Arc;

use bridge32_protocol::wire::Callee;
use uuid::Uuid;

use super::outcome::{Execution, Failure};
use super::queue::Queue;
use super::running::Sent;
use super::unit::{Queued, Unit};
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
    /// Its process is to be ended, now or as soon as the call begins.
    Ending(Sent),
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
        let (owner, declared) = (call.sender.origin.owner.clone(), call.declared.clone());
        Self { id: call.id, state: CallState::Waiting, owner, declared, number }
    }

    /// The same, so far as it is now.
    pub(super) fn as_it_is(&self, state: CallState) -> Self {
        Self { state, ..self.clone() }
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

impl Queue {
    /// How far a call is, if it has not ended.
    pub fn find(&self, id: Uuid) -> Option<CallState> {
        let waiting = self.lock();
        // With the lock: nothing goes from one place to the other meanwhile.
        let waits = waiting.units().any(|unit| unit.has(id));
        if waits { Some(CallState::Waiting) } else { self.running.find(id) }
    }

    /// Everything that waits or runs, in no order.
    pub fn under_way(&self) -> Vec<UnderWay> {
        let waiting = self.lock();
        let mut all: Vec<UnderWay> = waiting.units().flat_map(Unit::calls).map(UnderWay::of).collect();
        // Under the lock: what is taken meanwhile would be in neither.
        self.running.list(&mut all);
        all
    }

    /// Ends a call that waits, with the batch that it belongs to. Of one that was sent it is noted that nobody wants it any
    /// more: whoever asks ends its process if it is the one that runs.
    pub(crate) fn cancel(&self, id: Uuid) -> Cancelled {
        let mut waiting = self.lock();
        let withdrawn = waiting.take_if(|unit| unit.has(id));
        if withdrawn.is_empty() {
            return self.running.cancel(id).map_or(Cancelled::Unknown, Cancelled::Ending);
        }
        drop(waiting);
        for unit in withdrawn {
            self.refuse(unit, &Failure::Cancelled(Execution::NotRun));
        }
        Cancelled::TakenOut
    }
}
