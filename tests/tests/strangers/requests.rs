//! schemathesis sends the running demo what its document allows and what it does not, signed, and looks at every answer:
//! the status, the schema, the headers. What it may expect is in `tests/strangers/schemathesis/schemathesis.toml`.

use std::time::Instant;

use bridge32_tests::{Bridge, Config};

use crate::tools::{checked, checkout, key_of, run, tool};

/// The files of schemathesis, which are copied beside the document: it writes beside them, too.
const FILES: [&str; 2] = ["schemathesis.toml", "signing.py"];

#[test]
fn schemathesis_finds_no_failure_in_the_demo() {
    let start = Instant::now();
    let bridge = Bridge::with(Config::demo());
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, bridge.client().get("/openapi.json").text).unwrap();
    for file in FILES {
        std::fs::copy(checkout("tests/strangers/schemathesis").join(file), folder.path().join(file)).unwrap();
    }
    let mut command = tool("schemathesis");
    command.arg("run").arg(&document).arg("--url").arg(format!("http://{}", bridge.client().authority()));
    command.envs(key_of(bridge.config()));
    let (success, output, errors) = run(command.current_dir(folder.path()));
    assert!(success, "{output}\n{errors}");
    // Exit code 0 alone could mean that it did nothing.
    let summary = output.split("= SUMMARY =").nth(1).unwrap_or_else(|| panic!("no summary in {output}"));
    let lines = summary.lines().map(str::trim).filter(|line| line.contains(" generated, ") || line.contains("Tested"));
    checked(&format!("schemathesis: {}", lines.collect::<Vec<_>>().join("; ")), start);
    assert!(summary.contains("generated"), "{summary}");
    // Reloads, which are among the requests, replace agents; nothing that was sent should end one otherwise.
    let agents = bridge.client().get("/v1/agents").ok();
    let agents = agents["agents"].as_array().unwrap();
    assert!(!agents.is_empty());
    for agent in agents {
        let name = agent["id"].as_str().unwrap();
        let crashes = bridge.client().get(&format!("/v1/agents/{name}/crashes")).ok();
        assert_eq!((&agent["restarts"], &crashes["crashes"]), (&0.into(), &serde_json::json!([])), "{agent}");
    }
    let log = bridge.log();
    let unplanned: Vec<_> = log.lines().filter(|line| line.contains("WARN") && line.contains("agent ended")).collect();
    assert!(unplanned.is_empty(), "{unplanned:#?}");
}
