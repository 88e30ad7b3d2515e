//! All agents by id: they come and go with the pools that need them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::output::Output;
use super::state::Shared;
use super::{After, Agent, AgentSpec, Attendant, Order, Reach, Reports, Role, Usage, external, lock, supervisor};

/// How long all agents together may take to end.
const FAREWELL: Duration = Duration::from_secs(8);

/// All agents by id.
#[derive(Debug)]
pub struct Registry {
    table: RwLock<Table>,
    /// The number of the last start in each pool: also of one that is replaced by another of that name.
    generations: Mutex<HashMap<String, Arc<AtomicU64>>>,
    reports: Arc<Reports>,
    attendant: Arc<dyn Attendant>,
    /// Where agents register.
    gateway: OnceLock<SocketAddr>,
    supervisors: Mutex<JoinSet<()>>,
    closing: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Table {
    agents: BTreeMap<String, Arc<Agent>>,
    /// Agents that somebody else starts, under an id that another one still has: each in its turn.
    heirs: HashMap<String, VecDeque<Heir>>,
}

/// An agent that waits for its id, and what tells it that it has it.
type Heir = (Arc<Agent>, oneshot::Sender<()>);

impl Table {
    /// Gives the agent its id, or a place behind those that have it.
    fn insert(&mut self, agent: &Arc<Agent>, turn: oneshot::Sender<()>) {
        match self.agents.entry(agent.id().to_owned()) {
            Entry::Occupied(taken) => {
                self.heirs.entry(taken.key().clone()).or_default().push_back((Arc::clone(agent), turn));
            }
            Entry::Vacant(free) => {
                free.insert(Arc::clone(agent));
                // Whoever waits for it is right behind.
                let _ = turn.send(());
            }
        }
    }

    /// The agent is over: its id is the next one's.
    fn remove(&mut self, agent: &Arc<Agent>) {
        let id = agent.id();
        let heirs = self.heirs.get_mut(id);
        if self.agents.get(id).is_some_and(|current| Arc::ptr_eq(current, agent)) {
            self.agents.remove(id);
            if let Some((next, turn)) = heirs.and_then(VecDeque::pop_front) {
                self.insert(&next, turn);
            }
        } else if let Some(heirs) = heirs {
            heirs.retain(|(heir, _)| !Arc::ptr_eq(heir, agent));
        }
        self.heirs.retain(|_, heirs| !heirs.is_empty());
    }
}

impl Registry {
    /// One without agents, which keeps reports of their crashes there. `attendant` is told what becomes of them.
    pub fn new(reports: &Arc<Reports>, attendant: Arc<dyn Attendant>) -> Arc<Self> {
        Arc::new(Self {
            table: RwLock::default(),
            generations: Mutex::default(),
            reports: Arc::clone(reports),
            attendant,
            gateway: OnceLock::new(),
            supervisors: Mutex::default(),
            closing: Arc::default(),
        })
    }

    /// From now on agents are started, and register at `gateway`.
    pub fn open(&self, gateway: SocketAddr) {
        let _ = self.gateway.set(gateway);
    }

    /// Makes an agent and starts it; `None` when the gateway is stopping. `changed` tells when something about it changes.
    pub fn add(self: &Arc<Self>, spec: AgentSpec, changed: watch::Sender<()>) -> Option<Arc<Agent>> {
        let mut supervisors = lock(&self.supervisors);
        // With the lock: whoever closes and then stops all of them finds each one that was added before.
        if self.closing.load(Ordering::SeqCst) {
            return None;
        }
        let (agent, mut inbox, turn) = self.make(spec, changed);
        let Some(gateway) = self.gateway.get().copied() else { return Some(agent) };
        let (registry, started) = (Arc::clone(self), Arc::clone(&agent));
        let supervised = async move {
            if is_its_turn(turn, &mut inbox).await {
                match started.spec.runtime.clone() {
                    Some(runtime) => supervisor::run(Arc::clone(&started), runtime, inbox, gateway).await,
                    None => external::run(Arc::clone(&started), inbox).await,
                }
            }
            registry.table_mut().remove(&started);
            started.set_reach(Reach::Over);
        };
        while supervisors.try_join_next().is_some() {}
        supervisors.spawn(supervised);
        Some(agent)
    }

    /// An agent under a free id, which nobody starts.
    fn make(
        &self,
        spec: AgentSpec,
        changed: watch::Sender<()>,
    ) -> (Arc<Agent>, mpsc::UnboundedReceiver<Order>, oneshot::Receiver<()>) {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (turn, its_turn) = oneshot::channel();
        let mut table = self.table_mut();
        let id = spec.external.clone().unwrap_or_else(|| free_id(&spec.pool, |id| table.agents.contains_key(id)));
        let agent = Arc::new(Agent {
            id: id.into(),
            generations: Arc::clone(lock(&self.generations).entry(spec.pool.clone()).or_default()),
            startup: Mutex::new(spec.startup),
            shared: Shared::new(&spec.upkeep),
            output: Arc::new(Output::default()),
            reports: Arc::clone(&self.reports),
            attendant: Arc::clone(&self.attendant),
            reach: watch::Sender::new(Reach::Down("it has not been started yet".to_owned())),
            role: watch::Sender::new(Role::Standby),
            usage: Usage::default(),
            leaves: AtomicBool::new(false),
            orders,
            changed,
            closing: Arc::clone(&self.closing),
            spec,
        });
        table.insert(&agent, turn);
        (agent, inbox, its_turn)
    }

