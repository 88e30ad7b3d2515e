//! The servers that are measured.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use bridge32_signature::Key;
use bridge32_tests::fixture::Fixture;
use bridge32_tests::{Bridge, Config, Target, json};
use serde_json::Value;

use super::report::Starts;
use super::workload::{SCALARS, Workload};
use crate::baseline::Baseline;
use crate::usage;

/// What the others are compared with.
pub(super) const BASELINE: &str = "plain axum";
/// The bridge as users have it, with an agent of each kind.
pub(super) const ELF: &str = "linux32";
pub(super) const WINE: &str = "win32, Wine";
/// The first of them without a part.
const UNSIGNED: &str = "no signatures";
const UNRECORDED: &str = "no history";

pub(crate) const HEADER: &str = include_str!("library.h");
pub(crate) const SOURCE: &str = include_str!("library.c");

/// One of them, with what it takes to call it and to see what that takes.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) authority: String,
    pub(super) key: Option<Key>,
    /// The processes.
    pub(super) server: u32,
    pub(super) agent: Option<u32>,
    library: &'static str,
}

/// All of them, running.
#[derive(Debug)]
pub(super) struct Servers {
    baseline: Baseline,
    whole: (Bridge, Key),
    unsigned: Bridge,
    unrecorded: (Bridge, Key),
}

impl Servers {
    pub(super) fn start() -> std::io::Result<Self> {
        let whole = signed(|config| {
            library(config, ELF, Target::Linux32);
            library(config, WINE, Target::Win32);
        });
        let unsigned = Bridge::start(|config| library(config, ELF, Target::Linux32));
        let unrecorded = signed(|config| {
            library(config, ELF, Target::Linux32);
            config.set("history", toml::Table::from_iter([("durability".to_owned(), "off".into())]));
        });
        Ok(Self { baseline: Baseline::start()?, whole, unsigned, unrecorded })
    }

    pub(super) fn contenders(&self) -> Vec<Contender> {
        let of = |name, bridge: &Bridge, key: Option<&Key>, kind| Contender {
            name,
            authority: bridge.client().authority().to_owned(),
            key: key.cloned(),
            server: bridge.pid(),
            agent: Some(bridge.agent_pid(library_of(kind))),
            library: library_of(kind),
        };
        let (whole, key) = &self.whole;
        let (unrecorded, other_key) = &self.unrecorded;
        let baseline = Contender {
            name: BASELINE,
            authority: self.baseline.address.to_string(),
            key: None,
            server: self.baseline.pid(),
            agent: None,
            library: "any",
        };
        vec![
            baseline,
            of(ELF, whole, Some(key), ELF),
            of(WINE, whole, Some(key), WINE),
            of(UNSIGNED, &self.unsigned, None, ELF),
            of(UNRECORDED, unrecorded, Some(other_key), ELF),
        ]
    }

    /// Megabytes that are in use of each process of the bridge as users have it.
    pub(super) fn memory(&self) -> Vec<(String, f64)> {
        let (whole, _) = &self.whole;
        let pids = [("gateway", whole.pid()), (ELF, whole.agent_pid("elf")), (WINE, whole.agent_pid("wine"))];
        pids.into_iter().map(|(name, pid)| (name.to_owned(), usage::resident_mb(pid))).collect()
    }

    /// The milliseconds that an agent takes from its end to being ready again, each time.
    pub(super) fn agent_starts(&self, times: usize) -> Result<Vec<Starts>, Box<dyn Error>> {
        let (whole, _) = &self.whole;
        let start = |kind: &str| {
            let id = library_of(kind);
            let before = whole.generation(id);
            let began = Instant::now();
            whole.client().post(&format!("/v1/agents/{id}/restart"), &json!({}));
            loop {
                let agent = whole.agent(id);
                if agent["state"] == "ready" && whole.generation(id) > before {
                    return Ok::<f64, Box<dyn Error>>(began.elapsed().as_secs_f64() * 1e3);
                }
                if began.elapsed() > Duration::from_mins(1) {
                    return Err(format!("the agent does not come back: {agent}").into());
                }
                thread::sleep(Duration::from_millis(1));
            }
        };
        let starts = |kind: &str| {
            let ms = (0..times).map(|_| start(kind)).collect::<Result<_, _>>()?;
            Ok(Starts { agent: kind.to_owned(), ms })
        };
        [ELF, WINE].into_iter().map(starts).collect()
    }
}

/// A gateway that wants signatures.
fn signed(configure: impl FnOnce(&mut Config)) -> (Bridge, Key) {
    let mut config = Config::new();
    let key = config.key("bench", &["call:*", "read", "manage"]);
    configure(&mut config);
    (Bridge::with(config), key)
}

fn library_of(kind: &str) -> &'static str {
    if kind == WINE { "wine" } else { "elf" }
}

fn library(config: &mut Config, kind: &str, target: Target) {
    let file = Fixture::generated("measured", SOURCE).build(target);
    config.library(library_of(kind), file).declares(HEADER).set("queue", 100_000);
}

impl Contender {
    /// Whether it is measured with that: what a part costs is seen with the simplest calls.
    pub(super) fn takes(&self, workload: &Workload) -> bool {
        workload.name == SCALARS || [BASELINE, ELF, WINE].contains(&self.name)
    }

    pub(super) fn target(&self, workload: &Workload) -> String {
        format!("/v1/libraries/{}/{}", self.library, workload.target)
    }

    /// Whether it answers what is expected: what is wrong quickly is worth nothing.
    pub(super) fn try_out(&self, workload: &Workload) -> Result<(), Box<dyn Error>> {
        let client = bridge32_tests::client::Client::new(&self.authority, self.key.clone());
        let body: Value = serde_json::from_str(&workload.body)?;
        let answer = client.post(&self.target(workload), &body);
        let json = answer.ok();
        let result = if workload.calls > 1 { &json["outcomes"][0]["result"] } else { &json["result"] };
        let expected = if self.name == BASELINE { return Ok(()) } else { &workload.result };
        if result.as_f64() != expected.as_f64() {
            return Err(format!("{}: {} answers {json}", self.name, workload.name).into());
        }
        Ok(())
    }
}
