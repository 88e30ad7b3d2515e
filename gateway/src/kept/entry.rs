//! A kept call in memory: somebody may wait for its end, or want it.

use std::sync::Arc;

use tokio::sync::watch;
use uuid::Uuid;

use super::record::{Ended, Outcome, Record, Request};

/// A kept call.
#[derive(Debug)]
pub struct Entry {
    /// What was wanted.
    pub request: Request,
    /// The ids by which the dispatcher knows it: its own, or those of a batch's calls.
    pub calls: Vec<Uuid>,
    ended: watch::Sender<Option<Arc<Ended>>>,
    cancelled: watch::Sender<bool>,
}

impl Entry {
    pub(super) fn new(request: Request, calls: Vec<Uuid>) -> Self {
        Self { request, calls, ended: watch::Sender::new(None), cancelled: watch::Sender::new(false) }
    }

    /// What the table has of a call that is not in memory. If it has no outcome, that could not be written when there was one.
    pub(super) fn of(record: Record) -> Self {
        let Record { request, ended } = record;
        let lost = || Ended { at: request.created_at, outcome: Outcome::lost() };
        let ended = ended.unwrap_or_else(lost);
        let entry = Self::new(request, Vec::new());
        entry.set_ended(ended);
        entry
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<Arc<Ended>> {
        self.ended.borrow().clone()
    }

    /// How it ends.
    pub async fn end(&self) -> Arc<Ended> {
        let mut ended = self.ended.subscribe();
        loop {
            if let Some(ended) = ended.borrow_and_update().clone() {
                return ended;
            }
            if ended.changed().await.is_err() {
                // The sender is a part of this very entry.
                std::future::pending::<()>().await;
            }
        }
    }

    pub(super) fn set_ended(&self, ended: Ended) {
        self.ended.send_replace(Some(Arc::new(ended)));
    }

    /// Somebody wants it to be ended. Whoever runs it sees to that.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Whether somebody wants it to be ended.
    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Resolves when somebody wants it to be ended.
    pub async fn cancellation(&self) {
        if self.cancelled.subscribe().wait_for(|cancelled| *cancelled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
