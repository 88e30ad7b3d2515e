//! What is known of one agent: its state with since when and why, its generation, and its last registration.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bridge32_protocol::PROTOCOL;
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::{Fault, Health, Lease, Registration};
use bridge32_signature::Key;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::call_output::CallOutputs;
use super::client::Client;
use super::figures::{Figures, Probed};
use super::fitness::{Fitness, LastCrash};
use super::process::Exit;
use super::upkeep::Upkeep;
use super::{Agent, Bindings, Role, lock};

/// How often an agent registers.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// Three missed registrations, and one interval for the one that may just be under way.
pub(super) const LEASE: Duration = Duration::from_secs(4);

/// Where an agent is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Somebody else starts it, and no process of it is registered.
    Waiting,
    /// Its process runs and has not loaded its libraries yet.
    Starting,
    /// It answers calls.
    Ready,
    /// It runs one now.
    Busy,
    /// It ends when what it runs has ended.
    Draining,
    /// It ended and is about to be started again.
    Backoff,
    /// It is not started again until somebody asks for it.
    GaveUp,
    /// It was drained and waits for a restart, or the gateway is stopping.
    Stopped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Starting,
        Self::Ready,
        Self::Busy,
        Self::Draining,
        Self::Backoff,
        Self::GaveUp,
        Self::Stopped,
    ];

    /// The word for it in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Busy => "busy",
            Self::Draining => "draining",
            Self::Backoff => "backoff",
            Self::GaveUp => "gave_up",
            Self::Stopped => "stopped",
        }
    }
}

/// A state, since when, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Why, where there is a reason beyond the ordinary.
    pub reason: Option<String>,
}

/// A generation that answers calls.
#[derive(Debug)]
pub struct Link {
    /// The generation.
    pub generation: u64,
    /// How to speak to it.
    pub client: Client,
    /// What became of each library.
    pub libraries: BTreeMap<String, Result<Bindings, Fault>>,
    /// How it ended, once it has.
    pub ended: watch::Receiver<Option<Exit>>,
    /// By library, where the notes of its first lane stand in the journal.
    pub slots: BTreeMap<String, u32>,
    /// Whoever gives it another interface holds it.
    pub changing: tokio::sync::Mutex<()>,
    /// What is counted of it.
    pub figures: Arc<Figures>,
    /// What its calls print, if that is told apart.
    pub outputs: Option<Arc<CallOutputs>>,
}

impl Link {
    /// Where the notes of that lane of a library stand in the journal.
    pub fn slot(&self, library: &str, lane: u32) -> Option<u32> {
        self.slots.get(library).map(|first| first + lane)
    }
}

/// How an agent fares, for people and dashboards.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Its id.
    pub id: String,
    /// The library or group that it runs, with the other agents of that.
    pub pool: String,
    /// State, since when and why.
    #[serde(flatten)]
    pub status: Status,
    /// Which calls it gets.
    pub role: Role,
    /// The number of its current start, or of the last one, among all starts for its library.
    pub generation: u64,
    /// Whether somebody else starts it.
    pub external: bool,
    /// The id of the key with which somebody else's agent has registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its process id on this system; `null` while no process runs, and where somebody else starts it.
    pub pid: Option<u32>,
    /// The kind of process.
    pub runtime: Target,
    /// Bits of a pointer in its process, as it says itself.
    pub pointer_bits: Option<u8>,
    /// The version of the agent program.
    pub version: Option<String>,
    /// The libraries that it is for.
    pub libraries: Vec<String>,
    /// How it fares.
    pub health: Fitness,
    /// How many sessions are bound to it.
    pub sessions: usize,
    /// How often it was started again.
    pub restarts: u64,
    /// How the last generation ended.
    pub last_exit: Option<String>,
}

/// Why a registration is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// It is of a generation that has ended.
    #[error("generation {theirs} has ended; generation {current} is the current one")]
    Stale {
        /// That of the registration.
        theirs: u64,
        /// The current one.
        current: u64,
    },
    /// Another key's agent has that id.
    #[error(
        "this id is registered with a key of another owner; that lease ends {} s after its last registration",
        LEASE.as_secs()
    )]
    Taken,
    /// It is another kind of process than the configuration says.
    #[error("this agent was built for {theirs}, and `{ours}` is what its library needs: correct [runtime.{ours}]")]
    WrongRuntime {
        /// That of the registration.
        theirs: Target,
        /// The configured one.
        ours: Target,
    },
}

/// The one text about two versions that do not fit.
pub(super) fn protocol_mismatch(theirs: u32, version: &str) -> String {
    let (old, new) = if theirs < PROTOCOL { ("agent", "gateway") } else { ("gateway", "agent") };
    format!(
        "the agent program (version {version}) speaks protocol {theirs}, this gateway speaks protocol {PROTOCOL}: \
         update the {old} program to the version of the {new}"
    )
}

