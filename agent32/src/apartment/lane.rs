//! One lane of an apartment: a thread of its own, and what it does there.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bridge32_protocol::wire::{Batch, Callee, Fault, FaultCode, Load, Loaded, Rebind, SessionEnd};
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Call, Calls, Counters, load_failed, malformed};
use crate::batch::{Outcome, Outcomes, refers};
use crate::callbacks::Callbacks;
use crate::caller::{Aside, Caller, Request};
use crate::crash;
use crate::handles::Handles;
use crate::journal::Journal;
use crate::library::Library;
use crate::output::Output;

/// Bytes of stack for the library's code: what the largest linker defaults give a program, with room to spare.
const STACK_BYTES: usize = 8 << 20;

/// A connection that a lane serves between its calls, to its end.
pub type Served = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a lane is to do.
pub(super) enum Job {
    /// Run these, and send a line for each.
    Calls(Calls, mpsc::Sender<Bytes>),
    /// Serve that connection, too.
    Attend(Served),
    /// Give the library this interface.
    Rebind(Rebind, oneshot::Sender<Loaded>),
    /// Release what that session owns.
    EndSession(Uuid, oneshot::Sender<SessionEnd>),
    /// Let go of the library, and end.
    Unload(oneshot::Sender<()>),
}

/// How the library was loaded, for whoever waits for that.
type Opened = Result<(Weak<Library>, Loaded), Fault>;

/// What the lanes of one library share.
#[derive(Clone)]
pub(super) struct Lanes {
    /// The journal's slot of lane 0.
    pub(super) first_slot: usize,
    pub(super) journal: Journal,
    /// Where the outputs of calls are marked, if they are.
    pub(super) output: Option<Arc<Output>>,
    pub(super) counters: Arc<Counters>,
    pub(super) handles: Arc<Handles>,
    pub(super) callbacks: Arc<Callbacks>,
}

impl Lanes {
    /// Starts lane 0, which loads the library, starts the others, and unloads the library when all have ended.
    pub(super) fn start(
        self,
        load: Load,
        jobs: Vec<UnboundedReceiver<Job>>,
        opened: oneshot::Sender<Opened>,
    ) -> io::Result<()> {
        let mut jobs = jobs.into_iter();
        let Some(own) = jobs.next() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let (thread, runtime) = (self.thread(0), runtime()?);
        let work = move || {
            crash::prepare_thread(self.handles.library());
            let library = match Library::load(load) {
                Ok(library) => Arc::new(library),
                Err(fault) => return drop(opened.send(Err(fault))),
            };
            self.mark_output(Uuid::nil());
            let (others, started) = self.start_others(&library, jobs);
            let (serves, loaded) = (started.is_ok(), library.loaded());
            // Nobody waits any more if the agent is ending; then all queues are closed, as they are after a failure.
            let _ = opened.send(started.map(|()| (Arc::downgrade(&library), loaded)));
            let last = if serves { self.serve(0, Arc::clone(&library), (&runtime, own)) } else { None };
            for other in others {
                // A panic would have ended the process.
                let _ = other.join();
            }
            drop(library);
            tell(last);
        };
        thread.spawn(work).map(drop)
    }

    /// Starts the lanes behind the first.
    fn start_others(
        &self,
        library: &Arc<Library>,
        jobs: impl Iterator<Item = UnboundedReceiver<Job>>,
    ) -> (Vec<JoinHandle<()>>, Result<(), Fault>) {
        let mut started = Vec::new();
        for (lane, jobs) in (1..).zip(jobs) {
            let (lanes, library) = (self.clone(), Arc::clone(library));
            let thread = runtime().and_then(|runtime| {
                let work = move || {
                    crash::prepare_thread(lanes.handles.library());
                    tell(lanes.serve(lane, library, (&runtime, jobs)));
                };
                self.thread(lane).spawn(work)
            });
            match thread {
                Ok(thread) => started.push(thread),
                Err(error) => {
                    let detail = format!(
                        "the library was loaded, but no more than {lane} of its threads could be started: {error}. Ask \
                         for fewer"
                    );
                    return (started, Err(load_failed(detail)));
                }
            }
        }
        (started, Ok(()))
    }

    fn thread(&self, lane: usize) -> std::thread::Builder {
        let library = self.handles.library();
        let name = if lane == 0 { format!("apartment {library}") } else { format!("apartment {library}.{lane}") };
        std::thread::Builder::new().name(name).stack_size(STACK_BYTES)
    }

