//! `/metrics`, as Prometheus reads it: a real one scrapes a gateway and answers with what the test has caused.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bridge32_tests::client::{Answer, Client};
use bridge32_tests::servers::{self, Server};
use bridge32_tests::{Bridge, Config, HOME, TARGETS, Target, Value, bridge, fixture, json, within};

/// Seconds until Prometheus must have seen something.
const SEEN: f64 = 30.0;

const TOKEN: &str = "a-token-that-nobody-guesses";

/// The folder of the alerts and of the dashboard.
fn monitoring() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../monitoring")
}

/// Two libraries, of which one crashes when it is asked to.
fn add_libraries(config: &mut Config) {
    config.library("wear", fixture::library("wear", HOME)).header(fixture::header("wear"));
    let crash = fixture::Fixture::new("crash").flag("-fno-toplevel-reorder");
    let crash = crash.linked_to(Path::new("/usr/lib32/libstdc++.so.6"));
    config.library("crash", crash.build(HOME)).header(fixture::header("crash"));
}

fn write_token(folder: &Path, token: &str) -> PathBuf {
    let file = folder.join("metrics.token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    file
}

fn metrics(bridge: &Bridge) -> String {
    let answer = bridge.client().get("/metrics");
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text
}

/// The value of a sample, which is written with its labels in their order.
fn sample(text: &str, sample: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
    value.trim_end_matches(".0").parse().ok()
}

#[track_caller]
fn assert_sample(bridge: &Bridge, wanted: &str, value: u64) {
    let text = metrics(bridge);
    assert_eq!(sample(&text, wanted), Some(value), "{wanted}\n{text}");
}

/// A Prometheus that scrapes the gateway each second, with the alerts of this project.
fn prometheus(folder: &Path, gateway: &str, token: &Path) -> (Server, Client) {
    let address = format!("127.0.0.1:{}", servers::free_port());
    let job = json!({
        "job_name": "bridge32", "static_configs": [{"targets": [gateway]}],
        "authorization": {"credentials_file": token},
    });
    let config = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [monitoring().join("alerts.yaml")],
        "scrape_configs": [job],
    });
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut command = servers::program("prometheus");
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()));
    command.arg(format!("--web.listen-address={address}"));
    (Server::start(command, &folder.join("prometheus.log")), Client::new(&address, None))
}

/// What Prometheus answers to a query: the values of its samples.
fn query(client: &Client, expression: &str) -> Option<Vec<String>> {
    let escaped: Vec<String> = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let escaped = escaped.concat();
    let answer = client.request("GET", &format!("/api/v1/query?query={escaped}")).try_send().ok()?;
    if answer.status == 503 {
        // It is starting.
        return None;
    }
    let answer = answer.ok();
    assert_eq!(answer["status"], "success", "{expression}: {answer}");
    let value = |sample: &Value| sample["value"][1].as_str().map(str::to_owned);
    answer["data"]["result"].as_array()?.iter().map(value).collect()
}