/// The key that somebody else's agent registers with.
#[derive(Clone, Debug)]
pub struct Member {
    /// The key.
    pub key: Arc<Key>,
    /// Whose it is.
    pub owner: String,
}

/// The part of an agent that the supervisor, registrations and readers share.
#[derive(Debug)]
pub(super) struct Shared {
    known: Mutex<Known>,
    upkeep: Arc<Upkeep>,
    registered: watch::Sender<Option<Registered>>,
}

#[derive(Debug)]
struct Known {
    status: Status,
    generation: u64,
    pid: Option<u32>,
    key: Option<Arc<Key>>,
    /// Whose key it is, where somebody else has started the agent.
    owner: Option<String>,
    registration: Option<Registration>,
    figures: Arc<Figures>,
    outputs: Option<Arc<CallOutputs>>,
    last_exit: Option<String>,
    last_crash: Option<LastCrash>,
    gave_up: Option<String>,
    answered: bool,
    starts: u64,
}

/// That a generation is there, and when it last said so.
#[derive(Clone, Debug)]
pub(super) struct Registered {
    pub(super) generation: u64,
    pub(super) address: String,
    pub(super) at: Instant,
    pub(super) refused: Option<String>,
}

impl Shared {
    pub(super) fn new(upkeep: &Arc<Upkeep>) -> Self {
        let status = Status { state: State::Starting, since: Timestamp::now(), reason: None };
        let known = Known {
            status,
            generation: 0,
            pid: None,
            key: None,
            owner: None,
            registration: None,
            figures: Arc::new(Figures::new(upkeep)),
            outputs: None,
            last_exit: None,
            last_crash: None,
            gave_up: None,
            answered: false,
            starts: 0,
        };
        Self { known: Mutex::new(known), upkeep: Arc::clone(upkeep), registered: watch::Sender::new(None) }
    }

    /// Begins a generation.
    pub(super) fn begin(&self, generation: u64, key: Arc<Key>) {
        let mut known = lock(&self.known);
        known.generation = generation;
        known.starts += 1;
        known.key = Some(key);
        known.registration = None;
        known.figures = Arc::new(Figures::new(&self.upkeep));
        known.outputs = None;
        known.gave_up = None;
        known.answered = false;
        self.registered.send_replace(None);
    }

    pub(super) fn set(&self, state: State, reason: Option<String>) -> Status {
        let status = Status { state, since: Timestamp::now(), reason };
        lock(&self.known).status = status.clone();
        status
    }

    /// What its calls print is told apart there.
    pub(super) fn set_outputs(&self, outputs: Option<Arc<CallOutputs>>) {
        lock(&self.known).outputs = outputs;
    }

    pub(super) fn outputs(&self) -> Option<Arc<CallOutputs>> {
        lock(&self.known).outputs.clone()
    }

    pub(super) fn set_pid(&self, pid: Option<u32>) {
        lock(&self.known).pid = pid;
    }

    /// The generation is over: its key opens nothing any more.
    pub(super) fn end(&self, exit: &Exit) {
        let mut known = lock(&self.known);
        known.pid = None;
        known.key = None;
        known.last_exit = Some(exit.to_string());
        known.last_crash = LastCrash::of(exit, known.generation).or(known.last_crash.take());
    }

    /// What is counted of the current generation.
    pub(super) fn figures(&self) -> Arc<Figures> {
        Arc::clone(&lock(&self.known).figures)
    }

    /// What the last registration of the current generation said.
    pub(super) fn health(&self) -> Option<Health> {
        lock(&self.known).registration.as_ref().map(|registration| registration.health.clone())
    }

    /// How the last generation ended.
    pub(super) fn last_exit(&self) -> Option<String> {
        lock(&self.known).last_exit.clone()
    }

    pub(super) fn key(&self) -> Option<Arc<Key>> {
        lock(&self.known).key.clone()
    }

    /// The number of the current generation, and its key if it is not over.
    pub(super) fn current(&self) -> (u64, Option<Arc<Key>>) {
        let known = lock(&self.known);
        (known.generation, known.key.clone())
    }

    pub(super) fn note_success(&self) {
        lock(&self.known).answered = true;
    }

    /// The number of the current start, or of the last one.
    pub(super) fn generation(&self) -> u64 {
        lock(&self.known).generation
    }

    /// Whether a call of this generation came back.
    pub(super) fn answered(&self) -> bool {
        lock(&self.known).answered
    }

    /// Makes the supervisor end this generation and start no other.
    pub(super) fn give_up(&self, reason: String) {
        let mut known = lock(&self.known);
        known.gave_up = Some(reason.clone());
        let generation = known.generation;
        let refused = Registered { generation, address: String::new(), at: Instant::now(), refused: Some(reason) };
        self.registered.send_replace(Some(refused));
    }

