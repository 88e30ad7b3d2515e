//! `bridge32 serve`: runs the gateway.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

use super::{Failed, config_file};
use crate::config::{self, LogConfig, LogFormat};

/// Run the gateway until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 serve --config bridge32.toml
  BRIDGE32_LISTEN=127.0.0.1:9000 bridge32 serve
  BRIDGE32_LOG=debug bridge32 serve           (the log goes to standard error)
  kill -HUP PID                               (reads the configuration again; `bridge32 reload` says what changed)

Every key of the configuration can be set by the environment: BRIDGE32_ and the key in capitals, with two
underscores between its parts, as in BRIDGE32_LIBRARY__CALC__DEADLINE=2s.")]
pub(super) struct Serve {
    /// The configuration file
    #[arg(long, env = "BRIDGE32_CONFIG", value_name = "FILE", default_value = "bridge32.toml")]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failed> {
        let loaded = config::load(&config_file(Some(self.config)), std::env::vars()).map_err(Failed::problem)?;
        start_log(&loaded.config.log);
        for warning in loaded.warnings {
            tracing::warn!("{warning}");
        }
        keep_memory_from_others();
        let runtime = runtime().map_err(Failed::problem)?;
        let result = runtime.block_on(async {
            let stop = stop_signal().map_err(Failed::problem)?;
            let reloads = reload_signals().map_err(Failed::problem)?;
            let file = loaded.config.file.clone();
            let advised =
                |error| format!("{error}\nbridge32 doctor --config {} looks for what else is wrong", file.display());
            crate::serve(loaded.config, stop, reloads).await.map_err(|error| Failed::problem(advised(error)))
        });
        // A connection that a client keeps open must not keep the process.
        runtime.shutdown_background();
        result
    }
}

/// Works on half of the cores: agents and clients need some, too, and workers that wait for work at the same time wake each
/// other with every event, which costs a call more than the next of them brings. `TOKIO_WORKER_THREADS` says otherwise.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        builder.worker_threads(cores.div_ceil(2));
    }
    builder.enable_all().build()
}

/// From now on what happens is written to standard error.
fn start_log(config: &LogConfig) {
    let filter = EnvFilter::try_from_env("BRIDGE32_LOG").unwrap_or_else(|_| EnvFilter::new(&config.level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().with_current_span(false).with_span_list(false).init(),
    }
}

/// No core dump of this process is written, and no other process of this user looks into it: it holds every client's key.
/// Agents are not affected: their dumps and debuggers are of use to whoever looks for a library's fault.
#[cfg(target_os = "linux")]
fn keep_memory_from_others() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "core dumps of the gateway, which hold keys, cannot be switched off");
    }
}

#[cfg(not(target_os = "linux"))]
const fn keep_memory_from_others() {}

/// Has something whenever the service manager asks for a reload. A gateway that logs to a terminal ends with that, as all
/// programs do.
#[cfg(unix)]
fn reload_signals() -> std::io::Result<mpsc::Receiver<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    // Several that come while one is answered are one.
    let (sender, receiver) = mpsc::channel(1);
    if std::io::stderr().is_terminal() {
        return Ok(receiver);
    }
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() && !sender.is_closed() {
            let _ = sender.try_send(());
        }
    });
    Ok(receiver)
}

/// Windows has no such signal.
#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn reload_signals() -> std::io::Result<mpsc::Receiver<()>> {
    Ok(mpsc::channel(1).1)
}

/// Resolves at Ctrl-C or when the service manager asks.
#[cfg(unix)]
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves at Ctrl-C, Ctrl-Break, or when the console closes; programs of a service are told of a shutdown, too.
#[cfg(windows)]
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
    let (mut interrupt, mut stop, mut close, mut shutdown) =
        (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?);
    let (asked, mut is_asked) = mpsc::channel(1);
    // For as long as the process lives: what nobody listens to any more ends it at once, in the middle of its stopping.
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = stop.recv() => {}
                _ = close.recv() => {}
                _ = shutdown.recv() => {}
            }
            let _ = asked.try_send(());
        }
    });
    Ok(async move {
        is_asked.recv().await;
    })
}
