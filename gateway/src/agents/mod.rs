//! The agents: which there are, what state each is in, and how to reach it.
//!
//! [`Registry`] holds them by id; [`supervisor`] keeps each one running; [`client`] speaks to one.

mod attendant;
mod autopsy;
mod bindings;
mod call_output;
pub mod client;
mod crash;
mod external;
mod figures;
mod fitness;
mod latency;
mod life;
mod limits;
mod notes;
mod observation;
mod orders;
mod output;
mod process;
mod registry;
mod reports;
mod signing;
mod state;
mod supervisor;
pub mod token;
mod upkeep;
mod usage;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bridge32_protocol::target::Target;
use bridge32_protocol::wire::{Dialect, Fault, FaultCode, Health, Lease, Load, Registration};
use bridge32_signature::Key;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::config::RuntimeConfig;
use crate::files::{Identity, Place};
use crate::interfaces::Current;

pub use attendant::Attendant;
#[cfg(test)]
pub(crate) use attendant::Nobody;
pub use bindings::{Bindings, Bound};
pub use call_output::{CallOutput, CallOutputs, Printing};
pub use crash::Crash;
pub use figures::{Figures, Probed};
pub use fitness::{Fitness, LastCrash};
pub use latency::Quantiles;
pub use limits::{Limit, Seen};
pub use notes::{Noted, Notes};
pub use output::Line;
pub use process::Exit;
pub(crate) use process::command;
pub use registry::Registry;
pub use reports::Reports;
pub use state::{Link, Member, RegisterError, State, Status, View};
pub use upkeep::{Probing, Rules, Upkeep};
pub use usage::Usage;

use output::Output;
use state::Shared;

/// What an agent is to run.
#[derive(Clone, Debug)]
pub struct AgentSpec {
    /// The name of the library or group that it runs, with others of its kind: their generations are numbered together.
    pub pool: String,
    /// Its id, where somebody else starts it. Others get one that is free: the pool's name, or that and a number.
    pub external: Option<String>,
    /// The kind of process.
    pub target: Target,
    /// How it is started; `None` if somebody else starts it.
    pub runtime: Option<RuntimeConfig>,
    /// What it is to load, in this order.
    pub loads: Vec<LibrarySpec>,
    /// How long it may take from its start to its registration, and again for each library that it loads.
    pub startup: Duration,
    /// By what it is kept healthy, with the others of its pool.
    pub upkeep: Arc<Upkeep>,
}

/// A library that an agent is to load.
#[derive(Clone, Debug)]
pub struct LibrarySpec {
    /// Its name.
    pub name: String,
    /// The file, as the configuration says and the agent's system names it.
    pub file: String,
    /// Where that really is.
    pub place: Place,
    /// The SHA-256 that it must have.
    pub sha256: Option<String>,
    /// Which file it was.
    pub identity: Arc<Identity>,
    /// Its interface, as it is when the agent starts.
    pub interface: Arc<Current>,
    /// Whose compiler's ABI it follows.
    pub dialect: Option<Dialect>,
    /// How many threads may call it at once.
    pub threads: u32,
    /// Where the notes of its first thread stand in the agent's journal.
    pub slot: u32,
    /// The outputs of its calls are told apart.
    pub marks_output: bool,
}

impl AgentSpec {
    /// Whether its process marks where the output of each call ends.
    fn marks_output(&self) -> bool {
        self.loads.iter().any(|load| load.marks_output)
    }
}

impl LibrarySpec {
    /// What that start of the agent is told, now.
    ///
    /// # Errors
    /// The file is not where it may be.
    fn load(&self, generation: u64) -> Result<Load, Fault> {
        let failed = |detail| Fault { code: FaultCode::LoadFailed, detail, pointer: None, ran: false };
        let declared = self.interface.get();
        Ok(Load {
            file: self.place.for_agent().map_err(failed)?,
            sha256: self.sha256.clone(),
            generation,
            revision: declared.revision,
            interface: declared.interface().clone(),
            dialect: self.dialect,
            threads: self.threads,
            slot: self.slot,
        })
    }
}

