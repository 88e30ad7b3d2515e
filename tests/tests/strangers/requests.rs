//! schemathesis sends the running demo what its document allows and what it does not, signed, and looks at every answer:
//! the status, the schema, the headers. What it may expect is in `tests/strangers/schemathesis/schemathesis.toml`.

use std::time::Instant;

use bridge32_tests::{Bridge, Config, dist};

use crate::tools::{checked, checkout, run, secret, tool};

/// The files of schemathesis, which are copied beside the document: it writes beside them, too.
const FILES: [&str; 2] = ["schemathesis.toml", "signing.py"];

#[test]
fn schemathesis_finds_no_failure_in_the_demo() {
    let start = Instant::now();
    let mut config = Config::demo();
    config.key("schemathesis", &["call:*", "read", "adhoc", "manage"]);
    let bridge = Bridge::with(config);
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, bridge.client().get("/openapi.json").text).unwrap();
    for file in FILES {
        std::fs::copy(checkout("tests/strangers/schemathesis").join(file), folder.path().join(file)).unwrap();
    }
    let mut command = tool("schemathesis");
    command.arg("run").arg(&document).arg("--url").arg(format!("http://{}", bridge.client().authority()));
    command.env("BRIDGE32_KEY_ID", "schemathesis").env("BRIDGE32_SECRET", secret(bridge.config()));
    let (success, output, errors) = run(command.current_dir(folder.path()));
    assert!(success, "{output}\n{errors}");
    // Exit code 0 alone could mean that it did nothing.
    let summary = output.split("= SUMMARY =").nth(1).unwrap_or_else(|| panic!("no summary in {output}"));
    let lines = summary.lines().map(str::trim).filter(|line| line.contains(" generated, ") || line.contains("Tested"));
    checked(&format!("schemathesis: {}", lines.collect::<Vec<_>>().join("; ")), start);
    assert!(summary.contains("generated"), "{summary}");
    for agent in dist::demo().keys() {
        assert_eq!(bridge.generation(agent), 1, "{agent} ended, and nothing that was sent should do that");
    }
}
