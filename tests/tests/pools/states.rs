//! The states of an agent, each with since when and why.

use std::thread::scope;

use bridge32_tests::{Bridge, Config, TARGETS_32, Target, Value, fixture, json, within};

use super::{SOON, add, nap, start_late};

/// Waits until the agent is in that state, and gives it.
fn seen(bridge: &Bridge, state: &str) -> Value {
    let agent = within(SOON, state, || {
        let agent = bridge.agent("pool");
        (agent["state"] == state).then_some(agent)
    });
    assert!(agent["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{agent}");
    agent
}

fn reason(agent: &Value) -> &str {
    agent["reason"].as_str().unwrap_or_default()
}

#[test]
fn an_agent_is_starting_ready_busy_draining_and_stopped() {
    let mut config = Config::new();
    add(&mut config, TARGETS_32[0], |_| {});
    start_late(&mut config, TARGETS_32[0]);
    config.do_not_wait();
    let bridge = Bridge::with(config);
    assert_eq!(seen(&bridge, "starting")["reason"], Value::Null);
    assert_eq!(bridge.library("pool")["state"], "starting");
    assert_eq!(seen(&bridge, "ready")["reason"], Value::Null);
    scope(|scope| {
        let napping = scope.spawn(|| nap(&bridge, 1500));
        let busy = seen(&bridge, "busy");
        assert_eq!(seen(&bridge, "busy")["since"], busy["since"], "it is still the same call");
        bridge.client().request("POST", "/v1/agents/pool/drain").send().is(202);
        assert!(reason(&seen(&bridge, "draining")).contains("drained"));
        napping.join().unwrap();
    });
    assert!(reason(&seen(&bridge, "stopped")).contains("drained"));
}

#[test]
fn an_agent_that_cannot_start_backs_off_and_is_given_up_until_somebody_asks() {
    let mut config = Config::new();
    add(&mut config, TARGETS_32[0], |_| {});
    let command: toml::Value = vec!["/bin/sh", "-c", "sleep 0.1; exit 9"].into();
    config.runtime("linux32").insert("command".into(), command);
    config.do_not_wait();
    let bridge = Bridge::with(config);
    assert!(reason(&seen(&bridge, "backoff")).contains("exit code 9"));
    let gave_up = seen(&bridge, "gave_up");
    assert!(reason(&gave_up).contains("starts in a row failed"), "{gave_up}");
    let problem = bridge.call("pool", "Nap", json!({"milliseconds": 1})).refused(503, "no_agent");
    assert!(problem["detail"].as_str().unwrap().contains("POST /v1/agents/pool/restart"), "{problem}");
    bridge.client().request("POST", "/v1/agents/pool/restart").send().is(202);
    assert!(seen(&bridge, "backoff")["generation"].as_u64() > gave_up["generation"].as_u64());
}

/// A library whose own thread crashes right after it was loaded, though nobody calls it.
fn crashing(target: Target) -> Bridge {
    let file = fixture::Fixture::new("pool").named("crashes_by_itself").flag("-DCRASHES_BY_ITSELF").build(target);
    Bridge::start(|config| {
        config.library("pool", file).header(fixture::header("pool"));
        config.do_not_wait();
    })
}

#[test]
fn a_library_that_crashes_by_itself_is_given_up_and_tried_again_when_somebody_asks() {
    for target in TARGETS_32 {
        let bridge = crashing(target);
        let gave_up = seen(&bridge, "gave_up");
        let words = if target.is_windows() { "0xC0000005" } else { "SIGSEGV" };
        assert!(reason(&gave_up).contains(words), "{target}: {gave_up}");
        let problem = bridge.call("pool", "ProcessId", json!({})).refused(503, "no_agent");
        assert_eq!(problem["execution"], "not_run", "{target}");
        bridge.client().request("POST", "/v1/agents/pool/restart").send().is(202);
        within(SOON, "it is started again", || {
            (bridge.agent("pool")["generation"].as_u64() > gave_up["generation"].as_u64()).then_some(())
        });
        let again = seen(&bridge, "gave_up");
        assert!(again["generation"].as_u64() >= gave_up["generation"].as_u64().map(|number| number + 8), "{target}");
    }
}