/// How calls get to an agent right now.
#[derive(Clone, Debug)]
pub enum Reach {
    /// It is starting or waits to be started: calls wait too. In words.
    Down(String),
    /// It answers.
    Up(Arc<Link>),
    /// It will not come back by itself: calls are told so at once. In words.
    Gone(String),
    /// There is no such agent any more.
    Over,
}

/// Which calls an agent gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// All.
    Active,
    /// Those that can run nowhere else: it takes the place of an active one that fails.
    Standby,
    /// Those that can run nowhere else, until it ends.
    Leaving,
}

/// What is to follow when an agent's process has been ended between two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum After {
    /// Another one.
    Again,
    /// Nothing, until somebody asks for it.
    Rest,
    /// Nothing any more.
    Over,
}

/// What somebody wants of an agent's supervisor.
#[derive(Debug)]
enum Order {
    /// End this generation, if it is still the current one, and start the next.
    Kill { generation: u64, reason: String },
    /// End whatever runs and start afresh, also after giving up.
    Restart { reason: String },
    /// End the process when what it runs has ended, and sessions that are bound to it are over or `patience` is; only that
    /// generation where one is named.
    Drain { reason: String, patience: Duration, after: After, generation: Option<u64> },
    /// End for good.
    Stop,
}

/// One agent: one that the gateway keeps running, or one that somebody else does.
#[derive(Debug)]
pub struct Agent {
    id: Arc<str>,
    spec: AgentSpec,
    shared: Shared,
    output: Arc<Output>,
    reports: Arc<Reports>,
    attendant: Arc<dyn Attendant>,
    reach: watch::Sender<Reach>,
    role: watch::Sender<Role>,
    /// As its specification says, until the configuration says something else.
    startup: std::sync::Mutex<Duration>,
    usage: Usage,
    /// It is to end for good.
    leaves: AtomicBool,
    orders: mpsc::UnboundedSender<Order>,
    /// The number of the last start of any agent of the pool.
    generations: Arc<AtomicU64>,
    /// Whoever has to know of it learns when something about it changes.
    changed: watch::Sender<()>,
    /// The gateway does not take registrations any more, so that silence means nothing.
    closing: Arc<AtomicBool>,
}

impl Agent {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same, to be kept.
    pub fn shared_id(&self) -> Arc<str> {
        Arc::clone(&self.id)
    }

    /// The drive under which the host's root directory appears to it.
    pub fn paths(&self) -> Option<&str> {
        self.spec.loads.first()?.place.paths.as_deref()
    }

    /// The name of the library or group that it runs.
    pub fn pool(&self) -> &str {
        &self.spec.pool
    }

    /// The kind of process.
    pub fn target(&self) -> Target {
        self.spec.target
    }

    /// How calls get to it, now and from now on.
    pub fn reach(&self) -> watch::Receiver<Reach> {
        self.reach.subscribe()
    }

    /// Its running start, if it answers.
    pub fn link(&self) -> Option<Arc<Link>> {
        match &*self.reach.borrow() {
            Reach::Up(link) => Some(Arc::clone(link)),
            Reach::Down(_) | Reach::Gone(_) | Reach::Over => None,
        }
    }

    fn set_reach(&self, reach: Reach) {
        self.reach.send_replace(reach);
        self.changed.send_replace(());
    }

    fn set_state(&self, state: State, reason: Option<String>) {
        let status = self.shared.set(state, reason);
        self.changed.send_replace(());
        self.attendant.changed(self, &status);
    }

    /// A process of it has ended so.
    fn note_end(&self, generation: u64, exit: &Exit) {
        self.attendant.ended(self, generation, exit);
    }

    /// The libraries that it loads, in this order.
    pub fn libraries(&self) -> impl Iterator<Item = &str> {
        self.spec.loads.iter().map(|load| load.name.as_str())
    }

    /// How its last process ended, in words.
    pub fn last_exit(&self) -> Option<String> {
        self.shared.last_exit()
    }

    /// The number of the next start.
    fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Which calls it gets, now and from now on.
    pub fn role(&self) -> watch::Receiver<Role> {
        self.role.subscribe()
    }

    /// Changes which calls it gets.
    pub fn set_role(&self, role: Role) {
        if self.role.send_if_modified(|current| std::mem::replace(current, role) != role) {
            self.changed.send_replace(());
        }
    }

