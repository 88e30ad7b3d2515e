//! What lanes do with the queue: they come and go, and take what they may run.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::fair::Fair;
use super::super::outcome::{Execution, Failure};
use super::super::unit::{Kind, Lane, Route, Unit, Work};
use super::{Joined, LIST_TIME, MAX_LIST, MAX_LIST_BYTES, Queue, Waiting, not_there, place};
use crate::interfaces::Declared;

impl Queue {
    /// A lane is there. Gives what wakes it for what only it may take.
    pub(in crate::dispatch) fn join(&self, lane: Lane, active: bool) -> Arc<Notify> {
        let wake = Arc::new(Notify::new());
        let mut waiting = self.lock();
        waiting.lanes.insert(lane, Joined { wake: Arc::clone(&wake), active });
        if self.count_processes(&waiting) == (1, 2) {
            self.sort_out(&mut waiting);
        }
        wake
    }

    /// There was one process, and every handle led there; now there is another one, which must not get them.
    fn sort_out(&self, waiting: &mut Waiting) {
        let places = |unit: &Unit| place(waiting, None, &self.handles_in(unit)).unwrap_or(Route::Any);
        let Some(fair) = waiting.routes.get(&Route::Any) else { return };
        let bound: HashSet<Uuid> = fair
            .iter()
            .filter(|unit| places(unit) != Route::Any)
            .filter_map(|unit| unit.calls().first().map(|call| call.id))
            .collect();
        if bound.is_empty() {
            return;
        }
        let units = waiting.take_if(|unit| {
            unit.route == Route::Any && unit.calls().first().is_some_and(|call| bound.contains(&call.id))
        });
        for mut unit in units {
            unit.route = place(waiting, None, &self.handles_in(&unit)).unwrap_or(Route::Any);
            self.insert(waiting, unit, Fair::push_back);
        }
    }

    /// A lane takes what may run anywhere, or does not any more.
    pub(in crate::dispatch) fn set_active(&self, lane: Lane, active: bool) {
        if let Some(joined) = self.lock().lanes.get_mut(&lane) {
            joined.active = active;
        }
        // What this lane was woken for may be for another one now.
        self.arrived.notify_one();
    }

    /// A lane is gone, and sessions on it are over. Handles of a process that is gone are stale anywhere.
    pub(in crate::dispatch) fn leave(&self, lane: Lane) {
        let mut waiting = self.lock();
        waiting.lanes.remove(&lane);
        self.count_processes(&waiting);
        let gone = !waiting.is_alive(lane.generation);
        let stranded = waiting.take_if(|unit| match unit.route {
            Route::Any => false,
            Route::Generation(generation) | Route::Process(generation) => gone && generation == lane.generation,
            Route::Lane(pin) => pin == lane,
        });
        for unit in stranded {
            match unit.route {
                Route::Lane(_) => self.refuse(unit, &Failure::SessionLost),
                Route::Process(_) => self.refuse(unit, &not_there()),
                _ => self.insert(&mut waiting, Unit { route: Route::Any, ..unit }, Fair::push_back),
            }
        }
        drop(waiting);
        self.arrived.notify_one();
        self.attention.notify_one();
    }

    /// How many processes there were, and how many there are.
    fn count_processes(&self, waiting: &Waiting) -> (usize, usize) {
        let now = waiting.lanes.keys().map(|lane| lane.generation).collect::<HashSet<u64>>().len();
        (self.processes.swap(now, Ordering::Relaxed), now)
    }

    /// Resolves when something may have come that any active lane can take.
    pub(in crate::dispatch) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Takes what is next for a lane: a batch alone, or single calls that mean one interface, up to the limits and at least
    /// one.
    pub(in crate::dispatch) fn take(&self, lane: Lane, active: bool) -> Option<Work> {
        let mut waiting = self.lock();
        loop {
            let any = active.then_some(Route::Any);
            let own = [Route::Lane(lane), Route::Generation(lane.generation), Route::Process(lane.generation)];
            let routes = own.into_iter().chain(any);
            let oldest = routes.filter_map(|route| Some((waiting.routes.get(&route)?.front()?.since(), route)));
            let (_, route) = oldest.min_by_key(|(since, _)| *since)?;
            let share = waiting.calls.div_ceil(waiting.active_lanes().max(1));
            let fair = waiting.routes.get_mut(&route)?;
            let (work, taken) = self.list(fair, route, share);
            if fair.is_empty() {
                waiting.routes.remove(&route);
            }
            waiting.calls -= taken;
            // This lane may have been woken for them, and is busy now with something else.
            if waiting.routes.contains_key(&Route::Any) {
                self.arrived.notify_one();
            }
            if let Some(work) = work {
                // Before anybody can look for it: a call is always in one place or the other.
                self.running.begin(lane, &work.calls);
                return Some(work);
            }
        }
    }

    /// Makes a list of what is next. Gives also how many calls were taken for it or given up.
    fn list(&self, fair: &mut Fair, route: Route, share: usize) -> (Option<Work>, usize) {
        let pace = self.pace.load(Ordering::Relaxed).max(1);
        let in_time = usize::try_from(u64::try_from(LIST_TIME.as_nanos()).unwrap_or(u64::MAX) / pace);
        let most = in_time.unwrap_or(MAX_LIST).min(share).clamp(1, MAX_LIST);
        let (mut calls, mut declared, mut bytes, mut taken) = (Vec::new(), None::<Arc<Declared>>, 0, 0);
        let now = Instant::now();
        while let Some(next) = fair.front() {
            if next.is_out_of_time(now) {
                let Some(unit) = fair.pop() else { break };
                taken += unit.calls().len();
                let failure = unit.overdue(now, "");
                self.refuse(unit, &failure);
                continue;
            }
            if next.is_abandoned() {
                // Its client has hung up: it is not run, so that hanging up is no way to have more calls under way than
                // one may.
                let Some(unit) = fair.pop() else { break };
                taken += unit.calls().len();
                self.refuse(unit, &Failure::Cancelled(Execution::NotRun));
                continue;
            }
            match &next.kind {
                Kind::Batch(..) if calls.is_empty() => {}
                Kind::Batch(..) => break,
                Kind::Single(call) => {
                    bytes += call.args.as_bytes().len();
                    // Behind another one its time could run out when it has just begun, and that would end the process.
                    let full = calls.len() == most || bytes > MAX_LIST_BYTES || call.until.is_some();
                    if !calls.is_empty() && (full || !agree(declared.as_ref(), call.declared.as_ref())) {
                        break;
                    }
                }
            }
            let Some(unit) = fair.pop() else { break };
            taken += unit.calls().len();
            declared = declared.or_else(|| unit.declared().cloned());
            match unit.kind {
                Kind::Single(call) => calls.push(call),
                Kind::Batch(batch, how) => {
                    return (Some(Work { calls: batch, batch: Some(how), route, declared }), taken);
                }
            }
        }
        let work = (!calls.is_empty()).then_some(Work { calls, batch: None, route, declared });
        (work, taken)
    }
}

/// Whether calls that mean these interfaces can go in one request.
fn agree(one: Option<&Arc<Declared>>, other: Option<&Arc<Declared>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.revision == other.revision,
        _ => true,
    }
}
