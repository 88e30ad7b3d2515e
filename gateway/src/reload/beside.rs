//! Starts libraries beside those that are in force, and finds out whether they work.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::{Binding, FaultCode};
use tokio::time::Instant;

use crate::agents::Probed;
use crate::bridge::Bridge;
use crate::config::{Config, Running};
use crate::dispatch::{LibraryState, Pool};
use crate::files::Places;
use crate::libraries::{Library, Prepared, Standing};

/// How often those that start are looked at, if nothing happens.
const LOOK: Duration = Duration::from_millis(50);

/// Libraries of one process that are to be started together.
#[derive(Clone, Debug)]
pub(super) struct Fellows {
    /// Their names.
    pub(super) names: Vec<String>,
    /// Those of them that have to work.
    pub(super) needed: Vec<String>,
    /// The ways that are tried, where it is one library alone.
    pub(super) ways: Range<usize>,
    /// Why earlier ways are not tried.
    pub(super) passed_over: Vec<String>,
    /// They are loaded to see whether they work, also if they are not to be loaded before somebody calls.
    pub(super) load: bool,
}

impl Bridge {
    /// Starts libraries, and gives them once they work. What was started in vain is ended.
    ///
    /// # Errors
    /// In words, why one that is needed does not work.
    pub(super) async fn start_beside(
        &self,
        config: &Config,
        fellows: &Fellows,
        places: &Arc<Places>,
    ) -> Result<Vec<Arc<Library>>, String> {
        let [name] = fellows.names.as_slice() else { return self.start_together(config, fellows, places).await };
        let mut standing = Standing { place: fellows.ways.start, passed_over: fellows.passed_over.clone() };
        for place in fellows.ways.clone() {
            standing.place = place;
            let reason = match prepare(config, name, &standing, places).await {
                Ok(prepared) => match self.start(&prepared, fellows).await {
                    Ok(()) => return Ok(prepared.libraries),
                    Err(reason) => reason,
                },
                Err(reason) => reason,
            };
            standing.passed_over.push(reason);
        }
        if fellows.needed.is_empty() {
            return self.start_together(config, fellows, places).await;
        }
        let tried = standing.passed_over.get(fellows.passed_over.len()..).unwrap_or_default();
        Err(match tried {
            [reason] => reason.clone(),
            several => {
                let several = several.iter().zip(fellows.ways.clone());
                let told: Vec<String> = several.map(|(reason, place)| format!("{}: {reason}", way(place))).collect();
                told.join(" ")
            }
        })
    }

    /// Starts libraries as a gateway does that starts: those that cannot be run are kept, unless they are needed.
    async fn start_together(
        &self,
        config: &Config,
        fellows: &Fellows,
        places: &Arc<Places>,
    ) -> Result<Vec<Arc<Library>>, String> {
        let (config, names, places) = (config.clone(), fellows.names.clone(), Arc::clone(places));
        let read = move || Prepared::of(&config, |name| names.iter().any(|wanted| wanted == name), &places);
        let prepared = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?;
        let is_needed = |library: &&Arc<Library>| fellows.needed.contains(&library.name);
        if let Some(library) = prepared.libraries.iter().filter(is_needed).find(|library| library.problem.is_some()) {
            let detail = library.problem.as_ref().map_or("", |fault| fault.detail.as_str());
            return Err(format!("{}: {detail}", library.name));
        }
        self.start(&prepared, fellows).await?;
        Ok(prepared.libraries)
    }

    async fn start(&self, prepared: &Prepared, fellows: &Fellows) -> Result<(), String> {
        prepared.start(&self.agents);
        let needed = prepared.libraries.iter().filter(|library| fellows.needed.contains(&library.name));
        let needed: Vec<&Arc<Library>> = needed.collect();
        let outcome = works(&needed, fellows.load).await;
        if let Err(reason) = &outcome {
            let reason = format!("it was started beside another one, and does not work: {reason}");
            for pool in pools(prepared.libraries.iter()) {
                pool.retire(Duration::ZERO, &reason).await;
            }
        }
        outcome
    }
}

/// What a way is called.
fn way(place: usize) -> String {
    if place == 0 { "The library itself".to_owned() } else { format!("Fallback {place}") }
}

/// The pools of libraries, each once.
pub(super) fn pools<'a>(libraries: impl Iterator<Item = &'a Arc<Library>>) -> Vec<Arc<Pool>> {
    let mut pools: Vec<Arc<Pool>> = Vec::new();
    for pool in libraries.filter_map(|library| library.pool()) {
        if !pools.iter().any(|known| Arc::ptr_eq(known, pool)) {
            pools.push(Arc::clone(pool));
        }
    }
    pools
}

