//! What `cargo xtask build` leaves in `dist/`: programs of the right kinds, and a demo that works as the README says.

use bridge32_tests::bridge::run;
use bridge32_tests::{Bridge, dist, json};

#[test]
fn the_agents_are_programs_of_their_targets() {
    let start = |name: &str| std::fs::read(dist::folder().join(name)).unwrap();
    // ELF: the class in byte 4 (1 is 32 bits), the machine in bytes 18 and 19 (3 is i386, 62 x86_64).
    for (name, class, machine) in [("agent32", 1, 3), ("agent64", 2, 62), ("bridge32", 2, 62)] {
        let file = start(name);
        assert_eq!((&file[..4], file[4], file[18], file[19]), (&b"\x7fELF"[..], class, machine, 0), "{name}");
    }
    // PE: the machine stands after the signature, whose place stands at 0x3c.
    let file = start("agent32.exe");
    let header = usize::from(u16::from_le_bytes([file[0x3c], file[0x3d]]));
    assert_eq!(&file[header..header + 6], b"PE\0\0\x4c\x01", "agent32.exe is for i386");
}

#[test]
fn the_demo_configuration_is_good() {
    let file = dist::folder().join("bridge32.toml");
    let (code, output, notes) = run(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{output}{notes}");
    for library in ["library demo:", "library demow:", "library z:", "library zw:", "library m:", "library kernel32:"] {
        assert!(output.contains(library), "no {library} in {output}");
    }
    assert!(!output.contains("problem:") && !output.contains("warning:"), "{output}");
}

#[test]
fn the_demo_library_works_on_both_targets() {
    let demo = dist::folder().join("demo");
    let bridge = Bridge::start(|config| {
        config.library("demo", demo.join("libdemo.so")).header(demo.join("demo.h"));
        config.library("demow", demo.join("demo.dll")).header(demo.join("demo.h"));
    });
    for library in ["demo", "demow"] {
        let call = |function, arguments| bridge.call(library, function, arguments).ok();
        assert_eq!(call("Add", json!({"a": 2, "b": 3}))["result"], 5, "{library}");
        assert_eq!(call("Multiply", json!({"a": -2_000_000_000, "b": 3}))["result"], -6_000_000_000_i64, "{library}");
        let divided = call("Divide", json!({"dividend": 17, "divisor": 5}));
        assert_eq!(divided["outputs"], json!({"quotient": 3, "remainder": 2}), "{library}");
        let rounded = |rounding| call("Round", json!({"value": -2.5, "rounding": rounding}))["result"].clone();
        assert_eq!(["DEMO_DOWN", "DEMO_UP", "DEMO_NEAREST"].map(rounded), [-3, -2, -3], "{library}");
        assert_eq!(call("Round", json!({"value": 1e300, "rounding": "DEMO_UP"}))["result"], i32::MAX, "{library}");
        let sideways = bridge.call(library, "Round", json!({"value": 1, "rounding": "SIDEWAYS"})).mismatch("/rounding");
        assert!(sideways.contains("DEMO_DOWN, DEMO_UP, DEMO_NEAREST"), "{library}: {sideways}");
        let places = json!({"from": {"x": 0, "y": 0}, "to": {"x": 3, "y": -4}});
        assert_eq!(call("Distance", places)["result"], 5.0, "{library}");
        assert_eq!([1, 2].map(|_| call("Count", json!({}))["result"].clone()), [1, 2], "{library} keeps its state");
        let crash = bridge.call(library, "Crash", json!({})).refused(502, "agent_crashed");
        assert!(crash["call_id"].is_string(), "{library}");
        bridge.call_until(10.0, library, "Add", &json!({"a": 2, "b": 3}));
        assert_eq!(call("Count", json!({}))["result"], 1, "a new process of {library} begins anew");
    }
}
