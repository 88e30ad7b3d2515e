//! `cargo xtask TASK`: what a developer and CI do with this workspace. The table [`TASKS`] is the whole program; each
//! task is a function in the module of its name.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "telling a person what happens is this program's job")]

mod bench;
mod build;
mod chroot;
mod demo;
mod fuzz;
mod libraries;
mod packages;
mod progress;
mod run;
mod screenshots;
mod servers;
mod setup;
mod soak;
mod strangers;
mod test;
mod toolchain;
mod wheel;
mod wine;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::Workspace;

type Task = fn(&Workspace) -> Result<()>;

/// What a developer can ask for: the word, the function, and the one line that `cargo xtask` shows.
const TASKS: &[(&str, Task, &str)] = &[
    (
        "setup",
        setup::task,
        "install what a fresh machine lacks: 32-bit compilers and libraries, Wine, libraries, servers and tools for the tests",
    ),
    (
        "build",
        build::task,
        "make dist/: the gateway and the agents, for Windows, too, the demo libraries and their configuration",
    ),
    ("run", run::task, "build, then start the demo on 127.0.0.1:8032 until Ctrl-C"),
    ("test", test::task, "everything that CI checks, and nothing else"),
    (
        "screenshots",
        screenshots::task,
        "[PAGE…]: build, and put pictures of the dashboard's pages, in each of its looks, into screenshots/",
    ),
    ("fuzz", fuzz::task, "TARGET [SECONDS]: feed hostile input to what reads files, headers, arguments and signatures"),
    ("bench", bench::task, "[--json] [SUBJECT]: what things cost, against baselines of the same run"),
    ("soak", soak::task, "[OPTION…]: failures of every kind under load, and what holds then; --help has the options"),
];

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1);
    let Some((_, task, _)) = TASKS.iter().find(|(name, ..)| Some(*name) == wanted.as_deref()) else {
        if let Some(word) = &wanted {
            eprintln!("there is no task \"{word}\"");
        }
        println!("usage: cargo xtask TASK\n");
        for (name, _, about) in TASKS {
            println!("  {name:<13}{about}");
        }
        println!("\nenvironment:");
        for (name, about) in workspace::VARIABLES {
            println!("  {name:<18}{about}");
        }
        return if wanted.is_none() { ExitCode::SUCCESS } else { ExitCode::from(2) };
    };
    match Workspace::find().and_then(|workspace| task(&workspace)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
