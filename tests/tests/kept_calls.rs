//! Calls that a client comes back for, may repeat, or has no more time for: `Prefer`, `Idempotency-Key`, `/v1/calls`.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use bridge32_tests::events::Events;
use bridge32_tests::{Answer, Bridge, Config, HOME, TARGETS_32, Value, fixture, json, within};

use crate::on_all_targets;

/// A bridge with `trouble` and `counted`, each as a library of that name for Linux.
fn on_linux(configure: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        for name in ["trouble", "counted"] {
            config.library(name, fixture::library(name, HOME)).header(fixture::header(name));
        }
        configure(config);
    })
}

fn call(bridge: &Bridge, target: &str, args: &Value, headers: &[(&str, &str)]) -> Answer {
    let mut request = bridge.client().request("POST", target).body("application/json", args.to_string());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send()
}

fn nap(bridge: &Bridge, library: &str, milliseconds: u32, headers: &[(&str, &str)]) -> Answer {
    let target = format!("/v1/libraries/{library}/functions/Nap");
    call(bridge, &target, &json!({"milliseconds": milliseconds}), headers)
}

const ASYNC: (&str, &str) = ("prefer", "respond-async");

/// The id of a call that was accepted.
fn accepted(answer: &Answer) -> String {
    let call = answer.is(202);
    let id = call["call_id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(format!("/v1/calls/{id}").as_str()));
    assert_eq!(call["kept"], true, "{call}");
    id
}

fn show(bridge: &Bridge, id: &str, wait: &str) -> Value {
    bridge.client().get(&format!("/v1/calls/{id}?wait={wait}")).ok()
}

fn until_it_runs(bridge: &Bridge, id: &str) {
    within(10.0, "the call runs", || (show(bridge, id, "0")["state"] == "running").then_some(()));
}

#[test]
fn a_call_is_accepted_at_once_and_its_outcome_is_there_when_it_has_ended() {
    let bridge = on_all_targets("trouble");
    for target in TARGETS_32 {
        let name = target.name();
        let start = Instant::now();
        let answer = nap(&bridge, name, 1500, &[ASYNC]);
        assert!(start.elapsed() < Duration::from_secs(1), "{target}: {:?}", start.elapsed());
        assert_eq!(answer.header("preference-applied"), Some("respond-async"));
        let id = accepted(&answer);
        let early = show(&bridge, &id, "10ms");
        assert!(matches!(early["state"].as_str(), Some("waiting" | "running")), "{target}: {early}");
        assert!(early.get("outcome").is_none(), "{target}: {early}");
        let late = show(&bridge, &id, "30s");
        assert!(start.elapsed() < Duration::from_secs(8), "{target}: the poll returns at the end of the call");
        assert_eq!(
            (&late["state"], &late["status"], &late["execution"]),
            (&"ended".into(), &200.into(), &"ran".into())
        );
        assert_eq!((&late["outcome"]["result"], &late["outcome"]["call_id"]), (&1500.into(), &id.clone().into()));
        assert_eq!((&late["library"], &late["function"]), (&name.into(), &"Nap".into()), "{target}");
    }
}

#[test]
fn a_call_that_is_quick_enough_is_answered_at_once() {
    let bridge = on_linux(|_| {});
    let quick = nap(&bridge, "trouble", 10, &[("prefer", "respond-async, wait=20")]);
    assert_eq!(quick.result(), 10);
    assert_eq!(quick.header("preference-applied"), Some("wait=20"));
    let slow = nap(&bridge, "trouble", 1500, &[("prefer", "respond-async"), ("prefer", "wait=0.1")]);
    assert_eq!(slow.header("preference-applied"), Some("respond-async, wait=0.1"));
    assert_eq!(show(&bridge, &accepted(&slow), "20s")["outcome"]["result"], 1500);
    // Ad hoc calls and batches can be come back for, too.
    let body = json!({"prototype": "int EchoInt(int value)", "args": {"value": 7}});
    let ad_hoc = accepted(&call(&bridge, "/v1/libraries/trouble/calls", &body, &[ASYNC]));
    let shown = show(&bridge, &ad_hoc, "20s");
    assert_eq!((&shown["outcome"]["result"], &shown["function"]), (&7.into(), &"EchoInt".into()), "{shown}");
    let body = json!({"calls": [{"function": "EchoInt", "args": {"value": 1}}, {"function": "EchoInt", "args": {}}]});
    let batch = accepted(&call(&bridge, "/v1/libraries/trouble/batches", &body, &[ASYNC]));
    let shown = show(&bridge, &batch, "20s");
    assert_eq!(shown["outcome"]["outcomes"][0]["result"], 1, "{shown}");
    assert_eq!(shown["outcome"]["outcomes"][1]["pointer"], "/calls/1/args/value", "{shown}");
}

#[test]
fn a_client_that_hangs_up_does_not_stop_a_call_that_is_kept() {
    let bridge = on_linux(|_| {});
    let id = accepted(&nap(&bridge, "trouble", 1500, &[ASYNC]));
    until_it_runs(&bridge, &id);
    // Behind that one, and its client is gone long before its turn.
    let authority = bridge.client().authority().to_owned();
    let mut stream = std::net::TcpStream::connect(&authority).unwrap();
    let (line, body) = ("POST /v1/libraries/trouble/functions/EchoInt HTTP/1.1", r#"{"value":1}"#);
    let headers =
        format!("Host: {authority}\r\nContent-Type: application/json\r\nIdempotency-Key: gone\r\nContent-Length: 11");
    write!(stream, "{line}\r\n{headers}\r\n\r\n{body}").unwrap();
    within(5.0, "the call waits", || (bridge.library("trouble")["calls"]["waiting"] == 1).then_some(()));
    drop(stream);
    show(&bridge, &id, "20s");
    let target = "/v1/libraries/trouble/functions/EchoInt";
    let again = call(&bridge, target, &json!({"value": 1}), &[("idempotency-key", "gone")]);
    assert_eq!(again.result(), 1);
    assert_eq!(again.header("idempotency-replayed"), Some("true"), "the request whose client hung up has made it");
}

#[test]
fn every_change_of_a_call_is_streamed_until_it_has_ended() {
    let bridge = on_linux(|_| {});
    let first = accepted(&nap(&bridge, "trouble", 700, &[ASYNC]));
    let second = accepted(&nap(&bridge, "trouble", 700, &[ASYNC]));
    until_it_runs(&bridge, &first);
    // Whoever stops listening changes nothing.
    drop(Events::open(bridge.client(), &format!("/v1/calls/{second}"), None));
    let mut events = Events::open(bridge.client(), &format!("/v1/calls/{second}"), None);
    let mut states = Vec::new();
    loop {
        let event = events.next(10);
        assert_eq!(event.name, "state");
        states.push(event.data["state"].as_str().unwrap().to_owned());
        if event.data["state"] == "ended" {
            assert_eq!(event.data["outcome"]["result"], 700);
            break;
        }
    }
    assert_eq!(states.last().map(String::as_str), Some("ended"));
    assert!(states.contains(&"running".to_owned()) && states.len() <= 3, "{states:?}");
    // One that has ended is told at once.
    assert_eq!(Events::open(bridge.client(), &format!("/v1/calls/{first}"), None).next(5).data["state"], "ended");
}

#[test]
fn a_stream_ends_with_the_gateway() {
    let bridge = on_linux(|_| {});
    let id = accepted(&nap(&bridge, "trouble", 3000, &[ASYNC]));
    let mut events = Events::open(bridge.client(), &format!("/v1/calls/{id}"), None);
    events.next(5);
    bridge.terminate();
    let last = std::iter::from_fn(|| Some(events.next(5))).find(|event| event.name == "end").unwrap();
    assert_eq!(last.data["reason"], "gateway_stopping");
}

#[test]
fn a_wait_is_the_deadline_of_one_request() {
    let bridge = on_all_targets("trouble");
    for target in TARGETS_32 {
        let name = target.name();
        let start = Instant::now();
        let problem = nap(&bridge, name, 20_000, &[("prefer", "wait=0.2")]).refused(504, "deadline_exceeded");
        assert!(start.elapsed() < Duration::from_secs(1), "{target}: {:?}", start.elapsed());
        assert_eq!(problem["execution"], "may_have_run", "{target}");
        assert!(problem["detail"].as_str().unwrap().contains("200 ms"), "{target}: {problem}");
        bridge.call_until(20.0, name, "EchoInt", &json!({"value": 1}));
    }
    // Longer than the function's own deadline, which is 700 ms.
    let start = Instant::now();
    let hang = call(&bridge, "/v1/libraries/linux32/functions/Hang", &json!({}), &[("prefer", "wait=1.5")]);
    hang.refused(504, "deadline_exceeded");
    assert!(start.elapsed() > Duration::from_millis(1400), "{:?}", start.elapsed());
}

#[test]
fn a_wait_bounds_the_time_in_the_queue_too() {
    let bridge = on_linux(|_| {});
    let first = accepted(&nap(&bridge, "trouble", 2500, &[ASYNC]));
    until_it_runs(&bridge, &first);
    let start = Instant::now();
    let problem = nap(&bridge, "trouble", 1, &[("prefer", "wait=0.3")]).refused(504, "deadline_exceeded");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(problem["execution"], "not_run", "{problem}");
    assert_eq!(show(&bridge, &first, "20s")["outcome"]["result"], 2500, "the one before it is not disturbed");
}

#[test]
fn a_wait_that_cannot_be_kept_is_refused_with_the_limit() {
    let bridge = on_linux(|config| {
        let mut slow = config.library("slow", fixture::library("trouble", HOME));
        slow.header(fixture::header("trouble")).set("deadline", "3s");
    });
    for wrong in ["wait=3.5", "wait=-1", "wait=soon", "wait=0", "respond-async, wait=61", "respond-async=1"] {
        nap(&bridge, "slow", 1, &[("prefer", wrong)]).refused(400, "malformed_request");
    }
    let detail = nap(&bridge, "slow", 1, &[("prefer", "wait=4")]).refused(400, "malformed_request");
    assert!(detail["detail"].as_str().unwrap().contains("3 s"), "{detail}");
    assert_eq!(nap(&bridge, "slow", 1, &[("prefer", "handling=strict; foo=\"a, wait=9\"")]).result(), 1);
    let block = call(&bridge, "/v1/libraries/slow/memory", &json!({"size": 8}), &[("prefer", "wait=2")]).is(201);
    let handle = block["handle"].as_str().unwrap();
    let read =
        bridge.client().request("GET", &format!("/v1/libraries/slow/memory/{handle}")).header("prefer", "wait=99");
    read.send().refused(400, "malformed_request");
    call(&bridge, "/v1/libraries/slow/memory", &json!({"size": 8}), &[("idempotency-key", "k")])
        .refused(400, "malformed_request");
}

#[test]
fn a_call_that_waits_is_taken_out_of_the_queue() {
    let bridge = on_linux(|_| {});
    let first = accepted(&nap(&bridge, "trouble", 1500, &[ASYNC]));
    until_it_runs(&bridge, &first);
    let target = "/v1/libraries/trouble/functions/EchoInt";
    let second = accepted(&call(&bridge, target, &json!({"value": 1}), &[ASYNC]));
    bridge.client().delete(&format!("/v1/calls/{second}")).done();
    let shown = show(&bridge, &second, "0");
    assert_eq!(
        (&shown["state"], &shown["status"], &shown["code"]),
        (&"ended".into(), &409.into(), &"cancelled".into())
    );
    assert_eq!(shown["outcome"]["execution"], "not_run", "{shown}");
    assert_eq!(show(&bridge, &first, "20s")["outcome"]["result"], 1500);
    bridge.client().delete(&format!("/v1/calls/{second}")).refused(409, "call_ended");
    bridge.client().delete(&format!("/v1/calls/{first}")).refused(409, "call_ended");
}

#[test]
fn the_process_of_a_call_that_is_cancelled_is_ended_and_the_next_call_works() {
    let bridge = on_all_targets("trouble");
    for target in TARGETS_32 {
        let name = target.name();
        let id = accepted(&nap(&bridge, name, 25_000, &[ASYNC]));
        until_it_runs(&bridge, &id);
        // It is on its way to the process: what that has not entered yet is truly told `not_run`.
        std::thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        let answer = bridge.client().delete(&format!("/v1/calls/{id}"));
        assert!(matches!(answer.status, 202 | 204), "{target}: {}", answer.status);
        let shown = show(&bridge, &id, "10s");
        assert!(start.elapsed() < Duration::from_secs(5), "{target}: {:?}", start.elapsed());
        let outcome = &shown["outcome"];
        assert_eq!(
            (&outcome["code"], &outcome["execution"]),
            (&"cancelled".into(), &"may_have_run".into()),
            "{target}"
        );
        bridge.call_until(20.0, name, "EchoInt", &json!({"value": 1}));
    }
}

#[test]
fn a_call_that_is_not_kept_can_be_seen_and_cancelled_while_it_runs() {
    let bridge = on_linux(|_| {});
    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| bridge.call("trouble", "Nap", json!({"milliseconds": 20_000})));
        let listed = within(10.0, "the call is listed as running", || {
            let calls = bridge.client().get("/v1/calls").ok();
            calls["calls"].as_array().unwrap().iter().find(|call| call["state"] == "running").cloned()
        });
        assert_eq!((&listed["function"], &listed["kept"]), (&"Nap".into(), &false.into()), "{listed}");
        let id = listed["call_id"].as_str().unwrap();
        assert_eq!(show(&bridge, id, "0")["state"], "running");
        bridge.client().delete(&format!("/v1/calls/{id}")).is(202);
        call.join().unwrap()
    });
    let problem = answer.refused(409, "cancelled");
    let id = problem["call_id"].as_str().unwrap();
    assert_eq!(show(&bridge, id, "0")["code"], "cancelled");
    bridge.client().delete(&format!("/v1/calls/{id}")).refused(409, "call_ended");
    bridge.client().get("/v1/calls/none").refused(404, "unknown_call");
}

