//! The bounded queue of one library: what waits, where it may run, and which lanes take from it.

mod keeping;
mod lanes;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fair::Fair;
use super::outcome::{CallResult, Execution, Failure};
use super::route;
use super::running::Running;
use super::successor::Successor;
use super::unit::{Kind, Lane, Queued, Route, Unit, Work};

/// One request to the agent carries no more calls than these …
pub(super) const MAX_LIST: usize = 256;
/// … stops growing at this many bytes of arguments …
const MAX_LIST_BYTES: usize = 8 << 20;
/// … and at this much time, as far as can be told from the calls before: a slow call has nobody behind it who could run
/// elsewhere.
const LIST_TIME: Duration = Duration::from_millis(5);

/// How many calls a library has had and has waiting.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Calls that returned.
    pub returned: u64,
    /// Calls that did not.
    pub failed: u64,
    /// Calls that wait to be sent to an agent.
    pub waiting: usize,
}

/// A lane that takes from the queue.
#[derive(Debug)]
struct Joined {
    /// Something is there that only this lane, or only its process, may take.
    wake: Arc<Notify>,
    /// It takes what may run anywhere.
    active: bool,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    routes: HashMap<Route, Fair>,
    lanes: HashMap<Lane, Joined>,
    /// What is to be tried again, and when.
    delayed: Vec<(Instant, Unit)>,
    /// How many calls are in all of them.
    calls: usize,
}

impl Waiting {
    fn is_alive(&self, generation: u64) -> bool {
        self.lanes.keys().any(|lane| lane.generation == generation)
    }

    fn active_lanes(&self) -> usize {
        self.lanes.values().filter(|joined| joined.active).count()
    }

    /// Takes out what fits, wherever it waits.
    pub(super) fn take_if(&mut self, mut fits: impl FnMut(&Unit) -> bool) -> Vec<Unit> {
        let mut taken: Vec<Unit> = self.routes.values_mut().flat_map(|fair| fair.take_if(&mut fits)).collect();
        self.routes.retain(|_, fair| !fair.is_empty());
        taken.extend(self.delayed.extract_if(.., |(_, unit)| fits(unit)).map(|(_, unit)| unit));
        self.calls -= taken.iter().map(|unit| unit.calls().len()).sum::<usize>();
        taken
    }

    pub(super) fn units(&self) -> impl Iterator<Item = &Unit> {
        self.routes.values().flat_map(Fair::iter).chain(self.delayed.iter().map(|(_, unit)| unit))
    }
}

/// The calls that wait for the agents of one library.
#[derive(Debug)]
pub struct Queue {
    library: Arc<str>,
    /// More calls than these do not wait: their clients are told to come back.
    limit: AtomicUsize,
    waiting: Mutex<Waiting>,
    /// Something is there that any active lane may take.
    arrived: Notify,
    /// Something is there that the keeper should know of.
    attention: Notify,
    /// There is an agent: what waits for nothing but its turn is none of the keeper's business.
    attended: AtomicBool,
    /// How many processes take from it: with one, every handle leads there. Written with the lock of `waiting`.
    processes: AtomicUsize,
    /// How long calls take, in nanoseconds: the last ones count most.
    pace: AtomicU64,
    /// What the lanes have sent.
    pub(super) running: Running,
    returned: AtomicU64,
    failed: AtomicU64,
    /// Where calls go on, once the library was replaced.
    pub(super) successor: OnceLock<Successor>,
    /// Nobody takes from it any more.
    pub(super) closed: AtomicBool,
    /// The library cannot be run, and something else is being started that can.
    pub(super) hopeful: AtomicBool,
}

impl Queue {
    /// An empty one for a library, in which so many calls may wait.
    pub fn new(library: &str, limit: usize) -> Self {
        Self {
            library: library.into(),
            limit: AtomicUsize::new(limit),
            waiting: Mutex::default(),
            arrived: Notify::new(),
            attention: Notify::new(),
            attended: AtomicBool::new(false),
            processes: AtomicUsize::new(0),
            pace: AtomicU64::new(0),
            running: Running::default(),
            returned: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            successor: OnceLock::new(),
            closed: AtomicBool::new(false),
            hopeful: AtomicBool::new(false),
        }
    }

    /// The library that it is for.
    pub fn library(&self) -> &str {
        &self.library
    }

    /// The same, to be kept.
    pub(super) fn shared_library(&self) -> &Arc<str> {
        &self.library
    }

