//! The calls whose outcome is kept, because somebody wants to come back for it (`Prefer: respond-async`) or may repeat the
//! request (`Idempotency-Key`).
//!
//! A kept call is in the table, on the disk, before it is made, and so is its outcome before anybody is told:
//! [`KeptCalls::begin`], [`KeptCalls::end`]. Other calls do not come here at all, so that nothing that is wrong with the table
//! harms them; what there is to know of every call is in [`crate::history`].

mod entry;
mod live;
mod record;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, RwLock, RwLockReadGuard, watch};
use uuid::Uuid;

use crate::config::HistoryConfig;

pub use entry::Entry;
pub use record::{Ended, Gone, Kept, Outcome, Record, Request, execution_name, execution_of, now};
pub use store::StoreError;

use live::Live;
use store::Store;

/// How often what is too old is looked for, if it is kept for long.
const SWEEP: Duration = Duration::from_mins(1);

/// An answer that takes more than this part of all the room is not written.
const LARGEST_PART: u64 = 4;

/// Where there is no room, so much is forgotten before its time: one part in this many of all that may be kept.
const ROOM: u64 = 100;

/// What becomes of a call that is to be kept.
#[derive(Debug)]
pub enum Begun {
    /// It is in the table: now it is to be made.
    New(Arc<Entry>),
    /// Its key is that of an earlier request, which is the same: this is what becomes of that.
    Known(Arc<Entry>),
}

/// Why a call is not kept, and therefore not made.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Whoever makes it has too many.
    #[error("there are too many calls of this key")]
    NotAdmitted,
    /// Its key is that of an earlier request, and this one is another.
    #[error("the key is that of another request")]
    Mismatch {
        /// The earlier one.
        call: Uuid,
    },
    /// There is no room for more.
    #[error("{outcomes} calls are kept already, with {bytes} bytes of answers")]
    Full {
        /// How many calls there are.
        outcomes: u64,
        /// The bytes of their answers.
        bytes: u64,
    },
    /// The table cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The kept calls of one gateway.
#[derive(Debug)]
pub struct KeptCalls {
    data_dir: PathBuf,
    config: HistoryConfig,
    /// `None` as long as it cannot be opened.
    store: RwLock<Option<Store>>,
    /// Whoever begins a call holds it: requests with the same key come one after the other.
    beginning: tokio::sync::Mutex<()>,
    live: Mutex<Live>,
    /// A call has ended.
    settled: Notify,
}

