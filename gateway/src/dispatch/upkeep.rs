//! Looks after the processes of a pool while they run: probes them, replaces them between two calls before they fail, and
//! warns of those that run out of something. One task for each pool: it never replaces two at the same time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::pool::Pool;
use super::probe::{self, Verdict};
use crate::agents::{Agent, Link, Probing, Reach, Role, Rules, Seen};

/// How often processes are looked at: as often as they register.
const LOOK: Duration = Duration::from_secs(1);
/// A process that gets no calls before it has answered its probe is asked again after this, if not earlier.
const ON_TRIAL: Duration = Duration::from_secs(1);

/// A probe of one library in one process: its generation and the library.
type Place = (u64, String);

/// Looks after the agents for as long as there is the pool.
pub(super) async fn run(pool: Arc<Pool>) {
    let mut changes = pool.changes();
    let rules = Arc::clone(&pool.spec().upkeep);
    let mut upkeep = Upkeep { pool, probing: JoinSet::new(), due: HashMap::new(), replaced: None };
    while !upkeep.pool.is_retired() {
        changes.borrow_and_update();
        let next = upkeep.look();
        tokio::select! {
            // The sender lives as long as the pool, which this task holds.
            _ = changes.changed() => {}
            () = rules.asked() => {}
            Some(probed) = upkeep.probing.join_next() => {
                // One that was aborted has no outcome; none is, and none panics.
                if let Ok(probed) = probed {
                    upkeep.judge(probed);
                }
            }
            () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
    }
}

/// A probe that has ended.
struct Probed {
    agent: Arc<Agent>,
    link: Arc<Link>,
    library: String,
    probing: Probing,
    verdict: Verdict,
}

struct Upkeep {
    pool: Arc<Pool>,
    probing: JoinSet<Probed>,
    /// When the next probe is due; `None` while one is under way.
    due: HashMap<Place, Option<Instant>>,
    /// The agent that is being replaced, and its generation that ends.
    replaced: Option<(Arc<Agent>, u64)>,
}

impl Upkeep {
    /// Looks at all that run, and says when to look again.
    fn look(&mut self) -> Option<Instant> {
        let rules = self.pool.spec().upkeep.rules();
        let running: Vec<(Arc<Agent>, Arc<Link>)> =
            self.pool.members().into_iter().filter_map(|agent| agent.link().map(|link| (agent, link))).collect();
        for (agent, link) in &running {
            link.figures.tick();
            warn(agent, link, &rules);
        }
        self.replace(&running, &rules);
        let is_probed = |generation: u64, (agent, link): &(Arc<Agent>, Arc<Link>)| {
            link.generation == generation && *agent.role().borrow() != Role::Leaving
        };
        self.due.retain(|(generation, library), _| {
            rules.probes.contains_key(library) && running.iter().any(|one| is_probed(*generation, one))
        });
        let now = Instant::now();
        for (agent, link) in running.iter().filter(|(agent, _)| *agent.role().borrow() != Role::Leaving) {
            self.probe(agent, link, &rules, now);
        }
        let next = self.due.values().flatten().min().copied();
        (!running.is_empty()).then(|| next.map_or(now + LOOK, |next| next.min(now + LOOK)))
    }

    /// Replaces a process that has reached a limit, unless there is one under way.
    fn replace(&mut self, running: &[(Arc<Agent>, Arc<Link>)], rules: &Rules) {
        if self.replaced.as_ref().is_some_and(|(agent, generation)| is_under_way(agent, *generation)) {
            return;
        }
        self.replaced = None;
        let worn = running.iter().find_map(|(agent, link)| {
            let health = agent.health()?;
            Some((agent, link, Seen::new(&health, &link.figures, agent.target()).exceeded(&rules.recycle)?))
        });
        let Some((agent, link, reason)) = worn else { return };
        let others = self.pool.members().into_iter().filter(|other| !Arc::ptr_eq(other, agent));
        if others.into_iter().any(|other| is_away(&other)) || is_away(agent) {
            return;
        }
        tracing::info!(agent = agent.id(), generation = link.generation, reason, "an agent is replaced");
        agent.recycle(link.generation, reason, rules.drain);
        self.replaced = Some((Arc::clone(agent), link.generation));
    }

    /// Begins the probes that are due in that process.
    fn probe(&mut self, agent: &Arc<Agent>, link: &Arc<Link>, rules: &Rules, now: Instant) {
        for (queue, load) in self.pool.queues().iter().zip(&self.pool.spec().loads) {
            let Some(probing) = rules.probes.get(&load.name) else { continue };
            if !matches!(link.libraries.get(&load.name), Some(Ok(_))) {
                continue;
            }
            let due = self.due.entry((link.generation, load.name.clone())).or_insert(Some(now));
            if due.is_none_or(|due| due > now) {
                continue;
            }
            *due = None;
            let (agent, link, queue) = (Arc::clone(agent), Arc::clone(link), Arc::clone(queue));
            let (library, probing, declared) = (load.name.clone(), probing.clone(), load.interface.get());
            self.probing.spawn(async move {
                let verdict = probe::run(queue, link.generation, declared, &probing).await;
                Probed { agent, link, library, probing, verdict }
            });
        }
        self.acquit(agent, link, rules);
    }

    /// Lets a process have calls when all that is probed in it has answered.
    fn acquit(&self, agent: &Agent, link: &Link, rules: &Rules) {
        let is_loaded = |library: &str| matches!(link.libraries.get(library), Some(Ok(_)));
        let mut probed = rules.probes.keys().filter(|library| is_loaded(library));
        if probed.all(|library| link.figures.has_passed(library)) && link.figures.acquit() {
            tracing::info!(agent = agent.id(), generation = link.generation, "its probe has been answered");
            self.pool.note_change();
        }
    }

    /// What follows from the outcome of a probe.
    fn judge(&mut self, probed: Probed) {
        let Probed { agent, link, library, probing: Probing { probe, .. }, verdict } = probed;
        let figures = &link.figures;
        let pause = if figures.is_on_trial() { probe.every.min(ON_TRIAL) } else { probe.every };
        self.due.insert((link.generation, library.clone()), Some(Instant::now() + pause));
        let function = &probe.function;
        let why = match verdict {
            Verdict::Passed => {
                figures.probed(&library, function, None);
                return;
            }
            Verdict::Withdrawn => return,
            Verdict::Impossible(why) => {
                // The next process would not do better.
                figures.excuse(&library, function, why);
                return;
            }
            Verdict::Failed(why) => why,
        };
        let failures = figures.probed(&library, function, Some(why.clone()));
        tracing::warn!(
            agent = agent.id(),
            generation = link.generation,
            library,
            function,
            failures,
            why,
            "a probe failed"
        );
        // One that ends anyway does so as it was told.
        if failures < probe.failures || *agent.role().borrow() == Role::Leaving {
            return;
        }
        let times = if failures == 1 { "failed".to_owned() } else { format!("failed {failures} times in a row") };
        let reason = format!("the probe `{function}` of `{library}` {times}: {why}");
        if figures.is_on_trial() {
            agent.kill(link.generation, reason);
        } else {
            // Whoever has a call there may have its answer; sessions do not go on in what does not work.
            agent.recycle(link.generation, reason, Duration::ZERO);
        }
    }
}

/// Whether the process that ends is still there, or the one after it does not get calls yet.
fn is_under_way(agent: &Agent, generation: u64) -> bool {
    match &*agent.reach().borrow() {
        Reach::Up(link) => link.generation == generation || link.figures.is_on_trial(),
        Reach::Down(_) => true,
        Reach::Gone(_) | Reach::Over => false,
    }
}

/// Whether an agent that is to be there gets no calls now.
fn is_away(agent: &Agent) -> bool {
    match &*agent.reach().borrow() {
        Reach::Up(link) => link.figures.is_on_trial() || *agent.role().borrow() == Role::Leaving,
        Reach::Down(_) => true,
        Reach::Gone(_) | Reach::Over => false,
    }
}

/// Logs once what a process runs out of.
fn warn(agent: &Agent, link: &Link, rules: &Rules) {
    let Some(health) = agent.health() else { return };
    let warnings = Seen::new(&health, &link.figures, agent.target()).warnings(&rules.recycle);
    if !warnings.is_empty() && link.figures.is_first_warning() {
        for warning in warnings {
            tracing::warn!(agent = agent.id(), generation = link.generation, warning, "an agent runs out of something");
        }
    }
}
