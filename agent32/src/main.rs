//! The agent's program: takes the handover from standard input, serves its gateway, and ends when whoever started it does.
//! With `--join` it is what starts such an agent for a gateway that does not do so itself.
#![expect(clippy::print_stderr, reason = "standard error is the agent's log: the gateway captures it")]

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use agent32::journal::Journal;
use agent32::output::Output;
use agent32::platform::{end_process, keep_streams_from_the_library, let_crashes_end_the_process};
use agent32::server::Server;
use agent32::trust::Trust;
use agent32::{crash, join, layout, registration};
use bridge32_protocol::PROTOCOL;
use bridge32_protocol::wire::{EXIT_REFUSED, Handover};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

/// Exit codes besides [`EXIT_REFUSED`]: 0 the gateway asked for the end or is gone, 1 the system refused
/// something, 2 wrong use, 70 a bug.
const FAILED: u8 = 1;
const WRONG_USE: u8 = 2;
const BUG: u8 = 70;

/// The longest handover: far more than one ever takes.
const MAX_HANDOVER_BYTES: usize = 64 << 10;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match &arguments[..] {
        [] => {}
        [join, file] if join == "--join" => return join::run(file.as_ref()),
        [argument, ..] => return describe(&argument.to_string_lossy()),
    }
    // A panic on any thread is a bug of the agent; half an agent is worse than none, and the gateway starts another.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        end_process(BUG);
    }));
    let failure = match start() {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    eprintln!("agent32: {failure}");
    end_process(match failure {
        Failure::Refused(_) => EXIT_REFUSED,
        Failure::Other(_) => FAILED,
    })
}

/// Why this process ends before its time.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Starting again would change nothing.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Other(#[from] std::io::Error),
}

/// A person has started the agent by hand.
#[expect(clippy::print_stdout, reason = "an answer to the person at the terminal")]
fn describe(argument: &str) -> ExitCode {
    match argument {
        "--version" => println!("agent32 {} ({}, protocol {PROTOCOL})", env!("CARGO_PKG_VERSION"), layout::HOST),
        "--help" => println!(
            "agent32: the process of bridge32 that has a library loaded.\n\n\
             It is started by `bridge32 serve` as a [runtime.{}] command and takes no arguments:\n\
             the gateway hands it what it needs through standard input.\n\n\
             agent32 --join FILE  runs an agent that the gateway does not start itself: a library's table names it with\n  \
             `agent`. FILE is TOML, readable by its owner only:\n    \
             gateway = \"127.0.0.1:8032\"\n    agent = \"NAME\"\n    key = \"the id of a key with the scope `agent`\"\n    \
             secret = \"its secret\"",
            layout::HOST
        ),
        "--join" => {
            eprintln!("agent32 --join takes one file, which says where to register and with which key. Try --help.");
            return ExitCode::from(WRONG_USE);
        }
        _ => {
            eprintln!("agent32 takes no argument {argument:?}; it is started by `bridge32 serve`. Try --help.");
            return ExitCode::from(WRONG_USE);
        }
    }
    ExitCode::SUCCESS
}

fn start() -> Result<Infallible, Failure> {
    let_crashes_end_the_process();
    let mut lifeline = keep_streams_from_the_library()?;
    let handover = read_handover(&mut lifeline)?;
    if handover.protocol != PROTOCOL {
        return Err(Failure::Refused(format!(
            "the gateway speaks protocol {}, this agent {PROTOCOL}; use agent and gateway of the same release",
            handover.protocol
        )));
    }
    if let Err(error) = crash::install(handover.crash_file.as_deref()) {
        let file = handover.crash_file.as_deref().unwrap_or_default();
        eprintln!("agent32: crashes will not be recorded, because {file} cannot be written: {error}");
    }
    let output = Output::of_process(handover.output_marks.as_deref())?;
    watch(lifeline);
    // One thread for the network: the libraries have theirs.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(handover, output))
}

async fn serve(mut handover: Handover, output: Option<Output>) -> Result<Infallible, Failure> {
    // Made by the standard library, whose sockets no child process inherits: on Windows tokio's are.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?.to_string();
    let secret = std::mem::take(&mut handover.secret);
    let trust =
        Trust::new(&handover.key, secret, &address).map_err(|unusable| Failure::Refused(unusable.to_string()))?;
    let server = Server::new(trust.clone(), journal(&handover), output);
    tokio::select! {
        () = Arc::clone(&server).serve(listener) => {
            // Time for the answer to `POST /shutdown` to leave; then without the libraries' exit handlers.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            end_process(0)
        }
        refused = registration::keep(handover, address, server, trust) => Err(Failure::Refused(refused.to_string())),
    }
}

/// The file in which the lanes note their calls. Without it everything goes on; only after a crash less is known.
fn journal(handover: &Handover) -> Journal {
    let file = handover.journal.as_deref();
    Journal::open(file.map(Path::new)).unwrap_or_else(|error| {
        eprintln!("agent32: calls will not be noted, because {} cannot be used: {error}", file.unwrap_or_default());
        Journal::default()
    })
}

/// The first line of standard input. The protocol's version is looked at before the rest, which another version may
/// have in another form.
fn read_handover(lifeline: &mut File) -> Result<Handover, Failure> {
    #[derive(serde::Deserialize)]
    struct Version {
        protocol: u32,
    }
    // With room for all of it: a buffer that grew would leave the key behind in the places where it was before.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_HANDOVER_BYTES));
    let mut byte = [0];
    // Byte by byte, once in a process's life: what follows the line is not this function's.
    while lifeline.read(&mut byte)? == 1 && byte[0] != b'\n' && line.len() < MAX_HANDOVER_BYTES {
        line.push(byte[0]);
    }
    let parsed = serde_json::from_slice::<Version>(&line).and_then(|version| {
        let unread = Handover { protocol: version.protocol, ..Handover::default() };
        if version.protocol == PROTOCOL { serde_json::from_slice(&line) } else { Ok(unread) }
    });
    parsed.map_err(|error| {
        let detail = format!("standard input holds no handover ({error}); the agent is started by `bridge32 serve`");
        Failure::Refused(detail)
    })
}

/// Ends this process as soon as the gateway is gone, even if a library hangs.
fn watch(mut lifeline: File) {
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        loop {
            match lifeline.read(&mut ignored) {
                Ok(1..) => {}
                // A signal handler of the library ran on this thread.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => end_process(0),
            }
        }
    });
}
