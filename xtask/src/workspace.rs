//! Where things are: the checkout, what is built, and the cache that outlives a checkout.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The environment variables that the tasks heed, for the usage text.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    (
        "BRIDGE32_CACHE",
        "where Wine and the tests' libraries, servers and tools are kept (default: $XDG_CACHE_HOME/bridge32 or ~/.cache/bridge32)",
    ),
    ("BRIDGE32_RUST", "\"rustup\" or \"debian\": use only this way to compile for other targets"),
    ("BRIDGE32_WINE", "\"chroot\": use the Wine of the cache folder even if there is one in PATH"),
    ("CARGO_TARGET_DIR", "where Cargo builds (default: target)"),
];

/// The folders that the tasks work in. All paths are absolute.
pub(crate) struct Workspace {
    /// The checkout: where the workspace's `Cargo.toml` is.
    pub(crate) root: PathBuf,
    /// What `cargo xtask build` leaves for a user.
    pub(crate) dist: PathBuf,
    /// Cargo's target directory for the ordinary toolchain.
    pub(crate) target: PathBuf,
    /// Outside the checkout, so that a fresh clone finds Wine and what the tests need ready.
    pub(crate) cache: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        // Cargo sets CARGO_MANIFEST_DIR when it runs a program; it is the truth if the checkout was moved after the build.
        let own = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = own.parent().context("xtask lies in a folder of the workspace")?.to_path_buf();
        let target = absolute(&env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from))?;
        let cache = absolute(&cache_folder()?)?;
        Ok(Self { dist: root.join("dist"), root, target, cache })
    }

    /// Where the output of the long step `name` goes.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.target.join("xtask-log").join(format!("{name}.log"))
    }

    /// `path` as a person in the checkout would write it.
    pub(crate) fn short<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

fn cache_folder() -> Result<PathBuf> {
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = named("BRIDGE32_CACHE") {
        return Ok(folder);
    }
    if let Some(folder) = named("XDG_CACHE_HOME").or_else(|| named("LOCALAPPDATA")) {
        return Ok(folder.join("bridge32"));
    }
    let home = env::home_dir().context("neither HOME nor BRIDGE32_CACHE is set")?;
    Ok(home.join(".cache").join("bridge32"))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} cannot be made absolute", path.display()))
}
