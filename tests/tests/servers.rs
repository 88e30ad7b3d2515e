//! The servers that nobody here wrote do what tests need them for, whatever the gateway makes of them.

use std::path::Path;

use bridge32_tests::client::Client;
use bridge32_tests::postgres::{self, Postgres};
use bridge32_tests::servers::{self, Server};
use bridge32_tests::{bridge, json};

/// Seconds until a server must answer.
const READY: f64 = 30.0;

#[test]
fn every_test_has_a_postgresql_database_of_its_own() {
    let (one, other) = (postgres::fresh_database(), postgres::fresh_database());
    one.query("create table calls (id int, text text)");
    one.query("insert into calls values (1, 'größer'), (2, null)");
    assert_eq!(one.query("select * from calls order by id"), "1|größer\n2|");
    assert_eq!(other.query("select count(*) from pg_tables where tablename = 'calls'"), "0");
    assert_eq!(other.query("show server_encoding; show timezone"), "UTF8\nUTC");
}

#[test]
fn a_postgresql_server_of_a_test_is_ended_and_comes_back_with_its_data() {
    let mut server = Postgres::start();
    let url = server.url();
    postgres::query(&url, "create table calls as select 1 as id");
    server.stop();
    let (code, _, error) = bridge::finish(servers::program("psql").args(["--command=select 1", &url]));
    assert!(code != Some(0) && error.contains("Connection refused"), "{error}");
    server.restart();
    postgres::query(&url, "insert into calls values (2)");
    server.kill();
    server.restart();
    assert_eq!(server.url(), url);
    assert_eq!(postgres::query(&url, "select sum(id) from calls"), "3");
    assert!(server.log().contains("automatic recovery"), "{}", server.log());
}

#[test]
fn a_server_ends_with_its_test() {
    let server = Postgres::start();
    let url = server.url();
    drop(server);
    let (code, _, error) = bridge::finish(servers::program("psql").args(["--command=select 1", &url]));
    assert!(code != Some(0) && error.contains("Connection refused"), "{error}");
}

#[test]
fn promtool_tells_rules_from_what_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let check = |expression: &str| {
        let file = folder.path().join("rules.yml");
        let rule = json!({"alert": "Down", "expr": expression, "for": "1m"});
        std::fs::write(&file, json!({"groups": [{"name": "bridge32", "rules": [rule]}]}).to_string()).unwrap();
        let (code, output, errors) = bridge::finish(servers::program("promtool").args(["check", "rules"]).arg(file));
        (code, output + &errors)
    };
    let (code, text) = check("up == 0");
    assert!(code == Some(0) && text.contains("1 rules found"), "{text}");
    let (code, text) = check("up ==");
    assert!(code == Some(1) && text.contains("unexpected end of input"), "{text}");
}

#[test]
fn prometheus_scrapes_what_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", servers::free_port());
    let config = folder.path().join("prometheus.yml");
    let job = json!({"job_name": "itself", "static_configs": [{"targets": [&address]}]});
    std::fs::write(&config, json!({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}).to_string()).unwrap();
    let mut prometheus = servers::program("prometheus");
    prometheus.arg(format!("--config.file={}", config.display()));
    prometheus.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
    prometheus.arg(format!("--web.listen-address={address}"));
    let mut prometheus = Server::start(prometheus, &folder.path().join("log"));
    let client = Client::new(&address, None);
    let found = prometheus.ready(READY, "Prometheus has scraped", |_| {
        // It answers 503 as long as it starts.
        let answer =
            client.request("GET", "/api/v1/query?query=up").try_send().ok().filter(|answer| answer.status == 200)?;
        Some(answer.ok()["data"]["result"][0].clone()).filter(|found| !found.is_null())
    });
    assert_eq!((&found["metric"]["job"], &found["value"][1]), (&json!("itself"), &json!("1")), "{found}");
}

#[test]
fn the_collector_shows_a_span_that_it_gets() {
    let folder = tempfile::tempdir().unwrap();
    let (grpc, http) = (servers::free_port(), servers::free_port());
    let mut collector = collector(folder.path(), grpc, http);
    let span = json!({
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "ReadCard", "kind": 2,
        "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000",
    });
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string();
    let client = Client::new(&format!("127.0.0.1:{http}"), None);
    let send = || client.request("POST", "/v1/traces").body("application/json", body.as_str()).try_send();
    collector.ready(READY, "the collector takes the span", |_| send().ok()).is(200);
    let text = collector.ready(READY, "the collector shows the span", |collector| {
        Some(collector.log()).filter(|text| text.contains("ReadCard"))
    });
    assert!(text.contains("5b8efff798038103d269b633813fc60c"), "{text}");
}

/// A collector that prints the spans that it gets.
fn collector(folder: &Path, grpc: u16, http: u16) -> Server {
    let mut rotel = servers::program("rotel");
    rotel.args(["start", "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"]);
    rotel.arg(format!("--otlp-grpc-endpoint=127.0.0.1:{grpc}"));
    rotel.arg(format!("--otlp-http-endpoint=127.0.0.1:{http}"));
    rotel.current_dir(folder);
    Server::start(rotel, &folder.join("collector.log"))
}
