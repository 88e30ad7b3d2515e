//! Structures and unions: by value, by pointer, as results, with everything that may be inside them.

use std::fmt::Write as _;

use bridge32_tests::fixture::Fixture;
use bridge32_tests::{Bridge, TARGETS, Value, json};

use crate::on_all_targets;

fn passing() -> Bridge {
    on_all_targets("passing")
}

/// The members of structures, each of which is passed and returned by value. Those of `signed char` alone, of every size
/// up to 24 bytes, come on top.
const SHAPES: [&[&str]; 20] = [
    &["short"],
    &["short", "short", "short"],
    &["int"],
    &["int", "int"],
    &["int", "int", "int"],
    &["int", "int", "int", "int"],
    &["int", "int", "int", "int", "int"],
    &["long long"],
    &["long long", "long long"],
    &["float"],
    &["float", "float"],
    &["float", "float", "float"],
    &["float", "int"],
    &["int", "float"],
    &["double"],
    &["double", "double"],
    &["double", "double", "double"],
    &["signed char", "double"],
    &["int", "double"],
    &["short", "long long", "signed char"],
];

const CONVENTIONS: [(&str, &str); 3] = [("Turn", ""), ("StdTurn", "__stdcall"), ("FastTurn", "__fastcall")];

fn shapes() -> Vec<Vec<&'static str>> {
    (1..=24).map(|size| vec!["signed char"; size]).chain(SHAPES.map(<[&str]>::to_vec)).collect()
}

/// The header of the functions that take and return the shapes, and the library's source.
fn turning() -> (String, String) {
    let (mut header, mut source) = (String::new(), String::new());
    for (number, members) in shapes().iter().enumerate() {
        let fields: Vec<String> = members.iter().enumerate().map(|(index, ty)| format!("{ty} f{index};")).collect();
        let _ = writeln!(header, "typedef struct {{ {} }} S{number};", fields.join(" "));
        let body = (0..members.len()).fold(String::new(), |mut body, index| {
            let _ = write!(body, "v.f{index} += before * {} - (between == 0.5) * after; ", index + 1);
            body
        });
        for (name, convention) in CONVENTIONS {
            let prototype =
                format!("S{number} {convention} {name}{number}(int before, S{number} v, double between, int after)");
            let _ = writeln!(header, "{prototype};");
            let _ = writeln!(source, "API {prototype} {{ {body}return v; }}");
        }
    }
    (header.clone(), header + &source)
}

