//! The agents: which there are, what state each is in, and how to reach it.
//!
//! [`Registry`] holds them by id; [`supervisor`] keeps each one running; [`client`] speaks to one.

mod autopsy;
mod bindings;
pub mod client;
mod crash;
mod external;
mod life;
mod observation;
mod output;
mod process;
mod reports;
mod signing;
mod state;
mod supervisor;
pub mod token;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bridge32_protocol::target::Target;
use bridge32_protocol::wire::{Dialect, Fault, FaultCode, Lease, Load, Registration};
use bridge32_signature::Key;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::config::RuntimeConfig;
use crate::files::{Identity, Place};
use crate::interfaces::Current;

pub use bindings::{Bindings, Bound};
pub use crash::Crash;
pub use output::Line;
pub use process::Exit;
pub use reports::Reports;
pub use state::{Link, Member, RegisterError, State, Status, View};

use output::Output;
use state::Shared;

/// What an agent is to run.
#[derive(Clone, Debug)]
pub struct AgentSpec {
    /// Its id: the library's name, or that of the group.
    pub id: String,
    /// The kind of process.
    pub target: Target,
    /// How it is started; `None` if somebody else starts it.
    pub runtime: Option<RuntimeConfig>,
    /// What it is to load, by the libraries' names and in this order.
    pub loads: Vec<(String, LibrarySpec)>,
}

/// A library that an agent is to load.
#[derive(Clone, Debug)]
pub struct LibrarySpec {
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
    /// How long it may take to be loaded.
    pub startup: Duration,
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
            threads: 1,
            slot: 0,
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
}

/// What somebody wants of an agent's supervisor.
#[derive(Debug)]
enum Order {
    /// End this generation, if it is still the current one, and start the next.
    Kill { generation: u64, reason: String },
    /// End whatever runs and start afresh, also after giving up.
    Restart { reason: String },
    /// End for good.
    Stop,
}

/// One agent: one that the gateway keeps running, or one that somebody else does.
#[derive(Debug)]
pub struct Agent {
    spec: AgentSpec,
    shared: Shared,
    output: Arc<Output>,
    reports: Arc<Reports>,
    reach: watch::Sender<Reach>,
    orders: mpsc::UnboundedSender<Order>,
    /// The gateway does not take registrations any more, so that silence means nothing.
    closing: AtomicBool,
}

impl Agent {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.spec.id
    }

    /// How calls get to it, now and from now on.
    pub fn reach(&self) -> watch::Receiver<Reach> {
        self.reach.subscribe()
    }

    /// Its running start, if it answers.
    pub fn link(&self) -> Option<Arc<Link>> {
        match &*self.reach.borrow() {
            Reach::Up(link) => Some(Arc::clone(link)),
            Reach::Down(_) | Reach::Gone(_) => None,
        }
    }

    /// The number of its current start, or of the last one.
    pub fn generation(&self) -> u64 {
        self.shared.generation()
    }

    /// Its last lines of output, oldest first.
    pub fn recent_output(&self) -> Vec<Line> {
        self.output.recent()
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

    /// How it fares, for people and dashboards.
    pub fn view(&self) -> View {
        self.shared.view(&self.spec)
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
        self.shared.join(registration, self.spec.target, member)
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

/// All agents by id.
#[derive(Debug, Default)]
pub struct Registry {
    agents: BTreeMap<String, Arc<Agent>>,
    supervisors: std::sync::Mutex<JoinSet<()>>,
    waiting: std::sync::Mutex<Vec<(Arc<Agent>, mpsc::UnboundedReceiver<Order>)>>,
}

impl Registry {
    /// Makes the agents; [`Registry::start`] starts them.
    pub fn new(specs: Vec<AgentSpec>, reports: &Arc<Reports>) -> Self {
        let mut registry = Self::default();
        for spec in specs {
            let (orders, inbox) = mpsc::unbounded_channel();
            let (reach, _) = watch::channel(Reach::Down("it has not been started yet".to_owned()));
            let output = Arc::new(Output::default());
            let (shared, reports, closing) = (Shared::new(), Arc::clone(reports), AtomicBool::new(false));
            let agent = Arc::new(Agent { spec, shared, output, reports, reach, orders, closing });
            registry.agents.insert(agent.spec.id.clone(), Arc::clone(&agent));
            lock(&registry.waiting).push((agent, inbox));
        }
        registry
    }

    /// Starts every agent; they register at `gateway`.
    pub fn start(&self, gateway: SocketAddr) {
        for (agent, inbox) in std::mem::take(&mut *lock(&self.waiting)) {
            match agent.spec.runtime.clone() {
                Some(runtime) => lock(&self.supervisors).spawn(supervisor::run(agent, runtime, inbox, gateway)),
                None => lock(&self.supervisors).spawn(external::run(agent, inbox)),
            };
        }
    }

    /// The agent of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<Agent>> {
        self.agents.get(id)
    }

    /// All of them, by id.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Agent>> {
        self.agents.values()
    }

    /// The listener closes: from now on no agent is ended for its silence.
    pub fn close(&self) {
        for agent in self.agents.values() {
            agent.closing.store(true, Ordering::Relaxed);
        }
    }

    /// Ends every agent and waits until they are gone: politely for two seconds each, all at once.
    pub async fn stop(&self) {
        for agent in self.agents.values() {
            let _ = agent.orders.send(Order::Stop);
        }
        let mut supervisors = std::mem::take(&mut *lock(&self.supervisors));
        let all = async { while supervisors.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(8), all).await.is_err() {
            tracing::error!("some agents could not be ended within 8 s; they end when their standard input closes");
        }
    }
}

/// A panic while such a lock was held cannot leave these plain values half changed.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
