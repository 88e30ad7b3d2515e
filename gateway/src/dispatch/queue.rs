//! The bounded queue of one apartment.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bridge32_protocol::wire::{Batch, Callee};
use serde::Serialize;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::arguments::Arguments;
use super::control::Control;
use super::outcome::{CallResult, Execution, Failure};
use crate::interfaces::Declared;

/// More calls than these do not wait: their clients are told to come back.
const MAX_WAITING: usize = 1024;
/// One request to the agent carries no more calls than these …
pub(super) const MAX_LIST: usize = 256;
/// … and stops growing at this many bytes of arguments.
const MAX_LIST_BYTES: usize = 8 << 20;

/// A call that waits.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) id: Uuid,
    pub(super) callee: Callee,
    pub(super) args: Arguments,
    pub(super) deadline: Duration,
    /// The interface whose numbers the callee uses.
    pub(super) declared: Option<Arc<Declared>>,
    pub(super) since: Instant,
    /// How long its client waits, with all the time in the queue: then `deadline` does not count.
    pub(super) wait: Option<Duration>,
    /// Whose key has made it.
    pub(super) owner: Option<Arc<str>>,
    pub(super) reply: oneshot::Sender<CallResult>,
}

impl Queued {
    /// Ends the call. Whoever does not wait any more has lost only the answer.
    pub(super) fn end(self, result: CallResult) {
        let _ = self.reply.send(result);
    }

    fn expiry(&self, down: Instant) -> Instant {
        self.deadline_from(self.since.max(down))
    }

    /// When it must have ended, if it begins then.
    pub(super) fn deadline_from(&self, start: Instant) -> Instant {
        self.wait.map_or(start + self.deadline, |wait| self.since + wait)
    }

    /// The time that it has.
    pub(super) fn patience(&self) -> Duration {
        self.wait.unwrap_or(self.deadline)
    }

    /// Whether it is a call of the library's own, and not work on memory or variables beside them.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.callee, Callee::Function(_) | Callee::Prototype(_))
    }
}

/// What one request to the agent carries.
#[derive(Debug)]
pub(super) struct Work {
    /// The calls, in their order.
    pub(super) calls: Vec<Queued>,
    /// They are one batch: never split, never together with others.
    pub(super) batch: Option<Batch>,
    /// The interface that those of them mean which name functions or variables by number.
    pub(super) declared: Option<Arc<Declared>>,
}

/// An interface that the agent shall have, in its turn among the calls.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) declared: Arc<Declared>,
    /// How long it waits for an agent.
    pub(super) patience: Duration,
    pub(super) since: Instant,
    pub(super) done: oneshot::Sender<Result<(), Failure>>,
}

impl Replacement {
    /// Whoever does not wait any more has lost only the answer.
    pub(super) fn end(self, result: Result<(), Failure>) {
        let _ = self.done.send(result);
    }
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send these calls.
    Work(Work),
    /// Give the agent this interface.
    Interface(Replacement),
}

/// What waits at one place of the queue.
#[derive(Debug)]
pub(super) enum Unit {
    Single(Queued),
    Batch(Vec<Queued>, Batch),
    Interface(Replacement),
}

impl Unit {
    fn calls(&self) -> &[Queued] {
        match self {
            Self::Single(call) => std::slice::from_ref(call),
            Self::Batch(calls, _) => calls,
            Self::Interface(_) => &[],
        }
    }

    /// Whether nobody waits for any of its answers any more.
    fn is_abandoned(&self) -> bool {
        let calls = self.calls();
        !calls.is_empty() && calls.iter().all(|call| call.reply.is_closed())
    }

    /// A batch begins with its first call, so that one's deadline is how long it waits for an agent.
    fn expiry(&self, down: Instant) -> Option<Instant> {
        match self {
            Self::Interface(replacement) => Some(replacement.since.max(down) + replacement.patience),
            Self::Single(_) | Self::Batch(..) => self.calls().first().map(|call| call.expiry(down)),
        }
    }
}

/// The units in their order, and how many calls are in them.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    units: VecDeque<Unit>,
    calls: usize,
}

