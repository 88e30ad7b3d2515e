//! One call, from its message to its answer: the only place where a library's code is called.

mod session;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ptr::with_exposed_provenance;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bridge32_protocol::interface::{Function, Interface, Parameter, Release};
use bridge32_protocol::wire::{Buffer, Callee, Fault, FaultCode, Loaded, SystemError};
use uuid::Uuid;

use crate::abi::frame::Frame;
use crate::abi::plan::Plan;
use crate::abi::thunk::{self, ResultKind};
use crate::blocks;
use crate::callbacks::Callbacks;
use crate::crash::{Running, TraceId};
use crate::errors;
use crate::handles::Handles;
use crate::journal;
use crate::library::{Bound, Declared, Library};
use crate::marshal::arena::Arena;
use crate::marshal::decode::{self, Prepared, Slots};
use crate::marshal::read::Owned;
use crate::marshal::text::Codec;
use crate::marshal::{Environment, Home, encode};
use crate::platform;
use crate::variables;

/// What one lane has: it lives on the lane's thread. Arena, frame and notes are its own; the library and what it has given out
/// are shared by all lanes.
#[derive(Debug)]
pub struct Caller {
    library: Arc<Library>,
    /// The interface that the calls name, or the last one that any did.
    declared: Arc<Declared>,
    /// What they name.
    named: Option<u32>,
    handles: Arc<Handles>,
    callbacks: Arc<Callbacks>,
    arena: Arena,
    frame: Frame,
    notes: journal::Lane,
}

/// What a client wants of the library.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The call's id.
    pub id: Uuid,
    /// The arguments: a JSON object.
    pub args: &'a str,
    /// Values of earlier calls are among them, which may have been sensitive there: none is repeated.
    pub hidden: bool,
    /// The buffers that go through files.
    pub buffers: &'a [Buffer],
    /// The session that it belongs to.
    pub session: Option<Uuid>,
    /// Counts the calls that reach the library's code.
    pub called: &'a AtomicU64,
    /// The trace that its client has named.
    pub trace: Option<TraceId>,
    /// How long it has waited in this process.
    pub waited: Duration,
    /// When its turn came.
    pub begun: Instant,
}

/// What a call adds to the answer besides result and outputs.
#[derive(Debug, Default)]
pub struct Aside {
    nanoseconds: u128,
    /// See `wire::Returned`.
    around: [Duration; 3],
    errno: Option<SystemError>,
    last_error: Option<SystemError>,
    hresult: Option<SystemError>,
}

impl Aside {
    /// Appends it to the members of a `wire::Returned`.
    pub fn write(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(format!(",\"duration_ns\":{}", self.nanoseconds).as_bytes());
        let [waited, decoding, encoding] = self.around.map(|part| part.as_nanos());
        if waited + decoding + encoding > 0 {
            json.extend_from_slice(format!(",\"around_ns\":[{waited},{decoding},{encoding}]").as_bytes());
        }
        for (name, error) in [("errno", &self.errno), ("last_error", &self.last_error), ("hresult", &self.hresult)] {
            if let Some(error) = error {
                json.extend_from_slice(format!(",\"{name}\":").as_bytes());
                // Plain strings and numbers, and a growing vector: writing cannot fail.
                let _ = serde_json::to_writer(&mut *json, error);
            }
        }
    }
}

impl Caller {
    /// Serves a library that has been loaded; the notes are this lane's.
    pub fn new(library: Arc<Library>, handles: Arc<Handles>, callbacks: Arc<Callbacks>, notes: journal::Lane) -> Self {
        let (declared, arena, frame) = (library.newest(), Arena::default(), Frame::default());
        Self { library, declared, named: None, handles, callbacks, arena, frame, notes }
    }

    /// The calls that follow name this interface. Looked up once for a list; most name the one that the last list named.
    pub fn use_interface(&mut self, revision: Option<u32>) {
        self.named = revision;
        if revision == Some(self.declared.revision) {
            return;
        }
        let found = revision.map_or_else(|| Some(self.library.newest()), |revision| self.library.interface(revision));
        if let Some(declared) = found {
            self.declared = declared;
        }
    }

    /// The outcome of the last call has been written down.
    pub fn note_done(&mut self) {
        self.notes.done();
    }

