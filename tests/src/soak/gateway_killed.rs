//! `kill -9` of the gateway under load: its agents end, the next gateway serves, and what clients were told stays true.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Options;
use super::callers::{self, Made, Random};
use super::figures::Times;
use super::ledger::Ledger;
use super::load::Job;
use super::report::Findings;
use super::site::Site;
use super::verdict::Told;
use crate::client::Client;
use crate::{Bridge, Config, Target, within};

/// How long the load runs before the gateway is killed.
const LOAD: Duration = Duration::from_millis(800);
/// Of a hundred calls, so many are failures: agents are starting, hung and dying when the gateway goes.
const FAILURES: u32 = 4;
/// Milliseconds until no agent runs any more.
const GONE: f64 = 2000.0;
/// Milliseconds until Wine's own servers are gone, too. They belong to all that use the same Wine, and end by themselves some time after
/// the last program (wineserver(1): 3 s).
const SERVERS_GONE: f64 = 10_000.0;
/// Milliseconds from the start of the next gateway to an answered call.
const SERVES: f64 = 1000.0;
/// Seconds until an agent under Wine answers after a restart of the gateway.
const WINE_SERVES: f64 = 60.0;

/// Kills and restarts it, several times.
pub fn run(options: &Options) -> Findings {
    Killed::new(options, false).run()
}

/// The same with an `Idempotency-Key` in each request: after the restart every request is sent again.
pub fn run_with_keys(options: &Options) -> Findings {
    Killed::new(options, true).run()
}

struct Killed<'a> {
    options: &'a Options,
    keyed: bool,
    bridge: Bridge,
    elf: Vec<Site>,
    wine: Site,
    ledger: Ledger,
    findings: Findings,
    /// Until the agents were gone, until everything that they had started was, and until calls were answered again.
    agents_gone: Times,
    all_gone: Times,
    serves: Times,
    wine_serves: Times,
    /// Requests whose answer was lost with the gateway, and those that were sent again.
    lost: u32,
    asked_again: u32,
}

impl<'a> Killed<'a> {
    fn new(options: &'a Options, keyed: bool) -> Self {
        let (elf, wine) = (Site::several(Target::Linux32, 2), Site::several(Target::Win32, 1).remove(0));
        let mut config = Config::new();
        config.fixed_port();
        for site in elf.iter().chain([&wine]) {
            site.declare(&mut config);
        }
        let bridge = Bridge::with(config);
        Self {
            options,
            keyed,
            bridge,
            elf,
            wine,
            ledger: Ledger::new(),
            findings: Findings::default(),
            agents_gone: Times::default(),
            all_gone: Times::default(),
            serves: Times::default(),
            wine_serves: Times::default(),
            lost: 0,
            asked_again: 0,
        }
    }

    fn run(mut self) -> Findings {
        for round in 0..self.options.kills {
            let made = self.kill_under_load(round);
            self.restart();
            self.judge(&made);
        }
        let Self { mut findings, options, .. } = self;
        findings.figure("kills of the gateway", f64::from(options.kills), "");
        findings.figure("callers", f64::from(options.callers), "");
        findings.figure("requests that lost their answer with the gateway, or found none", f64::from(self.lost), "");
        findings.times("from the kill until no agent ran", &self.agents_gone, Some(GONE * options.slack));
        findings.times("from the kill until nothing of theirs ran", &self.all_gone, Some(SERVERS_GONE * options.slack));
        findings.times("from the next start to an answered call, ELF", &self.serves, Some(SERVES * options.slack));
        findings.times("from the next start to an answered call, Wine", &self.wine_serves, None);
        if self.keyed {
            findings.figure("requests sent again with their key", f64::from(self.asked_again), "");
        }
        findings
    }

