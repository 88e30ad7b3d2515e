//! `/v1/events`: what happens is told as it happens, once, and whoever misses something is told that.

use bridge32_tests::bridge::run;
use bridge32_tests::events::{Event, Events};
use bridge32_tests::postgres::Postgres;
use bridge32_tests::process::kill_9;
use bridge32_tests::{Bridge, Config, HOME, Value, fixture, json, within};

fn wearing(configure: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        config.library("wear", fixture::library("wear", HOME)).header(fixture::header("wear"));
        configure(config);
    })
}

fn after(place: &str) -> Vec<(String, String)> {
    vec![("Last-Event-ID".to_owned(), place.to_owned())]
}

fn number(place: &str) -> u64 {
    place.split_once('-').unwrap().1.parse().unwrap()
}

/// Calls `Add` so many times, 250 at once, and gives their ids.
fn add_many(bridge: &Bridge, count: usize) -> Vec<String> {
    let calls = vec![("Add", json!({"a": 1, "b": 2})); 250];
    let ids = |outcomes: Vec<Value>| outcomes.into_iter().map(|it| it["call_id"].as_str().unwrap().to_owned());
    (0..count / 250).flat_map(|_| ids(bridge.batch("wear", false, &calls))).collect()
}

#[test]
fn calls_are_told_with_their_outcome_and_without_arguments() {
    let bridge = wearing(|_| {});
    let mut events = Events::open(bridge.client(), "/v1/events?types=call", None);
    events.place();
    let answer = bridge.call("wear", "Nap", json!({"milliseconds": 40})).ok();
    let Event { name, data, .. } = events.next(5);
    assert_eq!((name.as_str(), &data["call_id"]), ("call", &answer["call_id"]));
    let told = [&data["library"], &data["function"], &data["outcome"], &data["agent"]];
    assert_eq!(told, [&json!("wear"), &json!("Nap"), &json!("returned"), &json!("wear")]);
    assert!(data["duration_us"].as_u64().unwrap() >= 40_000 && data["generation"].is_u64(), "{data}");
    bridge.call("wear", "Add", json!({"a": "secret", "b": 2})).mismatch("/a");
    let failed = events.next(5).data;
    assert_eq!((&failed["function"], &failed["outcome"]), (&json!("Add"), &json!("argument_mismatch")));
    assert!(!failed.to_string().contains("secret"), "{failed}");
    bridge.call_ad_hoc("wear", "int Add(int a, int b)", &json!({"a": 1, "b": 2})).ok();
    assert_eq!(events.next(5).data["function"], "Add");
    for (target, part) in [("types=calls", "no events `calls`"), ("after=7", "not the id of an event")] {
        let problem = bridge.client().get(&format!("/v1/events?{target}")).refused(400, "malformed_request");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
}

#[test]
fn a_crash_is_told_with_its_report_and_the_agents_states_with_their_reasons() {
    let bridge = Bridge::start(|config| {
        let crash = fixture::Fixture::new("crash").flag("-fno-toplevel-reorder");
        let crash = crash.linked_to(std::path::Path::new("/usr/lib32/libstdc++.so.6"));
        config.library("crash", crash.build(HOME)).header(fixture::header("crash"));
    });
    let mut events = Events::open(bridge.client(), "/v1/events?types=agent,crash&library=crash", None);
    events.place();
    let problem = bridge.call("crash", "Abort", json!({})).refused(502, "agent_crashed");
    let crash = events.next_of(5, "crash").data;
    assert_eq!(
        (&crash["agent"], &crash["function"], &crash["call_id"]),
        (&json!("crash"), &json!("Abort"), &problem["call_id"])
    );
    assert!(crash["exit"].as_str().unwrap().contains("SIGABRT"), "{crash}");
    let report = bridge.client().get(&format!("/v1/crashes/{}", crash["report"].as_str().unwrap())).ok();
    assert_eq!(report["generation"], crash["generation"]);
    let mut states = Vec::new();
    let ready = loop {
        let change = events.next_of(20, "agent").data;
        states.push(change["state"].as_str().unwrap().to_owned());
        if change["state"] == "ready" {
            break change;
        }
    };
    assert!(states.ends_with(&["starting".to_owned(), "ready".to_owned()]), "{states:?}");
    assert!(ready["generation"].as_u64() > crash["generation"].as_u64(), "{ready}");
    assert!(ready["last_exit"].as_str().unwrap().contains("SIGABRT"), "{ready}");
    bridge.client().post("/v1/agents/crash/drain", &json!({}));
    let stopped = loop {
        let change = events.next_of(20, "agent").data;
        if change["state"] == "stopped" {
            break change;
        }
        assert_eq!(change["state"], "draining", "{change}");
    };
    assert!(stopped["reason"].is_string(), "{stopped}");
}

#[test]
fn reloads_are_told_whether_or_not_they_work() {
    let bridge = wearing(|_| {});
    let mut events = Events::open(bridge.client(), "/v1/events?types=reload", None);
    events.place();
    let reload = |target: &str| bridge.client().post(target, &json!({}));
    reload("/v1/libraries/wear/reload").ok();
    let told = events.next(10).data;
    assert_eq!([&told["what"], &told["library"], &told["ok"]], [&json!("library"), &json!("wear"), &json!(true)]);
    reload("/v1/reload").ok();
    let told = events.next(10).data;
    assert_eq!([&told["what"], &told["library"], &told["ok"]], [&json!("configuration"), &Value::Null, &json!(true)]);
    let file = bridge.config().folder().join("bridge32.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("nonsense = 'a secret'\n{text}")).unwrap();
    reload("/v1/reload").refused(422, "invalid_configuration");
    let told = events.next(10).data;
    assert!(told["ok"] == false && told["detail"].is_string() && !told.to_string().contains("secret"), "{told}");
    bridge.client().request("POST", "/v1/libraries/none/reload").send().refused(404, "unknown_library");
    let header = std::fs::read_to_string(fixture::header("wear")).unwrap();
    let put = bridge.client().request("PUT", "/v1/libraries/wear/interface").body("text/x-c", format!("{header}\n"));
    assert_eq!(put.send().status, 200);
    let told = events.next(10).data;
    assert_eq!([&told["what"], &told["library"], &told["ok"]], [&json!("interface"), &json!("wear"), &json!(true)]);
}

#[test]
fn whoever_comes_back_has_lost_nothing() {
    let bridge = wearing(|_| {});
    let mut events = Events::open(bridge.client(), "/v1/events?types=call", None);
    let place = events.place();
    drop(events);
    let ids = add_many(&bridge, 1000);
    // By the header, then by the parameter from the middle on.
    let mut events = Events::open_with(bridge.client(), "/v1/events?types=call", &after(&place));
    let told: Vec<Event> = (0..600).map(|_| events.next(10)).collect();
    drop(events);
    let target = format!("/v1/events?types=call&after={}", told[599].place);
    let mut events = Events::open(bridge.client(), &target, None);
    let rest = (600..1000).map(|_| events.next(10));
    let all: Vec<Event> = told.into_iter().chain(rest).collect();
    assert!(all.iter().all(|event| event.name == "call"));
    assert_eq!(all.iter().map(|event| event.data["call_id"].as_str().unwrap()).collect::<Vec<_>>(), ids);
    assert!(all.windows(2).all(|pair| number(&pair[0].place) < number(&pair[1].place)));
}

#[test]
fn a_reader_that_is_too_slow_or_too_late_is_told_what_it_has_missed() {
    let bridge = wearing(|_| {});
    let mut slow = Events::open(bridge.client(), "/v1/events?types=call", None);
    let place = slow.place();
    // More than the sockets between take, and the gateway keeps.
    add_many(&bridge, 60_000);
    let mut before = number(&place);
    let missed = loop {
        let event = slow.next(10);
        if event.name == "missed" {
            break event;
        }
        assert_eq!(number(&event.place), before + 1);
        before += 1;
    };
    let (from, to) = (missed.data["from"].as_str().unwrap(), missed.data["to"].as_str().unwrap());
    assert_eq!((number(from), missed.data["count"].as_u64().unwrap()), (before + 1, number(to) - before));
    assert_eq!((missed.data["reason"].as_str().unwrap(), missed.place.as_str()), ("too_slow", to));
    assert_eq!(number(&slow.next(10).place), number(to) + 1, "it goes on with what there is");
    let mut late = Events::open_with(bridge.client(), "/v1/events?types=call", &after(&place));
    let told = late.next(10);
    assert_eq!((told.name.as_str(), &told.data["reason"]), ("missed", &json!("too_late")));
    assert_eq!(number(&late.next(10).place), number(told.data["to"].as_str().unwrap()) + 1);
    let mut other = Events::open_with(bridge.client(), "/v1/events?types=call", &after("1-5"));
    let told = other.next(10);
    assert_eq!(
        (told.name.as_str(), &told.data["reason"], &told.data["count"]),
        ("missed", &json!("restarted"), &Value::Null)
    );
    assert_eq!(other.next(10).name, "call");
}

#[test]
fn the_calls_of_others_are_for_those_who_may_see_them() {
    let mut config = Config::new();
    config.library("wear", fixture::library("wear", HOME)).header(fixture::header("wear"));
    let own = config.key("own", &["call:*", "read"]);
    let other = config.key("other", &["call:*"]);
    let auditor = config.key("auditor", &["read", "history"]);
    let bridge = Bridge::with(config);
    let client = bridge.client();
    let open = |key| {
        let target = "/v1/events?types=call";
        let mut events = Events::open_with(client, target, &client.request("GET", target).signature(key, 0));
        events.place();
        events
    };
    let (mut of_own, mut of_all) = (open(&own), open(&auditor));
    let call = |key| {
        let target = "/v1/libraries/wear/functions/Add";
        client.with_key(Some(key)).post(target, &json!({"a": 1, "b": 2})).ok()["call_id"].clone()
    };
    let (first, second) = (call(&other), call(&own));
    assert_eq!(of_own.next(5).data["call_id"], second, "the other one's call is not shown");
    let told = [of_all.next(5).data, of_all.next(5).data];
    assert_eq!(told.each_ref().map(|call| call["call_id"].clone()), [first, second]);
    assert_eq!(told.each_ref().map(|call| call["key"].clone()), [json!("other"), json!("own")]);
    client.with_key(Some(&other)).get("/v1/events").refused(403, "forbidden");
    let file = bridge.config().folder().join("bridge32.toml");
    let (code, _, errors) = run(&["keys", "revoke", "auditor", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{errors}");
    within(10.0, "the key is not known any more", || {
        (client.with_key(Some(&auditor)).get("/v1/libraries").status == 401).then_some(())
    });
    call(&own);
    let Event { name, data, .. } = of_all.next(5);
    assert_eq!(
        (name.as_str(), &data["reason"]),
        ("end", &json!("not_allowed")),
        "whose key was revoked is told no more"
    );
    assert_eq!(of_own.next(5).name, "call");
}

#[test]
fn a_history_that_cannot_be_written_and_recovers_is_told_and_measured() {
    let mut server = Postgres::start();
    let url = server.url();
    let bridge = wearing(|config| {
        config.set("history", toml::Table::from_iter([("url".to_owned(), url.into())]));
    });
    let mut events = Events::open(bridge.client(), "/v1/events?types=history", None);
    events.place();
    let add = || bridge.call("wear", "Add", json!({"a": 1, "b": 2})).ok();
    let sample = |name: &str| {
        let text = bridge.client().get("/metrics").text;
        let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        value.trim_end_matches(".0").parse::<u64>().unwrap()
    };
    add();
    within(20.0, "the call is written", || (sample("bridge32_history_written_calls_total ") == 1).then_some(()));
    assert_eq!(sample("bridge32_history_up "), 1);
    server.stop();
    add();
    let broken = events.next(30).data;
    assert!(broken["state"] == "broken" && broken["error"].is_string(), "{broken}");
    assert_eq!(sample("bridge32_history_up "), 0);
    assert!(sample("bridge32_history_write_failures_total ") >= 1);
    server.restart();
    assert_eq!(events.next(30).data["state"], "recovered");
    within(20.0, "the other one is written, too", || {
        (sample("bridge32_history_written_calls_total ") == 2).then_some(())
    });
    assert_eq!((sample("bridge32_history_up "), sample("bridge32_history_missed_calls_total ")), (1, 0));
}

#[test]
fn a_stream_ends_with_the_gateway_and_readers_are_counted() {
    let bridge = wearing(|_| {});
    let readers = || {
        let text = bridge.client().get("/metrics").text;
        text.lines().find_map(|line| line.strip_prefix("bridge32_event_readers ")).map(str::to_owned)
    };
    let mut events = Events::open(bridge.client(), "/v1/events", None);
    events.place();
    assert_eq!(readers().as_deref(), Some("1.0"));
    drop(Events::open(bridge.client(), "/v1/events", None));
    kill_9(bridge.agent_pid("wear"));
    assert_eq!(events.next_of(10, "crash").data["agent"], "wear");
    within(20.0, "the reader that is gone is not counted", || (readers()? == "1.0").then_some(()));
    bridge.call_until(10.0, "wear", "Add", &json!({"a": 1, "b": 2}));
    bridge.terminate();
    let end = events.next_of(10, "end");
    assert_eq!(end.data["reason"], "gateway_stopping");
}
