//! Wrong arguments: what is wrong is named, and nothing is called.

use bridge32_tests::{Answer, Bridge, TARGETS, json};

use crate::on_all_targets;

/// The bodies that are refused, with the function and the JSON pointer that the refusal must carry.
const WRONG: &[(&str, &str, &str)] = &[
    ("TakeInt", "{}", "/value"),
    ("TakeInt", r#"{"value": null}"#, "/value"),
    ("TakeInt", r#"{"value": 2147483648}"#, "/value"),
    ("TakeInt", r#"{"value": -2147483649}"#, "/value"),
    ("TakeInt", r#"{"value": 1.5}"#, "/value"),
    ("TakeInt", r#"{"value": 1e300}"#, "/value"),
    ("TakeInt", r#"{"value": 1e-300}"#, "/value"),
    ("TakeInt", r#"{"value": "1"}"#, "/value"),
    ("TakeInt", r#"{"value": true}"#, "/value"),
    ("TakeInt", r#"{"value": [1]}"#, "/value"),
    ("TakeInt", r#"{"value": {}}"#, "/value"),
    ("TakeInt", r#"{"value": 1, "other": 2}"#, "/other"),
    ("TakeInt", r#"{"value": 1, "Value": 2}"#, "/Value"),
    ("TakeInt", r#"{"value": 1, "a/b~c": 2}"#, "/a~1b~0c"),
    ("TakeInt", r#"{"value": 1, "value": 1}"#, "/value"),
    ("TakeByte", r#"{"value": 256}"#, "/value"),
    ("TakeByte", r#"{"value": -1}"#, "/value"),
    ("TakeWide", r#"{"value": 18446744073709551616}"#, "/value"),
    ("TakeWide", r#"{"value": -1}"#, "/value"),
    ("TakeWide", r#"{"value": "-1"}"#, "/value"),
    ("TakeWide", r#"{"value": "0x10"}"#, "/value"),
    ("TakeWide", r#"{"value": 340282366920938463463374607431768211457}"#, "/value"),
    ("TakeLong", r#"{"value": -1}"#, "/value"),
    ("TakeDouble", r#"{"value": "1.5"}"#, "/value"),
    ("TakeDouble", r#"{"value": 1e400}"#, "/value"),
    ("TakeDouble", r#"{"value": "nan"}"#, "/value"),
    ("TakeDouble", r#"{"value": null}"#, "/value"),
    ("TakeFloat", r#"{"value": 1e39}"#, "/value"),
    ("TakeBool", r#"{"value": 2}"#, "/value"),
    ("TakeBool", r#"{"value": "true"}"#, "/value"),
    ("TakeEnum", r#"{"answer": "MAYBE"}"#, "/answer"),
    ("TakeEnum", r#"{"answer": 2147483648}"#, "/answer"),
    ("TakeText", r#"{"text": 5}"#, "/text"),
    ("TakeText", r#"{"text": null}"#, "/text"),
    ("TakeText", r#"{"text": "a\u0000b"}"#, "/text"),
    ("TakeWestern", r#"{"text": "桥"}"#, "/text"),
    ("TakeBytes", r#"{"data": "not base64!"}"#, "/data"),
    ("TakeBytes", r#"{"data": "AAAA", "size": 4}"#, "/data"),
    ("TakeBytes", r#"{"size": 4}"#, "/data"),
    ("TakeBytes", r#"{"data": "AAAA", "size": "3"}"#, "/size"),
    ("TakeInts", r#"{"values": 5}"#, "/values"),
    ("TakeInts", r#"{"values": [1, "2"]}"#, "/values/1"),
    ("TakeInts", r#"{"values": [1, [2]]}"#, "/values/1"),
    ("TakeTwo", r#"{"a": [1], "b": [1, 2]}"#, "/b"),
    ("TakeOut", r#"{"size": -1}"#, "/size"),
    ("TakeOut", r#"{"size": 2147483647}"#, "/size"),
    ("TakeOut", r#"{"data": "AAAA", "size": 3}"#, "/data"),
    ("TakePointer", r#"{"value": null}"#, "/value"),
    ("TakePointer", "{}", "/value"),
    ("Give", r#"{"value": 1}"#, "/value"),
    ("TakeNothing", r#"{"value": 1}"#, "/value"),
    ("TakeMany", r#"{"a": 1, "c": 3}"#, "/b"),
];

fn calls_so_far(bridge: &Bridge, library: &str) -> u64 {
    bridge.call(library, "CallsSoFar", json!({})).result().as_u64().unwrap()
}

#[test]
fn a_wrong_argument_is_pointed_at_and_nothing_is_called() {
    let bridge = on_all_targets("counted");
    for target in TARGETS {
        for (function, body, pointer) in WRONG {
            let problem = bridge.call_raw(target.name(), function, body).refused(422, "argument_mismatch");
            assert_eq!(problem["pointer"], *pointer, "{function}({body}) on {target}: {problem}");
            assert_eq!(problem["execution"], "not_run", "{function}({body}) on {target}");
            assert!(problem["call_id"].is_string(), "{function}({body}) on {target}: {problem}");
        }
        assert_eq!(calls_so_far(&bridge, target.name()), 0, "{target}");
        bridge.call(target.name(), "TakeInt", json!({"value": 1})).ok();
        assert_eq!(calls_so_far(&bridge, target.name()), 1, "{target}: the counter counts");
    }
}

#[test]
fn the_words_say_what_is_expected() {
    let bridge = on_all_targets("counted");
    for target in TARGETS {
        let words = |function, body, pointer| bridge.call_raw(target.name(), function, body).mismatch(pointer);
        for (function, body, pointer, expected) in [
            ("TakeByte", r#"{"value": 256}"#, "/value", &["0", "255"][..]),
            ("TakeInt", "{}", "/value", &["value", "missing"]),
            ("TakeInt", r#"{"value": 1, "valeu": 2}"#, "/valeu", &["valeu", "value"]),
            ("TakeInt", r#"{"value": 1, "value": 2}"#, "/value", &["twice"]),
            ("TakePointer", r#"{"value": null}"#, "/value", &["null", "_In_opt_"]),
            ("TakeNothing", r#"{"x": 1}"#, "/x", &["none"]),
        ] {
            let text = words(function, body, pointer);
            assert!(expected.iter().all(|part| text.contains(part)), "{target}: {text}");
        }
    }
}

#[test]
fn a_huge_or_deeply_nested_argument_does_no_harm() {
    let bridge = on_all_targets("counted");
    let deep = format!("{{\"value\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_object = format!("{{\"value\":{}1{}}}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    let digits = format!("{{\"value\":{}}}", "9".repeat(1_000_000));
    let long_name = format!("{{\"{}\":1}}", "n".repeat(1_000_000));
    for target in TARGETS {
        for body in [&deep, &deep_object] {
            let answer = bridge.call_raw(target.name(), "TakeInt", body);
            assert!(matches!(answer.status, 400 | 422), "{target}: {}", answer.status);
            assert!(answer.text.len() < 2000, "{target}: the answer does not repeat the body");
        }
        let problem = bridge.call_raw(target.name(), "TakeInt", &digits);
        problem.mismatch("/value");
        assert!(problem.text.len() < 2000, "{target}: the answer does not repeat the body");
        let answer: Answer = bridge.call_raw(target.name(), "TakeInt", &long_name);
        answer.refused(422, "argument_mismatch");
        assert_eq!(calls_so_far(&bridge, target.name()), 0, "{target}");
        assert_eq!(bridge.generation(target.name()), 1, "{target}: the agent did not die of it");
    }
}

#[test]
fn a_body_that_is_no_json_object_is_malformed() {
    let bridge = on_all_targets("counted");
    for target in TARGETS {
        for body in
            ["{\"value\":", "{'value': 1}", "{\"value\": 1} x", "[1]", "5", "\"text\"", "null", "{\"value\": 01}"]
        {
            bridge.call_raw(target.name(), "TakeInt", body).refused(400, "malformed_request");
        }
        let target_path = format!("/v1/libraries/{target}/functions/TakeInt");
        let latin =
            bridge.client().request("POST", &target_path).body("application/json", b"{\"v\": \"\xe9\"}".as_slice());
        latin.send().refused(400, "malformed_request");
        assert_eq!(calls_so_far(&bridge, target.name()), 0, "{target}");
    }
}

#[test]
fn an_empty_body_means_no_arguments() {
    let bridge = on_all_targets("counted");
    for target in TARGETS {
        let path = format!("/v1/libraries/{target}/functions/TakeNothing");
        assert_eq!(bridge.client().request("POST", &path).send().result(), 1, "{target}");
    }
}

#[test]
fn a_body_must_say_that_it_is_json() {
    let bridge = on_all_targets("counted");
    for target in TARGETS {
        let path = format!("/v1/libraries/{target}/functions/TakeInt");
        for media_type in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"]
        {
            let request = bridge.client().request("POST", &path).body(media_type, "{\"value\": 1}");
            request.send().refused(415, "unsupported_media_type");
        }
        let request = bridge.client().request("POST", &path).body("application/json; charset=utf-8", "{\"value\": 1}");
        assert_eq!(request.send().result(), 1, "{target}");
    }
}

#[test]
fn a_body_that_is_too_large_is_refused_at_once() {
    let bridge = Bridge::start(|config| {
        config.set("max_body", "64KiB");
        for target in TARGETS {
            let file = bridge32_tests::fixture::library("counted", target);
            config.library(target.name(), file).header(bridge32_tests::fixture::header("counted"));
        }
    });
    let body = format!("{{\"text\": \"{}\"}}", "x".repeat(70_000));
    let fits = format!("{{\"text\": \"{}\"}}", "x".repeat(60_000));
    for target in TARGETS {
        bridge.call_raw(target.name(), "TakeText", &body).refused(413, "payload_too_large");
        assert_eq!(calls_so_far(&bridge, target.name()), 0, "{target}");
        assert_eq!(bridge.call_raw(target.name(), "TakeText", &fits).result(), 1, "{target}");
    }
}