    /// Why it is not to be started again.
    pub(super) fn gave_up(&self) -> Option<String> {
        lock(&self.known).gave_up.clone()
    }

    /// Registrations of the current generation, as they come.
    pub(super) fn registrations(&self) -> watch::Receiver<Option<Registered>> {
        self.registered.subscribe()
    }

    pub(super) fn register(&self, registration: Registration, ours: Target) -> Result<Lease, RegisterError> {
        let mut known = lock(&self.known);
        let theirs = registration.generation;
        if theirs != known.generation || known.key.is_none() {
            return Err(RegisterError::Stale { theirs, current: known.generation });
        }
        if registration.runtime != ours {
            let error = RegisterError::WrongRuntime { theirs: registration.runtime, ours };
            drop(known);
            self.give_up(error.to_string());
            return Err(error);
        }
        Ok(self.lease(&mut known, registration))
    }

    /// Takes the registration of an agent that somebody else has started. Its generation 0 asks for the next number: a
    /// process that has nothing loaded.
    pub(super) fn join(
        &self,
        mut registration: Registration,
        ours: Target,
        member: Member,
        next: impl FnOnce() -> u64,
    ) -> Result<Lease, RegisterError> {
        let mut known = lock(&self.known);
        let theirs = registration.generation;
        let runs = known.key.is_some();
        if runs && known.owner.as_ref() != Some(&member.owner) {
            return Err(RegisterError::Taken);
        }
        if registration.runtime != ours {
            return Err(RegisterError::WrongRuntime { theirs: registration.runtime, ours });
        }
        if theirs == 0 {
            known.generation = next();
            known.starts += 1;
            known.figures = Arc::new(Figures::new(&self.upkeep));
            known.answered = false;
            known.key = Some(member.key);
            known.owner = Some(member.owner);
        } else if theirs != known.generation || !runs {
            return Err(RegisterError::Stale { theirs, current: known.generation });
        }
        registration.generation = known.generation;
        Ok(self.lease(&mut known, registration))
    }

    fn lease(&self, known: &mut Known, registration: Registration) -> Lease {
        let (generation, address) = (registration.generation, registration.address.clone());
        known.registration = Some(registration);
        self.registered.send_replace(Some(Registered { generation, address, at: Instant::now(), refused: None }));
        let heartbeat_ms = u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX);
        Lease { heartbeat_ms, generation }
    }

    /// A generation of somebody else's agent is over, unless another one has begun meanwhile.
    pub(super) fn leave(&self, generation: u64, exit: &Exit) {
        let mut known = lock(&self.known);
        known.last_exit = Some(exit.to_string());
        if known.generation == generation {
            known.key = None;
            known.owner = None;
            known.registration = None;
        }
    }

    /// Milliseconds since the last registration.
    fn silence(&self) -> u64 {
        let silence = self.registered.borrow().as_ref().map(|registered| registered.at.elapsed());
        u64::try_from(silence.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn view(&self, agent: &Agent) -> View {
        let known = lock(&self.known);
        let (spec, registration) = (&agent.spec, known.registration.as_ref());
        View {
            id: agent.id().to_owned(),
            pool: spec.pool.clone(),
            status: status(agent, &known),
            role: *agent.role.borrow(),
            generation: known.generation,
            external: spec.runtime.is_none(),
            key: known.owner.as_ref().and(known.key.as_ref()).map(|key| key.id().to_owned()),
            pid: known.pid,
            runtime: spec.target,
            pointer_bits: registration.map(|registration| registration.pointer_bits),
            version: registration.map(|registration| registration.version.clone()),
            libraries: spec.loads.iter().map(|load| load.name.clone()).collect(),
            health: Fitness::new(
                &known.figures,
                spec.target,
                registration.map(|registration| (&registration.health, self.silence())),
                &self.upkeep.rules().recycle,
                known.last_crash.clone(),
            ),
            sessions: agent.usage.held(),
            restarts: known.starts.saturating_sub(1),
            last_exit: known.last_exit.clone(),
        }
    }
}

/// One that is ready and runs something is busy; one on trial says what it waits for.
fn status(agent: &Agent, known: &Known) -> Status {
    let status = known.status.clone();
    if status.state != State::Ready {
        return status;
    }
    if known.figures.is_on_trial() {
        return Status { reason: Some(trial(&known.figures)), ..status };
    }
    let Some(since) = agent.usage.working_since() else { return status };
    Status { state: State::Busy, since, reason: None }
}

/// Why a process that is ready gets no calls yet.
pub(super) fn trial(figures: &Figures) -> String {
    let problem = figures.probes().into_iter().find_map(|probed| {
        let Probed { library, function, problem, .. } = probed;
        problem.map(|problem| format!("; `{function}` of `{library}` did not: {problem}"))
    });
    format!("it gets calls when it has answered its probe{}", problem.unwrap_or_default())
}
