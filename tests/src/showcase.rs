//! A gateway whose pages have something to show: the demo's libraries and others that fail, calls of every outcome, crashes.

use crate::fixture::{self, Fixture};
use crate::{Bridge, Config, Target, Value, base64, json};

/// Starts it, and makes its calls.
pub fn start() -> Bridge {
    let mut config = Config::demo();
    config.key("ci", &["call:demo", "call:z", "read"]);
    config.key("kiosk", &["call:demo.Add"]);
    let target = Target::Linux32;
    config.library("trouble", fixture::library("trouble", target)).header(fixture::header("trouble"));
    // Its dependency is in no folder where the loader looks.
    let helper = Fixture::new("helper").linked_to(&fixture::library("absent", target)).build(target);
    config.library("broken", lonely(&config, &Fixture::new("needy").linked_to(&helper).build(target)));
    let bridge = Bridge::with(config);
    make_calls(&bridge);
    bridge
}

/// A copy of a library in a folder where nothing is that it needs.
fn lonely(config: &Config, library: &std::path::Path) -> std::path::PathBuf {
    let copy = config.folder().join("broken.so");
    std::fs::copy(library, &copy).expect("a library can be copied");
    copy
}

/// Calls that go well, calls that are refused, calls that end their process. Nothing is asserted of them here: that is for other tests.
fn make_calls(bridge: &Bridge) {
    let call = |library, function, arguments: Value| drop(bridge.call(library, function, arguments));
    for number in 0..30 {
        call("demo", "Add", json!({"a": number, "b": 3}));
        call("demo", "Divide", json!({"dividend": 100, "divisor": number % 5}));
        call("z", "crc32", json!({"crc": 0, "buf": base64(format!("block {number}"))}));
    }
    call("demow", "Distance", json!({"from": {"x": 0, "y": 0}, "to": {"x": 3, "y": 4}}));
    call("demow", "TextLength", json!({"text": "读卡器 № 7 <b>bold</b>"}));
    call("kernel32", "MulDiv", json!({"nNumber": 6, "nNumerator": 7, "nDenominator": 2}));
    call("kernel32", "GetLocalTime", json!({}));
    call("demo", "Divide", json!({"dividend": 17}));
    call("demo", "Round", json!({"value": 1, "rounding": "DEMO_SIDEWAYS"}));
    call("trouble", "Print", json!({"text": "reader 7: ready\n"}));
    call("trouble", "Nap", json!({"milliseconds": 300}));
    call("broken", "Needy", json!({}));
    bridge.call_ad_hoc("demo", "int Add(int a, int b)", &json!({"a": 1, "b": 2}));
    bridge.batch("demo", false, &[("Count", json!({})), ("Scale", json!({"value": 2.5, "factor": 4}))]);
    // Those that end their process, each of another one.
    call("demow", "Crash", json!({}));
    call("trouble", "Hang", json!({}));
    call("demo", "Crash", json!({}));
    bridge.call_until(60.0, "demo", "Count", &json!({}));
    bridge.call_until(60.0, "demow", "Count", &json!({}));
    bridge.call_until(60.0, "trouble", "EchoInt", &json!({"value": 7}));
}
