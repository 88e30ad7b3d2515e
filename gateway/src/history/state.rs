//! How the history fares, and what it has counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// How the history fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Condition {
    /// It is written.
    #[default]
    Good,
    /// Nobody wants it.
    Off,
    /// It cannot be written.
    Broken {
        /// Since when.
        since: Timestamp,
        /// Why.
        error: String,
    },
}

/// What became of the calls since the gateway started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Calls that are in the store.
    pub written: u64,
    /// Calls that wait to be written.
    pub waiting: u64,
    /// Calls for which there was no room while the store could not be written.
    pub missed: u64,
    /// How often writing has failed.
    pub failures: u64,
    /// Calls that are not in the store any more, because they were too old, or too many.
    pub forgotten: u64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    condition: Mutex<Condition>,
    written: AtomicU64,
    missed: AtomicU64,
    failures: AtomicU64,
    forgotten: AtomicU64,
}

impl State {
    pub(super) fn condition(&self) -> Condition {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, condition: Condition) -> Condition {
        std::mem::replace(&mut *self.condition.lock().unwrap_or_else(PoisonError::into_inner), condition)
    }

    pub(super) fn turn_off(&self) {
        self.set(Condition::Off);
    }

    /// Writing has failed.
    pub(super) fn broken(&self, error: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let (since, known) = match self.condition() {
            Condition::Broken { since, error } => (since, Some(error)),
            _ => (Timestamp::now(), None),
        };
        tracing::debug!(error, "writing the history failed");
        // Told once, until it is something else.
        if known.as_deref() != Some(error) {
            tracing::error!(error, "the history cannot be written; it is tried again");
        }
        self.set(Condition::Broken { since, error: error.to_owned() });
    }

    /// So many calls were written.
    pub(super) fn written(&self, calls: u64) {
        self.written.fetch_add(calls, Ordering::Relaxed);
        if let Condition::Broken { since, .. } = self.set(Condition::Good) {
            tracing::info!(%since, missed = self.missed.load(Ordering::Relaxed), "the history can be written again");
        }
    }

    pub(super) fn count_missed(&self, calls: u64) {
        self.missed.fetch_add(calls, Ordering::Relaxed);
    }

    pub(super) fn count_forgotten(&self, calls: u64) {
        self.forgotten.fetch_add(calls, Ordering::Relaxed);
    }

    pub(super) fn counts(&self, waiting: usize) -> Counts {
        Counts {
            written: self.written.load(Ordering::Relaxed),
            waiting: waiting as u64,
            missed: self.missed.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            forgotten: self.forgotten.load(Ordering::Relaxed),
        }
    }
}
