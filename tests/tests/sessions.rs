//! Sessions: calls that run on one thread of one process, what is released when they end, and how they end.

use std::thread::sleep;
use std::time::{Duration, Instant};

use bridge32_tests::client::{Answer, Client};
use bridge32_tests::{Bridge, Config, HOME, TARGETS_32, Target, Value, fixture, json, process, within};

const LIBRARY: &str = "lanes";

/// A bridge with the fixture as one library, which `configure` says more of.
fn lanes(target: Target, configure: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        config.library(LIBRARY, fixture::library("lanes", target)).header(fixture::header("lanes"));
        configure(config);
    })
}

/// The library's table, to say more of it.
fn set(config: &mut Config, key: &str, value: impl Into<toml::Value>) {
    config.library(LIBRARY, fixture::library("lanes", HOME)).set(key, value);
}

/// What `sessions = { … }` says.
fn sessions(entries: &[(&str, toml::Value)]) -> toml::Value {
    entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect::<toml::Table>().into()
}

/// A session of a client.
struct Session<'a> {
    client: &'a Client,
    shown: Value,
}

impl<'a> Session<'a> {
    fn begin(client: &'a Client) -> Self {
        Self::lasting(client, Value::Null)
    }

    fn lasting(client: &'a Client, lease_s: impl Into<Value>) -> Self {
        let answer = client.post("/v1/sessions", &json!({"library": LIBRARY, "lease_s": lease_s.into()}));
        let shown = answer.is(201);
        let location = format!("/v1/sessions/{}", shown["id"].as_str().unwrap());
        assert_eq!(answer.header("location"), Some(location.as_str()));
        Self { client, shown }
    }

    fn id(&self) -> &str {
        self.shown["id"].as_str().unwrap()
    }

    fn public_id(&self) -> &str {
        self.shown["public_id"].as_str().unwrap()
    }

    fn agent(&self) -> &str {
        self.shown["agent"].as_str().unwrap()
    }

    fn call(&self, function: &str, arguments: &Value) -> Answer {
        carried(self.client, LIBRARY, self.id(), function, arguments)
    }

    fn look(&self) -> Answer {
        self.client.get(&format!("/v1/sessions/{}", self.id()))
    }

    fn end(&self) -> Value {
        self.client.delete(&format!("/v1/sessions/{}", self.id())).ok()
    }
}

fn carried(client: &Client, library: &str, id: &str, function: &str, arguments: &Value) -> Answer {
    let target = format!("/v1/libraries/{library}/functions/{function}");
    let request = client.request("POST", &target).header("bridge-session", id);
    request.body("application/json", arguments.to_string()).send()
}

/// The kinds of the live handles of an agent.
fn live(bridge: &Bridge, agent: &str) -> Vec<String> {
    let list = bridge.client().get(&format!("/v1/agents/{agent}/handles")).ok();
    let kind = |handle: &Value| handle["kind"].as_str().unwrap().to_owned();
    list["handles"].as_array().unwrap().iter().map(kind).collect()
}

#[test]
fn calls_of_a_session_run_in_one_process_of_several() {
    let bridge = lanes(HOME, |config| set(config, "instances", 2));
    within(20.0, "both are active", || {
        let list = bridge.client().get("/v1/agents").ok();
        list["agents"].as_array().unwrap().iter().all(|agent| agent["role"] == "active").then_some(())
    });
    let (one, other) = (Session::begin(bridge.client()), Session::begin(bridge.client()));
    assert_ne!(one.agent(), other.agent(), "sessions spread over the processes");
    for count in 1..=20 {
        assert_eq!(one.call("Count", &json!({})).result(), count);
        if count % 2 == 0 {
            assert_eq!(other.call("Count", &json!({})).result(), count / 2, "its own process, its own count");
        }
    }
    assert_eq!(bridge.agent(one.agent())["sessions"], 1);
    let handle = one.call("OpenThing", &json!({"number": 1})).result();
    assert_eq!(
        bridge.call(LIBRARY, "CloseThing", json!({"thing": handle})).result(),
        0,
        "calls find it without a session"
    );
    let handle = one.call("OpenThing", &json!({"number": 2})).result();
    let problem = other.call("CloseThing", &json!({"thing": handle})).refused(422, "argument_mismatch");
    assert!(problem["detail"].as_str().unwrap().contains("another one"), "{problem}");
    assert_eq!(problem["execution"], "not_run");
    assert_eq!(one.end()["released"], 1);
    other.end();
}

