//! The messages. Everything is JSON over HTTP on the loopback interface; both directions carry signatures made with the
//! agent's own key, except on a connection that a signed request has passed on to a lane.
//!
//! | who asks | request | body | answer |
//! | --- | --- | --- | --- |
//! | gateway, once | the agent's standard input | a line of [`Handover`]; its end means that the gateway is gone | — |
//! | agent | `PUT /v1/agents/{id}` at the gateway | [`Registration`] | [`Lease`] |
//! | gateway | `PUT /libraries/{name}` at the agent | [`Load`] | [`Loaded`] or [`Fault`] |
//! | gateway | `PUT /libraries/{name}/interface` | [`Rebind`] | [`Loaded`] or [`Fault`] |
//! | gateway | `POST /calls` | [`CallList`] | a line of [`OutcomeLine`] for each call, as it ends |
//! | gateway | `POST /lanes/{library}/{k}`, an upgrade to [`LANE`] | — | 101; the thread of that lane serves the connection from now on: `POST /calls` with one call |
//! | gateway | `DELETE /sessions/{library}/{session}?lane={k}` | — | [`SessionEnd`] or [`Fault`] |
//! | gateway | `GET /observation` | — | [`Observation`] |
//! | gateway | `GET /handles/{library}` | — | [`HandleList`] |
//! | gateway | `GET /callbacks/{library}` | — | [`CallbackList`] |
//! | gateway | `GET /callbacks/{library}/{id}/events?after={n}` | — | a line of [`CallbackEvent`] for each, without end |
//! | gateway | `DELETE /callbacks/{library}/{id}` | — | 204 or [`Fault`] |
//! | gateway | `POST /image` | [`ImageRequest`] | the file's `Image` as JSON, or [`Fault`] |
//! | gateway | `POST /shutdown` | — | 204; the agent unloads its libraries and ends |
//! | gateway | `POST /end` | — | none; the agent ends at once, whatever its libraries do |
//! | gateway, first on each connection | `GET /proof?of={challenge}` | — | 204 with the signature of a request `PROOF` for the same target |

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::interface::{Convention, Interface};
use crate::target::Target;

/// What an agent reads as the first line of its standard input, from the gateway, or from the `agent32 --join` that somebody
/// else has started. It carries the key, which must never stand in an argument list or in the environment.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Handover {
    /// [`crate::PROTOCOL`] of the gateway.
    pub protocol: u32,
    /// The agent's id.
    pub agent: String,
    /// Which start of this agent it is: 1, 2, … For an agent that the gateway has not started it is 0: its [`Lease`] says.
    pub generation: u64,
    /// Where the gateway listens, as `address:port`.
    pub gateway: String,
    /// The id of the key: the agent's own for one that the gateway starts, else that of a key with the scope `agent`.
    pub key: String,
    /// The bytes of the key, base64.
    pub secret: Zeroizing<String>,
    /// The file, as the agent's system names it, into which the agent writes its [`CrashRecord`] when the library takes
    /// the process down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash_file: Option<String>,
    /// The file, as the agent's system names it, in which the agent notes its calls: see [`crate::journal`]. The gateway has
    /// made it, with its full size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<String>,
    /// The secret of the marks with which the agent ends the output of each call: see [`crate::output`]. Without one it writes
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_marks: Option<String>,
}

/// What an agent writes while it is dying: one JSON object a line, so that a record that breaks off is still of use.
/// Later lines add what the earlier ones leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrashRecord {
    /// What happened, in words: `SIGSEGV (segmentation fault)`, `0xC0000005 (access violation)`, `exit(3) was called`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// The number of the signal or the exception.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// What the code did to which address: `read of 0x00000000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// The file name of the module whose code ran, without its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Bytes from the beginning of that module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The nearest export at or before that place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Bytes from that export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol_offset: Option<u64>,
    /// The library whose apartment's thread it was; `None` for a thread that a library has started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// The function that ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The id of its call; of the session, while what a session owned was being released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The trace that its client named, 32 hexadecimal digits; `None` where it named none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// The exit code of an agent that cannot work with this gateway, such as one of another protocol: starting it again
/// would change nothing. The last line on its standard error says why.
pub const EXIT_REFUSED: u8 = 3;

