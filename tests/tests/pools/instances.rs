//! Several processes at once.

use std::collections::BTreeSet;
use std::thread::scope;
use std::time::{Duration, Instant};

use bridge32_tests::{Bridge, TARGETS_32, Value, json};

use super::two;

/// The process in which a call of half a second ran.
fn slow_call(bridge: &Bridge) -> Value {
    let calls = [("Nap", json!({"milliseconds": 500})), ("ProcessId", json!({}))];
    bridge.batch("pool", true, &calls)[1]["result"].clone()
}

#[test]
fn two_processes_run_two_calls_at_once() {
    for target in TARGETS_32 {
        let bridge = two(target);
        let start = Instant::now();
        let processes: BTreeSet<String> = scope(|scope| {
            let calls = [0; 2].map(|_| scope.spawn(|| slow_call(&bridge)));
            calls.into_iter().map(|call| call.join().unwrap().to_string()).collect()
        });
        let took = start.elapsed();
        assert_eq!(processes.len(), 2, "{target}: each ran in a process of its own");
        assert!(took < Duration::from_millis(950), "{target}: {took:?}");
        assert_eq!(bridge.library("pool")["calls"]["returned"], 4, "{target}");
    }
}

#[test]
fn calls_are_spread_over_the_processes() {
    let bridge = two(TARGETS_32[0]);
    let ask = || bridge.call("pool", "ProcessId", json!({})).result().to_string();
    let processes: BTreeSet<String> = scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| (0..20).map(|_| ask()).collect::<Vec<_>>())).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(processes.len(), 2);
}

#[test]
fn agents_of_one_library_have_ids_and_starts_that_tell_them_apart() {
    let bridge = two(TARGETS_32[0]);
    let agents = super::agents(&bridge);
    let told = |key: &str| agents.iter().map(|agent| agent[key].clone()).collect::<Vec<_>>();
    assert_eq!(told("id"), ["pool", "pool.2"]);
    assert_eq!((told("pool"), told("role")), (vec![json!("pool"); 2], vec![json!("active"); 2]));
    assert_ne!(told("generation")[0], told("generation")[1]);
    assert!(told("pid").iter().all(Value::is_number) && told("since").iter().all(Value::is_string));
}

#[test]
fn an_end_of_one_process_leaves_the_other_to_its_calls() {
    for target in TARGETS_32 {
        let bridge = two(target);
        scope(|scope| {
            let nap = scope.spawn(|| super::nap(&bridge, 1500));
            super::within(10.0, "it runs", || (super::in_state(&bridge, "busy").len() == 1).then_some(()));
            bridge.call("pool", "WriteToNull", json!({})).refused(502, "agent_crashed");
            assert!(!nap.is_finished(), "{target}");
            assert_eq!(nap.join().unwrap(), 1500, "{target}");
        });
        super::all_ready(&bridge, 2);
    }
}
