//! By what the agents of a pool are kept healthy: limits and probes, which may change while they run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;

use crate::config::{Probe, Recycle, Running};

/// By what the agents of one pool are kept healthy.
#[derive(Debug, Default)]
pub struct Upkeep {
    rules: RwLock<Arc<Rules>>,
    /// `max_calls` of the rules, for those who look at it with each call; 0 is no limit.
    max_calls: AtomicU64,
    /// Somebody should look whether the rules are kept.
    look: Notify,
}

/// The rules themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// When a process is replaced, between two calls.
    pub recycle: Recycle,
    /// How long sessions of a process that is replaced may go on.
    pub drain: Duration,
    /// By library, the call that tells whether it works.
    pub probes: BTreeMap<String, Probing>,
}

/// How a library is probed.
#[derive(Clone, Debug, PartialEq)]
pub struct Probing {
    /// What is called, and what has to come of it.
    pub probe: Probe,
    /// How long a call of the library may take before its process is ended, where the header does not say.
    pub deadline: Duration,
}

impl Upkeep {
    /// What holds now.
    pub fn rules(&self) -> Arc<Rules> {
        // A pointer is whole whatever panicked.
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// That library of the pool is kept so from now on, in processes that run already, too. What those of one process have in
    /// common is as the last one says.
    pub fn keep(&self, library: &str, running: &Running, deadline: Duration) {
        let Running { recycle, drain, probe, .. } = running;
        self.change(|rules| {
            (rules.recycle, rules.drain) = (*recycle, *drain);
            match probe.clone() {
                Some(probe) => drop(rules.probes.insert(library.to_owned(), Probing { probe, deadline })),
                None => drop(rules.probes.remove(library)),
            }
        });
    }

    /// Other rules hold.
    pub(super) fn change(&self, change: impl FnOnce(&mut Rules)) {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut rules));
        self.max_calls.store(rules.recycle.max_calls.unwrap_or_default(), Ordering::Relaxed);
        drop(rules);
        self.look.notify_one();
    }

    /// A process has run so many calls. At the last one that it may run somebody is asked to look.
    pub(super) fn note_calls(&self, calls: u64) {
        if self.max_calls.load(Ordering::Relaxed) == calls {
            self.look.notify_one();
        }
    }

    /// Resolves when somebody should look.
    pub async fn asked(&self) {
        self.look.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn other_rules_hold_at_once_and_for_that_library_alone() {
        let read = |keys: &str| {
            let text = format!("[library.a]\nfile='a'\n{keys}");
            crate::config::tests::load_text(&text).unwrap().libraries["a"].running.clone()
        };
        let (upkeep, deadline) = (Upkeep::default(), Duration::from_secs(30));
        let probed = read("probe={function='Ping'}\nrecycle={max_calls=7}\ndrain='3s'");
        upkeep.keep("a", &probed, deadline);
        upkeep.keep("b", &probed, deadline);
        upkeep.keep("a", &read("recycle={max_calls=8}\ndrain='3s'"), deadline);
        let rules = upkeep.rules();
        assert_eq!(rules.probes.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!((rules.recycle.max_calls, rules.drain), (Some(8), Duration::from_secs(3)));
        tokio::time::timeout(Duration::from_secs(1), upkeep.asked()).await.unwrap();
        upkeep.note_calls(7);
        assert!(tokio::time::timeout(Duration::from_secs(1), upkeep.asked()).await.is_err());
        upkeep.note_calls(8);
        tokio::time::timeout(Duration::from_secs(1), upkeep.asked()).await.unwrap();
    }
}
