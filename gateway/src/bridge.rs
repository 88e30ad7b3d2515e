//! What every handler has: the configuration, the libraries, the agents and the dispatcher of one running gateway.

mod replacing;

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;
use uuid::Uuid;

use crate::agents::{Agent, Attendant, Registry, Reports, View};
use crate::auth::sessions::Sessions;
use crate::auth::{Auth, MetricsToken};
use crate::bulk::Folder;
use crate::config::{Config, LibraryFile};
use crate::dispatch::{CallState, Cancelled, Failure, UnderWay, Witness};
use crate::error::{Code, Problem};
use crate::files::FileState;
use crate::interfaces::Declared;
use crate::kept::{Entry, KeptCalls};
use crate::libraries::exports::{self, Exports, Known};
use crate::libraries::{Libraries, Library};
use crate::library_sessions::LibrarySessions;
use crate::observe::Observer;
use crate::openapi::cache::Cache;
use crate::reload::Reloads;

/// One running gateway.
#[derive(Debug)]
pub struct Bridge {
    /// Its configuration, with the real ports of its listeners.
    config: RwLock<Arc<Config>>,
    /// Where its agents register.
    pub address: SocketAddr,
    /// The libraries by name.
    pub libraries: Libraries,
    /// The agents by id.
    pub agents: Arc<Registry>,
    /// What is kept of agents that crashed.
    pub reports: Arc<Reports>,
    /// Whoever is told of every call, and what becomes of agents: the history, the metrics, the events, the spans.
    pub observer: Arc<Observer>,
    /// The kept calls.
    pub kept: KeptCalls,
    /// The files of large buffers.
    pub bulk: Arc<Folder>,
    /// Who may do what.
    pub auth: Auth,
    /// What opens the metrics, and nothing else.
    pub metrics_token: MetricsToken,
    /// Who is signed in at a browser.
    pub sessions: Sessions,
    /// Which programs have a session with a library.
    pub library_sessions: Arc<LibrarySessions>,
    /// The document that describes all of it.
    pub openapi: Cache<Declared>,
    /// Who replaces what of all this.
    pub reloads: Reloads,
    /// Whether the gateway is stopping: answers that would never end do then.
    pub stopping: watch::Sender<bool>,
}

impl Bridge {
    /// Puts the parts together; nothing is started.
    pub fn new(
        config: Config,
        address: SocketAddr,
        (auth, metrics_token): (Auth, MetricsToken),
        libraries: &[Arc<Library>],
    ) -> Self {
        let reports = Arc::new(Reports::new(&config.data_dir));
        let stopping = watch::Sender::new(false);
        let sessions = Sessions::new(&config.dashboard);
        let (libraries, openapi) = (Libraries::new(libraries), Cache::default());
        let kept = KeptCalls::new(&config.data_dir, config.history.clone());
        let observer = Arc::new(Observer::new(&config.data_dir, config.history.clone(), config.telemetry.clone()));
        let bulk = Folder::new(config.bulk_dir.as_deref(), &config.data_dir);
        let agents = Registry::new(&reports, Arc::clone(&observer) as Arc<dyn Attendant>);
        let library_sessions = Arc::default();
        let (config, reloads) = (RwLock::new(Arc::new(config)), Reloads::default());
        Self {
            config,
            address,
            libraries,
            agents,
            reports,
            observer,
            kept,
            bulk,
            auth,
            metrics_token,
            sessions,
            library_sessions,
            openapi,
            reloads,
            stopping,
        }
    }

    /// The configuration, as it is now; it stays as it is for whoever holds it.
    pub fn config(&self) -> Arc<Config> {
        // Only ever replaced as a whole.
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on it is this one.
    pub(crate) fn set_config(&self, config: Arc<Config>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// Who is told how the calls of clients end.
    pub fn witness(&self) -> Arc<dyn Witness> {
        Arc::clone(&self.observer) as Arc<dyn Witness>
    }

    /// The library of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn library(&self, name: &str) -> Result<Arc<Library>, Problem> {
        self.libraries.get(name).ok_or_else(|| {
            let all = self.libraries.all();
            let known: Vec<&str> = all.iter().map(|library| library.name.as_str()).collect();
            let detail = format!("There is no library `{name}`. The configuration has: {}.", known.join(", "));
            Problem::new(Code::UnknownLibrary, detail)
        })
    }
}

impl Bridge {
    /// How an agent fares, with what waits for it.
    pub fn view(&self, agent: &Agent) -> View {
        let mut view = agent.view();
        let libraries = view.libraries.iter().filter_map(|name| self.libraries.get(name));
        view.health.waiting = libraries.map(|library| library.queue.counts().waiting).sum();
        view
    }

    /// How all of them fare.
    pub fn agent_views(&self) -> Vec<View> {
        self.agents.all().iter().map(|agent| self.view(agent)).collect()
    }
}

impl Bridge {
    /// How far a call is; `None` for one that has ended, or that never was.
    fn find_call(&self, id: Uuid) -> Option<CallState> {
        self.libraries.in_use().iter().find_map(|library| library.queue.find(id))
    }

    /// Ends a call: one that waits is taken out, of one that runs the process is ended. Of a batch that waits, all is taken
    /// out.
    pub fn cancel_call(&self, id: Uuid) -> Cancelled {
        let all = self.libraries.in_use();
        let mut tried = all.iter().map(|library| library.cancel(id));
        tried.find(|cancelled| *cancelled != Cancelled::Unknown).unwrap_or(Cancelled::Unknown)
    }

    /// The calls that wait or run now, with the libraries' names, in no order.
    pub fn calls_under_way(&self) -> Vec<(String, UnderWay)> {
        let of = |library: &Arc<Library>| {
            let name = library.name.clone();
            library.queue.under_way().into_iter().map(move |call| (name.clone(), call))
        };
        self.libraries.in_use().iter().flat_map(of).collect()
    }

    /// How far a kept call is, or a batch, that has not ended.
    pub fn progress(&self, entry: &Entry) -> CallState {
        let begun = entry.calls.iter().any(|id| self.find_call(*id) == Some(CallState::Running));
        if begun { CallState::Running } else { CallState::Waiting }
    }

    /// Ends a kept call, or a batch, as far as it has not ended. Whether any of it could be found.
    pub fn cancel(&self, entry: &Entry) -> bool {
        let found = |id: &Uuid| self.cancel_call(*id) != Cancelled::Unknown;
        entry.calls.iter().filter(|id| found(id)).count() > 0
    }

    /// Takes a kept call out of the queue, if it waits there.
    pub fn give_up(&self, entry: &Entry) {
        if self.progress(entry) == CallState::Waiting {
            self.cancel(entry);
        }
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
        let Some(link) = library.link() else {
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
