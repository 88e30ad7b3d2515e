//! Pointers to numbers, buffers and arrays.

use bridge32_tests::{Bridge, TARGETS, Value, base64, bytes, json};

use crate::on_all_targets;

fn memory() -> Bridge {
    on_all_targets("memory")
}

#[test]
fn outputs_are_told_beside_the_result() {
    let bridge = memory();
    for target in TARGETS {
        let body = bridge.call(target.name(), "Divide", json!({"dividend": -17, "divisor": 5})).ok();
        assert_eq!(body["result"], 0, "{target}");
        assert_eq!(body["outputs"], json!({"quotient": -3, "remainder": -2}), "{target}");
        let body = bridge.call(target.name(), "Divide", json!({"dividend": 1, "divisor": 0})).ok();
        assert_eq!(
            (&body["result"], &body["outputs"]),
            (&json!(1), &json!({"quotient": 0, "remainder": 0})),
            "{target}"
        );
    }
}

#[test]
fn outputs_have_the_type_of_what_they_point_to() {
    let bridge = memory();
    for target in TARGETS {
        let answer = bridge.call(target.name(), "Outputs", json!({}));
        let expected = json!({"a": -128, "b": 65535, "c": i64::MIN, "d": 0.1, "e": 0.1, "f": true, "g": true});
        assert_eq!(answer.ok()["outputs"], expected, "{target}");
    }
}

#[test]
fn an_output_is_not_part_of_the_request() {
    let bridge = memory();
    for target in TARGETS {
        let arguments = json!({"dividend": 1, "divisor": 1, "quotient": 5});
        bridge.call(target.name(), "Divide", arguments).mismatch("/quotient");
    }
}

#[test]
fn in_out_values_are_read_and_written() {
    let bridge = memory();
    for target in TARGETS {
        let output = |function, arguments| bridge.call(target.name(), function, arguments).output("value");
        assert_eq!(output("Increment", json!({"value": 4_294_967_295_u32})), 4_294_967_296_i64, "{target}");
        assert_eq!(output("Increment", json!({"value": "-1"})), 0, "{target}");
        assert_eq!(output("Bump", json!({"value": 41})), 42, "{target}");
        assert_eq!(output("Bump", json!({})), 1, "left out, it is zeroed on {target}");
        bridge.call(target.name(), "Bump", json!({"value": 2_147_483_648_u32})).mismatch("/value");
        bridge.call(target.name(), "Bump", json!({"value": null})).mismatch("/value");
    }
}

#[test]
fn optional_pointers_may_be_null() {
    let bridge = memory();
    for target in TARGETS {
        let call = |function, arguments| bridge.call(target.name(), function, arguments).ok();
        assert_eq!(call("ReadOr", json!({"value": 5}))["result"], 5, "{target}");
        assert_eq!(call("ReadOr", json!({"value": null}))["result"], -1, "{target}");
        assert_eq!(call("ReadOr", json!({}))["result"], -1, "{target}");
        let body = call("WriteIf", json!({"value": null}));
        assert_eq!((&body["result"], &body["outputs"]), (&json!(false), &json!({"value": null})), "{target}");
        let body = call("WriteIf", json!({}));
        assert_eq!((&body["result"], &body["outputs"]), (&json!(true), &json!({"value": 7})), "{target}");
        assert_eq!(call("BumpIf", json!({"value": null}))["outputs"], json!({"value": null}), "{target}");
        assert_eq!(call("BumpIf", json!({"value": 1}))["outputs"], json!({"value": 2}), "{target}");
    }
}

#[test]
fn byte_buffers_go_in() {
    let bridge = memory();
    let data: Vec<u8> = (0..=255).collect();
    for target in TARGETS {
        let call = |function, arguments| bridge.call(target.name(), function, arguments);
        let sum = |arguments| call("SumBytes", arguments);
        assert_eq!(sum(json!({"data": base64(&data), "size": 256})).result(), 32640, "{target}");
        assert_eq!(sum(json!({"data": base64(&data), "size": 10})).result(), 45, "only the first 10 on {target}");
        assert_eq!(sum(json!({"data": base64(&data)})).result(), 32640, "the length is inferred on {target}");
        assert_eq!(sum(json!({"data": "", "size": 0})).result(), 0, "{target}");
        sum(json!({"data": base64(&data), "size": 257})).mismatch("/data");
        for broken in ["AAA", "A===", "&&&&", "AAAA\n", "-_-_"] {
            sum(json!({"data": broken})).mismatch("/data");
        }
        sum(json!({"data": [1, 2]})).mismatch("/data");
        assert_eq!(call("SumFour", json!({"data": base64([1, 2, 3, 4])})).result(), 10, "{target}");
        call("SumFour", json!({"data": base64([1, 2, 3])})).mismatch("/data");
        assert_eq!(call("SumOptional", json!({"data": null, "size": 0})).result(), -1, "{target}");
        call("SumOptional", json!({"data": null, "size": 3})).mismatch("/data");
    }
}

#[test]
fn byte_buffers_come_out() {
    let bridge = memory();
    for target in TARGETS {
        let call = |function, arguments| bridge.call(target.name(), function, arguments);
        let filled = call("Fill", json!({"size": 1000, "value": 200})).output("data");
        assert_eq!(bytes(&filled), [200; 1000], "{target}");
        assert_eq!(call("Fill", json!({"size": 0, "value": 1})).output("data"), "", "{target}");
        call("Fill", json!({"value": 1})).mismatch("/size");
        let reversed = call("Reverse", json!({"data": base64([1, 2, 3])})).output("data");
        assert_eq!(bytes(&reversed), [3, 2, 1], "{target}");
        let grown = call("Reverse", json!({"data": base64([1, 2, 3]), "size": 5})).output("data");
        assert_eq!(bytes(&grown), [0, 0, 3, 2, 1], "what was not given is zero on {target}");
        call("Reverse", json!({"data": base64([1, 2, 3]), "size": 2})).mismatch("/data");
    }
}

