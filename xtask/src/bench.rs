//! `cargo xtask bench [--json] [SUBJECT…]`: what things cost; `cargo xtask bench history [--calls N] [--postgres URL]`: what questions of
//! a long history do, and `cargo xtask bench pages [--calls N]`: how long pages take; both take long themselves and are programs of
//! their own. `bench/` has the measurements; what is said here goes to stderr,
//! so that `--json` prints JSON alone.

use std::process::Command;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{libraries, progress};

/// The task.
pub(crate) fn task(workspace: &Workspace) -> Result<()> {
    let mut words: Vec<String> = std::env::args().skip(2).collect();
    let mut cargo = Command::new("cargo");
    let program = if words.first().is_some_and(|word| ["history", "pages"].contains(&word.as_str())) {
        words.remove(0)
    } else {
        cargo.env("BRIDGE32_PEER", libraries::msl_loadlib(workspace)?);
        "bridge32-bench".to_owned()
    };
    cargo.args(["run", "--quiet", "--release", "--package", "bridge32-bench", "--bin", &program, "--"]).args(words);
    progress::run(cargo.current_dir(&workspace.root))
}
