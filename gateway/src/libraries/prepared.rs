//! Libraries that are read and not run yet: what can be known of them without starting anything.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bridge32_protocol::wire::Fault;

use super::{Library, Standing, assign, file, load_failed};
use crate::agents::Registry;
use crate::config::{Config, LibraryConfig, LibraryFile};
use crate::dispatch::{Pool, PoolSpec, Queue};
use crate::files::{Places, Refusal};
use crate::interfaces::{self, Current, Declared, Origin, Store};

/// Libraries that nobody runs yet, and the pools that would.
#[derive(Debug)]
pub struct Prepared {
    /// The libraries.
    pub libraries: Vec<Arc<Library>>,
    /// What is needed to run them.
    pub pools: Vec<PoolSpec>,
}

impl Prepared {
    /// Reads files and headers, and says which agents are needed. A library that cannot be run is kept, with its
    /// problem: the others work. Of several ways to run one, the first is taken that nothing is known against.
    pub fn read(config: &Config) -> Self {
        Self::of(config, |_| true, &Arc::new(Places::new(config)))
    }

    /// The same for the libraries of some names, whose files may be at those places.
    pub fn of(config: &Config, is_wanted: impl Fn(&str) -> bool, places: &Arc<Places>) -> Self {
        let mut reading = Reading::new(config, places);
        for (name, table) in config.libraries.iter().filter(|(name, _)| is_wanted(name)) {
            let mut library = reading.any_way(name, table);
            if let Some(fault) = &library.problem {
                tracing::error!(library = name, detail = fault.detail, "library cannot be run");
            }
            for reason in &library.standing.passed_over {
                tracing::warn!(library = name, reason, way = library.standing.place, "a fallback is taken");
            }
            remark(&mut library);
            reading.libraries.push(Arc::new(library));
        }
        reading.done()
    }

    /// One library that has no group, in the way of that place.
    ///
    /// # Errors
    /// It cannot be run so.
    pub fn way(config: &Config, name: &str, standing: Standing, places: &Arc<Places>) -> Result<Self, Fault> {
        let table = config.libraries.get(name);
        let table = table.ok_or_else(|| load_failed(format!("The configuration has no library `{name}`.")))?;
        let mut reading = Reading::new(config, places);
        let mut library = reading.way(name, table, standing);
        if let Some(fault) = library.problem.take() {
            return Err(fault);
        }
        remark(&mut library);
        reading.libraries.push(Arc::new(library));
        Ok(reading.done())
    }

    /// Makes the pools, and starts their agents.
    pub fn start(&self, registry: &Arc<Registry>) {
        for spec in &self.pools {
            let named = |name: &str| self.libraries.iter().find(|library| library.name == name);
            let members: Vec<_> = spec.loads.iter().filter_map(|load| named(&load.name)).collect();
            let queues = members.iter().map(|library| Arc::clone(&library.queue)).collect();
            let pool = Pool::new(spec.clone(), queues, registry);
            for library in members {
                library.set_pool(Arc::clone(&pool));
            }
            pool.start();
        }
    }
}

/// Tells what somebody should look at.
fn remark(library: &mut Library) {
    let name = &library.name;
    for diagnostic in &library.declared().header.diagnostics {
        tracing::warn!(library = name, "{diagnostic}");
    }
    for text in library.replacement().into_iter().chain(library.declared().remarks.iter().cloned()) {
        tracing::warn!(library = name, "{text}");
    }
}

struct Reading<'a> {
    config: &'a Config,
    places: &'a Arc<Places>,
    store: Store,
    libraries: Vec<Arc<Library>>,
    specs: BTreeMap<String, PoolSpec>,
}

impl<'a> Reading<'a> {
    fn new(config: &'a Config, places: &'a Arc<Places>) -> Self {
        let store = Store::new(&config.data_dir);
        Self { config, places, store, libraries: Vec::new(), specs: BTreeMap::new() }
    }

    fn done(self) -> Prepared {
        Prepared { libraries: self.libraries, pools: self.specs.into_values().collect() }
    }

    /// The first way that nothing is known against; the preferred one, with its problem, if there is none.
    fn any_way(&mut self, name: &str, table: &LibraryConfig) -> Library {
        let mut standing = Standing::default();
        let mut preferred = None;
        while standing.place < table.ways() {
            let library = self.way(name, table, standing.clone());
            let Some(fault) = &library.problem else { return library };
            standing.place += 1;
            standing.passed_over.push(fault.detail.clone());
            preferred.get_or_insert(library);
        }
        // There is always at least one way.
        preferred.unwrap_or_else(|| self.way(name, table, Standing::default()))
    }

    fn way(&mut self, name: &str, table: &LibraryConfig, standing: Standing) -> Library {
        let mut library = read(name, table, standing, &self.store, self.places);
        if let Err(fault) = assign::assign(&mut library, self.config, self.places, &mut self.specs) {
            library.problem = Some(fault);
        }
        library
    }
}

/// Reads what can be known without running anything.
fn read(name: &str, table: &LibraryConfig, standing: Standing, store: &Store, places: &Arc<Places>) -> Library {
    let table = table.way(standing.place);
    let refused = places.resolve(&table.file).err();
    let (target, mut problem) = match (&table.file, table.runtime) {
        _ if let Some(Refusal::Outside(detail)) = refused => (table.runtime, Some(load_failed(detail))),
        // The agent that somebody else starts may see what this process cannot.
        (LibraryFile::Host(_), Some(target)) if !table.agents.is_empty() && refused.is_some() => (Some(target), None),
        (LibraryFile::Host(path), configured) => match file::target(path, configured) {
            Ok(target) => (Some(target), None),
            Err(fault) => (configured, Some(fault)),
        },
        (LibraryFile::Runtime(_), Some(target)) => (Some(target), None),
        (LibraryFile::Runtime(path), None) => {
            let detail = format!(
                "Only an agent can read {path}, so its architecture is not known here: say which runtime it needs, \
                 such as runtime = \"win32\"."
            );
            (None, Some(load_failed(detail)))
        }
    };
    let mut configured = Vec::new();
    for path in &table.headers {
        match interfaces::read_file(path) {
            Ok(text) => configured.push(text),
            Err(detail) => problem = problem.or(Some(load_failed(detail))),
        }
    }
    let (texts, origin) = match store.load(name, &configured) {
        Some((header, at)) => (interfaces::replacement(&header), Origin::Replaced { at }),
        None => (configured.clone(), Origin::Configured),
    };
    let declared = Declared::read(1, texts, origin, &table, target);
    Library {
        name: name.to_owned(),
        target,
        queue: Arc::new(Queue::new(name, table.running.queue)),
        pool: OnceLock::new(),
        standing,
        places: Arc::clone(places),
        interface: Arc::new(Current::new(declared)),
        configured,
        replacing: Arc::default(),
        problem,
        identity: Arc::default(),
        exports: Arc::default(),
        config: table,
    }
}
