//! Where the built programs are.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder `dist/`.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = place();
        for name in ["bridge32", "agent32", "agent32.exe", "agent64", "bridge32.toml", "keys.toml"] {
            let file = folder.join(name);
            assert!(file.exists(), "{} is not there: run `cargo xtask build` first", file.display());
        }
        folder
    })
}

/// Where `dist/` is, whatever has been built.
pub(crate) fn place() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let folder = std::env::var_os("BRIDGE32_DIST").map_or_else(default, PathBuf::from);
    folder.canonicalize().unwrap_or(folder)
}

/// The gateway's program.
pub fn program() -> PathBuf {
    folder().join("bridge32")
}

/// A set of tools that `cargo xtask setup` has installed.
pub fn kit(name: &str) -> PathBuf {
    let link = folder().join("strangers").join(name);
    link.canonicalize()
        .unwrap_or_else(|error| panic!("{} is not there ({error}): run `cargo xtask setup` first", link.display()))
}

/// The folder of the Node.js that `cargo xtask setup` has installed, if the machine has none.
pub fn own_node() -> Option<PathBuf> {
    let bin = folder().join("strangers/node-runtime/bin");
    bin.exists().then_some(bin)
}

/// The `[runtime.*]` tables that work on this machine.
pub fn runtimes() -> toml::Table {
    tables("runtime")
}

/// The `[library.*]` tables of the demo. Their paths are relative to [`folder`].
pub fn demo() -> toml::Table {
    tables("library")
}

fn tables(kind: &str) -> toml::Table {
    let file = folder().join("bridge32.toml");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut document: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    match document.remove(kind) {
        Some(toml::Value::Table(tables)) => tables,
        _ => panic!("{} has no [{kind}.*] tables", file.display()),
    }
}
