//! Agents that die, hang and come back; the gateway that ends, gracefully or not.

use std::time::{Duration, Instant};

use bridge32_tests::{Bridge, HOME, TARGETS, TARGETS_32, Target, Value, WINDOWS_GATEWAY, json, process, within};

use crate::on_all_targets;

fn trouble() -> Bridge {
    on_all_targets("trouble")
}

/// Seconds until a killed agent must answer again.
const BACK: f64 = 10.0;

fn works(bridge: &Bridge, library: &str) {
    bridge.call_until(BACK, library, "EchoInt", &json!({"value": 32}));
}

#[test]
fn a_killed_agent_comes_back_as_the_next_generation() {
    let bridge = trouble();
    for target in TARGETS {
        let name = target.name();
        let (pid, generation) = (bridge.agent_pid(name), bridge.generation(name));
        bridge.call(name, "EchoInt", json!({"value": 1})).ok();
        process::kill_9(pid);
        works(&bridge, name);
        assert!(!process::is_alive(pid), "{target}");
        assert_ne!(bridge.agent_pid(name), pid, "{target}");
        assert!(bridge.generation(name) > generation, "{target}");
        let agent = bridge.agent(name);
        assert_eq!(agent["restarts"].as_u64(), agent["generation"].as_u64().map(|started| started - 1), "{target}");
    }
}

#[test]
fn an_agent_that_is_killed_during_a_call_is_told_to_its_client() {
    let bridge = trouble();
    for target in TARGETS_32 {
        let name = target.name();
        let answer = std::thread::scope(|scope| {
            let call = scope.spawn(|| bridge.call(name, "Nap", json!({"milliseconds": 4000})));
            within(5.0, "the call has arrived", || (bridge.agent(name)["health"]["pending"] == 1).then_some(()));
            process::kill_9(bridge.agent_pid(name));
            call.join().unwrap()
        });
        let problem = answer.refused(502, "agent_crashed");
        assert_eq!(problem["execution"], "may_have_run", "{target}");
        // Whoever ends a process of Windows chooses its exit code.
        let how = if WINDOWS_GATEWAY { "exit code" } else { "SIGKILL" };
        assert!(problem["detail"].as_str().unwrap().contains(how), "{target}: {problem}");
        works(&bridge, name);
    }
}

#[test]
fn a_connection_that_outlives_its_agent_holds_nobody_up() {
    // Wine's server may keep a socket open after its process is gone; a process that was left behind does so for sure.
    let bridge = trouble();
    for target in TARGETS.into_iter().filter(|target| !target.is_windows()) {
        let name = target.name();
        let left = bridge.call(name, "LeaveBehind", json!({})).result().as_u64().unwrap().try_into().unwrap();
        let (answer, took) = std::thread::scope(|scope| {
            let call = scope.spawn(|| bridge.call(name, "Nap", json!({"milliseconds": 20_000})));
            within(5.0, "the call has arrived", || (bridge.agent(name)["health"]["pending"] == 1).then_some(()));
            process::kill_9(bridge.agent_pid(name));
            let start = Instant::now();
            (call.join().unwrap(), start.elapsed())
        });
        assert!(took < Duration::from_secs(5), "{target}: the client waited {took:?}");
        assert!(process::is_alive(left), "{target}: it held the connection all the time");
        process::kill_9(left);
        answer.refused(502, "agent_crashed");
        works(&bridge, name);
    }
}

#[test]
fn calls_behind_a_crash_are_answered_too() {
    let bridge = trouble();
    for target in TARGETS_32 {
        let name = target.name();
        let started = Instant::now();
        std::thread::scope(|scope| {
            let nap = scope.spawn(|| bridge.call(name, "Nap", json!({"milliseconds": 1500})));
            within(5.0, "the nap runs", || (bridge.agent(name)["health"]["pending"] == 1).then_some(()));
            let crash = scope.spawn(|| bridge.call(name, "WriteToNull", json!({})));
            std::thread::sleep(Duration::from_millis(50));
            let behind: Vec<_> = (0..4)
                .map(|value| {
                    scope.spawn({
                        let bridge = &bridge;
                        move || bridge.call(name, "EchoInt", json!({"value": value}))
                    })
                })
                .collect();
            assert_eq!(nap.join().unwrap().result(), 1500, "{target}");
            crash.join().unwrap().refused(502, "agent_crashed");
            for (value, answer) in behind.into_iter().enumerate() {
                let answer = answer.join().unwrap();
                // It may wait for the next generation, or be told that it was behind; it is never lost.
                match answer.status {
                    200 => assert_eq!(answer.result(), value, "{target}"),
                    _ => drop(answer.refused(502, "agent_crashed")),
                }
            }
        });
        assert!(started.elapsed() < Duration::from_secs(10), "{target}: {:?}", started.elapsed());
        works(&bridge, name);
    }
}

