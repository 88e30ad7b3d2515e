//! The gateway of bridge32: typed REST endpoints for the functions of 32-bit libraries, which run in agent processes.
//!
//! `api -> dispatch -> agents -> protocol`; only [`api`], [`auth`], [`router`], [`error`] and this file know axum.

pub mod agents;
pub mod api;
pub mod auth;
pub mod bridge;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod error;
pub mod interfaces;
pub mod libraries;
pub mod limit;
pub mod openapi;
#[cfg(test)]
mod played;
pub mod router;
pub mod starter;
pub mod syntax;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use auth::{Auth, KeyFileError, Names, ReplayLogError};
use bridge::Bridge;
use config::{AuthConfig, Config};
use libraries::Libraries;

/// Why a gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The key file cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// Nobody knows which signatures were used before a restart.
    #[error(transparent)]
    Nonces(#[from] ReplayLogError),
    /// Nobody can listen there.
    #[error(
        "cannot listen on {address}: {source}. Another program may have the port; `listen` in the configuration sets it"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The server failed while it ran.
    #[error("the server failed: {0}")]
    Server(std::io::Error),
}

/// How long calls that are under way get to finish when the gateway stops.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a gateway until `stop` resolves; then lets calls finish, and ends every agent.
///
/// # Errors
/// It cannot be started, or the listener fails.
pub async fn serve(config: Config, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
    let mut auth = Auth::open(&config.auth)?;
    auth.remember(&config.data_dir, Names::default())?;
    if matches!(config.auth, AuthConfig::Off) {
        tracing::warn!(
            "auth.mode is \"off\": every program and every user of this machine can run native code through this gateway"
        );
    }
    let failed = |source| ServeError::Listen { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (libraries, specs) = Libraries::prepare(&config);
    let bridge = Arc::new(Bridge::new(config, address, auth, libraries, specs));
    bridge.reports.clear();
    bridge.agents.start(address);
    tracing::info!(%address, libraries = bridge.libraries.all().count(), "bridge32 listens");

    let mut stopped = bridge.stopping.subscribe();
    let closing = Arc::clone(&bridge);
    let signal = async move {
        stop.await;
        closing.agents.close();
        tracing::info!("stopping: calls that are under way may finish");
        closing.stopping.send_replace(true);
    };
    let listener = listener.tap_io(|stream| {
        // A small answer must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
    });
    let service = router::router(&bridge);
    let server = axum::serve(listener, service).with_graceful_shutdown(signal).into_future();
    let grace = async {
        let _ = stopped.wait_for(|stopping| *stopping).await;
        tokio::time::sleep(GRACE).await;
    };
    let result = tokio::select! {
        result = server => result.map_err(ServeError::Server),
        () = grace => {
            tracing::warn!("some calls did not finish within {} s", GRACE.as_secs());
            Ok(())
        }
    };
    bridge.agents.stop().await;
    bridge.auth.close();
    tracing::info!("stopped");
    result
}
