//! How Windows programs run on this machine: as they are on Windows, with the Wine in PATH if it is new enough and works,
//! else with the Wine of the cache folder ([`crate::chroot`]). Also what every prefix must say.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fmt, fs};

use anyhow::{Context as _, Result};

use crate::toolchain::Target;
use crate::workspace::Workspace;
use crate::{chroot, progress};

/// The oldest Wine that starts programs of a current Rust compiler: earlier ones lack `bcryptprimitives.dll`.
const OLDEST: u32 = 9;

/// While a prefix is made, Wine shall not ask to download Mono and Gecko.
pub(crate) const NO_QUESTIONS: (&str, &str) = ("WINEDLLOVERRIDES", "mscoree=;mshtml=");

/// What every prefix of ours says: there is no screen, and nobody to answer a question.
pub(crate) const REGISTRY: &str = r#"REGEDIT4

[HKEY_CURRENT_USER\Software\Wine\WineDbg]
"ShowCrashDialog"=dword:00000000

[HKEY_CURRENT_USER\Software\Wine\Drivers]
"Graphics"="null"
"Audio"=""

[HKEY_CURRENT_USER\Software\Wine\DllOverrides]
"mscoree"=""
"#;

/// Arguments of Wine that let a crash end the process at once, in the registry's 32- and 64-bit views: an empty debugger
/// command cannot be started.
pub(crate) const NO_DEBUGGER: [[&str; 11]; 2] = [no_debugger("/reg:32"), no_debugger("/reg:64")];

const fn no_debugger(view: &str) -> [&str; 11] {
    let key = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug";
    ["reg", "add", key, "/v", "Debugger", "/t", "REG_SZ", "/d", "", "/f", view]
}

/// How a Windows program is started.
pub(crate) enum Wine {
    /// This is Windows.
    NotNeeded,
    /// The Wine in PATH, with a prefix of our own.
    InPath { prefix: PathBuf },
    /// The Wine of the cache folder.
    InCache(chroot::Chroot),
}

impl fmt::Display for Wine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNeeded => write!(f, "Windows programs run as they are"),
            Self::InPath { prefix } => write!(f, "Windows programs: the Wine in PATH, prefix {}", prefix.display()),
            Self::InCache(chroot) => write!(f, "Windows programs: {}", chroot.run().display()),
        }
    }
}

impl Wine {
    /// Finds a Wine that works, and makes one if there is none.
    pub(crate) fn find_or_make(workspace: &Workspace) -> Result<Self> {
        if cfg!(windows) {
            return Ok(Self::NotNeeded);
        }
        let only_chroot = std::env::var("BRIDGE32_WINE").is_ok_and(|value| value == "chroot");
        if !only_chroot && version_in_path().is_some_and(|version| version >= OLDEST) {
            let prefix = workspace.cache.join("prefix");
            match make_prefix(workspace, &prefix) {
                Ok(()) => return Ok(Self::InPath { prefix }),
                Err(error) => println!("the Wine in PATH cannot be used: {error:#}"),
            }
        }
        chroot::Chroot::find_or_make(workspace).map(Self::InCache)
    }

    /// Makes Cargo start the Windows programs that it has built, tests among them, for `target`.
    pub(crate) fn run_tests_of(&self, target: Target, cargo: &mut Command) {
        let Some(triple) = target.triple() else { return };
        let runner = match self {
            Self::NotNeeded => return,
            Self::InPath { prefix } => {
                cargo.env("WINEPREFIX", prefix).env("WINEDEBUG", "-all");
                vec!["wine".to_owned()]
            }
            Self::InCache(chroot) => chroot.words(target == Target::Windows64),
        };
        // A list, because the words of a string are split at blanks.
        let words: Vec<String> = runner.iter().map(|word| crate::demo::toml_string(word)).collect();
        cargo.args(["--config", &format!("target.{triple}.runner=[{}]", words.join(", "))]);
    }

