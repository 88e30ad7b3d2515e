//! The apartment: the threads that call a library. By default there is one: old libraries keep state per thread, and none of
//! them may be called from two at once. A library whose header or owner says that it bears more has several, its *lanes*. Lane 0
//! loads the library and unloads it, and each runs one call at a time.

mod lane;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Instant;

use bridge32_protocol::journal::SLOTS;
use bridge32_protocol::wire::{Batch, Buffer, Fault, FaultCode, Load, Loaded, MAX_THREADS, Rebind, SessionEnd};
use bytes::Bytes;
use tokio::sync::mpsc::{self, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, oneshot};
use uuid::Uuid;

use crate::callbacks::Callbacks;
use crate::crash::TraceId;
use crate::handles::Handles;
use crate::journal::Journal;
use crate::library::Library;
use crate::output::Output;

pub use lane::Served;

use lane::{Job, Lanes};

/// Outcomes that may wait to be sent. Large ones must not pile up in a 32-bit process.
const LINES_AHEAD: usize = 32;

/// A call as it came from the gateway.
#[derive(Debug)]
pub struct Call {
    /// Its id.
    pub id: Uuid,
    /// What to call: a [`Callee`](bridge32_protocol::wire::Callee) as JSON.
    pub callee: Bytes,
    /// The arguments, a JSON object in UTF-8.
    pub args: Bytes,
    /// The session that it belongs to.
    pub session: Option<Uuid>,
    /// The trace that its client has named.
    pub trace: Option<TraceId>,
    /// The buffers that go through files.
    pub buffers: Vec<Buffer>,
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
    /// One for each lane.
    lanes: Vec<UnboundedSender<Job>>,
    /// Lane 0 is the last to let go of it, and unloads it.
    library: Weak<Library>,
    /// Who holds it may hold the library outside of its lanes.
    visiting: Arc<Mutex<()>>,
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
    /// When they came.
    pub arrived: Instant,
}

