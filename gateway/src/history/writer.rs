//! Writes what has ended, many calls at a time, and tries again for as long as it takes.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use super::buffer::{Batch, Waiting};
use super::gaps::Gap;
use super::record::{Clock, Record};
use super::store::Store;
use super::{History, StoreError};
use crate::config::Durability;
use crate::dispatch::{CallResult, Failure, Reply, execution};

/// How long calls are gathered that nobody waits for: with the time that writing takes, less than the 200 ms for which an
/// answered call may not be written yet.
const GATHER: Duration = Duration::from_millis(50);

/// One transaction has no more calls than these.
const MOST: usize = 4096;

/// The pause after a failure, the first time and at most.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long those wait whose calls cannot be written, before they are told so.
const PATIENCE: Duration = Duration::from_secs(5);
/// What calls have printed is waited for so long. It is nearly always here: it was written before their outcomes were sent.
const PRINTED: Duration = Duration::from_millis(500);

/// Whoever waits for a call's row, and what they are told then.
struct Owed {
    reply: Reply,
    result: CallResult,
}

impl History {
    /// Writes what ends until nothing more comes.
    pub async fn write(&self) {
        if self.config.durability != Durability::Off {
            let mut store = self.open().await;
            match store.as_ref().map(Store::janitor) {
                Some(janitor) => tokio::select! {
                    () = self.write_all(&mut store) => {}
                    () = self.keep_within_bounds(janitor) => {}
                },
                None => self.write_all(&mut store).await,
            }
            if let Some(store) = store
                && let Err(error) = store.close().await
            {
                tracing::warn!(%error, "the history was not closed as it should be");
            }
        }
        self.finished.send_replace(true);
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
            if self.buffer.is_closed() {
                return None;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn write_all(&self, store: &mut Option<Store>) {
        let Some(store) = store else { return };
        let waits = self.config.durability == Durability::BeforeAnswer;
        loop {
            self.buffer.arrival().await;
            if self.buffer.is_over() {
                return;
            }
            if !waits && !self.buffer.is_closed() && self.buffer.len() < MOST {
                // Elapsed or wanted: both are a reason to write.
                let _ = tokio::time::timeout(GATHER, self.buffer.wanted()).await;
            }
            let Batch { calls, missed } = self.buffer.take(MOST);
            let taken = calls.len() as u64;
            let (records, owed) = self.prepare(calls).await;
            self.write_batch(store, records, owed, missed).await;
            self.done.send_modify(|done| *done += taken);
        }
    }

    /// Makes rows of calls, on a thread where that harms nobody.
    async fn prepare(&self, calls: Vec<Waiting>) -> (Vec<Record>, Vec<Owed>) {
        let until = Instant::now() + PRINTED;
        for output in calls.iter().filter_map(|waiting| waiting.call.output.as_ref()) {
            output.complete(until.saturating_duration_since(Instant::now())).await;
        }
        let (most, count) = (self.config.max_text, calls.len() as u64);
        let prepare = move || {
            let clock = Clock::now();
            let prepare = |Waiting { call, reply, .. }| {
                let owed = reply.map(|reply| Owed { reply, result: call.result.clone() });
                (Record::of(call, clock, most), owed)
            };
            let (records, owed): (Vec<_>, Vec<_>) = calls.into_iter().map(prepare).unzip();
            (records, owed.into_iter().flatten().collect())
        };
        tokio::task::spawn_blocking(prepare).await.unwrap_or_else(|error| {
            self.state.count_missed(count);
            tracing::error!(%error, calls = count, "calls could not be prepared for the history");
            (Vec::new(), Vec::new())
        })
    }

    /// Writes a batch, however long that takes; whoever waits for it is told when it is written, or that it could not be.
    async fn write_batch(&self, store: &mut Store, mut records: Vec<Record>, mut owed: Vec<Owed>, missed: Option<Gap>) {
        let (began, mut pause) = (Instant::now(), PAUSE);
        while let Err(error) = store.insert(&mut records, missed.as_ref()).await {
            self.state.broken(&error.to_string());
            if began.elapsed() >= PATIENCE || self.buffer.is_closed() {
                for Owed { reply, result } in owed.drain(..) {
                    let execution = execution(&result);
                    reply.send(Err(Failure::NotRecorded(execution)));
                }
            }
            if self.buffer.is_closed() && began.elapsed() >= PATIENCE {
                return self.give_up(&records, &error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.state.written(records.len() as u64);
        for Owed { reply, result } in owed {
            reply.send(result);
        }
    }

    fn give_up(&self, records: &[Record], error: &StoreError) {
        self.state.count_missed(records.len() as u64);
        tracing::error!(calls = records.len(), %error, "the gateway stops, and these calls are not in the history");
    }
}
