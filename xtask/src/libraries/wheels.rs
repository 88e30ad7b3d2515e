//! `cpp_lib32` of PyPI's msl-loadlib: a C++ library with a C interface, structures by value among it. And msl-loadlib itself: the
//! benchmark compares the bridge with it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Library, scratch, shelve};
use crate::wheel::Wheel;
use crate::workspace::Workspace;

/// The package and its version.
const PACKAGE: (&str, &str) = ("msl-loadlib", "1.1.0");

/// The wheels, by the targets of their libraries.
const WHEELS: [(&str, Wheel); 2] = [
    (
        "linux32",
        wheel(
            "manylinux1_x86_64",
            "c058194e86b463023be24d749e7773e68b5e724f224081d195a096fc59659d6e",
            "msl/examples/loadlib/cpp_lib32.so",
        ),
    ),
    (
        "win32",
        wheel(
            "win_amd64",
            "122d4c7439260f5aa2b014ff6dfedf1eebedf1d4e8e40237cd383fefcd5e1e05",
            "msl/examples/loadlib/cpp_lib32.dll",
        ),
    ),
];

const fn wheel(platform: &'static str, sha256: &'static str, member: &'static str) -> Wheel {
    Wheel { package: PACKAGE, platform, python: None, sha256, member }
}

/// The libraries, downloaded if they are not in the cache.
pub(super) fn ensure(workspace: &Workspace, shelf: &Path) -> Result<Vec<Library>> {
    let (package, version) = PACKAGE;
    let mut libraries = Vec::new();
    for (target, wheel) in &WHEELS {
        let name = Path::new(wheel.member).file_name().context("a member has a name")?;
        let file = shelf.join(format!("{package}-{version}")).join(target).join(name);
        if !file.exists() {
            download(workspace, shelf, wheel, &file).with_context(|| {
                format!(
                    "the end-to-end tests call a library of {package}, which is kept in {} once it is there",
                    shelf.display()
                )
            })?;
        }
        libraries.push(Library { file, target });
    }
    Ok(libraries)
}

/// The folder of the whole package, which the benchmark calls as Python programs do.
pub(super) fn package(workspace: &Workspace, shelf: &Path) -> Result<PathBuf> {
    let (package, version) = PACKAGE;
    let place = shelf.join(format!("{package}-{version}")).join("python");
    if !place.exists() {
        let folder = scratch(shelf)?;
        let [(_, wheel), _] = &WHEELS;
        wheel.install(workspace, &folder)?;
        shelve(&folder, &place)?;
    }
    Ok(place)
}

fn download(workspace: &Workspace, shelf: &Path, wheel: &Wheel, place: &Path) -> Result<()> {
    let folder = scratch(shelf)?;
    let library = folder.join("library");
    wheel.extract(workspace, &folder, &library)?;
    shelve(&library, place)?;
    fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))
}
