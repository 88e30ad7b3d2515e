//! The life of one generation, whoever has started it: it registers, loads its libraries, and is there until it is silent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bridge32_protocol::wire::{Fault, FaultCode, Loaded};
use bridge32_signature::Key;
use tokio::sync::watch;
use tokio::time::Instant;

use super::client::Client;
use super::process::Exit;
use super::state::{LEASE, Link, Registered, State};
use super::{Agent, Bindings, LibrarySpec, Reach, lock, observation};

/// A library that took its process down so often while it was loaded is not loaded again.
const MAX_LOAD_CRASHES: u32 = 3;

/// How often in a row each library has taken its process down while it was loaded, and how.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<BTreeMap<String, (u32, String)>>);

impl Troubles {
    /// The process has ended so while it loaded that library; one that was `stuck` is not tried again.
    pub(super) fn add(&mut self, library: String, exit: &Exit, stuck: bool) {
        let mut troubles = lock(&self.0);
        let trouble = troubles.entry(library).or_default();
        *trouble = (if stuck { MAX_LOAD_CRASHES } else { trouble.0 + 1 }, exit.to_string());
    }

    /// Somebody wants all of them tried again.
    pub(super) fn clear(&mut self) {
        lock(&self.0).clear();
    }

    /// It was loaded: what ended the process earlier was no fault of it, or is past. Else three accidents in a year would do.
    fn forget(&self, library: &str) {
        lock(&self.0).remove(library);
    }

    /// Why a library is not loaded again.
    fn refuse(&self, library: &str) -> Option<Fault> {
        lock(&self.0).get(library).filter(|(count, _)| *count >= MAX_LOAD_CRASHES).map(|(_, how)| not_loaded_again(how))
    }
}

/// What happens while a process runs: registration, loading, and the watch over its lease.
pub(super) struct Life<'a> {
    agent: &'a Agent,
    number: u64,
    key: Arc<Key>,
    /// It answers calls, there.
    pub(super) link: Option<Arc<Link>>,
    /// The library that is being loaded.
    pub(super) loading: Option<String>,
    troubles: &'a Troubles,
}

impl<'a> Life<'a> {
    /// Of a generation that has begun; its process registers with that key.
    pub(super) const fn new(agent: &'a Agent, number: u64, key: Arc<Key>, troubles: &'a Troubles) -> Self {
        Self { agent, number, key, link: None, loading: None, troubles }
    }

    /// Goes on as long as all is well, and gives why the process must be ended.
    pub(super) async fn live(&mut self, ended: watch::Receiver<Option<Exit>>) -> String {
        match self.bring_up(ended).await {
            Ok(link) => {
                let link = Arc::new(link);
                self.link = Some(Arc::clone(&link));
                self.agent.set_state(State::Ready, None);
                let address = link.client.address();
                tracing::info!(agent = self.agent.id(), generation = self.number, %address, "agent ready");
                self.agent.usage.note();
                self.agent.set_reach(Reach::Up(link));
                self.watch_lease().await
            }
            Err(reason) => reason,
        }
    }

    async fn bring_up(&mut self, ended: watch::Receiver<Option<Exit>>) -> Result<Link, String> {
        let startup = self.agent.startup();
        let registered = tokio::time::timeout(startup, self.registered())
            .await
            .map_err(|_| format!("it did not register within {} ms", startup.as_millis()))?;
        if let Some(reason) = registered.refused {
            return Err(reason);
        }
        let address: SocketAddr =
            registered.address.parse().map_err(|_| format!("`{}` is no address", registered.address))?;
        if !address.ip().is_loopback() {
            return Err(format!("it listens at {address}, which is not a loopback address"));
        }
        let client = Client::new(address, Arc::clone(&self.key));
        let mut libraries = BTreeMap::new();
        for spec in &self.agent.spec.loads {
            let name = &spec.name;
            let (revision, outcome) = self.load(&client, name, spec).await?;
            match &outcome {
                Ok(loaded) => spec.identity.note(name, loaded.file.clone()),
                Err(fault) => {
                    let (agent, detail) = (self.agent.id(), &fault.detail);
                    tracing::error!(agent, library = name, detail, "library not loaded");
                }
            }
            libraries.insert(name.clone(), outcome.map(|loaded| Bindings::new(revision, loaded)));
        }
        let slots = self.agent.spec.loads.iter().map(|spec| (spec.name.clone(), spec.slot)).collect();
        let changing = tokio::sync::Mutex::default();
        let figures = self.agent.shared.figures();
        let outputs = self.agent.shared.outputs();
        Ok(Link { generation: self.number, client, libraries, ended, slots, changing, figures, outputs })
    }

