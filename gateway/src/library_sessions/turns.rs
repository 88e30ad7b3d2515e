//! On each thread one session at a time has what it owns released: the others wait, and their time does not run yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dispatch::Lane;

type Turns = HashMap<(String, Lane), Arc<tokio::sync::Mutex<()>>>;

/// The threads on which something is released, by their pools. Those of one thread do not hold up those of another.
#[derive(Debug, Default)]
pub(super) struct Releases(Mutex<Turns>);

/// A place in the row for one thread, until this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    releases: &'a Releases,
    thread: (String, Lane),
    row: Arc<tokio::sync::Mutex<()>>,
}

impl Releases {
    /// Joins the row for a thread of a pool.
    pub(super) fn join(&self, pool: &str, lane: Lane) -> Place<'_> {
        let thread = (pool.to_owned(), lane);
        let row = Arc::clone(self.lock().entry(thread.clone()).or_default());
        Place { releases: self, thread, row }
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        // Each change is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Its turn, for as long as that is kept.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.row.lock().await
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut turns = self.releases.lock();
        // The map's and this one: whoever joins does so under the lock.
        if Arc::strong_count(&self.row) == 2 {
            turns.remove(&self.thread);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_on_each_thread_and_threads_do_not_wait_for_each_other() {
        let releases = Releases::default();
        let [one, other] = [0, 1].map(|number| Lane { generation: 1, number });
        let (first, second) = (releases.join("calc", one), releases.join("calc", one));
        let elsewhere = [releases.join("calc", other), releases.join("other", one)];
        let turn = first.turn().await;
        assert!(second.turn().now_or_never().is_none());
        assert!(elsewhere.iter().all(|place| place.turn().now_or_never().is_some()));
        drop(turn);
        drop(first);
        assert!(second.turn().now_or_never().is_some());
        drop((second, elsewhere));
        assert!(releases.lock().is_empty(), "nothing is left of what is over");
    }
}