#[test]
fn calls_of_a_session_run_on_one_thread_of_several() {
    for target in TARGETS_32 {
        let bridge = lanes(target, |config| {
            config.library(LIBRARY, fixture::library("lanes", target)).set("threads", 3);
        });
        let sessions: Vec<Session> = (0..3).map(|_| Session::begin(bridge.client())).collect();
        let mut threads: Vec<u64> = Vec::new();
        for (lane, session) in sessions.iter().enumerate() {
            assert_eq!(session.shown["lane"], lane, "{target}");
            let thread = session.call("ThreadId", &json!({})).result();
            for count in 1..=10 {
                assert_eq!(session.call("CountHere", &json!({})).result(), count, "{target}: errno-like state stays");
                assert_eq!(session.call("ThreadId", &json!({})).result(), thread, "{target}");
            }
            threads.push(thread.as_u64().unwrap());
        }
        threads.sort_unstable();
        threads.dedup();
        assert_eq!(threads.len(), 3, "{target}: each has its own");
    }
}

#[test]
fn what_a_session_owns_is_released_when_it_ends() {
    for target in TARGETS_32 {
        let bridge = lanes(target, |_| {});
        let session = Session::begin(bridge.client());
        for number in 1..=3 {
            session.call("OpenThing", &json!({"number": number})).ok();
        }
        session.call("OpenThing", &json!({"number": -1})).ok();
        session.call("OpenForGood", &json!({})).ok();
        let memory = bridge.client().request("POST", &format!("/v1/libraries/{LIBRARY}/memory"));
        let memory = memory.header("bridge-session", session.id()).body("application/json", r#"{"size":64}"#).send();
        memory.is(201);
        bridge.call(LIBRARY, "OpenThing", json!({"number": 4})).ok();
        assert_eq!(live(&bridge, LIBRARY).len(), 7, "{target}");
        let end = session.end();
        assert_eq!((&end["released"], &end["left"]), (&json!(4), &json!(1)), "{target}: {end}");
        assert_eq!(end["failed"].as_array().unwrap().len(), 1, "{target}: what is stuck says so: {end}");
        let closed = [0, 1, 2].map(|index| bridge.call(LIBRARY, "ClosedAt", json!({"index": index})).result());
        assert_eq!(closed, [3, 2, 1], "{target}: the newest first");
        assert_eq!(live(&bridge, LIBRARY).len(), 3, "{target}: that of others, the stuck one, and what nothing closes");
        session.call("Count", &json!({})).refused(404, "unknown_session");
        bridge.logs(&["could not be released", "Thing"]);
    }
}

#[test]
fn a_database_that_nobody_closes_is_closed_when_its_session_ends() {
    let bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            config.library(target.name(), fixture::foreign("sqlite3", target)).header(fixture::header("sqlite3"));
        }
    });
    for target in TARGETS_32 {
        let client = bridge.client();
        let session = client.post("/v1/sessions", &json!({"library": target.name()})).is(201);
        let id = session["id"].as_str().unwrap();
        let opened = carried(client, target.name(), id, "sqlite3_open", &json!({"filename": ":memory:"})).ok();
        let db = &opened["outputs"]["db"];
        let asked = json!({"db": db, "sql": "select 1", "size": -1});
        carried(client, target.name(), id, "sqlite3_prepare_v2", &asked).ok();
        assert_eq!(live(&bridge, target.name()).len(), 2, "{target}");
        let end = client.delete(&format!("/v1/sessions/{id}")).ok();
        assert_eq!(end, json!({"released": 2, "failed": [], "left": 0}), "{target}");
        assert!(live(&bridge, target.name()).is_empty(), "{target}");
        bridge
            .call(target.name(), "sqlite3_exec", json!({"db": db, "sql": "select 1", "callback": null}))
            .refused(410, "stale_handle");
    }
}

