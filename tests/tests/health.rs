//! How agents fare: what the gateway tells of them, when it replaces one before it fails, and what probes are for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bridge32_tests::process::kill_9;
use bridge32_tests::{Bridge, TARGETS, TARGETS_32, Target, Value, fixture, json, within};

/// A bridge with the library `wear` for one target, with these keys in its table.
fn wearing(target: Target, keys: &str) -> Bridge {
    Bridge::start(|config| add(config, target, keys))
}

fn add(config: &mut bridge32_tests::Config, target: Target, keys: &str) {
    let mut library = config.library("wear", fixture::library("wear", target));
    library.header(fixture::header("wear"));
    for (key, value) in keys.parse::<toml::Table>().unwrap() {
        library.set(&key, value);
    }
}

fn health(bridge: &Bridge, agent: &str) -> Value {
    bridge.agent(agent)["health"].clone()
}

/// Waits until the first agent is another process than the one of `generation`, and gives why that ended.
fn replaced(bridge: &Bridge, generation: u64) -> String {
    within(30.0, "the process is replaced", || {
        let agent = bridge.agent("wear");
        let is_new = agent["generation"].as_u64()? > generation && agent["state"] == "ready";
        is_new.then(|| agent["last_exit"].as_str().unwrap_or_default().to_owned())
    })
}

fn generation(bridge: &Bridge) -> u64 {
    bridge.agent("wear")["generation"].as_u64().unwrap()
}

#[test]
fn an_agent_tells_how_it_fares() {
    let bridge = crate::on_all_targets("wear");
    for target in TARGETS {
        let name = target.name();
        for _ in 0..20 {
            assert_eq!(bridge.call(name, "Add", json!({"a": 1, "b": 2})).result(), 3);
        }
        assert_eq!(bridge.call(name, "Nap", json!({"milliseconds": 60})).result(), 60);
        bridge.call(name, "Add", json!({"a": "x", "b": 2})).mismatch("/a");
        let health = within(5.0, "the process has reported since", || {
            let health = health(&bridge, name);
            (health["calls"].as_u64()? >= 21).then_some(health)
        });
        assert_eq!((&health["returned"], &health["waiting"]), (&json!(21), &json!(0)), "{target}: {health}");
        assert_eq!(health["failed"], 1, "{target}: {health}");
        let age = health["reported_ms_ago"].as_u64().unwrap();
        assert!(age < 4000 && health["uptime_ms"].as_u64().unwrap() > 0, "{target}: {health}");
        let latency = &health["latency"];
        let [p50, p95, p99, max] = ["p50_ns", "p95_ns", "p99_ns", "max_ns"].map(|key| latency[key].as_u64().unwrap());
        assert_eq!(latency["calls"], 21);
        assert!(p50 <= p95 && p95 <= p99 && p99 <= max, "{target}: {latency}");
        assert!(p50 < 50_000_000 && (60_000_000..10_000_000_000).contains(&max), "{target}: {latency}");
        assert_eq!((&health["limits"], &health["warnings"]), (&json!([]), &json!([])), "{target}: {health}");
        assert_eq!((&health["probes"], &health["last_crash"]), (&json!([]), &Value::Null), "{target}: {health}");
        assert!(health["resident_bytes"].as_u64().unwrap() > 1 << 20, "{target}: {health}");
        if TARGETS_32.contains(&target) {
            let [taken, free] = ["address_space_bytes", "largest_free_bytes"].map(|key| health[key].as_u64().unwrap());
            assert!(taken > 8 << 20 && free > 64 << 20 && taken + free < 1 << 32, "{target}: {health}");
        } else {
            assert!(health["address_space_bytes"].is_null(), "{target}: {health}");
        }
    }
}

#[test]
fn what_a_library_takes_shows_in_its_agents_health() {
    let bridge = crate::on_all_targets("wear");
    for target in TARGETS_32 {
        let name = target.name();
        let before = health(&bridge, name);
        assert_eq!(bridge.call(name, "Leak", json!({"megabytes": 100})).result(), 100);
        assert_eq!(bridge.call(name, "Open", json!({"count": 150})).result(), 150);
        let taken = |health: &Value| health["address_space_bytes"].as_u64();
        within(5.0, "the memory is counted", || {
            (taken(&health(&bridge, name))? >= taken(&before)? + (95 << 20)).then_some(())
        });
        // Wine does not count handles.
        if let Some(handles) = before["handles"].as_u64() {
            let now = health(&bridge, name)["handles"].as_u64().unwrap();
            assert!((handles + 150..handles + 200).contains(&now), "{target}: {now} after {handles}");
        } else {
            assert!(target.is_windows(), "{before}");
        }
    }
}

