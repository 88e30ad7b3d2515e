//! Exported data, read and written; exports that have a number and no name.

use bridge32_tests::fixture::{self, Fixture};
use bridge32_tests::{Bridge, HOME, TARGETS, Target, Value, json};

use crate::on_all_targets;

fn variables() -> Bridge {
    on_all_targets("variables")
}

fn path(target: Target, name: &str) -> String {
    format!("/v1/libraries/{target}/variables/{name}")
}

#[test]
fn variables_are_read_with_their_types() {
    let bridge = variables();
    let expected = [
        ("counter", json!(5)),
        ("wide", json!(-9_000_000_000_i64)),
        ("ratio", json!(0.5)),
        ("ready", json!(true)),
        ("answer", json!(42)),
        ("title", json!("bridge")),
        ("label", json!("你好")),
        ("table", json!([1, 2, 3, 4])),
        ("setting", json!({"id": 7, "name": "eight888", "scale": 1.5})),
        ("version", json!("1.0 of the fixture")),
    ];
    for target in TARGETS {
        for (name, value) in &expected {
            assert_eq!(bridge.client().get(&path(target, name)).ok()["value"], *value, "{name} on {target}");
        }
        let list = bridge.client().get(&format!("/v1/libraries/{target}/variables")).ok()["variables"].clone();
        let names: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{target}");
        assert!(list.as_array().unwrap().iter().all(|one| one["callable"] == true), "{target}: {list}");
    }
}

#[test]
fn what_is_written_is_what_the_library_sees() {
    let bridge = variables();
    for target in TARGETS {
        let put = |name: &str, value: Value| {
            bridge.client().put(&path(target, name), &json!({"value": value})).done();
            assert_eq!(bridge.client().get(&path(target, name)).ok()["value"], value, "{name} on {target}");
        };
        put("counter", json!(-1));
        put("wide", json!(2));
        put("ratio", json!(0.25));
        put("ready", json!(false));
        put("setting", json!({"id": 3, "name": "ab", "scale": 0.5}));
        put("title", json!("tunnel"));
        put("label", json!("好"));
        put("table", json!([4, 3, 2, 1]));
        let result = |function| bridge.call(target.name(), function, json!({})).result();
        assert_eq!(result("Digest"), -1.0 + 2.0 + 0.25 + 3000.0 + 0.5, "{target}");
        assert_eq!(result("Words"), "tunnel|bac3|ab", "{target}");
        assert_eq!(result("SumTable"), 1234, "{target}");
    }
}

#[test]
fn what_cannot_be_written_is_refused_and_nothing_changes() {
    let bridge = variables();
    for target in TARGETS {
        let put = |name: &str, body: Value| bridge.client().put(&path(target, name), &body);
        let constant = put("answer", json!({"value": 1}));
        assert!((400..500).contains(&constant.status), "{target}: {}", constant.text);
        assert!(constant.text.contains("const"), "{target}: {}", constant.text);
        put("counter", json!({"value": "five"})).mismatch("/value");
        put("counter", json!({"value": 2_147_483_648_u32})).mismatch("/value");
        put("title", json!({"value": "longer than twelve"})).mismatch("/value");
        put("label", json!({"value": "😀"})).mismatch("/value");
        put("table", json!({"value": [1, 2, 3]})).mismatch("/value");
        put("setting", json!({"value": {"id": 1, "name": "", "scale": 1, "more": 1}})).mismatch_within("/value");
        put("counter", json!({})).refused(400, "malformed_request");
        put("nothing", json!({"value": 1})).refused(404, "unknown_variable");
        bridge.client().get(&path(target, "contuer")).refused(404, "unknown_variable");
        assert_eq!(bridge.client().get(&path(target, "answer")).ok()["value"], 42, "{target}");
        assert_eq!(bridge.client().get(&path(target, "counter")).ok()["value"], 5, "{target}");
        assert_eq!(bridge.call(target.name(), "Words", json!({})).result(), "bridge|c4e3|eight888", "{target}");
    }
}

#[test]
fn a_variable_that_the_library_lacks_says_so() {
    let bridge = Bridge::start(|config| {
        let file = fixture::library("variables", HOME);
        config.library("variables", file).declares("extern int counter; extern int missing;");
    });
    let get = |name: &str| bridge.client().get(&format!("/v1/libraries/variables/variables/{name}"));
    assert_eq!(get("counter").ok()["value"], 5);
    let answer = get("missing");
    assert!((400..500).contains(&answer.status) && answer.text.contains("missing"), "{}", answer.text);
}

#[test]
fn exports_without_a_name_are_called_by_their_ordinal() {
    let bridge = Bridge::start(|config| {
        let file = Fixture::new("ordinals").definitions("ordinals.def").build(Target::Win32);
        config.library("ordinals", file).declares(
            "/** @ordinal 7 */ int Subtract(int a, int b);
             /** @ordinal 300 */ int __stdcall Multiply(int a, int b);
             /** @ordinal 1 */ int AlsoNamed(int a, int b);
             /** @export Named */ int Renamed(int a, int b);
             /** @ordinal 8 */ int Gap(void);
             /** @ordinal 4000 */ int Beyond(void);
             /** @export Nameless */ int Unknown(void);",
        );
    });
    let call = |function| bridge.call("ordinals", function, json!({"a": 7, "b": 3}));
    assert_eq!(call("Subtract").result(), 4);
    assert_eq!(call("Multiply").result(), 21);
    assert_eq!(call("AlsoNamed").result(), 4);
    assert_eq!(call("Renamed").result(), 4);
    for missing in ["Gap", "Beyond", "Unknown"] {
        bridge.call("ordinals", missing, json!({})).refused(404, "unknown_function");
    }
}