    /// From now on so many calls may wait.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How many calls may wait.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// How many calls were sent to an agent and have not ended.
    pub fn running_calls(&self) -> usize {
        self.running.calls()
    }

    /// How many calls the library has had and has waiting.
    pub fn counts(&self) -> Counts {
        Counts {
            returned: self.returned.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            waiting: self.lock().calls,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Pushing and popping leave the queue whole whatever panics elsewhere.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call or a batch; `pin` is the lane of its session.
    ///
    /// # Errors
    /// Too many wait already, or there is nowhere where it could run. Its calls have ended so.
    pub(super) fn push(&self, kind: Kind, pin: Option<Lane>) -> Result<(), Failure> {
        let mut unit = Unit { route: Route::Any, kind };
        let are_many = || self.processes.load(Ordering::Relaxed) > 1;
        // As a rule it is read without holding up others.
        let mut handles = are_many().then(|| self.handles_in(&unit));
        let mut waiting = self.lock();
        // With the lock the number is exact.
        if handles.is_none() && are_many() {
            handles = Some(self.handles_in(&unit));
        }
        let handles = handles.unwrap_or_default();
        let placed = self.admit(&waiting, &unit).and_then(|()| place(&waiting, pin, &handles));
        match placed {
            Ok(route) => unit.route = route,
            Err(failure) => {
                drop(waiting);
                self.refuse(unit, &failure);
                return Err(failure);
            }
        }
        let watched = !self.attended.load(Ordering::Relaxed) || unit.calls().iter().any(|call| call.until.is_some());
        self.insert(&mut waiting, unit, Fair::push_back);
        drop(waiting);
        if watched {
            self.attention.notify_one();
        }
        Ok(())
    }

    /// The generations of the handles among its arguments.
    fn handles_in(&self, unit: &Unit) -> BTreeSet<u64> {
        unit.calls().iter().flat_map(|call| route::generations(call.args.as_bytes(), &self.library)).collect()
    }

    /// Adds a probe of one process. There is always room for it: a library that is behind may be ill.
    ///
    /// # Errors
    /// That process does not take from the queue.
    pub(super) fn push_probe(&self, call: Queued, generation: u64) -> Result<(), Failure> {
        let mut waiting = self.lock();
        if !waiting.is_alive(generation) {
            return Err(not_there());
        }
        self.insert(
            &mut waiting,
            Unit { route: Route::Process(generation), kind: Kind::Single(call) },
            Fair::push_back,
        );
        Ok(())
    }

    /// Whether there is room for it. A client that fills the queue leaves a quarter of what is free to others.
    fn admit(&self, waiting: &Waiting, unit: &Unit) -> Result<(), Failure> {
        let count = unit.calls().len();
        let free = self.limit.load(Ordering::Relaxed).saturating_sub(waiting.calls);
        let client = unit.client();
        let of_client = || waiting.routes.values().map(|fair| fair.calls_of(&client)).sum::<usize>();
        if count > free || (client.is_some() && of_client() + count > free.saturating_mul(3)) {
            return Err(Failure::QueueFull { waiting: waiting.calls, retry_after: self.time_for(waiting) });
        }
        Ok(())
    }

    /// How long what waits will take, as far as can be told.
    fn time_for(&self, waiting: &Waiting) -> Duration {
        let calls = u64::try_from(waiting.calls / waiting.active_lanes().max(1)).unwrap_or(u64::MAX);
        Duration::from_nanos(self.pace.load(Ordering::Relaxed).saturating_mul(calls))
    }

    /// Puts a unit where it belongs, and wakes who may take it.
    pub(super) fn insert(&self, waiting: &mut Waiting, unit: Unit, push: impl FnOnce(&mut Fair, Unit)) {
        let Some(unit) = self.here(unit) else { return };
        let route = unit.route;
        waiting.calls += unit.calls().len();
        push(waiting.routes.entry(route).or_default(), unit);
        let wake = |fits: &dyn Fn(&Lane) -> bool| {
            waiting.lanes.iter().filter(|(lane, _)| fits(lane)).for_each(|(_, joined)| joined.wake.notify_one());
        };
        match route {
            Route::Any => self.arrived.notify_one(),
            Route::Generation(generation) | Route::Process(generation) => {
                wake(&|lane| lane.generation == generation);
            }
            Route::Lane(wanted) => wake(&|lane| *lane == wanted),
        }
    }

    /// Puts back what that lane has taken and never sent, in its order and before all other.
    pub(super) fn put_back(&self, lane: Lane, work: Work) {
        // Whoever looks for one of them meanwhile waits: they are never nowhere.
        let mut waiting = self.lock();
        let cancelled = self.running.finish(lane);
        for unit in work.into_units().into_iter().rev() {
            if cancelled.iter().any(|id| unit.has(*id)) {
                self.refuse(unit, &Failure::Cancelled(Execution::NotRun));
            } else {
                self.put_front(&mut waiting, unit);
            }
        }
    }

    fn put_front(&self, waiting: &mut Waiting, mut unit: Unit) {
        unit.route = match unit.route {
            Route::Any if self.processes.load(Ordering::Relaxed) > 1 => {
                let handles = self.handles_in(&unit);
                // That they are of two processes was told when it came.
                place(waiting, None, &handles).unwrap_or(Route::Any)
            }
            Route::Generation(generation) if !waiting.is_alive(generation) => Route::Any,
            Route::Process(generation) if !waiting.is_alive(generation) => return self.refuse(unit, &not_there()),
            Route::Lane(lane) if !waiting.lanes.contains_key(&lane) => {
                return self.refuse(unit, &Failure::SessionLost);
            }
            route => route,
        };
        self.insert(waiting, unit, Fair::push_front);
    }

    /// What that lane has sent is over. These are tried again, each after its time, the first ones first.
    pub(super) fn again(&self, lane: Lane, units: Vec<(Unit, Duration)>) {
        let mut waiting = self.lock();
        // With the lock: whoever looks for a call meanwhile finds it in one place or the other.
        let cancelled = self.running.finish(lane);
        for (unit, after) in units.into_iter().rev() {
            if cancelled.iter().any(|id| unit.has(*id)) {
                let began = unit.calls().iter().any(|call| call.began);
                let execution = if began { Execution::MayHaveRun } else { Execution::NotRun };
                self.refuse(unit, &Failure::Cancelled(execution));
            } else if after.is_zero() {
                self.put_front(&mut waiting, unit);
            } else if let Some(unit) = self.here(unit) {
                waiting.calls += unit.calls().len();
                waiting.delayed.push((Instant::now() + after, unit));
            }
        }
        drop(waiting);
        self.attention.notify_one();
    }

    /// Ends a call and counts it.
    pub(super) fn end(&self, call: Queued, result: CallResult) {
        if let Ok(answer) = &result {
            // Several lanes may lose each other's share: it is an estimate.
            let before = self.pace.load(Ordering::Relaxed);
            self.pace.store(before - before / 8 + answer.duration_ns / 8, Ordering::Relaxed);
        }
        if call.is_call() {
            let counter = if result.is_ok() { &self.returned } else { &self.failed };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        call.end(&self.library, result);
    }

    /// Ends what waited, as it cannot be sent.
    pub(super) fn refuse(&self, unit: Unit, failure: &Failure) {
        unit.into_calls().into_iter().for_each(|call| self.end(call, Err(failure.clone())));
    }

    /// Whether calls were sent to that lane which have not all ended.
    pub fn is_running_on(&self, lane: Lane) -> bool {
        self.running.is_on(lane)
    }
}

/// Where a unit may run: on the lane of its session, or where its handles live.
fn place(waiting: &Waiting, pin: Option<Lane>, handles: &BTreeSet<u64>) -> Result<Route, Failure> {
    let mut alive = handles.iter().filter(|generation| waiting.is_alive(**generation));
    if let Some(lane) = pin {
        let session = lane.generation;
        return match alive.find(|generation| **generation != session) {
            _ if !waiting.lanes.contains_key(&lane) => Err(Failure::SessionLost),
            Some(handle) => Err(Failure::HandleElsewhere { session, handle: *handle }),
            None => Ok(Route::Lane(lane)),
        };
    }
    match (alive.next(), alive.next()) {
        (None, _) => Ok(Route::Any),
        (Some(generation), None) => Ok(Route::Generation(*generation)),
        (Some(one), Some(other)) => Err(Failure::HandlesApart { one: *one, other: *other }),
    }
}

/// What is told to nobody but who probes.
pub(super) fn not_there() -> Failure {
    Failure::NoAgent { reason: "the process that it was for is gone".to_owned(), retry: false }
}

#[cfg(test)]
pub(super) mod tests;