    /// The agent of that id.
    pub fn get(&self, id: &str) -> Option<Arc<Agent>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).agents.get(id).cloned()
    }

    /// All of them, by id.
    pub fn all(&self) -> Vec<Arc<Agent>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).agents.values().cloned().collect()
    }

    fn table_mut(&self) -> std::sync::RwLockWriteGuard<'_, Table> {
        // Each change leaves it whole.
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The listener closes: from now on no agent is ended for its silence.
    pub fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// Ends every agent and waits until they are gone: politely for two seconds each, all at once.
    pub async fn stop(&self) {
        self.close();
        let mut supervisors = std::mem::take(&mut *lock(&self.supervisors));
        let heirs: Vec<_> = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            table.heirs.values().flatten().map(|(heir, _)| Arc::clone(heir)).collect()
        };
        for agent in self.all().iter().chain(&heirs) {
            let _ = agent.orders.send(Order::Stop);
        }
        let all = async { while supervisors.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, all).await.is_err() {
            tracing::error!("some agents could not be ended within 8 s; they end when their standard input closes");
        }
    }
}

/// Waits until an agent has its id for itself; `false` if it is not wanted any more before that.
async fn is_its_turn(mut turn: oneshot::Receiver<()>, inbox: &mut mpsc::UnboundedReceiver<Order>) -> bool {
    loop {
        tokio::select! {
            biased;
            // Nobody can drop the sender but who takes the agent out.
            turn = &mut turn => return turn.is_ok(),
            order = inbox.recv() => match order {
                Some(Order::Drain { after: After::Over, .. } | Order::Stop) | None => return false,
                Some(_) => {}
            },
        }
    }
}

/// The pool's name, or that and the first number from 2 on under which there is nobody.
fn free_id(pool: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2_u32..).map(|number| format!("{pool}.{number}"));
    let mut ids = std::iter::once(pool.to_owned()).chain(numbered);
    ids.find(|id| !is_taken(id)).unwrap_or_else(|| pool.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_agent_has_the_name_of_its_pool_and_others_the_first_free_number() {
        assert_eq!(free_id("calc", |_| false), "calc");
        assert_eq!(free_id("calc", |id| ["calc", "calc.2", "calc.4"].contains(&id)), "calc.3");
    }

    fn external(registry: &Arc<Registry>) -> (Arc<Agent>, oneshot::Receiver<()>) {
        let spec = AgentSpec {
            pool: "calc".into(),
            external: Some("pc".into()),
            target: bridge32_protocol::target::Target::Linux32,
            runtime: None,
            loads: Vec::new(),
            startup: Duration::from_secs(1),
            upkeep: Arc::default(),
        };
        let (agent, _, turn) = registry.make(spec, watch::Sender::new(()));
        (agent, turn)
    }

    #[tokio::test]
    async fn an_id_of_somebody_else_is_given_to_the_next_one_when_its_agent_is_over() {
        let data = tempfile::tempdir().unwrap();
        let registry = Registry::new(&Arc::new(Reports::new(data.path())), Arc::new(crate::agents::Nobody));
        let ((first, mut one), (second, mut two), (third, mut three)) =
            (external(&registry), external(&registry), external(&registry));
        assert!(one.try_recv().is_ok() && two.try_recv().is_err() && three.try_recv().is_err());
        assert!(Arc::ptr_eq(&registry.get("pc").unwrap(), &first));
        registry.table_mut().remove(&second);
        registry.table_mut().remove(&first);
        assert!(two.try_recv().is_err() && three.try_recv().is_ok(), "the second one was not wanted any more");
        assert!(Arc::ptr_eq(&registry.get("pc").unwrap(), &third) && registry.all().len() == 1);
        registry.table_mut().remove(&third);
        assert!(registry.get("pc").is_none());
    }

    #[tokio::test]
    async fn one_that_waits_for_its_id_can_be_told_that_it_is_not_wanted() {
        let (orders, mut inbox) = mpsc::unbounded_channel();
        let (turn, its_turn) = oneshot::channel();
        orders.send(Order::Restart { reason: "it was asked for".to_owned() }).unwrap();
        let over =
            Order::Drain { reason: "over".to_owned(), patience: Duration::ZERO, after: After::Over, generation: None };
        orders.send(over).unwrap();
        assert!(!is_its_turn(its_turn, &mut inbox).await);
        drop(turn);
        let (turn, its_turn) = oneshot::channel();
        turn.send(()).unwrap();
        assert!(is_its_turn(its_turn, &mut inbox).await);
    }
}
