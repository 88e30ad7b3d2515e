//! Where the built programs are.

use std::path::{Path, PathBuf};
use std::process::Command;
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

/// Starts the gateway's program: the one of this machine, or that for Windows with this machine's Wine.
pub fn gateway() -> Command {
    if !crate::WINDOWS_GATEWAY {
        return Command::new(program());
    }
    let runtimes = tables("runtime");
    let words = command_of(&runtimes, "win64");
    let (_agent, starter) = words.split_last().expect("a runtime's command has words");
    let (first, more) = starter.split_first().expect("Wine, or what starts it");
    let mut command = Command::new(first);
    command.args(more).arg(crate::windows_path(&folder().join("bridge32.exe")));
    let variables = runtimes["win64"].get("env").and_then(toml::Value::as_table).into_iter().flatten();
    command.envs(variables.filter_map(|(name, value)| Some((name, value.as_str()?))));
    command
}

/// The words that start an agent of a runtime.
fn command_of(runtimes: &toml::Table, name: &str) -> Vec<String> {
    let words = runtimes.get(name).and_then(|runtime| runtime.get("command")).and_then(toml::Value::as_array);
    let words = words.unwrap_or_else(|| panic!("dist/bridge32.toml has no [runtime.{name}]: run `cargo xtask build`"));
    words.iter().map(|word| word.as_str().expect("a word is a text").to_owned()).collect()
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

/// The `[runtime.*]` tables that work for the gateway of the tests: one for Windows starts the agents for Windows as they are.
pub fn runtimes() -> toml::Table {
    let all = tables("runtime");
    if !crate::WINDOWS_GATEWAY {
        return all;
    }
    let direct = |name: &str| {
        let agent = command_of(&all, name).pop().expect("a runtime's command has words");
        let command = toml::Value::from(vec![toml::Value::from(agent)]);
        (name.to_owned(), toml::Table::from_iter([("command".to_owned(), command)]).into())
    };
    ["win32", "win64"].map(direct).into_iter().collect()
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
