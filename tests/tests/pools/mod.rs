//! Several processes and several threads for one library: who gets a call, and what becomes of it when one of them ends.

mod draining;
mod elastic;
mod external;
mod handles;
mod instances;
mod limits;
mod repeated;
mod standby;
mod states;
mod threads;

use std::path::Path;

use bridge32_tests::config::LibraryTable;
use bridge32_tests::{Bridge, Config, Target, Value, fixture, json, windows_path, within};

/// Seconds until something must have happened; a start under Wine takes its time.
const SOON: f64 = 60.0;

/// The fixture `pool` for one target, as the library `pool` that `settings` completes.
fn add(config: &mut Config, target: Target, settings: impl FnOnce(&mut LibraryTable<'_>)) {
    let mut table = config.library("pool", fixture::library("pool", target));
    table.header(fixture::header("pool"));
    settings(&mut table);
}

/// A bridge with it alone.
fn pool(target: Target, settings: impl FnOnce(&mut LibraryTable<'_>)) -> Bridge {
    Bridge::start(|config| add(config, target, settings))
}

/// The same with two processes, which are both there.
fn two(target: Target) -> Bridge {
    let bridge = pool(target, |table| _ = table.set("instances", 2));
    all_ready(&bridge, 2);
    bridge
}

/// `instances = { min, max, idle }`
fn instances(min: i64, max: i64, idle: &str) -> toml::Table {
    toml::Table::from_iter([("min".into(), min.into()), ("max".into(), max.into()), ("idle".into(), idle.into())])
}

/// Makes processes of that target start a second later, so that calls come before them.
fn start_late(config: &mut Config, target: Target) {
    let command = config.runtime(target.name()).get_mut("command").and_then(toml::Value::as_array_mut).unwrap();
    command.splice(0..0, ["/bin/sh", "-c", "sleep 1; exec \"$@\"", "late"].map(toml::Value::from));
}

fn agents(bridge: &Bridge) -> Vec<Value> {
    bridge.client().get("/v1/agents").ok()["agents"].as_array().unwrap().clone()
}

/// The ids of the agents in that state.
fn in_state(bridge: &Bridge, state: &str) -> Vec<String> {
    let all = agents(bridge).into_iter().filter(|agent| agent["state"] == state);
    all.map(|agent| agent["id"].as_str().unwrap().to_owned()).collect()
}

fn all_ready(bridge: &Bridge, count: usize) {
    within(SOON, "all agents are ready", || (in_state(bridge, "ready").len() == count).then_some(()));
}

fn nap(bridge: &Bridge, milliseconds: u32) -> Value {
    bridge.call("pool", "Nap", json!({"milliseconds": milliseconds})).result()
}

fn works(bridge: &Bridge) {
    bridge.call_until(SOON, "pool", "Nap", &json!({"milliseconds": 0}));
}

/// Until that many calls wait in the library's queue.
fn until_waiting(bridge: &Bridge, count: usize) {
    within(SOON, "they wait", || (bridge.library("pool")["calls"]["waiting"] == count).then_some(()));
}

/// The number of the start that a handle lives in.
fn generation_of(handle: &Value) -> u64 {
    let token = handle.as_str().unwrap_or_else(|| panic!("{handle} is no handle"));
    token.split('.').nth(1).and_then(|part| part.strip_prefix('g')?.parse().ok()).unwrap()
}

/// A path as a library of that target names it.
fn named(file: &Path, target: Target) -> String {
    if target.is_windows() { windows_path(file) } else { file.display().to_string() }
}

fn lines(file: &Path) -> Vec<i64> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| line.trim().parse().unwrap()).collect()
}
