//! What somebody asks of the calls that were made: `GET /v1/calls` by conditions, and what is exported, in both databases.

use std::time::Duration;

use bridge32_tests::client::Client;
use bridge32_tests::postgres::{Database, fresh_database};
use bridge32_tests::{Bridge, Config, HOME, Value, fixture, json};

/// A bridge with `trouble` and `counted`, whose history is in that database.
fn start(database: Option<&Database>, configure: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        for name in ["trouble", "counted"] {
            config.library(name, fixture::library(name, HOME)).header(fixture::header(name));
        }
        if let Some(database) = database {
            config.set("history", toml::Table::from_iter([("url".to_owned(), database.url().into())]));
        }
        configure(config);
    })
}

/// Both kinds of databases.
fn on_both(test: impl Fn(Bridge)) {
    test(start(None, |_| {}));
    let database = fresh_database();
    test(start(Some(&database), |_| {}));
}

fn calls(client: &Client, query: &str) -> Vec<Value> {
    client.get(&format!("/v1/calls?{query}")).ok()["calls"].as_array().unwrap().clone()
}

/// The calls of `value` by that, the newest first.
fn values(bridge: &Bridge, query: &str) -> Vec<i64> {
    let shown = |call: &Value| {
        let id = call["call_id"].as_str().unwrap();
        bridge.client().get(&format!("/v1/calls/{id}")).ok()["args"]["value"].as_i64().unwrap_or(-1)
    };
    calls(bridge.client(), query).iter().map(shown).collect()
}

#[test]
fn calls_are_found_by_what_is_known_of_them() {
    on_both(|bridge| {
        for value in 1..=4 {
            bridge.call("counted", "TakeInt", json!({"value": value})).ok();
        }
        bridge.call("trouble", "EchoInt", json!({"value": 5})).ok();
        bridge.call("trouble", "EchoInt", json!({})).refused(422, "argument_mismatch");
        bridge.call("trouble", "Nap", json!({"milliseconds": 120})).ok();
        for (query, wanted) in [
            ("library=counted", vec![4, 3, 2, 1]),
            ("library=counted&function=TakeInt&limit=2", vec![4, 3]),
            ("function=EchoInt", vec![-1, 5]),
            ("outcome=failed", vec![-1]),
            ("outcome=argument_mismatch", vec![-1]),
            ("outcome=not_run", vec![-1]),
            ("outcome=returned&function=EchoInt", vec![5]),
            ("text=%22value%22:3", vec![3]),
            ("agent=counted&text=2", vec![2]),
            ("min_duration=100ms", vec![-1]),
            ("library=trouble&max_duration=100ms", vec![-1, 5]),
            ("since=1h&library=counted&until=0s", vec![4, 3, 2, 1]),
            ("since=2090-01-01T00:00:00Z", vec![]),
            ("until=1h", vec![]),
            ("owner=somebody", vec![]),
            ("trace_id=0af7651916cd43dd8448eb211c80319c", vec![]),
        ] {
            assert_eq!(values(&bridge, query), wanted, "{query}");
        }
        let found = &calls(bridge.client(), "function=Nap")[0];
        assert_eq!(
            (&found["state"], &found["status"], &found["agent"]),
            (&json!("ended"), &json!(200), &json!("trouble"))
        );
        assert!(found["library_us"].as_f64().unwrap() > 100_000.0, "{found}");
    });
}

#[test]
fn a_condition_that_makes_no_sense_is_refused_with_its_name() {
    let bridge = start(None, |_| {});
    for (query, word) in [
        ("libary=z", "Did you mean `library`?"),
        ("library=a&library=b", "twice"),
        ("since=soon", "`since=soon`"),
        ("session=x", "`session=x`"),
        ("outcome=faild", "did you mean `failed`"),
        ("min_duration=5", "`min_duration=5`"),
        ("cursor=AXMAAAAAAAAAAA", "`cursor="),
    ] {
        let problem = bridge.client().get(&format!("/v1/calls?{query}")).refused(400, "malformed_request");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    bridge.client().get("/v1/calls/export?limit=5").refused(400, "malformed_request");
    bridge.client().get("/v1/calls/export?format=xml").refused(400, "malformed_request");
}

#[test]
fn pages_follow_each_other_while_calls_are_made() {
    on_both(|bridge| {
        let made: Vec<Value> = (0..25)
            .map(|value| bridge.call("counted", "TakeInt", json!({"value": value})).ok()["call_id"].clone())
            .collect();
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = bridge.client().get(&format!("/v1/calls?limit=4&library=counted{cursor}")).ok();
            found.extend(page["calls"].as_array().unwrap().iter().map(|call| call["call_id"].clone()));
            bridge.call("counted", "TakeInt", json!({"value": 100})).ok();
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, made.into_iter().rev().collect::<Vec<_>>());
    });
}

