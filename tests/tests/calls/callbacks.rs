//! Functions of the client's that a library calls: what it is answered, what is told of it, and what it may not be.

use bridge32_tests::events::Events;
use bridge32_tests::{Bridge, TARGETS, TARGETS_32, Target, Value, json};

use crate::on_all_targets;

fn callbacks() -> Bridge {
    on_all_targets("callbacks")
}

#[test]
fn a_constant_is_answered_to_every_call() {
    let bridge = callbacks();
    for target in TARGETS {
        for function in ["Sum", "StdSum"] {
            for returns in [0, 7, -3] {
                let arguments = json!({"count": 10, "visit": {"returns": returns}});
                let body = bridge.call(target.name(), function, arguments).ok();
                assert_eq!(body["result"], 10 * returns, "{function} on {target}: {body}");
                assert_eq!(body["outputs"]["visit"]["count"], 10, "{function} on {target}: {body}");
            }
        }
    }
}

#[test]
fn a_table_answers_by_the_arguments() {
    let bridge = callbacks();
    let table = json!([{"when": {"index": 1}, "returns": 10}, {"when": {"index": 3}, "returns": 100}]);
    for target in TARGETS {
        let arguments = json!({"count": 5, "visit": {"returns": 1, "table": table}});
        assert_eq!(bridge.call(target.name(), "Sum", arguments).result(), 113, "{target}");
    }
}

#[test]
fn an_enumeration_is_stopped_after_so_many() {
    let bridge = callbacks();
    for target in TARGETS {
        for wanted in [1, 3] {
            let next = json!({"returns": true, "stop_after": wanted, "stop_returns": false, "record": true});
            let body = bridge.call(target.name(), "Enumerate", json!({"limit": 1000, "next": next})).ok();
            assert_eq!(body["result"], wanted, "{target}: {body}");
            let told = &body["outputs"]["next"];
            let last = told["invocations"].as_array().unwrap().last().unwrap();
            assert_eq!(last, &json!({"args": {"index": wanted - 1}, "returned": false}), "{target}: {told}");
        }
    }
}

#[test]
fn every_invocation_is_recorded_up_to_a_limit() {
    let bridge = callbacks();
    for target in TARGETS {
        let sum = |visit: Value| {
            let body = bridge.call(target.name(), "Sum", json!({"count": 20, "visit": visit})).ok();
            body["outputs"]["visit"].clone()
        };
        let told = sum(json!({"returns": 2, "record": true}));
        let expected: Vec<Value> = (0..20).map(|index| json!({"args": {"index": index}, "returned": 2})).collect();
        assert_eq!((&told["count"], &told["invocations"]), (&json!(20), &json!(expected)), "{target}");
        let told = sum(json!({"returns": 2, "record": true, "limit": 5}));
        assert_eq!(told["invocations"].as_array().map(Vec::len), Some(5), "{target}: {told}");
        assert_eq!((&told["count"], &told["dropped"]), (&json!(20), &json!(15)), "{target}: {told}");
    }
}

#[test]
fn arguments_of_every_kind_arrive() {
    let bridge = callbacks();
    for target in TARGETS {
        let mixed = json!({"returns": -5_000_000_000_i64, "record": true});
        let body = bridge.call(target.name(), "Mixed", json!({"mixed": mixed})).ok();
        assert_eq!(body["result"], -4_999_999_999_i64, "{target}: {body}");
        let args = &body["outputs"]["mixed"]["invocations"][0]["args"];
        let expected = json!({"a": -1, "b": -9_000_000_000_000_i64, "c": 0.1, "d": 0.5, "e": true, "f": "text"});
        assert_eq!(args, &expected, "{target}");
        let body = bridge.call(target.name(), "StdMixed", json!({"mixed": {"returns": 4, "record": true}})).ok();
        assert_eq!(body["result"], 43, "{target}: {body}");
        let args = &body["outputs"]["mixed"]["invocations"][0]["args"];
        assert_eq!(args, &json!({"a": 1.5, "b": -2, "c": 1_i64 << 40}), "{target}");
    }
}

#[test]
fn structures_arrive_but_cannot_be_answered() {
    let bridge = callbacks();
    for target in TARGETS {
        let weight = json!({"returns": 1.5, "record": true});
        let body = bridge.call(target.name(), "Weigh", json!({"count": 2, "weight": weight})).ok();
        assert_eq!(body["result"], 3.0, "{target}: {body}");
        let seen: Vec<&Value> =
            body["outputs"]["weight"]["invocations"].as_array().unwrap().iter().map(|one| &one["args"]).collect();
        let first = json!({"id": 1, "weight": 0.5});
        assert_eq!(seen[0], &json!({"item": first, "previous": null}), "{target}");
        assert_eq!(seen[1], &json!({"item": {"id": 2, "weight": 1.0}, "previous": first}), "{target}");
        let arguments = json!({"make": {"returns": {"id": 9, "weight": 0.25}}});
        bridge.call(target.name(), "Make", arguments).refused(422, "unsupported_declaration");
    }
}

#[test]
fn a_callback_may_be_left_out_where_the_header_allows_it() {
    let bridge = callbacks();
    for target in TARGETS {
        let is_there = |arguments: Value| bridge.call(target.name(), "IsThere", arguments).result();
        assert_eq!(is_there(json!({"visit": null})), false, "{target}");
        assert_eq!(is_there(json!({})), false, "{target}");
        assert_eq!(is_there(json!({"visit": {"returns": 0}})), true, "{target}");
        bridge.call(target.name(), "Sum", json!({"count": 1, "visit": null})).mismatch("/visit");
        bridge.call(target.name(), "Sum", json!({"count": 1})).mismatch("/visit");
    }
}

