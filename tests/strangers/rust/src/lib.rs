//! What progenitor generates, and nothing else: that it compiles is the test.
#![allow(clippy::all, clippy::pedantic, reason = "nobody here writes it")]

include!(concat!(env!("OUT_DIR"), "/client.rs"));