#[test]
fn calls_that_wait_and_the_last_crash_are_told() {
    let bridge = wearing(Target::Linux32, "");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| bridge.call("wear", "Nap", json!({"milliseconds": 500})).result());
        }
        within(5.0, "two calls wait for the third", || (health(&bridge, "wear")["waiting"] == 2).then_some(()));
    });
    let first = generation(&bridge);
    bridge.call("wear", "Crash", json!({})).refused(502, "agent_crashed");
    replaced(&bridge, first);
    let crash = health(&bridge, "wear")["last_crash"].clone();
    assert_eq!(crash["generation"], first, "{crash}");
    assert!(crash["what"].as_str().unwrap().contains("SIGSEGV") && crash["at"].is_string(), "{crash}");
    let report = bridge.client().get(&format!("/v1/crashes/{}", crash["report"].as_str().unwrap())).ok();
    assert_eq!(report["generation"], first, "{report}");
    assert_eq!(health(&bridge, "wear")["failed"], 0, "it is of the process before");
    let second = generation(&bridge);
    bridge.client().post("/v1/agents/wear/restart", &json!({}));
    replaced(&bridge, second);
    assert_eq!(health(&bridge, "wear")["last_crash"], crash, "what the bridge ends has not crashed");
}

#[test]
fn a_process_that_leaks_is_replaced_between_two_calls_and_no_call_fails() {
    for target in TARGETS_32 {
        let bridge = wearing(target, "recycle = {max_memory = '350MB'}");
        let first = generation(&bridge);
        let limit = health(&bridge, "wear")["limits"][0].clone();
        assert_eq!((&limit["limit"], &limit["max"]), (&json!("max_memory"), &json!(350_000_000)), "{target}: {limit}");
        assert!(limit["used_percent"].as_u64().is_some_and(|percent| percent < 100), "{target}: {limit}");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // Some more calls than those of the first process.
                    let mut left = 20;
                    while left > 0 {
                        let leaked = bridge.call("wear", "Leak", json!({"megabytes": 1})).result().as_i64().unwrap();
                        assert!((1..2500).contains(&leaked), "{target}: it is not replaced in time: {leaked} MB");
                        left -= i32::from(generation(&bridge) > first);
                    }
                });
            }
        });
        let why = replaced(&bridge, first);
        assert!(why.starts_with("ended by the bridge: it used ") && why.contains(" MB of its address space"), "{why}");
        assert!(why.ends_with("and max_memory is 350 MB: replaced between two calls"), "{why}");
        bridge.logs(&["an agent is replaced", "max_memory is 350 MB"]);
        assert_eq!(bridge.library("wear")["calls"]["failed"], 0, "{target}");
    }
}

#[test]
fn a_process_is_replaced_after_so_many_calls() {
    let bridge = wearing(Target::Linux32, "recycle = {max_calls = 5}");
    let mut calls: BTreeMap<u64, usize> = BTreeMap::new();
    let mut last = 0;
    for _ in 0..40 {
        last = bridge.call("wear", "Process", json!({})).result().as_u64().unwrap();
        *calls.entry(last).or_default() += 1;
    }
    calls.remove(&last);
    assert!(calls.len() >= 3, "{calls:?}");
    // The next one may be on its way when the fifth ends.
    assert!(calls.values().all(|count| (5..=8).contains(count)), "{calls:?}");
    assert!(bridge.agent("wear")["last_exit"].as_str().unwrap().contains("max_calls is 5"));
    let agents = bridge.client().get("/v1/agents").ok();
    assert_eq!(agents["agents"].as_array().unwrap().len(), 1, "its place is taken by itself: {agents}");
}

#[test]
fn a_process_with_too_many_handles_is_replaced() {
    let bridge = wearing(Target::Linux32, "recycle = {max_handles = 200}");
    let first = generation(&bridge);
    assert_eq!(bridge.call("wear", "Open", json!({"count": 250})).result(), 250);
    let why = replaced(&bridge, first);
    assert!(why.contains(" handles, and max_handles is 200"), "{why}");
}

