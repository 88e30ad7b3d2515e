//! The whole configuration anew: read, checked, tried, and then in force all at once; or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use super::beside::Fellows;
use super::{retiring, watch};
use crate::auth::TokenDigest;
use crate::bridge::Bridge;
use crate::config::changes::{Changes, Extent, LibraryChange, Seen};
use crate::config::{self, Config, LibraryConfig, Loaded};
use crate::error::{Code, Problem};
use crate::files::Places;
use crate::interfaces;
use crate::libraries::Library;
use crate::observe::events::Replacement;

/// So many processes are started at a time.
const AT_A_TIME: usize = 8;

/// What a new configuration has changed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Applied {
    /// What was to be done, and is.
    #[serde(flatten)]
    pub changes: Changes,
    /// The same, a line each.
    pub lines: Vec<String>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
}

impl Bridge {
    /// Reads the configuration file again and puts what it says now in force. What has begun ends, whether or not anybody
    /// waits for it.
    ///
    /// # Errors
    /// The file cannot be used, or a library does not work as it says: nothing has changed.
    pub async fn reload_configuration(self: &Arc<Self>) -> Result<Applied, Problem> {
        let bridge = Arc::clone(self);
        let replace = async move {
            let outcome = bridge.replace_configuration().await;
            let told = outcome.clone().map_err(|problem| problem.detail().to_owned());
            bridge.reloads.note_configuration(Some(told));
            let problem = outcome.as_ref().err().map(|problem| match problem.code() {
                // It may show what stands in the file, which not everybody may read who reads events.
                Code::InvalidConfiguration => {
                    "The configuration cannot be used; the gateway's log says why.".to_owned()
                }
                _ => problem.detail().to_owned(),
            });
            bridge.observer.replaced(Replacement::Configuration, None, problem);
            outcome
        };
        tokio::spawn(replace).await.map_err(Problem::internal)?
    }

    async fn replace_configuration(self: &Arc<Self>) -> Result<Applied, Problem> {
        let _one_at_a_time = self.reloads.configuration.write().await;
        super::check_running(self)?;
        self.reloads.note_configuration(None);
        let old = self.config();
        let file = old.file.clone();
        let read = move || config::load(&file, std::env::vars());
        let read = tokio::task::spawn_blocking(read).await.map_err(Problem::internal)?;
        let Loaded { config: mut new, mut warnings } = read.map_err(|error| invalid(&error))?;
        let (seen_by, seen) = (Arc::clone(self), move |bridge: &Self| bridge.seen());
        let seen = tokio::task::spawn_blocking(move || seen(&seen_by)).await.map_err(Problem::internal)?;
        let changes = Changes::between(&old, &new, &seen);
        let changes = changes.map_err(|error| Problem::new(Code::InvalidConfiguration, format!("{error}.")))?;
        let keys = self.auth.prepare(&new).map_err(|error| invalid(&error))?;
        let metrics_token = TokenDigest::read(&new.metrics).map_err(|error| invalid(&error))?;
        // With the ports that the system has chosen.
        new.listeners.listen.clone_from(&old.listeners.listen);
        let new = Arc::new(new);
        let places = Arc::new(Places::new(&new));
        let (started, locks) = self.start_changed(&new, &changes, &places, &mut warnings).await?;

        // From here on nothing fails.
        self.auth.follow(keys);
        self.metrics_token.follow(metrics_token);
        self.sessions.follow(&new.dashboard);
        let removed: Vec<String> = with(&changes, |change| *change == LibraryChange::Removed);
        let mut put: Vec<Arc<Library>> = started;
        put.extend(self.under_other_settings(&new, &changes));
        self.set_config(Arc::clone(&new));
        let old = self.libraries.swap(&put, &removed);
        drop(locks);
        self.libraries.all().iter().for_each(|library| library.places.replace(&new));
        self.openapi.forget();
        put.iter().filter(|library| is_new(library, &old)).for_each(|library| watch(self, library));
        retiring::retire(self, &old, "the configuration was changed");
        let lines = changes.lines();
        for line in &lines {
            tracing::info!("configuration: {line}");
        }
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        tracing::info!(file = %new.file.display(), changes = lines.len(), "the configuration was read again and is in force");
        Ok(Applied { changes, lines, warnings })
    }

    /// What only the running gateway knows of its libraries. Reads their headers.
    fn seen(&self) -> BTreeMap<String, Seen> {
        let seen = |library: &Arc<Library>| Seen {
            target: library.target,
            has_other_headers: interfaces::have_changed(&library.config.headers, &library.configured),
            has_problem: library.problem.is_some() || is_given_up(library),
        };
        self.libraries.all().iter().map(|library| (library.name.clone(), seen(library))).collect()
    }

