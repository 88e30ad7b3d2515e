//! `cpp_lib32` of PyPI's msl-loadlib: a C++ library with a C interface, structures by value among it. pip downloads the two
//! wheels, so that its settings (a mirror, a proxy) hold, and compares their SHA-256 with the ones written here.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::{Library, scratch, shelve};
use crate::workspace::Workspace;
use crate::{packages, progress};

/// The package and its version.
const PACKAGE: (&str, &str) = ("msl-loadlib", "1.1.0");

/// One wheel and what is wanted of it.
struct Wheel {
    target: &'static str,
    platform: &'static str,
    sha256: &'static str,
    member: &'static str,
}

const WHEELS: [Wheel; 2] = [
    Wheel {
        target: "linux32",
        platform: "manylinux1_x86_64",
        sha256: "c058194e86b463023be24d749e7773e68b5e724f224081d195a096fc59659d6e",
        member: "msl/examples/loadlib/cpp_lib32.so",
    },
    Wheel {
        target: "win32",
        platform: "win_amd64",
        sha256: "122d4c7439260f5aa2b014ff6dfedf1eebedf1d4e8e40237cd383fefcd5e1e05",
        member: "msl/examples/loadlib/cpp_lib32.dll",
    },
];

/// Takes one file out of the only wheel of a folder: folder, member, destination.
const EXTRACT: &str = "\
import glob, sys, zipfile
[wheel] = glob.glob(sys.argv[1] + '/*.whl')
open(sys.argv[3], 'wb').write(zipfile.ZipFile(wheel).read(sys.argv[2]))
";

/// The libraries, downloaded if they are not in the cache.
pub(super) fn ensure(workspace: &Workspace, shelf: &Path) -> Result<Vec<Library>> {
    let (package, version) = PACKAGE;
    let mut libraries = Vec::new();
    for wheel in &WHEELS {
        let name = Path::new(wheel.member).file_name().context("a member has a name")?;
        let file = shelf.join(format!("{package}-{version}")).join(wheel.target).join(name);
        if !file.exists() {
            download(workspace, shelf, wheel, &file).with_context(|| {
                format!(
                    "{package} {version} could not be had from PyPI. The end-to-end tests call a library of it, which is kept in \
                     {} once it is there; `pip config list` shows what pip uses",
                    shelf.display()
                )
            })?;
        }
        libraries.push(Library { file, target: wheel.target });
    }
    Ok(libraries)
}

fn download(workspace: &Workspace, shelf: &Path, wheel: &Wheel, place: &Path) -> Result<()> {
    let (package, version) = PACKAGE;
    let python = python_with_pip(workspace)?;
    let folder = scratch(shelf)?;
    let (requirements, library) = (folder.join("requirements.txt"), folder.join("library"));
    fs::write(&requirements, format!("{package}=={version} --hash=sha256:{}\n", wheel.sha256))?;
    let mut download = Command::new(python);
    download.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    download.args(["--only-binary=:all:", "--platform", wheel.platform, "--dest"]).arg(&folder);
    download.arg("--requirement").arg(&requirements);
    let mut extract = Command::new(python);
    extract.args(["-c", EXTRACT]).arg(&folder).arg(wheel.member).arg(&library);
    let what = format!("downloading {package} {version} for {}", wheel.platform);
    let log = workspace.log(&format!("wheel-{}", wheel.target));
    progress::steps_logged(&what, 5, &log, &mut [&mut download, &mut extract])?;
    shelve(&library, place)?;
    fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))
}

/// The `python3` of PATH if it has pip, else Debian's.
fn python_with_pip(workspace: &Workspace) -> Result<&'static str> {
    let pip =
        Command::new("python3").args(["-m", "pip", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if pip.is_ok_and(|status| status.success()) {
        return Ok("python3");
    }
    packages::ensure(workspace, &["python3-pip"])?;
    Ok("/usr/bin/python3")
}