    /// The `[runtime.win32]` or `[runtime.win64]` table for the agent at the absolute path `agent`.
    pub(crate) fn runtime(&self, width: u32, agent: &Path) -> String {
        let host = agent.to_string_lossy();
        let windows = format!("Z:{}", host.replace('/', r"\"));
        let table = |command: &[&str], rest: &str| {
            let words: Vec<String> = command.iter().map(|word| crate::demo::toml_string(word)).collect();
            format!("[runtime.win{width}]\ncommand = [{}]\n{rest}", words.join(", "))
        };
        match self {
            Self::NotNeeded => table(&[&host], ""),
            Self::InPath { prefix } => {
                let prefix = crate::demo::toml_string(&prefix.to_string_lossy());
                let env = format!("env = {{ WINEPREFIX = {prefix}, WINEDEBUG = \"-all\" }}\n");
                table(&["wine", &windows], &format!("{env}paths = \"Z:\"\n"))
            }
            Self::InCache(chroot) => {
                let words = chroot.words(width == 64);
                let command: Vec<&str> = words.iter().map(String::as_str).chain([&*windows]).collect();
                table(&command, "paths = \"Z:\"\n")
            }
        }
    }
}

/// The major version of the `wine` in PATH.
fn version_in_path() -> Option<u32> {
    let mut child = Command::new("wine")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    progress::wait_at_most(&mut child, Duration::from_secs(10)).ok()??;
    let text = std::io::read_to_string(child.stdout.take()?).ok()?;
    major_version(&text)
}

/// 10 of `wine-10.0 (Debian 10.0~repack-6)`.
fn major_version(text: &str) -> Option<u32> {
    text.strip_prefix("wine-")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Makes the prefix of the Wine in PATH, once, and sees a 32-bit program run in it.
fn make_prefix(workspace: &Workspace, prefix: &Path) -> Result<()> {
    let marker = prefix.join("bridge32-version");
    if fs::read_to_string(&marker).is_ok_and(|text| text == REGISTRY) {
        return Ok(());
    }
    if prefix.exists() {
        fs::remove_dir_all(prefix).with_context(|| format!("the half-made {} cannot be removed", prefix.display()))?;
    }
    fs::create_dir_all(prefix)?;
    let registry = prefix.join("bridge32.reg");
    fs::write(&registry, REGISTRY)?;
    let wine = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).env("WINEPREFIX", prefix).env("WINEDEBUG", "-all").env(NO_QUESTIONS.0, NO_QUESTIONS.1);
        command
    };
    let windows_path = format!("Z:{}", registry.to_string_lossy().replace('/', r"\"));
    let mut boot = wine("wine", &["wineboot", "--init"]);
    let mut settings = wine("wine", &["regedit", "/S", &windows_path]);
    let mut try_32_bit = wine("wine", &[r"C:\windows\syswow64\cmd.exe", "/c", "exit 0"]);
    let mut wait = wine("wineserver", &["--wait"]);
    let [mut in_32, mut in_64] = NO_DEBUGGER.map(|arguments| wine("wine", &arguments));
    let commands = &mut [&mut boot, &mut settings, &mut in_32, &mut in_64, &mut try_32_bit, &mut wait];
    progress::steps_logged("making a prefix for the Wine in PATH", 15, &workspace.log("wine-prefix"), commands)?;
    fs::write(&marker, REGISTRY).with_context(|| format!("{} cannot be written", marker.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wines_major_version_is_read() {
        assert_eq!(major_version("wine-10.0 (Debian 10.0~repack-6)\n"), Some(10));
        assert_eq!(major_version("wine-8.0\n"), Some(8));
        assert_eq!(major_version("something else"), None);
    }

    #[test]
    fn the_wine_in_path_gets_its_own_prefix() {
        let table = Wine::InPath { prefix: "/cache/prefix".into() }.runtime(32, Path::new("/dist/agent32.exe"));
        assert_eq!(
            table,
            "[runtime.win32]\ncommand = [\"wine\", \"Z:\\\\dist\\\\agent32.exe\"]\n\
             env = { WINEPREFIX = \"/cache/prefix\", WINEDEBUG = \"-all\" }\npaths = \"Z:\"\n"
        );
    }
}
