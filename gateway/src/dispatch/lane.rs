//! The task of one lane: waits for work that it may take and for a process to run it, and lets them meet.

use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::Rebind;
use tokio::sync::{Notify, watch};

use super::exchange::{self, End, LAG, Place};
use super::outcome::Failure;
use super::queue::Queue;
use super::unit::{Lane, Work};
use crate::agents::client::Connection;
use crate::agents::{Agent, Link, Reach, Role};
use crate::interfaces::Declared;

/// How long an agent may take to look up the functions of another interface.
const CHANGE_OVER: Duration = Duration::from_secs(30);

/// Serves the queue with that thread of the agent, for as long as there is the agent.
pub(super) async fn run(queue: Arc<Queue>, agent: Arc<Agent>, number: u32) {
    let (reach, role) = (agent.reach(), agent.role());
    let mut worker = Worker { queue, agent, reach, role, connections: Connections::default() };
    while let Some(link) = worker.link().await {
        let lane = Lane { generation: link.generation, number };
        let active = worker.is_active();
        let wake = worker.queue.join(lane, active);
        worker.serve(&link, lane, &wake).await;
        worker.connections = Connections::default();
        worker.queue.leave(lane);
    }
}

/// Why the agent does not have the interface that calls mean.
enum Unchanged {
    /// It says so.
    Refused(Failure),
    /// It cannot be asked. In words.
    Lost(String),
}

struct Worker {
    queue: Arc<Queue>,
    agent: Arc<Agent>,
    reach: watch::Receiver<Reach>,
    role: watch::Receiver<Role>,
    connections: Connections,
}

/// The connections of a lane, as they are needed.
#[derive(Default)]
struct Connections {
    /// To the agent's own thread, which sends the outcomes of a list while the next of its calls run.
    lists: Option<Connection>,
    /// To the thread that runs the calls, for one that is alone: no other has to be woken.
    alone: Option<Connection>,
}

impl Connections {
    const fn of(&mut self, is_alone: bool) -> &mut Option<Connection> {
        if is_alone { &mut self.alone } else { &mut self.lists }
    }
}

impl Worker {
    /// The next process that has the library loaded; `None` when there will be none.
    async fn link(&mut self) -> Option<Arc<Link>> {
        loop {
            let reach = self.reach.borrow_and_update().clone();
            match reach {
                Reach::Over => return None,
                Reach::Up(link) if matches!(link.libraries.get(self.queue.library()), Some(Ok(_))) => {
                    return Some(link);
                }
                Reach::Up(_) | Reach::Down(_) | Reach::Gone(_) => {}
            }
            self.reach.changed().await.ok()?;
        }
    }

    fn is_active(&mut self) -> bool {
        *self.role.borrow_and_update() == Role::Active
    }

    /// Works until that process is not the agent's any more.
    async fn serve(&mut self, link: &Link, lane: Lane, wake: &Notify) {
        let mut before = None;
        let agent = Arc::clone(&self.agent);
        loop {
            // Announced before anything is read: whoever changes it waits for what was taken under it.
            let mut busy = agent.usage().begin();
            if !self.is_current(link) {
                return;
            }
            let active = self.is_active();
            if before.replace(active) != Some(active) {
                self.queue.set_active(lane, active);
            }
            if let Some(work) = self.queue.take(lane, active) {
                // A probe does not keep an agent that is not needed.
                busy.work(!work.is_probe());
                self.work(link, lane, work).await;
                continue;
            }
            drop(busy);
            tokio::select! {
                () = self.queue.arrival(), if active => {}
                () = wake.notified() => {}
                // Both senders live as long as the agent, which this task holds.
                _ = self.role.changed() => {}
                _ = self.reach.changed() => {}
            }
        }
    }

    fn is_current(&mut self, link: &Link) -> bool {
        matches!(&*self.reach.borrow_and_update(), Reach::Up(current) if current.generation == link.generation)
    }

    async fn work(&mut self, link: &Link, lane: Lane, work: Work) {
        let ready = match &work.declared {
            Some(declared) => change_over(self.queue.library(), link, declared).await,
            None => Ok(()),
        };
        match ready {
            Ok(()) => self.send(link, lane, work).await,
            Err(Unchanged::Refused(failure)) => {
                let _ = self.queue.running.finish(lane);
                work.calls.into_iter().for_each(|call| self.queue.end(call, Err(failure.clone())));
            }
            Err(Unchanged::Lost(reason)) => {
                self.queue.put_back(lane, work);
                self.lost(link, reason).await;
            }
        }
    }

    /// Sends calls as one request.
    async fn send(&mut self, link: &Link, lane: Lane, work: Work) {
        let is_alone = work.is_alone();
        let kept = self.connections.of(is_alone).take().filter(|connection| !connection.is_closed());
        let fresh = kept.is_none();
        let connected = match kept {
            Some(connection) => Ok(connection),
            None if is_alone => link.client.connect_to_lane(self.queue.library(), lane.number).await,
            None => link.client.connect().await,
        };
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => {
                self.queue.put_back(lane, work);
                return self.lost(link, unreachable(&error)).await;
            }
        };
        let place = Place { queue: &self.queue, lane, agent: &self.agent, link };
        match exchange::run(place, &mut connection, work).await {
            End::Complete => *self.connections.of(is_alone) = Some(connection),
            End::NotSent(work, why) => {
                self.queue.put_back(lane, work);
                // An idle connection may end at any time; a new one that carries nothing is another matter.
                if fresh {
                    self.lost(link, unreachable(&why)).await;
                }
            }
            End::Over => {}
        }
    }

    /// The agent could not be reached although it counts as ready: it has ended, or it will be.
    async fn lost(&self, link: &Link, reason: String) {
        tracing::debug!(library = self.queue.library(), generation = link.generation, reason, "agent not reached");
        if exchange::end_of(link, LAG).await.is_none() {
            self.agent.kill(link.generation, reason);
            let _ = exchange::end_of(link, LAG).await;
        }
    }
}

/// Makes sure that the agent has that interface of the library. It keeps those that it had before: what was sent for them
/// goes on.
pub(super) async fn change_over_to(library: &str, link: &Link, declared: &Declared) -> Result<(), Failure> {
    change_over(library, link, declared).await.map_err(|unchanged| match unchanged {
        Unchanged::Refused(failure) => failure,
        Unchanged::Lost(reason) => Failure::NoAgent { reason, retry: true },
    })
}

async fn change_over(library: &str, link: &Link, declared: &Declared) -> Result<(), Unchanged> {
    let Some(Ok(bindings)) = link.libraries.get(library) else { return Ok(()) };
    if bindings.has(declared.revision) {
        return Ok(());
    }
    let _one_at_a_time = link.changing.lock().await;
    if bindings.has(declared.revision) {
        return Ok(());
    }
    let rebind = Rebind { revision: declared.revision, interface: declared.interface().clone() };
    let answer = exchange::while_alive(link, link.client.rebind(library, &rebind));
    let lost = |why: &dyn std::fmt::Display| Unchanged::Lost(format!("it does not take another interface: {why}"));
    let answer = tokio::time::timeout(CHANGE_OVER, answer).await.map_err(|late| lost(&late))?;
    let loaded = answer.map_err(|error| lost(&error))?;
    let loaded = loaded.map_err(|fault| Unchanged::Refused(exchange::refusal(fault)))?;
    bindings.set(declared.revision, loaded);
    tracing::info!(library, revision = declared.revision, "the agent has another interface");
    Ok(())
}

fn unreachable(why: &dyn std::fmt::Display) -> String {
    format!("it does not take connections: {why}")
}
