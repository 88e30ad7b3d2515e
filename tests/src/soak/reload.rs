//! Another build of a library is taken into use, and another configuration, while callers call.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Options;
use super::callers::{self, Made, Random};
use super::figures::Times;
use super::ledger::Ledger;
use super::load::Job;
use super::report::Findings;
use super::site::{self, Site};
use crate::client::Client;
use crate::{Bridge, Target, fixture};

/// How long callers call before and after each reload.
const BETWEEN: Duration = Duration::from_millis(300);

/// Replaces the library, then the configuration.
pub fn run(options: &Options) -> Findings {
    let site = Site::several(Target::Linux32, 1).remove(0);
    let bridge = Bridge::start(|config| {
        let file = config.folder().join("replaced.so");
        install(&file, 1);
        config.library(&site.library, file).header(fixture::header("soak"));
    });
    let file = bridge.config().folder().join("replaced.so");
    let ledger = Ledger::new();
    let mut findings = Findings::default();
    let (stop, reloads) = (AtomicBool::new(false), Mutex::new(Times::default()));
    // What a call that begins now must be answered with, at least.
    let current = AtomicU32::new(1);
    let client = Client::new(bridge.client().authority(), None);
    let load = |_: u32, random: Random| caller(&client, &ledger, &site, &stop, &current, random);
    let called = std::thread::scope(|scope| {
        let load = scope.spawn(|| callers::together(options.reload_callers, options.seed, load));
        for version in 2..2 + options.reloads {
            std::thread::sleep(BETWEEN);
            install(&file, version);
            let started = Instant::now();
            reload(&bridge, &format!("/v1/libraries/{}/reload", site.library), &mut findings);
            reloads.lock().expect("nobody panics with it").add(started.elapsed());
            current.store(version, Ordering::SeqCst);
        }
        std::thread::sleep(BETWEEN);
        configuration(&bridge, &mut findings);
        std::thread::sleep(BETWEEN);
        stop.store(true, Ordering::Relaxed);
        load.join().expect("callers do not panic")
    });
    judge(&called, &ledger, &mut findings);
    findings.figure("callers", f64::from(options.reload_callers), "");
    findings.figure("reloads", f64::from(options.reloads), "");
    findings.times("time of a reload", &reloads.into_inner().expect("nobody panics with it"), None);
    findings
}

/// What a caller saw.
enum Called {
    /// A call with an entry in the ledger.
    Made(Box<Made>),
    /// The build that answered, and the one that had to at least. `None` for no success.
    Version(Option<u32>, u32, String),
}

fn caller(
    client: &Client,
    ledger: &Ledger,
    site: &Site,
    stop: &AtomicBool,
    current: &AtomicU32,
    mut random: Random,
) -> Vec<Called> {
    let mut called = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let job = Job::random(&mut random, std::slice::from_ref(site), 0, 0);
        called.push(Called::Made(Box::new(callers::make(client, ledger, job, &[]))));
        let wanted = current.load(Ordering::SeqCst);
        let answer = client.request("POST", &site.function("Version")).body("application/json", "{}").try_send();
        let text = answer.as_ref().map_or_else(ToString::to_string, |answer| answer.text.clone());
        let version = answer.ok().filter(|answer| answer.status == 200).map(|answer| answer.result());
        let version = version.as_ref().and_then(Value::as_u64).and_then(|version| u32::try_from(version).ok());
        called.push(Called::Version(version, wanted, text));
    }
    called
}

fn judge(called: &[Called], ledger: &Ledger, findings: &mut Findings) {
    for called in called {
        match called {
            Called::Made(made) => {
                let Made { job, told, .. } = &**made;
                findings.outcome(job.kind.function, &told.to_string());
                if !told.is_returned() {
                    findings.violation(format!("`{}`, call {}: {told:?}", job.kind.function, job.token));
                }
                if let Some(wrong) = told.judge(ledger.entry(&job.token), false) {
                    findings.violation(format!("`{}`, call {}: {wrong}", job.kind.function, job.token));
                }
            }
            Called::Version(version, wanted, text) => match version {
                Some(version) if version >= wanted => findings.outcome("Version", "returned"),
                Some(version) => {
                    findings.violation(format!("build {version} answered after build {wanted} was in use"));
                }
                None => findings.violation(format!("`Version` failed during a reload: {text}")),
            },
        }
    }
}

/// Another build in the library's place, by renaming, as an installer does.
fn install(file: &Path, version: u32) {
    let new = file.with_extension("new");
    std::fs::copy(site::build(Target::Linux32, version), &new).expect("the library can be copied");
    std::fs::rename(&new, file).expect("the library can be replaced");
}

fn reload(bridge: &Bridge, target: &str, findings: &mut Findings) {
    let answer = bridge.client().post(target, &json!({}));
    if !(200..300).contains(&answer.status) {
        findings.violation(format!("{target} was answered {} {}", answer.status, answer.text));
    }
}

/// A library more, then a configuration that is wrong, which must change nothing.
fn configuration(bridge: &Bridge, findings: &mut Findings) {
    let file: PathBuf = bridge.config().folder().join("bridge32.toml");
    let old = std::fs::read_to_string(&file).expect("the configuration can be read");
    let (library, header) = (fixture::library("soak", Target::Linux32), fixture::header("soak"));
    let (library, header) = (library.display(), header.display());
    let added = format!("{old}\n[library.added]\nfile = '{library}'\nheader = '{header}'\n");
    std::fs::write(&file, &added).expect("the configuration can be written");
    reload(bridge, "/v1/reload", findings);
    bridge.call_until(20.0, "added", "Version", &json!({}));
    std::fs::write(&file, format!("{added}no_such_key = 1\n")).expect("the configuration can be written");
    let refused = bridge.client().post("/v1/reload", &json!({}));
    if !(400..500).contains(&refused.status) || !refused.text.contains("no_such_key") {
        findings.violation(format!("a wrong configuration was answered {} {}", refused.status, refused.text));
    }
    if bridge.call("added", "Version", json!({})).status != 200 {
        findings.violation("a wrong configuration has changed what runs");
    }
}
