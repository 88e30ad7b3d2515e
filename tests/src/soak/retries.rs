//! Functions that are declared idempotent and crash: the bridge calls them again, and nobody else's call twice.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Options;
use super::callers::{self, Made, Random};
use super::ledger::{Entry, Ledger};
use super::load::{self, Job};
use super::report::Findings;
use super::site::Site;
use super::verdict::Told;
use crate::client::Client;
use crate::{Bridge, Target, json};

/// Each function is to crash so often, on each target.
const CRASHES: u32 = 10;

/// One caller crashes, the others make ordinary calls.
pub fn run(options: &Options) -> Findings {
    let sites: Vec<Site> =
        crate::TARGETS_32.into_iter().map(|target: Target| Site::several(target, 1).remove(0)).collect();
    let bridge = Bridge::start(|config| {
        for site in &sites {
            site.declare(config);
        }
    });
    let ledger = Ledger::new();
    let client = Client::new(bridge.client().authority(), None);
    let stop = AtomicBool::new(false);
    let caller = |caller: u32, mut random: Random| {
        if caller == 0 {
            let crashes = sites.iter().flat_map(|site| (0..CRASHES).map(move |_| site));
            let made = crashes.map(|site| callers::make(&client, &ledger, crash(&mut random, site), &[])).collect();
            stop.store(true, Ordering::Relaxed);
            return made;
        }
        let mut made = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            made.push(callers::make(&client, &ledger, Job::random(&mut random, &sites, 0, 0), &[]));
        }
        made
    };
    let made = callers::together(options.callers, options.seed, caller);
    let mut findings = Findings::default();
    findings.figure("calls of an idempotent function that crashed once", f64::from(CRASHES) * 2.0, "");
    for made in &made {
        judge(made, ledger.entry(&made.job.token), &mut findings);
    }
    findings
}

fn crash(random: &mut Random, site: &Site) -> Job {
    Job { kind: load::CRASH_ONCE, site: site.clone(), token: random.token(), arguments: json!({}) }
}

fn judge(made: &Made, entry: Entry, findings: &mut Findings) {
    let Made { job, told, .. } = made;
    let (function, token) = (job.kind.function, &job.token);
    findings.outcome(function, &told.to_string());
    if let Some(wrong) = told.judge(entry, job.kind.idempotent) {
        findings.violation(format!("`{function}`, call {token}: {wrong}"));
    }
    if !job.kind.idempotent {
        // Nothing of it was lost: what waited behind a crash is sent again.
        if !told.is_returned() && entry.started == 0 {
            findings.violation(format!("`{function}`, call {token}, had not run and was told {told}"));
        }
        return;
    }
    let twice = Entry { started: 2, returned: 1 };
    if entry != twice || !matches!(told, Told::Outcome { result, .. } if *result == 2) {
        findings.violation(format!("`{function}`, call {token}, was not called again: {told:?}, {entry:?}"));
    }
}