/// How an agent makes itself known, and that it is still there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registration {
    /// [`crate::PROTOCOL`] of the agent.
    pub protocol: u32,
    /// The version of the agent program.
    pub version: String,
    /// From the [`Handover`], or, where that says 0, from the last [`Lease`]: 0 asks for the next number.
    pub generation: u64,
    /// What the agent was built for.
    pub runtime: Target,
    /// Bits of a pointer in the agent's process: the proof that it is a 32-bit one.
    pub pointer_bits: u8,
    /// The process id as the agent's own system sees it (under Wine not the host's).
    pub pid: u32,
    /// Where the agent listens, as `address:port`.
    pub address: String,
    /// The names of the libraries that are loaded.
    pub libraries: Vec<String>,
    /// How it fares.
    pub health: Health,
}

/// How an agent fares. What a system does not tell is `None`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Health {
    /// Milliseconds since the agent started.
    pub uptime_ms: u64,
    /// Calls that reached a library's code since then.
    pub calls: u64,
    /// Calls that the agent holds and that have not ended.
    pub pending: u64,
    /// Bytes of memory that are resident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
    /// Bytes of the address space that are taken, of a 32-bit process: a 64-bit one does not run out of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_space_bytes: Option<u64>,
    /// The largest block of the address space that is free, of a 32-bit process: no allocation can be larger, however
    /// much is free in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_free_bytes: Option<u64>,
    /// Open file descriptors (Linux) or handles (Windows).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handles: Option<u64>,
    /// Threads of the process, those of its libraries included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// GDI objects (Windows): a process can have 10 000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gdi_objects: Option<u64>,
    /// USER objects, such as windows (Windows): a process can have 10 000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_objects: Option<u64>,
}

/// The gateway's answer to a registration.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// Milliseconds until the next registration is due; three missed ones end the lease.
    pub heartbeat_ms: u64,
    /// The number of this start.
    pub generation: u64,
}

/// What `PUT /libraries/{name}` carries: load this file into an apartment of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    /// The file, as the agent's system names it (`Z:\…` under Wine).
    pub file: String,
    /// The SHA-256 that the file must have, in hexadecimal; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The number of the agent's start, which its handles carry.
    pub generation: u64,
    /// The number of the interface.
    pub revision: u32,
    /// Its functions; calls name them by index.
    pub interface: Interface,
    /// Which compiler's ABI it follows where those of one platform differ; `None` lets the file decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// How many threads may call the library at once, 1 to [`MAX_THREADS`]: the apartment's lanes, numbered from 0.
    #[serde(default = "one")]
    pub threads: u32,
    /// The slot of lane 0 in the journal; the others follow.
    #[serde(default)]
    pub slot: u32,
}

/// The most threads that an apartment has.
pub const MAX_THREADS: u32 = 64;

const fn one() -> u32 {
    1
}

/// How many interfaces of a library an agent keeps: the last ones. A list of calls runs with the one that it names.
pub const INTERFACES_KEPT: usize = 4;

/// What `PUT /libraries/{name}/interface` carries: another interface, which lists of calls may name from now on. Those that
/// name an earlier one go on with that, on whatever lane they run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rebind {
    /// The number of the interface.
    pub revision: u32,
    /// The library's functions; calls name them by index.
    pub interface: Interface,
}

/// The two families of C compilers whose ABIs for i386 Windows differ in details: how fastcall passes 64-bit integers,
/// where structures of one `float` come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// GCC, MinGW, Clang for GNU targets.
    Gnu,
    /// Visual C++ and those that imitate it.
    Microsoft,
}

/// A library that was loaded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Loaded {
    /// For each function of the interface, in its order, how it was found.
    pub bindings: Vec<Binding>,
    /// For each variable of the interface, in its order, why it cannot be reached; `None` if it can.
    #[serde(default)]
    pub variables: Vec<Option<Fault>>,
    /// What was loaded.
    pub file: LoadedFile,
}

/// The file of a library as the agent read it right before the system's loader did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedFile {
    /// Its path, as the agent's system names it.
    pub path: String,
    /// The SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// How a declared function was found in the library.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// It is there.
    Bound {
        /// The export's name as the file has it.
        export: String,
        /// The convention that calls use.
        convention: Convention,
    },
    /// It cannot be called.
    Missing(Fault),
}

/// What a connection becomes that the thread of a lane serves: HTTP/1.1 from its beginning.
pub const LANE: &str = "bridge32-lane";

/// What `POST /calls` carries: calls for one apartment, to be run in this order.
#[derive(Debug, Serialize, Deserialize)]
pub struct CallList<'a> {
    /// The library's name.
    #[serde(borrow)]
    pub library: Cow<'a, str>,
    /// The interface whose functions and variables the calls name by their numbers; an agent that does not have it, or does
    /// not have it any more, refuses them. `None` where no call names any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The lane that runs them.
    #[serde(default)]
    pub lane: u32,
    /// The calls.
    #[serde(borrow)]
    pub calls: Vec<Call<'a>>,
    /// They belong together: nothing else runs between them, and an argument `{"$ref": "0.result"}` takes an earlier
    /// one's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
}

