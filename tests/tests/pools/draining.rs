//! Agents that are drained: what they run ends first, and others do what comes.

use std::thread::scope;
use std::time::Instant;

use bridge32_tests::{Bridge, TARGETS_32, json, within};

use super::{SOON, in_state, nap, pool, two, works};

fn drain(bridge: &Bridge, id: &str) {
    bridge.client().request("POST", &format!("/v1/agents/{id}/drain")).send().is(202);
}

fn restart(bridge: &Bridge, id: &str) {
    bridge.client().request("POST", &format!("/v1/agents/{id}/restart")).send().is(202);
}

fn until_stopped(bridge: &Bridge, id: &str) {
    within(SOON, "it is stopped", || (bridge.agent(id)["state"] == "stopped").then_some(()));
}

#[test]
fn what_a_drained_agent_runs_ends_first_and_the_other_one_does_the_rest() {
    for target in TARGETS_32 {
        let bridge = two(target);
        scope(|scope| {
            let napping = scope.spawn(|| nap(&bridge, 2000));
            let busy = within(10.0, "it runs", || in_state(&bridge, "busy").pop());
            drain(&bridge, &busy);
            let agent = within(5.0, "it is told", || {
                let agent = bridge.agent(&busy);
                (agent["state"] == "draining").then_some(agent)
            });
            assert!(agent["reason"].is_string() && agent["since"].is_string(), "{target}: {agent}");
            for value in 0..10 {
                assert_eq!(nap(&bridge, value), value, "{target}");
            }
            assert!(!napping.is_finished(), "{target}: they did not wait for it");
            assert_eq!(napping.join().unwrap(), 2000, "{target}");
            until_stopped(&bridge, &busy);
            let agent = bridge.agent(&busy);
            assert!(agent["reason"].as_str().is_some_and(|reason| reason.contains("drained")), "{target}: {agent}");
            assert_eq!(agent["pid"], json!(null), "{target}");
            assert_eq!(super::agents(&bridge).len(), 2, "{target}: nobody has taken its place");
            nap(&bridge, 1);
            let before = agent["generation"].as_u64();
            restart(&bridge, &busy);
            super::all_ready(&bridge, 2);
            assert!(bridge.agent(&busy)["generation"].as_u64() > before, "{target}");
        });
    }
}

#[test]
fn without_another_agent_calls_are_told_what_to_do() {
    for target in TARGETS_32 {
        let bridge = pool(target, |_| {});
        drain(&bridge, "pool");
        until_stopped(&bridge, "pool");
        let problem = bridge.call("pool", "Nap", json!({"milliseconds": 1})).refused(503, "no_agent");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("drained") && detail.contains("POST /v1/agents/pool/restart"), "{target}: {detail}");
        assert_eq!(problem["execution"], "not_run", "{target}");
        // Again, and it is still so.
        drain(&bridge, "pool");
        bridge.call("pool", "Nap", json!({"milliseconds": 1})).refused(503, "no_agent");
        assert_eq!(super::agents(&bridge).len(), 1, "{target}");
        restart(&bridge, "pool");
        works(&bridge);
    }
}

#[test]
fn a_drained_agent_whose_call_hangs_or_crashes_does_not_come_back() {
    let bridge = pool(TARGETS_32[0], |_| {});
    for (function, status, code) in [("Hang", 504, "deadline_exceeded"), ("Nap", 502, "agent_crashed")] {
        scope(|scope| {
            let call = scope.spawn(|| match function {
                "Hang" => bridge.call("pool", function, json!({})),
                _ => bridge.call("pool", function, json!({"milliseconds": 5000})),
            });
            within(10.0, "it runs", || in_state(&bridge, "busy").pop());
            let (pid, before) = (bridge.agent_pid("pool"), bridge.agent("pool")["restarts"].clone());
            drain(&bridge, "pool");
            within(5.0, "it drains", || in_state(&bridge, "draining").pop());
            if function == "Nap" {
                bridge32_tests::process::kill_9(pid);
            }
            let asked = Instant::now();
            call.join().unwrap().refused(status, code);
            until_stopped(&bridge, "pool");
            assert!(asked.elapsed().as_secs() < 6, "{function}: {:?}", asked.elapsed());
            assert_eq!(bridge.agent("pool")["restarts"], before, "{function}: it was not started for nothing");
        });
        restart(&bridge, "pool");
        works(&bridge);
    }
}

#[test]
fn handles_of_a_drained_agent_do_not_keep_it_for_ever() {
    let bridge = pool(TARGETS_32[0], |table| _ = table.set("drain", "1s"));
    let handle = bridge.client().post("/v1/libraries/pool/memory", &json!({"size": 8})).is(201)["handle"].clone();
    drain(&bridge, "pool");
    // Whoever uses it all the time is served until then, and told after it.
    let end = within(SOON, "the drain ends", || {
        let answer = bridge.call("pool", "AreSame", json!({"one": handle, "other": handle}));
        (answer.status != 200).then_some(answer)
    });
    end.refused(503, "no_agent");
    until_stopped(&bridge, "pool");
}

#[test]
fn an_agent_that_stands_by_takes_the_place_of_a_drained_one() {
    let bridge = pool(TARGETS_32[0], |table| _ = table.set("standby", 1));
    super::all_ready(&bridge, 2);
    let all = super::agents(&bridge);
    let active = all.iter().find(|agent| agent["role"] == "active").unwrap()["id"].as_str().unwrap().to_owned();
    drain(&bridge, &active);
    until_stopped(&bridge, &active);
    assert_eq!(nap(&bridge, 4), 4);
    assert_eq!(super::agents(&bridge).len(), 2);
}
