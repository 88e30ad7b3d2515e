//! Numbers, truth values and names by value.

use bridge32_tests::{Bridge, HOME, TARGETS, Target, Value, fixture, json};

use crate::on_all_targets;

fn scalars() -> Bridge {
    on_all_targets("scalars")
}

/// The values of an integer type that are most easily got wrong.
fn edges(bits: u32, signed: bool) -> Vec<i128> {
    let (least, most) = if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
    let inner =
        [-1, 0, 1, 127, 128, 255, 256, 32767, 32768, 65535, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 53, (1 << 53) + 1];
    [least, least + 1, most - 1, most]
        .into_iter()
        .chain(inner.into_iter().filter(|n| (least..=most).contains(n)))
        .collect()
}

fn number(value: i128) -> Value {
    i64::try_from(value).map_or_else(|_| json!(u64::try_from(value).unwrap()), |value| json!(value))
}

#[test]
fn a_library_can_answer_64_bits_as_text_for_clients_that_round_them() {
    let bridge = Bridge::start(|config| {
        let file = fixture::library("scalars", HOME);
        config.library("text", file).header(fixture::header("scalars")).set("int64", "string");
    });
    let answered = |function: &str, value: Value| bridge.call("text", function, json!({"value": value})).result();
    assert_eq!(answered("EchoUint64", json!(u64::MAX)), "18446744073709551615");
    assert_eq!(answered("EchoLongLong", json!("-9007199254740993")), "-9007199254740993");
    assert_eq!(answered("EchoInt", json!(5)), 5);
    let ad_hoc = bridge.call_ad_hoc("text", "long long EchoLongLong(long long value)", &json!({"value": 1}));
    assert_eq!(ad_hoc.result(), "1");
}

#[test]
fn agents_have_the_pointers_of_their_target() {
    let bridge = scalars();
    for target in TARGETS {
        let bits = if matches!(target, Target::Linux64 | Target::Win64) { 64 } else { 32 };
        assert_eq!(bridge.agent(target.name())["pointer_bits"], bits, "{target}");
        assert_eq!(bridge.agent(target.name())["runtime"], target.name());
        assert_eq!(bridge.call(target.name(), "PointerBytes", json!({})).result(), bits / 8, "{target}");
    }
}

#[test]
fn integers_of_every_width_come_back_unchanged() {
    let bridge = scalars();
    for target in TARGETS {
        let (long, pointer) = (u32::from(target.long_bytes()) * 8, u32::from(target.pointer_bytes()) * 8);
        for (function, bits, signed) in [
            ("EchoSignedChar", 8, true),
            ("EchoUnsignedChar", 8, false),
            ("EchoChar", 8, true),
            ("EchoInt8", 8, true),
            ("EchoShort", 16, true),
            ("EchoUnsignedShort", 16, false),
            ("EchoUint16", 16, false),
            ("EchoInt", 32, true),
            ("EchoUnsignedInt", 32, false),
            ("EchoInt32", 32, true),
            ("EchoLong", long, true),
            ("EchoUnsignedLong", long, false),
            ("EchoLongLong", 64, true),
            ("EchoUnsignedLongLong", 64, false),
            ("EchoUint64", 64, false),
            ("EchoSize", pointer, false),
            ("EchoIntptr", pointer, true),
        ] {
            for value in edges(bits, signed) {
                let result = bridge.call(target.name(), function, json!({"value": number(value)})).result();
                assert_eq!(result, number(value), "{function} on {target}");
            }
            for outside in [edges(bits, signed)[0] - 1, edges(bits, signed)[3] + 1] {
                let body = format!("{{\"value\": {outside}}}");
                bridge.call_raw(target.name(), function, &body).mismatch("/value");
            }
        }
    }
}

#[test]
fn functions_see_integers_with_their_sign() {
    let bridge = scalars();
    for target in TARGETS {
        for (function, bits, signed) in [
            ("WidenSignedChar", 8, true),
            ("WidenUnsignedChar", 8, false),
            ("WidenShort", 16, true),
            ("WidenUnsignedShort", 16, false),
            ("WidenInt", 32, true),
            ("WidenUnsignedInt", 32, false),
        ] {
            for value in edges(bits, signed) {
                let result = bridge.call(target.name(), function, json!({"value": number(value)})).result();
                assert_eq!(result, number(value), "{function} on {target}");
            }
        }
    }
}

