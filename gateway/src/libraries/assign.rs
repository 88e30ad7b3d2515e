//! Which agents run a library: those that the gateway starts for it, for its group, or those that somebody else starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Fault;

use super::{Library, load_failed};
use crate::agents::LibrarySpec;
use crate::config::{Config, Output, RuntimeConfig};
use crate::dispatch::PoolSpec;
use crate::files::{Place, Places};

/// Gives the library to its pool.
///
/// # Errors
/// There can be no agent that could run it.
pub(super) fn assign(
    library: &mut Library,
    config: &Config,
    places: &Arc<Places>,
    specs: &mut BTreeMap<String, PoolSpec>,
) -> Result<(), Fault> {
    if let Some(fault) = library.problem.take() {
        return Err(fault);
    }
    let Some(target) = library.target else { return Err(load_failed("Its architecture is not known.".to_owned())) };
    let table = &library.config;
    // Somebody else's agent may see files as those of the runtime do, and needs no command.
    let runtime = config.runtimes.get(&target);
    let started = match table.agents.first() {
        Some(_) => None,
        None => Some(runtime.ok_or_else(|| no_runtime(library, target, config))?),
    };
    let id = table.agents.first().or(table.group.as_ref()).unwrap_or(&library.name).clone();
    let spec = specs.entry(id.clone()).or_insert_with(|| PoolSpec {
        id: id.clone(),
        target,
        runtime: started.cloned(),
        external: table.agents.clone(),
        loads: Vec::new(),
        running: table.running.clone(),
        upkeep: Arc::default(),
    });
    if spec.target != target {
        let detail = format!("The agent `{id}` runs as {}, and this library needs {target}.", spec.target);
        return Err(load_failed(detail));
    }
    let paths = runtime.and_then(|runtime: &RuntimeConfig| runtime.paths.clone());
    let load = LibrarySpec {
        name: library.name.clone(),
        threads: table.running.threads,
        slot: spec.loads.iter().map(|load| load.threads).sum(),
        file: table.file.for_agent(paths.as_deref()),
        place: Place { file: table.file.clone(), paths, places: Arc::clone(places) },
        sha256: table.sha256.clone(),
        identity: Arc::clone(&library.identity),
        interface: Arc::clone(&library.interface),
        dialect: table.dialect,
        marks_output: table.output == Output::Calls,
    };
    spec.loads.push(load);
    spec.upkeep.keep(&library.name, &table.running, table.deadline);
    Ok(())
}

fn no_runtime(library: &Library, target: Target, config: &Config) -> Fault {
    let configured: Vec<&str> = config.runtimes.keys().map(|target| target.name()).collect();
    let configured = if configured.is_empty() { "none".to_owned() } else { configured.join(", ") };
    load_failed(format!(
        "{} needs the runtime {target}, and the configuration has no [runtime.{target}] (it has: {configured}). Add one with \
         the command that starts such an agent.",
        library.config.file.display()
    ))
}