    /// Starts all that needs other processes, and gives it with what keeps others from replacing headers.
    ///
    /// # Errors
    /// One that works now would not work any more: all that was started is ended.
    async fn start_changed(
        &self,
        new: &Arc<Config>,
        changes: &Changes,
        places: &Arc<Places>,
        warnings: &mut Vec<String>,
    ) -> Result<(Vec<Arc<Library>>, Vec<tokio::sync::OwnedMutexGuard<()>>), Problem> {
        let names = with(changes, needs_processes);
        let mut locks = Vec::new();
        for library in names.iter().filter_map(|name| self.libraries.get(name)) {
            locks.push(Arc::clone(&library.replacing).lock_owned().await);
        }
        let fellows = self.fellows(new, &names);
        let starts = stream::iter(fellows).map(|fellows| async move {
            let outcome = self.start_beside(new, &fellows, places).await;
            (fellows, outcome)
        });
        let outcomes: Vec<_> = starts.buffer_unordered(AT_A_TIME).collect().await;
        let (mut started, mut failed) = (Vec::new(), Vec::new());
        for (fellows, outcome) in outcomes {
            match outcome {
                Ok(libraries) => started.extend(libraries),
                Err(reason) => failed.push(format!("library.{}: {reason}", fellows.names.join(", library."))),
            }
        }
        if !failed.is_empty() {
            for pool in super::beside::pools(started.iter()) {
                pool.retire(std::time::Duration::ZERO, "another library of the new configuration does not work").await;
            }
            let file = new.file.display();
            let detail = format!("{file}: {} Nothing has changed: the gateway goes on as it was.", failed.join(" "));
            return Err(Problem::new(Code::ReloadFailed, detail));
        }
        for library in &started {
            let name = &library.name;
            warnings
                .extend(library.problem.iter().map(|fault| format!("library.{name} cannot be run: {}", fault.detail)));
            let passed_over = library.standing.passed_over.iter();
            warnings.extend(passed_over.map(|reason| format!("library.{name} is run by a fallback: {reason}")));
        }
        Ok((started, locks))
    }

    /// The libraries of these names by the process that is to run them.
    fn fellows(&self, new: &Config, names: &[String]) -> Vec<Fellows> {
        let mut groups: BTreeMap<&str, Vec<(&String, &LibraryConfig)>> = BTreeMap::new();
        for (name, table) in names.iter().filter_map(|name| new.libraries.get_key_value(name)) {
            let process = table.agents.first().or(table.group.as_ref()).unwrap_or(name);
            groups.entry(process).or_default().push((name, table));
        }
        // One that does not work now may go on not to.
        let is_needed = |name: &&String| self.libraries.get(name).is_none_or(|library| !library.is_broken());
        let fellows = groups.into_values().map(|group| Fellows {
            names: group.iter().map(|(name, _)| (*name).clone()).collect(),
            needed: group.iter().map(|(name, _)| *name).filter(is_needed).cloned().collect(),
            ways: 0..group.first().map_or(1, |(_, table)| table.ways()),
            passed_over: Vec::new(),
            // What is new, and is not loaded before somebody calls, is not loaded now either.
            load: group.iter().any(|(name, _)| self.libraries.get(name).is_some()),
        });
        fellows.collect()
    }

    /// Those that go by other numbers from now on, with the processes that they have.
    fn under_other_settings(&self, new: &Config, changes: &Changes) -> Vec<Arc<Library>> {
        let names: BTreeSet<String> = with(changes, goes_by_settings).into_iter().collect();
        let mut put = Vec::new();
        for library in names.iter().filter_map(|name| self.libraries.get(name)) {
            let Some(table) = new.libraries.get(&library.name) else { continue };
            let library = Arc::new(library.with_config(table.way(library.standing.place)));
            library.queue.set_limit(table.running.queue);
            if let Some(pool) = library.pool() {
                if is_first_of(pool, &library.name) {
                    pool.set_running(&library.config.running);
                }
                pool.spec().upkeep.keep(&library.name, &library.config.running, library.config.deadline);
            }
            put.push(library);
        }
        put
    }
}

/// Whether the gateway does not try any more to run it. What somebody else is to start, or was drained, is as it should be.
fn is_given_up(library: &Library) -> bool {
    let pool = library.pool().filter(|pool| pool.spec().runtime.is_some());
    pool.is_some_and(|pool| super::failover::broken(pool, &library.name).is_some())
}

/// What libraries of one process have in common is as the first of them says.
fn is_first_of(pool: &crate::dispatch::Pool, name: &str) -> bool {
    pool.spec().loads.first().is_some_and(|load| load.name == name)
}

fn is_new(library: &Arc<Library>, old: &[Arc<Library>]) -> bool {
    !old.iter().any(|before| Arc::ptr_eq(&before.queue, &library.queue))
}

fn with(changes: &Changes, is_so: impl Fn(&LibraryChange) -> bool) -> Vec<String> {
    changes.libraries.iter().filter(|(_, change)| is_so(change)).map(|(name, _)| name.clone()).collect()
}

fn needs_processes(change: &LibraryChange) -> bool {
    match change {
        LibraryChange::Added => true,
        LibraryChange::Removed => false,
        LibraryChange::Changed { extent, .. } => *extent >= Extent::Interface,
    }
}

fn goes_by_settings(change: &LibraryChange) -> bool {
    matches!(change, LibraryChange::Changed { extent, .. } if *extent < Extent::Interface)
}

fn invalid(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::InvalidConfiguration, format!("{error}. Nothing has changed."))
}
