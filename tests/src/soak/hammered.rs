//! A client that does nothing but crash a library must not lock all others out: waits between starts are for processes that do not get
//! as far as a call.

use std::time::{Duration, Instant};

use super::Options;
use super::figures::Times;
use super::ledger::Ledger;
use super::report::Findings;
use super::site::Site;
use crate::{Bridge, TARGETS_32, json};

/// Crashes in a row, with no success between them.
const IN_A_ROW: u32 = 8;
/// Milliseconds until somebody else's call is answered after the last one.
const ANSWERED: [f64; 2] = [500.0, 2000.0];
/// How often that is tried.
const ROUNDS: u32 = 3;

/// Crashes each library many times in a row, and then calls it.
pub fn run(options: &Options) -> Findings {
    let mut findings = Findings::default();
    let ledger = Ledger::new();
    for (target, bound) in TARGETS_32.into_iter().zip(ANSWERED) {
        let site = Site::several(target, 1).remove(0);
        let bridge = Bridge::start(|config| drop(site.declare(config)));
        let mut times = Times::default();
        for round in 0..ROUNDS {
            for crash in 0..IN_A_ROW {
                let entry = ledger.argument(&site, &format!("{target}-{round}-{crash}"));
                let answer = bridge.call(&site.library, "WriteToNull", json!({ "entry": entry }));
                if answer.status != 502 {
                    findings.violation(format!("a crash was answered {} {}", answer.status, answer.text));
                }
            }
            let started = Instant::now();
            let answer = bridge.call(&site.library, "Version", json!({}));
            times.add(started.elapsed());
            if answer.status != 200 {
                findings.violation(format!("the call after them was answered {} {}", answer.status, answer.text));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let what = format!("{target}: the next call after {IN_A_ROW} crashes in a row");
        findings.times(&what, &times, Some(bound * options.slack));
    }
    findings
}
