//! How to call Cargo for each target. A 32-bit or Windows `std` is looked for in this order: an installed rustup target;
//! Debian's own compiler if it was made ready earlier; `rustup target add`; Debian's compiler, made ready now.
//!
//! Debian's security archive carries a current compiler with its library's source (`rustc-web`, `cargo-web`,
//! `rust-web-src`), so `std` is built from source with `-Zbuild-std`, which `RUSTC_BOOTSTRAP=1` allows on a stable
//! compiler.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fmt, fs};

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{packages, progress};

/// The Debian packages of the compiler with its library's source.
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// How long `rustup target add` may take before it is taken for a machine without a network.
const RUSTUP_LIMIT: Duration = Duration::from_mins(3);

/// What the workspace is compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// This machine: the gateway, the 64-bit agent, the tests.
    Host,
    /// The agent for ELF i386 libraries.
    Linux32,
    /// The agent for PE i386 libraries.
    Windows32,
    /// The gateway for Windows.
    Windows64,
}

impl Target {
    /// The target triple; `None` for the host, which Cargo builds without `--target`.
    pub(crate) fn triple(self) -> Option<&'static str> {
        match self {
            Self::Host => None,
            Self::Linux32 => Some("i686-unknown-linux-gnu"),
            Self::Windows32 => Some("i686-pc-windows-gnu"),
            Self::Windows64 => Some("x86_64-pc-windows-gnu"),
        }
    }

    fn is_windows(self) -> bool {
        matches!(self, Self::Windows32 | Self::Windows64)
    }
}

/// Whose compiler is used for a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// The toolchain that runs this program, with a target that rustup installed.
    Rustup,
    /// Debian's compiler, which compiles `std` along with the program.
    Debian,
}

/// How to call Cargo for one target.
pub(crate) struct Toolchain {
    target: Target,
    source: Source,
    target_dir: PathBuf,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Rustup => "rustup's target",
            Source::Debian => "Debian's compiler, with its std built from source",
        };
        write!(f, "{}: {source}", self.target.triple().unwrap_or("this machine"))
    }
}

impl Toolchain {
    /// The ordinary toolchain.
    pub(crate) fn host(workspace: &Workspace) -> Self {
        Self::new(workspace, Target::Host, Source::Rustup)
    }

    fn new(workspace: &Workspace, target: Target, source: Source) -> Self {
        // Two compilers in one folder would invalidate each other's work at every turn.
        let target_dir = match source {
            Source::Rustup => workspace.target.clone(),
            Source::Debian => workspace.target.join("debian"),
        };
        Self { target, source, target_dir }
    }

    /// `cargo SUBCOMMAND` for this target: the program, its environment, and the arguments that choose the target.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = match self.source {
            Source::Rustup => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
            Source::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                forget_own_toolchain(&mut command);
                command.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
                command
            }
        };
        command.args(subcommand.split(' ')).arg("--target-dir").arg(&self.target_dir);
        if let Some(triple) = self.target.triple() {
            command.args(["--target", triple]);
        }
        if self.source == Source::Debian {
            command.arg("-Zbuild-std");
        }
        command
    }

    /// Where a release build leaves the program `name`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let folder = self.target_dir.join(self.target.triple().unwrap_or_default()).join("release");
        let suffix =
            if self.target.is_windows() || (self.target == Target::Host && cfg!(windows)) { ".exe" } else { "" };
        folder.join(format!("{name}{suffix}"))
    }
}

/// Finds how to compile for targets, and remembers during one run what did not work.
pub(crate) struct Finder<'a> {
    workspace: &'a Workspace,
    only: Option<Source>,
    installed: OnceCell<Vec<String>>,
    rustup_failed: OnceCell<()>,
}

impl<'a> Finder<'a> {
    pub(crate) fn new(workspace: &'a Workspace) -> Result<Self> {
        let only = match env::var("BRIDGE32_RUST").as_deref() {
            Ok("rustup") => Some(Source::Rustup),
            Ok("debian") => Some(Source::Debian),
            Ok("") | Err(_) => None,
            Ok(other) => bail!("BRIDGE32_RUST is \"{other}\"; it can be \"rustup\" or \"debian\""),
        };
        Ok(Self { workspace, only, installed: OnceCell::new(), rustup_failed: OnceCell::new() })
    }

    /// How to compile for `target`; installs what is missing.
    pub(crate) fn find(&self, target: Target) -> Result<Toolchain> {
        let Some(triple) = target.triple() else { return Ok(Toolchain::host(self.workspace)) };
        let source = self.source(target, triple)?;
        Ok(Toolchain::new(self.workspace, target, source))
    }

    fn source(&self, target: Target, triple: &str) -> Result<Source> {
        let may = |source| self.only.is_none_or(|only| only == source);
        if may(Source::Rustup) && self.installed().iter().any(|installed| installed == triple) {
            return Ok(Source::Rustup);
        }
        if may(Source::Debian) && debian_is_ready(target) {
            return Ok(Source::Debian);
        }
        if may(Source::Rustup) && self.rustup_add(triple) {
            return Ok(Source::Rustup);
        }
        if !may(Source::Debian) {
            bail!("`rustup target add {triple}` does not work here, and BRIDGE32_RUST allows nothing else");
        }
        if !cfg!(target_os = "linux") {
            bail!("a compiler for {triple} is needed: `rustup target add {triple}`");
        }
        packages::ensure(self.workspace, &[packages::ALWAYS, DEBIAN_PACKAGES].concat()).with_context(|| {
            format!("a compiler for {triple} is needed (`rustup target add {triple}` did not work)")
        })?;
        if target.is_windows() {
            make_start_objects(self.workspace, triple)?;
        }
        Ok(Source::Debian)
    }