#[test]
fn a_session_ends_a_while_after_its_last_call_and_not_before() {
    let bridge = lanes(HOME, |_| {});
    let session = Session::lasting(bridge.client(), 1.5);
    let silent = Session::lasting(bridge.client(), 1);
    silent.call("OpenThing", &json!({"number": 7})).ok();
    for _ in 0..6 {
        sleep(Duration::from_millis(500));
        session.call("Count", &json!({})).ok();
    }
    silent.call("Count", &json!({})).refused(404, "unknown_session");
    within(5.0, "what it owned is released", || live(&bridge, LIBRARY).is_empty().then_some(()));
    session.call("Nap", &json!({"milliseconds": 2500})).ok();
    assert_eq!(session.call("Count", &json!({})).result(), 7, "a long call keeps it");
    std::thread::scope(|scope| {
        let nap = scope.spawn(|| session.call("Nap", &json!({"milliseconds": 1000})));
        within(5.0, "it is in use", || session.look().ok()["expires_at"].is_null().then_some(()));
        nap.join().unwrap().ok();
    });
    assert!(session.look().ok()["expires_at"].is_string(), "looking does not renew it");
    sleep(Duration::from_millis(1700));
    session.look().refused(404, "unknown_session");
    assert_eq!(bridge.agent(LIBRARY)["sessions"], 0);
}

#[test]
fn the_end_of_a_session_waits_for_its_calls() {
    let bridge = lanes(HOME, |_| {});
    let session = Session::begin(bridge.client());
    session.call("OpenThing", &json!({"number": 5})).ok();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let calls = [(); 2].map(|()| scope.spawn(|| session.call("Nap", &json!({"milliseconds": 500})).result()));
        sleep(Duration::from_millis(200));
        assert_eq!(session.end()["released"], 1);
        assert!(start.elapsed() >= Duration::from_secs(1), "after {:?}", start.elapsed());
        for call in calls {
            assert_eq!(call.join().unwrap(), 500, "also the one that waited");
        }
    });
}

#[test]
fn there_are_no_more_sessions_than_may_be() {
    let limits = sessions(&[("max", 2.into()), ("lease", "2s".into()), ("max_lease", "3s".into())]);
    let bridge = lanes(HOME, |config| set(config, "sessions", limits));
    let client = bridge.client();
    let begin = |lease: Value| client.post("/v1/sessions", &json!({"library": LIBRARY, "lease_s": lease}));
    for wrong in [json!(3.5), json!(0), json!(-1), json!(1e300)] {
        assert_eq!(begin(wrong).refused(400, "malformed_request")["pointer"], "/lease_s");
    }
    for wrong in
        [json!({}), json!({"library": LIBRARY, "lease_s": "1"}), json!({"library": LIBRARY, "exclusive": true})]
    {
        client.post("/v1/sessions", &wrong).refused(400, "malformed_request");
    }
    client.post("/v1/sessions", &json!({"library": "nope"})).refused(404, "unknown_library");
    let first = Session::begin(client);
    assert_eq!(first.shown["lease_s"], 2);
    Session::lasting(client, 3);
    let refused = begin(Value::Null);
    refused.refused(429, "session_limit");
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&after), "{after}");
    first.end();
    Session::begin(client);
    begin(Value::Null).refused(429, "session_limit");
    within(10.0, "leases are over", || (begin(Value::Null).status == 201).then_some(()));
}

