//! Servers for the tests that nobody here wrote: PostgreSQL, Prometheus with `promtool`, and Rotel, which collects what
//! OpenTelemetry sends. Debian's packages of servers start them for the whole machine, so they are not installed but unpacked,
//! once, under `servers/` of the cache folder, with the libraries that the machine lacks. `dist/strangers/servers/run` starts
//! their programs (see run.sh); the tests look there.

mod collector;
mod debian;
mod postgres;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

pub(crate) use self::postgres::{Postgres, VARIABLE as POSTGRES_VARIABLE};
use crate::libraries::{scratch, shelve};
use crate::workspace::Workspace;
use crate::{build, packages};

/// Goes up when the recipe changes, so that what an older one made is made anew.
const RECIPE: &str = "1";

const RUN_SCRIPT: &str = "xtask/src/servers/run.sh";

/// What is started of them.
const PROGRAMS: [&str; 6] = ["initdb", "postgres", "psql", "prometheus", "promtool", "rotel"];

/// The servers, ready to be started.
pub(crate) struct Servers {
    /// `dist/strangers/servers`
    folder: PathBuf,
}

impl Servers {
    /// One of [`PROGRAMS`].
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join("run"));
        command.arg(name);
        command
    }

    /// Whether all programs find their libraries.
    fn work(&self) -> Result<()> {
        for name in PROGRAMS {
            let output =
                self.program(name).arg("--version").output().with_context(|| format!("{name} cannot be started"))?;
            if !output.status.success() {
                bail!("{name} cannot be run: {}", String::from_utf8_lossy(&output.stderr).trim_end());
            }
        }
        Ok(())
    }
}

/// Makes sure that the servers are there; downloads what is missing.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Servers> {
    if !cfg!(target_os = "linux") {
        bail!("the tests need PostgreSQL and Prometheus, and this step is not made for other systems than Debian yet");
    }
    if !Path::new("/usr/share/zoneinfo/UTC").exists() {
        packages::ensure(workspace, &["tzdata"])?;
    }
    let shelf = workspace.cache.join("servers");
    fs::create_dir_all(&shelf).with_context(|| format!("{} cannot be made", shelf.display()))?;
    let lock = File::create(shelf.join("lock"))?;
    if lock.try_lock().is_err() {
        println!("another set-up is working in {}: waiting for it", shelf.display());
        lock.lock()?;
    }
    let place = shelf.join(format!("{}-{RECIPE}", debian::release()?));
    let servers = Servers { folder: workspace.dist.join("strangers/servers") };
    // Complete, and the machine has not lost a library that it had.
    if place.exists() {
        offer(workspace, &servers, &place)?;
        if servers.work().is_ok() {
            return Ok(servers);
        }
        fs::remove_dir_all(&place).with_context(|| format!("{} cannot be removed", place.display()))?;
    }
    let folder = scratch(&shelf)?;
    let (root, wheel) = (folder.join("root"), folder.join("wheel"));
    debian::unpack(workspace, &folder, &root)?;
    fs::create_dir(&wheel)?;
    collector::install(workspace, &wheel, &root)?;
    shelve(&root, &place)?;
    fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    offer(workspace, &servers, &place)?;
    servers.work().context("the tests' servers were downloaded, and do not run")?;
    Ok(servers)
}

/// The tests find the script, as this checkout has it, and beside it the servers.
fn offer(workspace: &Workspace, servers: &Servers, place: &Path) -> Result<()> {
    fs::create_dir_all(&servers.folder).with_context(|| format!("{} cannot be made", servers.folder.display()))?;
    build::install(&workspace.root.join(RUN_SCRIPT), &servers.folder.join("run"))?;
    build::link(place, &servers.folder.join("root"))
}