/// How the calls of a batch hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Calls after one that failed are not run; their outcome is [`FaultCode::BatchStopped`].
    pub stop_on_error: bool,
}

/// One call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Call<'a> {
    /// Its id, for the agent's log and crash report.
    pub id: Uuid,
    /// What to call: a [`Callee`], read for each call by itself, so that one that cannot be read spoils no other.
    #[serde(borrow)]
    pub callee: &'a RawValue,
    /// The arguments as the client wrote them: a JSON object by parameter name.
    #[serde(borrow)]
    pub args: &'a RawValue,
    /// The session that it belongs to: handles, blocks of memory and callbacks that it makes are released with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
    /// The trace that its client has named and the call's span in it, as W3C Trace Context writes them.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Cow<'a, str>>,
    /// The buffers of bytes that go through files instead of `args` and the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buffers: Vec<Buffer>,
}

/// A buffer of bytes that both sides have in one file, which the gateway has made for this call and removes after it. It writes
/// nothing there, and does not shorten it, until it has the outcome; the agent has let go of it by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffer {
    /// The parameter. It is none of `args` if bytes are given here.
    pub parameter: String,
    /// The file, as the agent's system names it.
    pub file: String,
    /// How many bytes at the file's beginning are the parameter's value; `None` where none is given, or `args` have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<u64>,
    /// Whether what the function leaves in the buffer is to stay in the file: then a [`Digest`] stands for it among the outputs. Of
    /// a buffer of no more than [`LARGEST_INLINE`] bytes the agent may answer the bytes themselves as ever.
    #[serde(default)]
    pub answered: bool,
    /// The most bytes that the buffer may have.
    pub most: u64,
}

/// What stands in JSON for bytes that are elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// How many there are.
    pub bytes: u64,
    /// Their SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}

impl Digest {
    /// Reads one; `None` if the JSON is something else.
    pub fn read(json: &str) -> Option<Self> {
        let digest: Self = serde_json::from_str(json).ok()?;
        let is_hash =
            digest.sha256.len() == 64 && digest.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then_some(digest)
    }
}

/// Up to so many bytes a buffer goes as base64 in JSON, whoever would have it otherwise: a file costs more than that.
pub const LARGEST_INLINE: usize = 128 << 10;

/// What a call calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callee {
    /// A function of the interface, by its number.
    Function(u32),
    /// An export with a prototype that came with the call.
    Prototype(Box<Interface>),
    /// Reads a variable of the interface, by its number: `result` is its value. `args` is `{}`.
    ReadVariable(u32),
    /// Writes one: `args` is `{"value": …}`.
    WriteVariable(u32),
    /// Makes a block of memory that outlives the call: `args` is `{"size", "data"?}`, `result` `{"handle", "size"}`.
    Allocate,
    /// Reads one: `args` is `{"handle"}`, `result` `{"data": base64}`.
    ReadBlock,
    /// Writes into one: `args` is `{"handle", "data", "offset"?}`, `result` null.
    WriteBlock,
    /// Frees one: `args` is `{"handle"}`, `result` null.
    FreeBlock,
}

/// One line of the answer to `POST /calls`.
#[derive(Debug, Serialize, Deserialize)]
pub struct OutcomeLine<'a> {
    /// The call's index in the list.
    pub index: u32,
    /// How it ended.
    #[serde(borrow)]
    pub outcome: Outcome<'a>,
}

/// How a call ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<'a> {
    /// The function returned.
    #[serde(borrow)]
    Returned(Returned<'a>),
    /// It was not called, or its answer cannot be told.
    Fault(Fault),
}

/// The answer of a function.
#[derive(Debug, Serialize, Deserialize)]
pub struct Returned<'a> {
    /// The result; `null` for `void`.
    #[serde(borrow)]
    pub result: &'a RawValue,
    /// The object of output parameters by name.
    #[serde(borrow)]
    pub outputs: &'a RawValue,
    /// Nanoseconds in the library's code.
    pub duration_ns: u64,
    /// Nanoseconds around that: from the arrival of the list to the call's turn, from there to the library's code (its
    /// arguments are decoded), and from there until the answer is written (result and outputs are encoded).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub around_ns: [u64; 3],
    /// `errno`, where the function set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<SystemError>,
    /// `GetLastError()`, where the function set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<SystemError>,
    /// What the returned `HRESULT` means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hresult: Option<SystemError>,
}

