//! The task of one apartment: waits for calls and for an agent that can take them, and lets them meet.

use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::{Fault, FaultCode, Rebind};
use tokio::sync::watch;
use tokio::time::Instant;

use super::exchange::{self, Exchange};
use super::outcome::Failure;
use super::queue::{Next, Queue, Work};
use crate::agents::client::Connection;
use crate::agents::{Agent, Link, Reach};
use crate::interfaces::Declared;

/// How long an agent may take to look up the functions of another interface.
const CHANGE_OVER: Duration = Duration::from_secs(30);

/// How long the end of a process may lag behind the end of its connections.
const LAG: Duration = Duration::from_secs(2);

/// Serves the queue for as long as the gateway runs.
pub(super) async fn run(library: String, agent: Arc<Agent>, queue: Arc<Queue>) {
    let reach = agent.reach();
    let mut apartment = Apartment { library, agent, queue, reach, connection: None, down: None };
    loop {
        let link = apartment.work().await;
        apartment.serve(&link).await;
    }
}

/// Why the agent does not have the interface that calls mean.
enum Unchanged {
    /// It says so.
    Refused(Failure),
    /// It cannot be asked. In words.
    Lost(String),
}

struct Apartment {
    library: String,
    agent: Arc<Agent>,
    queue: Arc<Queue>,
    reach: watch::Receiver<Reach>,
    connection: Option<(u64, Connection)>,
    /// Since when calls have found no agent.
    down: Option<Instant>,
}

impl Apartment {
    /// Waits until there are calls and an agent that has the library loaded.
    async fn work(&mut self) -> Arc<Link> {
        loop {
            if self.queue.is_empty() {
                self.queue.arrival().await;
                continue;
            }
            let reach = self.reach.borrow_and_update().clone();
            if !matches!(reach, Reach::Down(_)) {
                self.down = None;
            }
            match reach {
                Reach::Up(link) => match link.libraries.get(&self.library) {
                    Some(Ok(_)) => return link,
                    Some(Err(fault)) => self.refuse_all(&Failure::NotLoaded(fault.clone())),
                    None => self.refuse_all(&no_agent("the agent does not have this library", false)),
                },
                Reach::Gone(reason) => self.refuse_all(&no_agent(&reason, false)),
                Reach::Down(reason) => self.wait_for_agent(&reason).await,
            }
        }
    }

    fn refuse_all(&self, failure: &Failure) {
        for unit in self.queue.take_all() {
            self.queue.refuse(unit, failure);
        }
    }

    /// Waits for a change; meanwhile calls reach their deadlines.
    async fn wait_for_agent(&mut self, reason: &str) {
        let down = *self.down.get_or_insert_with(Instant::now);
        let expiry = self.queue.next_expiry(down).unwrap_or(down);
        tokio::select! {
            // The sender lives as long as the agent, which this task holds.
            _ = self.reach.changed() => {}
            () = self.queue.arrival() => {}
            () = tokio::time::sleep_until(expiry) => {
                for unit in self.queue.take_expired(Instant::now(), down) {
                    self.queue.refuse(unit, &no_agent(reason, true));
                }
            }
        }
    }

    /// Does what is next, and sees it through.
    async fn serve(&mut self, link: &Link) {
        match self.queue.take() {
            Some(Next::Interface(replacement)) => match self.change_over(link, &replacement.declared).await {
                Ok(()) => replacement.end(Ok(())),
                Err(Unchanged::Refused(failure)) => replacement.end(Err(failure)),
                Err(Unchanged::Lost(reason)) => {
                    self.queue.put_back(Next::Interface(replacement));
                    self.lost(link, reason).await;
                }
            },
            Some(Next::Work(work)) => {
                let declared = work.declared.clone();
                let ready = match &declared {
                    Some(declared) => self.change_over(link, declared).await,
                    None => Ok(()),
                };
                match ready {
                    Ok(()) => self.send(link, work).await,
                    Err(Unchanged::Refused(failure)) => {
                        work.calls.into_iter().for_each(|call| self.queue.end(call, Err(failure.clone())));
                    }
                    Err(Unchanged::Lost(reason)) => {
                        self.queue.put_back(Next::Work(work));
                        self.lost(link, reason).await;
                    }
                }
            }
            None => {}
        }
    }

    /// Makes sure that the agent has that interface of the library. Nothing of the library's runs now: what was sent
    /// before has ended.
    async fn change_over(&self, link: &Link, declared: &Declared) -> Result<(), Unchanged> {
        let Some(Ok(bindings)) = link.libraries.get(&self.library) else { return Ok(()) };
        if bindings.is(declared.revision) {
            return Ok(());
        }
        let rebind = Rebind { revision: declared.revision, interface: declared.interface().clone() };
        let answer = exchange::while_alive(link, link.client.rebind(&self.library, &rebind));
        let lost = |why: &dyn std::fmt::Display| Unchanged::Lost(format!("it does not take another interface: {why}"));
        let answer = tokio::time::timeout(CHANGE_OVER, answer).await.map_err(|late| lost(&late))?;
        let loaded = answer.map_err(|error| lost(&error))?.map_err(|fault| Unchanged::Refused(refusal(fault)))?;
        bindings.set(declared.revision, loaded);
        tracing::info!(library = self.library, revision = declared.revision, "the agent has another interface");
        Ok(())
    }

    /// Sends calls as one request.
    async fn send(&mut self, link: &Link, work: Work) {
        let kept = self.connection.take().filter(|(generation, _)| *generation == link.generation);
        let kept = kept.map(|(_, connection)| connection).filter(|connection| !connection.is_closed());
        let fresh = kept.is_none();
        let mut connection = match kept {
            Some(connection) => connection,
            None => match link.client.connect().await {
                Ok(connection) => connection,
                Err(error) => {
                    self.queue.put_back(Next::Work(work));
                    return self.lost(link, unreachable(&error)).await;
                }
            },
        };
        match exchange::run(&self.library, &self.queue, &mut connection, work, link, &self.agent).await {
            Exchange::Complete => self.connection = Some((link.generation, connection)),
            Exchange::NotSent(work, why) => {
                self.queue.put_back(Next::Work(work));
                // An idle connection may end at any time; a new one that carries nothing is another matter.
                if fresh {
                    self.lost(link, unreachable(&why)).await;
                }
            }
            Exchange::Over => {}
        }
    }

    /// The agent could not be reached although it counts as ready: it has ended, or it will be.
    async fn lost(&mut self, link: &Link, reason: String) {
        tracing::debug!(library = self.library, generation = link.generation, reason, "agent not reached");
        if exchange::end_of(link, LAG).await.is_none() {
            self.agent.kill(link.generation, reason);
            let _ = exchange::end_of(link, LAG).await;
        }
    }
}

fn no_agent(reason: &str, retry: bool) -> Failure {
    Failure::NoAgent { reason: reason.to_owned(), retry }
}

fn unreachable(why: &dyn std::fmt::Display) -> String {
    format!("it does not take connections: {why}")
}

/// What a fault of the agent's means that is about all that it was sent.
pub(super) fn refusal(fault: Fault) -> Failure {
    match fault.code {
        FaultCode::LoadFailed | FaultCode::NotLoaded => Failure::NotLoaded(fault),
        _ => Failure::Fault(fault),
    }
}
