//! The apartment: the one thread that loads a library, calls it and unloads it. Old libraries keep state per thread, and
//! none of them is ever called from two at once.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use bridge32_protocol::wire::{Batch, Callee, Fault, FaultCode, Load, Loaded, Rebind};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::batch::{Outcome, Outcomes, refers};
use crate::callbacks::Callbacks;
use crate::caller::{Aside, Caller, Request};
use crate::crash;
use crate::handles::Handles;
use crate::library::Library;

/// Bytes of stack for the library's code: what the largest linker defaults give a program, with room to spare.
const STACK_BYTES: usize = 8 << 20;

/// Outcomes that may wait to be sent. Large ones must not pile up in a 32-bit process.
const LINES_AHEAD: usize = 32;

/// A call as it came from the gateway.
#[derive(Debug)]
pub struct Call {
    /// Its id.
    pub id: Uuid,
    /// What to call: a [`Callee`] as JSON.
    pub callee: Bytes,
    /// The arguments, a JSON object in UTF-8.
    pub args: Bytes,
}

/// What all apartments of this agent count together.
#[derive(Debug, Default)]
pub struct Counters {
    /// Calls that reached a library's code.
    pub called: AtomicU64,
    /// Calls that the agent holds and that have not ended.
    pub pending: AtomicU64,
}

/// Where to send work for a library.
#[derive(Debug)]
pub struct Apartment {
    jobs: Sender<Job>,
    counters: Arc<Counters>,
    /// The library's handles, which can be listed while it runs.
    pub handles: Arc<Handles>,
    /// Its callbacks, which it may call at any time.
    pub callbacks: Arc<Callbacks>,
}

/// Calls that came together.
#[derive(Debug)]
pub struct Calls {
    /// In their order.
    pub calls: Vec<Call>,
    /// They belong together.
    pub batch: Option<Batch>,
    /// The interface whose numbers they use.
    pub revision: Option<u32>,
}

enum Job {
    Calls(Calls, mpsc::Sender<Bytes>),
    Rebind(Rebind, oneshot::Sender<Loaded>),
    Unload(oneshot::Sender<()>),
}

impl Apartment {
    /// Starts the thread and loads the library there.
    ///
    /// # Errors
    /// Why it could not be loaded; the thread is gone then.
    pub async fn open(name: &str, load: Load, counters: Arc<Counters>) -> Result<(Self, Loaded), Fault> {
        let (jobs, received) = channel();
        let (loaded, answer) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("apartment {name}")).stack_size(STACK_BYTES);
        let shared = Arc::clone(&counters);
        let handles = Arc::new(Handles::new(name, load.generation));
        let callbacks = Callbacks::new(Arc::clone(&handles));
        let of_library = (Arc::clone(&handles), Arc::clone(&callbacks));
        thread
            .spawn(move || {
                let (handles, callbacks) = of_library;
                crash::prepare_thread(handles.library());
                match Library::load(load) {
                    Ok(library) => {
                        // Nobody waits any more if the agent is ending; then `received` is closed as well.
                        let _ = loaded.send(Ok(library.loaded()));
                        serve(Caller::new(library, handles, callbacks), &shared, &received);
                    }
                    Err(fault) => drop(loaded.send(Err(fault))),
                }
            })
            .map_err(|error| load_failed(format!("no thread could be started for the library: {error}")))?;
        let loaded = answer.await.map_err(|_| load_failed("the library ended its thread while loading".into()))??;
        Ok((Self { jobs, counters, handles, callbacks }, loaded))
    }

    /// Queues calls; a line of JSON comes through the channel as each ends.
    pub fn call(&self, calls: Calls) -> mpsc::Receiver<Bytes> {
        let (lines, outcomes) = mpsc::channel(LINES_AHEAD);
        self.counters.pending.fetch_add(calls.calls.len() as u64, Ordering::Relaxed);
        // A thread that has ended drops `lines`, and the stream ends early: the gateway takes that for what it is.
        let _ = self.jobs.send(Job::Calls(calls, lines));
        outcomes
    }

    /// Gives the library another interface when the calls before it have ended, and tells what was found of it.
    ///
    /// # Errors
    /// The library is gone.
    pub async fn rebind(&self, rebind: Rebind) -> Result<Loaded, Fault> {
        let (done, loaded) = oneshot::channel();
        // A thread that has ended drops both ends.
        let _ = self.jobs.send(Job::Rebind(rebind, done));
        loaded.await.map_err(|_| load_failed("the library's thread has ended".to_owned()))
    }

    /// Unloads the library when the calls before it have ended.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Job::Unload(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

const fn load_failed(detail: String) -> Fault {
    Fault { code: FaultCode::LoadFailed, detail, pointer: None, ran: false }
}

/// Works until the library is unloaded.
fn serve(mut caller: Caller, counters: &Counters, jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Calls(Calls { calls, batch, revision }, lines) => {
                let mut earlier = batch.map(|batch| (batch, Outcomes::default()));
                // Answers are kept only as long as somebody may refer to them: they may be large.
                let referring = batch.and_then(|_| calls.iter().rposition(|call| refers(&call.args)));
                let last_reference = referring.unwrap_or(0);
                for (index, call) in calls.iter().enumerate() {
                    let earlier = earlier.as_mut().map(|earlier| (earlier, index < last_reference));
                    let line = outcome_line(&mut caller, (index, call, revision), earlier, counters);
                    counters.pending.fetch_sub(1, Ordering::Relaxed);
                    // The gateway may have gone away; the calls it sent still run, exactly once.
                    let _ = lines.blocking_send(line.into());
                }
            }
            Job::Rebind(Rebind { revision, interface }, done) => {
                // Nobody waits any more if the gateway is gone.
                let _ = done.send(caller.rebind(revision, interface));
            }
            Job::Unload(done) => {
                caller.unload();
                let _ = done.send(());
                return;
            }
        }
    }
}

/// Runs a call, and writes its `wire::OutcomeLine`. Written by hand, because results are JSON already.
fn outcome_line(
    caller: &mut Caller,
    (index, call, revision): (usize, &Call, Option<u32>),
    mut earlier: Option<(&mut (Batch, Outcomes), bool)>,
    counters: &Counters,
) -> Vec<u8> {
    let mut line = format!("{{\"index\":{index},\"outcome\":{{\"returned\":{{").into_bytes();
    let start = line.len();
    let done = run(caller, (call, revision), earlier.as_ref().map(|(earlier, _)| &**earlier), counters, &mut line);
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
    (call, revision): (&Call, Option<u32>),
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
    caller.run(what, Request { id: call.id, args: &args, hidden, revision, called: &counters.called }, line)
}

fn stopped() -> Fault {
    let detail =
        "an earlier call of the batch failed, so this one was not run; with \"stop_on_error\": false it would have \
                  been"
            .to_owned();
    Fault { code: FaultCode::BatchStopped, detail, pointer: None, ran: false }
}

const fn malformed(detail: String) -> Fault {
    Fault { code: FaultCode::MalformedRequest, detail, pointer: None, ran: false }
}
