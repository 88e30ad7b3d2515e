//! The task of one apartment: waits for calls and for an agent that can take them, and lets them meet.

use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::FaultCode;
use tokio::sync::watch;
use tokio::time::Instant;

use super::exchange::{self, Exchange};
use super::outcome::Failure;
use super::queue::Queue;
use crate::agents::client::Connection;
use crate::agents::{Agent, Link, Reach};

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
        for call in self.queue.take_all() {
            self.queue.end(call, Err(failure.clone()));
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
                for call in self.queue.take_expired(Instant::now(), down) {
                    self.queue.end(call, Err(no_agent(reason, true)));
                }
            }
        }
    }

    /// Sends what waits as one request and sees it through.
    async fn serve(&mut self, link: &Link) {
        let kept = self.connection.take().filter(|(generation, _)| *generation == link.generation);
        let kept = kept.map(|(_, connection)| connection).filter(|connection| !connection.is_closed());
        let fresh = kept.is_none();
        let mut connection = match kept {
            Some(connection) => connection,
            None => match link.client.connect().await {
                Ok(connection) => connection,
                Err(error) => return self.lost(link, &error.to_string()).await,
            },
        };
        let work = self.queue.take_work();
        match exchange::run(&self.library, &self.queue, &mut connection, work, link, &self.agent).await {
            Exchange::Complete => self.connection = Some((link.generation, connection)),
            Exchange::NotSent(work, why) => {
                self.queue.put_back(work);
                // An idle connection may end at any time; a new one that carries nothing is another matter.
                if fresh {
                    self.lost(link, &why).await;
                }
            }
            Exchange::Over => {}
        }
    }

    /// The agent could not be reached although it counts as ready: it has ended, or it will be.
    async fn lost(&mut self, link: &Link, why: &str) {
        tracing::debug!(library = self.library, generation = link.generation, why, "agent not reached");
        if exchange::end_of(link, LAG).await.is_none() {
            self.agent.kill(link.generation, format!("it does not take connections: {why}"));
            let _ = exchange::end_of(link, LAG).await;
        }
    }
}

fn no_agent(reason: &str, retry: bool) -> Failure {
    Failure::NoAgent { reason: reason.to_owned(), retry }
}

/// Whether a fault is about the whole list, because the agent does not have the library.
pub(super) fn is_about_loading(code: FaultCode) -> bool {
    matches!(code, FaultCode::LoadFailed | FaultCode::NotLoaded)
}
