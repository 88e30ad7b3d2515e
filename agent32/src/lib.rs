//! The agent of bridge32: the process that has a library loaded, and calls it for the gateway.
//!
//! `server` takes requests, `apartment` runs them on the library's own thread, with `marshal` for the data and `abi` for
//! the call itself. One code base for every runtime: `linux32`, `win32`, `linux64`, `win64`.

pub mod abi;
pub mod apartment;
pub mod batch;
pub mod blocks;
pub mod callbacks;
pub mod caller;
pub mod crash;
pub mod diagnosis;
pub mod errors;
pub mod fingerprint;
pub mod handles;
pub mod health;
pub mod join;
pub mod journal;
pub mod layout;
pub mod library;
pub mod marshal;
pub mod output;
pub mod platform;
pub mod registration;
pub mod server;
pub mod trust;
pub mod variables;