#[test]
fn a_restart_can_be_asked_for() {
    let bridge = trouble();
    for target in TARGETS_32 {
        let generation = bridge.generation(target.name());
        bridge.client().request("POST", &format!("/v1/agents/{target}/restart")).send().is(202);
        within(BACK, "the next generation", || (bridge.generation(target.name()) > generation).then_some(()));
        works(&bridge, target.name());
    }
}

/// The ways in which a library can end its process, and what the words about it must contain: on Linux, on Windows.
const ENDS: &[(&str, &str, &str, &str)] = &[
    ("WriteToNull", "{}", "SIGSEGV", ""),
    ("Raise", r#"{"signal": 11}"#, "SIGSEGV", ""),
    ("Abort", "{}", "SIGABRT", ""),
    ("DivideByZero", r#"{"value": 5}"#, "SIGFPE", ""),
    ("Overflow", r#"{"depth": 0}"#, "SIGSEGV", ""),
    ("Exit", r#"{"code": 3}"#, "exit code 3", "exit code 3"),
];

#[test]
fn a_call_that_ends_the_process_is_told_and_the_next_one_works() {
    let bridge = trouble();
    for target in TARGETS {
        for (function, arguments, linux, windows) in ENDS {
            let problem = bridge.call_raw(target.name(), function, arguments).refused(502, "agent_crashed");
            let detail = problem["detail"].as_str().unwrap();
            assert!(
                detail.contains(if target.is_windows() { windows } else { linux }),
                "{function} on {target}: {detail}"
            );
            assert!(problem["call_id"].is_string(), "{function} on {target}: {problem}");
            assert_eq!(problem["execution"], "may_have_run", "{function} on {target}");
            works(&bridge, target.name());
        }
    }
}

#[test]
fn a_crash_does_not_disturb_other_libraries() {
    let bridge = trouble();
    let (victim, other) = (TARGETS[0].name(), TARGETS[1].name());
    let pid = bridge.agent_pid(other);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| bridge.call(other, "Nap", json!({"milliseconds": 800})));
        bridge.call(victim, "WriteToNull", json!({})).refused(502, "agent_crashed");
        assert_eq!(call.join().unwrap().result(), 800);
    });
    assert_eq!(bridge.agent_pid(other), pid);
    works(&bridge, victim);
}

#[test]
fn a_hung_call_is_ended_at_its_deadline() {
    let bridge = trouble();
    for target in TARGETS {
        let start = Instant::now();
        let problem = bridge.call(target.name(), "Hang", json!({})).refused(504, "deadline_exceeded");
        let took = start.elapsed();
        assert!((Duration::from_millis(650)..Duration::from_secs(4)).contains(&took), "{target}: {took:?}");
        assert!(problem["detail"].as_str().unwrap().contains("700 ms"), "{target}: {problem}");
        assert!(problem["call_id"].is_string(), "{target}: {problem}");
        works(&bridge, target.name());
        assert_eq!(bridge.generation(target.name()), 2, "{target}");
    }
}

#[test]
fn the_deadline_of_the_library_holds_where_a_function_has_none() {
    let bridge = Bridge::start(|config| {
        let file = bridge32_tests::fixture::library("trouble", HOME);
        config.library("trouble", file).header(bridge32_tests::fixture::header("trouble")).set("deadline", "400ms");
    });
    bridge.call("trouble", "Nap", json!({"milliseconds": 3000})).refused(504, "deadline_exceeded");
    works(&bridge, "trouble");
    assert_eq!(bridge.call("trouble", "Nap", json!({"milliseconds": 50})).result(), 50);
}

#[test]
fn no_agent_survives_the_sudden_end_of_its_gateway() {
    let mut bridge = trouble();
    let pids: Vec<u32> = TARGETS.iter().map(|target| bridge.agent_pid(target.name())).collect();
    assert!(bridge.agent_processes().len() >= TARGETS.len(), "{:?}", bridge.agent_processes());
    bridge.kill();
    within(5.0, "every agent has ended", || pids.iter().all(|pid| !process::is_alive(*pid)).then_some(()));
    within(5.0, "nothing of them is left", || bridge.agent_processes().is_empty().then_some(()));
}

#[test]
fn no_agent_survives_even_while_a_library_hangs() {
    let mut bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            let file = bridge32_tests::fixture::library("trouble", target);
            config
                .library(target.name(), file)
                .declares("unsigned int Nap(unsigned int milliseconds);")
                .set("deadline", "60s");
        }
    });
    let authority = bridge.client().authority().to_owned();
    let _hanging: Vec<std::net::TcpStream> =
        TARGETS_32.iter().map(|target| send_nap(&authority, target.name(), 30_000)).collect();
    for target in TARGETS_32 {
        within(5.0, "the call runs", || (bridge.agent(target.name())["health"]["pending"] == 1).then_some(()));
    }
    bridge.kill();
    within(5.0, "nothing is left", || bridge.agent_processes().is_empty().then_some(()));
}

