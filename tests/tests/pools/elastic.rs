//! As many processes as the calls need.

use std::thread::scope;

use bridge32_tests::{TARGETS_32, within};

use super::{SOON, agents, instances, nap, pool};

#[test]
fn a_library_is_loaded_by_the_first_call_gets_more_processes_when_calls_wait_and_none_when_nobody_calls() {
    for target in TARGETS_32 {
        let bridge = pool(target, |table| _ = table.set("instances", instances(0, 2, "1s")));
        assert_eq!(bridge.library("pool")["state"], "idle", "{target}");
        assert!(agents(&bridge).is_empty() && bridge.agent_processes().is_empty(), "{target}");
        assert_eq!(nap(&bridge, 1), 1, "{target}: the call loads it");
        let started = agents(&bridge)[0]["generation"].as_u64().unwrap();
        scope(|scope| {
            let naps: Vec<_> = (0..6).map(|_| scope.spawn(|| nap(&bridge, 1000))).collect();
            within(SOON, "another process", || (agents(&bridge).len() == 2).then_some(()));
            assert!(naps.into_iter().all(|nap| nap.join().unwrap() == 1000), "{target}");
        });
        within(SOON, "both are gone", || agents(&bridge).is_empty().then_some(()));
        within(SOON, "their processes, too", || bridge.agent_processes().is_empty().then_some(()));
        assert_eq!(bridge.library("pool")["state"], "idle", "{target}");
        assert_eq!(nap(&bridge, 2), 2, "{target}: the next call loads it again");
        assert!(agents(&bridge)[0]["generation"].as_u64().unwrap() > started, "{target}: numbers are not used twice");
    }
}

#[test]
fn there_are_never_fewer_processes_than_the_least_and_never_more_than_the_most() {
    let bridge = pool(TARGETS_32[0], |table| _ = table.set("instances", instances(1, 2, "1s")));
    scope(|scope| {
        let naps: Vec<_> = (0..12).map(|_| scope.spawn(|| nap(&bridge, 300))).collect();
        let mut most = 0;
        while !naps.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            most = most.max(agents(&bridge).len());
        }
        assert_eq!(most, 2);
    });
    within(SOON, "one is left", || (agents(&bridge).len() == 1).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(agents(&bridge).len(), 1);
}

#[test]
fn a_process_that_stands_by_stays_when_others_go() {
    let bridge = pool(TARGETS_32[0], |table| {
        table.set("instances", instances(1, 2, "1s")).set("standby", 1);
    });
    super::all_ready(&bridge, 2);
    scope(|scope| {
        let naps: Vec<_> = (0..10).map(|_| scope.spawn(|| nap(&bridge, 300))).collect();
        within(SOON, "another process", || (agents(&bridge).len() == 3).then_some(()));
        drop(naps);
    });
    within(SOON, "one is active and one stands by", || {
        let mut roles: Vec<String> = agents(&bridge).iter().map(|agent| agent["role"].to_string()).collect();
        roles.sort();
        (roles == ["\"active\"", "\"standby\""]).then_some(())
    });
}
