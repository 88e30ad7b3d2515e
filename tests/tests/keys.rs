//! Keys: who may what, how much and until when; changed while the gateway runs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use bridge32_signature::Key;
use bridge32_tests::bridge::run;
use bridge32_tests::{Bridge, Browser, Config, HOME, Value, fixture, raw, within};

const ECHO: &str = "/v1/libraries/scalars/functions/EchoInt";

/// A bridge with two keys, and the second one.
fn bridge() -> (Bridge, Key) {
    let mut other = None;
    let bridge = Bridge::start(|config| {
        config.key("ops", &["manage", "read", "call:*"]);
        other = Some(config.key("ci", &["read", "call:trouble"]));
        for name in ["scalars", "trouble"] {
            config.library(name, fixture::library(name, HOME)).header(fixture::header(name));
        }
    });
    (bridge, other.unwrap())
}

fn file(bridge: &Bridge) -> PathBuf {
    bridge.config().folder().join("keys.toml")
}

/// `bridge32 keys …` with the key file of a bridge: exit code, standard output, standard error.
fn keys(bridge: &Bridge, arguments: &[&str]) -> (Option<i32>, String, String) {
    let config = bridge.config().folder().join("bridge32.toml");
    run(&[&["keys"], arguments, &["--config", config.to_str().unwrap()]].concat())
}

/// The key that a command has made.
fn made(bridge: &Bridge, arguments: &[&str]) -> Key {
    let (code, output, notes) = keys(bridge, &[arguments, &["--json"]].concat());
    assert_eq!(code, Some(0), "{notes}");
    let shown: Value = serde_json::from_str(&output).unwrap();
    assert!(notes.contains("only time"), "{notes}");
    Key::new(shown["id"].as_str().unwrap(), &bridge32_tests::bytes(&shown["secret"])).unwrap()
}

/// The first status of `GET /v1/libraries` with that key which is this one.
fn until(bridge: &Bridge, key: &Key, status: u16) {
    let client = bridge.client().with_key(Some(key));
    within(10.0, &format!("{status} for {}", key.id()), || {
        (client.get("/v1/libraries").status == status).then_some(())
    });
}

fn listed(bridge: &Bridge, id: &str) -> Value {
    let list = bridge.client().get("/v1/keys").ok();
    let keys = list["keys"].as_array().unwrap();
    keys.iter().find(|key| key["id"] == id).cloned().unwrap_or_else(|| panic!("no {id} in {list}"))
}

#[test]
fn a_key_is_added_rotated_and_revoked_while_the_gateway_runs() {
    let (bridge, _) = bridge();
    let first = made(&bridge, &["add", "till", "--scope", "read", "--owner", "tills", "--rate", "1000/s"]);
    until(&bridge, &first, 200);
    bridge.client().with_key(Some(&first)).get("/v1/agents").ok();
    bridge.client().with_key(Some(&first)).get("/v1/keys").refused(403, "forbidden");
    let second = made(&bridge, &["rotate", "till", "--keep", "1h"]);
    until(&bridge, &second, 200);
    until(&bridge, &first, 200);
    let (old, new) = (listed(&bridge, "till"), listed(&bridge, "till-2"));
    assert_eq!((&new["owner"], &new["scopes"], &new["rate"]), (&old["owner"], &old["scopes"], &old["rate"]));
    assert!(old["expires"].is_string() && new["expires"].is_null() && old["expired"] == false, "{old} {new}");
    assert_eq!(keys(&bridge, &["revoke", "till"]).0, Some(0));
    until(&bridge, &first, 401);
    let client = bridge.client().with_key(Some(&first));
    client.get("/v1/libraries").refused(401, "unknown_key");
    until(&bridge, &second, 200);
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing_and_the_log_says_why() {
    let (bridge, other) = bridge();
    let good = std::fs::read_to_string(file(&bridge)).unwrap();
    let logged = |words: &str| within(10.0, words, || bridge.log().contains(words).then_some(()));
    std::fs::write(file(&bridge), good.replace("scopes", "scope")).unwrap();
    logged("unknown field `scope`");
    until(&bridge, &other, 200);
    std::fs::write(file(&bridge), &good).unwrap();
    std::fs::set_permissions(file(&bridge), PermissionsExt::from_mode(0o644)).unwrap();
    logged("chmod 600");
    until(&bridge, &other, 200);
    let secrets = good.lines().filter_map(|line| line.strip_prefix("secret = "));
    let log = bridge.log();
    assert!(secrets.map(|secret| secret.trim_matches('"')).all(|secret| !log.contains(secret)));
    // And it goes on to follow it.
    std::fs::set_permissions(file(&bridge), PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(keys(&bridge, &["revoke", "ci"]).0, Some(0));
    until(&bridge, &other, 401);
}

#[test]
fn a_key_file_that_others_can_read_keeps_the_gateway_from_starting() {
    let mut config = Config::new();
    config.key("ci", &["read"]);
    let (file, keys) = (config.write(), config.folder().join("keys.toml"));
    std::fs::set_permissions(&keys, PermissionsExt::from_mode(0o640)).unwrap();
    let (code, _, error) = run(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("mode 0640") && error.contains(&format!("chmod 600 {}", keys.display())), "{error}");
}

/// A bridge whose second key has one more line in its table.
fn limited(line: &str) -> (Bridge, Key) {
    let (bridge, key) = bridge();
    let text = std::fs::read_to_string(file(&bridge)).unwrap();
    std::fs::write(file(&bridge), format!("{}\n{line}\n", text.trim_end())).unwrap();
    within(10.0, "the keys are read again", || bridge.log().contains("its keys are in force").then_some(()));
    (bridge, key)
}

#[test]
fn who_asks_too_often_is_told_when_to_ask_again_and_others_are_not_held_up() {
    let (bridge, key) = limited("rate = \"3/h\"");
    let client = bridge.client().with_key(Some(&key));
    // What is not signed with the key does not count.
    let stranger = Key::new(key.id(), &[7; 32]).unwrap();
    for _ in 0..5 {
        bridge.client().with_key(Some(&stranger)).get("/v1/libraries").refused(401, "signature_invalid");
    }
    for _ in 0..3 {
        client.get("/v1/libraries").ok();
    }
    let answer = client.get("/v1/libraries");
    let problem = answer.refused(429, "rate_limited");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=1201).contains(&seconds), "{seconds}");
    assert!(problem["detail"].as_str().unwrap().contains("3/h"), "{problem}");
    for _ in 0..10 {
        bridge.client().get("/v1/libraries").ok();
    }
}

