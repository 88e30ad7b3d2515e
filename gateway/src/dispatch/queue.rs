//! The bounded queue of one library: what waits, where it may run, and which lanes take from it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::fair::Fair;
use super::outcome::{CallResult, Execution, Failure};
use super::route;
use super::running::Running;
use super::successor::Successor;
use super::unit::{Kind, Lane, Queued, Route, Unit, Work};
use crate::interfaces::Declared;

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
    /// How many processes take from it.
    fn processes(&self) -> usize {
        self.lanes.keys().map(|lane| lane.generation).collect::<BTreeSet<u64>>().len()
    }

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
    library: String,
    /// More calls than these do not wait: their clients are told to come back.
    limit: AtomicUsize,
    waiting: Mutex<Waiting>,
    /// Something is there that any active lane may take.
    arrived: Notify,
    /// Something is there that the keeper should know of.
    attention: Notify,
    /// There is an agent: what waits for nothing but its turn is none of the keeper's business.
    attended: AtomicBool,
    /// How many processes take from it: with one, every handle leads there.
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
            library: library.to_owned(),
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

    /// From now on so many calls may wait.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
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
    /// Too many wait already, or there is nowhere where it could run.
    pub(super) fn push(&self, kind: Kind, pin: Option<Lane>) -> Result<(), Failure> {
        let mut unit = Unit { route: Route::Any, kind };
        // As a rule it is read without holding up others.
        let mut handles = (self.processes.load(Ordering::Relaxed) > 1).then(|| self.handles_in(&unit));
        let mut waiting = self.lock();
        if handles.is_none() && waiting.processes() > 1 {
            handles = Some(self.handles_in(&unit));
        }
        let handles = handles.unwrap_or_default();
        let placed = self.admit(&waiting, &unit).and_then(|()| place(&waiting, pin, &handles));
        match placed {
            Ok(route) => unit.route = route,
            Err(failure) => {
                self.count_failed(unit.calls());
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
        let of_client = || waiting.routes.get(&Route::Any).map_or(0, |fair| fair.calls_of(&client));
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
            Route::Any if waiting.processes() > 1 => {
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

    /// Has a unit tried again after a time.
    pub(super) fn again(&self, unit: Unit, after: Duration) {
        let mut waiting = self.lock();
        if after.is_zero() {
            self.put_front(&mut waiting, unit);
        } else if let Some(unit) = self.here(unit) {
            waiting.calls += unit.calls().len();
            waiting.delayed.push((Instant::now() + after, unit));
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
        call.end(result);
    }

    /// Ends what waited, as it cannot be sent.
    pub(super) fn refuse(&self, unit: Unit, failure: &Failure) {
        unit.into_calls().into_iter().for_each(|call| self.end(call, Err(failure.clone())));
    }

    fn count_failed(&self, calls: &[Queued]) {
        let failed = calls.iter().filter(|call| call.is_call()).count();
        self.failed.fetch_add(failed as u64, Ordering::Relaxed);
    }

    /// Whether calls were sent to that lane which have not all ended.
    pub fn is_running_on(&self, lane: Lane) -> bool {
        self.running.is_on(lane)
    }
}

/// What lanes do.
impl Queue {
    /// A lane is there. Gives what wakes it for what only it may take.
    pub(super) fn join(&self, lane: Lane, active: bool) -> Arc<Notify> {
        let wake = Arc::new(Notify::new());
        let mut waiting = self.lock();
        let before = waiting.processes();
        waiting.lanes.insert(lane, Joined { wake: Arc::clone(&wake), active });
        self.count_processes(&waiting);
        if before == 1 && waiting.processes() > 1 {
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
    pub(super) fn set_active(&self, lane: Lane, active: bool) {
        if let Some(joined) = self.lock().lanes.get_mut(&lane) {
            joined.active = active;
        }
        // What this lane was woken for may be for another one now.
        self.arrived.notify_one();
    }

    /// A lane is gone, and sessions on it are over. Handles of a process that is gone are stale anywhere.
    pub(super) fn leave(&self, lane: Lane) {
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

    fn count_processes(&self, waiting: &Waiting) {
        self.processes.store(waiting.processes(), Ordering::Relaxed);
    }

    /// Resolves when something may have come that any active lane can take.
    pub(super) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Takes what is next for a lane: a batch alone, or single calls that mean one interface, up to the limits and at least
    /// one.
    pub(super) fn take(&self, lane: Lane, active: bool) -> Option<Work> {
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
                self.count_failed(unit.calls());
                taken += unit.calls().len();
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

/// What the keeper does.
impl Queue {
    /// Has the keeper look.
    pub(super) fn look(&self) {
        self.attention.notify_one();
    }

    /// Resolves when there is something that the keeper should look at.
    pub(super) async fn attention(&self) {
        self.attention.notified().await;
    }

    /// Whether there is an agent.
    pub(super) fn set_attended(&self, attended: bool) {
        self.attended.store(attended, Ordering::Relaxed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().calls == 0
    }

    /// Whether calls wait that any lane may take, and every lane has enough to do.
    pub(super) fn is_behind(&self) -> bool {
        let waiting = self.lock();
        waiting.routes.contains_key(&Route::Any)
    }

    /// Takes all.
    pub(super) fn take_all(&self) -> Vec<Unit> {
        self.lock().take_if(|_| true)
    }

    /// Has those tried again whose time has come.
    pub(super) fn wake_delayed(&self, now: Instant) {
        let mut waiting = self.lock();
        let due: Vec<Unit> = waiting.delayed.extract_if(.., |(at, _)| *at <= now).map(|(_, unit)| unit).collect();
        for unit in due {
            waiting.calls -= unit.calls().len();
            self.put_front(&mut waiting, unit);
        }
    }

    /// Takes those that have waited as long as they may; `down` is since when there has been no agent.
    pub(super) fn take_expired(&self, now: Instant, down: Option<Instant>) -> Vec<Unit> {
        self.lock().take_if(|unit| unit.expiry(down).is_some_and(|expiry| expiry <= now))
    }

    /// When the next one is to be tried again, or has waited as long as it may.
    pub(super) fn next_moment(&self, down: Option<Instant>) -> Option<Instant> {
        let waiting = self.lock();
        let expiries = waiting.units().filter_map(|unit| unit.expiry(down));
        expiries.chain(waiting.delayed.iter().map(|(at, _)| *at)).min()
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
fn not_there() -> Failure {
    Failure::NoAgent { reason: "the process that it was for is gone".to_owned(), retry: false }
}

/// Whether calls that mean these interfaces can go in one request.
fn agree(one: Option<&Arc<Declared>>, other: Option<&Arc<Declared>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.revision == other.revision,
        _ => true,
    }
}

#[cfg(test)]
pub(super) mod tests;