    fn installed(&self) -> &[String] {
        self.installed.get_or_init(|| {
            let list = progress::output(Command::new("rustup").args(["target", "list", "--installed"]));
            list.map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default()
        })
    }

    /// Whether rustup could install the target. Without a network it is not asked a second time.
    fn rustup_add(&self, triple: &str) -> bool {
        if self.rustup_failed.get().is_some() {
            return false;
        }
        println!("asking rustup for {triple} (about 5 s; Debian's compiler is used if it has none)");
        let child = Command::new("rustup").args(["target", "add", triple]).stdin(Stdio::null()).spawn();
        let status = child.map(|mut child| progress::wait_at_most(&mut child, RUSTUP_LIMIT));
        let added = matches!(status, Ok(Ok(Some(status))) if status.success());
        if !added {
            println!("rustup cannot install {triple} here");
            let _ = self.rustup_failed.set(());
        }
        added
    }
}

/// Cargo and rustup tell their children which toolchain runs them; another toolchain's Cargo must not believe it.
fn forget_own_toolchain(command: &mut Command) {
    const NAMES: &[&str] =
        &["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "LD_LIBRARY_PATH", "RUST_RECURSION_COUNT"];
    const PREFIXES: &[&str] = &["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_TARGET_"];
    let told = |name: &OsString| {
        let name = name.to_string_lossy();
        NAMES.contains(&&*name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    for name in env::vars_os().map(|(name, _)| name).filter(told) {
        command.env_remove(name);
    }
}

fn debian_is_ready(target: Target) -> bool {
    let Ok(sysroot) = debian_sysroot() else { return false };
    let library = sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml");
    let objects = target.triple().filter(|_| target.is_windows()).map(|triple| start_objects(&sysroot, triple));
    Path::new(DEBIAN_CARGO).exists()
        && library.exists()
        && objects.is_none_or(|objects| objects.iter().all(|object| object.exists()))
}

fn debian_sysroot() -> Result<PathBuf> {
    if !Path::new(DEBIAN_RUSTC).exists() {
        bail!("{DEBIAN_RUSTC} is not installed");
    }
    let mut command = Command::new(DEBIAN_RUSTC);
    forget_own_toolchain(&mut command);
    Ok(progress::output(command.args(["--print", "sysroot"]))?.trim_end().into())
}

fn start_objects(sysroot: &Path, triple: &str) -> [PathBuf; 2] {
    let folder = sysroot.join("lib/rustlib").join(triple).join("lib");
    [folder.join("rsbegin.o"), folder.join("rsend.o")]
}

/// Compiles the two start-up objects of `windows-gnu` programs, which `-Zbuild-std` does not make, into Debian's sysroot.
fn make_start_objects(workspace: &Workspace, triple: &str) -> Result<()> {
    let sysroot = debian_sysroot()?;
    let sources = start_sources(&sysroot)?;
    let made = workspace.target.join("debian").join("rtstartup").join(triple);
    fs::create_dir_all(&made)?;
    let mut commands = Vec::new();
    for (source, object) in ["rsbegin", "rsend"].iter().zip(start_objects(&sysroot, triple)) {
        let compiled = made.join(format!("{source}.o"));
        let mut compile = Command::new(DEBIAN_RUSTC);
        forget_own_toolchain(&mut compile);
        compile.env("RUSTC_BOOTSTRAP", "1").args(["--target", triple, "--emit=obj", "-o"]);
        compile.arg(&compiled).arg(sources.join(format!("{source}.rs")));
        let mut install = packages::as_root("install")
            .with_context(|| format!("needed: install -D -m 644 {} {}", compiled.display(), object.display()))?;
        install.args(["-D", "-m", "644"]).arg(&compiled).arg(&object);
        commands.extend([compile, install]);
    }
    let what = format!("compiling the start-up objects of {triple}");
    let log = workspace.log(&format!("rtstartup-{triple}"));
    progress::steps_logged(&what, 1, &log, &mut commands.iter_mut().collect::<Vec<_>>())
}

/// `library/rtstartup` of the Rust source: beside `std` where the package has it, else in the package's source tree.
fn start_sources(sysroot: &Path) -> Result<PathBuf> {
    let trees = fs::read_dir("/usr/src").into_iter().flatten().flatten().map(|entry| entry.path());
    let rust_trees =
        trees.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rustc-")));
    std::iter::once(sysroot.join("lib/rustlib/src/rust"))
        .chain(rust_trees)
        .map(|tree| tree.join("library/rtstartup"))
        .find(|folder| folder.join("rsbegin.rs").exists())
        .context("the package rust-web-src holds no library/rtstartup")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> Workspace {
        let root = PathBuf::from("/checkout");
        Workspace { dist: root.join("dist"), target: root.join("target"), cache: "/cache".into(), root }
    }

    #[test]
    fn the_two_compilers_do_not_share_a_target_directory() {
        let workspace = workspace();
        let path = |source| Toolchain::new(&workspace, Target::Windows32, source).program("agent32");
        assert_eq!(path(Source::Rustup), Path::new("/checkout/target/i686-pc-windows-gnu/release/agent32.exe"));
        assert_eq!(path(Source::Debian), Path::new("/checkout/target/debian/i686-pc-windows-gnu/release/agent32.exe"));
    }

    #[test]
    fn debians_cargo_builds_std_and_is_told_of_no_other_toolchain() {
        let command = Toolchain::new(&workspace(), Target::Linux32, Source::Debian).cargo("build");
        assert_eq!(command.get_program(), DEBIAN_CARGO);
        assert!(command.get_args().any(|argument| argument == "-Zbuild-std"));
        let set = |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(set("RUSTC"), Some(DEBIAN_RUSTC.as_ref()));
        assert_eq!(set("RUSTUP_TOOLCHAIN"), None);
    }
}