#[test]
fn a_page_that_is_open_and_live_holds_no_slot() {
    let (bridge, key) = limited("concurrency = 1");
    let text = std::fs::read_to_string(file(&bridge)).unwrap();
    std::fs::write(file(&bridge), text.replace("\"call:trouble\"]", "\"call:trouble\", \"read\", \"manage\"]"))
        .unwrap();
    let client = bridge.client().with_key(Some(&key));
    within(10.0, "it may sign in", || (client.request("POST", "/v1/sign-in-links").send().status == 201).then_some(()));
    let mut browser = Browser::signed_in(&client);
    let cookies: Vec<String> = browser.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut live = TcpStream::connect(client.authority()).unwrap();
    live.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (host, cookies) = (client.authority(), cookies.join("; "));
    write!(live, "GET /live?kinds=call HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies}\r\n\r\n").unwrap();
    let mut begin = [0; 15];
    live.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    for _ in 0..3 {
        assert_eq!(browser.open("/").status, 200);
    }
    client.get("/v1/libraries").ok();
}

#[test]
fn a_rate_recovers_with_time() {
    let (bridge, key) = limited("rate = \"1/s\"");
    let client = bridge.client().with_key(Some(&key));
    within(10.0, "it has asked too often", || (client.get("/v1/libraries").status == 429).then_some(()));
    within(10.0, "it may ask again", || (client.get("/v1/libraries").status == 200).then_some(()));
}

#[test]
fn a_request_holds_its_slot_until_it_is_answered() {
    let (bridge, key) = limited("concurrency = 1");
    let client = bridge.client().with_key(Some(&key));
    let path = "/v1/libraries/trouble/functions/Nap";
    let sleep = |milliseconds: u32| format!("{{\"milliseconds\": {milliseconds}}}");
    std::thread::scope(|scope| {
        let call = || client.request("POST", path).body("application/json", sleep(3000)).send();
        // One of the questions below may have the slot just then.
        let long = scope.spawn(move || within(10.0, "the long call", || (call().status == 200).then_some(())));
        let answer = within(10.0, "the long call holds the slot", || {
            let answer = client.get("/v1/libraries");
            (answer.status != 200).then_some(answer)
        });
        answer.refused(429, "concurrency_limited");
        assert!(answer.header("retry-after").is_some());
        bridge.client().get("/v1/libraries").ok();
        long.join().unwrap();
    });
    within(10.0, "the slot is free again", || (client.get("/v1/libraries").status == 200).then_some(()));
}

#[test]
fn a_key_whose_time_is_over_is_told_so_and_nobody_else_is() {
    let (bridge, key) = limited("expires = \"2020-01-01\"");
    let problem = bridge.client().with_key(Some(&key)).get("/v1/libraries").refused(401, "unknown_key");
    assert!(problem["detail"].as_str().unwrap().contains("2020-01-01"), "{problem}");
    let forged = Key::new(key.id(), &[9; 32]).unwrap();
    let problem = bridge.client().with_key(Some(&forged)).get("/v1/libraries").refused(401, "signature_invalid");
    assert!(!problem.to_string().contains("2020"), "{problem}");
    assert_eq!(listed(&bridge, "ci")["expired"], true);
}