#[test]
fn a_batch_is_cancelled_as_a_whole() {
    let bridge = on_linux(|_| {});
    let nap = |milliseconds: u32| json!({"function": "Nap", "args": {"milliseconds": milliseconds}});
    let body = json!({"calls": [nap(10), nap(20_000), nap(10)], "stop_on_error": false});
    let id = accepted(&call(&bridge, "/v1/libraries/trouble/batches", &body, &[ASYNC]));
    until_it_runs(&bridge, &id);
    std::thread::sleep(Duration::from_millis(200));
    let answer = bridge.client().delete(&format!("/v1/calls/{id}"));
    assert!(matches!(answer.status, 202 | 204), "{}: {}", answer.status, answer.text);
    let outcomes = &show(&bridge, &id, "10s")["outcome"]["outcomes"];
    assert_eq!(outcomes[0]["result"], 10, "{outcomes}");
    assert_eq!((&outcomes[1]["code"], &outcomes[2]["code"]), (&"cancelled".into(), &"cancelled".into()), "{outcomes}");
}

fn take(bridge: &Bridge, value: u32, key: &str) -> Answer {
    call(bridge, "/v1/libraries/counted/functions/TakeInt", &json!({"value": value}), &[("idempotency-key", key)])
}

fn calls_so_far(bridge: &Bridge) -> Value {
    bridge.call("counted", "CallsSoFar", json!({})).result()
}