/// Begins a call and does not wait for its answer.
fn send_nap(authority: &str, library: &str, milliseconds: u32) -> std::net::TcpStream {
    use std::io::Write as _;
    let body = format!("{{\"milliseconds\": {milliseconds}}}");
    let mut stream = std::net::TcpStream::connect(authority).unwrap();
    write!(
        stream,
        "POST /v1/libraries/{library}/functions/Nap HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream
}

#[test]
fn a_graceful_stop_lets_calls_finish() {
    let mut bridge = trouble();
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let nap = |target: Target| bridge.call(target.name(), "Nap", json!({"milliseconds": 1000})).result();
        let calls: Vec<_> = TARGETS.map(|target| scope.spawn(move || nap(target))).into();
        for target in TARGETS {
            within(5.0, "the call runs", || (bridge.agent(target.name())["health"]["pending"] == 1).then_some(()));
        }
        bridge.terminate();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(answers, TARGETS.map(|_| 1000));
    assert!(bridge.wait().success());
    assert!(bridge.agent_processes().is_empty(), "{:?}", bridge.agent_processes());
    assert!(bridge.log().contains("stopped"), "{}", bridge.log());
}

#[test]
fn a_library_is_loaded_called_and_unloaded_on_one_thread() {
    let mut bridge = on_all_targets("thread");
    let threads = TARGETS.map(|target| {
        let ids = [0; 3].map(|_| bridge.call(target.name(), "ThreadId", json!({})).result());
        assert!(ids.iter().all(|id| *id == ids[0]), "{target}: {ids:?}");
        ids[0].clone()
    });
    bridge.terminate();
    assert!(bridge.wait().success());
    let log = bridge.log();
    for (target, thread) in TARGETS.into_iter().zip(threads) {
        for step in ["loaded", "unloaded"] {
            let wanted = [format!(" {step} on {thread} "), format!("agent=\"{target}\"")];
            assert!(log.lines().any(|line| wanted.iter().all(|part| line.contains(part))), "{target}: {step}\n{log}");
        }
    }
}

#[test]
fn a_client_that_goes_away_does_no_harm() {
    let bridge = trouble();
    for target in TARGETS_32 {
        drop(send_nap(bridge.client().authority(), target.name(), 900));
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(bridge.call(target.name(), "EchoInt", json!({"value": 5})).result(), 5, "{target}");
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
}

#[test]
fn a_stop_during_the_start_leaves_nothing_behind() {
    let mut bridge = {
        let mut config = bridge32_tests::Config::new();
        for target in TARGETS_32 {
            config.library(target.name(), bridge32_tests::fixture::library("trouble", target));
        }
        config.do_not_wait();
        Bridge::with(config)
    };
    bridge.terminate();
    assert!(bridge.wait().success());
    within(2.0, "nothing is left", || bridge.agent_processes().is_empty().then_some(()));
}

#[test]
fn ctrl_c_stops_it_too() {
    let mut bridge = trouble();
    process::signal(bridge.pid(), nix::sys::signal::Signal::SIGINT);
    assert!(bridge.wait().success());
}

#[test]
fn libraries_of_a_group_share_a_process_and_others_do_not() {
    let bridge = Bridge::start(|config| {
        for name in ["a", "b", "c"] {
            let file = bridge32_tests::fixture::library("trouble", HOME);
            let mut library = config.library(name, file);
            library.header(bridge32_tests::fixture::header("trouble"));
            if name != "c" {
                library.set("group", "both");
            }
        }
    });
    let pid = |name| bridge.call(name, "ProcessId", json!({})).result();
    assert_eq!(pid("a"), pid("b"));
    assert_ne!(pid("a"), pid("c"));
    assert_eq!(bridge.agent("both")["libraries"], json!(["a", "b"]));
    bridge.call("a", "WriteToNull", json!({})).refused(502, "agent_crashed");
    works(&bridge, "b");
    assert_eq!(bridge.generation("c"), 1);
}
