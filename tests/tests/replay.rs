//! Calls of the history are made again: as they were, and with another version of their library.

use std::path::Path;

use bridge32_tests::{Answer, Bridge, Config, HOME, Value, base64, fixture, json, within};

/// Two builds of zlib that nobody here made, one for ELF and one for Windows, and a library that counts its calls, twice.
fn bridge(configure: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/zlib.h");
        config.library("z", "/usr/lib32/libz.so.1").header(&header);
        config.library("next", "/usr/i686-w64-mingw32/lib/zlib1.dll").header(&header);
        for name in ["counted", "again"] {
            config.library(name, fixture::library("counted", HOME)).header(fixture::header("counted"));
        }
        let mut secretive = config.library("secretive", fixture::library("trouble", HOME));
        secretive.declares("/** @sensitive value */ int EchoInt(int value); void Print(const char *text);");
        configure(config);
    })
}

fn replay(bridge: &Bridge, call: &Value, body: &Value) -> Answer {
    let id = call["call_id"].as_str().unwrap();
    bridge.client().post(&format!("/v1/calls/{id}/replay"), body)
}

fn refused(bridge: &Bridge, call: &Value, body: &Value) -> String {
    let problem = replay(bridge, call, body).refused(409, "not_replayable");
    assert_eq!(problem["execution"], "not_run", "{problem}");
    problem["detail"].as_str().unwrap().to_owned()
}

#[test]
fn another_build_of_a_library_answers_as_the_first_one_did() {
    let bridge = bridge(|_| {});
    let crc = bridge.call("z", "crc32", json!({"crc": 0, "buf": base64(b"123456789")})).ok();
    let packed = bridge.call("z", "compress", json!({"source": base64([7; 5000]), "destLen": 100})).ok();
    for call in [&crc, &packed] {
        for body in [json!({}), json!({"library": "next"})] {
            let replay = replay(&bridge, call, &body).ok();
            assert_eq!((&replay["same"], &replay["differences"]), (&json!(true), &json!([])), "{replay}");
            assert_eq!(
                (&replay["replay_of"], &replay["after"]["outcome"]["result"]),
                (&call["call_id"], &call["result"])
            );
            let id = replay["call_id"].as_str().unwrap();
            let row = bridge.client().get(&format!("/v1/calls/{id}")).ok();
            assert_eq!((&row["replay_of"], &row["library"]), (&call["call_id"], &replay["library"]));
        }
    }
}

#[test]
fn what_is_another_is_pointed_at() {
    let bridge = bridge(|_| {});
    let first = bridge.call("counted", "TakeInt", json!({"value": 1})).ok();
    let second = replay(&bridge, &first, &json!({})).ok();
    assert_eq!(second["same"], false, "the library counts");
    assert_eq!(second["differences"], json!([{"pointer": "/result", "before": 1, "after": 2}]));
    let elsewhere = replay(&bridge, &first, &json!({"library": "again"})).ok();
    assert_eq!((&elsewhere["same"], &elsewhere["library"]), (&json!(true), &json!("again")));
    let wrong = bridge.call("counted", "TakeInt", json!({"value": "x"})).refused(422, "argument_mismatch");
    let again = replay(&bridge, &wrong, &json!({})).ok();
    assert_eq!((&again["same"], &again["after"]["code"]), (&json!(true), &json!("argument_mismatch")), "{again}");
}

#[test]
fn ad_hoc_calls_are_made_again_with_their_prototype() {
    let bridge = bridge(|_| {});
    let body = json!({"prototype": "int Taken(int value)", "export": "TakeInt", "args": {"value": 4}});
    let call = bridge.client().post("/v1/libraries/counted/calls", &body).ok();
    assert_eq!(replay(&bridge, &call, &json!({"library": "again"})).ok()["same"], true);
    assert_eq!(replay(&bridge, &call, &json!({})).ok()["after"]["outcome"]["result"], 2);
}

/// What a replay of many calls tells of them, and its summary.
fn replay_many(bridge: &Bridge, query: &str, body: &Value) -> (Vec<Value>, Value) {
    let answer = bridge.client().post(&format!("/v1/replays?{query}"), body);
    let answer = answer.ok();
    (answer["replays"].as_array().unwrap().clone(), answer["summary"].clone())
}

#[test]
fn another_version_is_tried_with_everything_that_the_first_one_was_asked() {
    let bridge = bridge(|_| {});
    for text in ["a", "b", "c"] {
        bridge.call("z", "crc32", json!({"crc": 0, "buf": base64(text.as_bytes())})).ok();
    }
    bridge.call("z", "zlibVersion", json!({})).ok();
    let (lines, summary) = replay_many(&bridge, "library=z&function=crc32", &json!({"library": "next"}));
    assert_eq!((lines.len(), &summary), (0, &json!({"same": 3, "different": 0, "refused": 0})));
    for value in [1, 2] {
        bridge.call("counted", "TakeInt", json!({"value": value})).ok();
    }
    let secret = bridge.call("secretive", "EchoInt", json!({"value": 5})).ok();
    let (lines, summary) = replay_many(&bridge, "library=counted&limit=2", &json!({"library": "again"}));
    assert_eq!((lines.len(), &summary["same"]), (0, &json!(2)), "in their order: it counts");
    let (lines, summary) = replay_many(&bridge, "library=counted&limit=1", &json!({}));
    assert_eq!(summary, json!({"same": 0, "different": 1, "refused": 0}));
    assert_eq!(lines[0]["different"]["differences"], json!([{"pointer": "/result", "before": 2, "after": 3}]));
    let (lines, summary) = replay_many(&bridge, "library=secretive", &json!({}));
    assert_eq!((&summary["refused"], &lines[0]["refused"]["replay_of"]), (&json!(1), &secret["call_id"]));
    assert_eq!(lines[0]["refused"]["problem"]["code"], "not_replayable");
    bridge.client().post("/v1/replays?limit=0", &json!({})).refused(400, "malformed_request");
    bridge.client().post("/v1/replays?libary=z", &json!({})).refused(400, "malformed_request");
    bridge.client().post("/v1/replays", &json!({"library": "none"})).refused(404, "unknown_library");
}

