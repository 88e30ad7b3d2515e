//! Who may register as an agent, and what becomes of two versions that do not fit.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bridge32_protocol::PROTOCOL;
use bridge32_signature::Key;
use bridge32_tests::client::{Answer, Request};
use bridge32_tests::{Bridge, HOME, Target, Value, dist, fixture, json, within};

/// A gateway whose agent is a shell that only keeps what it was handed, and that handover: the test plays the agent.
struct Played {
    bridge: Bridge,
    handover: Value,
}

impl Played {
    fn start() -> Self {
        let keep = |path: &str| {
            ["/bin/sh", "-c", "head -n 1 > \"$0.new\" && mv \"$0.new\" \"$0\" && cat > /dev/null", path]
                .map(str::to_owned)
        };
        let mut file = PathBuf::new();
        let mut config = bridge32_tests::Config::new();
        file.clone_from(&config.folder().join("handover.json"));
        let command: Vec<String> = keep(file.to_str().unwrap()).into();
        config.runtime("linux32").insert("command".into(), command.into());
        config.library("played", fixture::library("plain", HOME)).header(fixture::header("plain"));
        config.do_not_wait();
        let bridge = Bridge::with(config);
        let text = within(5.0, "the handover", || std::fs::read_to_string(&file).ok());
        Self { bridge, handover: serde_json::from_str(&text).unwrap() }
    }

    fn key(&self) -> Key {
        Key::new("played", &bridge32_tests::bytes(&self.handover["secret"])).unwrap()
    }

    fn registration(&self) -> Value {
        json!({
            "protocol": PROTOCOL, "version": "0.0.1", "generation": self.handover["generation"], "runtime": "linux32",
            "pointer_bits": 32, "pid": 1, "address": "127.0.0.1:1", "libraries": [],
            "health": {"uptime_ms": 1, "calls": 0, "pending": 0},
        })
    }

    fn put(&self, id: &str, body: &Value) -> Request<'_> {
        let request = self.bridge.client().request("PUT", &format!("/v1/agents/{id}"));
        request.body("application/json", body.to_string())
    }

    fn signed(&self, id: &str, body: &Value, key: &Key) -> Answer {
        let request = self.put(id, body);
        let signature = request.signature(key, 0);
        request.headers(&signature).send()
    }
}

#[test]
fn an_agent_is_handed_what_it_needs_and_may_register() {
    let played = Played::start();
    assert_eq!(played.handover["protocol"], PROTOCOL);
    assert_eq!(played.handover["agent"], "played");
    assert_eq!(played.handover["gateway"], played.bridge.client().authority());
    let lease = played.signed("played", &played.registration(), &played.key()).ok();
    assert!(lease["heartbeat_ms"].as_u64().is_some_and(|pause| pause > 0), "{lease}");
    within(2.0, "it is shown", || (played.bridge.agent("played")["version"] == "0.0.1").then_some(()));
}

#[test]
fn nobody_else_may_register() {
    let played = Played::start();
    let body = played.registration();
    played.put("played", &body).send().refused(401, "signature_missing");
    let forged = Key::new("played", &[7; 32]).unwrap();
    played.signed("played", &body, &forged).refused(401, "signature_invalid");
    let other = Key::new("somebody", &[7; 32]).unwrap();
    let answer = played.signed("played", &body, &other);
    assert_eq!(answer.status, 401, "{}", answer.text);
    played.signed("nobody", &body, &played.key()).refused(404, "unknown_agent");
    let signature = played.put("played", &body).signature(&played.key(), -3600);
    played.put("played", &body).headers(&signature).send().refused(401, "signature_expired");
    let mut other_body = body.clone();
    other_body["address"] = json!("127.0.0.1:2");
    let signature = played.put("played", &body).signature(&played.key(), 0);
    played.put("played", &other_body).headers(&signature).send().refused(401, "digest_mismatch");
    assert_eq!(played.bridge.agent("played")["state"], "starting");
}

#[test]
fn another_generation_is_refused() {
    let played = Played::start();
    let mut body = played.registration();
    body["generation"] = json!(body["generation"].as_u64().unwrap() + 1);
    played.signed("played", &body, &played.key()).refused(409, "stale_generation");
}

#[test]
fn an_agent_of_another_kind_is_refused_and_named() {
    let played = Played::start();
    let mut body = played.registration();
    body["runtime"] = json!("linux64");
    let problem = played.signed("played", &body, &played.key()).refused(422, "wrong_runtime");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("linux64") && detail.contains("runtime.linux32"), "{detail}");
}

#[test]
fn a_registration_that_cannot_be_read_is_malformed() {
    let played = Played::start();
    for body in [json!({}), json!([]), json!({"protocol": "1"}), json!({"protocol": PROTOCOL})] {
        played.signed("played", &body, &played.key()).refused(400, "malformed_request");
    }
}

#[test]
fn another_protocol_is_told_to_both_sides() {
    let played = Played::start();
    let body = json!({"protocol": 99, "version": "9.9.9", "something": "that version 99 may have"});
    let problem = played.signed("played", &body, &played.key()).refused(409, "protocol_mismatch");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("99") && detail.contains("9.9.9") && detail.contains("update the gateway"), "{detail}");
    within(5.0, "the gateway gives up", || (played.bridge.agent("played")["state"] == "gave_up").then_some(()));
    let problem = played.bridge.call("played", "Five", json!({})).refused(503, "no_agent");
    assert!(problem["detail"].as_str().unwrap().contains("protocol 99"), "{problem}");
}

/// Starts the agent of that runtime by itself, with this on its standard input; its exit code and standard error.
fn agent(target: Target, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let runtimes = dist::runtimes();
    let table = runtimes[target.name()].as_table().unwrap();
    let command: Vec<&str> = table["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let mut process = Command::new(command[0]);
    process.args(&command[1..]).args(arguments).current_dir(dist::folder());
    let environment = table.get("env").and_then(toml::Value::as_table).into_iter().flatten();
    process.envs(environment.map(|(name, value)| (name, value.as_str().unwrap())));
    let mut child = process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // An agent that does not want to read may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn an_agent_refuses_a_gateway_of_another_protocol() {
    for target in bridge32_tests::TARGETS {
        let handover = json!({"protocol": 99, "agent": "a", "generation": 1, "gateway": "127.0.0.1:1", "secret": bridge32_tests::base64([1; 32])});
        let (code, _, error) = agent(target, &[], &format!("{handover}\n"));
        assert_eq!(code, Some(3), "{target}: {error}");
        assert!(error.contains("protocol 99"), "{target}: {error}");
    }
}

#[test]
fn an_agent_that_a_person_starts_explains_itself() {
    for target in bridge32_tests::TARGETS {
        let (code, output, _) = agent(target, &["--version"], "");
        assert_eq!(code, Some(0), "{target}");
        assert!(
            output.contains(target.name()) && output.contains(&format!("protocol {PROTOCOL}")),
            "{target}: {output}"
        );
        let (code, _, error) = agent(target, &[], "");
        assert_eq!(code, Some(3), "{target}");
        assert!(error.contains("bridge32 serve"), "{target}: {error}");
        assert_eq!(agent(target, &["--nonsense"], "").0, Some(2), "{target}");
    }
}