#[test]
fn a_result_ends_at_its_own_width() {
    let bridge = scalars();
    for target in TARGETS {
        let result = |function, arguments| bridge.call(target.name(), function, arguments).result();
        assert_eq!(result("DirtySignedChar", json!({})), -128, "{target}");
        assert_eq!(result("DirtyUnsignedShort", json!({})), 65534, "{target}");
        assert_eq!(result("DirtyBool", json!({"truth": true})), true, "{target}");
        assert_eq!(result("DirtyBool", json!({"truth": false})), false, "{target}");
    }
}

#[test]
fn wide_integers_may_be_decimal_strings() {
    let bridge = scalars();
    for target in TARGETS {
        let echo = |function, value| bridge.call(target.name(), function, json!({"value": value}));
        assert_eq!(echo("EchoUint64", "18446744073709551615").result(), u64::MAX, "{target}");
        assert_eq!(echo("EchoLongLong", "-9223372036854775808").result(), i64::MIN, "{target}");
        echo("EchoUint64", "18446744073709551616").mismatch("/value");
        echo("EchoInt", "5").mismatch("/value");
    }
}

#[test]
fn whole_numbers_may_be_written_as_floats() {
    let bridge = scalars();
    for target in TARGETS {
        for (text, value) in [("5.0", 5), ("-2e3", -2000), ("0.5e1", 5), ("-0", 0)] {
            let answer = bridge.call_raw(target.name(), "EchoInt", &format!("{{\"value\":{text}}}"));
            assert_eq!(answer.result(), value, "{text} on {target}");
        }
    }
}

#[test]
fn truth_values_are_booleans() {
    let bridge = scalars();
    for target in TARGETS {
        for function in ["EchoBool", "EchoBOOL"] {
            for (given, expected) in [(json!(true), true), (json!(false), false), (json!(1), true), (json!(0), false)] {
                let result = bridge.call(target.name(), function, json!({"value": given})).result();
                assert_eq!(result, expected, "{function}({given}) on {target}");
            }
        }
        assert_eq!(bridge.call(target.name(), "Seven", json!({})).result(), true, "anything but 0 is true on {target}");
    }
}

#[test]
fn floating_point_is_exact_to_the_last_bit() {
    let bridge = scalars();
    let doubles = [
        0.0,
        -0.0,
        0.1,
        -1.5,
        1.0 / 3.0,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        f64::EPSILON,
        9_007_199_254_740_993.0,
    ];
    let floats = [0.0, -0.0, 0.1, 1.0 / 3.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, 16_777_217.0];
    for target in TARGETS {
        let call = |function, arguments| bridge.call(target.name(), function, arguments).result();
        for value in doubles {
            let result = call("EchoDouble", json!({"value": value})).as_f64().unwrap();
            assert_eq!(result.to_bits(), value.to_bits(), "{value} on {target}");
            assert_eq!(call("BitsOfDouble", json!({"value": value})), value.to_bits(), "{value} on {target}");
            let again = call("DoubleOfBits", json!({"bits": value.to_bits()})).as_f64().unwrap();
            assert_eq!(again.to_bits(), value.to_bits(), "{value} on {target}");
        }
        for value in floats {
            let answer = bridge.call(target.name(), "EchoFloat", json!({"value": value}));
            let start = answer.text.find("\"result\":").unwrap() + 9;
            let digits = answer.text[start..].split(',').next().unwrap();
            assert_eq!(digits.parse::<f32>().unwrap().to_bits(), value.to_bits(), "{digits} on {target}");
            assert_eq!(call("BitsOfFloat", json!({"value": value})), value.to_bits(), "{value} on {target}");
            assert_eq!(call("WidenFloat", json!({"value": value})).as_f64(), Some(f64::from(value)), "{target}");
        }
        assert_eq!(call("Sum", json!({"a": 0.5, "b": 0.25})), 0.75, "{target}");
        assert_eq!(call("EchoDouble", json!({"value": 5})), 5.0, "{target}");
    }
}

