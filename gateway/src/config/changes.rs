//! What is different in a configuration that was read again, and what has to be done for it. Nothing is done here.
//!
//! [`Changes::between`] is either all that is to be done, or says which keys only a restart of the gateway can change: then
//! nothing may be done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use bridge32_protocol::target::Target;
use serde::Serialize;

use super::{Config, LibraryConfig, Listen, Scheme};
use settings::{Applies, Setting};
pub use settings::{Shown, shown};

pub(super) mod settings;

/// What is to be done for a new configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Keys of the gateway itself: `max_body`, `bulk_limit`, `library_folders`, `sensitive_names`,
    /// `auth.keys_file`, `dashboard.password`, `dashboard.session`.
    pub gateway: Vec<KeyChange>,
    /// Libraries by name. Where a `[runtime.NAME]` table has changed, those that it runs are among them.
    pub libraries: BTreeMap<String, LibraryChange>,
}

/// What is to be done for a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum LibraryChange {
    /// There was none of that name.
    Added,
    /// There is none of that name any more.
    Removed,
    /// It is to be run in another way.
    Changed {
        /// Keys of its table, and of its runtime's, that have changed.
        keys: Vec<KeyChange>,
        /// What else has, in words.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<String>,
        /// How far that goes.
        extent: Extent,
    },
}

/// How far a change of a library goes. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// The gateway goes by other numbers: deadlines, limits, the probe.
    Settings,
    /// There may have to be more or fewer processes.
    Pool,
    /// The headers are to be read anew.
    Interface,
    /// Other processes are needed: they are started beside those that there are, and take over.
    Processes,
}

/// A key with another value than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyChange {
    /// The key, from the name of its table on: `deadline` in a library's change, `runtime.win32.command`.
    pub key: String,
    /// The value before, as it would be written; `None` where it may be a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The value now, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What only the running gateway knows of a library, for [`Changes::between`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What runs it: the runtime that its file needs, where its table does not say one.
    pub target: Option<Target>,
    /// Its header files have another text than when they were read.
    pub has_other_headers: bool,
    /// It was not even given to an agent. What kept it may be mended by now.
    pub has_problem: bool,
}

/// Keys that only a restart can change. Nothing may be applied of a configuration that has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedsRestart {
    /// The configuration file.
    pub file: PathBuf,
    /// The keys.
    pub keys: Vec<KeyChange>,
}

impl Changes {
    /// Compares the configuration that is in force with another one of the same file. `seen` has the libraries that run;
    /// what it lacks is as the configuration says.
    ///
    /// # Errors
    /// The keys that a running gateway cannot change.
    pub fn between(old: &Config, new: &Config, seen: &BTreeMap<String, Seen>) -> Result<Self, NeedsRestart> {
        let (at_restart, gateway) = of_gateway(old, new);
        if !at_restart.is_empty() {
            return Err(NeedsRestart { file: new.file.clone(), keys: at_restart });
        }
        let runtimes = of_runtimes(old, new);
        let mut libraries = BTreeMap::new();
        let names: BTreeSet<&String> = old.libraries.keys().chain(new.libraries.keys()).collect();
        for name in names {
            let seen = seen.get(name).copied().unwrap_or_default();
            let change = match (old.libraries.get(name), new.libraries.get(name)) {
                (None, _) => Some(LibraryChange::Added),
                (_, None) => Some(LibraryChange::Removed),
                (Some(old), Some(new)) => of_library(old, new, seen, &runtimes),
            };
            libraries.extend(change.map(|change| (name.clone(), change)));
        }
        take_along(old, new, &mut libraries);
        Ok(Self { gateway, libraries })
    }

    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        self.gateway.is_empty() && self.libraries.is_empty()
    }

    /// What has changed, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.gateway.iter().map(ToString::to_string).collect();
        for (name, change) in &self.libraries {
            match change {
                LibraryChange::Added => lines.push(format!("library.{name} is new")),
                LibraryChange::Removed => lines.push(format!("library.{name} is gone")),
                LibraryChange::Changed { keys, reasons, .. } => {
                    lines.extend(keys.iter().map(|key| format!("library.{name}: {key}")));
                    lines.extend(reasons.iter().map(|reason| format!("library.{name}: {reason}")));
                }
            }
        }
        lines
    }
}

impl LibraryChange {
    /// Whether processes start or end for it, of all that share one with it.
    fn is_of_process(&self) -> bool {
        match self {
            Self::Added | Self::Removed => true,
            Self::Changed { extent, .. } => *extent >= Extent::Interface,
        }
    }
}

impl fmt::Display for KeyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{}: {from} becomes {to}", self.key),
            _ => write!(f, "{} has changed", self.key),
        }
    }
}

impl fmt::Display for NeedsRestart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        let file = self.file.display();
        write!(
            f,
            "{file}: {}. That needs a restart of the gateway, so nothing was changed: start it again, or take that back and \
             reload",
            keys.join("; ")
        )
    }
}

impl std::error::Error for NeedsRestart {}

/// The settings that are different. Both have the same keys in the same order.
fn different<T: Copy>(old: Vec<Setting<T>>, new: Vec<Setting<T>>) -> impl Iterator<Item = (T, KeyChange)> {
    old.into_iter().zip(new).filter(|(old, new)| old.value != new.value).map(|(old, new)| {
        let shown = |value: String| (!new.is_secret).then_some(value);
        (new.takes, KeyChange { key: new.key.to_owned(), from: shown(old.value), to: shown(new.value) })
    })
}