/// Large files and headers take their time.
async fn prepare(config: &Config, name: &str, standing: &Standing, places: &Arc<Places>) -> Result<Prepared, String> {
    let (config, name, standing, places) = (config.clone(), name.to_owned(), standing.clone(), Arc::clone(places));
    let read = move || Prepared::way(&config, &name, standing, &places);
    let prepared = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?;
    prepared.map_err(|fault| fault.detail)
}

/// Waits until these libraries can be called, and their probes are met. What somebody else starts is waited for if it is a
/// fallback; otherwise it comes when it comes, and first of all has to end what it ran before.
async fn works(libraries: &[&Arc<Library>], load: bool) -> Result<(), String> {
    for pool in pools(libraries.iter().copied()) {
        let spec = pool.spec();
        let of_pool = |library: &&&Arc<Library>| library.pool().is_some_and(|own| Arc::ptr_eq(own, &pool));
        let own: Vec<&Arc<Library>> = libraries.iter().filter(of_pool).copied().collect();
        let is_awaited = match spec.runtime {
            Some(_) => load || spec.running.instances.min > 0,
            None => own.iter().any(|library| library.standing.place > 0),
        };
        if !is_awaited {
            continue;
        }
        is_ready(&pool, &own).await?;
    }
    Ok(())
}

/// Waits until as many processes as there should be have these libraries loaded; one is enough when the time is over.
async fn is_ready(pool: &Pool, libraries: &[&Arc<Library>]) -> Result<(), String> {
    let spec = pool.spec();
    let wanted = wanted(&spec.running);
    // From the start to the registration, and again for each library.
    let limit =
        spec.running.startup.saturating_mul(u32::try_from(spec.loads.len()).unwrap_or(u32::MAX).saturating_add(1));
    let end = Instant::now() + limit;
    let mut changes = pool.changes();
    pool.want();
    loop {
        changes.borrow_and_update();
        let reason = match look(pool, libraries)? {
            Look::Ready(count) if count >= wanted => return Ok(()),
            Look::Ready(_) => None,
            Look::Waiting(reason) => Some(reason),
        };
        // The sender lives as long as the pool. A probe that fails is no change of an agent.
        let _ = tokio::time::timeout(LOOK, changes.changed()).await;
        if Instant::now() >= end {
            return match reason {
                None => Ok(()),
                Some(reason) => Err(format!("It was not ready within {} s: {reason}.", limit.as_secs_f64())),
            };
        }
    }
}

/// How many processes there are when all is well.
fn wanted(running: &Running) -> usize {
    usize::try_from(running.instances.min.max(1) + if running.instances.min == 0 { 0 } else { running.standby })
        .unwrap_or(usize::MAX)
}

enum Look {
    /// So many processes have all loaded.
    Ready(usize),
    /// None has yet. In words.
    Waiting(String),
}

/// # Errors
/// The file has nothing of what the headers declare: one of the two is another library's.
fn has_something(library: &Library) -> Result<(), String> {
    let Some(bound) = library.bound(&library.declared()) else { return Ok(()) };
    let is_missing =
        |binding: &Binding| matches!(binding, Binding::Missing(fault) if fault.code == FaultCode::UnknownFunction);
    let bindings = &bound.loaded.bindings;
    if bindings.is_empty() || !bindings.iter().all(is_missing) {
        return Ok(());
    }
    Err(format!(
        "{} exports none of the {} functions that the headers of `{}` declare: is the file, or the header, another library's?",
        library.config.file.display(),
        bindings.len(),
        library.name
    ))
}

/// # Errors
/// One of the libraries will not be loaded, or does not answer its probe as it should: a process gets no calls before.
fn look(pool: &Pool, libraries: &[&Arc<Library>]) -> Result<Look, String> {
    let links = pool.links();
    let probes = links.iter().flat_map(|link| link.figures.probes());
    let of_these = |probed: &Probed| libraries.iter().any(|library| library.name == probed.library);
    for Probed { library, function, problem, .. } in probes.filter(of_these) {
        if let Some(problem) = problem {
            return Err(format!("The probe `{function}` of `{library}` failed: {problem}."));
        }
    }
    for library in libraries {
        match pool.state(&library.name) {
            LibraryState::Ready(_) => has_something(library)?,
            LibraryState::Waiting(reason) | LibraryState::Idle(reason) => return Ok(Look::Waiting(reason)),
            LibraryState::Failed(fault) => return Err(fault.detail),
            LibraryState::Gone(reason) => return Err(format!("Its agent does not start: {reason}.")),
        }
    }
    Ok(Look::Ready(links.iter().filter(|link| !link.figures.is_on_trial()).count()))
}
