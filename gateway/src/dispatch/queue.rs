//! The bounded queue of one apartment.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bridge32_protocol::wire::Callee;
use serde::Serialize;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::arguments::Arguments;
use super::outcome::{CallResult, Failure};

/// More calls than these do not wait: their clients are told to come back.
const MAX_WAITING: usize = 1024;
/// One request to the agent carries no more calls than these …
const MAX_LIST: usize = 256;
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
    waiting: Mutex<VecDeque<Queued>>,
    arrived: Notify,
    returned: AtomicU64,
    failed: AtomicU64,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Queued>> {
        // Pushing and popping leave the queue whole whatever panics elsewhere.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call.
    ///
    /// # Errors
    /// Too many wait already.
    pub(super) fn push(&self, call: Queued) -> Result<(), Failure> {
        let mut waiting = self.lock();
        if waiting.len() >= MAX_WAITING {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return Err(Failure::QueueFull { waiting: waiting.len() });
        }
        waiting.push_back(call);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Puts calls back that were taken and never sent, in their order and before all others.
    pub(super) fn put_back(&self, calls: Vec<Queued>) {
        let mut waiting = self.lock();
        for call in calls.into_iter().rev() {
            waiting.push_front(call);
        }
    }

    /// Resolves when calls may have been added since the last time.
    pub(super) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Takes what one request carries: whatever waits, up to the limits, and at least one.
    pub(super) fn take_list(&self) -> Vec<Queued> {
        let mut waiting = self.lock();
        let mut bytes = 0;
        let mut list = Vec::new();
        while list.len() < MAX_LIST
            && let Some(next) = waiting.front()
        {
            bytes += next.args.as_bytes().len();
            if bytes > MAX_LIST_BYTES && !list.is_empty() {
                break;
            }
            list.extend(waiting.pop_front());
        }
        list
    }

    /// Takes all.
    pub(super) fn take_all(&self) -> Vec<Queued> {
        self.lock().drain(..).collect()
    }

    /// Takes those that have waited for an agent as long as their deadline allows. Waiting began when they came, or
    /// when the agent went away at `down`, whichever is later.
    pub(super) fn take_expired(&self, now: Instant, down: Instant) -> VecDeque<Queued> {
        let mut waiting = self.lock();
        let (expired, rest) = std::mem::take(&mut *waiting).into_iter().partition(|call| call.expiry(down) <= now);
        *waiting = rest;
        expired
    }

    /// When the next one of those that wait expires.
    pub(super) fn next_expiry(&self, down: Instant) -> Option<Instant> {
        self.lock().iter().map(|call| call.expiry(down)).min()
    }

    /// Ends a call and counts it.
    pub(super) fn end(&self, call: Queued, result: CallResult) {
        let counter = if result.is_ok() { &self.returned } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        call.end(result);
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            returned: self.returned.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            waiting: self.lock().len(),
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
        assert_eq!((queue.take_list().len(), queue.take_list().len(), queue.take_list().len()), (256, 44, 0));
        let large = format!("{{\"s\":\"{}\"}}", "x".repeat(MAX_LIST_BYTES));
        for args in ["{}", &large, "{}"] {
            queue.push(queued(args).0).unwrap();
        }
        assert_eq!((queue.take_list().len(), queue.take_list().len(), queue.take_list().len()), (1, 1, 1));
    }

    #[test]
    fn a_full_queue_refuses_and_what_is_put_back_comes_first() {
        let queue = Queue::default();
        for _ in 0..MAX_WAITING {
            queue.push(queued("{}").0).unwrap();
        }
        assert!(matches!(queue.push(queued("{}").0), Err(Failure::QueueFull { waiting: MAX_WAITING })));
        let list = queue.take_list();
        let ids: Vec<Uuid> = list.iter().map(|call| call.id).collect();
        queue.put_back(list);
        assert_eq!(queue.take_list().iter().map(|call| call.id).collect::<Vec<_>>(), ids);
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