/// The keys of the gateway itself: those that need a restart, and the others.
fn of_gateway(old: &Config, new: &Config) -> (Vec<KeyChange>, Vec<KeyChange>) {
    let mut new = new.clone();
    // The system's choice was made when the gateway started.
    for (listen, bound) in new.listeners.listen.iter_mut().zip(&old.listeners.listen) {
        if listen.address.port() == 0 && endpoint(listen) == endpoint(bound) {
            listen.address.set_port(bound.address.port());
        }
    }
    let keys = different(settings::of_gateway(old), settings::of_gateway(&new));
    let (at_restart, at_once): (Vec<_>, Vec<_>) = keys.partition(|(applies, _)| *applies == Applies::AtRestart);
    let keys = |changes: Vec<(Applies, KeyChange)>| changes.into_iter().map(|(_, key)| key).collect();
    (keys(at_restart), keys(at_once))
}

fn endpoint(listen: &Listen) -> (Scheme, IpAddr) {
    (listen.scheme, listen.address.ip())
}

/// What is different about a runtime.
#[derive(Default)]
struct RuntimeChange {
    keys: Vec<KeyChange>,
    reason: Option<String>,
}

/// The runtimes that are new, gone, or not what they were.
fn of_runtimes(old: &Config, new: &Config) -> BTreeMap<Target, RuntimeChange> {
    let mut changes = BTreeMap::new();
    for target in Target::ALL {
        let name = target.name();
        let told = |what: &str| RuntimeChange { reason: Some(format!("runtime.{name} is {what}")), keys: Vec::new() };
        let change = match (old.runtimes.get(&target), new.runtimes.get(&target)) {
            (None, None) => continue,
            (None, Some(_)) => told("new"),
            (Some(_), None) => told("gone"),
            (Some(old), Some(new)) => {
                let keys = different(settings::of_runtime(old), settings::of_runtime(new));
                let keys = keys.map(|((), key)| KeyChange { key: format!("runtime.{name}.{}", key.key), ..key });
                RuntimeChange { keys: keys.collect(), reason: None }
            }
        };
        if change.reason.is_some() || !change.keys.is_empty() {
            changes.insert(target, change);
        }
    }
    changes
}

fn of_library(
    old: &LibraryConfig,
    new: &LibraryConfig,
    seen: Seen,
    runtimes: &BTreeMap<Target, RuntimeChange>,
) -> Option<LibraryChange> {
    let own = different(settings::of_library(old), settings::of_library(new));
    let (mut extents, mut keys): (Vec<Extent>, Vec<KeyChange>) = own.unzip();
    let mut reasons = Vec::new();
    if seen.has_other_headers {
        extents.push(Extent::Interface);
        reasons.push("its header files have another text".to_owned());
    }
    if seen.has_problem {
        extents.push(Extent::Processes);
        reasons.push("it could not be run, which is tried again".to_owned());
    }
    let fallbacks = new.fallback.iter().map(|fallback| fallback.runtime);
    let targets: BTreeSet<Target> = fallbacks.chain([new.runtime.or(seen.target)]).flatten().collect();
    for change in targets.iter().filter_map(|target| runtimes.get(target)) {
        extents.push(Extent::Processes);
        keys.extend_from_slice(&change.keys);
        reasons.extend(change.reason.clone());
    }
    Some(LibraryChange::Changed { extent: extents.into_iter().max()?, keys, reasons })
}

/// The processes that may run a library, by the names of their pools or agents.
fn processes<'a>(name: &'a str, library: &'a LibraryConfig) -> impl Iterator<Item = &'a str> {
    let fallbacks = library.fallback.iter().flat_map(|fallback| &fallback.agents);
    let started = library.agents.is_empty().then(|| library.group.as_deref().unwrap_or(name));
    library.agents.iter().chain(fallbacks).map(String::as_str).chain(started)
}

/// Where a library's process is replaced, so is that of the others in it.
fn take_along(old: &Config, new: &Config, libraries: &mut BTreeMap<String, LibraryChange>) {
    let mut replaced: BTreeMap<&str, &str> = BTreeMap::new();
    loop {
        let is_replaced = |name: &str| libraries.get(name).is_some_and(LibraryChange::is_of_process);
        for (name, library) in old.libraries.iter().chain(&new.libraries).filter(|(name, _)| is_replaced(name)) {
            for process in processes(name, library) {
                replaced.entry(process).or_insert(name);
            }
        }
        let others = new.libraries.iter().filter(|(name, _)| !is_replaced(name));
        let along = others.filter_map(|(name, library)| {
            let cause = processes(name, library).find_map(|process| replaced.get(process))?;
            Some((name.clone(), *cause))
        });
        let along: Vec<(String, &str)> = along.collect();
        if along.is_empty() {
            return;
        }
        for (name, cause) in along {
            let (keys, mut reasons) = match libraries.remove(&name) {
                Some(LibraryChange::Changed { keys, reasons, .. }) => (keys, reasons),
                _ => (Vec::new(), Vec::new()),
            };
            reasons.push(format!("it shares its process with library.{cause}"));
            libraries.insert(name, LibraryChange::Changed { keys, reasons, extent: Extent::Processes });
        }
    }
}

#[cfg(test)]
mod tests;