#[test]
fn the_last_use_of_a_key_is_known_also_after_a_restart() {
    let (mut bridge, key) = bridge();
    assert!(listed(&bridge, "ci")["last_used"].is_null());
    bridge.client().with_key(Some(&key)).get("/v1/libraries").ok();
    let used = listed(&bridge, "ci")["last_used"].clone();
    assert!(used.is_string(), "{used}");
    bridge.restart();
    assert_eq!(listed(&bridge, "ci")["last_used"], used);
    let (_, list, _) = keys(&bridge, &["list"]);
    assert!(list.contains(&format!("ci: call:trouble read; last used {}", used.as_str().unwrap())), "{list}");
}

#[test]
fn secrets_are_shown_once_and_listed_nowhere() {
    let (bridge, _) = bridge();
    let (_, shown, _) = keys(&bridge, &["add", "b", "--scope", "call:scalars"]);
    let secret = shown.lines().find_map(|line| line.strip_prefix("secret  ")).unwrap();
    assert_eq!(secret.len(), 44, "{secret}");
    for arguments in [&["list"][..], &["list", "--json"]] {
        let (code, output, notes) = keys(&bridge, arguments);
        assert_eq!(code, Some(0));
        assert!(output.contains("call:scalars") && !output.contains(secret) && !notes.contains(secret), "{output}");
    }
    assert!(!bridge.client().get("/v1/keys").text.contains(secret));
    assert_eq!(std::fs::metadata(file(&bridge)).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn wrong_commands_say_what_is_wrong_and_change_nothing() {
    let (bridge, _) = bridge();
    let before = std::fs::read_to_string(file(&bridge)).unwrap();
    for (arguments, words) in [
        (&["add", "ci", "--scope", "read"][..], "keys rotate ci"),
        (&["add", "b", "--scope", "reed"], "`reed` is no scope: there are read,"),
        (&["add", "b"], "--scope"),
        (&["add", "b", "--scope", "read", "--expires", "soon"], "such as 90d"),
        (&["add", "b", "--scope", "read", "--rate", "9"], "such as \"100/s\""),
        (&["add", "b", "--scope", "read", "--concurrency", "0"], "concurrency: 0"),
        (&["rotate", "none"], "there are: ops, ci"),
        (&["revoke", "none"], "there are: ops, ci"),
    ] {
        let (code, output, error) = keys(&bridge, arguments);
        assert!(code != Some(0) && error.contains(words) && output.is_empty(), "{arguments:?}: {output}{error}");
    }
    assert_eq!(std::fs::read_to_string(file(&bridge)).unwrap(), before);
}

#[test]
fn a_scope_for_a_library_that_is_not_there_is_a_warning_of_check() {
    let (bridge, _) = bridge();
    made(&bridge, &["add", "b", "--scope", "call:scalar"]);
    let config = bridge.config().folder().join("bridge32.toml");
    let (code, output, _) = run(&["check", "--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("the key `b` has the scope `call:scalar`, and there is no such library"), "{output}");
}

#[test]
fn what_a_key_may_do_follows_its_scopes_while_the_gateway_runs() {
    let (bridge, key) = bridge();
    let client = bridge.client().with_key(Some(&key));
    let call = || client.request("POST", ECHO).body("application/json", "{\"value\": 5}").send();
    call().refused(403, "forbidden");
    let text = std::fs::read_to_string(file(&bridge)).unwrap();
    let more = text.replace("\"call:trouble\"]", "\"call:trouble\", \"call:scalars.EchoInt\"]");
    assert_ne!(text, more);
    std::fs::write(file(&bridge), more).unwrap();
    assert_eq!(within(10.0, "it may call", || Some(call()).filter(|answer| answer.status == 200)).result(), 5);
}

#[test]
fn who_may_not_call_cannot_make_the_gateway_take_a_large_body() {
    let (bridge, key) = bridge();
    let client = bridge.client();
    let head = |method: &str, path: &str| {
        let signature = client.request(method, path).body("application/json", "{}").signature(&key, 0);
        let lines: Vec<String> = signature.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 60000000\r\n{}\r\n",
            client.authority(),
            lines.concat()
        )
    };
    // The body never comes: an answer at all shows that nobody waits for it.
    let refused = raw::exchange(client.authority(), &head("POST", ECHO));
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("call:scalars.EchoInt"), "{refused}");
    let refused = raw::exchange(client.authority(), &head("GET", "/v1/libraries"));
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
}