impl KeptCalls {
    /// Those of this folder; nothing is opened yet.
    pub fn new(data_dir: &Path, config: HistoryConfig) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            config,
            store: RwLock::new(None),
            beginning: tokio::sync::Mutex::new(()),
            live: Mutex::default(),
            settled: Notify::new(),
        }
    }

    /// Opens the table. If that is not possible, calls that are to be kept are refused, and each of them tries again.
    pub async fn open(&self) {
        if let Err(error) = self.store().await {
            tracing::error!(%error, "calls with Prefer: respond-async or Idempotency-Key are refused; others are not affected");
        }
    }

    async fn store(&self) -> Result<RwLockReadGuard<'_, Store>, StoreError> {
        loop {
            if let Ok(store) = RwLockReadGuard::try_map(self.store.read().await, Option::as_ref) {
                return Ok(store);
            }
            let mut store = self.store.write().await;
            if store.is_none() {
                *store = Some(Store::open(&self.data_dir).await?);
            }
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        // Each change is whole whatever panics elsewhere.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a call that is about to be made, known to the dispatcher by the ids `calls`; or finds the one whose key it repeats.
    /// A new one is made only if `admit` says so.
    ///
    /// # Errors
    /// It must not be made.
    pub async fn begin(
        &self,
        request: Request,
        calls: Vec<Uuid>,
        admit: impl FnOnce() -> bool + Send,
    ) -> Result<Begun, Refused> {
        let _one = self.beginning.lock().await;
        let store = self.store().await?;
        if let Some(scope) = request.scope() {
            let known = self.live().holder(&scope).cloned();
            let known = match known {
                Some(entry) => Some(entry),
                None => store.holder(&scope).await?.map(|record| Arc::new(Entry::of(record))),
            };
            match known {
                Some(entry) if entry.request.body_digest == request.body_digest => return Ok(Begun::Known(entry)),
                Some(entry) => return Err(Refused::Mismatch { call: entry.request.id }),
                None => {}
            }
        }
        if !admit() {
            return Err(Refused::NotAdmitted);
        }
        self.make_room(&store).await?;
        store.begin(&request).await?;
        let entry = Arc::new(Entry::new(request, calls));
        self.live().insert(&entry);
        Ok(Begun::New(entry))
    }

    /// Where there is no room for one more, what is too old goes; then, before their time, the oldest of whoever has most.
    async fn make_room(&self, store: &Store) -> Result<(), Refused> {
        let is_full = || {
            let (outcomes, bytes) = store.size();
            outcomes >= self.config.max_outcomes || bytes >= self.config.max_size
        };
        if is_full() {
            store.sweep(self.oldest()).await?;
        }
        let HistoryConfig { max_outcomes, max_size, .. } = self.config;
        let mut forgotten = 0;
        while is_full() {
            let gone = if store.size().0 >= max_outcomes {
                store.evict_outcomes(max_outcomes.div_ceil(ROOM)).await?
            } else {
                store.evict_bytes(max_size.div_ceil(ROOM)).await?
            };
            if gone == 0 {
                break;
            }
            forgotten += gone;
        }
        if forgotten > 0 {
            tracing::warn!(
                calls = forgotten,
                "the table of calls is full: the oldest outcomes of whoever has most are forgotten"
            );
        }
        let (outcomes, bytes) = store.size();
        if is_full() { Err(Refused::Full { outcomes, bytes }) } else { Ok(()) }
    }

    /// Before when what has ended is forgotten.
    fn oldest(&self) -> Timestamp {
        Timestamp::now().checked_sub(self.config.keep_outcomes).unwrap_or(Timestamp::MIN)
    }

    /// Writes how a call ended, then tells whoever waits for it. An answer that is sensitive, or too large, stays in memory
    /// alone; so does one that cannot be written, whose call counts as lost after the next start.
    pub async fn end(&self, entry: &Entry, outcome: Outcome, is_sensitive: bool) {
        let size = match &outcome.answer {
            Kept::Answer(answer) => answer.len() as u64,
            Kept::Gone(_) => 0,
        };
        let ended = Ended { at: now(), outcome };
        let written = match self.store().await {
            Ok(store) => {
                let room = self.config.max_size.saturating_sub(store.size().1).min(self.config.max_size / LARGEST_PART);
                let gone = match (is_sensitive, size > room) {
                    (true, _) => Some(Gone::Sensitive),
                    (false, true) => Some(Gone::TooLarge),
                    (false, false) => None,
                };
                store.end(entry.request.id, &ended, gone).await.map(|()| gone)
            }
            Err(error) => Err(error),
        };
        let stays = match written {
            Ok(gone) => gone.is_some(),
            Err(error) => {
                tracing::error!(call = %entry.request.id, %error, "the outcome of a kept call is in memory alone");
                true
            }
        };
        let mut live = self.live();
        entry.set_ended(ended);
        live.settle(entry, stays);
        drop(live);
        self.settled.notify_waiters();
    }

    /// The kept call of that id.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn find(&self, id: Uuid) -> Result<Option<Arc<Entry>>, StoreError> {
        let live = self.live().get(id).cloned();
        match live {
            Some(entry) => Ok(Some(entry)),
            None => Ok(self.store().await?.find(id).await?.map(|record| Arc::new(Entry::of(record)))),
        }
    }

    /// The newest kept calls before an id, of one owner or of all. Their answers are not with them.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn list(
        &self,
        owner: Option<&str>,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.store().await?.list(owner, before, limit).await
    }

    /// Those of these calls that are kept.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn which(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
        self.store().await?.which(ids).await
    }

    /// The kept calls that have not ended.
    pub fn under_way(&self) -> Vec<Arc<Entry>> {
        self.live().under_way().cloned().collect()
    }

    /// Forgets what is too old, until the gateway stops.
    pub async fn watch(&self, mut stopping: watch::Receiver<bool>) {
        let pause = SWEEP.min(self.config.keep_outcomes / 4).max(Duration::from_millis(100));
        while tokio::time::timeout(pause, stopping.wait_for(|stopping| *stopping)).await.is_err() {
            let oldest = self.oldest();
            self.live().sweep(oldest);
            if let Some(store) = &*self.store.read().await
                && let Err(error) = store.sweep(oldest).await
            {
                tracing::error!(%error, "old calls cannot be forgotten");
            }
        }
    }

    /// Resolves when no kept call is under way.
    pub async fn idle(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.live().under_way().next().is_none() {
                return;
            }
            settled.await;
        }
    }

    /// Closes the table, once no call is under way or `patience` is over.
    pub async fn close(&self, patience: Duration) {
        if tokio::time::timeout(patience, self.idle()).await.is_err() {
            tracing::warn!("kept calls are still under way: after the next start they count as lost");
        }
        if let Some(store) = self.store.write().await.take() {
            store.close().await;
        }
    }
}
