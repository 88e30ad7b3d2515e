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

/// The interface that an agent has of a library now.
#[derive(Debug)]
pub struct Bindings(RwLock<Arc<Bound>>);

impl Bindings {
    /// What was found when the library was loaded.
    pub fn new(revision: u32, loaded: Loaded) -> Self {
        Self(RwLock::new(Arc::new(Bound { revision, loaded })))
    }

    /// The interface that the agent has now.
    pub fn get(&self) -> Arc<Bound> {
        // An `Arc` is whole whatever panicked.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The agent has that one from now on.
    pub fn set(&self, revision: u32, loaded: Loaded) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Bound { revision, loaded });
    }
}
