//! Which agent gets a call, and what becomes of it: a queue for each library, pools of agents, deadlines, coalescing.
//!
//! Every call that [`Queue::call`] takes has exactly one outcome, also if nobody waits for it any more.

mod arguments;
mod assembly;
mod control;
mod exchange;
mod fair;
mod keeper;
mod lane;
mod lease;
mod outcome;
mod pool;
mod probe;
mod progress;
mod queue;
mod route;
mod running;
mod successor;
mod unit;
mod upkeep;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::{Batch, Callee};
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use crate::agents::Exit;
use crate::interfaces::Declared;

pub use arguments::{Arguments, ArgumentsError};
pub use control::{CallState, Cancelled, UnderWay};
pub use lease::{InUse, Lease};
pub use outcome::{Answer, CallResult, Execution, Failure, Moment, execution};
pub use pool::{LibraryState, Pool, PoolSpec};
pub use queue::{Counts, Queue};
pub use route::generations;
pub use running::Sent;
pub use successor::Successor;
pub use unit::{Lane, Pin};
pub use witness::{Ended, EndedBatch, Origin, Part, Parts, Prototype, Reply, SentTo, Witness};

use queue::MAX_LIST;
use unit::{Kind, Queued};

/// A batch has no more calls than these: they are one request to the agent.
pub const MAX_BATCH: usize = MAX_LIST;

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
    /// How long its client waits in all: for its turn, for an agent, and for the library. Then `deadline` does not count.
    pub wait: Option<Duration>,
    /// The interface whose numbers `callee` uses: the call runs with that one, whatever replaces it meanwhile.
    pub declared: Option<Arc<Declared>>,
    /// Calling it twice does no harm.
    pub idempotent: bool,
    /// The prototype that came with it, where it calls no declared function.
    pub prototype: Option<Arc<Prototype>>,
    /// The batch that it is a part of.
    pub part: Option<Part>,
}

/// For whom calls are made.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// Who makes them.
    pub origin: Arc<Origin>,
    /// The session that they belong to.
    pub session: Option<Pin>,
    /// Who is told how they end.
    pub witness: Option<Arc<dyn Witness>>,
}

impl Sender {
    fn lane(&self) -> Option<Lane> {
        self.session.as_ref().map(|pin| pin.lane)
    }
}

/// A call whose outcome is waited for.
#[derive(Debug)]
pub struct Pending {
    /// Its id.
    pub id: Uuid,
    outcome: oneshot::Receiver<CallResult>,
}

impl Pending {
    /// Waits for the outcome. Whoever drops this does not stop a call that has begun; one that waits is not run.
    pub async fn end(self) -> (Uuid, CallResult) {
        (self.id, self.outcome.await.unwrap_or_else(|_| Err(stopping())))
    }
}

impl Queue {
    /// Takes a call. A failure is its outcome, too.
    pub fn call(&self, order: Order, sender: &Sender) -> Pending {
        let (queued, pending) = queued(order, sender);
        // A failure comes through what is given, too.
        let _ = self.push(Kind::Single(queued), sender.lane());
        pending
    }

    /// Ends a call that cannot be taken.
    pub fn refuse_call(&self, order: Order, sender: &Sender, failure: Failure) -> Pending {
        let (queued, pending) = queued(order, sender);
        self.end(queued, Err(failure));
        pending
    }

    /// Takes a probe of one process. It has its turn there before or behind the calls that wait, whoever comes first, and is
    /// none of the library's calls.
    ///
    /// # Errors
    /// That process does not run the library.
    fn probe(&self, order: Order, generation: u64) -> Result<Pending, Failure> {
        let (call, pending) = queued(order, &Sender::default());
        self.push_probe(Queued { is_probe: true, ..call }, generation)?;
        Ok(pending)
    }

    /// Takes calls that run as one: in their order, with nothing between them.
    ///
    /// # Errors
    /// None of them was taken.
    pub fn batch(&self, orders: Vec<Order>, batch: Batch, sender: &Sender) -> Result<Vec<Pending>, Failure> {
        let (calls, pending): (Vec<_>, Vec<_>) = orders.into_iter().map(|order| queued(order, sender)).unzip();
        self.push(Kind::Batch(calls, batch), sender.lane())?;
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
    let Order { id, callee, args, deadline, wait, declared, idempotent, prototype, part } = order;
    let since = Instant::now();
    let (reply, outcome) = oneshot::channel();
    let deadline = wait.unwrap_or(deadline);
    // What it began with may be gone by then.
    let idempotent = idempotent && !args.are_overwritten();
    let until = wait.map(|wait| since + wait);
    let queued = Queued {
        id,
        callee,
        args,
        deadline,
        until,
        declared,
        sender: sender.clone(),
        idempotent,
        prototype,
        part,
        sends: 0,
        sent: None,
        output: None,
        attempts: 0,
        began: false,
        is_probe: false,
        since,
        reply,
    };
    (queued, Pending { id, outcome })
}

#[cfg(test)]
mod tests;
