//! Servers and their tools that nobody here wrote: PostgreSQL ([`crate::postgres`]), Prometheus with `promtool`, and Rotel,
//! which collects what OpenTelemetry sends. `cargo xtask setup` leaves `dist/strangers/servers/run`, which starts them.
//!
//! ```no_run
//! use bridge32_tests::servers::{self, Server};
//!
//! let address = format!("127.0.0.1:{}", servers::free_port());
//! let mut prometheus = servers::program("prometheus");
//! prometheus.arg("--config.file=prometheus.yml").arg(format!("--web.listen-address={address}"));
//! let prometheus = Server::start(prometheus, std::path::Path::new("prometheus.log"));
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::dist;

/// How long a server may take to end.
const STOP: Duration = Duration::from_secs(20);

/// One of `initdb`, `postgres`, `psql`, `prometheus`, `promtool` and `rotel`. It takes no configuration from this process's environment.
pub fn program(name: &str) -> Command {
    let run = dist::place().join("strangers/servers/run");
    assert!(run.exists(), "{} is not there: run `cargo xtask setup` first", run.display());
    let mut command = Command::new(run);
    command.arg(name);
    command
}

/// A port of 127.0.0.1 at which nobody listens now.
pub fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.expect("loopback has free ports").port()
}

/// A server that was started for a test, and is killed with it.
#[derive(Debug)]
pub struct Server {
    pid: u32,
    log: PathBuf,
    ended: Receiver<ExitStatus>,
    status: Option<ExitStatus>,
}

impl Server {
    /// Starts it. What it prints goes to `log`, which is emptied first.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let output = File::create(log).expect("the log can be written");
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("it can be shared")).stderr(output);
        let (tell_pid, pid) = mpsc::channel();
        let (tell_end, ended) = mpsc::channel();
        // The program is ended with the thread that started it (run.sh): this one lives as long as the program.
        std::thread::spawn(move || {
            let mut child = command.spawn().expect("the server can be started");
            tell_pid.send(child.id()).expect("the test waits for it");
            let _ = tell_end.send(child.wait().expect("it is our child"));
        });
        let pid = pid.recv().expect("the server has been started");
        Self { pid, log: log.to_owned(), ended, status: None }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it has ended, if it has.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.status = self.status.or_else(|| self.ended.try_recv().ok());
        self.status
    }

    /// Sends it a signal, and waits until it has ended.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        self.try_end(signal).unwrap_or_else(|| panic!("it did not end after {signal}:\n{}", self.log()))
    }

    /// The same, for who must not fail: nothing if it did not end.
    pub(crate) fn try_end(&mut self, signal: Signal) -> Option<ExitStatus> {
        if self.has_ended().is_none() {
            // It fails if the process has ended just now.
            let _ = kill(Pid::from_raw(self.pid.try_into().ok()?), signal);
            self.status = self.ended.recv_timeout(STOP).ok();
        }
        self.status
    }

    /// Tries again until `attempt` gives something; fails if the server ends meanwhile, or if it takes more than `seconds`.
    pub fn ready<T>(&mut self, seconds: f64, what: &str, mut attempt: impl FnMut(&Self) -> Option<T>) -> T {
        crate::within(seconds, what, || {
            if let Some(status) = self.has_ended() {
                panic!("it ended ({status}), and not \"{what}\":\n{}", self.log());
            }
            attempt(self)
        })
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "a failed test shows what the server said")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}--- end of the log ---", self.log.display(), self.log());
        }
        let _ = self.try_end(Signal::SIGKILL);
    }
}
