//! Strings in the encodings of the world: whole, too long, broken and impossible; in arguments, results, buffers and
//! structures.

use bridge32_tests::{Bridge, TARGETS, Value, json};

use crate::on_all_targets;

fn encodings() -> Bridge {
    on_all_targets("encodings")
}

/// Function, text, and the bytes that other software gives for it.
const SAMPLES: [(&str, &str, &str); 9] = [
    ("HexGbk", "你好, 32", "c4e3bac32c203332"),
    ("HexGbk", "€", "80"),
    ("HexBig5", "你好", "a741a66e"),
    ("HexBig5", "功", "a55c"),
    ("HexShiftJis", "ソフト ｱ", "835c8374836720b1"),
    ("HexKorean", "다리", "b4d9b8ae"),
    ("HexWestern", "Gruß € “q”", "477275df208020937194"),
    ("HexCyrillic", "Мост", "cceef1f2"),
    ("HexLossy", "Brücke", "4272fc636b65"),
];

#[test]
fn each_code_page_has_its_own_bytes() {
    let bridge = encodings();
    for target in TARGETS {
        for (function, text, hex) in SAMPLES {
            assert_eq!(bridge.call(target.name(), function, json!({"text": text})).result(), hex, "{text} on {target}");
        }
    }
}

#[test]
fn bytes_of_each_code_page_become_text_again() {
    let bridge = encodings();
    let samples = [
        ("TextGbk", "HexGbk"),
        ("TextBig5", "HexBig5"),
        ("TextShiftJis", "HexShiftJis"),
        ("TextWestern", "HexWestern"),
    ];
    for target in TARGETS {
        for (back, there) in samples {
            for (_, text, hex) in SAMPLES.iter().filter(|(function, ..)| *function == there) {
                let result = bridge.call(target.name(), back, json!({"hex": hex})).result();
                assert_eq!(result, *text, "{hex} by {back} on {target}");
            }
        }
        let utf16 = bridge.call(target.name(), "TextUtf16", json!({"hex": "65683dd800de"})).result();
        assert_eq!(utf16, "桥😀", "{target}");
    }
}

#[test]
fn what_a_code_page_lacks_is_refused_with_its_place() {
    let bridge = encodings();
    for target in TARGETS {
        for (function, text, character, place) in [
            ("HexWestern", "ab桥", '桥', "2"),
            ("HexBig5", "12345😀", '😀', "5"),
            ("HexShiftJis", "é", 'é', "0"),
            ("HexCyrillic", "Мост ß", 'ß', "5"),
        ] {
            let detail = bridge.call(target.name(), function, json!({"text": text})).mismatch("/text");
            assert!(detail.contains(character), "{function} on {target}: {detail}");
            assert!(detail.contains(place), "the character's number, on {target}: {detail}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_an_error_with_their_place() {
    let bridge = encodings();
    for target in TARGETS {
        for (function, hex, place) in [
            ("TextUtf8", "616263ff64", "3"),
            ("TextUtf8", "6162636465c3", "5"),
            ("TextGbk", "c4e3ff", "2"),
            ("TextShiftJis", "61626381", "3"),
            ("TextUtf16", "61003dd86200", "1"),
        ] {
            let problem = bridge.call(target.name(), function, json!({"hex": hex})).refused(502, "undecodable_text");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(place), "{function} of {hex} on {target}: {detail}");
            assert_eq!(problem["execution"], "ran", "{target}");
        }
        let problem = bridge.call(target.name(), "BrokenLabel", json!({})).refused(502, "undecodable_text");
        assert!(problem["detail"].as_str().unwrap().contains("name"), "{target}: {problem}");
        let problem = bridge.call(target.name(), "BreakText", json!({"size": 20, "at": 7}));
        assert!(problem.refused(502, "undecodable_text")["detail"].as_str().unwrap().contains('7'), "{target}");
    }
}

#[test]
fn losses_must_be_asked_for() {
    let bridge = encodings();
    for target in TARGETS {
        let lossy = bridge.call(target.name(), "HexLossy", json!({"text": "a桥b"})).result();
        let hex = lossy.as_str().unwrap();
        assert!(hex.starts_with("61") && hex.ends_with("62") && hex.len() >= 6, "a stand-in on {target}: {hex}");
        let text = bridge.call(target.name(), "TextLossy", json!({"hex": "61ff62"})).result();
        assert_eq!(text, "a\u{fffd}b", "{target}");
        bridge.call(target.name(), "HexLossy", json!({"text": "a\0b"})).mismatch("/text");
    }
}

#[test]
fn arrays_of_characters_in_structures_are_text() {
    let bridge = encodings();
    for target in TARGETS {
        let label = json!({"name": "äb", "local": "你", "wide": "桥", "raw": "AQID", "id": 1});
        let hex = |label: &Value| bridge.call(target.name(), "HexOfLabel", json!({"label": label}));
        assert_eq!(hex(&label).result(), "c3a4620000000000c4e3000000006568000000000000", "{target}");
        let changed = |member: &str, value: &str| {
            let mut changed = label.clone();
            changed[member] = json!(value);
            hex(&changed)
        };
        assert_eq!(changed("name", "eight888").status, 200, "full, without a NUL, on {target}");
        assert_eq!(changed("local", "你好你").status, 200, "{target}");
        assert_eq!(changed("wide", "😀😀").status, 200, "{target}");
        changed("name", "nine99999").mismatch("/label/name");
        changed("name", "ääääa").mismatch("/label/name");
        changed("local", "你好你a").mismatch("/label/local");
        changed("local", "😀").mismatch("/label/local");
        changed("wide", "😀😀a").mismatch("/label/wide");
        changed("raw", "AQIDBA==").mismatch("/label/raw");
        let full = bridge.call(target.name(), "FullLabel", json!({})).output("label");
        let expected = json!({"name": "eight888", "local": "你好你", "wide": "abcd", "raw": "AQID", "id": 5});
        assert_eq!(full, expected, "{target}");
    }
}

#[test]
fn buffers_may_be_full_and_may_hold_any_encoding() {
    let bridge = encodings();
    for target in TARGETS {
        let full = bridge.call(target.name(), "FillText", json!({"size": 5})).output("text");
        assert_eq!(full, "xxxxx", "without a NUL on {target}");
        let twice = |text: &str, size: u32| bridge.call(target.name(), "Twice", json!({"text": text, "size": size}));
        assert_eq!(twice("你a", 50).output("text"), "你你aa", "{target}");
        twice("你好", 3).mismatch("/text");
    }
}

#[test]
fn arrays_and_pointers_hold_strings() {
    let bridge = encodings();
    for target in TARGETS {
        let total = |texts: Value| bridge.call(target.name(), "TotalLength", json!({"texts": texts}));
        assert_eq!(total(json!(["a", "桥", ""])).result(), 4, "{target}");
        assert_eq!(total(json!([])).result(), 0, "{target}");
        total(json!(["a", 5])).mismatch("/texts/1");
        total(json!(["a", "b\0"])).mismatch("/texts/1");
        let outputs = bridge.call(target.name(), "SplitWords", json!({"text": "two words"})).ok()["outputs"].clone();
        assert_eq!(outputs, json!({"first": "two", "rest": "words"}), "{target}");
        let outputs = bridge.call(target.name(), "SplitWords", json!({"text": "one"})).ok()["outputs"].clone();
        assert_eq!(outputs, json!({"first": "one", "rest": null}), "{target}");
    }
}
