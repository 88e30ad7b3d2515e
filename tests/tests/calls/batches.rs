//! Batches: calls that run one after the other, each with what the earlier ones gave.

use bridge32_tests::{Bridge, HOME, TARGETS, TARGETS_32, Value, json};

use crate::on_all_targets;

fn blocks() -> Bridge {
    on_all_targets("blocks")
}

#[test]
fn calls_take_what_earlier_ones_gave() {
    let bridge = blocks();
    for target in TARGETS {
        let counter = json!({"$ref": "0.result"});
        let outcomes = bridge.batch(
            target.name(),
            true,
            &[
                ("NewCounter", json!({"start": 5})),
                ("Count", json!({"counter": counter})),
                ("Count", json!({"counter": counter})),
                ("FillWith", json!({"size": {"$ref": "2.result"}, "value": {"$ref": "1.result"}})),
                ("SumOf", json!({"data": {"$ref": "3.outputs.data"}})),
                ("DropCounter", json!({"counter": counter})),
            ],
        );
        let results: Vec<&Value> = outcomes.iter().map(|outcome| &outcome["result"]).collect();
        assert!(results[0].is_string(), "{target}: {outcomes:?}");
        assert_eq!(results[1..], [&json!(5), &json!(6), &Value::Null, &json!(30), &Value::Null], "{target}");
        let ids: std::collections::BTreeSet<&str> =
            outcomes.iter().map(|outcome| outcome["call_id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), outcomes.len(), "each is a call of its own on {target}");
        assert!(outcomes.iter().all(|outcome| outcome["duration_us"].is_number()), "{target}: {outcomes:?}");
    }
}

#[test]
fn a_reference_reaches_into_objects_and_lists() {
    let bridge = on_all_targets("passing");
    for target in TARGETS {
        let outcomes = bridge.batch(
            target.name(),
            true,
            &[
                ("FillPairs", json!({"count": 3})),
                ("StdMakePair", json!({"x": {"$ref": "0.outputs.pairs.2.x"}, "y": {"$ref": "0.outputs.pairs.1.y"}})),
                ("StdPair", json!({"a": 1, "pair": {"$ref": "1.result"}, "b": 9})),
                ("SumPairs", json!({"pairs": {"$ref": "0.outputs.pairs"}})),
            ],
        );
        assert_eq!(outcomes[1]["result"], json!({"x": 2, "y": -1}), "{target}");
        assert_eq!(outcomes[2]["result"], 1000 + 200 - 10 + 9, "{target}");
        assert_eq!(outcomes[3]["result"], json!({"x": 3, "y": -3}), "{target}");
    }
}

#[test]
fn a_reference_to_nothing_is_an_argument_that_is_wrong() {
    let bridge = blocks();
    for target in TARGETS_32 {
        for wrong in ["1.result", "7.result", "0.outputs.nothing", "0", "", "x.result", "0.result.deeper", "-1.result"]
        {
            let calls =
                [("LiveTexts", json!({})), ("NewCounter", json!({"start": {"$ref": wrong}})), ("LiveTexts", json!({}))];
            let outcomes = bridge.batch(target.name(), false, &calls);
            assert_eq!(outcomes[0]["result"], 0, "{target}");
            let refused = &outcomes[1];
            assert_eq!(
                (&refused["code"], &refused["execution"]),
                (&json!("argument_mismatch"), &json!("not_run")),
                "{wrong}: {refused}"
            );
            assert!(refused["pointer"].as_str().unwrap_or_default().ends_with("/start"), "{wrong}: {refused}");
            assert_eq!(outcomes[2]["result"], 0, "{target}");
        }
    }
}

#[test]
fn after_a_failure_the_rest_is_left_alone_or_not() {
    let bridge = blocks();
    for target in TARGETS_32 {
        let calls = [
            ("LiveTexts", json!({})),
            ("NewCounter", json!({"start": "five"})),
            ("Count", json!({"counter": {"$ref": "1.result"}})),
            ("ReadPair", json!({"pair": [4, 2]})),
        ];
        let outcomes = bridge.batch(target.name(), true, &calls);
        let codes: Vec<&Value> = outcomes.iter().map(|outcome| &outcome["code"]).collect();
        let stopped = json!("batch_stopped");
        assert_eq!(codes, [&Value::Null, &json!("argument_mismatch"), &stopped, &stopped], "{target}");
        assert_eq!(outcomes[3]["execution"], "not_run", "{target}");
        let outcomes = bridge.batch(target.name(), false, &calls);
        assert_eq!(outcomes[2]["code"], "argument_mismatch", "there is no counter on {target}: {}", outcomes[2]);
        assert_eq!(outcomes[3]["result"], 42, "{target}: {}", outcomes[3]);
    }
}

#[test]
fn a_batch_that_cannot_be_read_runs_nothing() {
    let bridge = blocks();
    let post = |body: Value| bridge.client().post(&format!("/v1/libraries/{HOME}/batches"), &body);
    for body in [
        json!({}),
        json!({"calls": []}),
        json!({"calls": {}}),
        json!({"calls": [{"args": {}}]}),
        json!({"calls": [{"function": "LiveTexts", "args": []}]}),
        json!({"calls": [{"function": "LiveTexts", "more": 1}]}),
        json!({"calls": [{"function": "LiveTexts"}], "stop": true}),
    ] {
        post(body).refused(400, "malformed_request");
    }
    post(json!({"calls": [{"function": "LiveTexts"}, {"function": "Nothing"}]})).refused(404, "unknown_function");
    let answer = post(json!({"calls": [{"function": "LiveTexts"}, {"prototype": "int LiveTexts(void)"}]})).ok();
    assert_eq!(answer["outcomes"][1]["result"], 0, "{answer}");
}

#[test]
fn a_crash_in_the_middle_leaves_what_was_done() {
    let bridge = on_all_targets("trouble");
    for target in TARGETS_32 {
        let calls = [("EchoInt", json!({"value": 1})), ("WriteToNull", json!({})), ("EchoInt", json!({"value": 3}))];
        for stop in [true, false] {
            let outcomes = bridge.batch(target.name(), stop, &calls);
            assert_eq!(outcomes[0]["result"], 1, "{target}: {outcomes:?}");
            assert_eq!(outcomes[1]["code"], "agent_crashed", "{target}: {outcomes:?}");
            assert_eq!(outcomes[1]["execution"], "may_have_run", "{target}: {outcomes:?}");
            assert_eq!(outcomes[2].get("result"), None, "{target}: {outcomes:?}");
            assert!(outcomes[2]["code"].is_string(), "{target}: {outcomes:?}");
            bridge.call_until(10.0, target.name(), "EchoInt", &json!({"value": 5}));
        }
    }
}

#[test]
fn nothing_runs_between_the_calls_of_a_batch() {
    let bridge = blocks();
    for target in TARGETS_32 {
        let name = target.name();
        let shared = bridge.call(name, "NewCounter", json!({"start": 0})).result();
        let count = json!({"counter": shared});
        let one = || bridge.call(name, "Count", count.clone()).result();
        let many = || -> Vec<i64> {
            let outcomes = bridge.batch(name, true, &vec![("Count", count.clone()); 20]);
            outcomes.iter().map(|outcome| outcome["result"].as_i64().unwrap()).collect()
        };
        std::thread::scope(|scope| {
            let singles = scope.spawn(|| (0..100).for_each(|_| drop(one())));
            for _ in 0..10 {
                let values = many();
                assert!(values.windows(2).all(|pair| pair[1] == pair[0] + 1), "{target}: {values:?}");
            }
            singles.join().unwrap();
        });
        assert_eq!(one(), 300, "{target}");
    }
}