#[test]
fn a_session_is_of_use_to_its_owner_alone() {
    let mut ben = None;
    let mut boss = None;
    let bridge = lanes(HOME, |config| {
        config.key("ann", &["read", "call:*"]);
        ben = Some(config.key("ben", &["call:lanes"]));
        boss = Some(config.key("boss", &["manage"]));
        config.library("other", fixture::library("lanes", HOME)).header(fixture::header("lanes"));
    });
    let ann = bridge.client();
    let (ben, boss) = (ann.with_key(ben.as_ref()), ann.with_key(boss.as_ref()));
    let session = Session::begin(ann);
    carried(&ben, LIBRARY, session.id(), "Count", &json!({})).refused(404, "unknown_session");
    for id in [session.id(), session.public_id()] {
        ben.get(&format!("/v1/sessions/{id}")).refused(404, "unknown_session");
        ben.delete(&format!("/v1/sessions/{id}")).refused(404, "unknown_session");
    }
    assert_eq!(ben.get("/v1/sessions").ok()["sessions"], json!([]));
    boss.post("/v1/sessions", &json!({"library": LIBRARY})).refused(403, "forbidden");
    ben.post("/v1/sessions", &json!({"library": "other"})).refused(403, "forbidden");
    carried(ann, "other", session.id(), "Count", &json!({})).refused(422, "argument_mismatch");
    for id in ["", "nonsense", session.public_id(), &session.id()[1..]] {
        carried(ann, LIBRARY, id, "Count", &json!({})).refused(404, "unknown_session");
    }
    let twice = ann.request("POST", "/v1/libraries/lanes/functions/Count");
    let twice = twice.header("bridge-session", session.id()).header("bridge-session", session.id());
    twice.body("application/json", "{}").send().refused(400, "malformed_request");
    let seen = &boss.get("/v1/sessions").ok()["sessions"][0];
    assert_eq!((&seen["public_id"], &seen["owner"]), (&session.shown["public_id"], &json!("ann")));
    assert_eq!(seen.get("id"), None, "whoever manages may not use it");
    assert_eq!(session.call("Count", &json!({})).result(), 1, "nothing else of all that was run");
    boss.delete(&format!("/v1/sessions/{}", session.public_id())).ok();
    session.call("Count", &json!({})).refused(404, "unknown_session");
}

#[test]
fn a_session_whose_process_has_ended_is_lost_and_says_so() {
    let bridge = lanes(HOME, |_| {});
    let session = Session::begin(bridge.client());
    let answer = std::thread::scope(|scope| {
        let running = scope.spawn(|| session.call("Nap", &json!({"milliseconds": 5000})));
        sleep(Duration::from_millis(200));
        let waiting = scope.spawn(|| session.call("Count", &json!({})));
        sleep(Duration::from_millis(100));
        process::kill_9(bridge.agent_pid(LIBRARY));
        running.join().unwrap().refused(502, "agent_crashed");
        waiting.join().unwrap()
    });
    let problem = answer.refused(410, "session_lost");
    assert_eq!(problem["execution"], "not_run");
    within(5.0, "it is lost", || (session.look().status == 410).then_some(()));
    session.call("Count", &json!({})).refused(410, "session_lost");
    bridge.client().delete(&format!("/v1/sessions/{}", session.id())).refused(410, "session_lost");
    assert_eq!(bridge.client().get("/v1/sessions").ok()["sessions"], json!([]));
    let next = Session::begin(bridge.client());
    assert_eq!(next.call("Count", &json!({})).result(), 1, "a new process");
    assert_eq!(bridge.agent(LIBRARY)["sessions"], 1);
}

#[test]
fn sessions_do_not_outlive_the_gateway() {
    let mut bridge = lanes(HOME, |config| {
        config.fixed_port();
    });
    let id = Session::begin(bridge.client()).id().to_owned();
    bridge.restart();
    carried(bridge.client(), LIBRARY, &id, "Count", &json!({})).refused(404, "unknown_session");
}

