//! The messages. Everything is JSON over HTTP on the loopback interface; both directions carry signatures made with the
//! agent's own key.
//!
//! | who asks | request | body | answer |
//! | --- | --- | --- | --- |
//! | gateway, once | the agent's standard input | a line of [`Handover`]; its end means that the gateway is gone | — |
//! | agent | `PUT /v1/agents/{id}` at the gateway | [`Registration`] | [`Lease`] |
//! | gateway | `PUT /libraries/{name}` at the agent | [`Load`] | [`Loaded`] or [`Fault`] |
//! | gateway | `POST /calls` | [`CallList`] | a line of [`OutcomeLine`] for each call, as it ends |
//! | gateway | `POST /image` | [`ImageRequest`] | the file's `Image` as JSON, or [`Fault`] |
//! | gateway | `POST /shutdown` | — | 204; the agent unloads its libraries and ends |

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::interface::{Convention, Interface};
use crate::target::Target;

/// What an agent that the gateway starts reads as the first line of its standard input. It carries the key, which must
/// never stand in an argument list or in the environment.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Handover {
    /// [`crate::PROTOCOL`] of the gateway.
    pub protocol: u32,
    /// The agent's id.
    pub agent: String,
    /// Which start of this agent it is: 1, 2, …
    pub generation: u64,
    /// Where the gateway listens, as `address:port`.
    pub gateway: String,
    /// The 32 bytes of the agent's key, base64. The key's id is the agent's id.
    pub secret: String,
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
    /// From the [`Handover`].
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

/// How an agent fares.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Health {
    /// Milliseconds since the agent started.
    pub uptime_ms: u64,
    /// Calls that reached a library's code since then.
    pub calls: u64,
    /// Calls that the agent holds and that have not ended.
    pub pending: u64,
    /// Bytes of memory that are resident, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
}

/// The gateway's answer to a registration.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// Milliseconds until the next registration is due; three missed ones end the lease.
    pub heartbeat_ms: u64,
}

/// What `PUT /libraries/{name}` carries: load this file into an apartment of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    /// The file, as the agent's system names it (`Z:\…` under Wine).
    pub file: String,
    /// Its functions; calls name them by index.
    pub interface: Interface,
}

/// A library that was loaded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Loaded {
    /// For each function of the interface, in its order, how it was found.
    pub bindings: Vec<Binding>,
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

/// What `POST /calls` carries: calls for one apartment, to be run in this order.
#[derive(Debug, Serialize, Deserialize)]
pub struct CallList<'a> {
    /// The library's name.
    #[serde(borrow)]
    pub library: Cow<'a, str>,
    /// The calls.
    #[serde(borrow)]
    pub calls: Vec<Call<'a>>,
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
}

/// What a call calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callee {
    /// A function of the interface, by its number.
    Function(u32),
    /// An export with a prototype that came with the call.
    Prototype(Box<Interface>),
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
    pub result: Cow<'a, RawValue>,
    /// The object of output parameters by name.
    #[serde(borrow)]
    pub outputs: Cow<'a, RawValue>,
    /// Nanoseconds in the library's code.
    pub duration_ns: u64,
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
    /// The agent is ending.
    ShuttingDown,
}

/// What `POST /image` carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageRequest {
    /// The file, as the agent's system names it.
    pub file: String,
}
