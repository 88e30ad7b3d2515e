//! Strings: their encodings, buffers for them, and null pointers.

use bridge32_tests::{Bridge, TARGETS, Value, json};

use crate::on_all_targets;

fn text() -> Bridge {
    on_all_targets("text")
}

/// Two characters within the basic plane, one beyond it, and some that every code page has.
const SAMPLE: &str = "桥 32é😀";

fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes
        .into_iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[test]
fn utf8_is_passed_as_it_is() {
    let bridge = text();
    for target in TARGETS {
        let result = bridge.call(target.name(), "HexOfUtf8", json!({"text": SAMPLE})).result();
        assert_eq!(result, hex(SAMPLE.bytes()), "{target}");
        for sample in [SAMPLE, "", "tab\t \"quoted\" \\ / line\nend\u{1}\u{7f}"] {
            assert_eq!(bridge.call(target.name(), "EchoUtf8", json!({"text": sample})).result(), sample, "{target}");
        }
        let escaped = bridge.call_raw(target.name(), "HexOfUtf8", r#"{"text": "\u6865\ud83d\ude00\n"}"#);
        assert_eq!(escaped.result(), hex("桥😀\n".bytes()), "{target}");
    }
}

#[test]
fn utf16_and_wide_strings_have_the_units_of_the_target() {
    let bridge = text();
    let utf16 = hex(SAMPLE.encode_utf16().flat_map(u16::to_le_bytes));
    let utf32 = hex(SAMPLE.chars().flat_map(|character| u32::from(character).to_le_bytes()));
    for target in TARGETS {
        let result = |function| bridge.call(target.name(), function, json!({"text": SAMPLE})).result();
        assert_eq!(result("HexOfUtf16"), utf16, "{target}");
        assert_eq!(result("HexOfWide"), if target.is_windows() { &*utf16 } else { &*utf32 }, "{target}");
        assert_eq!(result("EchoUtf16"), SAMPLE, "{target}");
        assert_eq!(result("EchoWide"), SAMPLE, "{target}");
    }
}

#[test]
fn code_pages_are_converted_both_ways() {
    let bridge = text();
    for target in TARGETS {
        let result = |function, arguments| bridge.call(target.name(), function, arguments).result();
        assert_eq!(result("HexOfGbk", json!({"text": "你好, 32"})), "c4e3bac32c203332", "{target}");
        assert_eq!(result("HexOfWestern", json!({"text": "Gruß €"})), "477275df2080", "{target}");
        assert_eq!(result("HexOfBoth", json!({"a": "ア", "b": "ア"})), "8341-e382a2", "{target}");
        assert_eq!(result("GreetingGbk", json!({})), "你好", "{target}");
    }
}

#[test]
fn what_an_encoding_does_not_have_is_refused() {
    let bridge = text();
    for target in TARGETS {
        let refused =
            |function, text: &str| bridge.call(target.name(), function, json!({"text": text})).mismatch("/text");
        assert!(refused("HexOfWestern", "a桥").contains('桥'), "{target}");
        assert!(refused("HexOfGbk", "😀").contains('😀'), "{target}");
        assert!(refused("HexOfUtf8", "a\0b").contains("U+0000"), "{target}");
        bridge.call_raw(target.name(), "HexOfUtf8", r#"{"text": "\ud83d"}"#).mismatch("/text");
    }
}

#[test]
fn text_that_cannot_be_decoded_is_an_error_and_not_a_guess() {
    let bridge = text();
    for target in TARGETS {
        let problem = bridge.call(target.name(), "Broken", json!({})).refused(502, "undecodable_text");
        assert_eq!(problem["execution"], "ran", "{target}");
        assert!(problem["detail"].as_str().unwrap().contains("UTF-8"), "{target}: {problem}");
    }
}

#[test]
fn null_pointers_are_null() {
    let bridge = text();
    for target in TARGETS {
        let result = |function, arguments| bridge.call(target.name(), function, arguments).result();
        assert_eq!(result("NullText", json!({})), Value::Null, "{target}");
        for function in ["LengthOrMinusOne", "WideLengthOrMinusOne"] {
            assert_eq!(result(function, json!({"text": null})), -1, "{function} on {target}");
            assert_eq!(result(function, json!({})), -1, "{function} on {target}");
            assert_eq!(result(function, json!({"text": ""})), 0, "{function} on {target}");
            assert_eq!(result(function, json!({"text": "abc"})), 3, "{function} on {target}");
        }
        bridge.call(target.name(), "HexOfUtf8", json!({"text": null})).mismatch("/text");
    }
}

#[test]
fn text_buffers_end_with_nul_or_with_the_buffer() {
    let bridge = text();
    for target in TARGETS {
        let describe = |function, size| bridge.call(target.name(), function, json!({"size": size}));
        assert_eq!(describe("Describe", 100).output("buffer"), "value 42", "{target}");
        assert_eq!(describe("Describe", 5).output("buffer"), "value", "a full buffer without NUL on {target}");
        assert_eq!(describe("Describe", 0).output("buffer"), "", "{target}");
        assert_eq!(describe("Describe", 100).result(), 9, "{target}");
        assert_eq!(describe("DescribeUtf16", 32).output("buffer"), "桥 32😀", "{target}");
        assert_eq!(describe("DescribeUtf16", 4).output("buffer"), "桥 32", "{target}");
        assert_eq!(bridge.call(target.name(), "DescribeGbk", json!({})).output("buffer"), "你好", "{target}");
    }
}

#[test]
fn text_buffers_go_both_ways() {
    let bridge = text();
    for target in TARGETS {
        let capitals = |arguments| bridge.call(target.name(), "Capitals", arguments);
        assert_eq!(capitals(json!({"text": "bridge", "size": 20})).output("text"), "BRIDGE", "{target}");
        assert_eq!(capitals(json!({"text": "bridge", "size": 7})).output("text"), "BRIDGE", "{target}");
        assert_eq!(capitals(json!({"text": "bridge"})).output("text"), "BRIDGE", "the length is inferred on {target}");
        capitals(json!({"text": "bridge", "size": 3})).mismatch("/text");
    }
}

#[test]
fn long_strings_are_whole() {
    let bridge = text();
    let long = "桥".repeat(2000);
    for target in TARGETS {
        let result = bridge.call(target.name(), "EchoUtf8", json!({"text": long})).result();
        assert_eq!(result, long, "{target}");
    }
}
