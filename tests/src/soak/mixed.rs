//! Failures of every kind, mixed, under concurrent callers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Options;
use super::callers::{self, Made};
use super::figures::Times;
use super::footprint::{Footprint, children};
use super::ledger::{Entry, Ledger};
use super::load::Job;
use super::report::Findings;
use super::site::Site;
use super::verdict::{Execution, Told};
use crate::client::Client;
use crate::{Bridge, Target, process};

/// Of a hundred calls, so many are failures.
const FAILURES: u32 = 20;
/// Of a hundred requests, so many are batches.
const BATCHES: u32 = 10;
/// Libraries, each with its own agent: failures of one do not disturb the others.
const LIBRARIES: u32 = 4;
/// A soak that has not forced its failures after so long has a bridge that does not come back.
const LIMIT: Duration = Duration::from_mins(30);
/// Seconds until every library must answer after the last failure, and until nothing must be left behind.
const SETTLE: f64 = 30.0;
/// Of the ordinary calls, this share may be told `may_have_run` although they had not: a process that is killed after the bridge has
/// entered the function and before that has written anything (under Wine a file takes its time), or that overwrites its journal,
/// leaves that doubt.
const UNSURE_NOT_RUN: f64 = 0.01;
/// No answer may take longer: the longest deadline, and a start of an agent.
const LONGEST: f64 = 60_000.0;

/// Forces so many failures, and judges every call.
pub fn run(options: &Options, target: Target, failures: u32) -> Findings {
    let sites = Site::several(target, LIBRARIES);
    let bridge = Bridge::start(|config| {
        for site in &sites {
            site.declare(config);
        }
        sites[0].declare(config).set("instances", 2).set("standby", 1);
        sites[1].declare(config).set("threads", 3);
    });
    let agents = children(bridge.pid()).count();
    let ledger = Ledger::new();
    warm_up(&bridge, options, &sites);
    std::thread::sleep(Duration::from_secs(1));
    let before = Footprint::of(&bridge);
    let counted = counts(&bridge, &sites);

    let started = Instant::now();
    let forced = AtomicU32::new(0);
    let load = Load { bridge: &bridge, ledger: &ledger, sites: &sites, forced: &forced, failures, options };
    let client = load.client();
    let made = callers::together(options.callers, options.seed, |_, random| load.caller(&client, random));
    drop(client);
    let took = started.elapsed();

    let mut findings = Findings::default();
    compare_counts(&counted, &counts(&bridge, &sites), &made, &mut findings);
    findings.figure("failures forced", f64::from(forced.load(Ordering::Relaxed)), "");
    if forced.load(Ordering::Relaxed) < failures {
        findings.violation(format!("only {} failures in {LIMIT:?}", forced.load(Ordering::Relaxed)));
    }
    findings.figure("callers", f64::from(options.callers), "");
    findings.figure("seconds under load", took.as_secs_f64().round(), "s");
    settle(&bridge, &sites, &before, agents, &mut findings);
    judge(&made, &ledger, options, &mut findings);
    findings
}

/// Connections, buffers and threads that the gateway keeps are there before anything is measured.
fn warm_up(bridge: &Bridge, options: &Options, sites: &[Site]) {
    let client = Client::new(bridge.client().authority(), None);
    callers::together(options.callers, 0, |_, _| {
        for _ in 0..20 {
            for site in sites {
                client.post(&site.function("Version"), &json!({})).ok();
            }
        }
        Vec::<()>::new()
    });
}

/// How many calls of each library returned and failed, as the gateway counts them.
fn counts(bridge: &Bridge, sites: &[Site]) -> BTreeMap<String, (u64, u64)> {
    let count = |site: &Site| {
        let calls = bridge.library(&site.library)["calls"].clone();
        let number = |name: &str| calls[name].as_u64().expect("a number");
        (site.library.clone(), (number("returned"), number("failed")))
    };
    sites.iter().map(count).collect()
}

