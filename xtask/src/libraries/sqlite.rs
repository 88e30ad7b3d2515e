//! SQLite: the amalgamation that the crate libsqlite3-sys carries, compiled unchanged for i386. The crate is an optional
//! dependency of the tests that nothing enables, so Cargo pins and downloads it, and never builds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Library, TARGETS, scratch, shelve};
use crate::progress;
use crate::workspace::Workspace;

const CRATE: &str = "libsqlite3-sys";

/// The libraries, compiled if they are not in the cache. Their folder is named after the crate's version, which on
/// crates.io never changes its content; the command that made them lies beside them.
pub(super) fn ensure(workspace: &Workspace, shelf: &Path) -> Result<Vec<Library>> {
    let amalgamation = amalgamation(workspace)?;
    let mut libraries = Vec::new();
    for (target, suffix) in TARGETS {
        let place = shelf.join(&amalgamation.version).join(target);
        let file = place.join(format!("sqlite3.{suffix}"));
        let mut command = compiler(target);
        let recipe = progress::shown(&command);
        if !fs::read_to_string(place.join("recipe")).is_ok_and(|made_by| made_by == recipe) {
            let folder = scratch(shelf)?;
            // Linked under its own name: a DLL carries the name that it was linked as.
            command.arg(&amalgamation.source).arg("-o").arg(folder.join(format!("sqlite3.{suffix}")));
            let log = workspace.log(&format!("sqlite3-{target}"));
            progress::run_logged(&format!("compiling SQLite for {target}"), 30, &log, &mut command)?;
            fs::write(folder.join("recipe"), recipe)?;
            if place.exists() {
                fs::remove_dir_all(&place)?;
            }
            shelve(&folder, &place)?;
        }
        libraries.push(Library { file, target });
    }
    Ok(libraries)
}

fn compiler(target: &str) -> Command {
    let (program, flags): (_, &[_]) = match target {
        "win32" => ("i686-w64-mingw32-gcc", &["-static-libgcc"]),
        _ => ("gcc", &["-m32", "-fPIC"]),
    };
    let mut command = Command::new(program);
    command.args(flags).args(["-shared", "-O1"]);
    command
}

struct Amalgamation {
    /// `libsqlite3-sys-1.2.3`
    version: String,
    /// `sqlite3.c`
    source: PathBuf,
}

/// Where Cargo has put the crate; it is downloaded if it is not there.
fn amalgamation(workspace: &Workspace) -> Result<Amalgamation> {
    let mut command = Command::new("cargo");
    command.args(["metadata", "--format-version", "1", "--all-features"]).current_dir(&workspace.root);
    let text = progress::output(&mut command)
        .with_context(|| format!("the crate {CRATE} is needed: try `cargo fetch`, which says what is wrong"))?;
    found_in(&text)
}

fn found_in(metadata: &str) -> Result<Amalgamation> {
    let metadata: Value = serde_json::from_str(metadata).context("`cargo metadata` answered with something else")?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let package = packages.iter().find(|package| package["name"] == CRATE);
    let package = package.with_context(|| format!("`cargo metadata` does not know the crate {CRATE}"))?;
    let text = |key: &str| package[key].as_str().with_context(|| format!("the crate {CRATE} has no {key}"));
    let source = Path::new(text("manifest_path")?).with_file_name("sqlite3").join("sqlite3.c");
    Ok(Amalgamation { version: format!("{CRATE}-{}", text("version")?), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_amalgamation_lies_in_the_crate() {
        let metadata = r#"{"packages": [{"name": "other", "version": "9", "manifest_path": "/o/Cargo.toml"},
            {"name": "libsqlite3-sys", "version": "1.2.3", "manifest_path": "/r/l/Cargo.toml"}]}"#;
        let found = found_in(metadata).unwrap();
        assert_eq!(found.version, "libsqlite3-sys-1.2.3");
        assert_eq!(found.source, Path::new("/r/l/sqlite3/sqlite3.c"));
        assert!(found_in(r#"{"packages": []}"#).is_err());
        assert!(found_in("no JSON").is_err());
    }
}