#[test]
fn a_float_comes_back_with_the_digits_of_a_float() {
    let bridge = scalars();
    for target in TARGETS {
        let answer = bridge.call(target.name(), "EchoFloat", json!({"value": 0.1}));
        assert!(answer.text.contains("\"result\":0.1,"), "{target}: {}", answer.text);
    }
}

#[test]
fn numbers_that_json_lacks_go_by_name() {
    let bridge = scalars();
    for target in TARGETS {
        for name in ["NaN", "Infinity", "-Infinity"] {
            for function in ["EchoDouble", "EchoFloat"] {
                let result = bridge.call(target.name(), function, json!({"value": name})).result();
                assert_eq!(result, name, "{function} on {target}");
            }
        }
        let bits = |name| bridge.call(target.name(), "BitsOfDouble", json!({"value": name})).result();
        assert_eq!(bits("Infinity"), f64::INFINITY.to_bits(), "{target}");
        assert_eq!(bits("-Infinity"), f64::NEG_INFINITY.to_bits(), "{target}");
        bridge.call(target.name(), "EchoDouble", json!({"value": "infinite"})).mismatch("/value");
    }
}

#[test]
fn void_is_null() {
    let bridge = scalars();
    for target in TARGETS {
        for _ in 0..2 {
            let body = bridge.call(target.name(), "Nothing", json!({})).ok();
            assert_eq!((&body["result"], &body["outputs"]), (&Value::Null, &json!({})), "{target}");
        }
        assert_eq!(bridge.call(target.name(), "NothingCount", json!({})).result(), 2, "{target}");
    }
}

#[test]
fn enumerators_go_by_name_and_come_back_by_name() {
    let bridge = scalars();
    for target in TARGETS {
        let next = |color: Value| bridge.call(target.name(), "NextColor", json!({"color": color}));
        assert_eq!(next(json!("RED")).result(), "GREEN", "{target}");
        assert_eq!(next(json!(5)).result(), "BLUE", "{target}");
        assert_eq!(next(json!("BLUE")).result(), "NEGATIVE", "{target}");
        assert_eq!(next(json!("NEGATIVE")).result(), 77, "a value without a name on {target}");
        assert!(next(json!("PINK")).mismatch("/color").contains("RED"), "{target}");
        assert_eq!(bridge.call(target.name(), "Larger", json!({"size": "SMALL"})).result(), "LARGE", "{target}");
        bridge.call(target.name(), "Larger", json!({"size": "RED"})).mismatch("/size");
    }
}

#[test]
fn constants_of_the_header_stand_for_their_numbers() {
    let bridge = scalars();
    for target in TARGETS {
        let echo = |function, name| bridge.call(target.name(), function, json!({"value": name}));
        assert_eq!(echo("EchoInt", "LEVEL_BEST").result(), 9, "{target}");
        assert_eq!(echo("EchoInt", "LEVEL_DEFAULT").result(), -1, "{target}");
        assert_eq!(echo("EchoUnsignedInt", "MASK").result(), u32::MAX, "{target}");
        echo("EchoInt", "MASK").mismatch("/value");
        echo("EchoUnsignedInt", "LEVEL_DEFAULT").mismatch("/value");
    }
}

#[test]
fn every_answer_has_an_id_of_its_own_and_the_time_it_took() {
    let bridge = scalars();
    let mut ids = std::collections::BTreeSet::new();
    for target in [HOME, Target::Win32, HOME] {
        let body = bridge.call(target.name(), "EchoInt", json!({"value": 1})).ok();
        assert!(body["duration_us"].as_f64().is_some_and(|duration| (0.0..1e6).contains(&duration)), "{body}");
        let id = body["call_id"].as_str().unwrap().to_owned();
        assert_eq!((id.len(), &id[14..15]), (36, "7"), "a UUIDv7: {id}");
        assert!(ids.insert(id), "{body}");
    }
}
