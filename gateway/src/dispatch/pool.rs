//! The agents that run one library, or one group of them: how many there are, which of them are active, and where a
//! library can be called.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Fault;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::queue::Queue;
use super::unit::Lane;
use super::{keeper, lane, upkeep};
use crate::agents::{Agent, AgentSpec, LibrarySpec, Link, Reach, Registry, Role, Upkeep};
use crate::config::{Running, RuntimeConfig};

/// How often a pool that may grow or shrink is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long calls have to wait, while every agent is busy, before there is another one.
const GROW_AFTER: Duration = Duration::from_millis(100);
/// How long the agents of a pool that is not needed any more may take to end.
const FAREWELL: Duration = Duration::from_secs(8);

/// What the agents of a pool are to run.
#[derive(Clone, Debug)]
pub struct PoolSpec {
    /// The name of the library or of the group; its first agent has it, too.
    pub id: String,
    /// The kind of process.
    pub target: Target,
    /// How it is started; `None` if somebody else starts it.
    pub runtime: Option<RuntimeConfig>,
    /// The agents that somebody else starts.
    pub external: Vec<String>,
    /// What each of them loads, in this order.
    pub loads: Vec<LibrarySpec>,
    /// How many there are, and how they are kept.
    pub running: Running,
    /// By what they are kept healthy; it can change while they run.
    pub upkeep: Arc<Upkeep>,
}

/// Whether a library can be called.
#[derive(Clone, Debug)]
pub enum LibraryState {
    /// Its agent is not ready. In words.
    Waiting(String),
    /// It has none now, and gets one when it is called. In words.
    Idle(String),
    /// It can.
    Ready(Arc<Link>),
    /// It could not be loaded.
    Failed(Fault),
    /// Its agent will not come back by itself. In words.
    Gone(String),
}

impl LibraryState {
    /// All words for it.
    pub const NAMES: [&str; 5] = ["starting", "idle", "ready", "failed", "gone"];

    /// The word for it in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "starting",
            Self::Idle(_) => "idle",
            Self::Ready(_) => "ready",
            Self::Failed(_) => "failed",
            Self::Gone(_) => "gone",
        }
    }
}

/// The agents of one library, or of one group.
#[derive(Debug)]
pub struct Pool {
    spec: RwLock<Arc<PoolSpec>>,
    /// The name of the library or group.
    id: String,
    registry: Arc<Registry>,
    /// Of its libraries, in the order of the loads.
    queues: Vec<Arc<Queue>>,
    members: RwLock<Vec<Arc<Agent>>>,
    /// Something about one of its agents has changed.
    changed: watch::Sender<()>,
    /// A call waits and there is no agent.
    wanted: Notify,
    /// Nobody is added any more.
    retiring: AtomicBool,
    retired: AtomicBool,
}

impl Pool {
    /// A pool that has no agent yet: [`Pool::start`] brings them.
    pub fn new(spec: PoolSpec, queues: Vec<Arc<Queue>>, registry: &Arc<Registry>) -> Arc<Self> {
        Arc::new(Self {
            id: spec.id.clone(),
            spec: RwLock::new(Arc::new(spec)),
            registry: Arc::clone(registry),
            queues,
            members: RwLock::default(),
            changed: watch::Sender::new(()),
            wanted: Notify::new(),
            retiring: AtomicBool::new(false),
            retired: AtomicBool::new(false),
        })
    }

    /// Starts its agents, and the tasks that let calls come to them.
    pub fn start(self: &Arc<Self>) {
        for queue in &self.queues {
            tokio::spawn(keeper::run(Arc::clone(queue), Arc::clone(self)));
        }
        let spec = self.spec();
        if spec.runtime.is_none() {
            spec.external.iter().for_each(|id| self.add(Some(id)));
        }
        tokio::spawn(manage(Arc::clone(self)));
        tokio::spawn(upkeep::run(Arc::clone(self)));
    }

