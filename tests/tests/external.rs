//! Agents that somebody else starts, with `agent32 --join`: they come, go and come back as those of the gateway do.

use bridge32_tests::{Bridge, Config, Joined, TARGETS_32, Target, fixture, json, process, within};

/// Seconds until an agent must be there; under Wine it takes its time.
const THERE: f64 = 60.0;

/// A bridge whose libraries, one for each target, are run by agents of somebody else.
struct External {
    bridge: Bridge,
    gateway: String,
    secret: String,
}

fn id(target: Target) -> String {
    format!("pc-{target}")
}

fn external() -> External {
    let mut config = Config::new();
    let gateway = config.fixed_port();
    config.key("all", &["call:*", "read", "adhoc", "manage"]);
    let (_, secret) = config.key_with_secret("card", &["agent"]);
    for target in TARGETS_32 {
        let mut table = config.library(target.name(), fixture::library("trouble", target));
        table.header(fixture::header("trouble")).set("agent", id(target)).set("deadline", "20s");
    }
    config.do_not_wait();
    External { bridge: Bridge::with(config), gateway, secret }
}

impl External {
    fn join(&self, target: Target) -> Joined {
        Joined::start(self.bridge.config().folder(), target, &self.gateway, &id(target), "card", &self.secret)
    }

    fn all_work(&self) {
        for target in TARGETS_32 {
            self.works(target);
        }
    }

    fn works(&self, target: Target) {
        self.bridge.call_until(THERE, target.name(), "EchoInt", &json!({"value": 32}));
    }
}

#[test]
fn an_agent_that_joins_runs_its_library() {
    let external = external();
    for target in TARGETS_32 {
        let agent = external.bridge.agent(&id(target));
        assert_eq!((&agent["state"], &agent["external"]), (&json!("waiting"), &json!(true)), "{target}: {agent}");
        let joined = external.join(target);
        external.works(target);
        let agent = external.bridge.agent(&id(target));
        assert_eq!((&agent["state"], &agent["key"]), (&json!("ready"), &json!("card")), "{target}: {agent}");
        assert_eq!((&agent["generation"], &agent["pid"]), (&json!(1), &json!(null)), "{target}: {agent}");
        assert_eq!(agent["libraries"], json!([target.name()]), "{target}");
        assert!(external.bridge.library(target.name())["loaded_file"]["sha256"].is_string(), "{target}");
        drop(joined);
        within(THERE, "its lease runs out", || {
            (external.bridge.agent(&id(target))["state"] == "waiting").then_some(())
        });
    }
}

#[test]
fn a_call_of_an_agent_that_nobody_has_started_is_told_so() {
    let external = external();
    within(30.0, "the gateway does not wait any more", || {
        (external.bridge.client().get("/readyz").status == 200).then_some(())
    });
    let problem = external.bridge.call("linux32", "EchoInt", json!({"value": 1})).refused(503, "no_agent");
    assert!(problem["detail"].as_str().unwrap().contains("agent32 --join"), "{problem}");
}

#[test]
fn an_agent_that_was_killed_comes_back_as_the_next_generation() {
    let external = external();
    let joined = external.join(Target::Linux32);
    external.works(Target::Linux32);
    let id = id(Target::Linux32);
    process::kill_9(joined.agent_pid().unwrap());
    within(THERE, "the next generation", || (external.bridge.agent(&id)["generation"] == 2).then_some(()));
    external.works(Target::Linux32);
    assert_eq!(external.bridge.call("linux32", "WriteToNull", json!({})).status, 502);
    external.works(Target::Linux32);
}

#[test]
fn a_hung_library_of_an_agent_that_joined_is_ended_at_its_deadline() {
    let mut config = Config::new();
    let gateway = config.fixed_port();
    config.key("all", &["call:*", "read", "manage"]);
    let (_, secret) = config.key_with_secret("card", &["agent"]);
    for target in TARGETS_32 {
        let mut table = config.library(target.name(), fixture::library("trouble", target));
        table.header(fixture::header("trouble")).set("agent", id(target)).set("deadline", "2s");
    }
    config.do_not_wait();
    let external = External { bridge: Bridge::with(config), gateway, secret };
    for target in TARGETS_32 {
        let joined = external.join(target);
        external.works(target);
        external.bridge.call(target.name(), "Hang", json!({})).refused(504, "deadline_exceeded");
        external.works(target);
        assert!(joined.log().contains("the agent ended"), "{target}: {}", joined.log());
    }
}

#[test]
fn an_agent_that_joined_outlives_the_gateway_and_finds_the_next_one() {
    let mut external = external();
    let joined: Vec<Joined> = TARGETS_32.into_iter().map(|target| external.join(target)).collect();
    external.all_work();
    external.bridge.restart();
    external.all_work();
    external.bridge.kill();
    external.bridge.restart();
    external.all_work();
    drop(joined);
}

#[test]
fn a_restart_of_an_agent_that_joined_can_be_asked_for() {
    let external = external();
    let _joined = external.join(Target::Linux32);
    external.works(Target::Linux32);
    let id = id(Target::Linux32);
    external.bridge.client().request("POST", &format!("/v1/agents/{id}/restart")).send().is(202);
    within(THERE, "the next generation", || (external.bridge.agent(&id)["generation"] == 2).then_some(()));
    external.works(Target::Linux32);
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("join.toml");
    std::fs::write(&file, "gateway='127.0.0.1:1'\nagent='a'\nkey='k'\nsecret='AAAA'").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    let program = bridge32_tests::dist::folder().join("agent64");
    let output = std::process::Command::new(program).arg("--join").arg(&file).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("chmod 600") && !error.contains("AAAA"), "{error}");
}
