//! Traces: to which one a call belongs, all the way to the agent and back, and what a collector is told of it; and what the log
//! says of calls.

use std::collections::HashMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bridge32_tests::otlp::{Collector, Span, SpanKind, StatusCode, attribute, hex, value};
use bridge32_tests::servers::{self, Server};
use bridge32_tests::{Answer, Bridge, Config, TARGETS, Value, fixture, json, within};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT: &str = "b7ad6b7169203331";

fn sampled() -> String {
    format!("00-{TRACE}-{CLIENT}-01")
}

/// A bridge that sends its spans there.
fn traced(endpoint: &str, more: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        for target in TARGETS {
            config.library(target.name(), fixture::library("trouble", target)).header(fixture::header("trouble"));
        }
        config.set("telemetry", table(&json!({"endpoint": endpoint})));
        more(config);
    })
}

fn table(value: &Value) -> toml::Table {
    toml::Table::try_from(value).unwrap()
}

fn call(bridge: &Bridge, library: &str, function: &str, args: &Value, traceparent: &str) -> Answer {
    let target = format!("/v1/libraries/{library}/functions/{function}");
    let request = bridge.client().request("POST", &target).body("application/json", args.to_string());
    request.header("traceparent", traceparent).send()
}

/// The trace that the history has for a call.
fn recorded(bridge: &Bridge, id: &str) -> Value {
    within(5.0, "the call is in the history", || {
        let call = bridge.client().get(&format!("/v1/calls/{id}")).ok();
        Some(call["trace_id"].clone()).filter(|id| !id.is_null())
    })
}

fn bare(id: &str) -> String {
    id.replace('-', "")
}

/// The spans by their names, both that are called `marshal` as `marshal 1` and `marshal 2`.
fn by_name(spans: &[Span]) -> HashMap<String, &Span> {
    let mut named = HashMap::new();
    for span in spans {
        let first = !named.contains_key("marshal 1");
        let name = match span.name.as_str() {
            "marshal" => format!("marshal {}", if first { 1 } else { 2 }),
            name => name.to_owned(),
        };
        assert!(named.insert(name, span).is_none(), "two spans are called {}", span.name);
    }
    named
}