#[test]
fn a_prometheus_that_scrapes_a_gateway_answers_with_what_was_called() {
    let mut config = Config::new();
    config.key("ci", &["call:*", "adhoc", "read", "manage"]);
    let token = write_token(config.folder(), TOKEN);
    config.set("metrics", toml::Table::from_iter([("token_file".to_owned(), "metrics.token".into())]));
    add_libraries(&mut config);
    // One whose agent cannot be started.
    config.library("gone", fixture::library("wear", Target::Linux64)).header(fixture::header("wear"));
    config.runtime("linux64").insert("command".to_owned(), vec!["/nowhere/agent64"].into());
    let bridge = Bridge::with(config);
    let folder = tempfile::tempdir().unwrap();
    let (mut prometheus, client) = prometheus(folder.path(), bridge.client().authority(), &token);
    prometheus.ready(SEEN, "Prometheus has scraped the gateway", |_| {
        (query(&client, "up{job=\"bridge32\"}")? == ["1"]).then_some(())
    });
    for _ in 0..7 {
        bridge.call("wear", "Add", json!({"a": 1, "b": 2})).ok();
    }
    bridge.call("wear", "Add", json!({"a": "x", "b": 2})).mismatch("/a");
    bridge.call("wear", "Nap", json!({"milliseconds": 300})).ok();
    bridge.call_ad_hoc("wear", "int Add(int a, int b)", &json!({"a": 1, "b": 2})).ok();
    bridge.call("crash", "Abort", json!({})).refused(502, "agent_crashed");
    bridge.call_until(10.0, "crash", "EchoInt", &json!({"value": 1}));
    let expect = |expression: &str, expected: &str| {
        within(SEEN, &format!("{expression} is {expected}"), || {
            (query(&client, expression)? == [expected]).then_some(())
        });
    };
    expect("bridge32_calls_total{library=\"wear\",function=\"Add\",outcome=\"returned\"}", "7");
    expect("bridge32_calls_total{library=\"wear\",function=\"Add\",outcome=\"argument_mismatch\"}", "1");
    expect("bridge32_calls_total{library=\"wear\",function=\"(prototype)\",outcome=\"returned\"}", "1");
    expect("sum(bridge32_calls_total{library=\"wear\"})", "10");
    expect("bridge32_calls_total{library=\"crash\",function=\"Abort\",outcome=\"agent_crashed\"}", "1");
    expect("bridge32_agent_crashes_total{pool=\"crash\"}", "1");
    expect("bridge32_agent_crashes_total{pool=\"wear\"}", "0");
    expect("bridge32_agent_restarts_total{agent=\"crash\"} >= bool 1", "1");
    expect("count(bridge32_agent_state == 1)", "3");
    expect("ALERTS{alertname=\"Bridge32AgentGaveUp\",agent=\"gone\",alertstate=\"firing\"}", "1");
    expect("bridge32_library_state{library=\"wear\",state=\"ready\"}", "1");
    expect("bridge32_history_written_calls_total >= bool 12", "1");
    expect("bridge32_agent_resident_bytes{agent=\"wear\"} > bool 1e5", "1");
    // 0.3 s and a little: more than 0.25 and less than 2.5.
    let nap = "bridge32_call_duration_seconds_bucket{function=\"Nap\",outcome=\"returned\",le=";
    expect(&format!("{nap}\"0.25\"}}"), "0");
    expect(&format!("{nap}\"2.5\"}}"), "1");
    expect("bridge32_call_part_seconds_sum{library=\"wear\",part=\"library\"} > bool 0.3", "1");
    expect("bridge32_agent_request_calls_sum{library=\"wear\"}", "10");
    expect("process_start_time_seconds{job=\"bridge32\"} > bool time() - 300", "1");
    // What is wrong is told to people, by the rules that are delivered.
    let rules = client.get("/api/v1/rules").ok();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() > 10 && rules.iter().all(|rule| rule["health"] != "err"), "{rules:?}");
}