#[test]
fn requests_with_one_key_run_once_and_get_the_same_answer() {
    let bridge = on_linux(|_| {});
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| take(&bridge, 5, "\"one\""))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(calls_so_far(&bridge), 1);
    let replayed = answers.iter().filter(|answer| answer.header("idempotency-replayed") == Some("true")).count();
    assert_eq!(replayed, 7, "one of them has made the call");
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.text == answers[0].text));
    // Also while the call still runs.
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| nap(&bridge, "trouble", 900, &[("idempotency-key", "nap")]));
        std::thread::sleep(Duration::from_millis(300));
        let late = nap(&bridge, "trouble", 900, &[("idempotency-key", "nap"), ("prefer", "wait=0.1")]);
        assert!(late.refused(504, "deadline_exceeded")["detail"].as_str().unwrap().contains("It goes on"));
        let second = scope.spawn(|| nap(&bridge, "trouble", 900, &[("idempotency-key", "nap")]));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!(first.text, second.text);
    assert_eq!((first.result(), second.header("idempotency-replayed")), (900.into(), Some("true")));
}

#[test]
fn a_key_that_comes_with_another_body_is_refused() {
    let bridge = on_linux(|_| {});
    let first = take(&bridge, 5, "k").ok();
    let problem = take(&bridge, 6, "k").refused(422, "idempotency_mismatch");
    assert!(problem["detail"].as_str().unwrap().contains(first["call_id"].as_str().unwrap()), "{problem}");
    assert_eq!(calls_so_far(&bridge), 1);
    for wrong in ["", "a b", "\"a", "a,b", &"k".repeat(256)] {
        take(&bridge, 5, wrong).refused(400, "malformed_request");
    }
    assert_eq!(calls_so_far(&bridge), 1);
}

