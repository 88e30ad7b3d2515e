//! What the machine itself has for the strangers' tools: Python, Node.js, Java, Go; by Debian packages where it has none.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{packages, progress};

/// A program, and the Debian package that has it.
const PROGRAMS: [(&str, &str, &str); 3] =
    [("javac", "-version", "default-jdk-headless"), ("go", "version", "golang-go"), ("curl", "--version", "curl")];

/// What the generated Java and Go clients need beside their languages' own libraries.
const LIBRARIES: &[&str] = &["libjakarta-annotation-api-java", "golang-gopkg-validator.v2-dev"];

/// The versions of Node.js that Redocly runs in: later minor versions of the first, and everything from the second on.
const NODE: [(u32, u32); 2] = [(20, 19), (22, 12)];

/// Says its version if it is one that the pinned tools are for, and has what makes virtual environments.
const PYTHON_WORKS: &str = "\
import sys, venv, ensurepip
if sys.version_info < (3, 11): sys.exit('too old')
print(sys.version)
";

/// Makes sure that Java, Go and curl are there.
pub(super) fn packages(workspace: &Workspace) -> Result<()> {
    let missing = PROGRAMS.iter().filter(|(program, question, _)| !answers(Command::new(program).arg(question)));
    packages::ensure(workspace, &missing.map(|(.., package)| *package).collect::<Vec<_>>())?;
    packages::ensure(workspace, LIBRARIES)
}

fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A Python that makes virtual environments.
pub(super) struct Python {
    program: &'static str,
    /// What it says of itself.
    pub(super) version: String,
}

/// The `python3` of PATH if it will do, else Debian's.
pub(super) fn python(workspace: &Workspace) -> Result<Python> {
    let version = |program| progress::output(Command::new(program).args(["-c", PYTHON_WORKS]));
    if let Ok(version) = version("python3") {
        return Ok(Python { program: "python3", version });
    }
    packages::ensure(workspace, &["python3-venv"])?;
    let program = "/usr/bin/python3";
    let version = version(program).context("the tools need Python 3.11 or newer, with its module `venv`")?;
    Ok(Python { program, version })
}

impl Python {
    /// A virtual environment with exactly what `requirements` names.
    pub(super) fn install(&self, place: &Path, requirements: &Path) -> Vec<Command> {
        let mut make = Command::new(self.program);
        make.args(["-m", "venv"]).arg(place);
        let mut install = Command::new(place.join("bin").join("python"));
        install.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
        install.arg("--requirement").arg(requirements);
        vec![make, install]
    }
}

/// Whether the machine's own Node.js will do.
pub(super) enum Node {
    Good,
    Missing,
}

/// Looks at `node` and `npm` of PATH.
pub(super) fn node() -> Node {
    let version = progress::output(Command::new("node").arg("--version"));
    if version.is_ok_and(|version| is_new_enough(&version)) && answers(Command::new("npm").arg("--version")) {
        return Node::Good;
    }
    Node::Missing
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim().trim_start_matches('v').split('.').map_while(|number| number.parse().ok());
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let [first, rest] = NODE;
    (major == first.0 && minor >= first.1) || (major, minor) >= rest
}

/// The `npm` of a Node.js in another folder, which finds its `node` there.
pub(super) fn npm_of(bin: &Path) -> Result<Command> {
    let mut folders = vec![bin.to_path_buf()];
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let path: OsString = env::join_paths(folders).context("PATH has a folder that cannot be written there")?;
    let mut npm = Command::new(bin.join("npm"));
    npm.env("PATH", path);
    Ok(npm)
}

/// What the compiler says of itself: another one compiles everything anew.
pub(super) fn rustc() -> String {
    progress::output(Command::new("rustc").arg("--version")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_is_used_if_redocly_can_run_in_it() {
        for good in ["v20.19.0\n", "v20.20.2", "v22.12.0", "v23.0.0", "v24.1.0"] {
            assert!(is_new_enough(good), "{good}");
        }
        for old in ["v18.20.4", "v20.18.1", "v21.7.0", "v22.11.0", "", "no node"] {
            assert!(!is_new_enough(old), "{old}");
        }
    }
}
