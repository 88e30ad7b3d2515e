//! What becomes of the calls that have ended: each is counted, told to whoever listens, logged, made into spans, and written into
//! the history. What becomes of agents is counted and told, too.

pub mod events;
mod log;
pub mod metrics;
pub mod timeline;
mod traces;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::MissedTickBehavior;

use crate::agents::{Agent, Attendant, Exit, Status, View};
use crate::config::{HistoryConfig, TelemetryConfig};
use crate::dispatch::{Ended, EndedBatch, Reply, Witness};
use crate::history::{Condition, History};
use crate::interfaces::Declared;

pub use traces::{SpanCounts, Traces};

use events::{AgentChange, CallEnd, Crash, Events, HistoryNews, Replaced, Replacement};
use metrics::Metrics;
use timeline::{STEP, Timeline};

/// How often it is looked whether calls are missing in the history.
const LOOK: Duration = Duration::from_secs(1);

/// Whoever is told of every call, and of all agents.
#[derive(Debug)]
pub struct Observer {
    /// The history.
    pub history: History,
    /// What is counted.
    pub metrics: Metrics,
    /// What is told to whoever listens.
    pub events: Events,
    /// Spans for a collector.
    pub traces: Traces,
    /// How the last minutes were.
    pub timeline: Timeline,
}

impl Observer {
    /// Of a gateway with that folder.
    pub fn new(data_dir: &Path, history: HistoryConfig, telemetry: TelemetryConfig) -> Self {
        Self {
            history: History::new(data_dir, history),
            metrics: Metrics::default(),
            events: Events::default(),
            traces: Traces::new(telemetry),
            timeline: Timeline::default(),
        }
    }

    /// Tells that something was replaced, or why not.
    pub fn replaced(&self, what: Replacement, library: Option<&str>, problem: Option<String>) {
        let (at, library, ok) = (Timestamp::now(), library.map(str::to_owned), problem.is_none());
        self.events.publish(Replaced { at, what, library, ok, detail: problem });
    }

    /// Notes how libraries and agents fare, for as long as this runs. `agents` looks at all of them.
    pub async fn follow(&self, agents: impl Fn() -> Vec<View>) {
        let mut steps = tokio::time::interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            steps.tick().await;
            if self.timeline.step(self.metrics.totals()) {
                self.timeline.sample(&agents());
            }
        }
    }

    /// Tells how the history fares, for as long as this runs.
    pub async fn follow_history(&self) {
        let mut conditions = self.history.conditions();
        let mut was_broken = false;
        let mut missed = 0;
        loop {
            let condition = conditions.borrow_and_update().clone();
            let error = if let Condition::Broken { error, .. } = condition { Some(error) } else { None };
            let is_broken = error.is_some();
            if let Some(error) = error.filter(|_| !was_broken) {
                self.events.publish(HistoryNews::Broken { error });
            } else if was_broken && !is_broken {
                self.events.publish(HistoryNews::Recovered);
            }
            was_broken = is_broken;
            let now = self.history.counts().missed;
            if now > missed {
                self.events.publish(HistoryNews::Missing { calls: now - missed });
                missed = now;
            }
            // The sender lives as long as the history.
            let _ = tokio::time::timeout(LOOK, conditions.changed()).await;
        }
    }
}

impl Witness for Observer {
    fn ended(&self, call: Ended, reply: Reply) {
        self.metrics.ended(&call);
        self.events.publish(CallEnd::of(&call));
        log::note(&call);
        self.traces.note(&call);
        self.history.record(call, reply);
    }

    fn batch_ended(&self, batch: EndedBatch) {
        self.traces.note_batch(&batch);
    }

    fn sent(&self, library: &Arc<str>, declared: Option<&Declared>, calls: usize) {
        self.metrics.sent(library, declared, calls);
    }
}

impl Attendant for Observer {
    fn changed(&self, agent: &Agent, status: &Status) {
        self.timeline.changed(agent.id(), agent.generation(), status);
        self.events.publish(AgentChange {
            at: status.since,
            agent: agent.id().to_owned(),
            pool: agent.pool().to_owned(),
            libraries: agent.libraries().map(str::to_owned).collect(),
            generation: agent.generation(),
            state: status.state.name(),
            reason: status.reason.clone(),
            last_exit: agent.last_exit(),
        });
    }

    fn ended(&self, agent: &Agent, generation: u64, exit: &Exit) {
        // Otherwise the bridge has ended it, and the agent's next state is told with the reason.
        if exit.reason.is_some() {
            return;
        }
        self.metrics.crashed(agent.pool());
        let crash = exit.crash.as_deref();
        let record = crash.map(|crash| &crash.record);
        self.events.publish(Crash {
            at: Timestamp::now(),
            agent: agent.id().to_owned(),
            pool: agent.pool().to_owned(),
            libraries: agent.libraries().map(str::to_owned).collect(),
            generation,
            exit: exit.to_string(),
            report: crash.and_then(|crash| crash.report.clone()),
            library: record.and_then(|record| record.library.clone()),
            function: record.and_then(|record| record.function.clone()),
            call_id: crash.and_then(crate::agents::Crash::call),
        });
    }
}