    /// Gives the library another interface, and tells what was found of it.
    pub fn declare(&self, revision: u32, interface: Interface) -> Loaded {
        self.library.declare(revision, interface)
    }

    /// Does what `callee` says, and appends `"result":…,"outputs":…`.
    ///
    /// # Errors
    /// Whatever keeps the call from being made, or its answer from being told.
    pub fn run(&mut self, callee: Callee, request: Request<'_>, json: &mut Vec<u8>) -> Result<Aside, Fault> {
        let done = self.dispatch(callee, request, json);
        self.clean_up();
        done
    }

    /// The memory of the call is gone, and with it what pointed into it.
    fn clean_up(&mut self) {
        self.handles.end_of_call(self.arena.ranges());
        self.arena.clear();
    }

    fn dispatch(&mut self, callee: Callee, request: Request<'_>, json: &mut Vec<u8>) -> Result<Aside, Fault> {
        let args = request.args;
        if matches!(callee, Callee::Function(_) | Callee::ReadVariable(_) | Callee::WriteVariable(_)) {
            self.expect_interface()?;
        }
        // Those note for themselves when they have got so far that they run.
        if !matches!(callee, Callee::Function(_) | Callee::Prototype(_)) {
            self.notes.running(request.id);
        }
        let result = match callee {
            Callee::Function(number) => return self.declared(number, request, json),
            Callee::Prototype(interface) => return self.ad_hoc(*interface, request, json),
            Callee::ReadVariable(number) => variables::read(&self.declared, number, &self.handles)?,
            Callee::WriteVariable(number) => {
                let Self { declared, handles, callbacks, arena, .. } = self;
                variables::write(declared, number, args, handles, callbacks, arena)?;
                "null".to_owned()
            }
            Callee::Allocate => blocks::allocate(args, &self.handles, request.session)?,
            Callee::ReadBlock => blocks::read(args, &self.handles)?,
            Callee::WriteBlock => blocks::write(args, &self.handles).map(|()| "null".to_owned())?,
            Callee::FreeBlock => blocks::free(args, &self.handles).map(|()| "null".to_owned())?,
        };
        json.extend_from_slice(format!("\"result\":{result},\"outputs\":{{}}").as_bytes());
        Ok(Aside::default())
    }

    /// A number of another interface would call another function.
    fn expect_interface(&self) -> Result<(), Fault> {
        let ours = self.declared.revision;
        if self.named == Some(ours) {
            return Ok(());
        }
        let theirs = self.named.map_or_else(|| "none".to_owned(), |theirs| theirs.to_string());
        Err(malformed(format!(
            "the call is for interface {theirs} of the library, which this agent does not have, or does not have any more; \
             the newest one is {}",
            self.library.newest().revision
        )))
    }

    fn declared(&mut self, number: u32, request: Request<'_>, json: &mut Vec<u8>) -> Result<Aside, Fault> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let Self { library, declared, handles, callbacks, arena, frame, notes, .. } = self;
        let declared = &**declared;
        let function = declared.home.interface.functions.get(index);
        let function = function.ok_or_else(|| malformed(format!("there is no function number {number}")))?;
        let bound = declared.bound[index].as_ref().map_err(Clone::clone)?;
        let codec = codec(function, &declared.home);
        let environment = Environment::of(&declared.home, codec, handles, &function.name).within(request.session);
        let own = Own { arena, frame, notes };
        Call { request, function, bound, library, declared, environment, callbacks, own }.run(json)
    }

    fn ad_hoc(&mut self, interface: Interface, request: Request<'_>, json: &mut Vec<u8>) -> Result<Aside, Fault> {
        let Self { library, declared, handles, callbacks, arena, frame, notes, .. } = self;
        let home = Arc::new(library.another_home(interface));
        let function = home.interface.functions.first().ok_or_else(|| malformed("the prototype is empty".into()))?;
        let bound = library.bind(function, &home)?;
        let environment =
            Environment::of(&home, codec(function, &home), handles, &function.name).within(request.session);
        let own = Own { arena, frame, notes };
        Call { request, function, bound: &bound, library, declared, environment, callbacks, own }.run(json)
    }
}

fn codec(function: &Function, home: &Home) -> Codec {
    Codec { target: home.layouts.target(), ansi: ansi(), lossy: function.lossy }
}

