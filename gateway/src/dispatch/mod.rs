//! Which agent gets a call, and what becomes of it: one queue for each apartment, deadlines, coalescing.
//!
//! Every call that [`Dispatcher::call`] takes has exactly one outcome, also if nobody waits for it any more.

mod apartment;
mod arguments;
mod assembly;
mod control;
mod exchange;
mod outcome;
mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::{Batch, Callee};
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use crate::agents::{Agent, Exit};
use crate::interfaces::Declared;

pub use arguments::{Arguments, ArgumentsError};
pub use control::{CallState, Cancelled, UnderWay};
pub use outcome::{Answer, CallResult, Execution, Failure, Moment};
pub use queue::Counts;

use queue::{MAX_LIST, Queue, Queued, Replacement};

/// A batch has no more calls than these: they are one request to the agent.
pub const MAX_BATCH: usize = MAX_LIST;

/// The queues of all libraries that have an agent.
#[derive(Debug, Default)]
pub struct Dispatcher {
    apartments: BTreeMap<String, Arc<Queue>>,
}

impl Dispatcher {
    /// Starts the task of an apartment.
    pub fn add(&mut self, library: &str, agent: Arc<Agent>) {
        let queue = Arc::new(Queue::default());
        self.apartments.insert(library.to_owned(), Arc::clone(&queue));
        tokio::spawn(apartment::run(library.to_owned(), agent, queue));
    }

    /// Calls, and gives the call's id and how it ended. A caller that stops waiting does not stop the call.
    pub async fn call(&self, library: &str, order: Order) -> (Uuid, CallResult) {
        let (queued, pending) = queued(order);
        let pushed = self.queue(library).and_then(|queue| queue.push(queued).map(|()| queue));
        match pushed {
            Ok(queue) => pending.end(queue).await,
            Err(failure) => (pending.id, Err(failure)),
        }
    }

    /// Runs calls as one: in their order, with nothing between them. Gives each one's id and how it ended.
    ///
    /// # Errors
    /// None of them was taken.
    pub async fn batch(
        &self,
        library: &str,
        orders: Vec<Order>,
        batch: Batch,
    ) -> Result<Vec<(Uuid, CallResult)>, Failure> {
        let (calls, pending): (Vec<_>, Vec<_>) = orders.into_iter().map(queued).unzip();
        let queue = self.queue(library)?;
        queue.push_batch(calls, batch)?;
        let mut results = Vec::with_capacity(pending.len());
        for pending in pending {
            results.push(pending.end(queue).await);
        }
        Ok(results)
    }

    /// Gives the library's agent another interface, after the calls that wait already. Returns when it has it, or when
    /// `patience` is over: then its turn comes later, or the next agent begins with the interface that is current then.
    ///
    /// # Errors
    /// There is no agent that could take it, or it does not.
    pub async fn replace(&self, library: &str, declared: Arc<Declared>, patience: Duration) -> Result<(), Failure> {
        let (done, outcome) = oneshot::channel();
        self.queue(library)?.push_interface(Replacement { declared, patience, since: Instant::now(), done });
        match tokio::time::timeout(patience, outcome).await {
            Ok(outcome) => outcome.unwrap_or_else(|_| Err(stopping())),
            Err(_) => Ok(()),
        }
    }

    fn queue(&self, library: &str) -> Result<&Queue, Failure> {
        self.apartments.get(library).map(|queue| &**queue).ok_or_else(|| {
            let reason = format!("no agent is configured for the library `{library}`");
            Failure::NoAgent { reason, retry: false }
        })
    }

    /// How far a call is; `None` for one that has ended, or that never was.
    pub fn find(&self, id: Uuid) -> Option<CallState> {
        self.apartments.values().find_map(|queue| queue.find(id))
    }

    /// Ends a call: one that waits is taken out, of one that runs the process is ended. Of a batch that waits, all is taken
    /// out.
    pub fn cancel(&self, id: Uuid) -> Cancelled {
        let mut tried = self.apartments.values().map(|queue| queue.cancel(id));
        tried.find(|cancelled| *cancelled != Cancelled::Unknown).unwrap_or(Cancelled::Unknown)
    }

    /// The calls that wait or run now, with the libraries' names, in no order.
    pub fn under_way(&self) -> Vec<(&str, UnderWay)> {
        let mut all = Vec::new();
        for (name, queue) in &self.apartments {
            all.extend(queue.under_way().into_iter().map(|call| (name.as_str(), call)));
        }
        all
    }

    /// How many calls a library has had and has waiting.
    pub fn counts(&self, library: &str) -> Counts {
        self.apartments.get(library).map(|queue| queue.counts()).unwrap_or_default()
    }
}

/// A call that is to be made.
#[derive(Debug)]
pub struct Order {
    /// The call's id: it can be asked about before it has ended.
    pub id: Uuid,
    /// What is called.
    pub callee: Callee,
    /// With what.
    pub args: Arguments,
    /// How long it may run, and how long it waits for an agent.
    pub deadline: Duration,
    /// The interface whose numbers `callee` uses: the call runs with that one, whatever replaces it meanwhile.
    pub declared: Option<Arc<Declared>>,
    /// How long its client waits, from now and with all the time in the queue: instead of `deadline`.
    pub wait: Option<Duration>,
    /// Whose key makes it.
    pub owner: Option<Arc<str>>,
}

/// A call whose outcome is waited for.
struct Pending {
    id: Uuid,
    wait: Option<Duration>,
    since: Instant,
    outcome: oneshot::Receiver<CallResult>,
}

impl Pending {
    async fn end(mut self, queue: &Queue) -> (Uuid, CallResult) {
        if let Some(wait) = self.wait {
            match tokio::time::timeout_at(self.since + wait, &mut self.outcome).await {
                Ok(outcome) => return (self.id, outcome.unwrap_or_else(|_| Err(stopping()))),
                Err(_) => queue.expire(self.id, wait),
            }
        }
        (self.id, self.outcome.await.unwrap_or_else(|_| Err(stopping())))
    }
}

/// The queue is gone; what it held may have been sent already.
fn stopping() -> Failure {
    Failure::Ended { exit: Exit::made("the gateway is stopping"), moment: Moment::Running }
}

fn queued(order: Order) -> (Queued, Pending) {
    let Order { id, callee, args, deadline, declared, wait, owner } = order;
    let (reply, outcome) = oneshot::channel();
    let since = Instant::now();
    let queued = Queued { id, callee, args, deadline, declared, since, wait, owner, reply };
    (queued, Pending { id, wait, since, outcome })
}

#[cfg(test)]
mod tests;
