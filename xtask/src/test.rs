//! `cargo xtask test`: everything that CI checks. It stops at the first step that fails. A missing 32-bit compiler, Wine or server
//! is such a failure: nothing is skipped.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::servers::{self, Postgres};
use crate::setup::{self, Ready};
use crate::toolchain::{Target, Toolchain};
use crate::workspace::Workspace;
use crate::{build, libraries, progress, strangers};

/// The package of the end-to-end tests, which need `dist/`.
const END_TO_END: &str = "bridge32-tests";

/// Those of them that are run with the gateway for Windows, too: calls, crashes and restarts, signatures, the history, Windows itself.
const ON_WINDOWS: &[&str] = &[
    "calls::",
    "crashes::",
    "lifecycle::",
    "signed::",
    "history::",
    "kernel32::",
    // `windows_gateway`, too.
    "gateway::",
    // Names are matched in part, and these are of other folders: ELF libraries, pages, modes of Unix.
    "--skip=kept_calls::",
    "--skip=pages::",
];

/// The task.
pub(crate) fn task(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps { done: Vec::new() };
    let result = all(workspace, &mut steps);
    steps.summarise();
    result
}

fn all(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    let host = Toolchain::host(workspace);
    let cargo = |subcommand: &str, arguments: &[&str]| {
        let mut command = host.cargo(subcommand);
        command.args(arguments).current_dir(&workspace.root);
        command
    };
    steps.run("format", || {
        let mut format = Command::new("cargo");
        progress::run(format.args(["fmt", "--all", "--check"]).current_dir(&workspace.root))
            .context("`cargo fmt --all` repairs it")
    })?;
    let ready: Ready = steps.run("set-up", || setup::ensure(workspace))?;
    steps.run("clippy", || {
        progress::run(&mut cargo("clippy", &["--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    let postgres = steps.run("servers for the tests", || Postgres::start(workspace, &servers::ensure(workspace)?))?;
    let for_tests = (servers::POSTGRES_VARIABLE, postgres.url());
    steps.run("unit tests", || progress::run(unit_tests(&cargo).env(for_tests.0, for_tests.1)))?;
    steps.run("documentation tests", || progress::run(&mut cargo("test", &["--workspace", "--doc"])))?;
    steps.run("build for 64-bit Windows", || build::windows(workspace, &ready))?;
    steps.run("build", || build::dist(workspace, &ready))?;
    let tests_of = |package: &str, toolchain: &Toolchain, runner: &dyn Fn(&mut Command)| {
        tests_of(workspace, package, toolchain, runner)
    };
    steps.run("the agent's tests, 32-bit ELF", || tests_of(build::AGENT, &ready.linux32, &|_| {}))?;
    steps.run("the agent's tests, 32-bit Windows", || {
        tests_of(build::AGENT, &ready.windows32, &|cargo| ready.wine.run_tests_of(Target::Windows32, cargo))
    })?;
    steps.run("what only Windows has, 64-bit", || {
        tests_of("bridge32-windows", &ready.windows64, &|cargo| ready.wine.run_tests_of(Target::Windows64, cargo))
    })?;
    steps.run("libraries for the tests", || libraries::ensure(workspace))?;
    let with_dist = |arguments: &[&str]| {
        let mut test = cargo("test", &[&["--package", END_TO_END], arguments].concat());
        progress::run(test.env("BRIDGE32_DIST", &workspace.dist).env(for_tests.0, for_tests.1))
    };
    steps.run("end to end", || with_dist(&["--lib", "--test", "end_to_end"]))?;
    steps.run("end to end, with the gateway for Windows", || {
        with_dist(&[&["--features", "windows-gateway", "--test", "end_to_end", "--"], ON_WINDOWS].concat())
    })?;
    steps.run("strangers' tools", || strangers::ensure(workspace))?;
    steps.run("strangers: documents, requests, clients", || with_dist(&["--test", "strangers"]))?;
    steps.run("the browser", || strangers::ensure_browser(workspace))?;
    steps.run("in a browser", || with_dist(&["--test", "browser"]))
}

/// Layouts, conventions and machine code must be right where they are used, which is not this machine's own width or system. Release,
/// because `build` has just compiled all that the tests need so (with Debian's compiler `std`, too); the checks that only
/// a debug build has are made by the unit tests.
fn tests_of(workspace: &Workspace, package: &str, toolchain: &Toolchain, runner: &dyn Fn(&mut Command)) -> Result<()> {
    let mut test = toolchain.cargo("test");
    test.args(["--release", "--package", package, "--tests"]).current_dir(&workspace.root);
    runner(&mut test);
    progress::run(&mut test)
}

/// `cargo nextest run` where it is installed, else `cargo test`.
fn unit_tests(cargo: &dyn Fn(&str, &[&str]) -> Command) -> Command {
    let nextest =
        Command::new("cargo").args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let packages = ["--workspace", "--exclude", END_TO_END];
    if nextest.is_ok_and(|status| status.success()) {
        return cargo("nextest run", &packages);
    }
    cargo("test", &[&packages[..], &["--lib", "--bins", "--tests"]].concat())
}

/// What was run, and how long it took.
struct Steps {
    done: Vec<(&'static str, Duration, bool)>,
}

impl Steps {
    fn run<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n==> {name}");
        let start = Instant::now();
        let result = step();
        self.done.push((name, start.elapsed(), result.is_ok()));
        result.with_context(|| format!("the step \"{name}\" failed"))
    }

    fn summarise(&self) {
        println!("\n==> summary");
        for (name, took, passed) in &self.done {
            println!("  {} {name:<34}{:>7.1} s", if *passed { "ok    " } else { "FAILED" }, took.as_secs_f32());
        }
    }
}
