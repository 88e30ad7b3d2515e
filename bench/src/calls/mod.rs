//! What calls cost in the bridge as users have it, with everything on: against plain axum, against another program for the same
//! purpose, and against the bridge with a part of it off. All are measured in one run, in turns, so that a machine which gets
//! slower does so for all.

mod contender;
pub(crate) mod kept;
mod peer;
mod report;
mod workload;

use std::error::Error;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::{self, Post, Requests};
use crate::usage;
use contender::{Contender, Servers};
use workload::Workload;

pub(crate) use contender::{HEADER, SOURCE};
pub(crate) use report::Report;
pub(crate) use workload::NAMES;

/// How many clients call at the same time.
pub(crate) const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
/// What comes before each round and is not measured.
const WARM_UP: Duration = Duration::from_millis(150);
/// No server here answers more requests a second.
const FASTEST: f64 = 100_000.0;

/// How much is measured.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    /// Only these workloads, if there are any.
    pub(crate) only: Vec<String>,
    /// Only so many clients, if there are any.
    pub(crate) connections: Vec<usize>,
}

/// What one round of one workload with one server has found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) calls_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Seconds of a processor that 1,000 calls took: of the server, and of the agent.
    pub(crate) server_cpu_s: Option<f64>,
    pub(crate) agent_cpu_s: Option<f64>,
}

/// The rounds of one workload with one server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) workload: String,
    pub(crate) connections: usize,
    pub(crate) contender: String,
    pub(crate) rounds: Vec<Sample>,
}

/// Measures.
pub(crate) fn measure(options: &Options) -> Result<Report, Box<dyn Error>> {
    let servers = Servers::start()?;
    let contenders = servers.contenders();
    let workloads: Vec<Workload> = workload::all();
    let chosen =
        |workload: &&Workload| options.only.is_empty() || options.only.iter().any(|name| name == workload.name);
    let at = |number: &usize| options.connections.is_empty() || options.connections.contains(number);
    let workloads: Vec<&Workload> = workloads.iter().filter(chosen).collect();
    for contender in &contenders {
        workloads.iter().try_for_each(|workload| contender.try_out(workload))?;
    }
    let idle = servers.memory();
    let mut peer = peer::Peer::start()?;
    let mut cells: Vec<Cell> = Vec::new();
    for round in 1..=options.rounds {
        for workload in &workloads {
            for connections in CONNECTIONS.into_iter().filter(at) {
                eprint!(
                    "\rround {round} of {}: {}, {connections} connections          ",
                    options.rounds, workload.name
                );
                for contender in contenders.iter().filter(|contender| contender.takes(workload)) {
                    let sample = sample(contender, workload, connections, Duration::from_secs_f64(options.seconds))?;
                    report::add(&mut cells, workload.name, connections, contender.name, sample);
                }
            }
        }
        for (callers, sample) in peer.round(options.seconds)? {
            report::add(&mut cells, workload::SCALARS, callers, peer::NAME, sample);
        }
    }
    eprintln!();
    // Before the processes that were called are ended.
    let loaded = servers.memory();
    let starts = servers.agent_starts(options.rounds)?;
    Ok(Report { cells, idle_mb: idle, loaded_mb: loaded, starts, peer_start_ms: peer.start_ms() })
}

fn sample(
    contender: &Contender,
    workload: &Workload,
    connections: usize,
    time: Duration,
) -> Result<Sample, Box<dyn Error>> {
    let posts = [Post { target: contender.target(workload), body: workload.body.clone() }];
    let requests = |time: Duration| {
        let most = (FASTEST * time.as_secs_f64()) as usize;
        Requests::new(contender.key.as_ref(), &contender.authority, &posts, most)
    };
    let address = contender.authority.parse()?;
    load::run(address, connections, &requests(WARM_UP), WARM_UP)?;
    let requests = requests(time);
    let cpu = || (usage::seconds(contender.server), contender.agent.map(usage::seconds));
    let before = cpu();
    let round = load::run(address, connections, &requests, time)?;
    let after = cpu();
    let calls = round.answers as f64 * f64::from(workload.calls);
    let thousands = calls / 1000.0;
    Ok(Sample {
        calls_per_second: round.rate() * f64::from(workload.calls),
        p50_us: round.percentile(50.0),
        p99_us: round.percentile(99.0),
        server_cpu_s: Some((after.0 - before.0) / thousands),
        agent_cpu_s: after.1.zip(before.1).map(|(after, before)| (after - before) / thousands),
    })
}
