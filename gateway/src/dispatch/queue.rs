//! The bounded queue of one apartment.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bridge32_protocol::wire::{Batch, Callee};
use serde::Serialize;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::arguments::Arguments;
use super::outcome::{CallResult, Failure};

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
    pub(super) since: Instant,
    pub(super) reply: oneshot::Sender<CallResult>,
}

impl Queued {
    /// Ends the call. Whoever does not wait any more has lost only the answer.
    pub(super) fn end(self, result: CallResult) {
        let _ = self.reply.send(result);
    }

    fn expiry(&self, down: Instant) -> Instant {
        self.since.max(down) + self.deadline
    }

    /// Whether it is a call of the library's own, and not work on memory or variables beside them.
    fn is_call(&self) -> bool {
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
}

/// What waits at one place of the queue.
#[derive(Debug)]
enum Unit {
    Single(Queued),
    Batch(Vec<Queued>, Batch),
}

impl Unit {
    fn calls(&self) -> &[Queued] {
        match self {
            Self::Single(call) => std::slice::from_ref(call),
            Self::Batch(calls, _) => calls,
        }
    }

    fn into_calls(self) -> Vec<Queued> {
        match self {
            Self::Single(call) => vec![call],
            Self::Batch(calls, _) => calls,
        }
    }

    /// A batch begins with its first call, so that one's deadline is how long it waits for an agent.
    fn expiry(&self, down: Instant) -> Option<Instant> {
        self.calls().first().map(|call| call.expiry(down))
    }
}

/// The units in their order, and how many calls are in them.
#[derive(Debug, Default)]
struct Waiting {
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
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
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

    /// Puts work back that was taken and never sent, in its order and before all other.
    pub(super) fn put_back(&self, work: Work) {
        let mut waiting = self.lock();
        match work.batch {
            Some(batch) => waiting.push_front(Unit::Batch(work.calls, batch)),
            None => work.calls.into_iter().rev().for_each(|call| waiting.push_front(Unit::Single(call))),
        }
    }

    /// Resolves when calls may have been added since the last time.
    pub(super) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().units.is_empty()
    }

    /// Takes what one request carries: a batch alone, or the single calls before the next batch, up to the limits and
    /// at least one.
    pub(super) fn take_work(&self) -> Work {
        let mut waiting = self.lock();
        let mut work = Work { calls: Vec::new(), batch: None };
        let mut bytes = 0;
        while work.calls.len() < MAX_LIST {
            match waiting.units.front() {
                Some(Unit::Single(next)) => bytes += next.args.as_bytes().len(),
                Some(Unit::Batch(..)) if work.calls.is_empty() => {}
                Some(Unit::Batch(..)) | None => break,
            }
            if bytes > MAX_LIST_BYTES && !work.calls.is_empty() {
                break;
            }
            match waiting.pop_front() {
                Some(Unit::Single(call)) => work.calls.push(call),
                Some(Unit::Batch(calls, batch)) => return Work { calls, batch: Some(batch) },
                None => break,
            }
        }
        work
    }

    /// Takes all.
    pub(super) fn take_all(&self) -> Vec<Queued> {
        let Waiting { units, .. } = std::mem::take(&mut *self.lock());
        units.into_iter().flat_map(Unit::into_calls).collect()
    }

