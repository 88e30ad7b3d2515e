//! Sensitive values stand in no error text, log, report or file, whatever goes wrong with the call that has them.

use std::path::Path;

use bridge32_tests::bridge::run;
use bridge32_tests::events::Events;
use bridge32_tests::otlp::Collector;
use bridge32_tests::{Answer, Bridge, Config, HOME, TARGETS_32, Target, Value, fixture, json, postgres};

/// The secrets, as they are looked for: the text, the number, and the text in base64.
const SECRETS: [&str; 3] = ["Hunter2Marker", "471108157", "SHVudGVyMk1hcmtlc"];

/// Calls that are refused because of a value with a secret in it: the function, and the body.
const REFUSED: [(&str, &str); 36] = [
    ("CheckPin", r#"{"userPin":"Hunter2Marker","n":1}"#),
    ("CheckPin", r#"{"userPin":471108157.5,"n":1}"#),
    ("CheckPin", r#"{"userPin":471108157471108157,"n":1}"#),
    ("CheckPin", r#"{"userPin":471108157,"n":1000}"#),
    ("CheckPin", r#"{"userPin":1,"userPin":"Hunter2Marker","n":1}"#),
    ("CheckPin", r#"{"userPin":Hunter2Marker,"n":1}"#),
    ("CheckPin", r#"{"userPin":"Hunter2Marker"#),
    ("CheckPin", r"{'userPin':'Hunter2Marker','n':1}"),
    ("CheckPin", r#"{"usrPin":"Hunter2Marker","n":1}"#),
    ("CheckPin", r#"["Hunter2Marker"]"#),
    ("CheckPin", r#""Hunter2Marker""#),
    ("Level", r#"{"token":471108157}"#),
    ("Level", r#"{"token":"ADMIN_LEVEL"}"#),
    ("SetToken", r#"{"token":"Hunter2Marker!","size":9}"#),
    ("SetToken", r#"{"token":"SHVudGVyMk1hcmtlcg==","size":4000}"#),
    ("SetToken", r#"{"token":471108157}"#),
    ("SetKeys", r#"{"apiKeys":[1,"Hunter2Marker"]}"#),
    ("SetKeys", r#"{"apiKeys":"Hunter2Marker"}"#),
    ("Encoded", r#"{"passphrase":"Hunter2Marker€"}"#),
    ("Encoded", r#"{"passphrase":{"Hunter2Marker":1}}"#),
    ("LogIn", r#"{"who":{"user":"anna","password":471108157},"attempts":1}"#),
    ("LogIn", r#"{"who":{"user":"anna","pasword":"Hunter2Marker"},"attempts":1}"#),
    ("LogIn", r#"{"who":{"user":"anna","password":"Hunter2Marker"},"attempts":"x"}"#),
    ("LogIn", r#"{"who":"Hunter2Marker","attempts":1}"#),
    ("LogIn", r#"{"who":{"user":"anna","password":{"$handle":"Hunter2Marker.g1.5.x"}},"attempts":1}"#),
    ("Open", r#"{"all":{"logins":[{"user":"a","password":"b"},{"user":"c","password":["Hunter2Marker"]}],"level":1}}"#),
    ("Open", r#"{"all":{"logins":["Hunter2Marker","x"],"level":1}}"#),
    ("Prove", r#"{"proof":{"pin":"Hunter2Marker"}}"#),
    ("Prove", r#"{"proof":{"pin":"Hunter2Marker","ratio":1}}"#),
    ("Vault", r#"{"token":"Hunter2Marker"}"#),
    ("Vault", r#"{"token":471108157}"#),
    ("Ask", r#"{"ask":{"table":[{"when":{"secret":"Hunter2Marker"},"returns":"x"}]}}"#),
    ("AskSecret", r#"{"secret":{"returns":"Hunter2Marker"}}"#),
    ("Print", r#"{"password":"Hunter2Marker","...":[{"type":"int","value":"Hunter2Marker"}]}"#),
    ("Tagged", r#"{"code":"Hunter2Marker","n":1}"#),
    ("Listed", r#"{"number":"Hunter2Marker"}"#),
];

/// The same for other requests: the method, what follows the library in the address, and the body.
const REQUESTS: [(&str, &str, &str); 13] = [
    ("POST", "calls", r#"{"prototype":"int CheckPin(int pin, signed char n)","args":{"pin":"Hunter2Marker","n":1}}"#),
    (
        "POST",
        "calls",
        r#"{"prototype":"int LogIn(const login *l, int n)","args":{"l":{"password":471108157,"user":"a"}}}"#,
    ),
    ("POST", "calls", r#"{"prototype":"int CheckPin(int pin)","args":"Hunter2Marker"}"#),
    ("POST", "calls", r#"{"prototype":"int CheckPin(int pin)","ordinal":"Hunter2Marker"}"#),
    ("POST", "batches", r#"{"calls":[{"function":"CheckPin","args":"Hunter2Marker"}]}"#),
    ("POST", "batches", r#"{"calls":["Hunter2Marker"]}"#),
    ("POST", "batches", r#"{"calls":"Hunter2Marker"}"#),
    ("POST", "batches", r#"{"calls":[{"function":"Count","args":{}}],"stop_on_error":"Hunter2Marker"}"#),
    ("PUT", "variables/secret", r#"{"value":"Hunter2Marker"}"#),
    ("PUT", "variables/secret", r#"{"value":471108157471108157}"#),
    ("PUT", "variables/secret", r#""Hunter2Marker""#),
    ("POST", "memory", r#"{"data":"Hunter2Marker!"}"#),
    ("POST", "memory", r#"{"size":"Hunter2Marker"}"#),
];

fn secrets() -> Bridge {
    secrets_with(|_| {})
}

fn secrets_with(configure: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        configure(config);
        // All that any part of the gateway ever logs.
        config.env("BRIDGE32_LOG", "trace");
        for target in TARGETS_32 {
            let file = fixture::library("secrets", target);
            config
                .library(target.name(), file)
                .header(fixture::header("secrets"))
                .set("sensitive", vec!["Listed.number"]);
        }
    })
}

#[track_caller]
fn has_none(text: &str, what: &str) {
    for secret in SECRETS {
        let place = text.find(secret).map(|at| text[at.saturating_sub(200)..].chars().take(400).collect::<String>());
        assert_eq!(place, None, "{what} has {secret}");
    }
}

/// Every file below a folder: a secret in none of them.
fn files_have_none(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                return files_have_none(&path);
            }
            has_none(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()), &path.display().to_string());
            1
        })
        .sum()
}

fn refused(answer: &Answer, what: &str) {
    assert!(answer.status >= 400, "{what}: {}", answer.text);
    has_none(&answer.text, what);
}

fn calls_that_are_refused(bridge: &Bridge, target: Target) {
    for (function, body) in REFUSED {
        refused(&bridge.call_raw(target.name(), function, body), &format!("{function} {body} on {target}"));
    }
    for (method, place, body) in REQUESTS {
        let request = bridge.client().request(method, &format!("/v1/libraries/{target}/{place}"));
        let answer = request.body("application/json", body).send();
        let what = format!("{method} {place} {body} on {target}");
        if place == "batches" && answer.status == 200 {
            has_none(&answer.text, &what);
        } else {
            refused(&answer, &what);
        }
    }
}

fn calls_that_fail(bridge: &Bridge, target: Target) {
    let secret = json!({"password": "Hunter2Marker"});
    let changed = bridge.call(target.name(), "Change", json!({"password": "Hunter2Marker", "room": 40}));
    has_none(&changed.refused(502, "undecodable_text").to_string(), "undecodable text");
    let crashed = bridge.call(target.name(), "Crash", secret.clone()).refused(502, "agent_crashed");
    has_none(&crashed.to_string(), "the problem of a crash");
    bridge.call_until(20.0, target.name(), "Count", &json!({"number": 1}));
    let report = bridge.client().get(&format!("/v1/crashes/{}", crashed["report"].as_str().unwrap())).ok();
    has_none(&report.to_string(), "the report of a crash");
    let hung = bridge.call(target.name(), "Hang", secret).refused(504, "deadline_exceeded");
    has_none(&hung.to_string(), "the problem of a call that hangs");
    bridge.call_until(20.0, target.name(), "Count", &json!({"number": 1}));
}

#[test]
fn no_secret_is_repeated_whatever_goes_wrong() {
    let bridge = secrets();
    for target in TARGETS_32 {
        calls_that_are_refused(&bridge, target);
        calls_that_fail(&bridge, target);
    }
    bridge.logs(&["agent ended", "SIGSEGV"]);
    has_none(&bridge.log(), "the log");
    assert!(files_have_none(&bridge.config().folder().join("data")) > 0, "there are reports of crashes");
}

#[test]
fn no_secret_is_in_the_history_the_events_the_spans_the_metrics_or_what_a_replay_tells() {
    let database = postgres::fresh_database();
    for url in [None, Some(database.url())] {
        let collector = Collector::start();
        let bridge = secrets_with(|config| {
            config.set(
                "telemetry",
                toml::Table::from_iter([("endpoint".to_owned(), collector.endpoint.as_str().into())]),
            );
            config.set("history", toml::Table::from_iter(url.map(|url| ("url".to_owned(), url.into()))));
        });
        let mut events = Events::open(bridge.client(), "/v1/events", None);
        for target in TARGETS_32 {
            let echo = bridge.call(target.name(), "Echo", json!({"password": "Hunter2Marker"})).ok();
            assert_eq!(echo["result"], "Hunter2Marker", "its own client gets what no header calls a secret");
            let checked = bridge.call(target.name(), "CheckPin", json!({"userPin": 471_108_157, "n": 1})).ok();
            calls_that_are_refused(&bridge, target);
            calls_that_fail(&bridge, target);
            let replay = format!("/v1/calls/{}/replay", checked["call_id"].as_str().unwrap());
            refused(&bridge.client().post(&replay, &json!({})), "a replay");
        }
        let last = bridge.call("linux32", "Count", json!({"number": 1})).ok();
        loop {
            let event = events.next(10);
            has_none(&event.data.to_string(), "an event");
            if event.data["call_id"] == last["call_id"] {
                break;
            }
        }
        let id = last["call_id"].as_str().unwrap();
        has_none(&format!("{:?}", collector.trace("bridge32.call_id", id)), "a span");
        has_none(&format!("{:?}", collector.spans()), "the spans");
        let export = bridge.client().get("/v1/calls/export");
        assert!(export.text.contains("«redacted»") && export.text.contains("\"CheckPin\""), "{}", export.text);
        has_none(&export.text, "the export");
        has_none(&bridge.client().get("/v1/calls?limit=1000").text, "the list");
        has_none(&bridge.client().get("/v1/calls/export?format=csv").text, "the export as CSV");
        has_none(&bridge.client().get("/metrics").text, "the metrics");
        has_none(&bridge.client().post("/v1/replays?limit=1000&library=win32", &json!({})).text, "a replay of all");
        has_none(&bridge.log(), "the log");
        assert!(files_have_none(&bridge.config().folder().join("data")) > 0);
    }
    let rows = database.query("select * from calls");
    assert!(rows.contains("«redacted»"), "{rows}");
    has_none(&rows, "the database");
}

#[test]
fn an_answer_that_a_later_call_takes_is_not_repeated_there() {
    let bridge = secrets();
    for target in TARGETS_32 {
        let taken = json!({"number": {"$ref": "0.result"}});
        let calls =
            [("Echo", json!({"password": "Hunter2Marker"})), ("Count", taken), ("Count", json!({"number": "x"}))];
        let outcomes = bridge.batch(target.name(), false, &calls);
        assert_eq!(outcomes[0]["result"], "Hunter2Marker", "the client gets what is its own");
        assert_eq!(outcomes[1]["code"], "argument_mismatch");
        has_none(&outcomes[1].to_string(), "the outcome of the call that takes it");
        assert!(outcomes[2]["detail"].as_str().unwrap().contains("\"x\""), "{outcomes:?}");
    }
    has_none(&bridge.log(), "the log");
}

#[test]
fn what_is_not_sensitive_is_repeated() {
    let bridge = secrets();
    for target in TARGETS_32 {
        let detail = bridge.call(target.name(), "Count", json!({"number": "Hunter2Marker"})).mismatch("/number");
        assert!(detail.contains("Hunter2Marker"), "{detail}");
    }
}

#[test]
fn the_interface_and_the_document_say_what_is_sensitive() {
    let bridge = secrets();
    let interface = bridge.client().get("/v1/libraries/linux32/interface").ok();
    let functions = interface["functions"].as_array().unwrap();
    let sensitive = |name: &str| -> Vec<&str> {
        let function = functions.iter().find(|function| function["name"] == name).unwrap();
        let parameters = function["parameters"].as_array().unwrap().iter();
        parameters.filter(|one| one["sensitive"] == true).filter_map(|one| one["name"].as_str()).collect()
    };
    assert_eq!((sensitive("CheckPin"), sensitive("Tagged")), (vec!["userPin"], vec!["code"]));
    assert_eq!((sensitive("Listed"), sensitive("Count")), (vec!["number"], vec![]));
    let fields = &interface["structures"]["login"]["fields"];
    assert_eq!((&fields[0]["sensitive"], &fields[1]["sensitive"]), (&Value::Null, &json!(true)));
    let variables = bridge.client().get("/v1/libraries/linux32/variables").ok();
    assert_eq!(variables["variables"][0]["sensitive"], true, "{variables}");
    let document = bridge.client().get("/openapi.json").ok();
    let password = &document["components"]["schemas"]["linux32_Echo_Arguments"]["properties"]["password"];
    assert_eq!(password["format"], "password", "{password}");
    assert!(password["description"].as_str().unwrap().contains("Sensitive"), "{password}");
}

#[test]
fn the_command_line_repeats_no_secret() {
    let bridge = secrets();
    let url = format!("http://{}", bridge.client().authority());
    for words in [
        vec!["CheckPin", "userPin=Hunter2Marker", "n=1"],
        vec!["CheckPin", "userPin=471108157471108157", "n=1"],
        vec!["CheckPin", "Hunter2Marker"],
        vec!["CheckPin", "userPin:=Hunter2Marker", "n=1"],
        vec!["CheckPin", "userPin=@Hunter2Marker", "n=1"],
        vec!["SetToken", "token=Hunter2Marker", "size=1"],
        vec!["SetKeys", "apiKeys=1,Hunter2Marker"],
        vec!["LogIn", "who={\"password\":Hunter2Marker}", "attempts=1"],
        vec!["LogIn", "who=Hunter2Marker", "attempts=1"],
        vec!["Listed", "number=Hunter2Marker"],
        vec!["Unknown", "password:=Hunter2Marker"],
    ] {
        let mut all = vec!["call", "--url", &url, "linux32"];
        all.extend(&words);
        let (code, output, errors) = run(&all);
        assert_ne!(code, Some(0), "{words:?}: {output}");
        has_none(&format!("{output}{errors}"), &format!("{words:?}"));
    }
}

#[test]
fn what_is_listed_and_nowhere_is_told() {
    let bridge = Bridge::start(|config| {
        let file = fixture::library("secrets", HOME);
        config.library("s", file).header(fixture::header("secrets")).set("sensitive", vec!["Listed.nmber"]);
    });
    bridge.logs(&["WARN", "`Listed.nmber`", "listed under `sensitive`"]);
    let file = bridge.config().folder().join("bridge32.toml");
    let (_, output, _) = run(&["check", "--config", file.to_str().unwrap()]);
    assert!(output.contains("`Listed.nmber` is listed under `sensitive`"), "{output}");
}