#[test]
fn what_did_not_run_is_run_by_the_next_request_with_the_key() {
    let bridge = on_linux(|_| {});
    let target = "/v1/libraries/counted/functions/TakeInt";
    let wrong = call(&bridge, target, &json!({"value": "x"}), &[("idempotency-key", "k")]);
    wrong.refused(422, "argument_mismatch");
    assert_eq!(take(&bridge, 5, "k").result(), 1, "the key is free again, for another body too");
    // A call that is ended by its deadline may have run: it is not made again.
    let hang = || call(&bridge, "/v1/libraries/trouble/functions/Hang", &json!({}), &[("idempotency-key", "h")]);
    let first = hang();
    assert_eq!(first.refused(504, "deadline_exceeded")["execution"], "may_have_run");
    let start = Instant::now();
    let second = hang();
    assert!(start.elapsed() < Duration::from_millis(500), "it has not hung again");
    assert_eq!((second.status, &second.text), (504, &first.text));
}

#[test]
fn a_key_and_its_answer_survive_a_restart_of_the_gateway() {
    let mut bridge = on_linux(|_| {});
    let first = take(&bridge, 5, "k");
    let file = bridge.config().folder().join("data/history.db");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    bridge.restart();
    let second = take(&bridge, 5, "k");
    assert_eq!(first.text, second.text, "byte for byte");
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(calls_so_far(&bridge), 0, "the new process has not been called");
    take(&bridge, 6, "k").refused(422, "idempotency_mismatch");
}