/// The system's ANSI code page, where text can be converted to it.
pub(crate) fn ansi() -> &'static str {
    platform::ansi_code_page().unwrap_or("the system's ANSI code page")
}

/// One call of a function.
struct Call<'a> {
    request: Request<'a>,
    function: &'a Function,
    bound: &'a Bound,
    library: &'a Library,
    declared: &'a Declared,
    environment: Environment<'a>,
    callbacks: &'a Arc<Callbacks>,
    own: Own<'a>,
}

/// What no other lane has.
struct Own<'a> {
    arena: &'a mut Arena,
    frame: &'a mut Frame,
    notes: &'a mut journal::Lane,
}

impl<'a> Call<'a> {
    fn run(mut self, json: &mut Vec<u8>) -> Result<Aside, Fault> {
        let Request { args, hidden, buffers, .. } = self.request;
        let given = decode::split(args, self.function, hidden)?.with_buffers(buffers)?;
        let plan = self.plan(&given.parameters)?;
        let slots = Slots { ranges: plan.slots(), bytes: plan.slots_bytes() };
        let prepared = decode::arguments(given, slots, self.environment, self.callbacks, self.own.arena)?;
        self.call(&plan, &prepared, json)
    }

    /// How the arguments are passed: known since the library was loaded, unless there are some behind `...`.
    fn plan(&self, parameters: &[Parameter]) -> Result<Cow<'a, Plan>, Fault> {
        if parameters.len() == self.function.parameters.len() {
            return Ok(Cow::Borrowed(&self.bound.plan));
        }
        let types: Vec<_> = parameters.iter().map(|parameter| &parameter.ty).collect();
        let (fixed, convention) = (self.function.parameters.len(), self.bound.convention);
        Plan::new(&types, fixed, true, &self.function.result, convention, self.environment.layouts)
            .map(Cow::Owned)
            .map_err(|why| self.unsupported(&why))
    }

    fn unsupported(&self, why: &str) -> Fault {
        let detail = format!("`{}` cannot be called: {why}", self.function.name);
        Fault { code: FaultCode::UnsupportedDeclaration, detail, pointer: None, ran: false }
    }

    fn call(&mut self, plan: &Plan, prepared: &Prepared<'_>, json: &mut Vec<u8>) -> Result<Aside, Fault> {
        let Self { request, function, bound, library, environment, own: Own { arena, frame, notes }, .. } = self;
        let out_of_memory = |error: crate::marshal::arena::OutOfMemory| Fault {
            code: FaultCode::OutOfMemory,
            detail: format!("there is no room for the result: {error}"),
            pointer: None,
            ran: false,
        };
        let result = arena.allocate(plan.result_bytes()).map_err(out_of_memory)?;
        let (arguments_at, result_at) = (arena.address(prepared.arguments), arena.address(result));
        plan.place(arena.bytes(prepared.arguments), arguments_at, result_at, frame);
        encode::reserve(prepared, *environment, arena, json)?;
        request.called.fetch_add(1, Ordering::Relaxed);
        prepared.callbacks.iter().for_each(|(_, callback)| callback.pass());
        notes.running(request.id);
        // Until the answer has been read: a wild pointer in it crashes, too, and then the call is known.
        let _running = Running::enter(&function.name, &request.id, request.trace);
        library.errors.clear();
        let start = Instant::now();
        let returned = enter(bound.address, frame, plan.result_kind());
        let captured = library.errors.capture();
        let ended = Instant::now();
        if !plan.result_in_memory() {
            plan.take_result(&returned, arena.bytes_mut(result));
        }
        let result = self.own.arena.bytes(result);
        // Whatever is wrong with the answer: the function has run.
        self.release(prepared, encode::result_number(result, &self.function.result));
        if returned.removed != plan.removed_bytes().cast_signed() {
            return Err(plan.mismatch(&self.function.name, returned.removed));
        }
        self.check_ends(prepared)?;
        let (owned, answered) = told(result, self.function, prepared, self.environment, self.own.arena, json);
        let hresult = self.hresult(result);
        let freed = self.free(owned);
        answered.and(freed)?;
        let (errno, last_error) = (captured.describe_errno(), captured.describe_last_error());
        let (nanoseconds, decoding) =
            (ended.duration_since(start).as_nanos(), start.duration_since(self.request.begun));
        let around = [self.request.waited, decoding, ended.elapsed()];
        Ok(Aside { nanoseconds, around, errno, last_error, hresult })
    }

    /// Refuses the answer of a function that wrote past the end of its memory.
    fn check_ends(&self, prepared: &Prepared<'_>) -> Result<(), Fault> {
        if let Some(block) = self.own.arena.overrun() {
            return Err(encode::overrun(prepared, block));
        }
        let written = prepared.blocks_held.iter().find(|(_, block)| block.take_overrun());
        written.map_or(Ok(()), |(parameter, _)| Err(encode::overrun_of(prepared, *parameter)))
    }

    /// Retires the handles that the function has closed.
    fn release(&self, prepared: &Prepared<'_>, result: Option<i128>) {
        for (parameter, number) in &prepared.handles {
            let declared = prepared.parameters[*parameter].releases;
            let released = match declared {
                Some(Release::Always) => true,
                Some(Release::When { comparison, value }) => {
                    result.is_some_and(|result| comparison.holds(result, value.into()))
                }
                None => self.environment.handles.is_closed_by(*number, &self.function.name),
            };
            if released {
                self.environment.handles.retire(*number, &self.function.name);
            }
        }
    }

    fn hresult(&self, result: &[u8]) -> Option<SystemError> {
        let code = i32::from_le_bytes(result.get(..4)?.try_into().ok()?);
        (self.function.hresult && code != 0).then(|| errors::hresult(code))
    }

    /// Frees what the library gave away, now that it has been read: each address once, however often it came up.
    fn free(&mut self, owned: Vec<Owned>) -> Result<(), Fault> {
        let mut freed = BTreeSet::new();
        let mut done = Ok(());
        for owned in owned {
            match owned {
                Owned::Bstr(address) if freed.insert(address) => free_bstr(address),
                Owned::By(name, address) if freed.insert(address) => {
                    done = done.and(self.free_by(&name, address));
                }
                Owned::Bstr(_) | Owned::By(..) => {}
            }
        }
        done
    }

    fn free_by(&mut self, name: &str, address: usize) -> Result<(), Fault> {
        let releaser = self.declared.releaser(name, self.library).ok_or_else(|| {
            let detail = format!(
                "the function ran, but what it returned could not be freed: `@frees {name}` names no function of the library \
                 or the system that takes a pointer; correct the header"
            );
            Fault { code: FaultCode::UnknownFunction, detail, pointer: None, ran: true }
        })?;
        let word = (address as u64).to_le_bytes();
        releaser.plan.place(&word[..releaser.plan.slots_bytes().min(word.len())], 0, 0, self.own.frame);
        enter(releaser.address, self.own.frame, ResultKind::Integer);
        Ok(())
    }
}

