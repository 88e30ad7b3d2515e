//! msl-loadlib of PyPI, which is for the same purpose: a client in Python, and its own 32-bit server with a library.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::Sample;

/// How it is called here.
pub(super) const NAME: &str = "msl-loadlib";
/// The folder with its package: `cargo xtask bench` says which.
const FOLDER: &str = "BRIDGE32_PEER";
/// Callers at the same time.
const CALLERS: [usize; 2] = [1, 64];

/// The client's process, and through it the server's.
#[derive(Debug)]
pub(super) struct Peer {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    start_ms: f64,
}

impl Peer {
    pub(super) fn start() -> Result<Self, Box<dyn Error>> {
        let folder = std::env::var_os(FOLDER).ok_or("run this by `cargo xtask bench`, which brings msl-loadlib")?;
        let mut command = Command::new("python3");
        command.args(["-c", include_str!("peer.py")]).env("PYTHONPATH", folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("it has an output")?;
        let mut peer =
            Self { orders: child.stdin.take(), child, answers: BufReader::new(output).lines(), start_ms: 0.0 };
        peer.start_ms = number(&peer.answer()?, "start_ms")?;
        Ok(peer)
    }

    /// The milliseconds from its start to the first answer.
    pub(super) fn start_ms(&self) -> f64 {
        self.start_ms
    }

    /// Calls with one caller, and with many.
    pub(super) fn round(&mut self, seconds: f64) -> Result<Vec<(usize, Sample)>, Box<dyn Error>> {
        CALLERS
            .into_iter()
            .map(|callers| {
                let orders = self.orders.as_mut().ok_or("it takes orders")?;
                writeln!(orders, "{callers} {seconds}")?;
                let answer = self.answer()?;
                let sample = Sample {
                    calls_per_second: number(&answer, "calls_per_second")?,
                    p50_us: number(&answer, "p50_us")?,
                    p99_us: number(&answer, "p99_us")?,
                    server_cpu_s: None,
                    agent_cpu_s: None,
                };
                Ok((callers, sample))
            })
            .collect()
    }

    fn answer(&mut self) -> Result<Value, Box<dyn Error>> {
        let line = self.answers.next().ok_or("msl-loadlib has ended: what it says is above")??;
        Ok(serde_json::from_str(&line)?)
    }
}

fn number(answer: &Value, name: &str) -> Result<f64, Box<dyn Error>> {
    Ok(answer[name].as_f64().ok_or_else(|| format!("no {name}: {answer}"))?)
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends with its input, and then it ends its server.
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