#[test]
fn what_a_process_has_before_its_first_call_does_not_make_it_start_for_ever() {
    let bridge = wearing(Target::Linux64, "recycle = {max_memory = '1GB', max_calls = 1000}");
    let before = health(&bridge, "wear");
    assert_eq!(before["limits"].as_array().unwrap().len(), 2, "{before}");
    drop(bridge);
    // A 32-bit agent has more address space than this from its start.
    let bridge = wearing(Target::Linux32, "recycle = {max_memory = '16MiB'}");
    let first = generation(&bridge);
    let warning =
        within(5.0, "there is a warning", || health(&bridge, "wear")["warnings"][0].as_str().map(str::to_owned));
    assert!(warning.contains("max_memory is 17 MB, before it ran any call"), "{warning}");
    bridge.logs(&["WARN", "before it ran any call"]);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(generation(&bridge), first);
}

#[test]
fn two_processes_of_a_library_are_never_replaced_at_the_same_time() {
    let bridge = wearing(Target::Linux32, "instances = 2\nrecycle = {max_age = '1s'}");
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let (mut seen, mut away): (BTreeSet<u64>, usize) = (BTreeSet::new(), 0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(bridge.call("wear", "Nap", json!({"milliseconds": 5})).result(), 5);
                }
            });
        }
        while start.elapsed() < Duration::from_secs(8) {
            let agents = bridge.client().get("/v1/agents").ok();
            let agents = agents["agents"].as_array().unwrap();
            assert_eq!(agents.len(), 2, "{agents:?}");
            let absent = agents.iter().filter(|agent| agent["role"] != "active").count();
            if absent > 1 {
                over.store(true, Ordering::Relaxed);
                panic!("both are away: {agents:?}");
            }
            away += absent;
            seen.extend(agents.iter().filter_map(|agent| agent["generation"].as_u64()));
            std::thread::sleep(Duration::from_millis(5));
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(seen.len() >= 6, "both were replaced several times: {seen:?}");
    assert!(away > 0, "one was seen while it was replaced");
    assert_eq!(bridge.library("wear")["calls"]["failed"], 0);
    let why = bridge.agent("wear.2")["last_exit"].as_str().unwrap().to_owned();
    assert!(why.contains("max_age is 1 s"), "{why}");
}

#[test]
fn a_standby_takes_over_while_a_process_is_replaced() {
    let bridge = wearing(Target::Linux32, "standby = 1\nrecycle = {max_calls = 10}");
    within(10.0, "one stands by", || {
        let agents = bridge.client().get("/v1/agents").ok();
        let ready = |agent: &&Value| agent["state"] == "ready";
        (agents["agents"].as_array()?.iter().filter(ready).count() == 2).then_some(())
    });
    let mut processes: BTreeSet<u64> = BTreeSet::new();
    within(20.0, "four processes have had their turn", || {
        processes.insert(bridge.call("wear", "Process", json!({})).result().as_u64()?);
        (processes.len() >= 4).then_some(())
    });
    let agents = bridge.client().get("/v1/agents").ok();
    assert_eq!(agents["agents"].as_array().unwrap().len(), 2, "{agents}");
}

const PROBE: &str = "[probe]\nfunction = 'Status'\nexpect = 0\nevery = '1s'\ndeadline = '1s'\nfailures = 2";

#[test]
fn a_process_whose_probe_fails_is_replaced_and_calls_go_on() {
    for target in TARGETS_32 {
        let bridge = wearing(target, PROBE);
        let first = generation(&bridge);
        let probe = health(&bridge, "wear")["probes"][0].clone();
        assert_eq!(
            (&probe["ok"], &probe["function"], &probe["library"]),
            (&json!(true), &json!("Status"), &json!("wear"))
        );
        bridge.call("wear", "SetStatus", json!({"status": 4})).ok();
        assert_eq!(bridge.call("wear", "Add", json!({"a": 1, "b": 2})).result(), 3);
        within(5.0, "a probe has failed", || {
            let probe = health(&bridge, "wear")["probes"][0].clone();
            let told = probe["problem"].as_str()? == "it returned 4, which is not what probe.expect says";
            (told && probe["ok"] == false && probe["failures"] == 1).then_some(())
        });
        let over = AtomicBool::new(false);
        let why = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(bridge.call("wear", "Add", json!({"a": 1, "b": 2})).result(), 3);
                }
            });
            let why = replaced(&bridge, first);
            over.store(true, Ordering::Relaxed);
            why
        });
        assert_eq!(
            why,
            "ended by the bridge: the probe `Status` of `wear` failed 2 times in a row: it returned 4, which is not what \
             probe.expect says",
            "{target}"
        );
        assert_eq!(bridge.call("wear", "Status", json!({})).result(), 0);
        assert_eq!(health(&bridge, "wear")["probes"][0]["ok"], true, "{target}");
        assert_eq!(bridge.library("wear")["calls"]["failed"], 0, "{target}");
    }
}

