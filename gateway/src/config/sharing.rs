//! Libraries that share a process: what they have to agree in, and the names of agents, which must not meet.

use std::collections::BTreeMap;

use super::document::{LibraryDocument, OneOrMany};
use super::running::{MAX_PROCESS_THREADS, Process};
use super::{ConfigError, Context, LibraryConfig};

/// A key of [`Process`], by name.
type Key<T> = (&'static str, fn(&mut Process) -> &mut Option<T>);

/// Libraries of one process, in words and by name.
type Sharing<'a> = BTreeMap<String, Vec<&'a str>>;

impl Context<'_> {
    /// Gives libraries that share a process what one of them says of it. Two must not say different things.
    pub(super) fn agree(
        &self,
        documents: &BTreeMap<String, LibraryDocument>,
        processes: &mut BTreeMap<String, Process>,
    ) -> Result<(), ConfigError> {
        let mut sharing = Sharing::new();
        for (name, table) in documents {
            let agents = table.agent.as_ref().map(OneOrMany::as_slice);
            let what = match (&table.group, agents) {
                (_, Some([first, ..])) => format!("the agent `{first}`"),
                (Some(group), _) => format!("the group `{group}`"),
                (None, _) => continue,
            };
            sharing.entry(what).or_default().push(name);
        }
        for (what, members) in sharing.iter().filter(|(_, members)| members.len() > 1) {
            let mut agreement = Agreement { context: self, what, members, processes };
            agreement.of(("instances", |process| &mut process.instances))?;
            agreement.of(("standby", |process| &mut process.standby))?;
            agreement.of(("startup", |process| &mut process.startup))?;
            agreement.of(("drain", |process| &mut process.drain))?;
            agreement.of(("recycle.max_memory", |process| &mut process.recycle.max_memory))?;
            agreement.of(("recycle.max_handles", |process| &mut process.recycle.max_handles))?;
            agreement.of(("recycle.max_calls", |process| &mut process.recycle.max_calls))?;
            agreement.of(("recycle.max_age", |process| &mut process.recycle.max_age))?;
        }
        Ok(())
    }

    /// A process has so many threads for its libraries together.
    pub(super) fn threads(&self, libraries: &BTreeMap<String, LibraryConfig>) -> Result<(), ConfigError> {
        let mut threads: BTreeMap<&str, u32> = BTreeMap::new();
        for (name, library) in libraries {
            let process = library.agents.first().or(library.group.as_ref()).unwrap_or(name);
            let sum = threads.entry(process).or_default();
            *sum += library.running.threads;
            if *sum > MAX_PROCESS_THREADS {
                let text = format!(
                    "the libraries of the process `{process}` have more than {MAX_PROCESS_THREADS} threads together: \
                     write less here or in the others"
                );
                return Err(self.wrong(format!("library.{name}.threads"), text));
            }
        }
        Ok(())
    }

    /// The second process of `calc` is `calc.2`: nothing else may have that name.
    pub(super) fn numbered(&self, libraries: &BTreeMap<String, LibraryConfig>) -> Result<(), ConfigError> {
        let mut pools: BTreeMap<&str, String> = BTreeMap::new();
        let mut others: Vec<(&str, String)> = Vec::new();
        for (name, library) in libraries {
            others.extend(library.external_agents().map(|(key, agent)| (agent, format!("library.{name}.{key}"))));
            match &library.group {
                _ if !library.agents.is_empty() => {}
                Some(group) => drop(pools.insert(group, format!("library.{name}.group"))),
                None => drop(pools.insert(name, format!("library.{name}"))),
            }
        }
        let all = pools.iter().map(|(name, key)| (*name, key)).chain(others.iter().map(|(name, key)| (*name, key)));
        for (name, key) in all {
            if let Some(pool) = numbered_of(name).filter(|pool| pools.contains_key(pool)) {
                let text = format!(
                    "`{name}` is the name of a further process of `{pool}`: choose another one, such as `{}`",
                    name.replace('.', "-")
                );
                return Err(self.wrong(key.as_str(), text));
            }
        }
        Ok(())
    }
}

/// `calc` for `calc.2`, `calc.3` and so on.
fn numbered_of(name: &str) -> Option<&str> {
    let (pool, number) = name.rsplit_once('.')?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    (is_number && !matches!(number, "" | "1")).then_some(pool)
}

/// Has the libraries of one process agree.
struct Agreement<'a> {
    context: &'a Context<'a>,
    what: &'a str,
    members: &'a [&'a str],
    processes: &'a mut BTreeMap<String, Process>,
}

impl Agreement<'_> {
    fn of<T: Clone + PartialEq>(&mut self, (key, get): Key<T>) -> Result<(), ConfigError> {
        let mut stated: Option<(&str, T)> = None;
        for name in self.members {
            let own = self.processes.get_mut(*name).and_then(|process| get(process).clone());
            match (&stated, own) {
                (Some((first, value)), Some(own)) if own != *value => {
                    let text = format!(
                        "library.{first}.{key} says something else, and the libraries of {} share a process: say it in one \
                         of their tables, or the same in all",
                        self.what
                    );
                    return Err(self.context.wrong(format!("library.{name}.{key}"), text));
                }
                (None, Some(own)) => stated = Some((name, own)),
                _ => {}
            }
        }
        for name in self.members {
            if let Some(process) = self.processes.get_mut(*name) {
                *get(process) = stated.as_ref().map(|(_, value)| value.clone());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
