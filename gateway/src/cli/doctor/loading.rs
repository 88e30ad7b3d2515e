//! Loads the libraries in a gateway of doctor's own, which serves agents alone and ends with them: what comes out is what
//! `bridge32 serve` would get.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::finding::Findings;
use crate::agents::Line;
use crate::auth::{Auth, MetricsToken};
use crate::bridge::Bridge;
use crate::cli::serve;
use crate::config::{AuthConfig, Config, Instances, Listen, Listeners, Scheme};
use crate::libraries::{LibraryState, Prepared};
use crate::listeners::{Services, Sockets};
use crate::{private, router};

/// From the first start to the last library: Wine's first start, and libraries that crash three times.
const LIMIT: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(20);
/// How long requests of agents that end get.
const GRACE: Duration = Duration::from_secs(5);
/// So many lines of what an agent printed are shown.
const LINES: usize = 5;
const PAGE: &str = "docs/doctor.md#libraries-that-do-not-load";

/// What became of one library.
struct Loaded {
    name: String,
    state: LibraryState,
    after: Duration,
    printed: Vec<String>,
}

/// Loads those of these names.
pub(super) fn examine(config: &Config, names: &BTreeSet<String>, findings: &mut Findings) {
    if names.is_empty() {
        return;
    }
    let remedy = "bridge32 doctor --no-load leaves this out";
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            findings.problem("loading", format!("no threads can be started: {error}")).remedy("ulimit -u; ulimit -n");
            return;
        }
    };
    let loaded = runtime.block_on(load(config, names));
    // What an agent that would not end still does must not hold this up.
    runtime.shutdown_background();
    match loaded {
        Ok(all) => all.into_iter().for_each(|library| tell(&library, config, findings)),
        Err(reason) => {
            findings.problem("loading", reason).remedy(remedy);
        }
    }
}

fn tell(library: &Loaded, config: &Config, findings: &mut Findings) {
    let Loaded { name, state, after, printed } = library;
    let subject = format!("library `{name}`");
    let printed =
        if printed.is_empty() { String::new() } else { format!("\nits agent printed\n{}", printed.join("\n")) };
    match state {
        LibraryState::Ready(_) => findings.ok(subject, format!("is loaded after {:.1} s", after.as_secs_f64())),
        LibraryState::Failed(fault) => {
            let remedy = format!(
                "the text names the cause. What a library needs lies beside it, or in the folders of its runtime's table in {}",
                config.file.display()
            );
            findings.problem(subject, format!("cannot be loaded: {}{printed}", fault.detail)).remedy(remedy).see(PAGE);
        }
        LibraryState::Gone(reason) => {
            let remedy = "see what is said of its runtime; then run doctor again";
            findings.problem(subject, format!("its agent does not run: {reason}{printed}")).remedy(remedy).see(PAGE);
        }
        LibraryState::Waiting(reason) | LibraryState::Idle(reason) => {
            let found = format!("is not loaded after {} s: {reason}{printed}", LIMIT.as_secs());
            let remedy = "its initialisation waits for something: a device, a licence, a window that nobody sees";
            findings.problem(subject, found).remedy(remedy).see(PAGE);
        }
    }
}

/// The configuration for this: those libraries, one loopback port that only agents are served at, and a folder that goes away.
fn rehearsal(config: &Config, names: &BTreeSet<String>, folder: &std::path::Path) -> Config {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = config.clone();
    config.libraries.retain(|name, _| names.contains(name));
    for library in config.libraries.values_mut() {
        // One process each: that is enough to know.
        library.running.instances = Instances::default();
        library.running.standby = 0;
        library.fallback.clear();
    }
    config.listeners = Listeners {
        listen: vec![Listen { scheme: Scheme::Http, address }],
        tls: None,
        public_urls: Vec::new(),
        behind_proxy: false,
        cors_origins: Vec::new(),
        ..config.listeners
    };
    Config { auth: AuthConfig::Off, data_dir: folder.to_owned(), ..config }
}

/// Starts everything, waits until each library is ready or will not be, and ends everything.
async fn load(config: &Config, names: &BTreeSet<String>) -> Result<Vec<Loaded>, String> {
    // Before anything is there that would have to be cleared away.
    let stop = serve::stop_signal().map_err(|error| format!("signals cannot be waited for: {error}"))?;
    let folder = tempfile::Builder::new().prefix(&format!("bridge32-doctor-{}-", std::process::id())).tempdir();
    let folder = folder.map_err(|error| format!("no temporary folder can be made: {error}"))?;
    // For this user alone, whatever temporary folders are.
    let data = folder.path().join("data");
    private::make_folder(&data).map_err(|error| format!("{} cannot be made: {error}", data.display()))?;
    let config = rehearsal(config, names, &data);
    let sockets = Sockets::bind(&config.listeners).await.map_err(|error| error.to_string())?;
    let prepared = Prepared::read(&config);
    let bridge =
        Arc::new(Bridge::new(config, sockets.for_agents(), (Auth::Off, MetricsToken::default()), &prepared.libraries));
    // Nobody but agents, which prove who they are, is answered here.
    let services = Services { clients: router::for_agents(&bridge), agents: router::for_agents(&bridge) };
    let listeners = bridge.config().listeners.clone();
    let stopping = bridge.stopping.subscribe();
    let serving = tokio::spawn(async move { sockets.serve(services, &listeners, stopping).await });
    bridge.agents.open(bridge.address);
    prepared.start(&bridge.agents);
    let settled = tokio::select! {
        settled = settled(&bridge) => Ok(settled),
        () = stop => Err("the loading of the libraries was interrupted".to_owned()),
    };
    bridge.agents.close();
    bridge.agents.stop().await;
    bridge.stopping.send_replace(true);
    let _ = tokio::time::timeout(GRACE, serving).await;
    settled
}

/// Waits for each library, and gives what became of it.
async fn settled(bridge: &Bridge) -> Vec<Loaded> {
    let begin = Instant::now();
    let mut loaded: Vec<Loaded> = Vec::new();
    loop {
        let late = begin.elapsed() >= LIMIT;
        for library in bridge.libraries.all() {
            let state = library.state();
            let known = loaded.iter().any(|known| known.name == library.name);
            if known || (matches!(state, LibraryState::Waiting(_)) && !late) {
                continue;
            }
            let members = library.pool().map(|pool| pool.members()).unwrap_or_default();
            let printed = members.first().map(|agent| last_lines(&agent.recent_output())).unwrap_or_default();
            loaded.push(Loaded { name: library.name.clone(), state, after: begin.elapsed(), printed });
        }
        if loaded.len() == bridge.libraries.all().len() {
            loaded.sort_by(|one, other| one.name.cmp(&other.name));
            return loaded;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What the last start of an agent printed, the end of it.
fn last_lines(lines: &[Line]) -> Vec<String> {
    let generation = lines.last().map_or(0, |line| line.generation);
    let lines = lines.iter().filter(|line| line.generation == generation && !line.text.is_empty());
    let lines: Vec<String> = lines.map(|line| line.text.clone()).collect();
    lines[lines.len().saturating_sub(LINES)..].to_vec()
}
