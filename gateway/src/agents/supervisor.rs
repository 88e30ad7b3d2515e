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
use super::notes::Notes;
use super::orders::{Due, Idle, Orders};
use super::output::{Marking, Source};
use super::process::{Exit, Process};
use super::state::State;
use super::{After, Agent, Link, Order, Reach, Role};
use crate::config::RuntimeConfig;

/// How long an agent gets to unload its libraries.
const POLITE: Duration = Duration::from_secs(2);
/// The pause before a start, after one that has done nothing; it doubles each time.
const FIRST_DELAY: Duration = Duration::from_millis(20);
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// The longest pause after a process that a call has ended: whoever calls next has no part in that.
const AFTER_A_CALL: Duration = Duration::from_millis(100);
/// Whoever ran so long without a call that came back is not in a crash loop.
const HEALTHY: Duration = Duration::from_secs(10);
/// So many starts in a row are enough that never got as far as answering, or ended by themselves with no call to blame.
const MAX_FAILED_STARTS: u32 = 8;

/// Supervises until it is told to stop.
pub(super) async fn run(
    agent: Arc<Agent>,
    runtime: RuntimeConfig,
    orders: mpsc::UnboundedReceiver<Order>,
    gateway: SocketAddr,
) {
    let (orders, troubles) = (Orders::new(orders), Troubles::default());
    Supervisor {
        agent,
        runtime,
        orders,
        gateway,
        delay: Duration::ZERO,
        longest: LONGEST_DELAY,
        failed_starts: 0,
        troubles,
    }
    .run()
    .await;
}

struct Supervisor {
    agent: Arc<Agent>,
    runtime: RuntimeConfig,
    orders: Orders,
    gateway: SocketAddr,
    /// The pause before the next start.
    delay: Duration,
    /// The longest that it may be.
    longest: Duration,
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
    Rest(State, String),
    /// Never again.
    Stop,
}

impl Supervisor {
    async fn run(mut self) {
        loop {
            let next = match self.generation().await {
                Next::Later if self.failed_starts >= MAX_FAILED_STARTS => {
                    let last = self.agent.shared.last_exit().unwrap_or_default();
                    let reason = format!("{MAX_FAILED_STARTS} starts in a row failed; the last one: {last}");
                    Next::Rest(State::GaveUp, reason)
                }
                other => other,
            };
            let goes_on = match next {
                Next::Now => true,
                Next::Afresh => {
                    self.forget();
                    true
                }
                Next::Later => self.back_off().await,
                Next::Rest(state, reason) => self.wait_for_restart(state, reason).await,
                Next::Stop => false,
            };
            if !goes_on {
                break;
            }
        }
        self.agent.set_state(State::Stopped, None);
    }

