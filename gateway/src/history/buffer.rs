//! What has ended and is not written yet: bounded, whatever becomes of the store.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::gaps::Gap;
use crate::dispatch::{CallResult, Ended, Failure, Reply, execution};

/// No more calls than these wait to be written …
pub(super) const MAX_CALLS: usize = 20_000;
/// … with no more bytes of arguments and answers than these.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// Room for no more calls than these is kept while they are few.
const MAX_SPARE: usize = 8192;

/// What a call takes beside its texts, about.
const OVERHEAD: usize = 512;

/// A call that is to be written, and who waits for that.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) call: Ended,
    pub(super) reply: Option<Reply>,
    /// What it takes of the room.
    bytes: usize,
}

impl Waiting {
    pub(super) fn new(call: Ended, reply: Option<Reply>) -> Self {
        let answer = call.result.as_ref().map_or(0, |answer| answer.size());
        let printed = call.output.as_ref().map_or(0, |output| output.most());
        let call = Ended { args: call.args.detached(), ..call };
        let bytes = call.args.as_bytes().len() + answer + printed + OVERHEAD;
        Self { call, reply, bytes }
    }
}

#[derive(Debug, Default)]
struct Content {
    waiting: Vec<Waiting>,
    /// Room for those who wait next.
    spare: Vec<Waiting>,
    bytes: usize,
    missed: Option<Missed>,
    closed: bool,
    /// How many have come since the gateway started.
    taken: u64,
}

/// The calls for which there was no room, since that was last written down.
#[derive(Clone, Copy, Debug)]
struct Missed {
    since: Timestamp,
    until: Timestamp,
    calls: u64,
}

/// The calls that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    content: Mutex<Content>,
    arrived: Notify,
    /// Somebody waits for what is there to be written.
    wanted: Notify,
}

/// What is to be written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) calls: Vec<Waiting>,
    /// The calls before them for which there was no room.
    pub(super) missed: Option<Gap>,
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Content> {
        // Each change is whole whatever panics elsewhere.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a call; gives it back if there is no room, and notes that.
    pub(super) fn push(&self, waiting: Waiting) -> Result<(), Box<Waiting>> {
        let bytes = waiting.bytes;
        let mut content = self.lock();
        // One that is larger than all the room has it when nothing else does.
        let has_room = content.waiting.len() < MAX_CALLS && (content.bytes + bytes <= MAX_BYTES || content.bytes == 0);
        if !has_room || content.closed {
            let now = Timestamp::now();
            let missed = content.missed.get_or_insert(Missed { since: now, until: now, calls: 0 });
            missed.until = now;
            missed.calls += 1;
            return Err(Box::new(waiting));
        }
        content.bytes += bytes;
        content.taken += 1;
        content.waiting.push(waiting);
        let is_first = content.waiting.len() == 1;
        drop(content);
        if is_first {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Resolves when there is something to be written, or nothing more comes.
    pub(super) async fn arrival(&self) {
        loop {
            let arrival = self.arrived.notified();
            if !self.is_empty() || self.is_closed() {
                return;
            }
            arrival.await;
        }
    }

    /// Has what is there written without waiting for more.
    pub(super) fn hurry(&self) {
        self.wanted.notify_one();
    }

    /// Resolves when somebody waits for what is there to be written.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether there is nothing to be written and never will be.
    pub(super) fn is_over(&self) -> bool {
        self.is_closed() && self.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        let content = self.lock();
        content.waiting.is_empty() && content.missed.is_none()
    }

    /// How many calls have come since the gateway started, and had room.
    pub(super) fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// How many calls wait.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Tells those who wait for their calls to be written that they could not be. The calls stay.
    pub(super) fn release(&self) {
        let mut content = self.lock();
        let waiting = content.waiting.iter_mut();
        let owed: Vec<_> =
            waiting.filter_map(|waiting| Some((waiting.reply.take()?, execution(&waiting.call.result)))).collect();
        drop(content);
        for (reply, execution) in owed {
            reply.send(Err(Failure::NotRecorded(execution)));
        }
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Takes what waits, the first ones first, up to `most` calls.
    pub(super) fn take(&self, most: usize) -> Batch {
        let mut content = self.lock();
        let calls: Vec<Waiting> = if content.waiting.len() <= most {
            content.bytes = 0;
            let spare = std::mem::take(&mut content.spare);
            std::mem::replace(&mut content.waiting, spare)
        } else {
            let calls: Vec<Waiting> = content.waiting.drain(..most).collect();
            content.bytes -= calls.iter().map(|waiting| waiting.bytes).sum::<usize>();
            calls
        };
        // What was missed came after all that waited then.
        let missed = if content.waiting.is_empty() { content.missed.take() } else { None };
        let missed = missed.map(|Missed { since, until, calls }| Gap::no_room(since, until, calls));
        Batch { calls, missed }
    }

    /// Takes back the room of calls that were taken: large as it is, it would be a new one each time otherwise.
    pub(super) fn reuse(&self, room: Vec<Waiting>) {
        if room.is_empty() && room.capacity() <= MAX_SPARE {
            self.lock().spare = room;
        }
    }
}

impl Waiting {
    /// Tells whoever waits.
    pub(super) fn answer(reply: Option<Reply>, result: CallResult) {
        if let Some(reply) = reply {
            reply.send(result);
        }
    }
}
