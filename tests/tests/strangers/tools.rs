//! The tools that `cargo xtask setup` has installed, and running them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

pub(crate) use bridge32_tests::dist::kit;
use bridge32_tests::{Config, dist, postgres};

/// A command of the tools' folders, or of this machine's PATH.
pub(crate) fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    // Redocly would ask its registry for a newer version of itself, and count who uses it.
    command.env("PATH", path()).env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    for name in ["BRIDGE32_DIST", postgres::VARIABLE] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

fn path() -> OsString {
    let mut folders = vec![kit("python").join("bin"), kit("node").join("node_modules/.bin")];
    folders.extend(dist::own_node());
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    std::env::join_paths(folders).unwrap()
}

/// The first key of a configuration that was written, as clients get it: two variables.
pub(crate) fn key_of(config: &Config) -> [(&'static str, String); 2] {
    let keys: toml::Table = std::fs::read_to_string(config.folder().join("keys.toml")).unwrap().parse().unwrap();
    let text = |name: &str| keys["key"][0][name].as_str().unwrap().to_owned();
    [("BRIDGE32_KEY_ID", text("id")), ("BRIDGE32_SECRET", text("secret"))]
}

/// Runs it to its end, which must be a good one, and gives what it wrote to its standard output.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> String {
    let (success, output, errors) = run(command);
    assert!(success, "{command:?} failed\n{output}\n{errors}");
    output
}

/// Runs it to its end: whether that was a good one, its standard output, its standard error.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> (bool, String, String) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{} cannot be started ({error}): run `cargo xtask setup` first", command.get_program().display())
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// A file or folder of the checkout.
pub(crate) fn checkout(path: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    file.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Says what was checked and how long it took, for a person who reads the test's output.
#[expect(clippy::print_stdout, reason = "that is its job")]
pub(crate) fn checked(what: &str, since: Instant) {
    println!("{what}: {:.1} s", since.elapsed().as_secs_f32());
}
