//! How long a library is away after a crash: one caller crashes it, another one calls in a loop.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Options;
use super::figures::Times;
use super::ledger::Ledger;
use super::report::Findings;
use super::site::Site;
use crate::client::Client;
use crate::{Bridge, Target};

/// What is crashed, and what is expected.
#[derive(Debug)]
pub struct Subject {
    target: Target,
    standby: Option<u32>,
    /// Milliseconds from the outcome to the next success, 99th hundredth.
    p99: f64,
}

/// An ELF library with one agent.
pub const ELF: Subject = Subject { target: Target::Linux32, standby: None, p99: 250.0 };
/// The same with an agent that stands by.
pub const STANDBY: Subject = Subject { target: Target::Linux32, standby: Some(1), p99: 20.0 };
/// A DLL under Wine with one agent.
pub const WINE: Subject = Subject { target: Target::Win32, standby: None, p99: 2000.0 };

/// Nothing takes longer than this.
const GONE: Duration = Duration::from_mins(1);
/// Between two crashes the library is called undisturbed for so long.
const PAUSE: Duration = Duration::from_millis(150);
/// With an agent that stands by, its successor must be ready before the next crash.
const PAUSE_STANDBY: Duration = Duration::from_secs(1);

/// A success: when it was there, and which process gave it.
type Success = (Instant, u64);

/// Crashes a library again and again.
pub fn run(options: &Options, subject: &Subject) -> Findings {
    let site = Site::several(subject.target, 1).remove(0);
    let bridge = Bridge::start(|config| {
        let mut table = site.declare(config);
        if let Some(standby) = subject.standby {
            table.set("standby", standby);
        }
    });
    let crashes = if subject.target.is_windows() { options.wine_crashes } else { options.crashes };
    let stop = AtomicBool::new(false);
    let last: Mutex<Option<Success>> = Mutex::new(None);
    let mut findings = Findings::default();
    let client = Client::new(bridge.client().authority(), None);
    std::thread::scope(|scope| {
        scope.spawn(|| call_in_a_loop(&client, &site, &stop, &last));
        measure(&bridge, subject, &site, crashes, options.slack, &last, &mut findings);
        stop.store(true, Ordering::Relaxed);
    });
    findings
}

/// The other caller: it notes its last success.
fn call_in_a_loop(client: &Client, site: &Site, stop: &AtomicBool, last: &Mutex<Option<Success>>) {
    while !stop.load(Ordering::Relaxed) {
        let answer = client.request("POST", &site.function("Instance")).body("application/json", "{}").try_send();
        let Ok(answer) = answer else { continue };
        if answer.status == 200 {
            let instance = answer.result().as_u64().expect("a number");
            *last.lock().expect("nobody panics with it") = Some((Instant::now(), instance));
        }
    }
}

fn measure(
    bridge: &Bridge,
    subject: &Subject,
    site: &Site,
    crashes: u32,
    slack: f64,
    last: &Mutex<Option<Success>>,
    findings: &mut Findings,
) {
    let ledger = Ledger::new();
    let success = || *last.lock().expect("nobody panics with it");
    let (mut told, mut back, mut away) = (Times::default(), Times::default(), Times::default());
    for crash in 0..crashes {
        std::thread::sleep(if subject.standby.is_some() { PAUSE_STANDBY } else { PAUSE });
        let before = success().map(|(_, instance)| instance);
        let sent = Instant::now();
        let entry = ledger.argument(site, &crash.to_string());
        let answer = bridge.call(&site.library, "WriteToNull", json!({ "entry": entry }));
        let outcome = Instant::now();
        if answer.status != 502 {
            findings.violation(format!("crash {crash} was answered {} {}", answer.status, answer.text));
        }
        // The first success that another process has given.
        let next = loop {
            match success() {
                Some((at, instance)) if Some(instance) != before && at > sent => break at,
                _ if outcome.elapsed() > GONE => {
                    findings.violation(format!("the library was not back {GONE:?} after crash {crash}"));
                    return;
                }
                _ => std::thread::sleep(Duration::from_micros(200)),
            }
        };
        told.add(outcome - sent);
        back.add(next.saturating_duration_since(outcome));
        away.add(next - sent);
    }
    findings.figure("crashes", f64::from(crashes), "");
    findings.times("from the outcome of the crash to the next success", &back, Some(subject.p99 * slack));
    findings.times("from the request that crashed to its outcome", &told, None);
    findings.times("from the request that crashed to the next success", &away, None);
}