#[test]
fn what_runs_comes_before_what_has_ended() {
    let bridge = start(None, |_| {});
    bridge.call("trouble", "EchoInt", json!({"value": 1})).ok();
    let nap = bridge.client().request("POST", "/v1/libraries/trouble/functions/Nap").header("prefer", "respond-async");
    let id = nap.body("application/json", r#"{"milliseconds":1500}"#).send().is(202)["call_id"].clone();
    let states =
        || calls(bridge.client(), "library=trouble").iter().map(|call| call["state"].clone()).collect::<Vec<_>>();
    bridge32_tests::within(5.0, "it runs", || (states() == ["running", "ended"]).then_some(()));
    assert_eq!(calls(bridge.client(), "library=trouble&limit=1")[0]["call_id"], id);
    assert_eq!(calls(bridge.client(), "outcome=returned").len(), 1, "it has no outcome yet");
    bridge.client().get(&format!("/v1/calls/{}?wait=20s", id.as_str().unwrap())).ok();
    let ended = calls(bridge.client(), "");
    assert_eq!((&ended[0]["call_id"], &ended[0]["kept"], &ended[1]["kept"]), (&id, &json!(true), &json!(false)));
}

#[test]
fn who_may_not_see_the_calls_of_others_finds_and_exports_its_own() {
    let mut keys = Vec::new();
    let bridge = start(None, |config| {
        let scopes: [(&str, &[&str]); 3] =
            [("ann", &["call:*", "read"]), ("bob", &["call:*", "read"]), ("auditor", &["history"])];
        keys.extend(scopes.map(|(id, scopes)| config.key(id, scopes)));
    });
    let [ann, bob, auditor] = [0, 1, 2].map(|index| bridge.client().with_key(Some(&keys[index])));
    for client in [&ann, &ann, &bob] {
        client.post("/v1/libraries/counted/functions/TakeInt", &json!({"value": 1})).ok();
    }
    let lines = |client: &Client, query: &str| client.get(&format!("/v1/calls/export?{query}")).text.lines().count();
    for (client, query, count) in [
        (&ann, "", 2),
        (&ann, "owner=bob", 0),
        (&ann, "key=bob", 0),
        (&bob, "text=value", 1),
        (&auditor, "", 3),
        (&auditor, "owner=bob", 1),
        (&auditor, "key=ann", 2),
    ] {
        assert_eq!((calls(client, query).len(), lines(client, query)), (count, count), "{query}");
    }
}

#[test]
fn calls_are_exported_with_their_arguments_and_outcomes() {
    on_both(|bridge| {
        for value in 1..=3 {
            bridge.call("counted", "TakeInt", json!({"value": value})).ok();
        }
        bridge.call("trouble", "EchoInt", json!({})).refused(422, "argument_mismatch");
        let export = bridge.client().get("/v1/calls/export?library=counted");
        assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
        let lines: Vec<Value> = export.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let values: Vec<&Value> = lines.iter().map(|line| &line["args"]["value"]).collect();
        assert_eq!(values, [&json!(3), &json!(2), &json!(1)]);
        let one = bridge.client().get(&format!("/v1/calls/{}", lines[0]["call_id"].as_str().unwrap())).ok();
        assert_eq!(lines[0], one, "a line is what one call is shown as");
        let asked = bridge.client().request("GET", "/v1/calls/export").header("accept", "text/csv").send();
        assert_eq!(asked.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
        assert!(asked.text.starts_with("call_id,library,function,owner,") && asked.text.ends_with("\r\n"));
        assert_eq!(asked.text.split("\r\n").count(), 1 + 4 + 1);
        let failed = bridge.client().get("/v1/calls/export?format=csv&outcome=failed").text;
        assert!(failed.contains(",argument_mismatch,not_run,") && failed.contains(r#""{""title"":"#), "{failed}");
    });
}

#[test]
fn an_export_that_the_store_cannot_finish_is_cut_off() {
    let mut server = bridge32_tests::postgres::Postgres::start();
    let url = server.url();
    let bridge = Bridge::start(|config| {
        config.library("counted", fixture::library("counted", HOME)).header(fixture::header("counted"));
        config.set("history", toml::Table::from_iter([("url".to_owned(), url.clone().into())]));
    });
    bridge.call("counted", "TakeInt", json!({"value": 1})).ok();
    calls(bridge.client(), "");
    // So many that they do not fit into what lies between the two ends of a connection.
    let copy = "insert into calls select 1 + g, decode(md5(g::text), 'hex'), library, function, owner, key_id, agent, generation, \
                attempts, session, batch, batch_index, replay_of, trace_id, idempotency_key, created_at, ended_at, queue_ns, agent_ns, \
                library_ns, status, code, execution, report, prototype, repeat('x', 10000), 10000, '00', 0, answer, answer_size, \
                answer_sha256, output from calls, generate_series(1, 5000) g";
    bridge32_tests::postgres::query(&url, copy);
    let whole = bridge.client().get("/v1/calls/export").text.lines().count();
    assert_eq!(whole, 5001);
    let mut stream = std::net::TcpStream::connect(bridge.client().authority()).unwrap();
    let head = format!("GET /v1/calls/export HTTP/1.1\r\nHost: {}\r\n\r\n", bridge.client().authority());
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    std::io::Read::read_exact(&mut stream, &mut vec![0; 100_000]).unwrap();
    server.stop();
    let mut rest = Vec::new();
    // The connection ends, and not as an answer does.
    let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n") && rest.len() < 50_000_000, "{}", rest.len());
    bridge.logs(&["an export of calls is cut off"]);
    let list = bridge.client().get("/v1/calls").ok();
    assert_eq!(list["calls"], json!([]));
    assert!(list["without_history"].as_str().unwrap().contains("log"), "{list}");
    bridge.client().get("/v1/calls/export").refused(503, "history_unavailable");
}

#[test]
fn without_a_history_what_is_kept_is_listed_and_the_list_says_so() {
    let bridge = start(None, |config| {
        config.set("history", toml::Table::from_iter([("durability".to_owned(), "off".into())]));
    });
    bridge.call("counted", "TakeInt", json!({"value": 1})).ok();
    for key in ["a", "b", "c"] {
        let request = bridge.client().request("POST", "/v1/libraries/counted/functions/TakeInt");
        request.header("idempotency-key", key).body("application/json", r#"{"value":1}"#).send().ok();
    }
    let (mut found, mut cursor) = (0, String::new());
    loop {
        let page = bridge.client().get(&format!("/v1/calls?limit=2{cursor}")).ok();
        assert!(page["without_history"].is_string(), "{page}");
        found += page["calls"].as_array().unwrap().len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, 3);
    assert_eq!(
        (calls(bridge.client(), "outcome=failed").len(), calls(bridge.client(), "outcome=returned").len()),
        (0, 3)
    );
    let problem = bridge.client().get("/v1/calls/export").refused(503, "history_unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("durability"), "{problem}");
}

#[test]
fn figures_say_of_each_function_how_often_it_failed_and_how_long_it_took() {
    on_both(|mut bridge| {
        for value in 0..20 {
            bridge.call("counted", "TakeInt", json!({"value": value})).ok();
        }
        bridge.call("counted", "TakeInt", json!({})).refused(422, "argument_mismatch");
        bridge.call("trouble", "Nap", json!({"milliseconds": 100})).ok();
        let all = bridge.client().get("/v1/statistics").ok();
        let [taken, nap] = [&all["functions"][0], &all["functions"][1]];
        assert_eq!((&taken["function"], &taken["calls"], &taken["failed"]), (&json!("TakeInt"), &json!(21), &json!(1)));
        assert!((taken["error_rate"].as_f64().unwrap() - 1.0 / 21.0).abs() < 1e-9, "{taken}");
        let median = nap["duration_us"]["p50"].as_f64().unwrap();
        assert!((100_000.0..400_000.0).contains(&median), "{nap}");
        let over_time = all["over_time"].as_array().unwrap();
        assert_eq!(over_time.iter().map(|part| part["calls"].as_u64().unwrap()).sum::<u64>(), 22);
        assert!(over_time.len() >= 60, "{}", over_time.len());
        // They are in the tables with the calls.
        bridge.kill();
        bridge.restart();
        let one = bridge.client().get("/v1/statistics?library=counted&function=TakeInt&step=5m").ok();
        assert_eq!(
            (&one["calls"], one["functions"].as_array().unwrap().len(), &one["step_s"]),
            (&json!(21), 1, &json!(300))
        );
        let problem = bridge.client().get("/v1/statistics?since=24h&step=1m").refused(400, "malformed_request");
        assert!(problem["detail"].as_str().unwrap().contains("5m"), "{problem}");
    });
}

#[test]
fn old_calls_go_while_the_gateway_runs() {
    let bridge = start(None, |config| {
        config.set("history", toml::Table::from_iter([("keep_calls".to_owned(), "3s".into())]));
    });
    bridge.call("counted", "TakeInt", json!({"value": 1})).ok();
    assert_eq!(calls(bridge.client(), "").len(), 1);
    bridge32_tests::within(30.0, "it is forgotten", || calls(bridge.client(), "").is_empty().then_some(()));
}
