//! What happens, told to whoever listens: the last events are kept in memory, and readers take them from there, each at its own
//! pace. Nobody who publishes waits for a reader; a reader that is too slow is told what it has missed.

mod event;

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;

use super::metrics::families::{EVENT_READERS, EVENTS, EVENTS_MISSED};
use super::metrics::{Page, Value, level};

pub use event::{AgentChange, CallEnd, Crash, Event, Filter, HistoryChange, HistoryNews, Kind, Replaced, Replacement};

/// No more events than these are kept …
const MOST_EVENTS: usize = 10_000;
/// … with no more bytes than these, about.
const MOST_BYTES: usize = 8 << 20;
/// A reader looks at so many at a time, …
const LOOKS_AT: usize = 1024;
/// … and takes so many: whoever publishes waits no longer than that takes.
const TAKES: usize = 64;
/// A reader that waited gives others so long to come, so that it need not be woken for each.
const GATHER: Duration = Duration::from_millis(5);

/// Where an event stands: `EPOCH-NUMBER`. Numbers begin with 1 in each epoch, which is a start of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    epoch: u64,
    number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.number)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (epoch, number) = text.split_once('-').ok_or(())?;
        // Both parsers take a sign, too.
        let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_plain(epoch) || !is_plain(number) {
            return Err(());
        }
        Ok(Self { epoch: u64::from_str_radix(epoch, 16).map_err(drop)?, number: number.parse().map_err(drop)? })
    }
}

/// Events that a reader does not get any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// The id of the first one; of another start of the gateway, the last one that the reader had.
    pub from: String,
    /// The id of the last one; `None` where nobody knows.
    pub to: Option<String>,
    /// How many they are, those of kinds that the reader does not want included; `None` where nobody knows.
    pub count: Option<u64>,
    /// Why.
    pub reason: MissedReason,
}

/// Why events were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedReason {
    /// The reader did not take them in time.
    TooSlow,
    /// It came back too late.
    TooLate,
    /// The gateway was started again meanwhile.
    Restarted,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Event>,
    /// How many there were before them.
    before: u64,
    bytes: usize,
}

impl Ring {
    /// The number of the last event; 0 if there was none.
    fn last(&self) -> u64 {
        self.before + self.events.len() as u64
    }

    fn push(&mut self, event: Event) {
        self.bytes += event.size();
        self.events.push_back(event);
        while self.events.len() > MOST_EVENTS || (self.bytes > MOST_BYTES && self.events.len() > 1) {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= oldest.size();
            self.before += 1;
        }
    }
}

/// The events of one gateway.
#[derive(Debug)]
pub struct Events {
    ring: Mutex<Ring>,
    arrived: Notify,
    epoch: u64,
    readers: AtomicUsize,
    /// By kind.
    told: [AtomicU64; Kind::ALL.len()],
    missed: AtomicU64,
}

impl Default for Events {
    fn default() -> Self {
        Self::of_epoch(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default())
    }
}

