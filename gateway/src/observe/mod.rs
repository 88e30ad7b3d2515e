//! What becomes of the calls that have ended: each is written into the history, and those that are sampled become spans.

mod log;
mod traces;

use std::path::Path;

use crate::config::{HistoryConfig, TelemetryConfig};
use crate::dispatch::{Ended, EndedBatch, Reply, Witness};
use crate::history::History;

pub use traces::{SpanCounts, Traces};

/// Whoever is told of every call.
#[derive(Debug)]
pub struct Observer {
    /// The history.
    pub history: History,
    /// Spans for a collector.
    pub traces: Traces,
}

impl Observer {
    /// Of a gateway with that folder.
    pub fn new(data_dir: &Path, history: HistoryConfig, telemetry: TelemetryConfig) -> Self {
        Self { history: History::new(data_dir, history), traces: Traces::new(telemetry) }
    }
}

impl Witness for Observer {
    fn ended(&self, call: Ended, reply: Reply) {
        log::note(&call);
        self.traces.note(&call);
        self.history.record(call, reply);
    }

    fn batch_ended(&self, batch: EndedBatch) {
        self.traces.note_batch(&batch);
    }
}