#[test]
fn a_call_that_ran_when_the_gateway_was_killed_may_have_run_and_is_not_repeated() {
    let mut bridge = on_linux(|_| {});
    let id = accepted(&nap(&bridge, "trouble", 20_000, &[ASYNC, ("idempotency-key", "k")]));
    until_it_runs(&bridge, &id);
    bridge.kill();
    bridge.restart();
    let shown = show(&bridge, &id, "0");
    assert_eq!((&shown["state"], &shown["status"]), (&"ended".into(), &502.into()), "{shown}");
    assert_eq!(shown["outcome"]["execution"], "may_have_run", "{shown}");
    let again = nap(&bridge, "trouble", 20_000, &[("idempotency-key", "k")]).refused(502, "agent_restarted");
    assert_eq!((&again["call_id"], &again["execution"]), (&id.into(), &"may_have_run".into()));
    assert!(again["detail"].as_str().unwrap().contains("not repeated"), "{again}");
}

#[test]
fn a_call_that_waits_when_the_gateway_stops_has_not_run() {
    let mut bridge = on_linux(|_| {});
    // Longer than calls get to finish.
    let first = accepted(&nap(&bridge, "trouble", 29_000, &[ASYNC]));
    until_it_runs(&bridge, &first);
    let second = accepted(&nap(&bridge, "trouble", 1, &[ASYNC, ("idempotency-key", "k")]));
    bridge.restart();
    let outcome = show(&bridge, &second, "0")["outcome"].clone();
    assert_eq!((&outcome["code"], &outcome["execution"]), (&"no_agent".into(), &"not_run".into()), "{outcome}");
    assert_eq!(show(&bridge, &first, "0")["outcome"]["execution"], "may_have_run");
    let again = nap(&bridge, "trouble", 1, &[("idempotency-key", "k")]);
    assert_eq!((again.result(), again.header("idempotency-replayed")), (1.into(), None), "it is made now");
}

