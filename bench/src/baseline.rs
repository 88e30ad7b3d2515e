//! What the bridge is compared with: plain axum that parses a JSON body and answers JSON. It runs as a process of its own, as
//! the bridge does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::routing::post;
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The word that makes this program the baseline.
pub(crate) const WORD: &str = "serve-baseline";

/// Serves until it is ended, and prints where.
pub(crate) fn serve() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        // Without it, answers wait for acknowledgements, on any server.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, Router::new().route("/{*path}", post(answer))).await
    })
}

async fn answer(Json(arguments): Json<Value>) -> Json<Value> {
    Json(json!({"result": arguments}))
}

/// The process, which ends with this.
#[derive(Debug)]
pub(crate) struct Baseline {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Baseline {
    pub(crate) fn start() -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(WORD).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(std::io::Error::other)?;
        Ok(Self { child, address })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