    /// The name of the library or group.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its agents are to run.
    pub fn spec(&self) -> Arc<PoolSpec> {
        // Only ever replaced as a whole.
        Arc::clone(&self.spec.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on there are so many agents, kept in that way.
    pub fn set_running(&self, running: &Running) {
        let spec = PoolSpec { running: running.clone(), ..(*self.spec()).clone() };
        *self.spec.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(spec);
        self.members().iter().for_each(|agent| agent.set_startup(running.startup));
        self.changed.send_replace(());
    }

    /// Its agents.
    pub fn members(&self) -> Vec<Arc<Agent>> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether one of its libraries can be called.
    pub fn state(&self, library: &str) -> LibraryState {
        let members = self.members();
        let (mut failed, mut waiting, mut gone) = (None, None, None);
        for agent in &members {
            match &*agent.reach().borrow() {
                Reach::Up(_) if *agent.role().borrow() == Role::Leaving => {
                    waiting = waiting.or(Some("its process is being ended when what it runs has ended".to_owned()));
                }
                Reach::Up(link) => match link.libraries.get(library) {
                    Some(Ok(_)) if link.figures.is_on_trial() => waiting = waiting.or(Some(agent.trial(link))),
                    Some(Ok(_)) => return LibraryState::Ready(Arc::clone(link)),
                    Some(Err(fault)) => failed = failed.or(Some(fault.clone())),
                    None => gone = gone.or(Some("its agent was not told to load it".to_owned())),
                },
                Reach::Down(reason) => waiting = waiting.or(Some(reason.clone())),
                Reach::Gone(reason) => gone = gone.or(Some(reason.clone())),
                Reach::Over => {}
            }
        }
        match (failed, waiting, gone) {
            // One that is on its way may load what another one could not.
            (_, Some(reason), _) => LibraryState::Waiting(reason),
            (Some(fault), None, _) => LibraryState::Failed(fault),
            (None, None, Some(reason)) => LibraryState::Gone(reason),
            (None, None, None) if self.spec().running.instances.min == 0 => {
                LibraryState::Idle("it is not loaded; the next call loads it".to_owned())
            }
            (None, None, None) => LibraryState::Waiting("it has not been started yet".to_owned()),
        }
    }

    /// The running process of that generation.
    pub fn link_of(&self, generation: u64) -> Option<Arc<Link>> {
        self.members().iter().filter_map(|agent| agent.link()).find(|link| link.generation == generation)
    }

    /// The agent whose process has that generation.
    pub fn agent_of(&self, generation: u64) -> Option<Arc<Agent>> {
        self.members().into_iter().find(|agent| agent.generation() == generation)
    }

    /// Every process that answers.
    pub fn links(&self) -> Vec<Arc<Link>> {
        self.members().iter().filter_map(|agent| agent.link()).collect()
    }

    /// Where calls of a session may run: a lane of the active process that has the fewest.
    pub fn roomiest(&self, library: &str) -> Option<(Arc<Agent>, Lane)> {
        let threads = self.spec().loads.iter().find(|load| load.name == library)?.threads;
        let ready = self.members().into_iter().filter_map(|agent| {
            let link = agent.link().filter(|link| matches!(link.libraries.get(library), Some(Ok(_))))?;
            (*agent.role().borrow() == Role::Active).then_some((agent, link.generation))
        });
        let (agent, generation) = ready.min_by_key(|(agent, _)| agent.usage().held())?;
        let number = u32::try_from(agent.usage().held()).unwrap_or_default() % threads.max(1);
        Some((agent, Lane { generation, number }))
    }

    /// Tells whenever one of its agents has changed.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The queues of its libraries, in the order of the loads.
    pub(super) fn queues(&self) -> &[Arc<Queue>] {
        &self.queues
    }

    /// Something about one of its agents has changed that is known nowhere else.
    pub(super) fn note_change(&self) {
        self.changed.send_replace(());
    }

    /// A call or a session waits: there should be an agent.
    pub fn want(&self) {
        self.wanted.notify_one();
    }

    /// Whether it is not needed any more.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Ends its agents when what they run has ended, and sessions are over or `patience` is.
    pub async fn retire(&self, patience: Duration, reason: &str) {
        let mut changes = self.changes();
        {
            // With the lock: nobody is added after those that are told to leave were listed.
            let members = self.members.write().unwrap_or_else(PoisonError::into_inner);
            self.retiring.store(true, Ordering::Relaxed);
            members.iter().for_each(|agent| agent.leave(reason, patience));
        }
        let over = async {
            while self.members().iter().any(|agent| !matches!(&*agent.reach().borrow(), Reach::Over)) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(patience + FAREWELL, over).await.is_err() {
            tracing::warn!(pool = self.id(), "some agents that are not needed any more have not ended yet");
        }
        self.retired.store(true, Ordering::Relaxed);
        self.changed.send_replace(());
    }

    fn add(&self, external: Option<&String>) {
        let own = self.spec();
        let spec = AgentSpec {
            pool: own.id.clone(),
            external: external.cloned(),
            target: own.target,
            runtime: own.runtime.clone(),
            loads: own.loads.clone(),
            startup: own.running.startup,
            upkeep: Arc::clone(&own.upkeep),
        };
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        if self.retiring.load(Ordering::Relaxed) {
            return;
        }
        let Some(agent) = self.registry.add(spec, self.changed.clone()) else { return };
        for (queue, load) in self.queues.iter().zip(&own.loads) {
            for number in 0..load.threads.max(1) {
                tokio::spawn(lane::run(Arc::clone(queue), Arc::clone(&agent), number));
            }
        }
        members.push(agent);
        drop(members);
        self.changed.send_replace(());
    }
}

/// Sees to it that there are as many agents as there should be, and that as many of them are active.
async fn manage(pool: Arc<Pool>) {
    let mut changes = pool.changes();
    let mut manager = Manager { pool, behind: None };
    while !manager.pool.is_retired() {
        changes.borrow_and_update();
        let is_elastic = manager.reconcile();
        tokio::select! {
            // The sender lives as long as the pool.
            _ = changes.changed() => {}
            () = manager.pool.wanted.notified() => manager.grow_to(1),
            () = tokio::time::sleep(LOOK), if is_elastic => {}
        }
    }
}

struct Manager {
    pool: Arc<Pool>,
    /// Since when calls have been waiting although every agent is busy.
    behind: Option<Instant>,
}

impl Manager {
    /// Gives whether the number of agents may change without anything else happening.
    fn reconcile(&mut self) -> bool {
        let members = &self.pool.members;
        members
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|agent| !matches!(&*agent.reach().borrow(), Reach::Over));
        let instances = self.pool.spec().running.instances;
        if self.pool.spec().runtime.is_some() {
            self.grow_to(instances.min);
        }
        self.trim();
        self.promote();
        let count = self.working().len();
        let is_elastic = self.pool.spec().runtime.is_some() && instances.max > instances.min && count > 0;
        if is_elastic {
            self.grow();
            self.shrink();
        }
        is_elastic
    }

    /// Its agents, but those that end for good. One that is replaced or was drained keeps its place.
    fn working(&self) -> Vec<Arc<Agent>> {
        self.pool.members().into_iter().filter(|agent| !agent.leaves()).collect()
    }

    /// Sees to it that there are so many agents, and those that stand by.
    fn grow_to(&self, count: u32) {
        let standby = if count == 0 { 0 } else { self.pool.spec().running.standby };
        let have = u32::try_from(self.working().len()).unwrap_or(u32::MAX);
        (have..count.saturating_add(standby)).for_each(|_| self.pool.add(None));
    }

    /// Makes active who is ready, up to the number of those that do not stand by.
    fn promote(&self) {
        let working = self.working();
        let leaves = |agent: &Arc<Agent>| *agent.role().borrow() == Role::Leaving;
        let is_up = |agent: &Arc<Agent>| agent.link().filter(|link| !link.figures.is_on_trial() && !leaves(agent));
        let is_whole = |agent: &Arc<Agent>| is_up(agent).is_some_and(|link| link.libraries.values().all(Result::is_ok));
        // One that could not load a library is of no use while another one could.
        let some_is_whole = working.iter().any(is_whole);
        let ready = |agent: &&Arc<Agent>| if some_is_whole { is_whole(agent) } else { is_up(agent).is_some() };
        let standby = usize::try_from(self.pool.spec().running.standby).unwrap_or_default();
        let standby = if self.pool.spec().runtime.is_some() { standby } else { 0 };
        let wanted = working.len().saturating_sub(standby).max(1);
        for agent in working.iter().filter(|agent| !ready(agent) && !leaves(agent)) {
            agent.set_role(Role::Standby);
        }
        let active = working.iter().filter(ready).filter(|agent| has_role(agent, Role::Active)).count();
        let idle = working.iter().filter(ready).filter(|agent| has_role(agent, Role::Standby));
        idle.take(wanted.saturating_sub(active)).for_each(|agent| agent.set_role(Role::Active));
    }

    /// Fewer, if there are more than there may be, as when the configuration has changed.
    fn trim(&self) {
        let spec = self.pool.spec();
        let most = spec.running.instances.max.saturating_add(spec.running.standby);
        let working = self.working();
        if spec.runtime.is_some() {
            let beyond = working.iter().skip(usize::try_from(most).unwrap_or(usize::MAX));
            beyond.for_each(|agent| agent.leave("there may be fewer agents now", spec.running.drain));
        }
    }

    /// One more, if calls have been waiting for a while and all are busy.
    fn grow(&mut self) {
        let working = self.working();
        let waits = self.pool.queues.iter().any(|queue| queue.is_behind());
        let mut active =
            working.iter().filter(|agent| has_role(agent, Role::Active) && agent.link().is_some()).peekable();
        let all_busy = active.peek().is_some() && active.all(|agent| agent.usage().is_busy());
        // One that is on its way is waited for.
        let comes = working.iter().any(|agent| matches!(&*agent.reach().borrow(), Reach::Down(_)));
        if !waits || !all_busy || comes {
            self.behind = None;
            return;
        }
        let since = *self.behind.get_or_insert_with(Instant::now);
        let most = self.pool.spec().running.instances.max + self.pool.spec().running.standby;
        if since.elapsed() >= GROW_AFTER && working.len() < usize::try_from(most).unwrap_or(usize::MAX) {
            self.behind = None;
            tracing::info!(pool = self.pool.id(), agents = working.len() + 1, "calls wait: another agent is started");
            self.pool.add(None);
        }
    }

    /// One less, if it has had nothing to do for a while.
    fn shrink(&self) {
        let spec = self.pool.spec();
        let running = &spec.running;
        let working = self.working();
        let active: Vec<_> = working.iter().filter(|agent| has_role(agent, Role::Active)).collect();
        if active.len() <= usize::try_from(running.instances.min).unwrap_or(usize::MAX) {
            return;
        }
        // Those that stand by have nothing to do as a rule, and stay.
        let idle = |agent: &&Arc<Agent>| agent.link().is_some() && agent.usage().is_idle_for(running.instances.idle);
        if let Some(agent) = active.into_iter().rev().find(idle) {
            tracing::info!(pool = self.pool.id(), agent = agent.id(), "an agent had nothing to do and is ended");
            // A session may begin in this moment.
            agent.leave("it had nothing to do", running.drain);
        }
    }
}

fn has_role(agent: &Agent, role: Role) -> bool {
    *agent.role().borrow() == role
}
