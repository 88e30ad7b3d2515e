//! The gateway of bridge32: typed REST endpoints for the functions of 32-bit libraries, which run in agent processes.
//!
//! `api -> dispatch -> agents -> protocol`; only [`api`], [`auth`], [`dashboard`], [`listeners`], [`router`] and [`error`]
//! know axum.

pub mod agents;
pub mod api;
pub mod auth;
pub mod bridge;
pub mod bulk;
pub mod cli;
pub mod config;
pub mod dashboard;
pub mod dispatch;
pub mod error;
pub mod files;
pub mod form_data;
pub mod history;
pub mod interfaces;
pub mod json;
pub mod kept;
pub mod libraries;
pub mod library_sessions;
pub mod limit;
pub mod listeners;
pub mod meters;
pub mod observe;
pub mod openapi;
#[cfg(test)]
mod played;
pub mod private;
pub mod reload;
pub mod router;
pub mod service;
pub mod starter;
pub mod syntax;
pub mod trace;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use auth::{Auth, AuthError, MetricsToken, TokenDigest, TokenFileError};
use bridge::Bridge;
use config::{AuthConfig, Config};
use libraries::Prepared;
use listeners::{ListenError, Services, Sockets};
use tokio::sync::mpsc;

/// Why a gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nobody could be let in.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// What opens the metrics cannot be read.
    #[error(transparent)]
    MetricsToken(#[from] TokenFileError),
    /// Nobody can listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// What the gateway keeps would not be its own.
    #[error(transparent)]
    Data(#[from] private::FolderError),
    /// Large buffers could not be passed.
    #[error(transparent)]
    Bulk(#[from] bulk::FolderError),
    /// The system refuses a thread.
    #[error("no thread can be started for the history: {0}")]
    Thread(std::io::Error),
}

/// How long calls that are under way get to finish when the gateway stops.
const GRACE: Duration = Duration::from_secs(10);

/// How long kept calls get to be written after their agents have ended.
const SETTLE: Duration = Duration::from_secs(3);

/// Runs a gateway until `stop` resolves; then lets calls finish, and ends every agent. Whenever `reloads` has something, the
/// configuration is read again.
///
/// # Errors
/// It cannot be started.
pub async fn serve(
    mut config: Config,
    stop: impl Future<Output = ()> + Send + 'static,
    reloads: mpsc::Receiver<()>,
) -> Result<(), ServeError> {
    private::prepare_data_dir(&config.data_dir)?;
    // Until this gateway has ended.
    let _own = private::claim_data_dir(&config.data_dir)?;
    // First of all: whoever has the addresses is the one who may write into `data_dir`.
    let sockets = Sockets::bind(&config.listeners).await?;
    let auth = Auth::open(&config)?;
    let metrics_token = MetricsToken::new(TokenDigest::read(&config.metrics)?);
    config.listeners.listen = sockets.listen();
    let prepared = Prepared::read(&config);
    let bridge = Arc::new(Bridge::new(config, sockets.for_agents(), (auth, metrics_token), &prepared.libraries));
    bridge.bulk.open()?;
    bridge.reports.clear();
    bridge.kept.open().await;
    bridge.observer.traces.open();
    let observer = Arc::clone(&bridge.observer);
    let history = async move { observer.history.write().await };
    on_own_thread("history", history).map_err(ServeError::Thread)?;
    let observer = Arc::clone(&bridge.observer);
    tokio::spawn(async move { observer.follow_history().await });
    let watched = Arc::clone(&bridge);
    tokio::spawn(async move { watched.observer.follow(|| watched.agent_views()).await });
    bridge.observer.history.opened().await;
    bridge.agents.open(bridge.address);
    prepared.start(&bridge.agents);
    prepared.libraries.iter().for_each(|library| reload::watch(&bridge, library));
    drop(prepared);
    tokio::spawn(Arc::clone(&bridge.library_sessions).keep());
    announce(&bridge);
    let reloading = tokio::spawn(reload_when_asked(Arc::clone(&bridge), reloads));

    let mut stopped = bridge.stopping.subscribe();
    let signal = async {
        stop.await;
        bridge.agents.close();
        tracing::info!("stopping: calls that are under way may finish");
        bridge.stopping.send_replace(true);
    };
    let services = Services { clients: router::router(&bridge), agents: router::for_agents(&bridge) };
    let config = bridge.config();
    let serving = sockets.serve(services, &config.listeners, bridge.stopping.subscribe());
    let keeping = async {
        bridge.kept.watch(bridge.stopping.subscribe()).await;
        bridge.kept.idle().await;
    };
    let grace = async {
        let _ = stopped.wait_for(|stopping| *stopping).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        _ = async { tokio::join!(signal, serving, bridge.auth.watch(bridge.stopping.subscribe()), keeping) } => {}
        () = grace => tracing::warn!("some calls did not finish within {} s", GRACE.as_secs()),
    }
    reloading.abort();
    // What waits still has provably not run: its client is told so when it asks again.
    for entry in bridge.kept.under_way() {
        bridge.give_up(&entry);
    }
    bridge.agents.stop().await;
    bridge.kept.close(SETTLE).await;
    tokio::join!(bridge.observer.history.close(SETTLE), bridge.observer.traces.close(SETTLE));
    bridge.auth.close();
    bridge.bulk.close();
    tracing::info!("stopped");
    Ok(())
}

/// Runs something that takes much of a processor beside the threads that have calls waiting.
fn on_own_thread(name: &str, work: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(work)).map(drop)
}

/// Reads the configuration again whenever somebody asks for it, and says why nothing came of it.
async fn reload_when_asked(bridge: Arc<Bridge>, mut reloads: mpsc::Receiver<()>) {
    while reloads.recv().await.is_some() {
        if let Err(problem) = bridge.reload_configuration().await {
            tracing::error!(code = problem.code().name(), "the configuration was not reloaded: {}", problem.detail());
        }
    }
}

/// Says where it listens, and what somebody may not want about that.
fn announce(bridge: &Bridge) {
    let config = bridge.config();
    if matches!(config.auth, AuthConfig::Off) {
        tracing::warn!(
            "auth.mode is \"off\": every program and every user of this machine can run native code through this gateway"
        );
    }
    for remark in config.listeners.remarks() {
        tracing::warn!("{remark}");
    }
    for listen in &config.listeners.listen {
        tracing::info!(address = %listen, libraries = bridge.libraries.all().len(), "bridge32 listens");
    }
    if config.listeners.listen.iter().all(|listen| listen.plain_loopback().is_none()) {
        tracing::info!(address = %bridge.address, "agents, and nobody else, have an address of their own");
    }
    dashboard::announce(bridge);
}
