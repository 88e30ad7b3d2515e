//! Writes what has ended, many calls at a time, and tries again for as long as it takes.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;
use uuid::Uuid;

use super::buffer::{Batch, Waiting};
use super::gaps::Gap;
use super::record::{Clock, Record};
use super::store::Store;
use super::{History, StoreError};
use crate::config::Durability;
use crate::dispatch::{CallResult, Failure, Reply, execution};

/// How long calls are gathered that nobody waits for: with the time that writing takes, less than the 200 ms for which an
/// answered call may not be written yet.
///
/// Not longer, so that what they have is still in the processor's caches then: that takes less than more transactions do.
const GATHER: Duration = Duration::from_millis(20);

/// One transaction has no more calls than these.
const MOST: usize = 4096;

/// The pause after a failure, the first time and at most.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long those wait whose calls cannot be written, before they are told so.
const PATIENCE: Duration = Duration::from_secs(5);
/// What calls have printed is waited for so long. It is nearly always here: it was written before their outcomes were sent.
const PRINTED: Duration = Duration::from_millis(500);

/// What is said of a writer that has panicked.
const DEFECT: &str = "its writer has failed, by a defect of the gateway (its log has more): restart the gateway";

/// Whoever waits for a call's row, and what they are told then.
struct Owed {
    reply: Reply,
    result: CallResult,
}

impl Owed {
    fn refuse(self) {
        let execution = execution(&self.result);
        self.reply.send(Err(Failure::NotRecorded(execution)));
    }
}

/// What is written in one transaction.
struct Part {
    records: Vec<Record>,
    gap: Option<Gap>,
}

impl History {
    /// Writes what ends until nothing more comes.
    pub async fn write(&self) {
        self.until_the_end(self.write_until_closed()).await;
    }

    /// Everything is written when this has resolved. If it fails as only a defect of ours can make it, nothing more is taken, nobody
    /// waits for it, and it is told.
    pub(super) async fn until_the_end(&self, writing: impl Future<Output = ()>) {
        if AssertUnwindSafe(writing).catch_unwind().await.is_err() {
            self.state.broken(DEFECT);
            self.buffer.close();
            self.buffer.release();
        }
        self.finished.send_replace(true);
    }

    async fn write_until_closed(&self) {
        if self.config.durability != Durability::Off
            && let Some(mut store) = self.open().await
        {
            let janitor = store.janitor();
            let is_whole = tokio::select! {
                is_whole = self.write_all(&mut store) => is_whole,
                never = self.keep_within_bounds(janitor) => match never {},
            };
            if let Err(error) = store.close(is_whole).await {
                tracing::warn!(%error, "the history was not closed as it should be");
            }
        }
    }