    /// Works until the library is to be unloaded, lets go of it, and gives who waits for that.
    ///
    /// Nothing of a job runs within the runtime, which has the connections alone: the library's code may block, and may use one
    /// of its own.
    fn serve(
        &self,
        lane: usize,
        library: Arc<Library>,
        (runtime, mut jobs): (&Runtime, UnboundedReceiver<Job>),
    ) -> Option<oneshot::Sender<()>> {
        let notes = self.journal.lane(self.first_slot + lane);
        let counters = &self.counters;
        let mut caller = Caller::new(library, Arc::clone(&self.handles), Arc::clone(&self.callbacks), notes);
        while let Some(job) = runtime.block_on(jobs.recv()) {
            match job {
                Job::Attend(connection) => drop(runtime.spawn(connection)),
                Job::Calls(calls, lines) => self.run_list(&mut caller, calls, &lines),
                Job::Rebind(Rebind { revision, interface }, done) => {
                    // Nobody waits any more if the gateway is gone.
                    let _ = done.send(caller.declare(revision, interface));
                }
                Job::EndSession(session, done) => {
                    let end = caller.end_session(session, counters);
                    caller.note_done();
                    self.mark_output(Uuid::nil());
                    let _ = done.send(end);
                }
                Job::Unload(done) => return Some(done),
            }
        }
        None
    }

    fn run_list(&self, caller: &mut Caller, calls: Calls, lines: &mpsc::Sender<Bytes>) {
        let counters = &self.counters;
        let Calls { calls, batch, revision, arrived } = calls;
        caller.use_interface(revision);
        let mut earlier = batch.map(|batch| (batch, Outcomes::default()));
        // Answers are kept only as long as somebody may refer to them: they may be large.
        let referring = batch.and_then(|_| calls.iter().rposition(|call| refers(&call.args)));
        let last_reference = referring.unwrap_or(0);
        for (index, call) in calls.iter().enumerate() {
            let earlier = earlier.as_mut().map(|earlier| (earlier, index < last_reference));
            let begun = Instant::now();
            let times = (begun.duration_since(arrived), begun);
            let line = outcome_line(caller, (index, call, times), earlier, counters);
            self.mark_output(call.id);
            caller.note_done();
            counters.pending.fetch_sub(1, Ordering::Relaxed);
            // The gateway may have gone away; the calls it sent still run, exactly once.
            let _ = lines.blocking_send(line.into());
        }
    }

    /// What the library has written so far belongs to that call, or to none.
    fn mark_output(&self, call: Uuid) {
        if let Some(output) = &self.output {
            output.end_of(call);
        }
    }
}

/// What has a lane's connections going, on the lane's own thread.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// The library is unloaded, as far as this lane goes.
fn tell(waiting: Option<oneshot::Sender<()>>) {
    if let Some(waiting) = waiting {
        // The agent may be ending already.
        let _ = waiting.send(());
    }
}

/// How long a call has waited, and when its turn came.
type Times = (Duration, Instant);

/// Runs a call, and writes its `wire::OutcomeLine`. Written by hand, because results are JSON already.
fn outcome_line(
    caller: &mut Caller,
    (index, call, times): (usize, &Call, Times),
    mut earlier: Option<(&mut (Batch, Outcomes), bool)>,
    counters: &Counters,
) -> Vec<u8> {
    let mut line = format!("{{\"index\":{index},\"outcome\":{{\"returned\":{{").into_bytes();
    let start = line.len();
    let done = run(caller, (call, times), earlier.as_ref().map(|(earlier, _)| &**earlier), counters, &mut line);
    if let Some(((_, outcomes), keep)) = &mut earlier {
        outcomes.push(match &done {
            Err(_) => Outcome::Failed,
            Ok(_) if *keep => Outcome::Answered(format!("{{{}}}", String::from_utf8_lossy(&line[start..]))),
            Ok(_) => Outcome::Forgotten,
        });
    }
    match done {
        Ok(aside) => {
            aside.write(&mut line);
            line.extend_from_slice(b"}}}\n");
        }
        Err(fault) => {
            line.clear();
            line.extend_from_slice(format!("{{\"index\":{index},\"outcome\":{{\"fault\":").as_bytes());
            // A fault is strings and numbers; writing them into a vector cannot fail.
            let _ = serde_json::to_writer(&mut line, &fault);
            line.extend_from_slice(b"}}\n");
        }
    }
    line
}

fn run(
    caller: &mut Caller,
    (call, (waited, begun)): (&Call, Times),
    earlier: Option<&(Batch, Outcomes)>,
    counters: &Counters,
    line: &mut Vec<u8>,
) -> Result<Aside, Fault> {
    let args =
        str::from_utf8(&call.args).map_err(|error| malformed(format!("the arguments are not UTF-8: {error}")))?;
    let args = match earlier {
        None => Cow::Borrowed(args),
        Some((batch, outcomes)) if batch.stop_on_error && outcomes.any_failed() => return Err(stopped()),
        Some((_, outcomes)) => outcomes.resolve(args)?,
    };
    let what: Callee = serde_json::from_slice(&call.callee)
        .map_err(|error| malformed(format!("what to call cannot be read: {error}")))?;
    let hidden = matches!(args, Cow::Owned(_));
    let request = Request {
        id: call.id,
        args: &args,
        hidden,
        buffers: &call.buffers,
        session: call.session,
        called: &counters.called,
        trace: call.trace,
        waited,
        begun,
    };
    caller.run(what, request, line)
}

fn stopped() -> Fault {
    let detail =
        "an earlier call of the batch failed, so this one was not run; with \"stop_on_error\": false it would have \
                  been"
            .to_owned();
    Fault { code: FaultCode::BatchStopped, detail, pointer: None, ran: false }
}