#[test]
fn structures_of_every_size_go_and_come_by_value() {
    let (header, source) = turning();
    let bridge = Bridge::start(|config| {
        for target in TARGETS {
            let file = Fixture::generated("turning", &source).build(target);
            config.library(target.name(), file).declares(&header);
        }
    });
    for target in TARGETS {
        for (number, members) in shapes().iter().enumerate() {
            let object = |value: fn(usize) -> usize| -> Value {
                (0..members.len())
                    .map(|index| (format!("f{index}"), json!(value(index))))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            };
            let arguments = json!({"before": 2, "v": object(|index| index + 1), "between": 0.5, "after": 1});
            let expected = object(|index| 3 * index + 2);
            for (name, _) in CONVENTIONS {
                let result = bridge.call(target.name(), &format!("{name}{number}"), arguments.clone()).result();
                assert!(same(&result, &expected), "{name} of {members:?} on {target}: {result}");
            }
        }
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
}

/// Whether two objects have the same numbers, whole or not.
fn same(left: &Value, right: &Value) -> bool {
    let (Some(left), Some(right)) = (left.as_object(), right.as_object()) else { return false };
    left.len() == right.len()
        && left
            .iter()
            .all(|(name, value)| right.get(name).and_then(Value::as_f64) == value.as_f64() && value.is_number())
}

#[test]
fn a_union_takes_exactly_one_member() {
    let bridge = passing();
    for target in TARGETS {
        let weigh = |which: u32, number: Value| {
            bridge.call(target.name(), "Weigh", json!({"which": which, "number": number, "times": 2}))
        };
        assert_eq!(weigh(0, json!({"small": -5})).result(), -10.0, "{target}");
        assert_eq!(weigh(1, json!({"whole": 100_000})).result(), 200_000.0, "{target}");
        assert_eq!(weigh(2, json!({"large": -9_000_000_000_i64})).result(), -18_000_000_000.0, "{target}");
        assert_eq!(weigh(3, json!({"fraction": 0.25})).result(), 0.5, "{target}");
        assert_eq!(weigh(4, json!({"precise": 1e300})).result(), 2e300, "{target}");
        let behind = json!({"which": 4, "number": {"precise": 0.1}});
        assert_eq!(bridge.call(target.name(), "WeighBehind", behind).result(), 0.1, "{target}");
        weigh(0, json!({})).mismatch("/number");
        weigh(0, json!({"small": 1, "whole": 1})).mismatch("/number");
        weigh(0, json!({"smell": 1})).mismatch_within("/number");
        weigh(0, json!({"small": 128})).mismatch("/number/small");
        let half = bridge.call(target.name(), "Halve", json!({"number": {"precise": 3}})).result();
        assert_eq!(half["precise"], 1.5, "{target}: {half}");
    }
}

#[test]
fn bit_fields_have_their_place_and_their_range() {
    let bridge = passing();
    for target in TARGETS {
        let bits = json!({"low": 5, "middle": -3, "high": 1000, "flag": true, "next": 9});
        let read = |bits: &Value| bridge.call(target.name(), "ReadBits", json!({"bits": bits}));
        assert_eq!(read(&bits).result(), 91_999_975, "{target}");
        let written = bridge.call(target.name(), "WriteBits", bits.clone()).result();
        assert_eq!(written, bits, "{target}");
        let counted = bridge.call(target.name(), "CountUp", json!({"bits": bits})).output("bits");
        assert_eq!(counted, json!({"low": 6, "middle": -2, "high": 1001, "flag": false, "next": 10}), "{target}");
        for (member, value) in [("low", 8), ("low", -1), ("middle", 16), ("middle", -17), ("high", 1024), ("next", 16)]
        {
            let mut wrong = bits.clone();
            wrong[member] = json!(value);
            read(&wrong).mismatch(&format!("/bits/{member}"));
        }
    }
}

#[test]
fn packed_structures_have_no_gaps() {
    let bridge = passing();
    for target in TARGETS {
        let arguments = json!({"before": 1, "tight": {"tag": 2, "value": 0.5, "tail": 3}, "after": 4});
        let expected = 1.0 + 200.0 + 5000.0 + 3e8 + 4e12;
        assert_eq!(bridge.call(target.name(), "ReadTight", arguments).result(), expected, "{target}");
        let arguments = json!({"packed": {"tag": 7, "value": 123}});
        assert_eq!(bridge.call(target.name(), "ReadPacked", arguments).result(), 7123, "{target}");
    }
}

#[test]
fn structures_nest() {
    let bridge = passing();
    let nested = json!({
        "name": "four",
        "corners": [{"x": 1, "y": 2}, {"x": 3, "y": 4}],
        "inside": {"depth": 5, "weight": {"precise": 6}},
        "last": 7,
    });
    for target in TARGETS {
        let read = |nested: &Value| bridge.call(target.name(), "ReadNested", json!({"nested": nested}));
        assert_eq!(read(&nested).result(), 76_543_214.0, "{target}");
        let changed = |at: &str, value: Value| {
            let mut changed = nested.clone();
            *changed.pointer_mut(at).unwrap() = value;
            changed
        };
        assert_eq!(read(&changed("/name", json!("12345678"))).result(), 76_543_218.0, "without a NUL on {target}");
        read(&changed("/name", json!("123456789"))).mismatch("/nested/name");
        read(&changed("/corners/1/y", json!(null))).mismatch("/nested/corners/1/y");
        let three = json!([{"x": 1, "y": 2}, {"x": 1, "y": 2}, {"x": 1, "y": 2}]);
        read(&changed("/corners", three)).mismatch("/nested/corners");
        read(&changed("/inside/depth", json!(40_000))).mismatch("/nested/inside/depth");
        read(&changed("/inside/weight", json!({"precise": "heavy"}))).mismatch("/nested/inside/weight/precise");
        let mut lacks = nested.clone();
        lacks.as_object_mut().unwrap().remove("last");
        read(&lacks).mismatch_within("/nested");
        let out = bridge.call(target.name(), "WriteNested", json!({"seed": 3})).output("nested");
        assert_eq!((&out["name"], &out["last"]), (&json!("12345678"), &json!(-3.0)), "{target}: {out}");
        assert_eq!(out["corners"], json!([{"x": 3, "y": 4}, {"x": 5, "y": 6}]), "{target}");
        assert_eq!(
            (&out["inside"]["depth"], &out["inside"]["weight"]["precise"]),
            (&json!(7), &json!(3.5)),
            "{target}"
        );
    }
}

#[test]
fn structures_point_to_others() {
    let bridge = passing();
    for target in TARGETS {
        let list = json!({"value": 1, "next": {"value": 2, "next": {"value": 3, "next": null}}});
        assert_eq!(bridge.call(target.name(), "SumNodes", json!({"first": list})).result(), 123, "{target}");
        let wrong = json!({"value": 1, "next": {"value": "two", "next": null}});
        bridge.call(target.name(), "SumNodes", json!({"first": wrong})).mismatch("/first/next/value");
    }
}

#[test]
fn arrays_of_structures_go_both_ways() {
    let bridge = passing();
    for target in TARGETS {
        let pairs: Vec<Value> = (0..10).map(|index| json!({"x": index, "y": -2 * index})).collect();
        let sum = bridge.call(target.name(), "SumPairs", json!({"pairs": pairs})).result();
        assert_eq!(sum, json!({"x": 45, "y": -90}), "{target}");
        let filled = bridge.call(target.name(), "FillPairs", json!({"count": 3})).output("pairs");
        assert_eq!(filled, json!([{"x": 0, "y": 0}, {"x": 1, "y": -1}, {"x": 2, "y": -2}]), "{target}");
        let wrong = json!({"pairs": [{"x": 1, "y": 1}, {"x": 1}]});
        bridge.call(target.name(), "SumPairs", wrong).mismatch_within("/pairs/1");
        let both = json!({"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 4}});
        let larger = bridge.call(target.name(), "LargerPair", both).result();
        assert_eq!(larger, json!({"x": 3, "y": 4}), "a pointer to a const structure is read on {target}");
    }
}

#[test]
fn fastcall_and_thiscall_take_registers_first() {
    let bridge = passing();
    let pair = json!({"x": 3, "y": 4});
    for target in TARGETS {
        let result = |function, arguments| bridge.call(target.name(), function, arguments).result();
        for _ in 0..20 {
            assert_eq!(result("Fast", json!({"a": 1, "b": 2, "c": 3, "d": 4})), 1234, "{target}");
        }
        assert_eq!(result("FastSmall", json!({"a": -3, "b": 65535})), -234_465, "{target}");
        assert_eq!(
            result("FastWide", json!({"a": 1, "b": 9_000_000_000_i64, "c": 3, "d": 4})),
            900_000_001_034_i64,
            "{target}"
        );
        assert_eq!(result("FastFloats", json!({"a": 0.5, "b": 2, "c": 3.5, "d": 4, "e": 5})), 7395.0, "{target}");
        assert_eq!(result("FastPair", json!({"a": 1, "pair": pair, "b": 5})), 1345, "{target}");
        assert_eq!(result("FastNothing", json!({})), 5, "{target}");
        assert_eq!(result("This", json!({"self": pair, "a": 5, "b": 6})), 3456, "{target}");
        assert_eq!(result("ThisFloats", json!({"self": pair, "a": 0.5, "b": 6})), 3411.0, "{target}");
        assert_eq!(result("ThisOnly", json!({"self": pair})), 34, "{target}");
        assert_eq!(result("StdPair", json!({"a": 1, "pair": pair, "b": 5})), 1345, "{target}");
        assert_eq!(result("StdMakePair", json!({"x": 1, "y": -1})), json!({"x": 1, "y": -1}), "{target}");
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
}
