//! Tools that nobody here wrote, and that read the OpenAPI documents as users' tools will: linters, generators of clients,
//! a tester; and a browser, with what drives it. `tests/strangers/` and `tests/browser/` pin them; they are installed once, under
//! `strangers/` of the cache folder, and `dist/strangers/` has links to them, where the tests look. Nothing is installed for the
//! whole machine but Debian packages.

mod kit;
mod machine;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use self::kit::Kit;
use self::machine::Node;
use crate::packages;
use crate::workspace::Workspace;

/// Where the files that pin the tools are, in the checkout.
const PINS: &str = "tests/strangers";

/// The browser of the tests, and fonts that give pages the same widths everywhere and that have Chinese.
const BROWSER: &[&str] = &["chromium", "fonts-dejavu-core", "fonts-wqy-microhei"];

/// Makes sure that the tools are there; installs what is missing.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let python = machine::python(workspace)?;
    machine::packages(workspace)?;
    let shelf = Shelf::of(workspace)?;
    let tools = Kit { about: "schemathesis, openapi-generator, openapi-python-client", usual: 50, ..venv("python") };
    tools.ensure(
        workspace,
        &shelf.folder,
        &python.version,
        |place| Ok(python.install(place, &tools.pin(workspace))),
    )?;

    let tools = Kit {
        pins: PINS,
        name: "node",
        about: "Redocly, Spectral, openapi-typescript, tsc",
        usual: 30,
        pin: "package-lock.json",
        works_if: "node_modules/.bin/redocly",
    };
    let npm = npm(workspace, &shelf)?;
    tools.ensure(workspace, &shelf.folder, "", |place| npm_install(npm, place, &tools.pin(workspace)))?;

    let tools = Kit { pins: PINS, name: "rust", about: "progenitor", usual: 90, pin: "Cargo.lock", works_if: "target" };
    tools
        .ensure(workspace, &shelf.folder, &machine::rustc(), |place| Ok(vec![compile_progenitor(workspace, place)]))?;
    Ok(())
}

/// Makes sure that there is a browser, and what drives it: `tests/browser/` pins that.
pub(crate) fn ensure_browser(workspace: &Workspace) -> Result<()> {
    packages::ensure(workspace, BROWSER)?;
    let shelf = Shelf::of(workspace)?;
    let tools = Kit {
        pins: "tests",
        name: "browser",
        about: "playwright-core, axe-core",
        usual: 5,
        pin: "package-lock.json",
        works_if: "node_modules/playwright-core",
    };
    let npm = npm(workspace, &shelf)?;
    tools.ensure(workspace, &shelf.folder, "", |place| npm_install(npm, place, &tools.pin(workspace)))?;
    Ok(())
}

/// Where the tools are kept, for one set-up at a time.
struct Shelf {
    folder: PathBuf,
    _lock: File,
}

impl Shelf {
    fn of(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.cache.join("strangers");
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let lock = File::create(folder.join("lock"))?;
        if lock.try_lock().is_err() {
            println!("another set-up is working in {}: waiting for it", folder.display());
            lock.lock()?;
        }
        Ok(Self { folder, _lock: lock })
    }
}

/// A virtual environment of Python; the caller says the rest of it.
const fn venv(name: &'static str) -> Kit {
    Kit { pins: PINS, name, about: "", usual: 0, pin: "requirements.txt", works_if: "bin/python" }
}

/// The machine's `npm`, or that of a Node.js which is installed if the machine has none.
fn npm(workspace: &Workspace, shelf: &Shelf) -> Result<Command> {
    let runtime = Kit { about: "Node.js", usual: 20, ..venv("node-runtime") };
    if let Node::Good = machine::node() {
        runtime.remove_link(workspace)?;
        return Ok(Command::new("npm"));
    }
    let python = machine::python(workspace)?;
    let install = |place: &Path| Ok(python.install(place, &runtime.pin(workspace)));
    let place = runtime.ensure(workspace, &shelf.folder, &python.version, install)?;
    machine::npm_of(&place.join("bin"))
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
