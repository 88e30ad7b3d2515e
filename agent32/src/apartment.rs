//! The apartment: the one thread that loads a library, calls it and unloads it. Old libraries keep state per thread, and
//! none of them is ever called from two at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use bridge32_protocol::interface::{Function, Interface, Scalar, Type};
use bridge32_protocol::wire::{Binding, Callee, Fault, FaultCode, Load};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::abi::convention;
use crate::abi::frame::{Abi, Frame};
use crate::abi::thunk::{self, ResultKind};
use crate::layout::HOST;
use crate::library::{Bound, Library};
use crate::marshal::arena::Arena;
use crate::marshal::{Context, decode, encode};

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
}

enum Job {
    Calls(Vec<Call>, mpsc::Sender<Bytes>),
    Unload(oneshot::Sender<()>),
}

impl Apartment {
    /// Starts the thread and loads the library there.
    ///
    /// # Errors
    /// Why it could not be loaded; the thread is gone then.
    pub async fn open(name: &str, load: Load, counters: Arc<Counters>) -> Result<(Self, Vec<Binding>), Fault> {
        let (jobs, received) = channel();
        let (loaded, answer) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("apartment {name}")).stack_size(STACK_BYTES);
        let shared = Arc::clone(&counters);
        thread
            .spawn(move || match Library::load(load) {
                Ok(library) => {
                    // Nobody waits any more if the agent is ending; then `received` is closed as well.
                    let _ = loaded.send(Ok(library.bindings()));
                    Caller { library, counters: shared, arena: Arena::default(), frame: Frame::default() }
                        .serve(&received);
                }
                Err(fault) => drop(loaded.send(Err(fault))),
            })
            .map_err(|error| load_failed(format!("no thread could be started for the library: {error}")))?;
        let bindings = answer.await.map_err(|_| load_failed("the library ended its thread while loading".into()))??;
        Ok((Self { jobs, counters }, bindings))
    }

    /// Queues calls; a line of JSON comes through the channel as each ends.
    pub fn call(&self, calls: Vec<Call>) -> mpsc::Receiver<Bytes> {
        let (lines, outcomes) = mpsc::channel(LINES_AHEAD);
        self.counters.pending.fetch_add(calls.len() as u64, Ordering::Relaxed);
        // A thread that has ended drops `lines`, and the stream ends early: the gateway takes that for what it is.
        let _ = self.jobs.send(Job::Calls(calls, lines));
        outcomes
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

/// What lives on the apartment's thread.
struct Caller {
    library: Library,
    counters: Arc<Counters>,
    arena: Arena,
    frame: Frame,
}

impl Caller {
    fn serve(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Calls(calls, lines) => {
                    for (index, call) in calls.iter().enumerate() {
                        let line = self.outcome_line(index, call);
                        self.counters.pending.fetch_sub(1, Ordering::Relaxed);
                        // The gateway may have gone away; the calls it sent still run, exactly once.
                        let _ = lines.blocking_send(line.into());
                    }
                }
                Job::Unload(done) => {
                    drop(self.library);
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    /// Runs a call, and writes its `wire::OutcomeLine`. Written by hand, because results are JSON already.
    fn outcome_line(&mut self, index: usize, call: &Call) -> Vec<u8> {
        let mut line = format!("{{\"index\":{index},\"outcome\":{{\"returned\":{{").into_bytes();
        match self.run(call, &mut line) {
            Ok(nanoseconds) => line.extend_from_slice(format!(",\"duration_ns\":{nanoseconds}}}}}}}\n").as_bytes()),
            Err(fault) => {
                line.clear();
                line.extend_from_slice(format!("{{\"index\":{index},\"outcome\":{{\"fault\":").as_bytes());
                // A fault is strings and numbers; writing them into a vector cannot fail.
                let _ = serde_json::to_writer(&mut line, &fault);
                line.extend_from_slice(b"}}\n");
            }
        }
        self.arena.clear();
        line
    }

    /// Runs a call, appends its result and outputs, and tells the nanoseconds in the library.
    fn run(&mut self, call: &Call, line: &mut Vec<u8>) -> Result<u128, Fault> {
        let args =
            str::from_utf8(&call.args).map_err(|error| malformed(format!("the arguments are not UTF-8: {error}")))?;
        // The library stays where it is during the call; only the scratch memory is written.
        let Self { library, counters, arena, frame } = self;
        let adhoc;
        let callee = serde_json::from_slice(&call.callee)
            .map_err(|error| malformed(format!("what to call cannot be read: {error}")))?;
        let (function, interface, bound): (&Function, &Interface, Bound) = match callee {
            Callee::Function(number) => {
                let index = usize::try_from(number).unwrap_or(usize::MAX);
                let function = library.interface.functions.get(index);
                let function = function.ok_or_else(|| malformed(format!("there is no function number {number}")))?;
                (function, &library.interface, library.bound[index].clone()?)
            }
            Callee::Prototype(interface) => {
                adhoc = interface;
                let function = adhoc.functions.first().ok_or_else(|| malformed("the prototype is empty".into()))?;
                (function, &*adhoc, library.bind(function)?)
            }
            _ => return Err(malformed("this agent cannot do that".into())),
        };
        let context = Context { interface, target: HOST };
        let prepared = decode::arguments(args, function, context, arena)?;
        frame.place(&prepared.values, Abi::of(HOST)).map_err(|error| Fault {
            code: FaultCode::UnsupportedDeclaration,
            detail: format!("`{}` cannot be called: {error}", function.name),
            pointer: None,
            ran: false,
        })?;
        encode::reserve(&prepared, function, context, arena, line)?;
        counters.called.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        let returned = enter(&bound, frame, result_kind(&function.result));
        let duration = start.elapsed().as_nanos();
        let expected = convention::removed_bytes(bound.convention, frame.stack_bytes, HOST);
        if returned.removed != expected.cast_signed() {
            return Err(convention::mismatch(function, bound.convention, frame.stack_bytes, returned.removed));
        }
        told(returned.bits, &prepared, function, context, arena, line)?;
        Ok(duration)
    }
}

#[expect(unsafe_code, reason = "the one place where a library is called")]
fn enter(bound: &Bound, frame: &Frame, result: ResultKind) -> thunk::Returned {
    // SAFETY: the address came from the loader for an export that is code, and its library is loaded as long as its
    // apartment serves calls. The arguments are of the declared types, and their memory lies in the arena until the
    // outcome is written. That the declaration is true is the user's promise; the process exists to bear it if not.
    unsafe { thunk::call(bound.address, frame, result) }
}

#[expect(unsafe_code, reason = "a returned string is where the library says")]
fn told(
    register: u64,
    prepared: &decode::Prepared,
    function: &Function,
    context: Context<'_>,
    arena: &Arena,
    line: &mut Vec<u8>,
) -> Result<(), Fault> {
    // SAFETY: `register` is what this very function returned, after the check of its convention; that a declared string
    // is one is the header's promise.
    unsafe { encode::outcome(register, prepared, function, context, arena, line) }
}

const fn result_kind(ty: &Type) -> ResultKind {
    match ty {
        Type::Scalar(Scalar::Float) => ResultKind::Float,
        Type::Scalar(Scalar::Double) => ResultKind::Double,
        _ => ResultKind::Integer,
    }
}

const fn malformed(detail: String) -> Fault {
    Fault { code: FaultCode::MalformedRequest, detail, pointer: None, ran: false }
}