fn is_zero(nanoseconds: &[u64; 3]) -> bool {
    *nanoseconds == [0; 3]
}

/// An error number of the operating system, with what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemError {
    /// The number.
    pub code: i64,
    /// Its name in the system's headers (`ENOENT`), where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The system's text for it.
    pub message: String,
}

/// What became of the things that a session owned. First its handles were given to the functions that the header declares
/// for that, the newest first; then its callbacks were ended and its blocks of memory freed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnd {
    /// How many things were released.
    pub released: u64,
    /// What could not be, at most [`FAILURES_TOLD`] of them. It stays with the library, and is no session's any more.
    pub failed: Vec<NotReleased>,
    /// How many handles stay with the library because no function is declared that releases them, or because there are more
    /// failures than are told.
    pub left: u64,
}

/// So many things that could not be released are told one by one.
pub const FAILURES_TOLD: usize = 100;

/// A thing that a session owned and that could not be released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReleased {
    /// What it stands for, as [`HandleView::kind`].
    pub kind: String,
    /// What went wrong, for a person.
    pub why: String,
}

/// What an agent sees of itself while a library is being loaded, or a call does not return.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The windows that it shows (Windows): nobody sits in front of them.
    pub windows: Vec<SeenWindow>,
    /// What the system says of its threads, a sentence each.
    pub notes: Vec<String>,
}

/// A window of the agent's process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenWindow {
    /// What stands in its title bar.
    pub title: String,
    /// What stands in it: texts and buttons, in their order.
    pub texts: Vec<String>,
}

/// The handles that are live.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HandleList {
    /// In the order in which they were given out.
    pub handles: Vec<HandleView>,
}

/// A live handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandleView {
    /// The token that clients have.
    pub handle: String,
    /// What it stands for: the name of a structure, `void`, a handle type, or `memory` for a block.
    pub kind: String,
    /// The function that gave it out; `None` for a block of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The bytes of a block of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The function that closes it, where the header says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed_by: Option<String>,
    /// Seconds since it was given out.
    pub age_s: u64,
}

/// The callbacks that outlive their call.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CallbackList {
    /// In the order in which they were made.
    pub callbacks: Vec<CallbackView>,
}

/// A callback that outlives its call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackView {
    /// Its id.
    pub id: String,
    /// The function that it was passed to.
    pub function: String,
    /// The parameter of that function.
    pub parameter: String,
    /// How often it was called.
    pub invocations: u64,
    /// How many of its events were dropped unread, because the buffer was full.
    pub dropped: u64,
}

/// One invocation of a callback.
#[derive(Debug, Serialize, Deserialize)]
pub struct CallbackEvent<'a> {
    /// 1 is the first invocation; a gap means that events were dropped.
    pub number: u64,
    /// `{"args": {…}, "returned": …, "at": milliseconds since 1970}`.
    #[serde(borrow)]
    pub event: Cow<'a, RawValue>,
}

/// Why something was not done. The gateway makes a problem document of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind it is.
    pub code: FaultCode,
    /// What happened and what to do, for a person.
    pub detail: String,
    /// The JSON pointer to the argument at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Whether the library's code ran before this happened.
    #[serde(default)]
    pub ran: bool,
}

/// The kinds of [`Fault`]; the same words as the `code` of a problem document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// An argument is missing, unknown, of the wrong type or out of range. Nothing was called.
    ArgumentMismatch,
    /// The function removed another number of bytes from the stack than its declaration says.
    ConventionMismatch,
    /// The library has no such export.
    UnknownFunction,
    /// The declaration has something that cannot be passed.
    UnsupportedDeclaration,
    /// Text that the library gave back is not valid in the declared encoding.
    UndecodableText,
    /// The library could not be loaded.
    LoadFailed,
    /// The agent has no such library loaded.
    NotLoaded,
    /// The request itself is not what the protocol says.
    MalformedRequest,
    /// There is not enough memory in the agent for the arguments.
    OutOfMemory,
    /// The file of a [`Buffer`] cannot be used.
    BufferUnavailable,
    /// A handle that was closed, or that an earlier start of the agent gave out.
    StaleHandle,
    /// The library wrote past the end of a buffer.
    BufferOverrun,
    /// An earlier call of the batch failed, and this one was not run.
    BatchStopped,
    /// The agent is ending.
    ShuttingDown,
}

/// What `POST /image` carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageRequest {
    /// The file, as the agent's system names it.
    pub file: String,
}