impl Apartment {
    /// Starts the threads and loads the library on the first of them.
    ///
    /// # Errors
    /// Why it could not be loaded; the threads are gone then.
    pub async fn open(
        name: &str,
        load: Load,
        counters: Arc<Counters>,
        journal: Journal,
        output: Option<Arc<Output>>,
    ) -> Result<(Self, Loaded), Fault> {
        check(&load)?;
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..load.threads).map(|_| unbounded_channel()).unzip();
        let handles = Arc::new(Handles::new(name, load.generation));
        let callbacks = Callbacks::new(Arc::clone(&handles));
        let (loaded, answer) = oneshot::channel();
        Lanes {
            first_slot: usize::try_from(load.slot).unwrap_or(usize::MAX),
            journal,
            output,
            counters: Arc::clone(&counters),
            handles: Arc::clone(&handles),
            callbacks: Arc::clone(&callbacks),
        }
        .start(load, receivers, loaded)
        .map_err(|error| load_failed(format!("no thread could be started for the library: {error}")))?;
        let ended = |_| load_failed("the library ended its thread while loading".into());
        let (library, loaded) = answer.await.map_err(ended)??;
        let visiting = Arc::default();
        Ok((Self { lanes: senders, library, visiting, counters, handles, callbacks }, loaded))
    }

    /// Queues calls for a lane; a line of JSON comes through the channel as each ends.
    ///
    /// # Errors
    /// There is no such lane.
    pub fn call(&self, lane: u32, calls: Calls) -> Result<mpsc::Receiver<Bytes>, Fault> {
        let lane = self.lane(lane)?;
        let (lines, outcomes) = mpsc::channel(LINES_AHEAD);
        self.counters.pending.fetch_add(calls.calls.len() as u64, std::sync::atomic::Ordering::Relaxed);
        // A thread that has ended drops `lines`, and the stream ends early: the gateway takes that for what it is.
        let _ = lane.send(Job::Calls(calls, lines));
        Ok(outcomes)
    }

    /// What has a connection served by the thread of a lane: a call that comes on it is run by the thread that has read it, and
    /// wakes no other.
    ///
    /// # Errors
    /// There is no such lane.
    pub fn attendance(&self, lane: u32) -> Result<impl FnOnce(Served) + Send + use<>, Fault> {
        let lane = self.lane(lane)?.clone();
        // A thread that has ended drops it: the gateway takes that for what it is.
        Ok(move |connection| drop(lane.send(Job::Attend(connection))))
    }

    /// Gives the library another interface, and tells what was found of it. Where there is one thread, it waits for its turn
    /// there: such a library is asked nothing beside it. Where there are several, it happens beside them, so that no lane
    /// waits for another's call.
    ///
    /// # Errors
    /// The library is gone.
    pub async fn rebind(&self, rebind: Rebind) -> Result<Loaded, Fault> {
        let (done, loaded) = oneshot::channel();
        if let [only] = &self.lanes[..] {
            // A thread that has ended drops both ends.
            let _ = only.send(Job::Rebind(rebind, done));
        } else {
            let visit = Arc::clone(&self.visiting).lock_owned().await;
            let library = self.library.clone();
            let thread = std::thread::Builder::new().name("interface".to_owned());
            let started = thread.spawn(move || {
                if let Some(library) = library.upgrade() {
                    let _ = done.send(library.declare(rebind.revision, rebind.interface));
                }
                drop(visit);
            });
            started.map_err(|error| load_failed(format!("no thread could be started for the interface: {error}")))?;
        }
        loaded.await.map_err(|_| load_failed("the library's thread has ended".to_owned()))
    }

    /// Releases what a session owns, on its lane and after the calls before it.
    ///
    /// # Errors
    /// There is no such lane, or the library is gone.
    pub async fn end_session(&self, lane: u32, session: Uuid) -> Result<SessionEnd, Fault> {
        let (done, ended) = oneshot::channel();
        // A thread that has ended drops both ends.
        let _ = self.lane(lane)?.send(Job::EndSession(session, done));
        ended.await.map_err(|_| load_failed("the library's thread has ended".to_owned()))
    }

    /// Unloads the library when the calls before it have ended, on all lanes.
    pub async fn close(&self) {
        let _no_visit = self.visiting.lock().await;
        // Lane 0 last: it unloads the library, which no other may have then.
        for lane in self.lanes.iter().rev() {
            let (done, closed) = oneshot::channel();
            if lane.send(Job::Unload(done)).is_ok() {
                let _ = closed.await;
            }
        }
    }

    fn lane(&self, lane: u32) -> Result<&UnboundedSender<Job>, Fault> {
        let found = usize::try_from(lane).ok().and_then(|lane| self.lanes.get(lane));
        found.ok_or_else(|| {
            let lanes = self.lanes.len();
            malformed(format!("there is no lane {lane}: the library `{}` has {lanes}", self.handles.library()))
        })
    }
}

/// Refuses numbers of threads and slots that cannot be.
fn check(load: &Load) -> Result<(), Fault> {
    if !(1..=MAX_THREADS).contains(&load.threads) {
        return Err(malformed(format!("a library has 1 to {MAX_THREADS} threads, and {} are asked for", load.threads)));
    }
    let end = load.slot.checked_add(load.threads).and_then(|end| usize::try_from(end).ok());
    if end.is_none_or(|end| end > SLOTS) {
        let (slot, threads) = (load.slot, load.threads);
        return Err(malformed(format!(
            "the journal has {SLOTS} slots, too few for {threads} lanes from slot {slot} on"
        )));
    }
    Ok(())
}

const fn load_failed(detail: String) -> Fault {
    Fault { code: FaultCode::LoadFailed, detail, pointer: None, ran: false }
}

const fn malformed(detail: String) -> Fault {
    Fault { code: FaultCode::MalformedRequest, detail, pointer: None, ran: false }
}
