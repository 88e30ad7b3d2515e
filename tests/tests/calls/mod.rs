//! Calls of declared functions: what goes in and what comes out, on every target.

mod batches;
mod blocks;
mod callbacks;
mod conventions;
mod encodings;
mod memory;
mod scalars;
mod structures;
mod text;
mod variables;