#[test]
fn the_text_is_as_promtool_wants_it_and_has_every_metric_of_the_document() {
    let bridge = crate::on_all_targets("wear");
    for target in TARGETS {
        bridge.call(target.name(), "Add", json!({"a": 1, "b": 2})).ok();
    }
    let ready = |text: &str| text.matches("state=\"ready\"} 1.0\n").count() == 2 * TARGETS.len();
    let text = within(5.0, "libraries and agents are ready", || Some(metrics(&bridge)).filter(|text| ready(text)));
    // A 64-bit process does not run out of addresses.
    for (target, is_told) in TARGETS.into_iter().zip([true, true, false]) {
        let space = format!("bridge32_agent_address_space_bytes{{agent=\"{target}\",pool=\"{target}\"}}");
        assert_eq!(sample(&text, &space).is_some(), is_told, "{space}\n{text}");
    }
    let mut promtool = servers::program("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
    let told: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let document = std::fs::read_to_string(monitoring().join("../docs/metrics.md")).unwrap();
    let row = |line: &'_ str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let documented = document.lines().filter_map(row).filter(|name| name.contains('_'));
    let documented: BTreeSet<String> = documented.collect();
    assert_eq!(told, documented.iter().map(String::as_str).collect());
    assert_eq!(text.matches("bridge32_build_info{").count(), 1, "{text}");
}

#[test]
fn the_alerts_fire_when_they_should_and_not_otherwise() {
    for arguments in [
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", "alerts.test.yaml"],
        ["check", "config", "prometheus.yaml"],
    ] {
        let mut promtool = servers::program("promtool");
        let (code, output, errors) = bridge::finish(promtool.args(arguments).current_dir(monitoring()));
        assert_eq!(code, Some(0), "{arguments:?}: {output}{errors}");
    }
}

fn with_token(client: &Client, target: &str, token: &str) -> Answer {
    let request = client.request("GET", target).header("authorization", &format!("Bearer {token}"));
    request.try_send().unwrap()
}

#[test]
fn the_token_opens_the_metrics_and_nothing_else() {
    let mut config = Config::new();
    config.key("all", &["read", "manage"]);
    let caller = config.key("caller", &["call:*"]);
    let file = write_token(config.folder(), TOKEN);
    config.set("metrics", toml::Table::from_iter([("token_file".to_owned(), "metrics.token".into())]));
    let bridge = Bridge::with(config);
    let client = bridge.client();
    let answer = with_token(client, "/metrics", TOKEN);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    assert_eq!(client.get("/metrics").status, 200, "a signature does as well");
    client.with_key(Some(&caller)).get("/metrics").refused(403, "forbidden");
    client.request("GET", "/metrics").try_send().unwrap().refused(401, "signature_missing");
    let answer = with_token(client, "/metrics", "another-token-of-the-kind");
    answer.refused(401, "token_invalid");
    assert!(answer.headers("www-authenticate").any(|value| value.starts_with("Bearer ")));
    for target in ["/v1/libraries", "/v1/events", "/openapi.json"] {
        with_token(client, target, TOKEN).refused(401, "signature_missing");
    }
    // Another token, once somebody has the configuration read again.
    write_token(file.parent().unwrap(), "the-next-token-of-this-gateway");
    assert_eq!(with_token(client, "/metrics", TOKEN).status, 200);
    client.post("/v1/reload", &json!({})).ok();
    with_token(client, "/metrics", TOKEN).refused(401, "token_invalid");
    assert_eq!(with_token(client, "/metrics", "the-next-token-of-this-gateway").status, 200);
    // One that others can read is not taken, and the one before stays.
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let problem = client.post("/v1/reload", &json!({})).refused(422, "invalid_configuration");
    assert!(problem["detail"].as_str().unwrap().contains("metrics.token_file"), "{problem}");
    assert_eq!(with_token(client, "/metrics", "the-next-token-of-this-gateway").status, 200);
    let text = client.get("/metrics").text;
    assert_eq!(sample(&text, "bridge32_http_problems_total{code=\"token_invalid\"}"), Some(2), "{text}");
}

#[test]
fn counters_go_on_over_reloads_and_agents_that_are_gone_leave_no_series() {
    let bridge = Bridge::start(add_libraries);
    let add = "bridge32_calls_total{library=\"wear\",function=\"Add\",outcome=\"returned\"}";
    for _ in 0..3 {
        bridge.call("wear", "Add", json!({"a": 1, "b": 2})).ok();
    }
    assert_sample(&bridge, add, 3);
    bridge.client().post("/v1/libraries/wear/reload", &json!({})).ok();
    for _ in 0..2 {
        bridge.call("wear", "Add", json!({"a": 1, "b": 2})).ok();
    }
    assert_sample(&bridge, add, 5);
    within(20.0, "the old process is gone", || (bridge.agent_processes().len() == 2).then_some(()));
    let text = within(5.0, "the old agent has no series", || {
        let text = metrics(&bridge);
        let agents = text.matches("bridge32_agent_generation{").count();
        (agents == 2).then_some(text)
    });
    assert!(sample(&text, "bridge32_queue_limit_calls{library=\"wear\"}").unwrap() > 1, "{text}");
}

#[test]
fn nothing_that_a_client_sends_makes_a_series() {
    let bridge = Bridge::start(add_libraries);
    bridge.call("wear", "Add", json!({"a": 1, "b": 2})).ok();
    bridge.call_ad_hoc("wear", "int Add(int a, int b)", &json!({"a": 1, "b": 2})).ok();
    let series = |text: &str| text.lines().filter(|line| line.contains("library=\"wear\"")).count();
    let before = series(&metrics(&bridge));
    for number in 0..20 {
        bridge.call("wear", &format!("Invented{number}"), json!({})).refused(404, "unknown_function");
        bridge.call("invented", "Add", json!({})).refused(404, "unknown_library");
        let prototype = format!("int Add(int a{number}, int b{number})");
        bridge.call_ad_hoc("wear", &prototype, &json!({format!("a{number}"): 1, format!("b{number}"): 2})).ok();
    }
    let text = metrics(&bridge);
    assert_eq!(series(&text), before, "{text}");
    assert!(!text.contains("nvented"), "{text}");
    assert_sample(&bridge, "bridge32_calls_total{library=\"wear\",function=\"(prototype)\",outcome=\"returned\"}", 21);
}