    /// From a start to the end of that process.
    async fn generation(&mut self) -> Next {
        let agent = Arc::clone(&self.agent);
        let Some((secret, key)) = fresh_key(agent.id()) else {
            return gave_up("the system gives no random numbers for the agent's key".to_owned());
        };
        let (number, key) = (agent.next_generation(), Arc::new(key));
        agent.shared.begin(number, Arc::clone(&key));
        agent.set_role(Role::Standby);
        agent.set_state(State::Starting, None);
        agent.set_reach(Reach::Down("it is starting".to_owned()));
        let started = Instant::now();
        let witness = Witness::new(&agent, number);
        let runtime = &self.runtime;
        let marking = agent.spec.marks_output().then(Marking::new).flatten();
        agent.shared.set_outputs(marking.as_ref().map(Marking::outputs));
        let source = Source::new(agent.id(), number, &agent.output, marking.as_ref());
        let mut process = match Process::spawn(runtime, agent.spec.target, &source) {
            Ok(process) => process,
            Err(error) => {
                let reason = self.cannot_start(&error);
                if is_lasting(&error) {
                    return gave_up(reason);
                }
                // The system lacks something now.
                self.failed_starts += 1;
                agent.set_reach(Reach::Down(reason));
                return Next::Later;
            }
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
            journal: witness.journal(runtime),
            output_marks: marking.map(Marking::into_secret),
        };
        let (ended, watch_end) = watch::channel(None);
        let (exit, next) = self.watch(&mut process, handover, key, witness, watch_end).await;
        if matches!(next, Next::Stop) {
            tracing::info!(agent = agent.id(), generation = number, "agent ended");
        } else {
            tracing::warn!(agent = agent.id(), generation = number, %exit, "agent ended");
        }
        agent.shared.end(&exit);
        agent.note_end(number, &exit);
        agent.set_reach(Reach::Down(format!("generation {number} ended ({exit}); it is being started again")));
        ended.send_replace(Some(exit));
        if agent.shared.answered() || started.elapsed() >= HEALTHY {
            // One accident is no reason to keep anybody waiting.
            self.delay = Duration::ZERO;
        }
        match agent.shared.gave_up() {
            Some(reason) if matches!(next, Next::Later) => gave_up(reason),
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
        let due = tokio::select! {
            exit = process.wait() => Err(exit),
            reason = life.live(ended) => Ok(Due::Kill(reason)),
            due = self.orders.due(&agent, number) => Ok(due),
        };
        let Life { link, loading, .. } = life;
        let ready = link.is_some();
        // One that never answered its probe was of no use, as if it had not got ready.
        let useful = ready && !agent.shared.figures().is_on_trial();
        // What ended was of use to somebody, or to nobody.
        let at_work = agent.usage.is_busy();
        // Calls that come from now on go elsewhere, before all is known about the end.
        let (exit, next) = match due {
            Err(exit) => {
                agent.set_reach(Reach::Down(format!("generation {number} ended; it is being started again")));
                (exit, self.unless_drained(Next::Later))
            }
            Ok(due) => self.finish(process, due, (link, useful)).await,
        };
        let by_itself = exit.reason.is_none() && matches!(next, Next::Later);
        let failed = !useful || (by_itself && !at_work && !agent.shared.answered());
        self.failed_starts = if failed { self.failed_starts + 1 } else { 0 };
        self.longest = if failed { LONGEST_DELAY } else { AFTER_A_CALL };
        // Whoever started the agent may end before it does.
        let is_gone = process.sweep().await;
        // A library that is being loaded may end the process with any code.
        let by_library = loading.is_some();
        let exit = witness.report(&agent, process.pid(), exit, ready || by_library).await;
        let exit = if is_gone { exit } else { Exit { notes: Notes::default(), ..exit } };
        if let Some(library) = loading {
            // Waiting for so long is enough; a crash may have been an accident.
            let stuck = exit.reason.is_some() && matches!(next, Next::Later);
            self.troubles.add(library, &exit, stuck);
        }
        if ready || exit.reason.is_some() {
            return (exit, next);
        }
        let exit = with_last_words(exit, &agent, number).await;
        let refused = !by_library && exit.code == Some(i32::from(EXIT_REFUSED));
        let next = if refused { gave_up(exit.how.clone()) } else { next };
        (exit, next)
    }

    /// Ends the process as is due, and gives how it ended and what is to follow.
    async fn finish(
        &mut self,
        process: &mut Process,
        due: Due,
        (link, useful): (Option<Arc<Link>>, bool),
    ) -> (Exit, Next) {
        match due {
            Due::Kill(reason) => {
                // One that was never of use may need a pause.
                let next = if useful { Next::Now } else { Next::Later };
                (ended_because(process, reason).await, self.unless_drained(next))
            }
            Due::Afresh(reason) => (ended_because(process, reason).await, Next::Afresh),
            Due::Drained(reason, after) => {
                let next = follows(&reason, after).unwrap_or(Next::Now);
                (stop(link, process, reason).await, next)
            }
            Due::Stop => (stop(link, process, "the gateway is stopping".to_owned()).await, Next::Stop),
        }
    }

    /// One that was to end does not come back because it has ended in another way.
    fn unless_drained(&mut self, next: Next) -> Next {
        self.orders.drained().and_then(|(reason, after)| follows(&reason, after)).unwrap_or(next)
    }

    /// Waits before the next start; `false` if there is to be none.
    async fn back_off(&mut self) -> bool {
        let delay = self.delay.mul_f64(0.5 + jitter() / 2.0);
        self.delay = (self.delay * 2).clamp(FIRST_DELAY, LONGEST_DELAY);
        let delay = delay.min(self.longest);
        if delay.is_zero() {
            return true;
        }
        let reason = self.agent.shared.last_exit();
        self.agent.set_state(State::Backoff, reason);
        match tokio::time::timeout(delay, self.orders.idle()).await {
            Err(_) | Ok(Idle::Restart) => true,
            Ok(Idle::Rest(reason)) => self.wait_for_restart(State::Stopped, reason).await,
            Ok(Idle::Stop) => false,
        }
    }

    /// Starts nothing until somebody asks for it; `false` if nobody will.
    async fn wait_for_restart(&mut self, state: State, reason: String) -> bool {
        if state == State::GaveUp {
            tracing::error!(agent = self.agent.id(), %reason, "gave up starting this agent");
        }
        let advice = match state {
            State::GaveUp => format!("{reason}; when that is mended, POST /v1/agents/{}/restart", self.agent.id()),
            _ => format!("{reason}; POST /v1/agents/{}/restart starts it again", self.agent.id()),
        };
        self.agent.set_state(state, Some(reason));
        self.agent.set_reach(Reach::Gone(advice));
        loop {
            match self.orders.idle().await {
                Idle::Restart => break,
                Idle::Rest(_) => {}
                Idle::Stop => return false,
            }
        }
        self.forget();
        true
    }

    fn forget(&mut self) {
        self.failed_starts = 0;
        self.troubles.clear();
        self.delay = Duration::ZERO;
    }
}

/// What follows a drain; `None` if it is a start.
fn follows(reason: &str, after: After) -> Option<Next> {
    match after {
        After::Again => None,
        After::Rest => Some(Next::Rest(State::Stopped, reason.to_owned())),
        After::Over => Some(Next::Stop),
    }
}

/// Whether a program that cannot be started for that reason cannot be started later either.
fn is_lasting(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    /// The file is no program of this system (`ENOEXEC`).
    const NO_PROGRAM: i32 = 8;
    let lasting = [NotFound, PermissionDenied, NotADirectory, IsADirectory, InvalidInput];
    lasting.contains(&error.kind()) || (cfg!(unix) && error.raw_os_error() == Some(NO_PROGRAM))
}

fn gave_up(reason: String) -> Next {
    Next::Rest(State::GaveUp, reason)
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
async fn stop(link: Option<Arc<Link>>, process: &mut Process, reason: String) -> Exit {
    let polite = async {
        if let Some(link) = link {
            let _ = link.client.shut_down().await;
            return process.wait().await;
        }
        process.kill().await
    };
    let exit = match tokio::time::timeout(POLITE, polite).await {
        Ok(exit) => exit,
        Err(_) => process.kill().await,
    };
    Exit { reason: Some(reason), ..exit }
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
