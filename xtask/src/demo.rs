//! The demo: the project's own C library, the headers of libraries that the system has, and the configuration that names
//! them, with the start commands that work on this machine, and a key.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::build::GATEWAY;
use crate::wine::Wine;
use crate::workspace::Workspace;
use crate::{build, progress};

/// Where `cargo xtask run` serves the demo.
pub(crate) const ADDRESS: &str = "127.0.0.1:8032";

/// Its configuration, in `dist/`.
pub(crate) const CONFIG: &str = "bridge32.toml";

/// The file of its keys, in `dist/`.
const KEYS: &str = "keys.toml";
/// What the demo's key may do: everything but be an agent.
const SCOPES: [&str; 5] = ["call:*", "adhoc", "read", "history", "manage"];

/// One library of the demo.
struct Library {
    name: &'static str,
    about: &'static str,
    /// Relative to dist/, absolute, or a path of the runtime's own.
    file: &'static str,
    header: &'static str,
    /// Only where the file cannot be read from here, so that its kind is unknown.
    runtime: Option<&'static str>,
}

const LIBRARIES: &[Library] = &[
    library("demo", "the project's own library, as ELF", "demo/libdemo.so", "demo.h"),
    library("demow", "the same for Windows", "demo/demo.dll", "demo.h"),
    library("z", "the system's 32-bit zlib", "/usr/lib32/libz.so.1", "zlib.h"),
    library("zw", "zlib for Windows", "demo/zlib1.dll", "zlib.h"),
    library("m", "the system's 32-bit mathematical library", "/lib32/libm.so.6", "math.h"),
    Library {
        runtime: Some("win32"),
        ..library("kernel32", "a part of Windows, or of Wine", r"C:\windows\system32\kernel32.dll", "kernel32.h")
    },
];

const fn library(name: &'static str, about: &'static str, file: &'static str, header: &'static str) -> Library {
    Library { name, about, file, header, runtime: None }
}

