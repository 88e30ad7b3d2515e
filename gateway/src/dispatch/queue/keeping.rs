//! What the keeper does with the queue: it looks after what waits too long, and what waits for its moment.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::super::unit::{Route, Unit};
use super::Queue;

impl Queue {
    /// Has the keeper look.
    pub(in crate::dispatch) fn look(&self) {
        self.attention.notify_one();
    }

    /// Resolves when there is something that the keeper should look at.
    pub(in crate::dispatch) async fn attention(&self) {
        self.attention.notified().await;
    }

    /// Whether there is an agent.
    pub(in crate::dispatch) fn set_attended(&self, attended: bool) {
        self.attended.store(attended, Ordering::Relaxed);
    }

    pub(in crate::dispatch) fn is_empty(&self) -> bool {
        self.lock().calls == 0
    }

    /// Whether calls wait that any lane may take, and every lane has enough to do.
    pub(in crate::dispatch) fn is_behind(&self) -> bool {
        let waiting = self.lock();
        waiting.routes.contains_key(&Route::Any)
    }

    /// Takes all but what waits for a process that is there.
    pub(in crate::dispatch) fn take_all(&self) -> Vec<Unit> {
        let mut waiting = self.lock();
        let lanes: BTreeSet<(u64, u32)> = waiting.lanes.keys().map(|lane| (lane.generation, lane.number)).collect();
        waiting.take_if(|unit| match unit.route {
            Route::Any => true,
            Route::Generation(wanted) | Route::Process(wanted) => !lanes.iter().any(|(alive, _)| *alive == wanted),
            Route::Lane(lane) => !lanes.contains(&(lane.generation, lane.number)),
        })
    }

    /// Has those tried again whose time has come.
    pub(in crate::dispatch) fn wake_delayed(&self, now: Instant) {
        let mut waiting = self.lock();
        let due: Vec<Unit> = waiting.delayed.extract_if(.., |(at, _)| *at <= now).map(|(_, unit)| unit).collect();
        for unit in due {
            waiting.calls -= unit.calls().len();
            self.put_front(&mut waiting, unit);
        }
    }

    /// Takes those that have waited as long as they may; `down` is since when there has been no agent.
    pub(in crate::dispatch) fn take_expired(&self, now: Instant, down: Option<Instant>) -> Vec<Unit> {
        self.lock().take_if(|unit| unit.expiry(down).is_some_and(|expiry| expiry <= now))
    }

    /// When the next one is to be tried again, or has waited as long as it may.
    pub(in crate::dispatch) fn next_moment(&self, down: Option<Instant>) -> Option<Instant> {
        let waiting = self.lock();
        let expiries = waiting.units().filter_map(|unit| unit.expiry(down));
        expiries.chain(waiting.delayed.iter().map(|(at, _)| *at)).min()
    }
}
