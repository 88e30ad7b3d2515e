//! `cargo xtask setup`: everything that a fresh machine lacks. The other tasks call [`ensure`]; the second time it only
//! looks.

use std::time::Instant;

use anyhow::Result;

use crate::libraries;
use crate::packages;
use crate::servers;
use crate::strangers;
use crate::toolchain::{Finder, Target, Toolchain};
use crate::wine::Wine;
use crate::workspace::Workspace;

/// What the set-up found or made.
pub(crate) struct Ready {
    /// Compiles the agent for ELF i386.
    pub(crate) linux32: Toolchain,
    /// Compiles the agent for PE i386.
    pub(crate) windows32: Toolchain,
    /// Compiles the gateway for Windows.
    pub(crate) windows64: Toolchain,
    /// Starts Windows programs.
    pub(crate) wine: Wine,
}

/// The task: [`ensure`], the libraries, servers and tools that only the tests need, and what it came to.
pub(crate) fn task(workspace: &Workspace) -> Result<()> {
    let start = Instant::now();
    let ready = ensure(workspace)?;
    libraries::ensure(workspace)?;
    servers::ensure(workspace)?;
    strangers::ensure(workspace)?;
    strangers::ensure_browser(workspace)?;
    for toolchain in [&ready.linux32, &ready.windows32, &ready.windows64] {
        println!("{toolchain}");
    }
    println!("{}", ready.wine);
    println!("ready ({:.1} s)", start.elapsed().as_secs_f32());
    Ok(())
}

/// Makes sure that all is there, and installs what is missing.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Ready> {
    let finder = Finder::new(workspace)?;
    let linux32 = finder.find(Target::Linux32)?;
    let windows32 = finder.find(Target::Windows32)?;
    let windows64 = finder.find(Target::Windows64)?;
    if cfg!(target_os = "linux") {
        packages::ensure(workspace, packages::ALWAYS)?;
    }
    Ok(Ready { linux32, windows32, windows64, wine: Wine::find_or_make(workspace)? })
}