fn millis(span: &Span) -> u64 {
    (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000_000
}

#[test]
fn a_call_is_a_part_of_its_clients_trace_and_its_own_parts_lie_where_they_were() {
    let collector = Collector::start();
    let bridge = traced(&collector.endpoint, |_| {});
    for target in TARGETS {
        let name = target.name();
        let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let answer = call(&bridge, name, "Nap", &json!({"milliseconds": 80}), &sampled());
        let id = answer.ok()["call_id"].as_str().unwrap().to_owned();
        let own = &bare(&id)[16..];
        assert_eq!(answer.header("traceresponse"), Some(format!("00-{TRACE}-{own}-01").as_str()), "{target}");
        assert_eq!(recorded(&bridge, &id), TRACE, "{target}");

        let mut spans = collector.trace("bridge32.call_id", &id);
        let root =
            spans.iter().find(|span| attribute(span, "bridge32.call_id").as_deref() == Some(&id)).unwrap().clone();
        // Those of the targets before have the same trace.
        spans.retain(|span| span.start_time_unix_nano >= root.start_time_unix_nano);
        let spans = by_name(&spans);
        assert_eq!(spans.len(), 7, "{:?}", spans.keys());
        let route = "/v1/libraries/{library}/functions/{function}";
        assert_eq!((root.name.as_str(), root.kind()), (format!("POST {route}").as_str(), SpanKind::Server));
        assert_eq!(
            (hex(&root.trace_id), hex(&root.span_id), hex(&root.parent_span_id)),
            (TRACE.into(), own.into(), CLIENT.into())
        );
        assert!(u128::from(root.start_time_unix_nano) + 5_000_000 > before, "{target}");
        for (child, parent) in [
            ("verify", &root),
            ("queue", &root),
            ("agent", &root),
            ("marshal 1", spans["agent"]),
            ("library", spans["agent"]),
            ("marshal 2", spans["agent"]),
        ] {
            let child = spans[child];
            assert_eq!(child.parent_span_id, parent.span_id, "{} on {target}", child.name);
            assert_eq!(child.trace_id, root.trace_id);
            assert!(child.start_time_unix_nano >= parent.start_time_unix_nano, "{} on {target}", child.name);
            assert!(child.end_time_unix_nano <= parent.end_time_unix_nano, "{} on {target}", child.name);
        }
        assert!((75..400).contains(&millis(spans["library"])), "{target}: {:?}", spans["library"]);
        assert!(millis(spans["marshal 1"]) < 50 && millis(spans["verify"]) < 50, "{target}");
        for (name, value) in [
            ("http.request.method", "POST"),
            ("http.route", route),
            ("http.response.status_code", "200"),
            ("url.path", &format!("/v1/libraries/{target}/functions/Nap")),
            ("bridge32.library", name),
            ("bridge32.function", "Nap"),
            ("bridge32.agent", name),
            ("bridge32.execution", "ran"),
            ("bridge32.attempts", "0"),
        ] {
            assert_eq!(attribute(&root, name).as_deref(), Some(value), "{name} on {target}");
        }
        assert_eq!(root.status.clone().unwrap_or_default().code(), StatusCode::Unset);
    }
    let request = collector.requests().remove(0);
    assert_eq!(request.target, "POST /v1/traces");
    let resource = request.traces.resource_spans[0].resource.clone().unwrap();
    assert_eq!(value(&resource.attributes, "service.name").as_deref(), Some("bridge32"));
}

#[test]
fn a_call_whose_client_names_no_trace_has_one_of_its_own() {
    let collector = Collector::start();
    let bridge = traced(&collector.endpoint, |config| {
        let headers = json!({"authorization": "Bearer hunter2"});
        let telemetry = json!({"endpoint": collector.endpoint, "service_name": "till", "headers": headers});
        config.set("telemetry", table(&telemetry));
    });
    let zeros = "0".repeat(32);
    for traceparent in ["nonsense", &format!("00-{zeros}-{CLIENT}-01"), &format!("ff-{TRACE}-{CLIENT}-01")] {
        let answer = call(&bridge, "linux32", "Print", &json!({"text": ""}), traceparent);
        let id = answer.ok()["call_id"].as_str().unwrap().to_owned();
        let trace = bare(&id);
        assert_eq!(answer.header("traceresponse"), Some(format!("00-{trace}-{}-01", &trace[16..]).as_str()));
        assert_eq!(recorded(&bridge, &id), trace);
        let spans = collector.trace("bridge32.call_id", &id);
        assert_eq!((spans.len(), hex(&spans[0].trace_id), spans[0].parent_span_id.len()), (7, trace, 0));
    }
    let request = collector.requests().remove(0);
    let resource = request.traces.resource_spans[0].resource.clone().unwrap();
    assert_eq!(value(&resource.attributes, "service.name").as_deref(), Some("till"));
    assert!(request.headers.contains(&("authorization".to_owned(), "Bearer hunter2".to_owned())));
    assert!(!bridge.log().contains("hunter2"));
}

#[test]
fn what_the_client_does_not_want_is_not_sent() {
    let collector = Collector::start();
    let bridge = traced(&collector.endpoint, |_| {});
    let unwanted = call(&bridge, "linux32", "Print", &json!({"text": ""}), &format!("00-{TRACE}-{CLIENT}-00"));
    assert!(unwanted.header("traceresponse").unwrap().ends_with("-00"));
    let wanted = bridge.call("linux32", "Print", json!({"text": ""})).ok()["call_id"].as_str().unwrap().to_owned();
    collector.trace("bridge32.call_id", &wanted);
    assert!(collector.spans().iter().all(|span| hex(&span.trace_id) != TRACE));
    assert_eq!(recorded(&bridge, unwanted.ok()["call_id"].as_str().unwrap()), TRACE);
}

#[test]
fn a_crash_is_an_error_of_its_trace_in_the_report_and_in_the_log() {
    let collector = Collector::start();
    let bridge = traced(&collector.endpoint, |config| {
        config.env("BRIDGE32_LOG__FORMAT", "json");
    });
    for target in TARGETS {
        let problem = call(&bridge, target.name(), "WriteToNull", &json!({}), &sampled()).refused(502, "agent_crashed");
        assert_eq!(problem["crash"]["trace_id"], TRACE, "{target}: {problem}");
        let id = problem["call_id"].as_str().unwrap();
        let spans = collector.trace("bridge32.call_id", id);
        let root = spans.iter().find(|span| attribute(span, "bridge32.call_id").as_deref() == Some(id)).unwrap();
        let status = root.status.clone().unwrap();
        assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "agent_crashed"), "{target}");
        assert_eq!(attribute(root, "error.type").as_deref(), Some("agent_crashed"));
        assert_eq!(attribute(root, "http.response.status_code").as_deref(), Some("502"));
        let line: Value = serde_json::from_str(&bridge.logs(&["a call failed", id])).unwrap();
        assert_eq!((&line["level"], &line["target"]), (&json!("WARN"), &json!("call")), "{line}");
        let fields = &line["fields"];
        assert_eq!((&fields["call"], &fields["trace_id"]), (&json!(id), &json!(TRACE)), "{line}");
        assert_eq!((&fields["code"], &fields["function"]), (&json!("agent_crashed"), &json!("WriteToNull")), "{line}");
    }
    for line in bridge.log().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z') && time.contains('T'), "{line}");
        assert!(
            line["fields"]["message"].is_string() && line["level"].is_string() && line["target"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn the_calls_of_a_batch_are_below_its_request() {
    let collector = Collector::start();
    let bridge = traced(&collector.endpoint, |_| {});
    let calls = [("Print", json!({"text": ""})), ("Nap", json!({"milliseconds": "?"})), ("Print", json!({"text": ""}))];
    let outcomes = bridge.batch("linux32", true, &calls);
    let first = outcomes[0]["call_id"].as_str().unwrap();
    let spans = within(10.0, "all of the batch is there", || {
        Some(collector.trace("bridge32.call_id", first))
            .filter(|spans| spans.iter().any(|span| span.kind() == SpanKind::Server))
    });
    let root = spans.iter().find(|span| span.kind() == SpanKind::Server).unwrap();
    assert_eq!(root.name, "POST /v1/libraries/{library}/batches");
    assert_eq!(Some(hex(&root.trace_id)), attribute(root, "bridge32.batch").map(|id| bare(&id)));
    let told: Vec<_> = spans.iter().filter(|span| span.name == "call").collect();
    assert!(told.len() == 3 && told.iter().all(|span| span.parent_span_id == root.span_id), "{told:?}");
    let code = |span: &Span| attribute(span, "error.type");
    assert_eq!(told.iter().filter_map(|span| code(span)).collect::<Vec<_>>(), ["argument_mismatch", "batch_stopped"]);
}

#[test]
fn a_collector_that_is_away_or_never_answers_holds_up_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let away = format!("http://127.0.0.1:{}", servers::free_port());
    for endpoint in [silent, away] {
        let mut bridge = traced(&endpoint, |_| {});
        let start = Instant::now();
        for _ in 0..50 {
            bridge.call("linux32", "Print", json!({"text": ""})).ok();
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let lost = "the spans of calls are lost";
        within(30.0, "the log says so", || {
            bridge.log().lines().find(|line| line.contains(lost) && line.contains("WARN")).map(drop)
        });
        let start = Instant::now();
        bridge.call("linux32", "Print", json!({"text": ""})).ok();
        bridge.terminate();
        assert!(bridge.wait().success());
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
        assert_eq!(bridge.log().matches("the spans of calls are lost").count(), 1);
    }
}

#[test]
fn a_collector_that_nobody_here_wrote_takes_the_spans() {
    let folder = tempfile::tempdir().unwrap();
    let (grpc, http) = (servers::free_port(), servers::free_port());
    let mut rotel = servers::program("rotel");
    rotel.args(["start", "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"]);
    rotel.arg(format!("--otlp-grpc-endpoint=127.0.0.1:{grpc}"));
    rotel.arg(format!("--otlp-http-endpoint=127.0.0.1:{http}"));
    rotel.current_dir(folder.path());
    let mut rotel = Server::start(rotel, &folder.path().join("collector.log"));
    let bridge = traced(&format!("http://127.0.0.1:{http}"), |_| {});
    rotel.ready(30.0, "the collector listens", |_| std::net::TcpStream::connect(("127.0.0.1", http)).ok());
    let id = call(&bridge, "linux32", "Print", &json!({"text": ""}), &sampled()).ok()["call_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let text =
        rotel.ready(30.0, "the collector shows the call", |rotel| Some(rotel.log()).filter(|text| text.contains(&id)));
    for part in [
        TRACE,
        CLIENT,
        &bare(&id)[16..],
        "verify",
        "queue",
        "agent",
        "marshal",
        "library",
        "bridge32.function",
        "Print",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
