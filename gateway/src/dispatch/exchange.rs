//! One request to an agent, from its calls to their outcomes: every call of the list ends here, or was never sent.

use std::cmp::Ordering;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::json::complaint;
use bytes::Bytes;
use tokio::time::Instant;

use super::apartment::refusal;
use super::assembly::assemble;
use super::outcome::{Failure, Moment, read_line};
use super::queue::{Queue, Queued, Work};
use crate::agents::client::{ClientError, Connection, Lines};
use crate::agents::{Agent, Exit, Link};

/// How long the end of a process may lag behind the end of its connection.
const LAG: Duration = Duration::from_secs(2);

/// How long bytes that an ended process has sent may take through the loopback interface.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// How a request ended.
pub(super) enum Exchange {
    /// Every call has its outcome, and the connection can be used again.
    Complete,
    /// The agent has seen nothing of it.
    NotSent(Work, String),
    /// Every call has its outcome, and the agent is gone.
    Over,
}

/// Sends the calls and gives each its outcome as soon as it arrives.
pub(super) async fn run(
    library: &str,
    queue: &Queue,
    connection: &mut Connection,
    work: Work,
    link: &Link,
    agent: &Arc<Agent>,
) -> Exchange {
    let work = queue.still_wanted(work);
    if work.calls.is_empty() {
        return Exchange::Complete;
    }
    let body = assemble(library, &work);
    let Work { calls, batch, declared } = work;
    let mut list = List::new(library, queue, calls);
    list.begins(agent, link);
    match tokio::time::timeout_at(list.deadline(), while_alive(link, connection.calls(body))).await {
        Err(_) => list.overdue(agent, link).await,
        Ok(Ok(Ok(lines))) => list.receive(lines, agent, link).await,
        Ok(Ok(Err(fault))) => {
            let failure = refusal(fault);
            list.end_all(|| failure.clone());
            Exchange::Complete
        }
        Ok(Err(ClientError::NotSent(why))) => {
            Exchange::NotSent(Work { calls: list.into_calls(), batch, declared }, why)
        }
        Ok(Err(error)) => list.broken(&error.to_string(), agent, link).await,
    }
}

/// Waits for what an agent sends. Its process may end while something that it started keeps the connection open (under
/// Wine this happens): then only what is under way already is waited for.
pub(super) async fn while_alive<T>(
    link: &Link,
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let mut answer = pin!(answer);
    let mut ended = link.ended.clone();
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        _ = ended.wait_for(Option::is_some) => {}
    }
    let last = tokio::time::timeout(UNDER_WAY, answer).await;
    last.unwrap_or_else(|_| Err(ClientError::Broken("its process has ended".to_owned())))
}

/// How the process of that link ended, if it has or does within `patience`.
pub(super) async fn end_of(link: &Link, patience: Duration) -> Option<Exit> {
    let mut ended = link.ended.clone();
    let end = tokio::time::timeout(patience, ended.wait_for(Option::is_some)).await;
    end.ok().and_then(Result::ok).and_then(|exit| exit.clone())
}

/// The calls of one request and how far they are. The agent runs them in their order.
struct List<'a> {
    library: &'a str,
    queue: &'a Queue,
    calls: Vec<Option<Queued>>,
    /// The first one without an outcome: the one that runs.
    running: usize,
    /// Since when it runs.
    since: Instant,
}

impl<'a> List<'a> {
    fn new(library: &'a str, queue: &'a Queue, calls: Vec<Queued>) -> Self {
        Self { library, queue, calls: calls.into_iter().map(Some).collect(), running: 0, since: Instant::now() }
    }

    fn into_calls(self) -> Vec<Queued> {
        self.calls.into_iter().flatten().collect()
    }

    fn is_complete(&self) -> bool {
        self.running == self.calls.len()
    }

    fn deadline(&self) -> Instant {
        let running = self.calls.get(self.running).and_then(Option::as_ref);
        running.map_or(self.since, |call| call.deadline_from(self.since))
    }

    /// Whoever wants to end the call that runs now ends this process.
    fn begins(&self, agent: &Arc<Agent>, link: &Link) {
        if let Some(call) = self.calls.get(self.running).and_then(Option::as_ref) {
            self.queue.control.begins(call.id, agent, link.generation);
        }
    }