#[test]
fn only_what_was_written_comes_back() {
    let bridge = memory();
    for target in TARGETS {
        let pattern = |size| bridge.call(target.name(), "Pattern", json!({"size": size})).ok();
        let body = pattern(100);
        assert_eq!((&body["result"], &body["outputs"]["size"]), (&json!(0), &json!(5)), "{target}");
        assert_eq!(bytes(&body["outputs"]["data"]), [1, 2, 3, 4, 5], "{target}");
        let body = pattern(3);
        assert_eq!((&body["result"], &body["outputs"]["size"]), (&json!(1), &json!(5)), "{target}");
        assert_eq!(bytes(&body["outputs"]["data"]).len(), 3, "never beyond the buffer on {target}");
        let body = bridge.call(target.name(), "Boast", json!({"room": 4})).ok();
        assert_eq!(
            (bytes(&body["outputs"]["data"]), &body["outputs"]["count"]),
            (b"xxxx".to_vec(), &json!(1000)),
            "{target}"
        );
    }
}

#[test]
fn arrays_of_numbers_are_json_arrays() {
    let bridge = memory();
    for target in TARGETS {
        let call = |function, arguments| bridge.call(target.name(), function, arguments);
        assert_eq!(
            call("SumInts", json!({"values": [1, -2, i32::MAX], "count": 3})).result(),
            2_147_483_646,
            "{target}"
        );
        assert_eq!(call("SumInts", json!({"values": [1, 2, 3, 4]})).result(), 10, "{target}");
        assert_eq!(call("SumInts", json!({"values": []})).result(), 0, "{target}");
        assert_eq!(call("Mean", json!({"values": [0.5, 1, 1.5]})).result(), 1.0, "{target}");
        assert_eq!(call("Double", json!({"values": [1, -16384]})).output("values"), json!([2, -32768]), "{target}");
        assert_eq!(call("Fixed", json!({"values": [1, 2, 3]})).output("values"), json!([11, 22, 33]), "{target}");
        assert_eq!(call("Fixed", json!({})).output("values"), json!([10, 20, 30]), "{target}");
        let body = call("Squares", json!({"room": 10})).ok();
        assert_eq!(body["outputs"], json!({"values": [0, 1, 4, 9], "count": 4}), "{target}");
        let body = call("Squares", json!({"room": 2})).ok();
        assert_eq!(body["outputs"], json!({"values": [0, 1], "count": 2}), "{target}");
        let table = call("Table", json!({"rows": 2, "columns": 3})).output("cells");
        assert_eq!(table, json!([0, 1, 2, 3, 4, 5]), "{target}");
    }
}

#[test]
fn an_element_of_an_array_is_pointed_at() {
    let bridge = memory();
    for target in TARGETS {
        let call = |function, arguments| bridge.call(target.name(), function, arguments);
        call("SumInts", json!({"values": [1, 2_147_483_648_u32]})).mismatch("/values/1");
        call("SumInts", json!({"values": [1, 2, null]})).mismatch("/values/2");
        call("SumInts", json!({"values": [1, 2], "count": 3})).mismatch("/values");
        call("SumInts", json!({"values": "AAAA"})).mismatch("/values");
        call("SumInts", json!({"values": {"0": 1}})).mismatch("/values");
    }
}

#[test]
fn two_arrays_of_one_length_must_agree() {
    let bridge = memory();
    for target in TARGETS {
        let dot = |arguments| bridge.call(target.name(), "Dot", arguments);
        assert_eq!(dot(json!({"a": [1, 2, 3], "b": [4, 5, 6]})).result(), 32, "{target}");
        dot(json!({"a": [1, 2, 3], "b": [4, 5]})).mismatch("/b");
        let long: Vec<i32> = vec![1; 256];
        let problem = dot(json!({"a": long, "b": long})).refused(422, "argument_mismatch");
        assert!(problem["detail"].as_str().unwrap().contains("256"), "more than an unsigned char counts on {target}");
        assert!(["/a", "/b", "/count"].iter().any(|at| problem["pointer"] == *at), "{target}: {problem}");
    }
}

#[test]
fn a_buffer_of_many_megabytes_goes_both_ways() {
    let bridge = memory();
    let data: Vec<u8> = (0..=250).cycle().take(8 << 20).collect();
    let backwards: Vec<u8> = data.iter().rev().copied().collect();
    for target in TARGETS {
        let answer = bridge.call(target.name(), "Reverse", json!({"data": base64(&data)})).output("data");
        assert!(bytes(&answer) == backwards, "{target}");
    }
}

#[test]
fn a_length_that_cannot_be_is_refused() {
    let bridge = memory();
    for target in TARGETS {
        let call = |function, arguments: Value| bridge.call(target.name(), function, arguments);
        call("Fill", json!({"size": 4_294_967_295_u32, "value": 1})).mismatch("/size");
        call("Fill", json!({"size": -1, "value": 1})).mismatch("/size");
        let problem = call("Table", json!({"rows": 100_000, "columns": 100_000}));
        assert!(problem.mismatch("/rows").contains("bytes"), "{target}");
    }
}
