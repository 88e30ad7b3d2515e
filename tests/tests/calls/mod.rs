//! Calls of declared functions: what goes in and what comes out, on every target.

mod conventions;
mod memory;
mod scalars;
mod text;