#[test]
fn a_drained_process_waits_for_its_sessions_as_long_as_it_may_and_releases_what_they_own() {
    let bridge = lanes(HOME, |config| set(config, "drain", "2s"));
    let drain = || bridge.client().post(&format!("/v1/agents/{LIBRARY}/drain"), &json!({})).is(202);
    let restart = || {
        bridge.client().post(&format!("/v1/agents/{LIBRARY}/restart"), &json!({})).is(202);
        bridge.call_until(10.0, LIBRARY, "Count", &json!({}));
    };
    let session = Session::begin(bridge.client());
    let log = bridge.log().len();
    session.call("OpenThing", &json!({"number": 9})).ok();
    let start = Instant::now();
    drain();
    while start.elapsed() < Duration::from_millis(1500) {
        session.call("Count", &json!({})).ok();
        sleep(Duration::from_millis(100));
    }
    within(5.0, "it has ended", || (bridge.agent(LIBRARY)["state"] == "stopped").then_some(()));
    assert!(start.elapsed() > Duration::from_secs(2), "after {:?}", start.elapsed());
    session.call("Count", &json!({})).refused(410, "session_lost");
    assert!(!bridge.log()[log..].contains("could not be released"), "{}", bridge.log());
    restart();
    let session = Session::begin(bridge.client());
    let start = Instant::now();
    drain();
    session.end();
    within(5.0, "it has ended", || (bridge.agent(LIBRARY)["state"] == "stopped").then_some(()));
    assert!(start.elapsed() < Duration::from_secs(2), "it ends with its last session");
}

#[test]
fn what_a_session_owns_is_released_before_its_process_is_ended() {
    let bridge = lanes(HOME, |config| set(config, "drain", "100ms"));
    let session = Session::begin(bridge.client());
    // Closing this one leaves a trace that stays.
    session.call("OpenThing", &json!({"number": 999})).ok();
    bridge.client().post(&format!("/v1/agents/{LIBRARY}/drain"), &json!({})).is(202);
    let crash = within(10.0, "it was closed", || {
        let list = bridge.client().get(&format!("/v1/agents/{LIBRARY}/crashes")).ok();
        list["crashes"].get(0).cloned()
    });
    let crash = crash.to_string();
    assert!(crash.contains("CloseThing") && crash.contains(session.public_id()), "{crash}");
    session.look().refused(410, "session_lost");
}

#[test]
fn a_release_that_hangs_ends_the_process_and_not_the_library() {
    let bridge = Bridge::start(|config| {
        let header = "typedef struct Thing Thing;
            /** @frees Nap */ Thing *OpenThing(int number);
            /** @releases thing */ unsigned int Nap(Thing *thing);
            int Count(void);";
        let library = fixture::library("lanes", HOME);
        config.library(LIBRARY, library).declares(header).set("deadline", "700ms");
    });
    let session = Session::begin(bridge.client());
    session.call("OpenThing", &json!({"number": 1})).ok();
    let start = Instant::now();
    bridge.client().delete(&format!("/v1/sessions/{}", session.id())).refused(410, "session_lost");
    assert!(start.elapsed() < Duration::from_secs(5), "after {:?}", start.elapsed());
    bridge.call_until(10.0, LIBRARY, "Count", &json!({}));
    bridge.logs(&["could not be released", "more than 700 ms"]);
}

#[test]
fn scripts_have_sessions_too() {
    let bridge = lanes(HOME, |config| set(config, "instances", 2));
    let url = format!("http://{}", bridge.client().authority());
    let run = |arguments: &[&str]| bridge32_tests::bridge::run(&[arguments, &["--url", &url]].concat());
    let (code, id, notes) = run(&["session", "new", LIBRARY, "--lease", "60"]);
    assert_eq!(code, Some(0), "{notes}");
    let id = id.trim();
    for count in 1..=4 {
        let (code, output, notes) = run(&["call", LIBRARY, "Count", "--session", id]);
        assert_eq!((code, output), (Some(0), format!("{count}\n")), "{notes}");
    }
    run(&["call", LIBRARY, "OpenThing", "number=1", "--session", id]);
    let (_, list, notes) = run(&["session", "list", LIBRARY]);
    assert!(list.contains(LIBRARY) && !list.contains(id) && notes == "1 session\n", "{list}{notes}");
    let (code, output, notes) = run(&["session", "end", id]);
    assert_eq!((code, output.as_str(), notes.as_str()), (Some(0), "", "ended; released: 1\n"));
    let (code, _, notes) = run(&["call", LIBRARY, "Count", "--session", id]);
    assert!(code == Some(1) && notes.contains("unknown_session"), "{notes}");
    let (code, _, notes) = run(&["session", "new", "nope"]);
    assert!(code == Some(1) && notes.contains("unknown_library"), "{notes}");
}

