//! Tools that nobody here wrote, and that read the OpenAPI documents as users' tools will: linters, generators of clients,
//! a tester. `tests/strangers/` pins them; they are installed once, under `strangers/` of the cache folder, and
//! `dist/strangers/` has links to them, where the tests look. Nothing is installed for the whole machine but Debian packages.

mod kit;
mod machine;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use self::kit::Kit;
use self::machine::Node;
use crate::workspace::Workspace;

/// Where the files that pin the tools are, in the checkout.
const PINS: &str = "tests/strangers";

/// Makes sure that the tools are there; installs what is missing.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let python = machine::python(workspace)?;
    machine::packages(workspace)?;
    let shelf = workspace.cache.join("strangers");
    fs::create_dir_all(&shelf).with_context(|| format!("{} cannot be made", shelf.display()))?;
    let lock = File::create(shelf.join("lock"))?;
    if lock.try_lock().is_err() {
        println!("another set-up is working in {}: waiting for it", shelf.display());
        lock.lock()?;
    }
    let venv = |name, about, usual| Kit { name, about, usual, pin: "requirements.txt", works_if: "bin/python" };
    let tools = venv("python", "schemathesis, openapi-generator, openapi-python-client", 50);
    tools.ensure(workspace, &shelf, &python.version, |place| Ok(python.install(place, &tools.pin(workspace))))?;

    let runtime = venv("node-runtime", "Node.js", 20);
    let npm = match machine::node() {
        Node::Good => {
            runtime.remove_link(workspace)?;
            Command::new("npm")
        }
        Node::Missing => {
            let place = runtime.ensure(workspace, &shelf, &python.version, |place| {
                Ok(python.install(place, &runtime.pin(workspace)))
            })?;
            machine::npm_of(&place.join("bin"))?
        }
    };
    let tools = Kit {
        name: "node",
        about: "Redocly, Spectral, openapi-typescript, tsc",
        usual: 30,
        pin: "package-lock.json",
        works_if: "node_modules/.bin/redocly",
    };
    tools.ensure(workspace, &shelf, "", |place| npm_install(npm, place, &tools.pin(workspace)))?;

    let tools = Kit { name: "rust", about: "progenitor", usual: 90, pin: "Cargo.lock", works_if: "target" };
    tools.ensure(workspace, &shelf, &machine::rustc(), |place| Ok(vec![compile_progenitor(workspace, place)]))?;
    Ok(())
}

/// What is pinned, and nothing that the packages would like to run at their installation.
fn npm_install(mut npm: Command, place: &Path, lock: &Path) -> Result<Vec<Command>> {
    for file in [lock, &lock.with_file_name("package.json")] {
        let name = file.file_name().context("a file has a name")?;
        fs::copy(file, place.join(name)).with_context(|| format!("{} cannot be copied", file.display()))?;
    }
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(place);
    Ok(vec![npm])
}

/// Compiles progenitor with all that it needs, by way of the written contract; the tests then give it the demo's document,
/// in the same target directory.
fn compile_progenitor(workspace: &Workspace, place: &Path) -> Command {
    let mut build = Command::new("cargo");
    build.args(["build", "--locked", "--manifest-path"]).arg(workspace.root.join(PINS).join("rust/Cargo.toml"));
    build.arg("--target-dir").arg(place.join("target")).env("BRIDGE32_DOCUMENT", workspace.root.join("openapi.yaml"));
    build
}
