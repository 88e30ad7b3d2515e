//! `cargo xtask bench [--json] [SUBJECT…]`: what things cost. `bench/` has the measurements; what is said here goes to stderr,
//! so that `--json` prints JSON alone.

use std::process::Command;

use anyhow::Result;

use crate::progress;
use crate::workspace::Workspace;

/// The task.
pub(crate) fn task(workspace: &Workspace) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--release", "--package", "bridge32-bench", "--"]).args(std::env::args().skip(2));
    progress::run(cargo.current_dir(&workspace.root))
}
