//! Which agent gets a call, and what becomes of it: a queue for each library, pools of agents, deadlines, coalescing.
//!
//! Every call that [`Queue::call`] takes has exactly one outcome, also if nobody waits for it any more.

mod arguments;
mod assembly;
mod exchange;
mod fair;
mod keeper;
mod lane;
mod outcome;
mod pool;
mod progress;
mod queue;
mod route;
mod running;
mod unit;

use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::{Batch, Callee};
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use crate::agents::Exit;
use crate::interfaces::Declared;

pub use arguments::{Arguments, ArgumentsError};
pub use outcome::{Answer, CallResult, Execution, Failure, Moment};
pub use pool::{LibraryState, Pool, PoolSpec};
pub use queue::{CallState, Counts, Queue};
pub use running::Sent;
pub use unit::Lane;

use queue::MAX_LIST;
use unit::{Kind, Queued};

/// A batch has no more calls than these: they are one request to the agent.
pub const MAX_BATCH: usize = MAX_LIST;

/// A call that is to be made.
#[derive(Debug)]
pub struct Order {
    /// What is called.
    pub callee: Callee,
    /// With what.
    pub args: Arguments,
    /// How long it may run, and how long it waits for an agent.
    pub deadline: Duration,
    /// How long its client waits in all: for its turn, for an agent, and for the library.
    pub wait: Option<Duration>,
    /// The interface whose numbers `callee` uses: the call runs with that one, whatever replaces it meanwhile.
    pub declared: Option<Arc<Declared>>,
    /// Calling it twice does no harm.
    pub idempotent: bool,
}

/// For whom calls are made.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// The id of the key: clients take turns.
    pub client: Option<Arc<str>>,
    /// The session, and the lane that it is bound to.
    pub session: Option<(Uuid, Lane)>,
}

/// A call whose outcome is waited for.
#[derive(Debug)]
pub struct Pending {
    /// Its id.
    pub id: Uuid,
    outcome: oneshot::Receiver<CallResult>,
}

impl Pending {
    /// Of a call that is not made.
    pub fn failed(id: Uuid, failure: Failure) -> Self {
        let (reply, outcome) = oneshot::channel();
        // The receiver is right here.
        let _ = reply.send(Err(failure));
        Self { id, outcome }
    }

    /// Waits for the outcome. Whoever drops this does not stop a call that has begun; one that waits is not run.
    pub async fn end(self) -> (Uuid, CallResult) {
        (self.id, self.outcome.await.unwrap_or_else(|_| Err(stopping())))
    }
}

impl Queue {
    /// Takes a call. A failure is its outcome, too.
    pub fn call(&self, order: Order, sender: &Sender) -> Pending {
        let (queued, pending) = queued(order, sender);
        let (id, lane) = (pending.id, sender.session.map(|(_, lane)| lane));
        match self.push(Kind::Single(queued), lane) {
            Ok(()) => pending,
            Err(failure) => Pending::failed(id, failure),
        }
    }

    /// Takes calls that run as one: in their order, with nothing between them.
    ///
    /// # Errors
    /// None of them was taken.
    pub fn batch(&self, orders: Vec<Order>, batch: Batch, sender: &Sender) -> Result<Vec<Pending>, Failure> {
        let (calls, pending): (Vec<_>, Vec<_>) = orders.into_iter().map(|order| queued(order, sender)).unzip();
        self.push(Kind::Batch(calls, batch), sender.session.map(|(_, lane)| lane))?;
        Ok(pending)
    }
}

/// Gives every process of a pool that answers another interface. Returns when they have it, or when `patience` is over;
/// one that comes later begins with the interface that is current then.
///
/// # Errors
/// One of them does not take it.
pub async fn replace(pool: &Pool, library: &str, declared: &Declared, patience: Duration) -> Result<(), Failure> {
    let links = pool.links();
    let changes = links.iter().map(|link| lane::change_over_to(library, link, declared));
    let all = futures_util::future::join_all(changes);
    tokio::time::timeout(patience, all).await.map_or(Ok(()), |results| results.into_iter().collect())
}

/// The queue is gone; what it held may have been sent already.
fn stopping() -> Failure {
    let moment = Moment::Running;
    Failure::Ended { exit: Exit::made("the gateway is stopping"), moment }
}

fn queued(order: Order, sender: &Sender) -> (Queued, Pending) {
    let Order { callee, args, deadline, wait, declared, idempotent } = order;
    let (id, since) = (Uuid::now_v7(), Instant::now());
    let (reply, outcome) = oneshot::channel();
    let (client, session) = (sender.client.clone(), sender.session.map(|(id, _)| id));
    let until = wait.map(|wait| since + wait);
    let queued = Queued {
        id,
        callee,
        args,
        deadline,
        until,
        declared,
        client,
        session,
        idempotent,
        attempts: 0,
        began: false,
        since,
        reply,
    };
    (queued, Pending { id, outcome })
}

#[cfg(test)]
mod tests;
