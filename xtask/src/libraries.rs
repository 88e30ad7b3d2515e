//! Libraries for the end-to-end tests that nobody here wrote and that no Debian package has: where they come from is in
//! [`wheels`] and [`sqlite`]. They are made once, under `libraries/` of the cache folder, and copied to `dist/fixtures/`,
//! where the tests look.

mod sqlite;
mod wheels;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::build;
use crate::workspace::Workspace;

/// The two kinds of agents, by the names that the tests' folders have, with the suffix of their libraries.
const TARGETS: [(&str, &str); 2] = [("linux32", "so"), ("win32", "dll")];

/// Makes sure that the libraries are there; downloads and compiles what is missing.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let (shelf, _lock) = shelf(workspace)?;
    let mut made = wheels::ensure(workspace, &shelf)?;
    made.extend(sqlite::ensure(workspace, &shelf)?);
    for Library { file, target } in made {
        let folder = workspace.dist.join("fixtures").join(target);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        build::install(&file, &folder.join(file.file_name().context("a library has a name")?))?;
    }
    Ok(())
}

/// The folder of msl-loadlib, for `PYTHONPATH`.
pub(crate) fn msl_loadlib(workspace: &Workspace) -> Result<PathBuf> {
    let (shelf, _lock) = shelf(workspace)?;
    wheels::package(workspace, &shelf)
}

/// The folder where they are made, as long as the lock is held.
fn shelf(workspace: &Workspace) -> Result<(PathBuf, File)> {
    let shelf = workspace.cache.join("libraries");
    fs::create_dir_all(&shelf).with_context(|| format!("{} cannot be made", shelf.display()))?;
    let lock = File::create(shelf.join("lock"))?;
    if lock.try_lock().is_err() {
        println!("another set-up is working in {}: waiting for it", shelf.display());
        lock.lock()?;
    }
    Ok((shelf, lock))
}

/// A library that is ready.
struct Library {
    /// Where it is.
    file: PathBuf,
    /// For which of [`TARGETS`].
    target: &'static str,
}

/// An empty folder for what is being made; what an interrupted run left in it goes away. The caller holds the lock.
pub(crate) fn scratch(shelf: &Path) -> Result<PathBuf> {
    let folder = shelf.join("partial");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Moves what was made in the scratch folder to its place.
pub(crate) fn shelve(made: &Path, place: &Path) -> Result<()> {
    fs::create_dir_all(place.parent().context("a place has a folder")?)?;
    fs::rename(made, place).with_context(|| format!("{} cannot be put in place", place.display()))
}