/// The gateway must have counted what clients were told.
fn compare_counts(
    before: &BTreeMap<String, (u64, u64)>,
    after: &BTreeMap<String, (u64, u64)>,
    made: &[Made],
    findings: &mut Findings,
) {
    for (library, (returned, failed)) in after {
        let of_library = || made.iter().filter(|made| made.job.site.library == *library);
        let told_returned = of_library().filter(|made| made.told.is_returned()).count() as u64;
        let told_failed = of_library().count() as u64 - told_returned;
        let (returned_before, failed_before) = before[library];
        let counted = (returned - returned_before, failed - failed_before);
        if counted != (told_returned, told_failed) {
            findings.violation(format!(
                "`{library}`: {told_returned} calls were told that they returned and {told_failed} that they did not; the \
                 gateway counted {} and {}",
                counted.0, counted.1
            ));
        }
    }
}

/// Waits until all answer again and nothing is left behind, or until that has taken too long.
fn settle(bridge: &Bridge, sites: &[Site], before: &Footprint, agents: usize, findings: &mut Findings) {
    let started = Instant::now();
    let late = |findings: &Findings| started.elapsed().as_secs_f64() > SETTLE && !findings.violations.is_empty();
    for site in sites {
        loop {
            let answer = bridge.call(&site.library, "Version", json!({}));
            if answer.status == 200 {
                break;
            }
            if started.elapsed().as_secs_f64() > SETTLE {
                let (library, text) = (&site.library, answer.text);
                findings.violation(format!("`{library}` does not answer {SETTLE} s after the last failure: {text}"));
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    findings.figure("until all libraries answered again", started.elapsed().as_secs_f64() * 1e3, "ms");
    let mut after = Footprint::of(bridge);
    while !after.is_settled(before, agents) && !late(findings) && started.elapsed().as_secs_f64() < SETTLE {
        std::thread::sleep(Duration::from_millis(200));
        after = Footprint::of(bridge);
    }
    findings.figure("until nothing more was given back", started.elapsed().as_secs_f64() * 1e3, "ms");
    after.compare(before, agents, findings);
}

/// What the callers share.
struct Load<'a> {
    bridge: &'a Bridge,
    ledger: &'a Ledger,
    sites: &'a [Site],
    forced: &'a AtomicU32,
    failures: u32,
    options: &'a Options,
}

impl Load<'_> {
    /// Connections of their own, so that they are gone when what is left behind is counted.
    fn client(&self) -> Client {
        Client::new(self.bridge.client().authority(), None)
    }

    /// Calls until all failures have been forced.
    fn caller(&self, client: &Client, mut random: callers::Random) -> Vec<Made> {
        let started = Instant::now();
        let mut made = Vec::new();
        while self.forced.load(Ordering::Relaxed) < self.failures && started.elapsed() < LIMIT {
            let job = Job::random(&mut random, self.sites, FAILURES, self.options.flood);
            if job.is_outside() {
                let killed = kill_agent(self.bridge, client, &job.site, &mut random);
                self.forced.fetch_add(u32::from(killed), Ordering::Relaxed);
                continue;
            }
            let calls = if random.below(100) < BATCHES {
                callers::make_batch(client, self.ledger, batch(job, &mut random))
            } else {
                vec![callers::make(client, self.ledger, job, &[])]
            };
            // Only what the library itself says it began was forced.
            let began = |call: &&Made| call.job.is_failure() && self.ledger.entry(&call.job.token).started > 0;
            let forced = calls.iter().filter(began).count();
            self.forced.fetch_add(u32::try_from(forced).unwrap_or_default(), Ordering::Relaxed);
            made.extend(calls);
        }
        made
    }
}

/// Ordinary calls before and behind it.
fn batch(job: Job, random: &mut callers::Random) -> Vec<Job> {
    let site = [job.site.clone()];
    let mut ordinary = |count| (0..count).map(|_| Job::random(random, &site, 0, 0)).collect::<Vec<_>>();
    [ordinary(2), vec![job], ordinary(2)].concat()
}

/// Kills an agent of that library, if one runs now.
fn kill_agent(bridge: &Bridge, client: &Client, site: &Site, random: &mut callers::Random) -> bool {
    let answer = client.get("/v1/agents").ok();
    let has_it =
        |agent: &&Value| agent["libraries"].as_array().is_some_and(|all| all.iter().any(|it| *it == site.library));
    let pid = |agent: &Value| agent["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    let pids: Vec<u32> = answer["agents"].as_array().into_iter().flatten().filter(has_it).filter_map(pid).collect();
    let Ok(count @ 1..) = u32::try_from(pids.len()) else { return false };
    let pid = pids[random.below(count) as usize];
    let ours = children(bridge.pid()).any(|(child, state)| child == pid && state != 'Z');
    if ours {
        process::try_kill_9(pid);
    }
    ours
}

fn judge(made: &[Made], ledger: &Ledger, options: &Options, findings: &mut Findings) {
    let mut ids = BTreeSet::new();
    let mut times = Times::default();
    let mut hit = Hit::default();
    for Made { job, told, took } in made {
        let entry = ledger.entry(&job.token);
        times.add(*took);
        findings.outcome(job.kind.function, &told.to_string());
        let (function, token, library) = (job.kind.function, &job.token, &job.site.library);
        if let Some(wrong) = told.judge(entry, job.kind.idempotent) {
            findings.violation(format!("`{function}` of `{library}`, call {token}: {wrong}"));
        }
        if let Told::Outcome { call_id, result, .. } = told {
            match call_id {
                Some(id) if ids.insert(id) => {}
                Some(id) => findings.violation(format!("two calls have the id {id}")),
                None => findings.violation(format!("`{function}`, call {token}: the outcome names no call: {told}")),
            }
            let sum = json!(job.arguments["a"].as_i64().unwrap_or(0) + job.arguments["b"].as_i64().unwrap_or(0));
            if function == "Add" && told.is_returned() && *result != sum {
                findings.violation(format!("`Add`, call {token}: {} gave {result}", job.arguments));
            }
        }
        hit.add(job, told, entry);
    }
    findings.figure("calls", f64::from(u32::try_from(made.len()).unwrap_or(u32::MAX)), "");
    findings.figure("ordinary calls", f64::from(hit.ordinary), "");
    findings.figure("ordinary calls that failed through no fault of theirs", f64::from(hit.failed), "");
    findings.figure("… of them told may_have_run", f64::from(hit.unsure), "");
    let not_run = ("… of these had not run", f64::from(u32::try_from(hit.unsure_not_run.len()).unwrap_or(u32::MAX)));
    findings.bounded(not_run.0, not_run.1, "", (f64::from(hit.ordinary) * UNSURE_NOT_RUN).max(6.0));
    if findings.figures.last().is_some_and(|figure| !figure.holds()) {
        findings.violation(format!("told may_have_run, and had not run: {}", hit.unsure_not_run.join("; ")));
    }
    findings.figure("time of an answer, p50", times.quantile(0.5), "ms");
    findings.figure("time of an answer, p99", times.quantile(0.99), "ms");
    findings.bounded("time of an answer, longest", times.quantile(1.0), "ms", LONGEST * options.slack.max(1.0));
}

/// How many ordinary calls the failures of others hit.
#[derive(Default)]
struct Hit {
    ordinary: u32,
    failed: u32,
    unsure: u32,
    unsure_not_run: Vec<String>,
}

impl Hit {
    fn add(&mut self, job: &Job, told: &Told, entry: Entry) {
        if job.is_failure() {
            return;
        }
        let unsure = matches!(told, Told::Outcome { execution: Execution::MayHaveRun, .. });
        self.ordinary += 1;
        self.failed += u32::from(!told.is_returned());
        self.unsure += u32::from(unsure);
        if unsure && entry.started == 0 {
            self.unsure_not_run.push(format!("call {} of `{}`: {told:?}", job.token, job.site.library));
        }
    }
}
