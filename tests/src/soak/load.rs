//! What the callers do: ordinary calls, and every kind of failure.

use super::callers::Random;
use super::site::Site;
use crate::{Value, json};

/// A function of the fixture, with what the soak has to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The function.
    pub function: &'static str,
    /// How often it is chosen among its like.
    weight: u32,
    /// It may run more than once.
    pub idempotent: bool,
    arguments: fn(&mut Random, flood: u32) -> Value,
}

const fn kind(function: &'static str, weight: u32) -> Kind {
    Kind { function, weight, idempotent: false, arguments: |_, _| json!({}) }
}

/// Calls that harm nobody.
pub const ORDINARY: &[Kind] = &[
    Kind { arguments: |random, _| json!({"a": random.below(1000), "b": random.below(1000)}), ..kind("Add", 16) },
    Kind { arguments: |random, _| json!({"milliseconds": random.below(20)}), ..kind("Nap", 3) },
];

/// The ways in which a library fails. [`OUTSIDE`] comes to them.
pub const FAILURES: &[Kind] = &[
    kind("WriteToNull", 14),
    kind("OverflowStack", 10),
    kind("Abort", 12),
    kind("Exit", 12),
    kind("Spin", 8),
    kind("LeakAndUse", 6),
    kind("LeakAndReturn", 4),
    kind("CorruptHeap", 10),
    Kind { arguments: |_, flood| json!({"megabytes": flood}), ..kind("Flood", 1) },
    kind("KillItself", 12),
    CRASH_ONCE,
];

/// It crashes the first time only, and may be called again.
pub const CRASH_ONCE: Kind = Kind { idempotent: true, ..kind("CrashOnce", 6) };

/// `kill -9` of an agent's process by somebody else, as if it were one of the kinds.
pub const OUTSIDE: Kind = kind("(kill -9)", 10);

/// A call that is to be made.
#[derive(Clone, Debug)]
pub struct Job {
    /// Of what.
    pub kind: Kind,
    /// Where.
    pub site: Site,
    /// Under which name it is in the ledger.
    pub token: String,
    /// Its arguments, without the entry.
    pub arguments: Value,
}

impl Job {
    /// A random one. `failures` is the share of failures among a hundred calls.
    pub fn random(random: &mut Random, sites: &[Site], failures: u32, flood: u32) -> Self {
        let kind = if random.below(100) < failures {
            let all: Vec<Kind> = FAILURES.iter().copied().chain([OUTSIDE]).collect();
            choose(&all, random)
        } else {
            choose(ORDINARY, random)
        };
        let site = sites[random.below(u32::try_from(sites.len()).expect("a few")) as usize].clone();
        let arguments = (kind.arguments)(random, flood);
        Self { kind, site, token: random.token(), arguments }
    }

    /// Whether it is there to do harm.
    pub fn is_failure(&self) -> bool {
        ORDINARY.iter().all(|kind| kind.function != self.kind.function)
    }

    /// Whether it is no call at all.
    pub fn is_outside(&self) -> bool {
        self.kind.function == OUTSIDE.function
    }
}

fn choose(kinds: &[Kind], random: &mut Random) -> Kind {
    let mut at = random.below(kinds.iter().map(|kind| kind.weight).sum());
    let chosen = kinds.iter().find(|kind| {
        let found = at < kind.weight;
        at = at.saturating_sub(kind.weight);
        found
    });
    *chosen.expect("the number is below the sum of all weights")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_chosen_and_the_same_seed_chooses_the_same() {
        let sites = Site::several(crate::Target::Linux32, 3);
        let jobs = |seed| {
            let mut random = Random::new(seed, 1);
            (0..3000).map(|_| Job::random(&mut random, &sites, 50, 1)).collect::<Vec<_>>()
        };
        let chosen = jobs(7);
        for kind in ORDINARY.iter().chain(FAILURES).chain([&OUTSIDE]) {
            assert!(chosen.iter().any(|job| job.kind.function == kind.function), "{}", kind.function);
        }
        let names = |jobs: Vec<Job>| jobs.into_iter().map(|job| (job.token, job.kind.function)).collect::<Vec<_>>();
        assert_eq!(names(jobs(7)), names(chosen));
    }
}
