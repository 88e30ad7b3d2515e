//! What a running agent found of a library's interface: once when it loaded the library, and again whenever the
//! interface was replaced.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use bridge32_protocol::wire::{INTERFACES_KEPT, Loaded};

/// One interface, as it was found in the library.
#[derive(Debug)]
pub struct Bound {
    /// The interface's number.
    pub revision: u32,
    /// How its functions and variables were found.
    pub loaded: Loaded,
}

/// The interfaces that an agent has of a library, by their numbers: it keeps [`INTERFACES_KEPT`] of them, so that late calls,
/// which may mean an earlier one, go on. One too many takes the place of the oldest of the others.
#[derive(Debug)]
pub struct Bindings(RwLock<BTreeMap<u32, Arc<Bound>>>);

impl Bindings {
    /// What was found when the library was loaded.
    pub fn new(revision: u32, loaded: Loaded) -> Self {
        Self(RwLock::new(BTreeMap::from([(revision, Arc::new(Bound { revision, loaded }))])))
    }

    /// Whether the agent has that interface.
    pub fn has(&self, revision: u32) -> bool {
        self.of(revision).is_some()
    }

    /// What was found of that interface, if the agent has it.
    pub fn of(&self, revision: u32) -> Option<Arc<Bound>> {
        // A map of `Arc`s is whole whatever panicked.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&revision).cloned()
    }

    /// The agent has that one, too, from now on.
    pub fn set(&self, revision: u32, loaded: Loaded) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(revision, Arc::new(Bound { revision, loaded }));
        if known.len() > INTERFACES_KEPT
            && let Some(oldest) = known.keys().copied().find(|known| *known != revision)
        {
            known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::wire::LoadedFile;

    use super::*;

    #[test]
    fn as_many_interfaces_are_known_as_an_agent_keeps() {
        let loaded = || Loaded { bindings: Vec::new(), variables: Vec::new(), file: LoadedFile::default() };
        let bindings = Bindings::new(1, loaded());
        for revision in 2..=INTERFACES_KEPT {
            bindings.set(u32::try_from(revision).unwrap(), loaded());
        }
        assert!(bindings.has(1) && bindings.has(4) && !bindings.has(5));
        bindings.set(5, loaded());
        assert!(!bindings.has(1) && bindings.has(2) && bindings.has(5));
        bindings.set(1, loaded());
        assert!(bindings.has(1) && !bindings.has(2) && bindings.has(5), "a late call brings an earlier one back");
    }
}