#[expect(unsafe_code, reason = "the one place where a library is called")]
fn enter(function: usize, frame: &Frame, result: ResultKind) -> thunk::Returned {
    let function = with_exposed_provenance(function);
    // SAFETY: the address came from the loader for an export that is code, and its library is loaded as long as its
    // apartment serves calls: each lane holds it. The arguments are of the declared types, and their memory lies in the arena until the
    // outcome is written. That the declaration is true is the user's promise; the process exists to bear it if not.
    unsafe { thunk::call(function, frame, result) }
}

#[expect(unsafe_code, reason = "what a function returned is where the library says")]
fn told(
    result: &[u8],
    function: &Function,
    prepared: &Prepared<'_>,
    environment: Environment<'_>,
    arena: &Arena,
    json: &mut Vec<u8>,
) -> (Vec<Owned>, Result<(), Fault>) {
    // SAFETY: `result` and the arena are what this very function has left, after the check of its convention and of the
    // ends of its buffers; that its pointers point to what they declare is the header's promise.
    unsafe { encode::outcome(result, function, prepared, environment, arena, json) }
}

#[expect(unsafe_code, reason = "SysFreeString takes what SysAllocString gave")]
fn free_bstr(address: usize) {
    // SAFETY: it is a BSTR that the library returned and thereby gave away (COM's rule for results and outputs), and it is
    // freed once.
    unsafe { platform::bstr::free(address) };
}

const fn malformed(detail: String) -> Fault {
    Fault { code: FaultCode::MalformedRequest, detail, pointer: None, ran: false }
}