impl Events {
    fn of_epoch(epoch: u64) -> Self {
        Self {
            ring: Mutex::default(),
            arrived: Notify::new(),
            epoch,
            readers: AtomicUsize::new(0),
            told: Default::default(),
            missed: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // Each change is whole whatever panics elsewhere.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells an event.
    pub fn publish(&self, event: impl Into<Event>) {
        let event = event.into();
        self.told[event.kind() as usize].fetch_add(1, Ordering::Relaxed);
        self.lock().push(event);
        if self.readers.load(Ordering::Relaxed) > 0 {
            self.arrived.notify_waiters();
        }
    }

    /// A reader of what comes from now on or, where it had the event `after`, from the one behind that.
    ///
    /// # Errors
    /// There was no such event yet.
    pub fn read(&self, after: Option<EventId>, filter: Filter) -> Result<Reader, NoSuchEvent> {
        let last = self.lock().last();
        let (after, restarted) = match after {
            None => (last, None),
            Some(id) if id.epoch != self.epoch => (0, Some(id)),
            Some(id) if id.number > last => return Err(NoSuchEvent),
            Some(id) => (id.number, None),
        };
        Ok(Reader { after, restarted, filter, is_new: true })
    }

    fn id(&self, number: u64) -> EventId {
        EventId { epoch: self.epoch, number }
    }

    /// From now on one more is read for: without readers nobody is woken.
    pub fn begin_reading(&self) {
        self.readers.fetch_add(1, Ordering::SeqCst);
    }

    /// One less.
    pub fn end_reading(&self) {
        self.readers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Adds how they fare to a page.
    pub fn write(&self, page: &mut Page) {
        let told = Kind::ALL.iter().zip(&self.told);
        let count = |counter: &AtomicU64| Value::Count(counter.load(Ordering::Relaxed));
        page.add(&EVENTS, told.map(|(kind, told)| (vec![kind.name().to_owned()], count(told))));
        page.add_one(&EVENT_READERS, Value::Level(level(self.readers.load(Ordering::Relaxed) as u64)));
        page.add_one(&EVENTS_MISSED, count(&self.missed));
    }
}

/// The id is of this start of the gateway, and of no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchEvent;

/// How far somebody has read.
#[derive(Debug)]
pub struct Reader {
    /// The number of the last event that it has seen.
    after: u64,
    /// What it had of an earlier start of the gateway, as long as it was not told that.
    restarted: Option<EventId>,
    filter: Filter,
    /// It has not read anything yet.
    is_new: bool,
}

/// What a reader gets at once.
#[derive(Debug, Default)]
pub struct Portion {
    /// What it has missed before these, and the id from which it goes on.
    pub missed: Option<(EventId, Missed)>,
    /// The events that it wants.
    pub events: Vec<(EventId, Event)>,
}

impl Portion {
    fn is_empty(&self) -> bool {
        self.missed.is_none() && self.events.is_empty()
    }
}

impl Reader {
    /// The id that whoever comes back would name now; `None` as long as it has to be told first what it has missed.
    pub fn position(&self, events: &Events) -> Option<EventId> {
        self.restarted.is_none().then(|| events.id(self.after))
    }

    /// What comes next, as soon as there is something that it wants.
    pub async fn next(&mut self, events: &Events) -> Portion {
        loop {
            let mut arrival = std::pin::pin!(events.arrived.notified());
            // From here on nothing that arrives is overlooked.
            arrival.as_mut().enable();
            let (portion, is_more) = self.take(events);
            if !portion.is_empty() {
                return portion;
            }
            if !is_more {
                arrival.await;
                tokio::time::sleep(GATHER).await;
            }
        }
    }

    /// Looks at what is next. Gives also whether there was more than it has looked at.
    fn take(&mut self, events: &Events) -> (Portion, bool) {
        let ring = events.lock();
        let missed = self.missed(&ring, events);
        let skip = usize::try_from(self.after - ring.before).unwrap_or(usize::MAX);
        let mut taken = Vec::new();
        for event in ring.events.iter().skip(skip).take(LOOKS_AT) {
            self.after += 1;
            if self.filter.wants(event) {
                taken.push((events.id(self.after), event.clone()));
            }
            if taken.len() == TAKES {
                break;
            }
        }
        let is_more = self.after < ring.last();
        (Portion { missed, events: taken }, is_more)
    }

    /// What is not there any more of what would be next; then it goes on with what is.
    fn missed(&mut self, ring: &Ring, events: &Events) -> Option<(EventId, Missed)> {
        let is_new = std::mem::take(&mut self.is_new);
        if let Some(had) = self.restarted.take() {
            self.after = self.after.max(ring.before);
            let missed = Missed { from: had.to_string(), to: None, count: None, reason: MissedReason::Restarted };
            return Some((events.id(self.after), missed));
        }
        if self.after >= ring.before {
            return None;
        }
        let (from, to) = (self.after + 1, ring.before);
        self.after = to;
        let count = to + 1 - from;
        events.missed.fetch_add(count, Ordering::Relaxed);
        let reason = if is_new { MissedReason::TooLate } else { MissedReason::TooSlow };
        let missed = Missed {
            from: events.id(from).to_string(),
            to: Some(events.id(to).to_string()),
            count: Some(count),
            reason,
        };
        Some((events.id(to), missed))
    }
}

#[cfg(test)]
mod tests;
