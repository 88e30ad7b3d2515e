//! Keeps one agent running: starts it, watches over its life, notices its end, starts it again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::PROTOCOL;
use bridge32_protocol::wire::{EXIT_REFUSED, Handover};
use bridge32_signature::Key;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::autopsy::{PRINTED, Witness};
use super::life::{Life, Troubles};
use super::process::{Exit, Process};
use super::state::State;
use super::{Agent, Order, Reach};
use crate::config::RuntimeConfig;

/// How long an agent gets to unload its libraries.
const POLITE: Duration = Duration::from_secs(2);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// Whoever ran so long without a call that came back is not in a crash loop.
const HEALTHY: Duration = Duration::from_secs(10);
/// So many starts in a row that never got as far as answering are enough.
const MAX_FAILED_STARTS: u32 = 8;

/// Supervises until it is told to stop.
pub(super) async fn run(
    agent: Arc<Agent>,
    runtime: RuntimeConfig,
    orders: mpsc::UnboundedReceiver<Order>,
    gateway: SocketAddr,
) {
    Supervisor { agent, runtime, orders, gateway, delay: FIRST_DELAY, failed_starts: 0, troubles: Troubles::default() }
        .run()
        .await;
}

struct Supervisor {
    agent: Arc<Agent>,
    runtime: RuntimeConfig,
    orders: mpsc::UnboundedReceiver<Order>,
    gateway: SocketAddr,
    delay: Duration,
    failed_starts: u32,
    troubles: Troubles,
}

/// What is to be done after a generation has ended.
enum Next {
    /// Start again now.
    Now,
    /// Start again now, as if nothing had ever gone wrong.
    Afresh,
    /// Start again after the delay.
    Later,
    /// Wait until somebody asks, for this reason.
    GiveUp(String),
    /// Never again.
    Stop,
}

impl Supervisor {
    async fn run(mut self) {
        loop {
            let next = match self.generation().await {
                Next::Later if self.failed_starts >= MAX_FAILED_STARTS => {
                    let last = self.agent.view().last_exit.unwrap_or_default();
                    Next::GiveUp(format!("{MAX_FAILED_STARTS} starts in a row failed; the last one: {last}"))
                }
                other => other,
            };
            match next {
                Next::Now => {}
                Next::Afresh => self.forget(),
                Next::Later => {
                    if !self.back_off().await {
                        break;
                    }
                }
                Next::GiveUp(reason) => {
                    if !self.wait_for_restart(reason).await {
                        break;
                    }
                }
                Next::Stop => break,
            }
        }
        self.agent.shared.set(State::Stopped, None);
        self.agent.reach.send_replace(Reach::Gone("the gateway is stopping".to_owned()));
    }

    /// From a start to the end of that process.
    async fn generation(&mut self) -> Next {
        let agent = Arc::clone(&self.agent);
        let Some((secret, key)) = fresh_key(agent.id()) else {
            return Next::GiveUp("the system gives no random numbers for the agent's key".to_owned());
        };
        let key = Arc::new(key);
        let number = agent.shared.begin(Arc::clone(&key));
        agent.shared.set(State::Starting, None);
        agent.reach.send_replace(Reach::Down("it is starting".to_owned()));
        let started = Instant::now();
        let witness = Witness::new(&agent, number);
        let runtime = &self.runtime;
        let mut process = match Process::spawn(runtime, agent.spec.target, agent.id(), number, &agent.output) {
            Ok(process) => process,
            Err(error) => return Next::GiveUp(self.cannot_start(&error)),
        };
        agent.shared.set_pid(process.pid());
        tracing::info!(agent = agent.id(), generation = number, pid = process.pid(), "agent started");
        let handover = Handover {
            protocol: PROTOCOL,
            agent: agent.id().to_owned(),
            generation: number,
            gateway: self.gateway.to_string(),
            key: agent.id().to_owned(),
            secret,
            crash_file: witness.file(runtime),
            journal: None,
        };
        let (ended, watch_end) = watch::channel(None);
        let (exit, next) = self.watch(&mut process, handover, key, witness, watch_end).await;
        process.sweep();
        if matches!(next, Next::Stop) {
            tracing::info!(agent = agent.id(), generation = number, "agent ended");
        } else {
            tracing::warn!(agent = agent.id(), generation = number, %exit, "agent ended");
        }
        agent.shared.end(&exit);
        agent.reach.send_replace(Reach::Down(format!("generation {number} ended ({exit}); it is being started again")));
        ended.send_replace(Some(exit));
        if agent.shared.answered() || started.elapsed() >= HEALTHY {
            self.delay = FIRST_DELAY;
        }
        match agent.shared.gave_up() {
            Some(reason) if matches!(next, Next::Later) => Next::GiveUp(reason),
            _ => next,
        }
    }

    fn cannot_start(&self, error: &std::io::Error) -> String {
        let program = &self.runtime.command[0];
        let target = self.agent.spec.target;
        let reason = format!("`{program}` of [runtime.{target}] cannot be started: {error}");
        self.agent.shared.end(&Exit::told(&reason));
        reason
    }

