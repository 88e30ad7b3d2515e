//! What a running agent found of a library's interface: once when it loaded the library, and again whenever the
//! interface was replaced.

use std::sync::{Arc, PoisonError, RwLock};

use bridge32_protocol::wire::Loaded;

/// One interface, as it was found in the library.
#[derive(Debug)]
pub struct Bound {
    /// The interface's number.
    pub revision: u32,
    /// How its functions and variables were found.
    pub loaded: Loaded,
}

/// The interface that an agent has of a library now, and the one before: a late call may mean that one, and then the agent
/// goes back to it for a moment.
#[derive(Debug)]
pub struct Bindings(RwLock<[Option<Arc<Bound>>; 2]>);

impl Bindings {
    /// What was found when the library was loaded.
    pub fn new(revision: u32, loaded: Loaded) -> Self {
        Self(RwLock::new([Some(Arc::new(Bound { revision, loaded })), None]))
    }

    /// Whether the agent has that interface now.
    pub fn is(&self, revision: u32) -> bool {
        self.read()[0].as_ref().is_some_and(|bound| bound.revision == revision)
    }

    /// What was found of that interface, if it is the one that the agent has or had before.
    pub fn of(&self, revision: u32) -> Option<Arc<Bound>> {
        self.read().into_iter().flatten().find(|bound| bound.revision == revision)
    }

    /// The agent has that one from now on.
    pub fn set(&self, revision: u32, loaded: Loaded) {
        let now = Some(Arc::new(Bound { revision, loaded }));
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = known[0].take();
        *known = [now, before];
    }

    fn read(&self) -> [Option<Arc<Bound>>; 2] {
        // Two `Arc`s are whole whatever panicked.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::wire::LoadedFile;

    use super::*;

    #[test]
    fn the_interface_before_is_still_known_and_older_ones_are_not() {
        let loaded = || Loaded { bindings: Vec::new(), variables: Vec::new(), file: LoadedFile::default() };
        let bindings = Bindings::new(1, loaded());
        bindings.set(2, loaded());
        assert!(bindings.is(2) && !bindings.is(1));
        assert!(bindings.of(1).is_some() && bindings.of(2).is_some());
        bindings.set(3, loaded());
        assert!(bindings.of(1).is_none() && bindings.of(2).is_some());
    }
}
