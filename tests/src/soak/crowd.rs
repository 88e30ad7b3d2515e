//! What many idle sessions cost, and many libraries that are declared and not loaded.

use std::time::Instant;

use serde_json::json;
use toml::Table;

use super::Options;
use super::callers;
use super::figures::Times;
use super::footprint::Footprint;
use super::report::Findings;
use super::site::Site;
use crate::client::Client;
use crate::{Bridge, Config, Target, fixture, within};

/// Kilobytes of the gateway's memory that an idle session may take.
const SESSION: f64 = 4.0;
/// Kilobytes that a library may take which is declared with the header of the fixture and not loaded.
const LIBRARY: f64 = 256.0;
/// Calls and lists that are timed.
const TIMED: u32 = 20;

/// Opens sessions, leaves them idle, calls in one, and closes all.
pub fn sessions(options: &Options) -> Findings {
    let site = Site::several(Target::Linux32, 1).remove(0);
    let count = options.sessions;
    let bridge = Bridge::start(|config| {
        let limits = [("max", i64::from(count).into()), ("lease", "30m".into()), ("max_lease", "1h".into())];
        let limits = Table::from_iter(limits.map(|(key, value): (&str, toml::Value)| (key.to_owned(), value)));
        site.declare(config).set("sessions", limits);
    });
    let mut findings = Findings::default();
    bridge.call(&site.library, "Version", json!({})).ok();
    let before = Footprint::of(&bridge);
    let client = Client::new(bridge.client().authority(), None);
    let started = Instant::now();
    let each = count.div_ceil(options.callers);
    let ids: Vec<String> = callers::together(options.callers, 0, |caller, _| {
        let own = each.min(count.saturating_sub(caller * each));
        let open = |_| client.post("/v1/sessions", &json!({"library": site.library})).is(201)["id"].clone();
        (0..own).map(open).map(|id| id.as_str().expect("an id").to_owned()).collect()
    });
    findings.figure("idle sessions", f64::from(u32::try_from(ids.len()).unwrap_or_default()), "");
    findings.figure("to open one, on average", started.elapsed().as_secs_f64() * 1e3 / f64::from(count), "ms");
    memory("memory for a session", &before, &Footprint::of(&bridge), count, SESSION, &mut findings);
    if client.post("/v1/sessions", &json!({"library": site.library})).status != 429 {
        findings.violation(format!("a session beyond {count} was not refused with 429"));
    }
    let calls = calls_in(&client, &site, &ids, &mut findings);
    findings.times("a call in one of them", &calls, None);
    let closing = Instant::now();
    for id in &ids {
        client.delete(&format!("/v1/sessions/{id}")).is(200);
    }
    findings.figure("to close one, on average", closing.elapsed().as_secs_f64() * 1e3 / f64::from(count), "ms");
    if bridge.call(&site.library, "OpenCounters", json!({})).result() != 0 {
        findings.violation("what a session owned was not released at its end");
    }
    findings
}

/// Calls that leave something to the session's end.
fn calls_in(client: &Client, site: &Site, ids: &[String], findings: &mut Findings) -> Times {
    let mut times = Times::default();
    for id in ids.iter().take(TIMED as usize) {
        let started = Instant::now();
        let call = client.request("POST", &site.function("OpenCounter")).body("application/json", "{}");
        let answer = call.header("bridge-session", id).send();
        times.add(started.elapsed());
        if answer.status != 200 {
            findings.violation(format!("a call in a session was answered {} {}", answer.status, answer.text));
        }
    }
    times
}

/// Declares libraries that are not loaded until they are used, and uses one.
pub fn libraries(options: &Options) -> Findings {
    let count = options.libraries;
    let mut config = Config::new();
    let file = fixture::library("soak", Target::Linux32);
    for number in 0..count {
        let instances = [("min", 0), ("max", 1)].map(|(key, value)| (key.to_owned(), toml::Value::from(value)));
        let mut table = config.library(&format!("lib{number}"), &file);
        table.header(fixture::header("soak")).set("instances", Table::from_iter(instances));
    }
    let mut findings = Findings::default();
    let started = Instant::now();
    let bridge = Bridge::with(config);
    findings.figure("declared libraries", f64::from(count), "");
    findings.figure("until the gateway was ready", started.elapsed().as_secs_f64() * 1e3, "ms");
    let nothing = Bridge::start(|_| {});
    let (empty, full) = (Footprint::of(&nothing), Footprint::of(&bridge));
    memory("memory for a library", &empty, &full, count, LIBRARY, &mut findings);
    findings.bounded("agents that run", f64::from(u32::try_from(full.agents).unwrap_or(u32::MAX)), "", 0.0);
    let mut lists = Times::default();
    for _ in 0..TIMED {
        let started = Instant::now();
        let listed = bridge.client().get("/v1/libraries").ok();
        lists.add(started.elapsed());
        let listed = listed["libraries"].as_array().map_or(0, Vec::len);
        if listed != count as usize {
            findings.violation(format!("{listed} of {count} libraries are listed"));
        }
    }
    findings.times("GET /v1/libraries", &lists, None);
    let started = Instant::now();
    within(30.0, "a library answers that was not loaded", || {
        (bridge.call("lib0", "Version", json!({})).status == 200).then_some(())
    });
    findings.figure("the first call of a library that was not loaded", started.elapsed().as_secs_f64() * 1e3, "ms");
    findings
}

fn memory(what: &str, before: &Footprint, after: &Footprint, count: u32, bound: f64, findings: &mut Findings) {
    findings.figure("memory of the gateway without them", before.resident, "MB");
    findings.figure("memory of the gateway with them", after.resident, "MB");
    let each = (after.resident - before.resident).max(0.0) * 1024.0 / f64::from(count);
    // A few of them do not make up for what the gateway takes anyway.
    let bound = if count >= 1000 { bound } else { bound * 10.0 };
    findings.bounded(what, each, "kB", bound);
}
