//! Which agent gets a call, and what becomes of it: one queue for each apartment, deadlines, coalescing.
//!
//! Every call that [`Dispatcher::call`] takes has exactly one outcome, also if nobody waits for it any more.

mod apartment;
mod arguments;
mod assembly;
mod exchange;
mod outcome;
mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::Callee;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use crate::agents::{Agent, Exit};

pub use arguments::{Arguments, ArgumentsError};
pub use outcome::{Answer, CallResult, Execution, Failure};
pub use queue::Counts;

use queue::{Queue, Queued};

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
    pub async fn call(&self, library: &str, callee: Callee, args: Arguments, deadline: Duration) -> (Uuid, CallResult) {
        let id = Uuid::now_v7();
        let Some(queue) = self.apartments.get(library) else {
            let reason = format!("no agent is configured for the library `{library}`");
            return (id, Err(Failure::NoAgent { reason, retry: false }));
        };
        let (reply, outcome) = oneshot::channel();
        let queued = Queued { id, callee, args, deadline, since: Instant::now(), reply };
        if let Err(failure) = queue.push(queued) {
            return (id, Err(failure));
        }
        // It may have been sent already.
        let lost = || Failure::Ended { exit: Exit::made("the gateway is stopping"), behind: None };
        (id, outcome.await.unwrap_or_else(|_| Err(lost())))
    }

    /// How many calls a library has had and has waiting.
    pub fn counts(&self, library: &str) -> Counts {
        self.apartments.get(library).map(|queue| queue.counts()).unwrap_or_default()
    }
}
