//! One request to an agent, from its calls to their outcomes: every call of the list ends here, or provably did not begin.

use std::pin::pin;
use std::time::Duration;

use bridge32_protocol::json::complaint;
use bridge32_protocol::wire::{Batch, Fault, FaultCode};
use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::assembly::assemble;
use super::outcome::{CallResult, Execution, Failure, read_line};
use super::progress::Progress;
use super::queue::Queue;
use super::unit::{Kind, Lane, Queued, Route, Unit, Work};
use super::witness::SentTo;
use crate::agents::client::{ClientError, Connection, Lines};
use crate::agents::{Agent, Exit, Link};

/// How long the end of a process may lag behind the end of its connection.
pub(super) const LAG: Duration = Duration::from_secs(2);

/// How long bytes that an ended process has sent may take through the loopback interface.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// A call is sent to no more processes than these that ended with no other call to blame: it may be what ends them.
const MAX_ATTEMPTS: u32 = 4;

/// The pause before a call that ended its process is sent to another one, the first time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How a request ended.
pub(super) enum End {
    /// Every call has its outcome, and the connection can be used again.
    Complete,
    /// The agent has seen nothing of it.
    NotSent(Work, String),
    /// Every call has its outcome or waits again, and the agent is gone.
    Over,
}

/// Where a list runs.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) queue: &'a Queue,
    pub(super) lane: Lane,
    pub(super) agent: &'a Agent,
    pub(super) link: &'a Link,
}

impl Place<'_> {
    /// Ends a call that was sent there.
    fn end(&self, call: Queued, result: CallResult) {
        if call.is_call() {
            self.link.figures.count(result.as_ref().ok().map(|answer| answer.duration_ns));
        }
        self.queue.end(call, result);
    }
}

/// Sends the calls and gives each its outcome as soon as it arrives.
pub(super) async fn run(place: Place<'_>, connection: &mut Connection, work: Work) -> End {
    let body = assemble(place.queue.library(), place.lane.number, &work, place.agent.paths());
    let mut list = List::new(place, work);
    match tokio::time::timeout_at(list.deadline(), while_alive(place.link, connection.calls(body))).await {
        Err(_) => list.overdue().await,
        Ok(Ok(Ok(lines))) => {
            list.tell();
            list.receive(connection, lines).await
        }
        Ok(Ok(Err(fault))) => {
            let failure = refusal(fault);
            list.end_all(|| failure.clone());
            End::Complete
        }
        Ok(Err(ClientError::NotSent(why))) => End::NotSent(list.into_work(), why),
        Ok(Err(error)) => list.broken(&error.to_string()).await,
    }
}