    /// How much it has to do.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The number of its current start, or of the last one.
    pub fn generation(&self) -> u64 {
        self.shared.generation()
    }

    /// Its last lines of output, oldest first.
    pub fn recent_output(&self) -> Vec<Line> {
        self.output.recent()
    }

    /// How long it may take from its start to its registration, and again for each library that it loads.
    fn startup(&self) -> Duration {
        *lock(&self.startup)
    }

    /// From now on a start may take so long.
    pub fn set_startup(&self, startup: Duration) {
        *lock(&self.startup) = startup;
    }

    /// Ends `generation` at once, whatever it does; the next one is started.
    pub fn kill(&self, generation: u64, reason: impl Into<String>) {
        // A supervisor that is gone has ended its agent.
        let _ = self.orders.send(Order::Kill { generation, reason: reason.into() });
    }

    /// Ends what runs and starts afresh, also after giving up.
    pub fn restart(&self, reason: impl Into<String>) {
        let _ = self.orders.send(Order::Restart { reason: reason.into() });
    }

    /// Ends `generation` between two calls, if it is still the current one, and starts the next one.
    pub fn recycle(&self, generation: u64, reason: impl Into<String>, patience: Duration) {
        self.send_drain(reason.into(), patience, After::Again, Some(generation));
    }

    /// Ends its process between two calls; a restart brings the next one.
    pub fn drain(&self, reason: impl Into<String>, patience: Duration) {
        self.send_drain(reason.into(), patience, After::Rest, None);
    }

    /// Ends it for good, between two calls.
    pub fn leave(&self, reason: impl Into<String>, patience: Duration) {
        // At once: whoever looks for an agent must not choose this one.
        self.leaves.store(true, Ordering::Relaxed);
        self.set_role(Role::Leaving);
        self.send_drain(reason.into(), patience, After::Over, None);
    }

    fn send_drain(&self, reason: String, patience: Duration, after: After, generation: Option<u64>) {
        let _ = self.orders.send(Order::Drain { reason, patience, after, generation });
    }

    /// Whether it ends for good: another one may take its place.
    pub fn leaves(&self) -> bool {
        self.leaves.load(Ordering::Relaxed)
    }

    /// Why a process of it that answers gets no calls yet.
    pub fn trial(&self, link: &Link) -> String {
        format!("`{}` is ready, and {}", self.id, state::trial(&link.figures))
    }

    /// What the last registration of its current generation said.
    pub fn health(&self) -> Option<Health> {
        self.shared.health()
    }

    /// How it fares, for people and dashboards.
    pub fn view(&self) -> View {
        self.shared.view(self)
    }

    /// Whether somebody else starts it, with a key that has the scope `agent`.
    pub fn is_external(&self) -> bool {
        self.spec.runtime.is_none()
    }

    /// The key of the running generation, with which its requests are signed.
    pub fn key(&self) -> Option<Arc<Key>> {
        self.shared.key()
    }

    /// A call came back: a later crash is not taken for a crash loop.
    pub fn note_success(&self) {
        self.shared.note_success();
    }

    /// Takes a registration whose signature has been verified.
    ///
    /// # Errors
    /// It is of another generation, or of another kind of process.
    pub fn register(&self, registration: Registration) -> Result<Lease, RegisterError> {
        self.shared.register(registration, self.spec.target)
    }

    /// Takes a registration of an agent that somebody else has started, signed with this key.
    ///
    /// # Errors
    /// It is of a start that is over, of another kind of process, or the id is taken.
    pub fn join(&self, registration: Registration, member: Member) -> Result<Lease, RegisterError> {
        self.shared.join(registration, self.spec.target, member, || self.next_generation())
    }

    /// The text about an agent program that speaks another protocol.
    pub fn protocol_mismatch(theirs: u32, version: &str) -> String {
        state::protocol_mismatch(theirs, version)
    }

    /// The agent program speaks another protocol: it will not be started again until somebody asks for it.
    pub fn refuse_protocol(&self, theirs: u32, version: &str) -> String {
        let reason = Self::protocol_mismatch(theirs, version);
        if !self.is_external() {
            self.shared.give_up(reason.clone());
        }
        reason
    }
}

/// A panic while such a lock was held cannot leave these plain values half changed.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