    /// Takes those that have waited for an agent as long as their deadline allows. Waiting began when they came, or
    /// when the agent went away at `down`, whichever is later.
    pub(super) fn take_expired(&self, now: Instant, down: Instant) -> Vec<Queued> {
        let mut expired = Vec::new();
        let mut waiting = self.lock();
        for unit in std::mem::take(&mut *waiting).units {
            if unit.expiry(down).is_some_and(|expiry| expiry > now) {
                waiting.push_back(unit);
            } else {
                expired.extend(unit.into_calls());
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
        if call.is_call() {
            let counter = if result.is_ok() { &self.returned } else { &self.failed };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        call.end(result);
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            returned: self.returned.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            waiting: self.lock().calls,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;

    use super::*;

    pub(in crate::dispatch) fn queued(args: &str) -> (Queued, oneshot::Receiver<CallResult>) {
        let (reply, outcome) = oneshot::channel();
        let args = Arguments::parse(&Bytes::copy_from_slice(args.as_bytes())).unwrap();
        let (id, deadline) = (Uuid::now_v7(), Duration::from_secs(5));
        (Queued { id, callee: Callee::Function(7), args, deadline, since: Instant::now(), reply }, outcome)
    }

    #[test]
    fn a_list_takes_what_waits_up_to_the_limits() {
        let queue = Queue::default();
        for _ in 0..300 {
            queue.push(queued("{}").0).unwrap();
        }
        let taken = || queue.take_work().calls.len();
        assert_eq!((taken(), taken(), taken()), (256, 44, 0));
        let large = format!("{{\"s\":\"{}\"}}", "x".repeat(MAX_LIST_BYTES));
        for args in ["{}", &large, "{}"] {
            queue.push(queued(args).0).unwrap();
        }
        let taken = || queue.take_work().calls.len();
        assert_eq!((taken(), taken(), taken()), (1, 1, 1));
    }

    #[test]
    fn a_full_queue_refuses_and_what_is_put_back_comes_first() {
        let queue = Queue::default();
        for _ in 0..MAX_WAITING {
            queue.push(queued("{}").0).unwrap();
        }
        assert!(matches!(queue.push(queued("{}").0), Err(Failure::QueueFull { waiting: MAX_WAITING })));
        let work = queue.take_work();
        let before = ids(&work);
        queue.put_back(work);
        assert_eq!(ids(&queue.take_work()), before);
    }

    fn ids(work: &Work) -> Vec<Uuid> {
        work.calls.iter().map(|call| call.id).collect()
    }

    fn three() -> Vec<Queued> {
        (0..3).map(|_| queued("{}").0).collect()
    }

    const BATCH: Batch = Batch { stop_on_error: true };

    #[test]
    fn a_batch_is_taken_whole_and_alone() {
        let queue = Queue::default();
        queue.push(queued("{}").0).unwrap();
        queue.push(queued("{}").0).unwrap();
        queue.push_batch(three(), BATCH).unwrap();
        queue.push_batch(three(), Batch { stop_on_error: false }).unwrap();
        queue.push(queued("{}").0).unwrap();
        assert_eq!(queue.counts().waiting, 9);
        let taken = || {
            let work = queue.take_work();
            (work.calls.len(), work.batch.map(|batch| batch.stop_on_error))
        };
        assert_eq!([taken(), taken(), taken(), taken()], [(2, None), (3, Some(true)), (3, Some(false)), (1, None)]);
        assert_eq!(queue.counts().waiting, 0);
    }

    #[test]
    fn a_batch_that_was_not_sent_is_a_batch_again() {
        let queue = Queue::default();
        queue.push_batch(three(), BATCH).unwrap();
        queue.push(queued("{}").0).unwrap();
        let work = queue.take_work();
        let before = ids(&work);
        queue.put_back(work);
        let again = queue.take_work();
        assert_eq!((ids(&again), again.batch), (before, Some(BATCH)));
    }

    #[test]
    fn a_batch_that_does_not_fit_whole_is_refused_whole() {
        let queue = Queue::default();
        for _ in 0..MAX_WAITING - 2 {
            queue.push(queued("{}").0).unwrap();
        }
        assert!(matches!(queue.push_batch(three(), BATCH), Err(Failure::QueueFull { .. })));
        assert_eq!((queue.counts().waiting, queue.counts().failed), (MAX_WAITING - 2, 3));
        queue.push(queued("{}").0).unwrap();
    }

    #[test]
    fn a_batch_expires_as_one() {
        let queue = Queue::default();
        let mut calls = three();
        calls[0].deadline = Duration::ZERO;
        queue.push_batch(calls, BATCH).unwrap();
        queue.push_batch(three(), BATCH).unwrap();
        let down = Instant::now();
        assert_eq!(queue.take_expired(down, down).len(), 3);
        assert_eq!(queue.counts().waiting, 3);
    }

    #[test]
    fn work_on_memory_is_not_counted_as_a_call() {
        let queue = Queue::default();
        let answer = || Err(Failure::QueueFull { waiting: 0 });
        let (mut block, _outcome) = queued("{}");
        block.callee = Callee::FreeBlock;
        queue.end(block, answer());
        assert_eq!(queue.counts().failed, 0);
        queue.end(queued("{}").0, answer());
        assert_eq!(queue.counts().failed, 1);
    }

    #[test]
    fn only_what_is_overdue_expires() {
        let queue = Queue::default();
        let (mut late, _outcome) = queued("{}");
        late.deadline = Duration::ZERO;
        queue.push(queued("{}").0).unwrap();
        queue.push(late).unwrap();
        let down = Instant::now();
        assert_eq!(queue.next_expiry(down), Some(down));
        assert_eq!(queue.take_expired(down, down).len(), 1);
        assert!(!queue.is_empty());
    }
}
