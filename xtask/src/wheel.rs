//! One file out of a wheel of PyPI. pip downloads it, so that its settings (a mirror, a proxy) hold, and compares its SHA-256
//! with the one that is written here.

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
        let (package, version) = self.package;
        let python = python_with_pip(workspace)?;
        let requirements = scratch.join("requirements.txt");
        fs::write(&requirements, format!("{package}=={version} --hash=sha256:{}\n", self.sha256))?;
        let mut download = Command::new(python);
        download.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
        download.args(["--only-binary=:all:", "--platform", self.platform, "--dest"]).arg(scratch);
        download.args(self.python.iter().flat_map(|version| ["--python-version", version]));
        download.arg("--requirement").arg(&requirements);
        let mut extract = Command::new(python);
        extract.args(["-c", EXTRACT]).arg(scratch).arg(self.member).arg(file);
        let what = format!("downloading {package} {version} for {}", self.platform);
        let log = workspace.log(&format!("wheel-{package}-{}", self.platform));
        progress::steps_logged(&what, 5, &log, &mut [&mut download, &mut extract]).with_context(|| {
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
