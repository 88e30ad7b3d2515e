//! Many clients at once: every answer belongs to its question, and libraries do not wait for each other.

use std::time::{Duration, Instant};

use bridge32_tests::{Bridge, HOME, TARGETS, TARGETS_32, fixture, json};

use crate::on_all_targets;

const THREADS: u32 = 64;
const CALLS: u32 = 50;

#[test]
fn every_answer_belongs_to_its_question() {
    let bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            config.library(target.name(), fixture::library("scalars", target)).header(fixture::header("scalars"));
        }
    });
    for target in TARGETS_32 {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let bridge = &bridge;
                scope.spawn(move || {
                    for call in 0..CALLS {
                        let value = thread * 1000 + call;
                        // One in ten is wrong, which must reach the right client as well.
                        if call % 10 == 9 {
                            let text = bridge.call(target.name(), "EchoShort", json!({"value": 100_000 + value}));
                            assert!(text.mismatch("/value").contains(&format!("{}", 100_000 + value)), "{target}");
                        } else {
                            let result = bridge.call(target.name(), "EchoUint64", json!({"value": value})).result();
                            assert_eq!(result, value, "{target}");
                        }
                    }
                });
            }
        });
        let counts = &bridge.library(target.name())["calls"];
        assert_eq!(counts["returned"], THREADS * CALLS * 9 / 10, "{target}: {counts}");
        assert_eq!(counts["waiting"], 0, "{target}: {counts}");
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
}

#[test]
fn libraries_do_not_wait_for_each_other() {
    let bridge = on_all_targets("trouble");
    for slow in TARGETS_32 {
        std::thread::scope(|scope| {
            let nap = scope.spawn(|| bridge.call(slow.name(), "Nap", json!({"milliseconds": 1500})));
            std::thread::sleep(Duration::from_millis(200));
            for fast in TARGETS.into_iter().filter(|fast| *fast != slow) {
                let start = Instant::now();
                assert_eq!(bridge.call(fast.name(), "EchoInt", json!({"value": 1})).result(), 1);
                assert!(start.elapsed() < Duration::from_secs(1), "{fast} waited {:?} for {slow}", start.elapsed());
            }
            assert!(!nap.is_finished());
            assert_eq!(nap.join().unwrap().result(), 1500);
        });
    }
}

#[test]
fn calls_of_one_library_run_one_after_the_other_and_are_told_as_each_ends() {
    let bridge = on_all_targets("trouble");
    for target in TARGETS_32 {
        let start = Instant::now();
        let mut ends: Vec<Duration> = std::thread::scope(|scope| {
            let nap = || {
                assert_eq!(bridge.call(target.name(), "Nap", json!({"milliseconds": 300})).result(), 300);
                start.elapsed()
            };
            let naps: Vec<_> = (0..4).map(|_| scope.spawn(nap)).collect();
            naps.into_iter().map(|nap| nap.join().unwrap()).collect()
        });
        ends.sort();
        assert!(ends[3] >= Duration::from_millis(1200), "{target}: {ends:?}");
        assert!(
            ends[3] > ends[1] + Duration::from_millis(450),
            "the second was told with the last on {target}: {ends:?}"
        );
    }
}

#[test]
fn a_deadline_counts_from_when_a_call_runs_and_not_while_others_do() {
    let bridge = Bridge::start(|config| {
        let file = fixture::library("trouble", HOME);
        config.library("trouble", file).header(fixture::header("trouble")).set("deadline", "1s");
    });
    std::thread::scope(|scope| {
        let nap = || bridge.call("trouble", "Nap", json!({"milliseconds": 400})).result();
        let naps: Vec<_> = (0..6).map(|_| scope.spawn(nap)).collect();
        assert!(naps.into_iter().all(|nap| nap.join().unwrap() == 400), "2.4 s in all, each well within its second");
    });
    assert_eq!(bridge.generation("trouble"), 1);
}
