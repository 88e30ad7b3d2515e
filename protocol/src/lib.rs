//! What the gateway and its agents say to each other: plain data, no I/O, no `unsafe`, fixed-width integers only.
//!
//! - [`interface`]: the functions of a library and their types, as read from a C header. The gateway sends it when
//!   a library is loaded, and again when it was replaced; a call then names a function by its number.
//! - [`target`]: the ABIs that an agent can be built for, and the widths that C leaves to them.
//! - [`wire`]: the messages themselves.
//! - [`journal`]: what an agent notes of its calls for the time after its end.
//! - [`output`]: where in the output of a library a call ends.
//! - [`json`]: what both sides do with JSON that they do not read.

pub mod interface;
pub mod journal;
pub mod json;
pub mod output;
pub mod target;
pub mod wire;

/// The version of everything in this crate. The two sides compare it before anything else is said: the gateway in an
/// agent's registration, the agent in the [`wire::Handover`].
pub const PROTOCOL: u32 = 7;
