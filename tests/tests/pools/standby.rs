//! A process that stands by.

use std::time::Instant;

use bridge32_tests::{Bridge, TARGETS_32, json, process, within};

use super::{SOON, agents, all_ready, pool};

fn with_role(bridge: &Bridge, role: &str) -> Vec<(u64, u64)> {
    let all = agents(bridge).into_iter().filter(|agent| agent["role"] == role && agent["state"] == "ready");
    all.filter_map(|agent| Some((agent["generation"].as_u64()?, agent["pid"].as_u64()?))).collect()
}

#[test]
fn when_the_active_process_is_killed_the_next_call_is_answered_by_the_one_that_stands_by() {
    for target in TARGETS_32 {
        let bridge = pool(target, |table| _ = table.set("standby", 1));
        all_ready(&bridge, 2);
        let [(active, pid), (ready, _)] = ["active", "standby"].map(|role| {
            let found = with_role(&bridge, role);
            assert_eq!(found.len(), 1, "{target}: one is {role}: {:?}", agents(&bridge));
            found[0]
        });
        let asked = || {
            super::generation_of(
                &bridge.client().post("/v1/libraries/pool/memory", &json!({"size": 8})).is(201)["handle"],
            )
        };
        assert_eq!(asked(), active, "{target}");
        process::kill_9(pid.try_into().unwrap());
        let start = Instant::now();
        assert_eq!(asked(), ready, "{target}: it was there already");
        let took = start.elapsed();
        within(SOON, "the dead one is back, and stands by", || {
            let standby = with_role(&bridge, "standby");
            (standby.len() == 1 && standby[0].0 > ready).then_some(())
        });
        assert_eq!(with_role(&bridge, "active")[0].0, ready, "{target}");
        assert!(took.as_millis() < 1000, "{target}: it waited for no start: {took:?}");
    }
}

#[test]
fn calls_that_wait_behind_a_hung_one_are_answered_by_the_one_that_stands_by() {
    let bridge = pool(TARGETS_32[0], |table| _ = table.set("standby", 1));
    all_ready(&bridge, 2);
    std::thread::scope(|scope| {
        let hung = scope.spawn(|| bridge.call("pool", "Hang", json!({})));
        within(10.0, "it runs", || (super::in_state(&bridge, "busy").len() == 1).then_some(()));
        assert_eq!(super::nap(&bridge, 3), 3);
        hung.join().unwrap().refused(504, "deadline_exceeded");
    });
}
