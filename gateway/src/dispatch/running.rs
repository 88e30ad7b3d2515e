//! What the lanes of a library have sent and not seen the end of, so that a call can be found and cancelled.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use uuid::Uuid;

use super::control::{CallState, UnderWay};
use super::unit::{Lane, Queued};

/// By lane, the calls of its list that have not ended, in their order.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<HashMap<Lane, List>>);

#[derive(Debug)]
struct List {
    since: Instant,
    calls: VecDeque<Call>,
}

impl List {
    /// The place of that call, and what is told of it.
    fn sent(&self, lane: Lane, id: Uuid) -> Option<(usize, Sent)> {
        let at = self.calls.iter().position(|call| call.shown.id == id)?;
        Some((at, Sent { lane, since: self.since, is_first: at == 0 }))
    }
}

#[derive(Debug)]
struct Call {
    shown: UnderWay,
    cancelled: bool,
}

/// A call that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where it runs.
    pub lane: Lane,
    /// Since when its list runs.
    pub since: Instant,
    /// Whether it is the one that runs now, and does not wait behind another.
    pub is_first: bool,
}

impl Running {
    /// A lane sends these calls.
    pub(super) fn begin(&self, lane: Lane, calls: &[Queued]) {
        let calls = calls.iter().map(|call| Call { shown: UnderWay::of(call), cancelled: false }).collect();
        self.lock().insert(lane, List { since: Instant::now(), calls });
    }

    /// A call has ended. Gives whether the one behind it was cancelled meanwhile, whose turn it is now.
    pub(super) fn end(&self, lane: Lane, id: Uuid) -> bool {
        let mut lists = self.lock();
        let Some(list) = lists.get_mut(&lane) else { return false };
        // They end in their order, as a rule.
        match list.calls.iter().position(|call| call.shown.id == id) {
            Some(0) => drop(list.calls.pop_front()),
            Some(at) => drop(list.calls.remove(at)),
            None => {}
        }
        list.calls.front().is_some_and(|call| call.cancelled)
    }

    /// Those that were cancelled of what that lane has sent.
    pub(super) fn cancelled(&self, lane: Lane) -> Vec<Uuid> {
        let lists = self.lock();
        let cancelled = lists.get(&lane).into_iter().flat_map(|list| &list.calls).filter(|call| call.cancelled);
        cancelled.map(|call| call.shown.id).collect()
    }

    /// The list is over. Gives those of it that were cancelled.
    pub(super) fn finish(&self, lane: Lane) -> Vec<Uuid> {
        let list = self.lock().remove(&lane);
        let cancelled = list.into_iter().flat_map(|list| list.calls).filter(|call| call.cancelled);
        cancelled.map(|call| call.shown.id).collect()
    }

    /// Whether no lane runs anything.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// How many calls were sent and have not ended.
    pub(super) fn calls(&self) -> usize {
        self.lock().values().map(|list| list.calls.len()).sum()
    }

    /// How far that call is.
    pub(super) fn find(&self, id: Uuid) -> Option<CallState> {
        self.lock().iter().find_map(|(lane, list)| list.sent(*lane, id)).map(|(at, _)| state(at))
    }

    /// Adds what was sent to a list.
    pub(super) fn list(&self, all: &mut Vec<UnderWay>) {
        for list in self.lock().values() {
            let shown = list.calls.iter().enumerate();
            all.extend(shown.map(|(at, call)| call.shown.as_it_is(state(at))));
        }
    }

    /// Whether that lane has sent a list that is not over.
    pub(super) fn is_on(&self, lane: Lane) -> bool {
        self.lock().contains_key(&lane)
    }

    /// Nobody wants the outcome of that call any more. Gives where it runs.
    pub(super) fn cancel(&self, id: Uuid) -> Option<Sent> {
        self.lock().iter_mut().find_map(|(lane, list)| {
            let (at, sent) = list.sent(*lane, id)?;
            list.calls[at].cancelled = true;
            Some(sent)
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Lane, List>> {
        // Each change is whole before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first one of a list is the one that runs.
const fn state(at: usize) -> CallState {
    if at == 0 { CallState::Running } else { CallState::Waiting }
}