    /// Opens the store; `None` if that did not work before nothing more came.
    async fn open(&self) -> Option<Store> {
        let mut pause = PAUSE;
        loop {
            match Store::open(&self.data_dir, &self.config).await {
                Ok(store) => {
                    *self.readers.write().unwrap_or_else(PoisonError::into_inner) = Some(store.readers());
                    self.state.written(0);
                    self.tried.send_replace(true);
                    return Some(store);
                }
                Err(error) => self.state.broken(&error.to_string()),
            }
            self.tried.send_replace(true);
            self.buffer.release();
            if self.buffer.is_closed() {
                return None;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether all of it was written when nothing more comes.
    async fn write_all(&self, store: &mut Store) -> bool {
        let waits = self.config.durability == Durability::BeforeAnswer;
        let mut is_whole = true;
        loop {
            self.buffer.arrival().await;
            if self.buffer.is_over() {
                return is_whole;
            }
            if !waits && !self.buffer.is_closed() && self.buffer.len() < MOST {
                // Elapsed or wanted: both are a reason to write.
                let _ = tokio::time::timeout(GATHER, self.buffer.wanted()).await;
            }
            let Batch { calls, missed } = self.buffer.take(MOST);
            let taken = calls.len() as u64;
            let (records, owed) = self.prepare(calls).await;
            is_whole &= self.write_batch(store, records, owed, missed).await;
            self.done.send_modify(|done| *done += taken);
        }
    }

    /// Makes rows of calls.
    async fn prepare(&self, mut calls: Vec<Waiting>) -> (Vec<Record>, HashMap<Uuid, Owed>) {
        let until = Instant::now() + PRINTED;
        for output in calls.iter().filter_map(|waiting| waiting.call.output.as_ref()) {
            output.complete(until.saturating_duration_since(Instant::now())).await;
        }
        let (most, count) = (self.config.max_text, calls.len() as u64);
        let prepare = || {
            let clock = Clock::now();
            let mut owed = HashMap::new();
            let prepare = |Waiting { call, reply, .. }: Waiting| {
                owed.extend(reply.map(|reply| (call.id, Owed { reply, result: call.result.clone() })));
                Record::of(call, clock, most)
            };
            let records: Vec<Record> = calls.drain(..).map(prepare).collect();
            (records, owed, std::mem::take(&mut calls))
        };
        let (records, owed, room) = catch_unwind(AssertUnwindSafe(prepare)).unwrap_or_else(|_| {
            self.state.count_missed(count);
            tracing::error!(
                calls = count,
                "calls could not be prepared for the history: that is a defect of the gateway"
            );
            Default::default()
        });
        self.buffer.reuse(room);
        (records, owed)
    }

    /// Writes a batch, however long that takes; whoever waits for it is told when it is written, or that it could not be. Whether
    /// it was written, as far as the store takes it.
    async fn write_batch(
        &self,
        store: &mut Store,
        records: Vec<Record>,
        mut owed: HashMap<Uuid, Owed>,
        missed: Option<Gap>,
    ) -> bool {
        let (mut began, mut pause) = (Instant::now(), PAUSE);
        let mut parts = VecDeque::from([Part { records, gap: missed }]);
        while let Some(Part { mut records, gap }) = parts.pop_front() {
            let error = match store.insert(&mut records, gap.as_ref()).await {
                Ok(()) => {
                    self.state.written(records.len() as u64);
                    for Owed { reply, result } in records.iter().filter_map(|record| owed.remove(&record.id)) {
                        reply.send(result);
                    }
                    (began, pause) = (Instant::now(), PAUSE);
                    continue;
                }
                Err(error) => error,
            };
            if error.is_about_data() && !records.is_empty() {
                // One of them: the others are written without it.
                self.split(records, gap, &error, &mut parts, &mut owed);
                continue;
            }
            self.state.broken(&error.to_string());
            let is_closed = self.buffer.is_closed();
            if began.elapsed() >= PATIENCE || is_closed {
                for (_, owed) in owed.drain() {
                    owed.refuse();
                }
                self.buffer.release();
            }
            parts.push_front(Part { records, gap });
            if is_closed && began.elapsed() >= PATIENCE {
                self.give_up(&parts, &error);
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        true
    }

    /// Makes two parts of one that the store does not take; of one call, a gap.
    fn split(
        &self,
        mut records: Vec<Record>,
        gap: Option<Gap>,
        error: &StoreError,
        parts: &mut VecDeque<Part>,
        owed: &mut HashMap<Uuid, Owed>,
    ) {
        let second = records.split_off(records.len() / 2);
        if let ([], [refused]) = (&records[..], &second[..]) {
            tracing::error!(call = %refused.id, %error, "the history does not take this call");
            self.state.count_missed(1);
            owed.remove(&refused.id).into_iter().for_each(Owed::refuse);
            let own = Gap::refused(refused.ended_at, refused.id, &error.to_string());
            let gaps = [Some(own), gap].into_iter().flatten();
            let gaps: Vec<Part> = gaps.map(|gap| Part { records: Vec::new(), gap: Some(gap) }).collect();
            gaps.into_iter().rev().for_each(|part| parts.push_front(part));
            return;
        }
        parts.push_front(Part { records: second, gap });
        parts.push_front(Part { records, gap: None });
    }

    fn give_up(&self, parts: &VecDeque<Part>, error: &StoreError) {
        let calls: u64 = parts.iter().map(|part| part.records.len() as u64).sum();
        self.state.count_missed(calls);
        tracing::error!(calls, %error, "the gateway stops, and these calls are not in the history");
    }
}
