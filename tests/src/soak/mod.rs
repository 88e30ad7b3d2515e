//! The soak: failures of every kind under load, and what must hold whatever happens. `cargo xtask soak` runs it; its short form is
//! among the tests.
//!
//! Each call writes into a [`ledger`] outside of all processes when it starts and when it returns. What its client was told is held
//! against that by a [`verdict`].

pub mod callers;
pub mod crowd;
pub mod figures;
pub mod footprint;
pub mod gateway_killed;
pub mod hammered;
pub mod history;
pub mod ledger;
pub mod load;
pub mod mixed;
pub mod options;
pub mod recovery;
pub mod reload;
pub mod report;
pub mod retries;
pub mod site;
pub mod verdict;

use crate::Target;

pub use options::Options;
pub use report::{Findings, Report};

/// Something that is made to happen, and what must hold then.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name in the report and for `--only`.
    pub name: &'static str,
    /// One line on what happens.
    pub about: &'static str,
    run: fn(&Options) -> Findings,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All of them, in the order in which they are run.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "mixed",
        about: "failures of every kind, mixed, under concurrent callers: ELF i386",
        run: |options| mixed::run(options, Target::Linux32, options.failures),
    },
    Scenario {
        name: "mixed-wine",
        about: "the same kinds of failures in DLLs under Wine",
        run: |options| mixed::run(options, Target::Win32, options.wine_failures),
    },
    Scenario {
        name: "retries",
        about: "an idempotent function crashes, and other calls wait behind it: both targets",
        run: retries::run,
    },
    Scenario {
        name: "recovery",
        about: "from the outcome of a crash to the next success of another caller: ELF i386",
        run: |options| recovery::run(options, &recovery::ELF),
    },
    Scenario {
        name: "recovery-standby",
        about: "the same with an agent that stands by",
        run: |options| recovery::run(options, &recovery::STANDBY),
    },
    Scenario {
        name: "recovery-wine",
        about: "the same under Wine, nobody standing by",
        run: |options| recovery::run(options, &recovery::WINE),
    },
    Scenario {
        name: "hammered",
        about: "one client does nothing but crash a library: how long others wait",
        run: hammered::run,
    },
    Scenario {
        name: "gateway-killed",
        about: "kill -9 of the gateway under load, and its restart",
        run: gateway_killed::run,
    },
    Scenario {
        name: "keys-kept",
        about: "the same, with Idempotency-Key: what was under way is asked for again after the restart",
        run: gateway_killed::run_with_keys,
    },
    Scenario {
        name: "history-killed",
        about: "kill -9 of the gateway at thousands of calls a second: with `before_answer` the history has every answered call",
        run: |options| history::killed(options, "before_answer"),
    },
    Scenario {
        name: "history-killed-batched",
        about: "the same with `batched`: no call is missing that was answered more than 200 ms before",
        run: |options| history::killed(options, "batched"),
    },
    Scenario {
        name: "history-unwritable",
        about: "the history's disk is full, its file locked, its database restarted: calls go on, and counts add up",
        run: history::unwritable,
    },
    Scenario {
        name: "reload",
        about: "another build of the library is taken into use under load, and another configuration",
        run: reload::run,
    },
    Scenario { name: "sessions", about: "many idle sessions", run: crowd::sessions },
    Scenario {
        name: "libraries",
        about: "many libraries that are declared and not loaded until they are used",
        run: crowd::libraries,
    },
];

impl Scenario {
    /// The one of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// Runs it.
    pub fn run(&self, options: &Options) -> Findings {
        let started = std::time::Instant::now();
        let mut findings = (self.run)(options);
        findings.seconds = started.elapsed().as_secs_f64();
        findings
    }
}
