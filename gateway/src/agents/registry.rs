//! All agents by id: they come and go with the pools that need them.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::output::Output;
use super::state::Shared;
use super::{Agent, AgentSpec, Order, Reach, Reports, Role, Usage, external, lock, supervisor};

/// How long all agents together may take to end.
const FAREWELL: Duration = Duration::from_secs(8);

/// All agents by id.
#[derive(Debug)]
pub struct Registry {
    agents: RwLock<BTreeMap<String, Arc<Agent>>>,
    /// The number of the last start in each pool: also of one that is replaced by another of that name.
    generations: Mutex<HashMap<String, Arc<AtomicU64>>>,
    reports: Arc<Reports>,
    /// Where agents register.
    gateway: OnceLock<SocketAddr>,
    supervisors: Mutex<JoinSet<()>>,
    closing: Arc<AtomicBool>,
}

impl Registry {
    /// One without agents, which keeps reports of their crashes there.
    pub fn new(reports: &Arc<Reports>) -> Arc<Self> {
        Arc::new(Self {
            agents: RwLock::default(),
            generations: Mutex::default(),
            reports: Arc::clone(reports),
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
        let (agent, inbox) = self.make(spec, changed);
        let Some(gateway) = self.gateway.get().copied() else { return Some(agent) };
        let (registry, started) = (Arc::clone(self), Arc::clone(&agent));
        let supervised = async move {
            match started.spec.runtime.clone() {
                Some(runtime) => supervisor::run(Arc::clone(&started), runtime, inbox, gateway).await,
                None => external::run(Arc::clone(&started), inbox).await,
            }
            registry.table_mut().remove(started.id());
            started.set_reach(Reach::Over);
        };
        while supervisors.try_join_next().is_some() {}
        supervisors.spawn(supervised);
        Some(agent)
    }

    /// An agent under a free id, which nobody starts.
    fn make(&self, spec: AgentSpec, changed: watch::Sender<()>) -> (Arc<Agent>, mpsc::UnboundedReceiver<Order>) {
        let (orders, inbox) = mpsc::unbounded_channel();
        let mut agents = self.table_mut();
        let id = spec.external.clone().unwrap_or_else(|| free_id(&spec.pool, |id| agents.contains_key(id)));
        let agent = Arc::new(Agent {
            id: id.clone(),
            generations: Arc::clone(lock(&self.generations).entry(spec.pool.clone()).or_default()),
            shared: Shared::new(&spec.upkeep),
            output: Arc::new(Output::default()),
            reports: Arc::clone(&self.reports),
            reach: watch::Sender::new(Reach::Down("it has not been started yet".to_owned())),
            role: watch::Sender::new(Role::Standby),
            usage: Usage::default(),
            leaves: AtomicBool::new(false),
            orders,
            changed,
            closing: Arc::clone(&self.closing),
            spec,
        });
        agents.insert(id, Arc::clone(&agent));
        (agent, inbox)
    }

    /// The agent of that id.
    pub fn get(&self, id: &str) -> Option<Arc<Agent>> {
        self.agents.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All of them, by id.
    pub fn all(&self) -> Vec<Arc<Agent>> {
        self.agents.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn table_mut(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Arc<Agent>>> {
        // Each change is one insertion or removal.
        self.agents.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The listener closes: from now on no agent is ended for its silence.
    pub fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// Ends every agent and waits until they are gone: politely for two seconds each, all at once.
    pub async fn stop(&self) {
        self.close();
        let mut supervisors = std::mem::take(&mut *lock(&self.supervisors));
        for agent in self.all() {
            let _ = agent.orders.send(Order::Stop);
        }
        let all = async { while supervisors.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, all).await.is_err() {
            tracing::error!("some agents could not be ended within 8 s; they end when their standard input closes");
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
}
