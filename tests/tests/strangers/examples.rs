//! The clients in `examples/`, each by its own `run.sh`, against the demo, which wants signatures, with its 32-bit agents.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bridge32_tests::{Bridge, Config, Value, dist, json};

use crate::tools::{checked, checkout, key_of, kit, succeed, tool};

/// What the clients print, without the line of [`CLOCK`].
const STORY: &str = "\
zlib for Linux:   crc32(\"hello\") = 3610a686
zlib for Windows: crc32(\"hello\") = 3610a686
17 / 5 = 3, remainder 2
2.5 rounded up = 3
from (0, 0) to (3, 4): 5
exports of demo with \"di\": 2
a library that is not there: 404 unknown_library
a missing argument: 422 /divisor: `divisor` is missing
a string for a number: 422 /dividend: \"17\" is no constant of the header and no number; expected an integer from \
-2147483648 to 2147483647, as a JSON number
2^40 for an int: 422 /dividend: 1099511627776 is out of range: expected an integer from -2147483648 to 2147483647
an unknown enumerator: 422 /rounding: \"DEMO_SIDEWAYS\" is no enumerator of `DemoRounding`; it has DEMO_DOWN, DEMO_UP, \
DEMO_NEAREST
";

/// What begins the line with a date and a time.
const CLOCK: &str = "Windows says it is ";

/// Runs the example in a copy of its folder, so that what it generates stays out of the checkout.
fn output_of(name: &str, prepare: impl FnOnce(&Path)) -> String {
    let bridge = Bridge::with(Config::demo());
    let start = Instant::now();
    let copy = tempfile::tempdir().unwrap();
    let folder = copy.path().join(name);
    succeed(Command::new("cp").arg("-r").arg(checkout("examples").join(name)).arg(&folder));
    std::fs::copy(checkout("examples/key.sh"), copy.path().join("key.sh")).unwrap();
    prepare(&folder);
    let mut script = tool("sh");
    script.arg("run.sh").arg(format!("http://{}", bridge.client().authority())).current_dir(&folder);
    script.env("BRIDGE32", dist::program()).envs(key_of(bridge.config()));
    let output = succeed(&mut script);
    checked(&format!("examples/{name}"), start);
    output
}

/// What the other Python program prints, which sends with `requests`.
const WITH_REQUESTS: &str = "\
17 / 5: {'quotient': 3, 'remainder': 2}
the first count: 1
exports with “di”: 2
a library that is not there: unknown_library
";

/// The story is told in full, after what the generators say, and the clock shows a time.
#[track_caller]
fn tells_the_story(output: &str) {
    let begin = output.find("zlib for Linux").unwrap_or_else(|| panic!("no story: {output}"));
    let (clock, story): (Vec<&str>, Vec<&str>) =
        output[begin..].split_inclusive('\n').partition(|line| line.starts_with(CLOCK));
    assert_eq!(story.concat(), STORY);
    let [clock] = clock[..] else { panic!("one line has the time: {output}") };
    // Such as `2026-11-27 10:15`.
    let digits = clock.trim_start_matches(CLOCK).trim_end().replace(|digit: char| digit.is_ascii_digit(), "0");
    assert_eq!(digits, "0000-00-00 00:00", "{clock}");
}

/// The README shows what is printed, perhaps shortened.
#[track_caller]
fn readme_shows(name: &str, lines: &str) {
    let readme = std::fs::read_to_string(checkout("examples").join(name).join("README.md")).unwrap();
    assert!(readme.lines().count() <= 40, "{name}: a README is at most a screen");
    for line in lines.lines() {
        let begin: String = line.chars().take(50).collect();
        assert!(readme.contains(&begin), "{name}: the README does not show {line}");
    }
}

#[test]
fn the_python_example_runs() {
    let output = output_of("python", |_| ());
    let end = output.len().saturating_sub(WITH_REQUESTS.len());
    let (story, with_requests) = output.split_at(end);
    tells_the_story(story);
    assert_eq!(with_requests, WITH_REQUESTS);
    readme_shows("python", STORY);
}

#[test]
fn the_typescript_example_runs() {
    // In the place of `npm install`: the same versions, see below.
    tells_the_story(&output_of("typescript", |folder| {
        symlink(kit("node").join("node_modules"), folder.join("node_modules")).unwrap();
    }));
    readme_shows("typescript", STORY);
}

#[test]
fn the_go_example_runs() {
    tells_the_story(&output_of("go", |_| ()));
    readme_shows("go", STORY);
}

#[test]
fn the_curl_example_runs() {
    let output = output_of("curl", |_| ());
    let answers: Vec<Value> = output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let results: Vec<Value> = answers.iter().filter_map(|answer| answer.get("result").cloned()).collect();
    assert_eq!(json!(results), json!([907_060_870, 907_060_870, 0, 3, 5.0, null, 1]), "{output}");
    let details: Vec<&str> = answers.iter().filter_map(|answer| answer["detail"].as_str()).collect();
    assert_eq!(details.len(), 4, "{output}");
    for detail in details {
        assert!(STORY.contains(detail), "{detail}");
    }
    readme_shows("curl", "z/crc32 {\"crc\": 0, \"buf\": \"aGVsbG8=\"}\n\"detail\":\"1099511627776 is out of range");
}

#[test]
fn the_helpers_that_sign_are_short_enough_to_copy() {
    for helper in [
        "python/requests_auth.py",
        "python/httpx_auth.py",
        "typescript/signed-fetch.ts",
        "go/signing.go",
        "curl/signed-curl.sh",
    ] {
        let text = std::fs::read_to_string(checkout("examples").join(helper)).unwrap();
        assert!(text.lines().count() < 60, "{helper}");
    }
}

#[test]
fn the_examples_ask_for_the_versions_that_are_tested() {
    let read = |path: &str| -> Value { serde_json::from_slice(&std::fs::read(checkout(path)).unwrap()).unwrap() };
    let (example, tested) = (read("examples/typescript/package.json"), read("tests/strangers/node/package.json"));
    for kind in ["dependencies", "devDependencies"] {
        for (package, version) in example[kind].as_object().unwrap() {
            assert_eq!(tested["dependencies"][package], *version, "{package}");
        }
    }
    let tested = std::fs::read_to_string(checkout("tests/strangers/python/requirements.txt")).unwrap();
    let example = std::fs::read_to_string(checkout("examples/python/requirements.txt")).unwrap();
    for line in example.lines() {
        assert!(tested.lines().any(|pinned| pinned.trim_end_matches(" \\") == line), "{line}");
    }
}