impl Waiting {
    fn push_back(&mut self, unit: Unit) {
        self.calls += unit.calls().len();
        self.units.push_back(unit);
    }

    fn push_front(&mut self, unit: Unit) {
        self.calls += unit.calls().len();
        self.units.push_front(unit);
    }

    fn pop_front(&mut self) -> Option<Unit> {
        let unit = self.units.pop_front()?;
        self.calls -= unit.calls().len();
        Some(unit)
    }

    /// Everything that waits, in its order.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Queued> {
        self.units.iter().flat_map(Unit::calls)
    }

    /// Takes out the unit that has this call.
    pub(super) fn remove(&mut self, id: Uuid) -> Option<Unit> {
        let at = self.units.iter().position(|unit| unit.calls().iter().any(|call| call.id == id))?;
        let unit = self.units.remove(at)?;
        self.calls -= unit.calls().len();
        Some(unit)
    }
}

/// How many calls a library has had and has waiting.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Calls that returned.
    pub returned: u64,
    /// Calls that did not.
    pub failed: u64,
    /// Calls that wait to be sent to the agent.
    pub waiting: usize,
}

/// The calls that wait for one apartment, first come first served.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    returned: AtomicU64,
    failed: AtomicU64,
    /// What was taken from here.
    pub(super) control: Control,
}

impl Queue {
    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Pushing and popping leave the queue whole whatever panics elsewhere.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call.
    ///
    /// # Errors
    /// Too many wait already.
    pub(super) fn push(&self, call: Queued) -> Result<(), Failure> {
        self.add(Unit::Single(call))
    }

    /// Adds calls that run as one.
    ///
    /// # Errors
    /// Too many wait already for all of them.
    pub(super) fn push_batch(&self, calls: Vec<Queued>, batch: Batch) -> Result<(), Failure> {
        self.add(Unit::Batch(calls, batch))
    }

