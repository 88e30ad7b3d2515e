//! What the bridge is compared with: plain axum that parses a JSON body and answers JSON. It runs as a process of its own, as
//! the bridge does.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

/// The word that makes this program the baseline.
pub(crate) const WORD: &str = "serve-baseline";

/// Where it takes bodies of any size.
pub(crate) const BULK: &str = "/bulk";

/// Serves until it is ended, and prints where.
pub(crate) fn serve() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        // Without it, answers wait for acknowledgements, on any server.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let router = Router::new().route(BULK, post(take)).route("/{*path}", post(answer));
        axum::serve(listener, router).await
    })
}

async fn answer(Json(arguments): Json<Value>) -> Json<Value> {
    Json(json!({"result": arguments}))
}

/// Takes a body piece by piece, hashes it, and answers it, or its hash.
async fn take(headers: HeaderMap, body: Body) -> Response {
    let (mut pieces, mut body) = (Vec::new(), body.into_data_stream());
    let (mut hash, echoes) = (Sha256::new(), headers["accept"] == "application/octet-stream");
    while let Some(Ok(piece)) = body.next().await {
        hash.update(&piece);
        if echoes {
            pieces.push(Ok::<_, Infallible>(piece));
        }
    }
    if echoes {
        Body::from_stream(stream::iter(pieces)).into_response()
    } else {
        Json(json!({"sha256": hash.finalize().to_vec()})).into_response()
    }
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
