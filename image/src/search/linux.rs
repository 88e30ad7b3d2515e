//! Linux: the order of ld.so(8), with the standard folders of Debian, Fedora and Arch for each architecture.

use std::path::{Path, PathBuf};

use super::open;
use crate::architecture::Architecture;
use crate::dependencies::{Found, Request, Requester, Resolver};

/// Most files of `/etc/ld.so.conf.d` that are read.
const MAX_CONFIGURATIONS: usize = 256;

/// Looks in folders as `ld.so` does. Made by [`linux`].
pub struct Linux {
    library_path: Vec<PathBuf>,
    configured: Vec<PathBuf>,
    standard: bool,
}

/// A resolver that looks where a process with `library_path` as its `LD_LIBRARY_PATH` would: `DT_RPATH`, the library
/// path, `DT_RUNPATH`, the folders of `/etc/ld.so.conf`, the standard folders.
///
/// Files of another architecture are passed over, as `ld.so` does, and reported only if nothing better is found.
pub fn linux(library_path: impl IntoIterator<Item = impl Into<PathBuf>>) -> Linux {
    Linux {
        library_path: library_path.into_iter().map(Into::into).collect(),
        configured: configured(Path::new("/etc/ld.so.conf.d")),
        standard: true,
    }
}

impl Linux {
    /// The same, but only in the folders that the caller and the files name, not in those of this system.
    #[must_use]
    pub fn without_system(mut self) -> Self {
        self.configured.clear();
        self.standard = false;
        self
    }

    /// Every folder that is looked in for `request`, in order.
    fn folders(&self, request: &Request<'_>, architecture: Architecture) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        let direct = request.chain.first();
        // A runpath switches off the rpaths of the whole chain.
        if direct.is_none_or(|direct| direct.image.runpath.is_empty()) {
            for requester in request.chain.iter().filter(|requester| requester.image.runpath.is_empty()) {
                folders.extend(requester.image.rpath.iter().flat_map(|path| expand(path, requester)));
            }
        }
        folders.extend(self.library_path.iter().cloned());
        if let Some(direct) = direct {
            folders.extend(direct.image.runpath.iter().flat_map(|path| expand(path, direct)));
        }
        folders.extend(self.configured.iter().cloned());
        if self.standard {
            folders.extend(standard(architecture).iter().map(PathBuf::from));
        }
        folders
    }
}

impl Resolver for Linux {
    fn resolve(&self, request: &Request<'_>) -> Found {
        let Some(requester) = request.chain.first() else { return Found::Missing };
        let wanted = requester.image.architecture;
        if is_virtual(request.name) {
            return Found::System;
        }
        // A name with a slash is a path: the loader does not search for it.
        if request.name.contains('/') {
            let path = PathBuf::from(request.name);
            return if path.is_file() { open(path) } else { Found::Missing };
        }
        let mut other = Found::Missing;
        for path in self.folders(request, wanted).into_iter().map(|folder| folder.join(request.name)) {
            if !path.is_file() {
                continue;
            }
            let found = open(path);
            match &found {
                Found::Library { image, .. } if image.architecture == wanted => return found,
                _ if matches!(other, Found::Missing) => other = found,
                _ => {}
            }
        }
        other
    }
}

/// The kernel maps these; they are no files.
fn is_virtual(name: &str) -> bool {
    matches!(name, "linux-vdso.so.1" | "linux-gate.so.1")
}

/// A search path with `$ORIGIN` and `$LIB` replaced (ld.so(8), "Dynamic string tokens"). Distributions differ in what
/// `$LIB` is, so each is tried.
fn expand(path: &str, requester: &Requester<'_>) -> Vec<PathBuf> {
    let mut path = path.replace("${ORIGIN}", "$ORIGIN").replace("${LIB}", "$LIB");
    if path.contains("$ORIGIN") {
        let Some(origin) = requester.path.and_then(Path::parent).and_then(Path::to_str) else { return Vec::new() };
        path = path.replace("$ORIGIN", if origin.is_empty() { "." } else { origin });
    }
    if !path.contains("$LIB") {
        return vec![PathBuf::from(path)];
    }
    let folders = standard(requester.image.architecture).iter();
    let libs = folders.filter_map(|folder| folder.strip_prefix("/usr/"));
    libs.map(|lib| PathBuf::from(path.replace("$LIB", lib))).collect()
}

/// The folders that the loader of an architecture knows by itself, across distributions.
fn standard(architecture: Architecture) -> &'static [&'static str] {
    match architecture {
        Architecture::X86 => &[
            "/lib/i386-linux-gnu",
            "/usr/lib/i386-linux-gnu",
            "/lib/i686-linux-gnu",
            "/usr/lib/i686-linux-gnu",
            "/lib32",
            "/usr/lib32",
            "/lib",
            "/usr/lib",
        ],
        Architecture::X86_64 => {
            &["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        }
        Architecture::X32 => &["/lib/x86_64-linux-gnux32", "/libx32", "/usr/libx32"],
        Architecture::Arm => &["/lib/arm-linux-gnueabihf", "/usr/lib/arm-linux-gnueabihf", "/lib", "/usr/lib"],
        Architecture::Aarch64 => {
            &["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        }
        Architecture::Other { .. } => &["/lib64", "/usr/lib64", "/lib", "/usr/lib"],
    }
}

/// The folders that the files of `/etc/ld.so.conf.d` name.
fn configured(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    files.truncate(MAX_CONFIGURATIONS);
    let text: String =
        files.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect::<Vec<_>>().join("\n");
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| line.starts_with('/')).map(PathBuf::from).collect()
}