    fn add(&self, unit: Unit) -> Result<(), Failure> {
        let mut waiting = self.lock();
        if waiting.calls + unit.calls().len() > MAX_WAITING {
            let refused = unit.calls().iter().filter(|call| call.is_call()).count();
            self.failed.fetch_add(refused as u64, Ordering::Relaxed);
            return Err(Failure::QueueFull { waiting: waiting.calls });
        }
        waiting.push_back(unit);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Adds an interface that the agent shall have after the calls that are there already. One that still waits is
    /// past: the calls that mean it bring it themselves.
    pub(super) fn push_interface(&self, replacement: Replacement) {
        let mut waiting = self.lock();
        for unit in std::mem::take(&mut *waiting).units {
            match unit {
                Unit::Interface(past) => past.end(Ok(())),
                unit => waiting.push_back(unit),
            }
        }
        waiting.push_back(Unit::Interface(replacement));
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Puts back what was taken and never sent, in its order and before all other.
    pub(super) fn put_back(&self, next: Next) {
        let mut waiting = self.lock();
        let (mut back, mut out) = (Vec::new(), Vec::new());
        match next {
            Next::Interface(replacement) => back.push(Unit::Interface(replacement)),
            Next::Work(Work { calls, batch: Some(batch), .. }) => {
                let cancelled = calls.iter().filter(|call| self.control.put_back(call.id)).count() > 0;
                if cancelled { &mut out } else { &mut back }.push(Unit::Batch(calls, batch));
            }
            Next::Work(Work { calls, batch: None, .. }) => {
                for call in calls {
                    if self.control.put_back(call.id) { &mut out } else { &mut back }.push(Unit::Single(call));
                }
            }
        }
        back.into_iter().rev().for_each(|unit| waiting.push_front(unit));
        drop(waiting);
        for unit in out {
            self.refuse(unit, &Failure::Cancelled { execution: Execution::NotRun });
        }
    }

    /// Resolves when calls may have been added since the last time.
    pub(super) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().units.is_empty()
    }

    /// Takes what is next: a batch alone, an interface alone, or the single calls before either that mean one interface,
    /// up to the limits and at least one.
    pub(super) fn take(&self) -> Option<Next> {
        let mut waiting = self.lock();
        let next = self.next(&mut waiting);
        if let Some(Next::Work(work)) = &next {
            self.control.taken(&work.calls);
        }
        next
    }

    fn next(&self, waiting: &mut Waiting) -> Option<Next> {
        let mut calls = Vec::new();
        let mut declared = None;
        let mut bytes = 0;
        while let Some(unit) = waiting.units.front() {
            if unit.is_abandoned() {
                // Its client has hung up: it is not run, so that hanging up is no way to have more calls under way than one may.
                let calls =
                    waiting.pop_front().map_or(0, |unit| unit.calls().iter().filter(|call| call.is_call()).count());
                self.failed.fetch_add(calls as u64, Ordering::Relaxed);
                continue;
            }
            let Unit::Single(next) = unit else {
                if calls.is_empty() {
                    return waiting.pop_front().map(alone);
                }
                break;
            };
            bytes += next.args.as_bytes().len();
            let full = calls.len() == MAX_LIST || bytes > MAX_LIST_BYTES;
            // A call that has a time of its own goes alone: behind others it could not be taken back when that is over.
            let alone = next.wait.is_some();
            if !calls.is_empty() && (full || alone || !agree(declared.as_ref(), next.declared.as_ref())) {
                break;
            }
            if let Some(Unit::Single(call)) = waiting.pop_front() {
                declared = declared.or_else(|| call.declared.clone());
                calls.push(call);
            }
            if alone {
                break;
            }
        }
        (!calls.is_empty()).then_some(Next::Work(Work { calls, batch: None, declared }))
    }

    /// Takes all.
    pub(super) fn take_all(&self) -> Vec<Unit> {
        std::mem::take(&mut *self.lock()).units.into()
    }

    /// Takes those that have waited for an agent as long as their deadline allows. Waiting began when they came, or
    /// when the agent went away at `down`, whichever is later.
    pub(super) fn take_expired(&self, now: Instant, down: Instant) -> Vec<Unit> {
        let mut expired = Vec::new();
        let mut waiting = self.lock();
        for unit in std::mem::take(&mut *waiting).units {
            if unit.expiry(down).is_some_and(|expiry| expiry > now) {
                waiting.push_back(unit);
            } else {
                expired.push(unit);
            }
        }
        expired
    }

    /// When the next one of those that wait expires.
    pub(super) fn next_expiry(&self, down: Instant) -> Option<Instant> {
        self.lock().units.iter().filter_map(|unit| unit.expiry(down)).min()
    }

    /// Ends a call and counts it.
    pub(super) fn end(&self, call: Queued, result: CallResult) {
        let result = self.control.ended(call.id, result);
        if call.is_call() {
            let counter = if result.is_ok() { &self.returned } else { &self.failed };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        call.end(result);
    }

    /// Ends what waited, as it cannot be sent.
    pub(super) fn refuse(&self, unit: Unit, failure: &Failure) {
        match unit {
            Unit::Single(call) => self.end(call, Err(failure.clone())),
            Unit::Batch(calls, _) => calls.into_iter().for_each(|call| self.end(call, Err(failure.clone()))),
            Unit::Interface(replacement) => replacement.end(Err(failure.clone())),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            returned: self.returned.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            waiting: self.lock().calls,
        }
    }
}

/// A batch or an interface, which is never together with others.
fn alone(unit: Unit) -> Next {
    match unit {
        Unit::Single(call) => Next::Work(Work { declared: call.declared.clone(), calls: vec![call], batch: None }),
        Unit::Batch(calls, batch) => {
            let declared = calls.iter().find_map(|call| call.declared.clone());
            Next::Work(Work { calls, batch: Some(batch), declared })
        }
        Unit::Interface(replacement) => Next::Interface(replacement),
    }
}

/// Whether calls that mean these interfaces can go in one request.
fn agree(one: Option<&Arc<Declared>>, other: Option<&Arc<Declared>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.revision == other.revision,
        _ => true,
    }
}

#[cfg(test)]
pub(super) mod tests;