#[test]
fn probes_are_no_calls_of_the_library_and_wait_for_their_turn() {
    let probe = PROBE.replace("failures = 2", "failures = 1");
    let bridge = wearing(Target::Linux32, &format!("threads = 1\n{probe}"));
    let first = generation(&bridge);
    let probed = || health(&bridge, "wear")["probes"][0]["at"].as_str().map(str::to_owned);
    let before = probed();
    assert_eq!(bridge.call("wear", "Nap", json!({"milliseconds": 3500})).result(), 3500);
    within(5.0, "the next probe has had its turn", || (probed() != before).then_some(()));
    assert_eq!(generation(&bridge), first, "it waited longer than its deadline, which is no failure");
    let fared = health(&bridge, "wear");
    assert_eq!((&fared["returned"], &fared["latency"]["calls"]), (&json!(1), &json!(1)), "{fared}");
    assert_eq!(bridge.library("wear")["calls"]["returned"], 1);
    within(5.0, "the process has counted its probes", || {
        (health(&bridge, "wear")["calls"].as_u64()? > 1).then_some(())
    });
}

#[test]
fn a_process_gets_no_calls_before_it_has_answered_its_probe() {
    let never = PROBE.replace("expect = 0", "expect = 99").replace("failures = 2", "failures = 1");
    let bridge = Bridge::start(|config| {
        add(config, Target::Linux32, &never);
        config.do_not_wait();
    });
    let gave_up = within(60.0, "the bridge gives up", || {
        let agent = bridge.agent("wear");
        assert_ne!(agent["role"], "active", "{agent}");
        (agent["state"] == "gave_up").then(|| agent["reason"].as_str().unwrap_or_default().to_owned())
    });
    assert!(gave_up.starts_with("8 starts in a row failed; "), "{gave_up}");
    assert!(gave_up.contains("the probe `Status` of `wear` failed: it returned 0"), "{gave_up}");
    let problem = bridge.call("wear", "Add", json!({"a": 1, "b": 2})).refused(503, "no_agent");
    assert_eq!(problem["execution"], "not_run", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("the probe `Status`"), "{problem}");
}

#[test]
fn a_process_that_waits_for_its_probe_says_so() {
    let never = PROBE.replace("expect = 0", "expect = 99").replace("failures = 2", "failures = 100");
    let bridge = Bridge::start(|config| {
        add(config, Target::Linux32, &format!("deadline = '2s'\n{never}"));
        config.do_not_wait();
    });
    let reason = within(10.0, "the agent says what it waits for", || {
        let agent = bridge.agent("wear");
        (agent["state"] == "ready").then(|| agent["reason"].as_str().map(str::to_owned)).flatten()
    });
    assert!(reason.starts_with("it gets calls when it has answered its probe"), "{reason}");
    assert_eq!(bridge.library("wear")["state"], "starting");
    bridge.call("wear", "Add", json!({"a": 1, "b": 2})).refused(503, "no_agent");
}

#[test]
fn a_probe_of_a_function_that_no_header_declares_takes_no_library_down() {
    let bridge = wearing(Target::Linux32, &PROBE.replace("'Status'", "'Ping'"));
    let first = generation(&bridge);
    assert_eq!(bridge.call("wear", "Add", json!({"a": 1, "b": 2})).result(), 3);
    let probe = health(&bridge, "wear")["probes"][0].clone();
    assert_eq!(probe["problem"], "the headers declare no function `Ping`", "{probe}");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(generation(&bridge), first);
}

#[test]
fn a_drained_agent_keeps_its_place() {
    let bridge = wearing(Target::Linux32, "");
    bridge.client().post("/v1/agents/wear/drain", &json!({}));
    within(5.0, "it has stopped", || (bridge.agent("wear")["state"] == "stopped").then_some(()));
    bridge.call("wear", "Add", json!({"a": 1, "b": 2})).refused(503, "no_agent");
    let agents = bridge.client().get("/v1/agents").ok();
    assert_eq!(agents["agents"].as_array().unwrap().len(), 1, "no other took its place: {agents}");
    bridge.client().post("/v1/agents/wear/restart", &json!({}));
    bridge.call_until(10.0, "wear", "Add", &json!({"a": 1, "b": 2}));
    kill_9(bridge.agent_pid("wear"));
    bridge.call_until(10.0, "wear", "Add", &json!({"a": 1, "b": 2}));
}
