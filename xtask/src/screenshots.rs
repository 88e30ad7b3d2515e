//! `cargo xtask screenshots [PAGE…]`: pictures of the dashboard's pages in `screenshots/`, from a gateway with the programs that a
//! user gets. `tests/browser/pages.mjs` has the pages.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{build, progress, setup, strangers};

/// The task.
pub(crate) fn task(workspace: &Workspace) -> Result<()> {
    let pages: Vec<String> = std::env::args().skip(2).collect();
    build::dist(workspace, &setup::ensure(workspace)?)?;
    strangers::ensure_browser(workspace)?;
    let folder = workspace.root.join("screenshots");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["run", "--quiet", "--package", "bridge32-tests", "--bin", "screenshots", "--"])
        .arg(&folder)
        .args(pages);
    cargo.env("BRIDGE32_DIST", &workspace.dist).current_dir(&workspace.root);
    progress::run(&mut cargo).context("not all pages have a picture")?;
    println!("the pictures are in {}", workspace.short(&folder).display());
    Ok(())
}
