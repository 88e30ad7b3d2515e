//! What every handler has: the configuration, the libraries, the agents and the dispatcher of one running gateway.

mod replacing;

use std::net::SocketAddr;
use std::sync::Arc;

use bridge32_protocol::wire::Batch;
use tokio::sync::watch;
use uuid::Uuid;

use crate::agents::{AgentSpec, Bound, Link, Registry, Reports};
use crate::auth::Auth;
use crate::auth::sessions::Sessions;
use crate::config::{Config, LibraryFile};
use crate::dispatch::{CallResult, CallState, Cancelled, Dispatcher, Failure, Order};
use crate::error::{Code, Problem};
use crate::files::FileState;
use crate::history::{Entry, History};
use crate::interfaces::Declared;
use crate::libraries::exports::{self, Exports, Known};
use crate::libraries::{Libraries, Library, LibraryState};
use crate::openapi::cache::Cache;

/// One running gateway.
#[derive(Debug)]
pub struct Bridge {
    /// Its configuration, with the real ports of its listeners.
    pub config: Config,
    /// Where its agents register.
    pub address: SocketAddr,
    /// The libraries by name.
    pub libraries: Libraries,
    /// The agents by id.
    pub agents: Registry,
    /// What is kept of agents that crashed.
    pub reports: Arc<Reports>,
    /// The queues.
    pub dispatch: Dispatcher,
    /// The kept calls.
    pub history: History,
    /// Who may do what.
    pub auth: Auth,
    /// Who is signed in at a browser.
    pub sessions: Sessions,
    /// The document that describes all of it.
    pub openapi: Cache<Declared>,
    /// Whether the gateway is stopping: answers that would never end do then.
    pub stopping: watch::Sender<bool>,
}

impl Bridge {
    /// Puts the parts together; nothing is started.
    pub fn new(config: Config, address: SocketAddr, auth: Auth, libraries: Libraries, specs: Vec<AgentSpec>) -> Self {
        let reports = Arc::new(Reports::new(&config.data_dir));
        let agents = Registry::new(specs, &reports);
        let mut dispatch = Dispatcher::default();
        for library in libraries.all() {
            if let Some(agent) = library.agent.as_deref().and_then(|id| agents.get(id)) {
                dispatch.add(&library.name, Arc::clone(agent));
            }
        }
        let stopping = watch::Sender::new(false);
        let openapi = Cache::default();
        let sessions = Sessions::new(&config.dashboard);
        let history = History::new(&config.data_dir, config.history);
        Self { config, address, libraries, agents, reports, dispatch, history, auth, sessions, openapi, stopping }
    }

    /// The library of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn library(&self, name: &str) -> Result<&Arc<Library>, Problem> {
        self.libraries.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.libraries.all().map(|library| library.name.as_str()).collect();
            let detail = format!("There is no library `{name}`. The configuration has: {}.", known.join(", "));
            Problem::new(Code::UnknownLibrary, detail)
        })
    }
}

impl Bridge {
    /// Makes a call, and gives its id and how it ended.
    pub async fn call(&self, library: &Library, order: Order) -> (Uuid, CallResult) {
        match &library.problem {
            Some(fault) => (order.id, Err(Failure::NotLoaded(fault.clone()))),
            None => self.dispatch.call(&library.name, order).await,
        }
    }

    /// Runs calls as one, and gives each one's id and how it ended.
    ///
    /// # Errors
    /// None of them was taken.
    pub async fn batch(
        &self,
        library: &Library,
        orders: Vec<Order>,
        batch: Batch,
    ) -> Result<Vec<(Uuid, CallResult)>, Failure> {
        match &library.problem {
            Some(fault) => Err(Failure::NotLoaded(fault.clone())),
            None => self.dispatch.batch(&library.name, orders, batch).await,
        }
    }

    /// How far a kept call is, or a batch, that has not ended.
    pub fn progress(&self, entry: &Entry) -> CallState {
        let running = |id: &Uuid| self.dispatch.find(*id) == Some(CallState::Running);
        let begun = entry.calls.iter().any(running);
        if begun { CallState::Running } else { CallState::Waiting }
    }

    /// Ends a kept call, or a batch, as far as it has not ended. Whether any of it could be found.
    pub fn cancel(&self, entry: &Entry) -> bool {
        let found = |id: &Uuid| self.dispatch.cancel(*id) != Cancelled::Unknown;
        entry.calls.iter().filter(|id| found(id)).count() > 0
    }

    /// Takes a kept call out of the queue, if it waits there.
    pub fn give_up(&self, entry: &Entry) {
        if self.progress(entry) == CallState::Waiting {
            self.cancel(entry);
        }
    }

    /// The running start of a library's agent, for what does not go through the queue.
    pub fn link(&self, library: &Library) -> Option<Arc<Link>> {
        self.agents.get(library.agent.as_deref()?)?.link()
    }

    /// How an interface was found in the library, if its agent has been given that one.
    pub fn bound(&self, library: &Library, declared: &Declared) -> Option<Arc<Bound>> {
        let link = self.link(library)?;
        link.libraries.get(&library.name)?.as_ref().ok()?.of(declared.revision)
    }

    /// The state of a library with its agent.
    pub fn state(&self, library: &Library) -> LibraryState {
        library.state(library.agent.as_deref().and_then(|id| self.agents.get(id)))
    }
}

impl Bridge {
    /// The exports of a library: read here if the file can be, otherwise by its agent. A file that was replaced is read
    /// again.
    ///
    /// # Errors
    /// Nobody can read the file.
    pub async fn exports(&self, library: &Library) -> Result<Arc<Exports>, Problem> {
        let mut kept = library.exports.lock().await;
        let (state, exports): Known = match &library.config.file {
            LibraryFile::Host(path) => {
                let (path, known) = (path.clone(), kept.clone());
                let read = move || exports::of_file(&path, known);
                let read = tokio::task::spawn_blocking(read).await.map_err(Problem::internal)?;
                read.map_err(|detail| Problem::new(Code::LoadFailed, detail))?
            }
            LibraryFile::Runtime(path) => self.exports_of_agent(library, path, kept.clone()).await?,
        };
        *kept = Some((state, Arc::clone(&exports)));
        Ok(exports)
    }

    async fn exports_of_agent(&self, library: &Library, path: &str, known: Option<Known>) -> Result<Known, Problem> {
        let Some(link) = self.link(library) else {
            let reason = format!("only its agent can read {path}, and that is not ready");
            return known.ok_or_else(|| Problem::from(Failure::NoAgent { reason, retry: true }));
        };
        let state = FileState::Runtime { generation: link.generation };
        match known {
            Some(known) if known.0 == state => Ok(known),
            _ => Ok((state, Arc::new(Exports::new(link.client.image(path).await??)))),
        }
    }
}
