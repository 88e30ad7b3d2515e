//! How the last minutes were: a sample of each library every few seconds, of each agent every few more, and the states that agents
//! were in. It is made of what is counted anyhow, costs calls nothing, and is gone when the gateway ends: the history has more.

mod ring;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::agents::{Status, View};
use crate::meters::Distribution;

use ring::Ring;

/// How long a sample of a library is …
pub const STEP: Duration = Duration::from_secs(5);
/// … and how many are kept: a quarter of an hour.
pub const STEPS: usize = 180;
/// Each so many samples of libraries there is one of each agent …
const STEPS_OF_AGENTS: u64 = 3;
/// … of which so many are kept: two hours.
const SAMPLES_OF_AGENTS: usize = 480;
/// So many states of an agent are kept.
const STATES: usize = 100;

/// What a library did in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Calls that ended.
    pub calls: u64,
    /// Those of them that did not return.
    pub failed: u64,
    /// How long those took that ended, in nanoseconds: p50, p95 and p99; nothing where there was none.
    pub quantiles_ns: Option<[u64; 3]>,
}

/// How an agent's process fared at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentSample {
    /// When.
    pub at: Timestamp,
    /// Which start of it.
    pub generation: u64,
    /// Bytes of memory that were resident.
    pub resident_bytes: Option<u64>,
    /// Bytes of its address space that were taken.
    pub address_space_bytes: Option<u64>,
    /// The largest free block of it.
    pub largest_free_bytes: Option<u64>,
    /// Open handles, or file descriptors.
    pub handles: Option<u64>,
    /// Its threads.
    pub threads: Option<u64>,
    /// Calls that waited for its libraries.
    pub waiting: usize,
}

/// A state that an agent was in from some moment on.
#[derive(Clone, Debug)]
pub struct PastState {
    /// The state, since when and why.
    pub status: Status,
    /// Which start of it.
    pub generation: u64,
}

/// What is kept of one agent.
#[derive(Clone, Debug)]
pub struct AgentPast {
    /// Its samples, the oldest first.
    pub samples: Vec<AgentSample>,
    /// Its states, the oldest first.
    pub states: Vec<PastState>,
}

/// The last minutes.
#[derive(Debug, Default)]
pub struct Timeline {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// How many steps there were.
    steps: u64,
    libraries: BTreeMap<Arc<str>, OfLibrary>,
    agents: HashMap<String, OfAgent>,
}

#[derive(Debug)]
struct OfLibrary {
    samples: Ring<Sample>,
    /// What was counted at its end.
    counted: Totals,
}

#[derive(Debug)]
struct OfAgent {
    samples: Ring<AgentSample>,
    states: Ring<PastState>,
}

impl Default for OfAgent {
    fn default() -> Self {
        Self { samples: Ring::new(SAMPLES_OF_AGENTS), states: Ring::new(STATES) }
    }
}

/// What was counted of a library since the gateway started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that did not return.
    pub failed: u64,
    /// How long all of them took, in nanoseconds.
    pub times: Distribution,
}

impl Timeline {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Each change is whole whatever panics elsewhere.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A step is over: this was counted of libraries until now. Whether agents are to be sampled as well.
    pub(super) fn step(&self, libraries: Vec<(Arc<str>, Totals)>) -> bool {
        let mut kept = self.lock();
        for (name, totals) in libraries {
            let of = kept
                .libraries
                .entry(name)
                .or_insert_with(|| OfLibrary { samples: Ring::new(STEPS), counted: Totals::default() });
            let times = totals.times.since(&of.counted.times);
            let quantiles_ns = (times.count > 0).then(|| [0.5, 0.95, 0.99].map(|part| times.quantile(part)));
            let failed = totals.failed.saturating_sub(of.counted.failed);
            of.samples.push(Sample { calls: times.count, failed, quantiles_ns });
            of.counted = totals;
        }
        kept.steps += 1;
        kept.steps % STEPS_OF_AGENTS == 1
    }

    /// How the agents fare now. Those that are not among them are forgotten.
    pub(super) fn sample(&self, agents: &[View]) {
        let at = Timestamp::now();
        let mut kept = self.lock();
        for view in agents {
            let Some(health) = &view.health.reported else { continue };
            let sample = AgentSample {
                at,
                generation: view.generation,
                resident_bytes: health.resident_bytes,
                address_space_bytes: health.address_space_bytes,
                largest_free_bytes: health.largest_free_bytes,
                handles: health.handles,
                threads: health.threads,
                waiting: view.health.waiting,
            };
            kept.agents.entry(view.id.clone()).or_default().samples.push(sample);
        }
        let known: BTreeSet<&str> = agents.iter().map(|view| view.id.as_str()).collect();
        kept.agents.retain(|id, _| known.contains(id.as_str()));
    }