    async fn receive(mut self, mut lines: Lines, agent: &Arc<Agent>, link: &Link) -> Exchange {
        while !self.is_complete() {
            let why = match tokio::time::timeout_at(self.deadline(), while_alive(link, lines.next())).await {
                Err(_) => return self.overdue(agent, link).await,
                Ok(Ok(Some(next))) => match self.take(&next, agent, link) {
                    Ok(()) => continue,
                    Err(why) => why,
                },
                Ok(Ok(None)) => "the answer ended before every call had its outcome".to_owned(),
                Ok(Err(error)) => error.to_string(),
            };
            return self.broken(&why, agent, link).await;
        }
        // The end of the body makes the connection free for the next request.
        match tokio::time::timeout(LAG, lines.next()).await {
            Ok(Ok(None)) => Exchange::Complete,
            _ => Exchange::Over,
        }
    }

    fn take(&mut self, text: &Bytes, agent: &Arc<Agent>, link: &Link) -> Result<(), String> {
        let (index, result) = read_line(text).map_err(|error| format!("an unreadable line: {}", complaint(&error)))?;
        let call = self.calls.get_mut(index).and_then(Option::take);
        let call = call.ok_or_else(|| format!("a second outcome for call {index}, or one for no call"))?;
        if result.is_ok() {
            agent.note_success();
        }
        self.queue.end(call, result);
        let before = self.running;
        while self.calls.get(self.running).is_some_and(Option::is_none) {
            self.running += 1;
        }
        if self.running != before {
            self.since = Instant::now();
            self.begins(agent, link);
        }
        Ok(())
    }

    /// The running call has had its time: its process is ended, and the others are told what became of them.
    async fn overdue(mut self, agent: &Arc<Agent>, link: &Link) -> Exchange {
        let Some(running) = self.calls.get_mut(self.running).and_then(Option::take) else { return Exchange::Over };
        let (id, deadline) = (running.id, running.patience());
        let reason = format!("call {id} was still running after {} ms", deadline.as_millis());
        agent.kill(link.generation, reason.clone());
        self.queue.end(running, Err(Failure::Deadline { deadline }));
        let exit = Exit::made(reason);
        self.end_all(|| Failure::Ended { exit: exit.clone(), moment: Moment::Behind(id) });
        let _ = end_of(link, LAG).await;
        Exchange::Over
    }

    /// The connection is gone, and nearly always the process with it.
    async fn broken(mut self, why: &str, agent: &Arc<Agent>, link: &Link) -> Exchange {
        let exit = if let Some(exit) = end_of(link, LAG).await {
            exit
        } else {
            let reason = format!("its connection is of no use any more: {why}");
            agent.kill(link.generation, reason.clone());
            end_of(link, LAG).await.unwrap_or_else(|| Exit::made(reason))
        };
        self.ended(&exit);
        Exchange::Over
    }

    /// Tells every call that has no outcome what became of the process. The running one is that which the process
    /// itself named while it was dying, else the first; the outcome of one before it was lost on its way.
    fn ended(&mut self, exit: &Exit) {
        let left: Vec<Queued> = self.calls.iter_mut().filter_map(Option::take).collect();
        let named = exit.crash.as_ref().and_then(|crash| crash.call());
        let at = left.iter().position(|call| Some(call.id) == named).unwrap_or_default();
        let running = left.get(at).map(|call| call.id);
        for (index, call) in left.into_iter().enumerate() {
            let running = running.unwrap_or(call.id);
            let moment = match index.cmp(&at) {
                Ordering::Less => Moment::Before(running),
                Ordering::Equal => Moment::Running,
                Ordering::Greater => Moment::Behind(running),
            };
            let exit = exit.for_call(self.library, running);
            self.queue.end(call, Err(Failure::Ended { exit, moment }));
        }
    }

    fn end_all(&mut self, failure: impl Fn() -> Failure) {
        for call in self.calls.iter_mut().filter_map(Option::take) {
            self.queue.end(call, Err(failure()));
        }
    }
}
