//! Several threads in one library.

use std::thread::scope;
use std::time::{Duration, Instant};

use bridge32_tests::agent::interface;
use bridge32_tests::{Agent, HOME, TARGETS, Value, json};

fn results(outcomes: &[Value]) -> Vec<&Value> {
    outcomes.iter().map(|outcome| &outcome["returned"]["result"]).collect()
}

fn meet(agent: &Agent, library: &str, lane: u32, party: u32) -> Value {
    let args = json!({"party": party, "milliseconds": 3000});
    agent.run(library, lane, &[agent.call(library, 1, "Meet", &args)])[0]["returned"]["result"].clone()
}

#[test]
fn lanes_run_at_once_and_each_is_a_thread_of_its_own() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 3, 0);
        let all = scope(|scope| {
            let one = |lane| {
                scope.spawn({
                    let agent = &agent;
                    move || meet(agent, "lanes", lane, 3)
                })
            };
            [0, 1, 2].map(one).map(|thread| thread.join().unwrap())
        });
        assert_eq!(all, [json!(1), json!(1), json!(1)], "{target}");
        let thread = |lane| {
            let id = || agent.call("lanes", 1, "ThreadId", &json!({}));
            let outcomes = agent.run("lanes", lane, &[id(), id()]);
            let told = results(&outcomes);
            assert_eq!(told[0], told[1], "{target}: a lane is one thread");
            told[0].clone()
        };
        let threads = [thread(0), thread(1), thread(2)];
        assert!(threads[0] != threads[1] && threads[1] != threads[2] && threads[0] != threads[2], "{threads:?}");
    }
}

#[test]
fn one_lane_runs_one_call_at_a_time() {
    let mut agent = Agent::start(bridge32_tests::Target::Linux32);
    agent.load("lanes", 1, 0);
    let start = Instant::now();
    scope(|scope| {
        for id in 0..2 {
            let agent = &agent;
            let nap = move || agent.run("lanes", 0, &[agent.call("lanes", id, "Nap", &json!({"milliseconds": 300}))]);
            scope.spawn(nap);
        }
    });
    assert!(start.elapsed() >= Duration::from_millis(600), "{:?}", start.elapsed());
}

#[test]
fn lanes_that_are_not_there_and_numbers_that_cannot_be_are_refused() {
    let mut agent = Agent::start(bridge32_tests::Target::Linux32);
    let library = bridge32_tests::fixture::library("lanes", HOME);
    for (threads, slot) in [(0, 0), (65, 0), (u32::MAX, 0), (2, 127), (1, 128), (1, u32::MAX)] {
        let load = agent.load_of("lanes", &library, threads, slot);
        let why = agent.refused("PUT", "/libraries/lanes", &load, "malformed_request");
        assert!(why.contains("threads") || why.contains("slots"), "{why}");
    }
    agent.load("lanes", 2, 126);
    let list = json!({"library": "lanes", "lane": 2, "calls": []});
    let why = agent.refused("POST", "/calls", &list, "malformed_request");
    assert!(why.contains("no lane 2") && why.contains("has 2"), "{why}");
    for lane in [json!(-1), json!("0"), json!(1.5), json!(4_294_967_296_u64)] {
        agent.refused("POST", "/calls", &json!({"library": "lanes", "lane": lane, "calls": []}), "malformed_request");
    }
    // Without a lane it is the first one.
    assert_eq!(agent.send("POST", "/calls", &json!({"library": "lanes", "calls": []})).0, 200);
}

#[test]
fn a_lane_runs_what_comes_on_its_own_connections_and_by_the_agents() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 2, 0);
        let thread = |lane| agent.call("lanes", u128::from(lane) + 1, "ThreadId", &json!({}));
        let mut own = [0, 1].map(|lane| agent.hand_over("lanes", lane));
        for _ in 0..3 {
            for (lane, own) in (0..).zip(&mut own) {
                let there = results(&agent.run("lanes", lane, &[thread(lane), thread(lane)]))[0].clone();
                let (status, line) = own.run("lanes", lane, &[thread(lane)]);
                let outcome: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
                assert_eq!(
                    (status, &outcome["outcome"]["returned"]["result"]),
                    (200, &there),
                    "{target}: the same thread"
                );
            }
        }
        // A list would have to be sent while its next call runs.
        let [first, second] = &mut own;
        for calls in [vec![], vec![thread(0), thread(0)]] {
            let (status, fault) = first.run("lanes", 0, &calls);
            assert!(status == 422 && fault.contains("one call at a time"), "{target}: {status} {fault}");
        }
        assert_eq!(first.run("lanes", 0, &[thread(0)]).0, 200, "{target}: and goes on");
        // What ends the process ends the connection.
        assert_eq!(second.run("lanes", 1, &[agent.call("lanes", 9, "Crash", &json!({}))]).0, 0, "{target}");
        agent.ended();
        assert_eq!(agent.crash()["call_id"], bridge32_tests::agent::id_of(9), "{target}");
    }
}

#[test]
fn connections_are_passed_on_to_lanes_that_there_are_and_only_for_who_has_the_key() {
    let mut agent = Agent::start(bridge32_tests::Target::Linux32);
    agent.load("lanes", 1, 0);
    let mut connection = agent.connect();
    let refused =
        connection.ask("POST /lanes/lanes/0 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: bridge32-lane\r\n");
    assert_eq!(refused.0, 401, "{}", refused.1);
    for (path, why) in
        [("lanes/1", "no lane 1"), ("lanes/x", "no request"), ("lanes", "no request"), ("others/0", "not loaded")]
    {
        let (status, fault) = agent.ask_for_lane(path).1;
        assert!(status == 422 && fault.contains(why), "{path}: {status} {fault}");
    }
    // Without asking for another protocol it stays what it is.
    agent.refused("POST", "/lanes/lanes/0", &Value::Null, "malformed_request");
}