    /// An agent is in another state.
    pub(super) fn changed(&self, agent: &str, generation: u64, status: &Status) {
        let past = PastState { status: status.clone(), generation };
        self.lock().agents.entry(agent.to_owned()).or_default().states.push(past);
    }

    /// How many steps there were.
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// What a library did, the oldest step first: always [`STEPS`] of them, of which those before it was there are empty.
    pub fn of_library(&self, name: &str) -> Vec<Sample> {
        let kept = self.lock();
        let mut samples = kept.libraries.get(name).map(|of| of.samples.to_vec()).unwrap_or_default();
        let missing = STEPS - samples.len();
        samples.splice(0..0, std::iter::repeat_n(Sample::default(), missing));
        samples
    }

    /// What all libraries did together. A quantile is the largest one of theirs: one that is slow is not hidden by the others.
    pub fn of_all(&self, names: &[&str]) -> Vec<Sample> {
        let mut sums = vec![Sample::default(); STEPS];
        for name in names {
            for (sum, sample) in sums.iter_mut().zip(self.of_library(name)) {
                sum.calls += sample.calls;
                sum.failed += sample.failed;
                sum.quantiles_ns = match (sum.quantiles_ns, sample.quantiles_ns) {
                    (Some(one), Some(other)) => Some(std::array::from_fn(|index| one[index].max(other[index]))),
                    (one, other) => one.or(other),
                };
            }
        }
        sums
    }

    /// What is known of an agent.
    pub fn of_agent(&self, id: &str) -> AgentPast {
        let kept = self.lock();
        kept.agents.get(id).map_or_else(
            || AgentPast { samples: Vec::new(), states: Vec::new() },
            |of| AgentPast { samples: of.samples.to_vec(), states: of.states.to_vec() },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::State;
    use crate::meters::Histogram;

    const BOUNDS: &[u64] = &[1_000, 2_000, 4_000];

    fn step(timeline: &Timeline, name: &str, histogram: &Histogram, failed: u64) -> bool {
        timeline.step(vec![(name.into(), Totals { failed, times: histogram.distribution() })])
    }

    #[test]
    fn a_step_has_what_was_counted_since_the_one_before() {
        let (timeline, histogram) = (Timeline::default(), Histogram::new(BOUNDS));
        for time in [500, 1_500] {
            histogram.record(time);
        }
        assert!(step(&timeline, "calc", &histogram, 1));
        assert!(!step(&timeline, "calc", &histogram, 1));
        histogram.record(3_000);
        step(&timeline, "calc", &histogram, 3);
        let samples = timeline.of_library("calc");
        assert_eq!((samples.len(), samples[STEPS - 4]), (STEPS, Sample::default()));
        assert_eq!((samples[STEPS - 3].calls, samples[STEPS - 3].failed), (2, 1));
        assert_eq!(samples[STEPS - 2], Sample::default());
        let last = samples[STEPS - 1];
        assert_eq!((last.calls, last.failed), (1, 2));
        assert!(last.quantiles_ns.unwrap().iter().all(|time| (2_000..=4_000).contains(time)), "{last:?}");
        assert_eq!(timeline.of_library("other"), vec![Sample::default(); STEPS]);
    }

    #[test]
    fn only_the_last_quarter_of_an_hour_is_kept() {
        let (timeline, histogram) = (Timeline::default(), Histogram::new(BOUNDS));
        histogram.record(1);
        for _ in 0..=STEPS {
            step(&timeline, "calc", &histogram, 0);
        }
        assert_eq!(timeline.of_library("calc"), vec![Sample::default(); STEPS]);
    }

    #[test]
    fn of_all_libraries_the_slowest_decides() {
        let timeline = Timeline::default();
        let (fast, slow) = (Histogram::new(BOUNDS), Histogram::new(BOUNDS));
        fast.record(500);
        slow.record(3_500);
        let totals = |histogram: &Histogram| Totals { failed: 1, times: histogram.distribution() };
        timeline.step(vec![("fast".into(), totals(&fast)), ("slow".into(), totals(&slow))]);
        let last = timeline.of_all(&["fast", "slow"])[STEPS - 1];
        assert_eq!((last.calls, last.failed), (2, 2));
        assert!(last.quantiles_ns.unwrap()[0] >= 2_000);
    }

    #[test]
    fn states_of_an_agent_are_kept_as_long_as_it_is_there() {
        let timeline = Timeline::default();
        let status = Status { state: State::Ready, since: Timestamp::now(), reason: None };
        for generation in 0..150 {
            timeline.changed("calc-1", generation, &status);
        }
        let past = timeline.of_agent("calc-1");
        assert_eq!((past.states.len(), past.states[0].generation), (STATES, 50));
        timeline.sample(&[]);
        assert!(timeline.of_agent("calc-1").states.is_empty());
    }
}
