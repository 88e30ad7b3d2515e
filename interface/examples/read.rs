//! Reads headers and says what became of them and how long it took:
//! `cargo run --release -p bridge32-interface --example read -- win32 /usr/include/sqlite3.h`.

#![expect(clippy::print_stdout, reason = "what it is for")]

use std::time::Instant;

use bridge32_interface::{Options, Source, read};
use bridge32_protocol::target::Target;

/// The first time is that of a program that has just started; the others show what reading takes.
const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: read linux32|win32|linux64|win64 FILE…";
    let name = arguments.next().ok_or(usage)?;
    let target = Target::ALL.into_iter().find(|target| target.name() == name).ok_or(usage)?;
    let mut files = Vec::new();
    for path in arguments {
        files.push((std::fs::read(&path)?, path));
    }
    let sources: Vec<Source> = files.iter().map(|(text, name)| Source { name, text }).collect();
    for _ in 0..RUNS {
        let start = Instant::now();
        let header = read(&sources, &Options::new(target));
        let took = start.elapsed();
        let functions = header.interface.functions.len();
        let callable = header.interface.functions.iter().filter(|function| function.unsupported.is_none()).count();
        println!(
            "{functions} functions, {callable} of them callable, {} diagnostics, {took:?}",
            header.diagnostics.len()
        );
    }
    Ok(())
}