    /// Has one library loaded, and gives the number of its interface and what became of it.
    async fn load(
        &mut self,
        client: &Client,
        name: &str,
        spec: &LibrarySpec,
    ) -> Result<(u32, Result<Loaded, Fault>), String> {
        let load = match self.troubles.refuse(name).map_or_else(|| spec.load(self.number), Err) {
            Ok(load) => load,
            Err(fault) => return Ok((0, Err(fault))),
        };
        self.loading = Some(name.to_owned());
        let startup = self.agent.startup();
        let Ok(loaded) = tokio::time::timeout(startup, client.load(name, &load)).await else {
            let seen = observation::words(&client.observation().await.ok().and_then(Result::ok).unwrap_or_default());
            return Err(format!("loading `{name}` took longer than {} s{seen}", startup.as_secs_f64()));
        };
        if loaded.is_err() {
            // Whoever waits for the process learns more than that its connection broke.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let outcome = loaded.map_err(|error| format!("loading `{name}`: {error}"))?;
        self.loading = None;
        if outcome.is_ok() {
            self.troubles.forget(name);
        }
        Ok((load.revision, outcome))
    }

    /// The first registration of this generation.
    async fn registered(&self) -> Registered {
        let mut registrations = self.agent.shared.registrations();
        loop {
            let latest = registrations.borrow_and_update().clone();
            match latest {
                Some(registered) if registered.generation == self.number => return registered,
                // The sender lives as long as the agent itself.
                _ => drop(registrations.changed().await),
            }
        }
    }

    /// Returns when the agent has been silent for too long.
    async fn watch_lease(&self) -> String {
        let mut registrations = self.agent.shared.registrations();
        loop {
            let latest = registrations.borrow_and_update().clone();
            if let Some(reason) = latest.as_ref().and_then(|registered| registered.refused.clone()) {
                return reason;
            }
            if latest.as_ref().is_some_and(|registered| registered.generation != self.number) {
                return "another process has registered in its place".to_owned();
            }
            let last = latest.map_or_else(Instant::now, |registered| registered.at);
            if self.agent.closing.load(Ordering::Relaxed) {
                // Nobody can register any more; what still runs may finish.
                return std::future::pending().await;
            }
            let silent = tokio::time::timeout_at(last + LEASE, registrations.changed()).await.is_err();
            if silent && !self.agent.closing.load(Ordering::Relaxed) {
                return format!("it was silent for {} s", LEASE.as_secs());
            }
        }
    }
}

fn not_loaded_again(how: &str) -> Fault {
    let detail = format!(
        "Loading this library ends the process ({how}): its initialisation fails, or waits for something that does not \
         come. When that is mended, `bridge32 reload` tries again."
    );
    Fault { code: FaultCode::LoadFailed, detail, pointer: None, ran: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_refused_after_three_bad_loads_in_a_row_and_not_after_three_in_a_lifetime() {
        let mut troubles = Troubles::default();
        let killed = Exit::told("killed by signal 9 (SIGKILL)");
        for _ in 0..5 {
            troubles.add("calc".to_owned(), &killed, false);
            troubles.add("calc".to_owned(), &killed, false);
            assert!(troubles.refuse("calc").is_none());
            troubles.forget("calc");
        }
        (0..3).for_each(|_| troubles.add("calc".to_owned(), &killed, false));
        assert!(troubles.refuse("calc").unwrap().detail.contains("SIGKILL"));
        assert!(troubles.refuse("other").is_none());
    }
}