#[test]
fn a_library_that_is_not_loaded_is_loaded_for_a_session_and_stays_while_it_lasts() {
    let instances = toml::Table::from_iter([
        ("min".to_owned(), toml::Value::from(0)),
        ("max".to_owned(), 1.into()),
        ("idle".to_owned(), "1s".into()),
    ]);
    let bridge = lanes(HOME, |config| set(config, "instances", instances));
    let session = Session::begin(bridge.client());
    assert_eq!(session.call("Count", &json!({})).result(), 1);
    sleep(Duration::from_millis(2500));
    assert_eq!(session.call("Count", &json!({})).result(), 2, "the same process, which had nothing to do");
    session.end();
    within(10.0, "it is not needed any more", || (bridge.library(LIBRARY)["state"] == "idle").then_some(()));
}

#[test]
fn a_thousand_sessions_are_listed_in_pages() {
    let limits = sessions(&[("max", 1000.into())]);
    let bridge = lanes(HOME, |config| set(config, "sessions", limits));
    let client = bridge.client();
    let begun: Vec<String> = (0..1000).map(|_| Session::begin(client).public_id().to_owned()).collect();
    client.post("/v1/sessions", &json!({"library": LIBRARY})).refused(429, "session_limit");
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/sessions?library={LIBRARY}&limit=300{cursor}")).ok();
        let sessions = page["sessions"].as_array().unwrap();
        listed.extend(sessions.iter().map(|session| session["public_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        assert_eq!(sessions.len(), 300);
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, begun);
    for wrong in ["limit=0", "limit=1001", "limit=x", "cursor=x", "page=2"] {
        client.get(&format!("/v1/sessions?{wrong}")).refused(400, "malformed_request");
    }
    assert_eq!(client.get("/v1/sessions?library=other").ok()["sessions"], json!([]));
    assert_eq!(client.get("/v1/sessions").ok()["sessions"].as_array().unwrap().len(), 100);
}

#[test]
fn variables_memory_batches_and_prototypes_belong_to_sessions_too() {
    let bridge = lanes(HOME, |config| set(config, "instances", 2));
    let session = Session::begin(bridge.client());
    let send = |method: &str, path: &str, body: &Value| {
        let request = bridge.client().request(method, &format!("/v1/libraries/{LIBRARY}/{path}"));
        request.header("bridge-session", session.id()).body("application/json", body.to_string()).send()
    };
    for count in 1..=4 {
        let calls = json!({"calls": [{"function": "Count"}, {"function": "OpenThing", "args": {"number": count}}]});
        assert_eq!(send("POST", "batches", &calls).ok()["outcomes"][0]["result"], 2 * count - 1);
        let adhoc = json!({"prototype": "int Count(void)"});
        assert_eq!(send("POST", "calls", &adhoc).result(), 2 * count);
        let made = send("POST", "memory", &json!({"data": "YWJj"})).is(201);
        let block = format!("memory/{}", made["handle"].as_str().unwrap());
        assert_eq!(send("PUT", &block, &json!({"data": "eHl6"})).status, 204);
    }
    send("GET", "memory/x", &Value::Null).refused(404, "unknown_handle");
    assert_eq!(session.end(), json!({"released": 8, "failed": [], "left": 0}));
    for (method, path) in
        [("POST", "batches"), ("POST", "calls"), ("POST", "memory"), ("GET", "memory/x"), ("DELETE", "memory/x")]
    {
        send(method, path, &json!({})).refused(404, "unknown_session");
    }
}