/// What a fault of the agent's means that is about all that it was sent.
pub(super) fn refusal(fault: Fault) -> Failure {
    match fault.code {
        FaultCode::LoadFailed | FaultCode::NotLoaded => Failure::NotLoaded(fault),
        _ => Failure::Fault(fault),
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
    place: Place<'a>,
    ids: Vec<Uuid>,
    calls: Vec<Option<Queued>>,
    batch: Option<Batch>,
    route: Route,
    /// The first one without an outcome: the one that runs, as far as is known.
    running: usize,
    /// The calls before this index have run, or come before one that has.
    entered: usize,
    /// Since when it runs.
    since: Instant,
}

impl<'a> List<'a> {
    fn new(place: Place<'a>, work: Work) -> Self {
        let Work { calls, batch, route, .. } = work;
        let since = Instant::now();
        let sent = SentTo { agent: place.agent.shared_id(), generation: place.link.generation, at: since };
        let ids = calls.iter().map(|call| call.id).collect();
        let sent_there = |call: Queued| {
            let output = place.link.outputs.as_ref().map(|outputs| outputs.expect(call.printing()));
            Some(Queued { sends: call.sends + 1, sent: Some(sent.clone()), output, ..call })
        };
        let calls = calls.into_iter().map(sent_there).collect();
        Self { place, ids, calls, batch, route, running: 0, entered: 0, since }
    }

    /// The same as it came.
    fn into_work(mut self) -> Work {
        let mut calls = self.take_untouched();
        for call in &mut calls {
            call.sends -= 1;
        }
        let declared = calls.iter().find_map(|call| call.declared.clone());
        Work { calls, batch: self.batch, route: self.route, declared }
    }

    /// The calls of a list that was not sent, or not taken: they print nothing there.
    fn take_untouched(&mut self) -> Vec<Queued> {
        let outputs = self.place.link.outputs.as_ref();
        let untouched = |call: Queued| {
            if let Some(outputs) = outputs {
                outputs.forget(call.id);
            }
            Queued { output: None, ..call }
        };
        self.calls.iter_mut().filter_map(Option::take).map(untouched).collect()
    }

    /// The agent has taken it.
    fn tell(&self) {
        let calls = || self.calls.iter().flatten().filter(|call| call.is_call());
        if let Some(witness) = calls().find_map(|call| call.sender.witness.as_ref()) {
            let declared = calls().find_map(|call| call.declared.as_deref());
            witness.sent(self.place.queue.shared_library(), declared, calls().count());
        }
    }

    fn is_complete(&self) -> bool {
        self.running == self.calls.len()
    }

    fn deadline(&self) -> Instant {
        let Some(running) = self.calls.get(self.running).and_then(Option::as_ref) else { return self.since };
        let end = self.since + running.deadline;
        running.until.map_or(end, |until| end.min(until.max(self.since)))
    }

    async fn receive(mut self, connection: &mut Connection, mut lines: Lines) -> End {
        while !self.is_complete() {
            let next = while_alive(self.place.link, connection.next(&mut lines));
            let why = match tokio::time::timeout_at(self.deadline(), next).await {
                Err(_) => return self.overdue().await,
                Ok(Ok(Some(next))) => match self.take(&next) {
                    Ok(()) => continue,
                    Err(why) => why,
                },
                Ok(Ok(None)) => "the answer ended before every call had its outcome".to_owned(),
                Ok(Err(error)) => error.to_string(),
            };
            return self.broken(&why).await;
        }
        let _ = self.place.queue.running.finish(self.place.lane);
        // The end of the body makes the connection free for the next request.
        match tokio::time::timeout(LAG, connection.next(&mut lines)).await {
            Ok(Ok(None)) => End::Complete,
            _ => End::Over,
        }
    }

    fn take(&mut self, line: &Bytes) -> Result<(), String> {
        let Place { queue, lane, agent, link } = self.place;
        let (index, result) = read_line(line).map_err(|error| format!("an unreadable line: {}", complaint(&error)))?;
        let call = self.calls.get_mut(index).and_then(Option::take);
        let call = call.ok_or_else(|| format!("a second outcome for call {index}, or one for no call"))?;
        if result.is_ok() && !call.is_probe {
            agent.note_success();
        }
        if result.as_ref().err().is_none_or(|failure| failure.execution() == Execution::Ran) {
            self.entered = self.entered.max(index + 1);
        }
        if queue.running.end(lane, call.id) {
            agent.kill(link.generation, "the call that it runs now was cancelled");
        }
        self.place.end(call, result);
        let before = self.running;
        while self.calls.get(self.running).is_some_and(Option::is_none) {
            self.running += 1;
        }
        if self.running != before {
            self.since = Instant::now();
        }
        Ok(())
    }

    /// The running call has had its time: its process is ended.
    async fn overdue(self) -> End {
        let Place { agent, link, .. } = self.place;
        let Some(call) = self.calls.get(self.running).and_then(Option::as_ref) else { return End::Over };
        let reason = format!("call {} was still running after {} ms", call.id, self.since.elapsed().as_millis());
        agent.kill(link.generation, reason.clone());
        let exit = end_of(link, LAG).await.unwrap_or_else(|| Exit::made(reason));
        self.settle(&exit, true);
        End::Over
    }

    /// The connection is gone, and nearly always the process with it.
    async fn broken(self, why: &str) -> End {
        let Place { agent, link, .. } = self.place;
        let exit = if let Some(exit) = end_of(link, LAG).await {
            exit
        } else {
            let reason = format!("its connection is of no use any more: {why}");
            agent.kill(link.generation, reason.clone());
            end_of(link, LAG).await.unwrap_or_else(|| Exit::made(reason))
        };
        self.settle(&exit, false);
        End::Over
    }

    /// Gives every call that has no outcome its own, now that the process has ended; what provably did not begin waits for
    /// another process. `overdue` says that it was ended because the running call took too long.
    fn settle(mut self, exit: &Exit, overdue: bool) {
        let Place { queue, lane, link, .. } = self.place;
        let cancelled = queue.running.cancelled(lane);
        let noted = exit.noted(link.slot(queue.library(), lane.number));
        let named = exit.crash.as_ref().and_then(|crash| crash.call());
        let progress = Progress::new(&self.ids, (self.running, self.entered), noted, named);
        let left: Vec<(usize, Queued)> =
            self.calls.iter_mut().enumerate().filter_map(|(index, call)| Some((index, call.take()?))).collect();
        let is_whole = left.len() == self.ids.len();
        if self.batch.is_some() && is_whole && progress.is_untouched() && cancelled.is_empty() {
            return self.repeat(left.into_iter().map(|(_, call)| call).collect(), exit, progress);
        }
        // The running call has ended the process: those behind it have had no part in that.
        let counts = u32::from(progress.running().is_none());
        let mut again = Vec::new();
        for (index, mut call) in left {
            let execution = |exit: &Exit| failure_of(exit, progress, index, &self.ids).execution();
            if cancelled.contains(&call.id) {
                let execution = execution(exit);
                self.place.end(call, Err(Failure::Cancelled(execution)));
            } else if overdue
                && (progress.running() == Some(index) || (index == self.running && !progress.has_not_begun(index)))
            {
                let ran = progress.has_returned(index);
                let deadline =
                    call.until.map_or(call.deadline, |until| call.deadline.min(until.duration_since(call.since)));
                self.place.end(call, Err(Failure::Deadline { deadline, ran }));
            } else if self.batch.is_none() && progress.has_not_begun(index) && call.attempts + counts < MAX_ATTEMPTS {
                call.attempts += counts;
                again.push((Unit { route: self.route, kind: Kind::Single(call) }, Duration::ZERO));
            } else if self.batch.is_none()
                && progress.running() == Some(index)
                && call.idempotent
                && call.attempts + 1 < MAX_ATTEMPTS
            {
                call.attempts += 1;
                call.began = true;
                let pause = pause(call.attempts);
                again.push((Unit { route: self.route, kind: Kind::Single(call) }, pause));
            } else {
                self.end(call, index, exit, progress);
            }
        }
        queue.again(lane, again);
    }

    /// Has a batch run elsewhere of which nothing has begun.
    fn repeat(&self, mut calls: Vec<Queued>, exit: &Exit, progress: Progress) {
        let Place { queue, lane, .. } = self.place;
        let spent = calls.iter().any(|call| call.attempts + 1 >= MAX_ATTEMPTS);
        match self.batch {
            Some(batch) if !spent => {
                for call in &mut calls {
                    call.attempts += 1;
                }
                let unit = Unit { route: self.route, kind: Kind::Batch(calls, batch) };
                queue.again(lane, vec![(unit, Duration::ZERO)]);
            }
            _ => {
                let _ = queue.running.finish(lane);
                calls.into_iter().enumerate().for_each(|(index, call)| self.end(call, index, exit, progress));
            }
        }
    }

    fn end(&self, call: Queued, index: usize, exit: &Exit, progress: Progress) {
        let running = progress.running().and_then(|index| self.ids.get(index).copied()).unwrap_or(call.id);
        let exit = exit.for_call(self.place.queue.library(), running);
        self.place.end(call, Err(failure_of(&exit, progress, index, &self.ids)));
    }

    fn end_all(&mut self, failure: impl Fn() -> Failure) {
        let _ = self.place.queue.running.finish(self.place.lane);
        for call in self.take_untouched() {
            self.place.end(call, Err(failure()));
        }
    }
}

fn failure_of(exit: &Exit, progress: Progress, index: usize, ids: &[Uuid]) -> Failure {
    Failure::Ended { exit: exit.clone(), moment: progress.moment(index, ids) }
}

/// How long a call that was running when its process ended waits before it is sent to another one: longer each time.
fn pause(attempts: u32) -> Duration {
    let jitter = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    let pause = FIRST_PAUSE * 2u32.saturating_pow(attempts.saturating_sub(1));
    pause.mul_f64(0.5 + jitter / 2.0)
}
