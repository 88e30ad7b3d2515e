//! How an agent fares, as the API tells it: what it says itself, and what the gateway sees of it.

use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Health;
use jiff::Timestamp;
use serde::Serialize;

use super::figures::{Figures, Probed};
use super::latency::Quantiles;
use super::limits::{Limit, Seen};
use super::process::Exit;
use crate::config::Recycle;

/// How an agent fares. All but `last_crash` is about its current generation.
#[derive(Clone, Debug, Serialize)]
pub struct Fitness {
    /// What its last registration said; nothing while no process is registered.
    #[serde(flatten)]
    pub reported: Option<Health>,
    /// How long ago that was, in milliseconds.
    pub reported_ms_ago: Option<u64>,
    /// Calls that wait for its libraries, whichever agent will run them.
    pub waiting: usize,
    /// Calls that it has ended.
    pub returned: u64,
    /// Calls that failed there.
    pub failed: u64,
    /// How long calls took that returned within the last five minutes; `None` if there was none.
    pub latency: Option<Quantiles>,
    /// The limits at which it is replaced.
    pub limits: Vec<Limit>,
    /// What is wrong or will be, in words.
    pub warnings: Vec<String>,
    /// How the last probe of each library went.
    pub probes: Vec<Probed>,
    /// The last time that a process of it ended by itself.
    pub last_crash: Option<LastCrash>,
}

/// A process that ended by itself.
#[derive(Clone, Debug, Serialize)]
pub struct LastCrash {
    /// When.
    pub at: Timestamp,
    /// The number of its start.
    pub generation: u64,
    /// How it ended, in words.
    pub what: String,
    /// The name of its report, under `/v1/crashes`; `None` if there is none.
    pub report: Option<String>,
}

impl LastCrash {
    /// Of a process that has ended just now; `None` if the bridge has ended it.
    pub(super) fn of(exit: &Exit, generation: u64) -> Option<Self> {
        let report = exit.crash.as_ref().and_then(|crash| crash.report.clone());
        exit.reason.is_none().then(|| Self { at: Timestamp::now(), generation, what: exit.to_string(), report })
    }
}

impl Fitness {
    /// Of a generation with its last registration, and how many milliseconds old that is.
    pub(super) fn new(
        figures: &Figures,
        target: Target,
        reported: Option<(&Health, u64)>,
        recycle: &Recycle,
        last_crash: Option<LastCrash>,
    ) -> Self {
        let seen = reported.map(|(health, _)| Seen::new(health, figures, target));
        Self {
            reported: reported.map(|(health, _)| health.clone()),
            reported_ms_ago: reported.map(|(_, age)| age),
            waiting: 0,
            returned: figures.returned(),
            failed: figures.failed(),
            latency: figures.latency(),
            limits: seen.map(|seen| seen.limits(recycle)).unwrap_or_default(),
            warnings: seen.map(|seen| seen.warnings(recycle)).unwrap_or_default(),
            probes: figures.probes(),
            last_crash,
        }
    }
}
