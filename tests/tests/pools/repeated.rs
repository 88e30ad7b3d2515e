//! Calls that are made again after the end of a process: those that did not run, and those that may run twice.

use std::path::PathBuf;
use std::thread::scope;

use bridge32_tests::{Bridge, Config, TARGETS_32, Target, json};

use super::{add, lines, named, start_late, until_waiting, works};

/// A bridge whose agent starts late, and a file for marks.
fn late(target: Target) -> (Bridge, PathBuf) {
    let mut config = Config::new();
    add(&mut config, target, |table| _ = table.set("deadline", "30s"));
    start_late(&mut config, target);
    config.do_not_wait();
    let file = config.folder().join("marks");
    (Bridge::with(config), file)
}

/// Calls that wait behind one that ends the process are sent with it, and made again after its end.
fn behind(function: &str, status: u16, code: &str) {
    for target in TARGETS_32 {
        let (bridge, file) = late(target);
        let path = named(&file, target);
        scope(|scope| {
            let ends = scope.spawn(|| bridge.call("pool", function, json!({})));
            until_waiting(&bridge, 1);
            let marks: Vec<_> = (1..=5)
                .map(|value| {
                    let (bridge, path) = (&bridge, &path);
                    scope.spawn(move || bridge.call("pool", "Mark", json!({"file": path, "value": value})))
                })
                .collect();
            until_waiting(&bridge, 6);
            let problem = ends.join().unwrap().refused(status, code);
            assert_eq!(problem["execution"], "may_have_run", "{target}: {problem}");
            for mark in marks {
                mark.join().unwrap().ok();
            }
        });
        let mut found = lines(&file);
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3, 4, 5], "{target}: each ran once");
        assert_eq!(bridge.agent("pool")["restarts"], 1, "{target}");
        assert_eq!(bridge.library("pool")["calls"]["returned"], 5, "{target}");
    }
}

#[test]
fn calls_behind_one_that_hangs_are_answered_and_run_once() {
    behind("Hang", 504, "deadline_exceeded");
}

#[test]
fn calls_behind_one_that_crashes_are_answered_and_run_once() {
    behind("WriteToNull", 502, "agent_crashed");
}

#[test]
fn a_batch_behind_a_crash_runs_once_and_whole() {
    let (bridge, file) = late(TARGETS_32[0]);
    scope(|scope| {
        let crash = scope.spawn(|| bridge.call("pool", "WriteToNull", json!({})));
        until_waiting(&bridge, 1);
        let mark = |value: i32| ("Mark", json!({"file": file, "value": value}));
        let outcomes = bridge.batch("pool", true, &[mark(1), mark(2), mark(3)]);
        assert_eq!(outcomes.iter().map(|outcome| &outcome["result"]).collect::<Vec<_>>(), [0, 1, 2]);
        crash.join().unwrap().refused(502, "agent_crashed");
    });
    assert_eq!(lines(&file), [1, 2, 3]);
}

#[test]
fn an_idempotent_function_is_tried_again_after_a_crash_and_no_other() {
    for target in TARGETS_32 {
        let bridge = super::pool(target, |_| {});
        let file = |name: &str| bridge.config().folder().join(name);
        let call = |function, name| bridge.call("pool", function, json!({"file": named(&file(name), target)}));
        assert_eq!(call("CrashOnceOrTwice", "may").result(), 1, "{target}: the second attempt");
        let problem = call("CrashOnce", "must not").refused(502, "agent_crashed");
        assert_eq!(problem["execution"], "may_have_run", "{target}");
        works(&bridge);
        assert_eq!((lines(&file("may")).len(), lines(&file("must not")).len()), (2, 1), "{target}");
    }
}

#[test]
fn an_idempotent_function_that_always_crashes_is_not_tried_for_ever() {
    let bridge = super::pool(TARGETS_32[0], |_| {});
    let file = bridge.config().folder().join("marks");
    let problem = bridge.call("pool", "CrashAlways", json!({"file": file})).refused(502, "agent_crashed");
    assert_eq!(problem["execution"], "may_have_run", "{problem}");
    assert_eq!(lines(&file).len(), 4);
    works(&bridge);
}

#[test]
fn a_function_that_the_configuration_names_is_idempotent_too() {
    let bridge = super::pool(TARGETS_32[0], |table| _ = table.set("idempotent", vec!["CrashOnce"]));
    let file = bridge.config().folder().join("marks");
    assert_eq!(bridge.call("pool", "CrashOnce", json!({"file": file})).result(), 1);
}
