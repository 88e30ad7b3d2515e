//! How many calls may wait, and for whom.

use std::thread::scope;

use bridge32_tests::{Answer, Bridge, TARGETS_32, json, within};

use super::{add, in_state, pool, until_waiting};

#[test]
fn a_call_that_does_not_fit_into_the_queue_is_told_to_come_back() {
    for target in TARGETS_32 {
        let bridge = pool(target, |table| _ = table.set("queue", 4));
        scope(|scope| {
            let napping = scope.spawn(|| super::nap(&bridge, 1500));
            within(10.0, "it runs", || in_state(&bridge, "busy").pop());
            let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| super::nap(&bridge, 1))).collect();
            until_waiting(&bridge, 4);
            let answer = bridge.call("pool", "Nap", json!({"milliseconds": 1}));
            let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
            assert!(seconds.is_some_and(|seconds| (1..=30).contains(&seconds)), "{target}: {seconds:?}");
            let problem = answer.refused(429, "queue_full");
            assert_eq!(problem["execution"], "not_run", "{target}");
            assert!(!napping.is_finished());
            napping.join().unwrap();
            for call in waiting {
                assert_eq!(call.join().unwrap(), 1, "{target}");
            }
        });
        assert_eq!(super::nap(&bridge, 1), 1, "{target}");
    }
}

#[test]
fn one_key_cannot_fill_the_queue_for_another() {
    let mut modest = None;
    let bridge = Bridge::start(|config| {
        config.key("greedy", &["call:*", "read"]);
        modest = Some(config.key("modest", &["call:*", "read"]));
        add(config, TARGETS_32[0], |table| _ = table.set("queue", 8));
    });
    let modest = bridge.client_at(&bridge.addresses()[0], modest);
    scope(|scope| {
        let nap = |milliseconds: u32| bridge.call("pool", "Nap", json!({"milliseconds": milliseconds}));
        let first = scope.spawn(move || nap(2000));
        within(10.0, "it runs", || in_state(&bridge, "busy").pop());
        let greedy: Vec<_> = (0..20).map(|_| scope.spawn(move || nap(300))).collect();
        until_waiting(&bridge, 6);
        let answer = modest.post("/v1/libraries/pool/functions/Nap", &json!({"milliseconds": 2}));
        let left = greedy.iter().filter(|call| !call.is_finished()).count();
        assert_eq!(answer.result(), 2);
        assert!(left >= 3, "it had its turn before most of the others: {left} were left");
        first.join().unwrap().ok();
        let answers: Vec<Answer> = greedy.into_iter().map(|call| call.join().unwrap()).collect();
        let refused = answers
            .iter()
            .filter(|answer| answer.status == 429)
            .inspect(|answer| drop(answer.refused(429, "queue_full")));
        assert_eq!(refused.count(), 14);
    });
}