    /// Calls until the gateway is gone.
    fn kill_under_load(&mut self, round: u32) -> Vec<Made> {
        let Options { callers, seed, .. } = *self.options;
        let (stop, keyed) = (AtomicBool::new(false), self.keyed);
        let client = Client::new(self.bridge.client().authority(), None);
        let sites: Vec<Site> = self.elf.iter().chain([&self.wine]).cloned().collect();
        let (ledger, bridge) = (&self.ledger, &mut self.bridge);
        let caller = |_: u32, mut random: Random| {
            let mut made = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let mut job = Job::random(&mut random, &sites, FAILURES, 1);
                if job.is_outside() {
                    continue;
                }
                job.token = format!("{round}-{}", job.token);
                made.push(callers::make(&client, ledger, job.clone(), &headers(keyed, &job)));
            }
            made
        };
        std::thread::scope(|scope| {
            let load = scope.spawn(|| callers::together(callers, seed + u64::from(round), caller));
            std::thread::sleep(LOAD);
            let started = Instant::now();
            bridge.kill();
            stop.store(true, Ordering::Relaxed);
            within(30.0, "every agent ends", || bridge.agent_processes().is_empty().then_some(()));
            self.agents_gone.add(started.elapsed());
            within(60.0, "everything that they have started ends", || bridge.processes().is_empty().then_some(()));
            self.all_gone.add(started.elapsed());
            load.join().expect("callers do not panic")
        })
    }

    /// The same gateway again, while somebody tries to call.
    fn restart(&mut self) {
        let client = Client::new(self.bridge.client().authority(), None);
        let first = |site: &Site, started: Instant| {
            within(WINE_SERVES, "a call is answered after the restart", || {
                let call = client.request("POST", &site.function("Version")).body("application/json", "{}");
                call.try_send().is_ok_and(|answer| answer.status == 200).then(|| started.elapsed())
            })
        };
        let (elf, wine) = (self.elf[0].clone(), self.wine.clone());
        let bridge = &mut self.bridge;
        let (served, wine_served) = std::thread::scope(|scope| {
            let started = Instant::now();
            let served = scope.spawn(move || first(&elf, started));
            let wine_served = scope.spawn(move || first(&wine, started));
            bridge.restart();
            (served.join().expect("it does not panic"), wine_served.join().expect("it does not panic"))
        });
        self.serves.add(served);
        self.wine_serves.add(wine_served);
    }

    fn judge(&mut self, made: &[Made]) {
        let again: BTreeMap<&str, Told> = if self.keyed { self.ask_again(made) } else { BTreeMap::new() };
        for Made { job, told, .. } in made {
            let (function, token) = (job.kind.function, job.token.as_str());
            let entry = self.ledger.entry(token);
            self.findings.outcome(function, &told.to_string());
            if matches!(told, Told::Nothing(_)) {
                self.lost += 1;
                if entry.started > 1 && !job.kind.idempotent {
                    self.findings.violation(format!("`{function}`, call {token}: started {} times", entry.started));
                }
            } else if let Some(wrong) = told.judge(entry, job.kind.idempotent) {
                self.findings.violation(format!("`{function}`, call {token}: {wrong}"));
            }
            let Some(now) = again.get(token) else { continue };
            if let Some(wrong) = now.judge(entry, job.kind.idempotent) {
                self.findings.violation(format!("`{function}`, call {token}, asked for again: {wrong}"));
            }
            if told.is_returned() && told != now {
                self.findings
                    .violation(format!("`{function}`, call {token}: first {told:?}, after the restart {now:?}"));
            }
        }
    }

    /// Sends every request again, with its key.
    fn ask_again<'m>(&mut self, made: &'m [Made]) -> BTreeMap<&'m str, Told> {
        let client = self.bridge.client();
        let again = |made: &'m Made| {
            let made_again = callers::make(client, &self.ledger, made.job.clone(), &headers(true, &made.job));
            (made.job.token.as_str(), made_again.told)
        };
        let again: BTreeMap<_, _> = made.iter().map(again).collect();
        self.asked_again += u32::try_from(again.len()).unwrap_or(u32::MAX);
        again
    }
}

fn headers(keyed: bool, job: &Job) -> Vec<(String, String)> {
    // A structured string (RFC 9651), as the draft wants it.
    let key = || ("idempotency-key".to_owned(), format!("\"soak-{}\"", job.token));
    keyed.then(key).into_iter().collect()
}
