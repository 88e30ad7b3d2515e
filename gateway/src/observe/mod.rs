//! What becomes of the calls that have ended: each is written into the history.

use std::path::Path;

use crate::config::HistoryConfig;
use crate::dispatch::{Ended, Reply, Witness};
use crate::history::History;

/// Whoever is told of every call.
#[derive(Debug)]
pub struct Observer {
    /// The history.
    pub history: History,
}

impl Observer {
    /// Of a gateway with that folder.
    pub fn new(data_dir: &Path, config: HistoryConfig) -> Self {
        Self { history: History::new(data_dir, config) }
    }
}

impl Witness for Observer {
    fn ended(&self, call: Ended, reply: Reply) {
        self.history.record(call, reply);
    }
}
