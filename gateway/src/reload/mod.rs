//! Replacing what runs while calls go on: a library whose file or header is another one, a configuration that was changed,
//! and a fallback for a library that cannot be run.
//!
//! What is new is started beside what there is, and has to answer; then it takes the place of the old one, all at once.
//! Whoever uses the old one goes on with it; it ends when nobody does.

mod beside;
mod configuration;
mod failover;
mod library;
mod retiring;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{OwnedMutexGuard, RwLock};

use crate::bridge::Bridge;
use crate::dispatch::Failure;
use crate::error::Problem;

pub use configuration::Applied;
pub use failover::watch;
pub use library::{Reloaded, Seen};

/// Who replaces what: nothing is replaced by two at a time.
#[derive(Debug, Default)]
pub struct Reloads {
    /// Held for writing while a configuration comes into force, and for reading while one library is replaced.
    configuration: RwLock<()>,
    /// By the name of a pool: held while its libraries are replaced.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// What became of the last reload of each library.
    libraries: Mutex<HashMap<String, Progress<(Seen, Seen)>>>,
    /// What became of the last one of the configuration.
    last: Mutex<Option<Progress<Applied>>>,
}

/// How far a reload is, for people who look.
#[derive(Clone, Debug)]
pub struct Progress<T> {
    /// Since when it has been so.
    pub at: Timestamp,
    /// What became of it: what it has changed, or why nothing has; `None` while it goes on.
    pub outcome: Option<Result<T, String>>,
}

impl<T> Progress<T> {
    fn now(outcome: Option<Result<T, String>>) -> Self {
        Self { at: Timestamp::now(), outcome }
    }
}

impl Reloads {
    /// How far the last reload of a library is, or what became of it; `None` if there was none.
    pub fn of_library(&self, name: &str) -> Option<Progress<(Seen, Seen)>> {
        self.libraries.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The same of the configuration.
    pub fn of_configuration(&self) -> Option<Progress<Applied>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_library(&self, name: &str, outcome: Option<Result<(Seen, Seen), String>>) {
        let mut libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        libraries.insert(name.to_owned(), Progress::now(outcome));
    }

    fn note_configuration(&self, outcome: Option<Result<Applied, String>>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Progress::now(outcome));
    }

    fn turn_of(&self, process: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody has or waits for are as good as new.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(process.to_owned()).or_default())
    }

    /// A turn at the libraries of a process, unless somebody has it.
    fn try_turn(&self, process: &str) -> Option<OwnedMutexGuard<()>> {
        self.turn_of(process).try_lock_owned().ok()
    }

    /// A turn at the libraries of a process, after all others.
    async fn turn(&self, process: &str) -> OwnedMutexGuard<()> {
        self.turn_of(process).lock_owned().await
    }
}

/// Nothing is replaced any more when the gateway is stopping.
///
/// # Errors
/// It is.
fn check_running(bridge: &Bridge) -> Result<(), Problem> {
    let reason = "the gateway is stopping".to_owned();
    if *bridge.stopping.borrow() { Err(Failure::NoAgent { reason, retry: true }.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_replaced_by_two_at_a_time() {
        let reloads = Reloads::default();
        let first = reloads.try_turn("calc").unwrap();
        assert!(reloads.try_turn("calc").is_none());
        assert!(reloads.try_turn("other").is_some(), "others have their own turns");
        let waits = reloads.turn("calc");
        drop(first);
        let second = waits.await;
        assert!(reloads.try_turn("calc").is_none());
        drop(second);
        assert!(reloads.try_turn("calc").is_some());
    }
}