#[test]
fn an_interface_comes_while_other_lanes_run_and_the_last_four_stay() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 2, 0);
        let declared = interface("lanes", target);
        let rebind = |revision: u32| {
            let started = Instant::now();
            agent.ok("PUT", "/libraries/lanes/interface", &json!({"revision": revision, "interface": declared}));
            started.elapsed()
        };
        let count = |lane: u32, revision: u32| {
            let calls = [agent.call("lanes", 1, "Count", &json!({}))];
            agent.run_with("lanes", lane, &calls, &json!({"revision": revision}))[0].clone()
        };
        scope(|scope| {
            // On lane 0, where a library with one thread would be given its interface.
            let nap = agent.call("lanes", 1, "Nap", &json!({"milliseconds": 1500}));
            let long = scope.spawn({
                let agent = &agent;
                move || agent.run("lanes", 0, &[nap.clone(), nap])
            });
            std::thread::sleep(Duration::from_millis(200));
            assert!(rebind(2) < Duration::from_secs(1), "{target}: it did not wait for the other lane's call");
            assert!(count(1, 2)["returned"].is_object() && count(1, 1)["returned"].is_object(), "{target}");
            assert_eq!(results(&long.join().unwrap()), [1500, 1500], "{target}: with the interface that it names");
        });
        for revision in 3..=5 {
            rebind(revision);
        }
        for lane in [0, 1] {
            for revision in 2..=5 {
                assert!(count(lane, revision)["returned"].is_object(), "{target}: {revision}");
            }
        }
        for gone in [1, 6] {
            let fault = count(1, gone)["fault"].clone();
            assert_eq!(
                (&fault["code"], &fault["ran"]),
                (&json!("malformed_request"), &json!(false)),
                "{target}: {fault}"
            );
            let detail = fault["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("interface {gone}")) && detail.contains("newest one is 5"), "{detail}");
        }
    }
}

#[test]
fn a_crash_names_the_call_of_its_own_lane() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 2, 0);
        scope(|scope| {
            let other = agent.call("lanes", 7, "Meet", &json!({"party": 9, "milliseconds": 5000}));
            let waiting = scope.spawn({
                let agent = &agent;
                move || agent.run("lanes", 0, &[other])
            });
            std::thread::sleep(Duration::from_millis(300));
            let crash = [agent.call("lanes", 8, "Count", &json!({})), agent.call("lanes", 9, "Crash", &json!({}))];
            assert_eq!(results(&agent.run("lanes", 1, &crash)), [1], "{target}");
            assert!(waiting.join().unwrap().is_empty(), "{target}");
        });
        agent.ended();
        let record = agent.crash();
        let told = (record["library"].as_str(), record["function"].as_str(), record["call_id"].as_str());
        let id = bridge32_tests::agent::id_of(9);
        assert_eq!(told, (Some("lanes"), Some("Crash"), Some(id.as_str())), "{target}: {record}");
    }
}

#[test]
fn unloading_waits_for_every_lane() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 3, 0);
        scope(|scope| {
            let naps: Vec<_> = [1, 2]
                .map(|lane| {
                    let (agent, nap) = (&agent, agent.call("lanes", 1, "Nap", &json!({"milliseconds": 700})));
                    scope.spawn(move || agent.run("lanes", lane, &[nap]))
                })
                .into();
            std::thread::sleep(Duration::from_millis(200));
            let (status, text) = agent.send("POST", "/shutdown", &Value::Null);
            assert_eq!(status, 204, "{target}: {text}");
            for nap in naps {
                assert_eq!(results(&nap.join().unwrap()), [700], "{target}");
            }
        });
        agent.ended();
        assert_eq!(agent.crash(), json!({}), "{target}");
    }
}

#[test]
fn a_block_that_one_lane_frees_stays_for_the_call_of_another() {
    let mut agent = Agent::start(bridge32_tests::Target::Linux32);
    agent.load("lanes", 2, 0);
    let made = json!({"id": bridge32_tests::agent::id_of(1), "callee": "allocate", "args": {"size": 1_000_000}});
    let block = agent.run("lanes", 0, &[made])[0]["returned"]["result"]["handle"].as_str().unwrap().to_owned();
    let poke = json!({"id": bridge32_tests::agent::id_of(2), "args": {"thing": block, "milliseconds": 600}, "callee":
        {"prototype": bridge32_tests::agent::prototype("unsigned int TouchAfter(void *thing, unsigned int milliseconds);",
        bridge32_tests::Target::Linux32)}});
    scope(|scope| {
        let touching = scope.spawn({
            let agent = &agent;
            move || agent.run("lanes", 1, &[poke])
        });
        std::thread::sleep(Duration::from_millis(200));
        let free = json!({"id": bridge32_tests::agent::id_of(3), "callee": "free_block", "args": {"handle": block}});
        assert!(agent.run("lanes", 0, &[free])[0]["returned"].is_object());
        assert_eq!(results(&touching.join().unwrap()), [1_000_000]);
    });
}