    /// Watches a process to its end, and gives how it ended and what is to follow.
    async fn watch(
        &mut self,
        process: &mut Process,
        handover: Handover,
        key: Arc<Key>,
        witness: Witness,
        ended: watch::Receiver<Option<Exit>>,
    ) -> (Exit, Next) {
        let agent = Arc::clone(&self.agent);
        let number = handover.generation;
        // A process that does not read it is ending: that is noticed below.
        let _ = process.hand_over(&handover).await;
        drop(handover);
        let mut life = Life::new(&agent, number, key, &self.troubles);
        let (exit, next) = tokio::select! {
            exit = process.wait() => (exit, Next::Later),
            reason = life.live(ended) => (ended_because(process, reason).await, Next::Later),
            order = order_for(&mut self.orders, number) => match order {
                Some((reason, next)) => (ended_because(process, reason).await, next),
                None => (stop(&agent, process).await, Next::Stop),
            },
        };
        let Life { ready, loading, .. } = life;
        self.failed_starts = if ready { 0 } else { self.failed_starts + 1 };
        // A library that is being loaded may end the process with any code.
        let by_library = loading.is_some();
        let exit = witness.report(&agent, process.pid(), exit, ready || by_library).await;
        if let Some(library) = loading {
            // Waiting for half a minute is enough; a crash may have been an accident.
            let stuck = exit.reason.is_some() && matches!(next, Next::Later);
            self.troubles.add(library, &exit, stuck);
        }
        if ready || exit.reason.is_some() {
            return (exit, next);
        }
        let exit = with_last_words(exit, &agent, number).await;
        let refused = !by_library && exit.code == Some(i32::from(EXIT_REFUSED));
        let next = if refused { Next::GiveUp(exit.how.clone()) } else { next };
        (exit, next)
    }

    /// Waits before the next start; `false` if there is to be none.
    async fn back_off(&mut self) -> bool {
        let delay = self.delay.mul_f64(0.5 + jitter() / 2.0);
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
        let reason = self.agent.view().last_exit;
        self.agent.shared.set(State::Backoff, reason);
        let wake = Instant::now() + delay;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(wake) => return true,
                order = self.orders.recv() => match order {
                    Some(Order::Kill { .. }) => {}
                    Some(Order::Restart { .. }) => return true,
                    Some(Order::Stop) | None => return false,
                },
            }
        }
    }

    /// Gives up until somebody asks for a restart; `false` if there is to be none.
    async fn wait_for_restart(&mut self, reason: String) -> bool {
        tracing::error!(agent = self.agent.id(), %reason, "gave up starting this agent");
        let advice = format!("{reason}; when that is mended, POST /v1/agents/{}/restart", self.agent.id());
        self.agent.shared.set(State::GaveUp, Some(reason));
        self.agent.reach.send_replace(Reach::Gone(advice));
        loop {
            match self.orders.recv().await {
                Some(Order::Kill { .. }) => {}
                Some(Order::Restart { .. }) => break,
                Some(Order::Stop) | None => return false,
            }
        }
        self.forget();
        true
    }

    fn forget(&mut self) {
        self.failed_starts = 0;
        self.troubles.clear();
        self.delay = FIRST_DELAY;
    }
}

/// Waits for a reason to end that generation; `None` to stop. What was meant for an earlier one is past.
async fn order_for(orders: &mut mpsc::UnboundedReceiver<Order>, number: u64) -> Option<(String, Next)> {
    loop {
        match orders.recv().await {
            Some(Order::Kill { generation, .. }) if generation != number => {}
            Some(Order::Kill { reason, .. }) => return Some((reason, Next::Now)),
            Some(Order::Restart { reason }) => return Some((reason, Next::Afresh)),
            Some(Order::Stop) | None => return None,
        }
    }
}

/// Ends the process because the bridge wants it so.
async fn ended_because(process: &mut Process, reason: String) -> Exit {
    let exit = process.kill().await;
    Exit { reason: Some(reason), ..exit }
}

/// An agent that never got ready has often said why.
async fn with_last_words(exit: Exit, agent: &Agent, number: u64) -> Exit {
    tokio::time::sleep(PRINTED).await;
    match agent.output.last_words(number) {
        Some(words) => Exit { how: format!("{}; its last words: {words}", exit.how), ..exit },
        None => exit,
    }
}

/// Asks the agent to end, and makes it end if it does not.
async fn stop(agent: &Agent, process: &mut Process) -> Exit {
    let reach = agent.reach.borrow().clone();
    let polite = async {
        if let Reach::Up(link) = reach {
            let _ = link.client.shut_down().await;
            return process.wait().await;
        }
        process.kill().await
    };
    let exit = match tokio::time::timeout(POLITE, polite).await {
        Ok(exit) => exit,
        Err(_) => process.kill().await,
    };
    Exit { reason: Some("the gateway is stopping".to_owned()), ..exit }
}

/// A key for one start: its secret in base64, and what signs with it. Neither leaves a copy of the secret behind.
fn fresh_key(id: &str) -> Option<(Zeroizing<String>, Key)> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).ok()?;
    let key = Key::new(id, &*secret)?;
    Some((Zeroizing::new(STANDARD.encode(*secret)), key))
}

/// A random number from 0 to 1.
fn jitter() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}
