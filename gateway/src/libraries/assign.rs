//! Which agent runs a library: one that the gateway starts for it, for its group, or one that somebody else starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Fault;

use super::{Library, load_failed};
use crate::agents::{AgentSpec, LibrarySpec};
use crate::config::{Config, RuntimeConfig};
use crate::files::{Place, Places};

/// Gives the library to its agent.
///
/// # Errors
/// There is none that could run it.
pub(super) fn assign(
    library: &mut Library,
    config: &Config,
    places: &Arc<Places>,
    specs: &mut BTreeMap<String, AgentSpec>,
) -> Result<(), Fault> {
    if let Some(fault) = library.problem.take() {
        return Err(fault);
    }
    let Some(target) = library.target else { return Err(load_failed("Its architecture is not known.".to_owned())) };
    let table = &library.config;
    // Somebody else's agent may see files as those of the runtime do, and needs no command.
    let runtime = config.runtimes.get(&target);
    let started = match &table.agent {
        Some(_) => None,
        None => Some(runtime.ok_or_else(|| no_runtime(library, target, config))?),
    };
    let id = table.agent.as_ref().or(table.group.as_ref()).unwrap_or(&library.name).clone();
    let spec = specs.entry(id.clone()).or_insert_with(|| AgentSpec {
        id: id.clone(),
        target,
        runtime: started.cloned(),
        loads: Vec::new(),
    });
    if spec.target != target {
        let detail = format!("The agent `{id}` runs as {}, and this library needs {target}.", spec.target);
        return Err(load_failed(detail));
    }
    let paths = runtime.and_then(|runtime: &RuntimeConfig| runtime.paths.clone());
    let load = LibrarySpec {
        file: table.file.for_agent(paths.as_deref()),
        place: Place { file: table.file.clone(), paths, places: Arc::clone(places) },
        sha256: table.sha256.clone(),
        identity: Arc::clone(&library.identity),
        interface: Arc::clone(&library.interface),
        dialect: table.dialect,
        startup: table.startup,
    };
    spec.loads.push((library.name.clone(), load));
    library.agent = Some(id);
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
