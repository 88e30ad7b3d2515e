//! Chromium at a gateway: the scripts of `tests/browser/`, run with Node.js and told where the gateway is.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Bridge, dist};

/// Names, as a regular expression, the scenarios to which somebody wants to keep.
pub const VARIABLE: &str = "BRIDGE32_SCENARIO";

/// The folder of the scripts.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browser")
}

/// Node.js with a script of [`folder`], which finds the gateway, the gateway's program, and what drives Chromium in its environment.
/// It ends with an error if a scenario of the script fails, whatever still runs then.
pub fn script(name: &str, bridge: &Bridge) -> Command {
    let mut node = Command::new(dist::own_node().map_or_else(|| "node".into(), |folder| folder.join("node")));
    node.args(["--test-reporter=spec", "--test-force-exit"]);
    node.args(std::env::var(VARIABLE).map(|pattern| format!("--test-name-pattern={pattern}")));
    node.arg(folder().join(name));
    for (variable, _) in std::env::vars_os() {
        // They are the tests', or keys of a configuration.
        if variable.to_string_lossy().starts_with("BRIDGE32_") {
            node.env_remove(variable);
        }
    }
    node.env("NO_COLOR", "1").env("BROWSER_KIT", dist::kit("browser"));
    node.env("GATEWAY_URL", format!("http://{}", bridge.client().authority()));
    node.env("GATEWAY_CONFIG", bridge.config().folder().join("bridge32.toml")).env("GATEWAY_PROGRAM", dist::program());
    node
}
