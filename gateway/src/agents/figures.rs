//! What the gateway itself counts of one generation of an agent: calls, how long they took, probes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::latency::{Latencies, Quantiles, SLICE};
use super::lock;
use super::upkeep::Upkeep;

/// What is counted of one generation.
#[derive(Debug)]
pub struct Figures {
    since: Instant,
    upkeep: Arc<Upkeep>,
    returned: AtomicU64,
    failed: AtomicU64,
    latencies: Latencies,
    /// How many slices of time the latencies have seen.
    slices: AtomicU64,
    /// Which part of `max_age` it gets, so that processes that were started together do not end together.
    share: f64,
    /// Its libraries have to answer their probes before it gets calls.
    on_trial: AtomicBool,
    probes: Mutex<BTreeMap<String, Probed>>,
    /// It was logged that it is running out of something.
    warned: AtomicBool,
}

/// How the probe of a library went the last time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probed {
    /// The library.
    pub library: String,
    /// The function.
    pub function: String,
    /// When it ended.
    pub at: Timestamp,
    /// Whether the answer was the expected one. A probe that could not be made is not held against the process.
    pub ok: bool,
    /// What was wrong, in words.
    pub problem: Option<String>,
    /// How many have failed in a row.
    pub failures: u32,
}

impl Figures {
    /// Of a generation that begins.
    pub(crate) fn new(upkeep: &Arc<Upkeep>) -> Self {
        Self {
            since: Instant::now(),
            upkeep: Arc::clone(upkeep),
            returned: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            latencies: Latencies::default(),
            slices: AtomicU64::new(0),
            share: 0.9 + 0.1 * f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX),
            on_trial: AtomicBool::new(!upkeep.rules().probes.is_empty()),
            probes: Mutex::default(),
            warned: AtomicBool::new(false),
        }
    }

    /// A call of a library's function has returned after so many nanoseconds in its code, or (`None`) it has failed.
    pub(crate) fn count(&self, nanoseconds: Option<u64>) {
        if let Some(nanoseconds) = nanoseconds {
            self.latencies.record(nanoseconds);
        }
        let (counter, other) = match nanoseconds {
            Some(_) => (&self.returned, &self.failed),
            None => (&self.failed, &self.returned),
        };
        let calls = counter.fetch_add(1, Ordering::Relaxed) + 1 + other.load(Ordering::Relaxed);
        // Two calls that end at once may both miss the number: somebody looks each second, too.
        self.upkeep.note_calls(calls);
    }

    /// Calls that returned.
    pub fn returned(&self) -> u64 {
        self.returned.load(Ordering::Relaxed)
    }

    /// Calls that did not.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// How old the generation is.
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Which part of an age limit is this one's: 0.9 to 1.
    pub(super) fn share(&self) -> f64 {
        self.share
    }

    /// How long the calls of the last minutes took.
    pub fn latency(&self) -> Option<Quantiles> {
        self.latencies.quantiles()
    }

    /// Time has passed: old latencies are forgotten.
    pub(crate) fn tick(&self) {
        let slice = self.age().as_secs() / SLICE.as_secs();
        if self.slices.swap(slice, Ordering::Relaxed) != slice {
            self.latencies.turn();
        }
    }

    /// Whether its libraries have to answer their probes before it gets calls.
    pub fn is_on_trial(&self) -> bool {
        self.on_trial.load(Ordering::Relaxed)
    }

    /// It may have calls. Gives whether that is news.
    pub(crate) fn acquit(&self) -> bool {
        self.on_trial.swap(false, Ordering::Relaxed)
    }

    /// A probe has ended: `problem` says what was wrong. Gives how many have failed in a row.
    pub(crate) fn probed(&self, library: &str, function: &str, problem: Option<String>) -> u32 {
        let mut known = lock(&self.probes);
        let before = known.get(library).map_or(0, |probed| probed.failures);
        let (ok, failures) = (problem.is_none(), if problem.is_some() { before + 1 } else { 0 });
        let (library, function) = (library.to_owned(), function.to_owned());
        let probed = Probed { library: library.clone(), function, at: Timestamp::now(), ok, problem, failures };
        known.insert(library, probed);
        failures
    }

    /// A probe could not be made, which is not held against the process.
    pub(crate) fn excuse(&self, library: &str, function: &str, problem: String) {
        let (name, function) = (library.to_owned(), function.to_owned());
        let (at, problem) = (Timestamp::now(), Some(problem));
        let probed = Probed { library: name.clone(), function, at, ok: true, problem, failures: 0 };
        lock(&self.probes).insert(name, probed);
    }

    /// How the last probe of each library went.
    pub fn probes(&self) -> Vec<Probed> {
        lock(&self.probes).values().cloned().collect()
    }

    /// Whether that library has answered its probe.
    pub(crate) fn has_passed(&self, library: &str) -> bool {
        lock(&self.probes).get(library).is_some_and(|probed| probed.ok)
    }

    /// Whether nobody has warned of this generation yet; from now on somebody has.
    pub(crate) fn is_first_warning(&self) -> bool {
        !self.warned.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Recycle;

    #[tokio::test(start_paused = true)]
    async fn whoever_looks_is_asked_to_at_the_last_call_that_a_process_may_run() {
        let upkeep = Arc::new(Upkeep::default());
        upkeep.change(|rules| rules.recycle = Recycle { max_calls: Some(3), ..Recycle::default() });
        upkeep.asked().await;
        let figures = Figures::new(&upkeep);
        figures.count(Some(5));
        figures.count(None);
        assert!(tokio::time::timeout(Duration::from_secs(9), upkeep.asked()).await.is_err());
        figures.count(Some(6));
        tokio::time::timeout(Duration::from_secs(9), upkeep.asked()).await.unwrap();
        assert_eq!((figures.returned(), figures.failed(), figures.latency().unwrap().calls), (2, 1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn latencies_are_of_the_last_five_minutes() {
        let figures = Figures::new(&Arc::default());
        figures.count(Some(5));
        for _ in 0..299 {
            tokio::time::advance(Duration::from_secs(1)).await;
            figures.tick();
        }
        assert!(figures.latency().is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        figures.tick();
        assert_eq!(figures.latency(), None);
        assert_eq!(figures.returned(), 1);
    }

    #[test]
    fn failures_of_probes_count_in_a_row() {
        let figures = Figures::new(&Arc::default());
        assert!(!figures.is_on_trial(), "nothing probes it");
        let fails = || figures.probed("calc", "Ping", Some("it returned 4".to_owned()));
        assert_eq!([fails(), fails()], [1, 2]);
        assert!(!figures.has_passed("calc"));
        assert_eq!(figures.probed("calc", "Ping", None), 0);
        assert!(figures.has_passed("calc"));
        assert_eq!(fails(), 1);
        let [probed] = &figures.probes()[..] else { panic!("one library") };
        assert_eq!((probed.ok, probed.problem.as_deref(), probed.failures), (false, Some("it returned 4"), 1));
    }
}