/// Calls that show the demo, one on each kind of library: what it is, the function, the body.
const CALLS: [(&str, &str, &str); 3] = [
    ("2 + 3 in the project's own 32-bit ELF library", "demo/functions/Add", r#"{"a": 2, "b": 3}"#),
    (
        "the CRC-32 of \"hello\" by the system's 32-bit zlib",
        "z/functions/crc32",
        r#"{"crc": 0, "buf": "aGVsbG8=", "len": 5}"#,
    ),
    (
        "6 * 7 / 2 by the 32-bit kernel32.dll",
        "kernel32/functions/MulDiv",
        r#"{"nNumber": 6, "nNumerator": 7, "nDenominator": 2}"#,
    ),
];

/// The calls as lines for a shell whose folder is the checkout; `dist` is relative to it.
pub(crate) fn curl_lines(dist: &Path) -> String {
    let (program, config) = (dist.join(GATEWAY.1), dist.join(CONFIG));
    CALLS.iter().fold(String::new(), |mut lines, (about, function, body)| {
        let (program, config) = (program.display(), config.display());
        let _ = writeln!(lines, "  # {about}\n  {program} curl --config {config} /v1/libraries/{function} -d '{body}'");
        lines
    })
}

/// What else a person may want to know of the running demo.
pub(crate) fn hints(dist: &Path) -> String {
    let (program, config, keys) = (dist.join(GATEWAY.1), dist.join(CONFIG), dist.join(KEYS));
    let (program, config, keys) = (program.display(), config.display(), keys.display());
    format!(
        "They are signed with the key of {keys}, which stays between builds. In a browser http://{ADDRESS}/ wants a link to\n\
         sign in: the one above, or a new one from `{program} sign-in --config {config}`. Ctrl-C ends it all."
    )
}

/// Puts the demo's libraries, headers and configuration into `dist/`.
pub(crate) fn make(workspace: &Workspace, wine: &Wine) -> Result<()> {
    let (source, dist) = (workspace.root.join("demo"), workspace.dist.join("demo"));
    fs::create_dir_all(&dist).with_context(|| format!("{} cannot be made", dist.display()))?;
    for header in LIBRARIES.iter().map(|library| library.header) {
        build::install(&source.join(header), &dist.join(header))?;
    }
    compile_library(&source, &dist)?;
    let zlib = Path::new("/usr/i686-w64-mingw32/lib/zlib1.dll");
    if zlib.exists() {
        build::install(zlib, &dist.join("zlib1.dll"))?;
    }
    let there = |library: &&Library| library.runtime.is_some() || workspace.dist.join(library.file).exists();
    let (there, missing): (Vec<&Library>, Vec<&Library>) = LIBRARIES.iter().partition(there);
    for library in missing {
        println!("the demo goes without {}: this machine has no {}", library.about, library.file);
    }
    let text = configuration(&workspace.dist, wine, &there);
    let path = workspace.dist.join(CONFIG);
    fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    make_key(&workspace.dist)
}

/// Makes the demo's key once, so that programs which were given it go on working after the next build.
fn make_key(dist: &Path) -> Result<()> {
    let file = dist.join(KEYS);
    if file.exists() {
        return Ok(());
    }
    let mut keys = Command::new(dist.join(format!("{}{}", GATEWAY.1, std::env::consts::EXE_SUFFIX)));
    keys.args(["keys", "add", "demo", "--keys-file"]).arg(&file);
    keys.args(SCOPES.iter().flat_map(|scope| ["--scope", scope]));
    // What it prints is in the file: `bridge32 curl` takes it from there.
    progress::run(keys.stdout(Stdio::null()).stderr(Stdio::null()))
}

fn compile_library(source: &Path, dist: &Path) -> Result<()> {
    let mut kinds = vec![("i686-w64-mingw32-gcc", &["-static-libgcc"][..], "demo.dll")];
    if cfg!(unix) {
        kinds.push(("gcc", &["-m32", "-fPIC"][..], "libdemo.so"));
    }
    for (compiler, options, library) in kinds {
        let partial = dist.join(format!("{library}.new"));
        let mut command = Command::new(compiler);
        command.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-s", "-shared"]).args(options);
        progress::run(command.arg("-o").arg(&partial).arg(source.join("demo.c")).arg("-lm"))?;
        // An agent that has the old library loaded keeps it.
        fs::rename(&partial, dist.join(library))?;
    }
    Ok(())
}

fn configuration(dist: &Path, wine: &Wine, libraries: &[&Library]) -> String {
    let own = |name: &str| toml_string(&dist.join(name).to_string_lossy());
    let mut text = format!(
        "# The demo, made anew by each `cargo xtask build`.\n\nlisten = \"{ADDRESS}\"\ndata_dir = \"data\"\n\n\
         # Every request is signed with a key of this file, which is made once and then kept.\n\
         [auth]\nmode = \"hmac\"\nkeys_file = \"{KEYS}\"\n\n# How agents are started on this machine.\n"
    );
    if cfg!(unix) {
        for (runtime, agent) in [("linux32", "agent32"), ("linux64", "agent64")] {
            let _ = writeln!(text, "[runtime.{runtime}]\ncommand = [{}]\n", own(agent));
        }
    }
    text += &wine.runtime(32, &dist.join("agent32.exe"));
    let agent64 = dist.join("agent64.exe");
    if agent64.exists() {
        text += "\n";
        text += &wine.runtime(64, &agent64);
    }
    for Library { name, about, file, header, runtime } in libraries {
        let (file, header) = (toml_string(file), toml_string(&format!("demo/{header}")));
        let _ = write!(text, "\n# {about}\n[library.{name}]\nfile = {file}\nheader = {header}\n");
        if let Some(runtime) = runtime {
            let _ = writeln!(text, "runtime = \"{runtime}\"");
        }
    }
    text
}

/// `text` as a TOML string.
pub(crate) fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_can_be_used_from_another_folder() {
        let text = configuration(Path::new("/dist"), &Wine::NotNeeded, &LIBRARIES.iter().collect::<Vec<_>>());
        assert!(text.contains("[runtime.linux32]\ncommand = [\"/dist/agent32\"]\n"), "{text}");
        assert!(text.contains("[runtime.win32]\ncommand = [\"/dist/agent32.exe\"]\n"), "{text}");
        assert!(text.contains("[auth]\nmode = \"hmac\"\nkeys_file = \"keys.toml\"\n"), "{text}");
        assert!(text.contains("file = \"C:\\\\windows\\\\system32\\\\kernel32.dll\"\n"), "{text}");
    }

    #[test]
    fn the_calls_are_lines_for_a_shell() {
        let lines = curl_lines(Path::new("dist"));
        assert_eq!(lines.lines().count(), 2 * CALLS.len());
        let first = lines.lines().nth(1).unwrap().trim();
        assert!(
            first.starts_with("dist/bridge32 curl --config dist/bridge32.toml /v1/libraries/demo/functions/Add -d ")
        );
        let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
        assert!(readme.contains(&format!("    {first}\n")), "the README does not show {first}");
    }
}
