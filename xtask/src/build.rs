//! `cargo xtask build`: everything that a user needs, in `dist/`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::setup::{self, Ready};
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;
use crate::{demo, progress};

/// The package and the program of the gateway.
pub(crate) const GATEWAY: (&str, &str) = ("bridge32-gateway", "bridge32");
/// The package and the program of the agent.
pub(crate) const AGENT: &str = "agent32";

/// The task: set up what is missing, then [`dist`].
pub(crate) fn task(workspace: &Workspace) -> Result<()> {
    let ready = setup::ensure(workspace)?;
    windows(workspace, &ready)?;
    dist(workspace, &ready)?;
    println!("{} is ready", workspace.short(&workspace.dist).display());
    Ok(())
}

/// Builds the 64-bit programs for Windows, which nothing else here needs. The demo's configuration knows of them if they are there.
pub(crate) fn windows(workspace: &Workspace, ready: &Ready) -> Result<()> {
    let toolchain = &ready.windows64;
    compile(workspace, toolchain, &[GATEWAY.0, AGENT])?;
    make_folder(&workspace.dist)?;
    for (program, name) in [(GATEWAY.1, "bridge32.exe"), (AGENT, "agent64.exe")] {
        install(&toolchain.program(program), &workspace.dist.join(name))?;
    }
    Ok(())
}

/// Builds the programs for this machine, both 32-bit agents, the demo libraries and the demo configuration.
pub(crate) fn dist(workspace: &Workspace, ready: &Ready) -> Result<()> {
    let dist = &workspace.dist;
    make_folder(dist)?;
    let host = Toolchain::host(workspace);
    compile(workspace, &host, &[GATEWAY.0, AGENT])?;
    compile(workspace, &ready.linux32, &[AGENT])?;
    compile(workspace, &ready.windows32, &[AGENT])?;
    let suffix = std::env::consts::EXE_SUFFIX;
    install(&host.program(GATEWAY.1), &dist.join(format!("{}{suffix}", GATEWAY.1)))?;
    install(&host.program(AGENT), &dist.join(format!("agent64{suffix}")))?;
    install(&ready.linux32.program(AGENT), &dist.join("agent32"))?;
    install(&ready.windows32.program(AGENT), &dist.join("agent32.exe"))?;
    demo::make(workspace, &ready.wine)
}

fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

fn compile(workspace: &Workspace, toolchain: &Toolchain, packages: &[&str]) -> Result<()> {
    println!("compiling {} for {toolchain}", packages.join(", "));
    let mut command = toolchain.cargo("build");
    command.arg("--release").current_dir(&workspace.root);
    for package in packages {
        command.args(["--package", package]);
    }
    progress::run(&mut command)
}

/// Copies a program under another name first, so that an older one that still runs is replaced and not written to. What
/// is the same already stays as it is.
pub(crate) fn install(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("{} was not built", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let partial = to.with_extension("new");
    fs::copy(from, &partial).with_context(|| format!("{} cannot be written", partial.display()))?;
    fs::rename(&partial, to).with_context(|| format!("{} cannot be replaced", to.display()))
}

/// Makes `link` a link to the folder `target`, whatever link it was.
pub(crate) fn link(target: &Path, link: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|old| old == target) {
        return Ok(());
    }
    remove_link(link)?;
    fs::create_dir_all(link.parent().context("a link has a folder")?)?;
    symlink(target, link).with_context(|| format!("{} cannot be made", link.display()))
}

/// Removes a link, if there is one.
pub(crate) fn remove_link(link: &Path) -> Result<()> {
    if link.symlink_metadata().is_ok() {
        fs::remove_file(link).with_context(|| format!("{} cannot be removed", link.display()))?;
    }
    Ok(())
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_dir(target, link)
}

/// Lets everybody run a file.
#[cfg(unix)]
pub(crate) fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
pub(crate) fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}