#[test]
fn each_owner_has_its_own_calls_and_keys() {
    let mut keys = Vec::new();
    let bridge = on_linux(|config| {
        let scopes: [(&str, &[&str]); 4] = [
            ("ann", &["call:*", "read"]),
            ("bob", &["call:*", "read"]),
            ("auditor", &["history"]),
            ("boss", &["manage"]),
        ];
        keys.extend(scopes.map(|(id, scopes)| config.key(id, scopes)));
    });
    let [ann, bob, auditor, boss] = [0, 1, 2, 3].map(|index| bridge.client().with_key(Some(&keys[index])));
    let take = |client: &bridge32_tests::client::Client| {
        let request = client.request("POST", "/v1/libraries/counted/functions/TakeInt");
        request.body("application/json", r#"{"value":1}"#).header("idempotency-key", "k").send()
    };
    let first = take(&ann).ok();
    assert_eq!(take(&bob).result(), 2, "a key of another owner is another key");
    let id = first["call_id"].as_str().unwrap();
    let target = format!("/v1/calls/{id}");
    assert_eq!(ann.get(&target).ok()["outcome"], first);
    assert_eq!(auditor.get(&target).ok()["owner"], "ann");
    let stranger = bob.get(&target).refused(404, "unknown_call");
    let nobody = bob.get("/v1/calls/019c0f4e-6d2a-7c31-9f6e-0a4f2a8e6b11").refused(404, "unknown_call");
    let text = |problem: &Value, id: &str| problem["detail"].as_str().unwrap().replace(id, "ID");
    assert_eq!(text(&stranger, id), text(&nobody, "019c0f4e-6d2a-7c31-9f6e-0a4f2a8e6b11"), "they cannot be told apart");
    let listed = |client: &bridge32_tests::client::Client| {
        let calls = client.get("/v1/calls").ok()["calls"].as_array().unwrap().clone();
        calls.iter().map(|call| call["owner"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((listed(&ann), listed(&bob)), (vec!["ann".to_owned()], vec!["bob".to_owned()]));
    assert_eq!((listed(&auditor).len(), listed(&boss).len()), (2, 2));
    let running = ann.request("POST", "/v1/libraries/trouble/functions/Nap").header("prefer", "respond-async");
    let running = accepted(&running.body("application/json", r#"{"milliseconds":9000}"#).send());
    let target = format!("/v1/calls/{running}");
    bob.delete(&target).refused(404, "unknown_call");
    auditor.delete(&target).refused(404, "unknown_call");
    assert!(matches!(boss.delete(&target).status, 202 | 204));
    within(10.0, "it has ended", || (ann.get(&target).ok()["code"] == "cancelled").then_some(()));
}

#[test]
fn a_key_has_as_many_calls_under_way_as_its_concurrency_says() {
    let mut config = Config::new();
    config.key("ann", &["call:*", "read"]);
    config.library("trouble", fixture::library("trouble", HOME)).header(fixture::header("trouble"));
    config.write();
    let file = config.folder().join("keys.toml");
    let limited = std::fs::read_to_string(&file).unwrap() + "concurrency = 2\n";
    let bridge = Bridge::with(config);
    std::fs::write(&file, limited).unwrap();
    within(10.0, "the keys are read again", || bridge.log().contains("its keys are in force").then_some(()));
    let wanted = ["a", "b", "c"].map(|id| nap(&bridge, "trouble", 1500, &[ASYNC, ("idempotency-key", id)]));
    let first = accepted(&wanted[0]);
    accepted(&wanted[1]);
    let problem = wanted[2].refused(429, "concurrency_limited");
    assert!(problem["detail"].as_str().unwrap().contains("not run"), "{problem}");
    // Whoever repeats a request makes no call, and whoever looks after one holds none up.
    assert_eq!(accepted(&nap(&bridge, "trouble", 1500, &[ASYNC, ("idempotency-key", "a")])), first);
    assert_eq!(show(&bridge, &first, "20s")["state"], "ended");
    within(10.0, "there is room again", || {
        (nap(&bridge, "trouble", 1, &[ASYNC, ("idempotency-key", "c")]).status != 429).then_some(())
    });
}

#[test]
fn a_page_of_calls_says_where_the_next_one_begins() {
    let bridge = on_linux(|_| {});
    let ids: Vec<Value> =
        (0..5).map(|number| take(&bridge, 1, &format!("k{number}")).ok()["call_id"].clone()).collect();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bridge.client().get(&format!("/v1/calls?limit=2{cursor}")).ok();
        found.extend(page["calls"].as_array().unwrap().iter().map(|call| call["call_id"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, ids.into_iter().rev().collect::<Vec<_>>());
    for wrong in ["limit=0", "limit=1001", "cursor=x", "colour=red"] {
        bridge.client().get(&format!("/v1/calls?{wrong}")).refused(400, "malformed_request");
    }
    for wrong in ["61s", "-1", "soon"] {
        bridge.client().get(&format!("/v1/calls/x?wait={wrong}")).refused(400, "malformed_request");
    }
}

#[test]
fn calls_go_on_where_the_history_cannot_be_written() {
    let mut config = Config::new();
    config.library("counted", fixture::library("counted", HOME)).header(fixture::header("counted"));
    let place = config.folder().join("data/history.db");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::set_permissions(config.folder().join("data"), PermissionsExt::from_mode(0o700)).unwrap();
    let bridge = Bridge::with(config);
    bridge.logs(&["history.db", "cannot be opened"]);
    let refused = take(&bridge, 1, "k");
    let problem = refused.refused(503, "history_unavailable");
    assert!(refused.header("retry-after").is_some() && problem["detail"].as_str().unwrap().contains("was not run"));
    assert_eq!(bridge.call("counted", "TakeInt", json!({"value": 1})).result(), 1, "the refused one did not run");
    let listed = bridge.client().get("/v1/calls").ok();
    assert_eq!(
        (&listed["calls"][0]["kept"], listed["calls"].as_array().unwrap().len()),
        (&json!(false), 1),
        "{listed}"
    );
    std::fs::remove_dir(&place).unwrap();
    assert_eq!(take(&bridge, 1, "k").result(), 2, "it works as soon as it can");
}

#[test]
fn outcomes_go_where_no_more_can_be_kept_and_in_time() {
    let bridge = on_linux(|config| {
        let history: [(String, toml::Value); 2] =
            [("keep_outcomes".into(), "5s".into()), ("max_outcomes".into(), 2.into())];
        config.set("history", toml::Table::from_iter(history));
    });
    let is_kept = |answer: &Value| show(&bridge, answer["call_id"].as_str().unwrap(), "0")["kept"] == true;
    let first = take(&bridge, 1, "a").ok();
    let second = take(&bridge, 1, "b").ok();
    assert_eq!(take(&bridge, 1, "c").result(), 3);
    assert_eq!((is_kept(&first), is_kept(&second)), (false, true), "the oldest has made room");
    let again = take(&bridge, 1, "a").ok();
    assert_eq!(again["result"], 4, "its key is forgotten, too");
    within(15.0, "the outcome is forgotten", || (!is_kept(&again)).then_some(()));
    assert_eq!(take(&bridge, 1, "a").result(), 5, "and so is its key");
}

#[test]
fn a_sensitive_answer_is_never_written_and_a_restart_says_so() {
    let mut bridge = Bridge::start(|config| {
        let mut table = config.library("trouble", fixture::library("trouble", HOME));
        table.declares("/** @sensitive return\n * @sensitive value */ int EchoInt(int value);");
    });
    let echo = |bridge: &Bridge| {
        call(
            bridge,
            "/v1/libraries/trouble/functions/EchoInt",
            &json!({"value": 471_108_157}),
            &[("idempotency-key", "k")],
        )
    };
    let first = echo(&bridge);
    assert_eq!((first.result(), echo(&bridge).text), (471_108_157.into(), first.text.clone()));
    let is_written = |bridge: &Bridge| {
        let files = std::fs::read_dir(bridge.config().folder().join("data")).unwrap().map(|file| file.unwrap().path());
        let bytes = files.filter(|file| file.is_file()).map(|file| std::fs::read(file).unwrap());
        bytes.into_iter().any(|bytes| bytes.windows(9).any(|part| part == b"471108157"))
    };
    assert!(!is_written(&bridge));
    bridge.restart();
    assert!(!is_written(&bridge));
    let problem = echo(&bridge).refused(410, "answer_gone");
    assert_eq!(problem["execution"], "ran", "{problem}");
}
