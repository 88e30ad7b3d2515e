//! Wheels of PyPI: one file out of one, or the whole package. pip downloads them, so that its settings (a mirror, a proxy) hold,
//! and compares their SHA-256 with the ones that are written here.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{packages, progress};

/// A wheel, and what is wanted of it.
pub(crate) struct Wheel {
    /// The package and its version.
    pub(crate) package: (&'static str, &'static str),
    pub(crate) platform: &'static str,
    /// The version of Python that it is for, where it is for one only.
    pub(crate) python: Option<&'static str>,
    pub(crate) sha256: &'static str,
    /// The path of the file in it.
    pub(crate) member: &'static str,
}

/// Takes one file out of the only wheel of a folder: folder, member, destination.
const EXTRACT: &str = "\
import glob, sys, zipfile
[wheel] = glob.glob(sys.argv[1] + '/*.whl')
open(sys.argv[3], 'wb').write(zipfile.ZipFile(wheel).read(sys.argv[2]))
";

impl Wheel {
    /// Downloads it into the empty folder `scratch`, and writes the file to `file`.
    pub(crate) fn extract(&self, workspace: &Workspace, scratch: &Path, file: &Path) -> Result<()> {
        let python = python_with_pip(workspace)?;
        let mut download = self.pip(python, "download", scratch)?;
        download.arg("--dest").arg(scratch);
        let mut extract = Command::new(python);
        extract.args(["-c", EXTRACT]).arg(scratch).arg(self.member).arg(file);
        self.run(workspace, &mut [&mut download, &mut extract])
    }

    /// Installs the whole package into the empty folder `scratch`, for whoever has that in `PYTHONPATH`.
    pub(crate) fn install(&self, workspace: &Workspace, scratch: &Path) -> Result<()> {
        let mut install = self.pip(python_with_pip(workspace)?, "install", scratch)?;
        install.arg("--target").arg(scratch);
        self.run(workspace, &mut [&mut install])
    }

    /// What pip does with this wheel and no other.
    fn pip(&self, python: &str, verb: &str, scratch: &Path) -> Result<Command> {
        let (package, version) = self.package;
        let requirements = scratch.join("requirements.txt");
        fs::write(&requirements, format!("{package}=={version} --hash=sha256:{}\n", self.sha256))?;
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", verb, "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
        pip.args(["--only-binary=:all:", "--platform", self.platform]);
        pip.args(self.python.iter().flat_map(|version| ["--python-version", version]));
        pip.arg("--requirement").arg(&requirements);
        Ok(pip)
    }

    fn run(&self, workspace: &Workspace, steps: &mut [&mut Command]) -> Result<()> {
        let (package, version) = self.package;
        let what = format!("downloading {package} {version} for {}", self.platform);
        let log = workspace.log(&format!("wheel-{package}-{}", self.platform));
        progress::steps_logged(&what, 5, &log, steps).with_context(|| {
            format!("{package} {version} could not be had from PyPI; `pip config list` shows what pip uses")
        })
    }
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