#[test]
fn a_wrong_description_is_refused_before_the_call() {
    let bridge = callbacks();
    let wrong = [
        json!(true),
        json!(0x0804_8000),
        json!([]),
        json!("return 0"),
        json!({"returns": "text"}),
        json!({"returns": 2_147_483_648_u32}),
        json!({"returns": 0, "retruns": 1}),
        json!({"returns": 0, "record": "yes"}),
        json!({"returns": 0, "table": {}}),
        json!({"returns": 0, "table": [{"when": {"indexx": 1}, "returns": 1}]}),
        json!({"returns": 0, "table": [{"when": {"index": 1}}]}),
        json!({"returns": 0, "stop_after": -1, "stop_returns": 0}),
        json!({"compare": ["index"]}),
        json!({"compare": ["index", "other"]}),
        json!({"returns": 0, "limit": -1}),
    ];
    for target in TARGETS {
        for visit in &wrong {
            bridge.call(target.name(), "Sum", json!({"count": 1, "visit": visit})).mismatch_within("/visit");
        }
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
}

#[test]
fn ten_thousand_calls_in_one() {
    let bridge = callbacks();
    for target in TARGETS {
        let arguments = json!({"count": 10_000, "visit": {"returns": 1}});
        assert_eq!(bridge.call(target.name(), "Sum", arguments).result(), 10_000, "{target}");
        let arguments = json!({"depth": 100, "visit": {"returns": 1}});
        assert_eq!(bridge.call(target.name(), "Nested", arguments).result(), 101, "{target}");
    }
}

/// Subscribes to `count` events, and gives the callback's id.
fn subscribe(bridge: &Bridge, target: Target, count: u64, milliseconds: u64) -> String {
    let arguments = json!({"count": count, "milliseconds": milliseconds, "event": {"stream": true}});
    let body = bridge.call(target.name(), "Subscribe", arguments).ok();
    body["outputs"]["event"]["id"].as_str().unwrap_or_else(|| panic!("no id on {target}: {body}")).to_owned()
}

#[test]
fn events_of_a_librarys_own_thread_are_streamed() {
    let bridge = callbacks();
    for target in TARGETS_32 {
        let id = subscribe(&bridge, target, 20, 10);
        let mut events = Events::open(bridge.client(), &format!("/v1/callbacks/{id}/events"), None);
        for number in 1..=20 {
            let event = events.next(10);
            assert_eq!(event.id, Some(number), "{target}: {event:?}");
            let args = json!({"number": number, "text": format!("event {number}"),
                "item": {"id": number, "weight": number_as_weight(number)}});
            assert_eq!(event.data["args"], args, "{target}");
        }
        bridge.call(target.name(), "Join", json!({})).ok();
        let list = bridge.client().get(&format!("/v1/libraries/{target}/callbacks")).ok();
        let listed = &list["callbacks"][0];
        assert_eq!((&listed["id"], &listed["invocations"]), (&json!(id), &json!(20)), "{target}: {list}");
        assert_eq!((&listed["function"], &listed["parameter"]), (&json!("Subscribe"), &json!("event")), "{list}");
    }
}

fn number_as_weight(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap()) * 0.25
}

#[test]
fn a_client_that_comes_back_misses_nothing() {
    let bridge = callbacks();
    for target in TARGETS_32 {
        let id = subscribe(&bridge, target, 30, 5);
        let stream = format!("/v1/callbacks/{id}/events");
        let mut events = Events::open(bridge.client(), &stream, None);
        let seen: Vec<_> = (0..10).map(|_| events.next(10).id.unwrap()).collect();
        drop(events);
        bridge.call(target.name(), "Join", json!({})).ok();
        let mut events = Events::open(bridge.client(), &stream, seen.last().copied());
        let rest: Vec<_> = (10..30).map(|_| events.next(10).id.unwrap()).collect();
        assert_eq!([seen, rest].concat(), (1..=30).collect::<Vec<_>>(), "{target}");
        let mut again = Events::open(bridge.client(), &stream, Some(29));
        assert_eq!(again.next(10).id, Some(30), "{target}");
    }
}

#[test]
fn a_callback_that_was_given_up_or_never_was_has_no_events() {
    let bridge = callbacks();
    for target in TARGETS_32 {
        let id = subscribe(&bridge, target, 1, 0);
        bridge.call(target.name(), "Join", json!({})).ok();
        bridge.client().delete(&format!("/v1/callbacks/{id}")).done();
        let answer = bridge.client().get(&format!("/v1/callbacks/{id}/events"));
        assert!([404, 410].contains(&answer.status), "{target}: {}", answer.text);
        let list = bridge.client().get(&format!("/v1/libraries/{target}/callbacks")).ok();
        assert_eq!(list["callbacks"], json!([]), "{target}");
    }
    bridge.client().get("/v1/callbacks/nonsense/events").refused(404, "unknown_callback");
}

#[test]
fn the_stream_ends_with_its_process() {
    let bridge = callbacks();
    for target in TARGETS_32 {
        let id = subscribe(&bridge, target, 1, 0);
        let stream = format!("/v1/callbacks/{id}/events");
        let mut events = Events::open(bridge.client(), &stream, None);
        assert_eq!(events.next(10).id, Some(1), "{target}");
        bridge.client().request("POST", &format!("/v1/agents/{target}/restart")).send().is(202);
        let last = events.next(20);
        assert!(!last.name.is_empty() && last.id.is_none(), "an event that is no invocation on {target}: {last:?}");
        bridge.call_until(20.0, target.name(), "Sum", &json!({"count": 1, "visit": {"returns": 0}}));
        bridge.client().get(&stream).refused(410, "stale_handle");
    }
}
