//! The history: a row for every call that has ended, whoever made it.
//!
//! Calls end in [`History::record`], which puts them into a bounded [`buffer`]; the [`writer`] takes them from there, many at a
//! time, and the [`store`] has them. Nothing that is wrong with the store holds up a call: what there is no room for is counted,
//! and readers are told ([`gaps`]). Only with `durability = "before_answer"` does a call's client wait for its row.

mod buffer;
mod differences;
mod echo;
mod fill;
mod gaps;
mod keeping;
mod record;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::config::{Durability, HistoryConfig};
use crate::dispatch::{Ended, Failure, Reply};

pub use differences::{Difference, differences};
pub use fill::fill;
pub use gaps::Gap;
pub use record::Record;
pub use state::{Condition, Counts};
pub use store::{BY_THE_MINUTE, Detail, Filter, Page, Span, Statistics, StoreError, Tally, Wanted};
pub use text::Text;

use buffer::{Buffer, Waiting};
use state::State;
use store::Readers;

/// How long somebody who asks for a call that has just ended waits for it to be written.
const CATCHING_UP: Duration = Duration::from_secs(1);

/// How long a gateway that starts waits for its history to be opened.
const OPENING: Duration = Duration::from_secs(5);

/// The history of one gateway.
#[derive(Debug)]
pub struct History {
    data_dir: PathBuf,
    config: HistoryConfig,
    buffer: Buffer,
    state: State,
    /// `None` as long as the store could not be opened.
    readers: RwLock<Option<Readers>>,
    /// Whether it was tried to open the store.
    tried: watch::Sender<bool>,
    /// How many of the calls that had room are done with: written, or given up.
    done: watch::Sender<u64>,
    /// Everything is written that ever will be.
    finished: watch::Sender<bool>,
}

impl History {
    /// The history in this folder, or in the database that the configuration names; nothing is opened yet.
    pub fn new(data_dir: &Path, config: HistoryConfig) -> Self {
        let state = State::default();
        let is_off = config.durability == Durability::Off;
        if is_off {
            state.turn_off();
        }
        Self {
            data_dir: data_dir.to_owned(),
            config,
            buffer: Buffer::default(),
            state,
            readers: RwLock::default(),
            tried: watch::Sender::new(is_off),
            done: watch::Sender::new(0),
            finished: watch::Sender::new(false),
        }
    }

    /// Resolves when the store is open, could not be opened at first, or takes longer than anybody should wait for it.
    pub async fn opened(&self) {
        let mut tried = self.tried.subscribe();
        if tokio::time::timeout(OPENING, tried.wait_for(|tried| *tried)).await.is_err() {
            tracing::warn!("the history takes its time to be opened; calls do not wait for it");
        }
    }

    /// Whether calls may be made: not, if they must be written before they are answered and cannot be.
    ///
    /// # Errors
    /// They must not. In words.
    pub fn admit(&self) -> Result<(), String> {
        if self.config.durability != Durability::BeforeAnswer {
            return Ok(());
        }
        match self.state.condition() {
            Condition::Broken { error, .. } => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes a call that has ended, and passes its outcome on when that may be.
    pub fn record(&self, call: Ended, reply: Reply) {
        let at_once = self.config.durability != Durability::BeforeAnswer;
        let (reply, later) = if at_once { (Some(reply), None) } else { (None, Some(reply)) };
        let result = reply.as_ref().map(|_| call.result.clone());
        if self.config.durability != Durability::Off
            && let Err(refused) = self.buffer.push(Waiting::new(call, later))
        {
            let Waiting { call, reply, .. } = *refused;
            self.state.count_missed(1);
            let execution = crate::dispatch::execution(&call.result);
            Waiting::answer(reply, Err(Failure::NotRecorded(execution)));
        }
        if let Some((reply, result)) = reply.zip(result) {
            reply.send(result);
        }
    }

    /// What is missing among the calls that ended between two times, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn gaps(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Gap>, StoreError> {
        self.readers()?.gaps(since, until).await
    }

    /// How the history fares.
    pub fn condition(&self) -> Condition {
        self.state.condition()
    }

    /// How it fares, now and from now on.
    pub fn conditions(&self) -> watch::Receiver<Condition> {
        self.state.conditions()
    }

    /// How many calls it has been told of since the gateway started, and what became of them.
    pub fn counts(&self) -> Counts {
        self.state.counts(self.buffer.len())
    }

    /// The call of that id, if it has ended.
    ///
    /// # Errors
    /// The store cannot be read, or does not have yet what has ended lately.
    pub async fn find(&self, id: Uuid) -> Result<Option<Record>, StoreError> {
        let readers = self.readers()?;
        // First of all: what is written meanwhile is found by the second look.
        let behind = self.behind();
        match (readers.find(id).await?, behind) {
            (None, Some(taken)) if self.caught_up(taken).await => readers.find(id).await,
            (None, Some(_)) => Err(StoreError::Behind),
            (found, _) => Ok(found),
        }
    }

    /// How many calls there will be when those are done with that have ended; `None` if they are.
    fn behind(&self) -> Option<u64> {
        let taken = self.buffer.taken();
        (*self.done.borrow() < taken).then_some(taken)
    }

    /// Waits until so many are done with, as long as that may take while all is well. Whether it came to that.
    async fn caught_up(&self, taken: u64) -> bool {
        self.buffer.hurry();
        let mut done = self.done.subscribe();
        tokio::time::timeout(CATCHING_UP, done.wait_for(|done| *done >= taken)).await.is_ok()
    }

    /// Waits until what has ended is written, if it is not; those who ask for many calls do without the last ones where that takes
    /// too long.
    async fn catch_up(&self) {
        if let Some(taken) = self.behind() {
            self.caught_up(taken).await;
        }
    }

    /// The calls that are wanted, the newest first: those whose numbers are less than `before`, or the newest ones, with those
    /// that have just ended.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn page(
        &self,
        filter: &Filter,
        before: Option<i64>,
        limit: usize,
        detail: Detail,
    ) -> Result<Page, StoreError> {
        let readers = self.readers()?;
        if before.is_none() {
            self.catch_up().await;
        }
        readers.page(filter, before, limit, detail).await
    }

    /// What the sums say of a time, with the calls that have just ended.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn statistics(&self, span: &Span) -> Result<Statistics, StoreError> {
        let readers = self.readers()?;
        self.catch_up().await;
        readers.statistics(span).await
    }

    fn readers(&self) -> Result<Readers, StoreError> {
        let readers = self.readers.read().unwrap_or_else(PoisonError::into_inner).clone();
        readers.ok_or_else(|| {
            StoreError::NotOpen(match self.state.condition() {
                Condition::Broken { error, .. } => error,
                Condition::Off => "there is no history: `durability` of [history] is \"off\"".to_owned(),
                Condition::Good => "it has not been opened yet".to_owned(),
            })
        })
    }

    /// Takes no more calls, and writes what it has; gives up when `patience` is over.
    pub async fn close(&self, patience: Duration) {
        self.buffer.close();
        let mut finished = self.finished.subscribe();
        if tokio::time::timeout(patience, finished.wait_for(|finished| *finished)).await.is_err() {
            tracing::warn!(calls = self.buffer.len(), "the history could not be written to its end");
        }
    }
}
