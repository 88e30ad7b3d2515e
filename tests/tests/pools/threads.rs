//! Several threads in one process.

use std::thread::scope;

use bridge32_tests::{Bridge, TARGETS_32, Value, fixture, json};

use super::pool;

#[test]
fn two_threads_of_one_process_run_two_calls_at_once() {
    let bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            let mut table = config.library(target.name(), fixture::library("lanes", target));
            table.header(fixture::header("lanes")).set("threads", 2);
        }
    });
    for target in TARGETS_32 {
        let meet = || bridge.call(target.name(), "Meet", json!({"party": 2, "milliseconds": 5000})).result();
        let both = scope(|scope| [scope.spawn(meet), scope.spawn(meet)].map(|call| call.join().unwrap()));
        assert_eq!(both, [1, 1], "{target}: they were in the library at once");
    }
    assert_eq!(super::agents(&bridge).len(), 2, "one process for each library");
}

#[test]
fn each_thread_has_its_error_number_and_its_own_memory() {
    for target in TARGETS_32 {
        let bridge = pool(target, |table| _ = table.set("threads", 2));
        let fail = |code: i32| bridge.call("pool", "Fail", json!({"code": code, "milliseconds": 400})).ok();
        let answers: [Value; 2] = scope(|scope| {
            let first = scope.spawn(|| fail(2));
            std::thread::sleep(std::time::Duration::from_millis(150));
            [first, scope.spawn(|| fail(5))].map(|call| call.join().unwrap())
        });
        let error = if target.is_windows() { "last_error" } else { "errno" };
        for (answer, code) in answers.iter().zip([2, 5]) {
            assert_eq!((&answer["result"], &answer[error]["code"]), (&json!(code), &json!(code)), "{target}: {answer}");
        }
    }
}

#[test]
fn a_crash_on_one_thread_is_told_to_the_calls_of_all_that_ran_and_the_others_are_repeated() {
    let bridge = pool(TARGETS_32[0], |table| _ = table.set("threads", 2));
    scope(|scope| {
        let napping = scope.spawn(|| bridge.call("pool", "Nap", json!({"milliseconds": 3000})));
        super::within(10.0, "it runs", || (super::in_state(&bridge, "busy").len() == 1).then_some(()));
        let crash = bridge.call("pool", "WriteToNull", json!({})).refused(502, "agent_crashed");
        assert_eq!(crash["crash"]["function"], "WriteToNull");
        let other = napping.join().unwrap().refused(502, "agent_crashed");
        assert_eq!(other["execution"], "may_have_run", "{other}");
    });
    super::works(&bridge);
}