#[test]
fn what_cannot_be_made_again_as_it_was_is_refused_with_the_reason() {
    let bridge = bridge(|config| {
        config.set("history", toml::Table::from_iter([("max_text".to_owned(), toml::Value::from(100))]));
    });
    let secret = bridge.call("secretive", "EchoInt", json!({"value": 5})).ok();
    assert!(refused(&bridge, &secret, &json!({})).contains("sensitive"));
    let long = bridge.call("z", "crc32", json!({"crc": 0, "buf": base64([1; 500])})).ok();
    assert!(refused(&bridge, &long, &json!({})).contains("max_text"));
    let calls = json!({"calls": [{"function": "TakeInt", "args": {"value": 1}},
        {"function": "TakeInt", "args": {"value": {"$ref": "0.result"}}}]});
    let batch = bridge.client().post("/v1/libraries/counted/batches", &calls).ok();
    assert!(refused(&bridge, &batch["outcomes"][1], &json!({})).contains("$ref"));
    assert_eq!(replay(&bridge, &batch["outcomes"][0], &json!({})).ok()["after"]["status"], 200);
    let call = bridge.call("counted", "TakeInt", json!({"value": 1})).ok();
    replay(&bridge, &call, &json!({"library": "z"})).refused(404, "unknown_function");
    replay(&bridge, &call, &json!({"library": "none"})).refused(404, "unknown_library");
    replay(&bridge, &call, &json!({"libary": "z"})).refused(400, "malformed_request");
    replay(&bridge, &json!({"call_id": "019c0f4e-6d2a-7c31-9f6e-0a4f2a8e6b11"}), &json!({}))
        .refused(404, "unknown_call");
}

#[test]
fn a_handle_of_a_process_that_is_gone_is_refused() {
    let bridge = bridge(|_| {});
    let block = bridge.client().post("/v1/libraries/z/memory", &json!({"size": 8})).is(201);
    let call = bridge.call("z", "crc32", json!({"crc": 0, "buf": block["handle"], "len": 8})).ok();
    assert_eq!(replay(&bridge, &call, &json!({})).ok()["after"]["status"], 200, "the block lives");
    assert!(refused(&bridge, &call, &json!({"library": "next"})).contains("no other library"));
    let handle = block["handle"].as_str().unwrap();
    bridge.client().delete(&format!("/v1/libraries/z/memory/{handle}")).done();
    assert!(refused(&bridge, &call, &json!({})).contains("does not live any more"));
    bridge.client().request("POST", "/v1/agents/z/restart").send().is(202);
    within(10.0, "the next process", || (bridge.generation("z") > 1).then_some(()));
    assert!(refused(&bridge, &call, &json!({})).contains("is over"));
}

#[test]
fn whoever_may_not_call_a_function_may_not_replay_it_either() {
    let mut keys = Vec::new();
    let bridge = Bridge::start(|config| {
        config.library("counted", fixture::library("counted", HOME)).header(fixture::header("counted"));
        let scopes: [(&str, &[&str]); 4] = [
            ("caller", &["call:counted", "read"]),
            ("reader", &["history"]),
            ("other", &["call:counted"]),
            ("manager", &["manage", "call:counted"]),
        ];
        keys.extend(scopes.map(|(id, scopes)| config.key(id, scopes)));
    });
    let [caller, reader, other, manager] = [0, 1, 2, 3].map(|index| bridge.client().with_key(Some(&keys[index])));
    let call = caller.post("/v1/libraries/counted/functions/TakeInt", &json!({"value": 1})).ok();
    let path = format!("/v1/calls/{}/replay", call["call_id"].as_str().unwrap());
    reader.post(&path, &json!({})).refused(403, "forbidden");
    other.post(&path, &json!({})).refused(404, "unknown_call");
    assert_eq!(caller.post(&path, &json!({})).ok()["after"]["outcome"]["result"], 2, "its own");
    // Who may manage may know that there were calls, and not with what.
    assert_eq!(manager.get("/v1/calls").ok()["calls"].as_array().unwrap().len(), 2);
    assert_eq!(manager.get("/v1/calls?text=value").ok()["calls"], json!([]));
    assert_eq!(manager.get("/v1/calls/export").text, "");
    assert_eq!(
        manager.post("/v1/replays", &json!({})).ok()["summary"],
        json!({"same": 0, "different": 0, "refused": 0})
    );
}
