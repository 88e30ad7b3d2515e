//! `cargo xtask soak [OPTION…]`: failures of every kind under load, with the programs that a user gets. `tests/src/soak/` has the
//! scenarios; `--help` has the options.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{build, progress, setup};

/// The task.
pub(crate) fn task(workspace: &Workspace) -> Result<()> {
    let options: Vec<String> = std::env::args().skip(2).collect();
    let asks_only = options.iter().any(|option| ["-h", "--help", "--list"].contains(&option.as_str()));
    if !asks_only {
        build::dist(workspace, &setup::ensure(workspace)?)?;
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--release", "--package", "bridge32-tests", "--bin", "soak", "--"]).args(options);
    cargo.env("BRIDGE32_DIST", &workspace.dist).current_dir(&workspace.root);
    progress::run(&mut cargo).context("something did not hold, or the options are wrong")
}
