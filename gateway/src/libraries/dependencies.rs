//! The libraries that a library's file needs, looked for where its agent would, as far as that can be seen from here.

use std::path::{Path, PathBuf};

use bridge32_image::dependencies::{self, Found, Report, Request, Resolver};
use bridge32_image::{Format, Image, search};
use bridge32_protocol::target::Target;

use crate::config::RuntimeConfig;

/// Where libraries are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The folders of Windows' own search, in order; those of `LD_LIBRARY_PATH` for Linux.
    folders: Vec<PathBuf>,
    /// The system's own libraries are among them, so that what is not there is missing.
    pub sees_system: bool,
}

impl Places {
    /// Those of an agent of that runtime for a library in that folder.
    pub fn of(target: Target, runtime: Option<&RuntimeConfig>, folder: Option<&Path>) -> Self {
        if !target.is_windows() {
            let path = runtime.and_then(|runtime| runtime.env.get("LD_LIBRARY_PATH"));
            let folders = path.iter().flat_map(|list| list.split(':')).map(PathBuf::from).collect();
            return Self { folders, sees_system: true };
        }
        let windows = if cfg!(windows) {
            std::env::var_os("SystemRoot").map(PathBuf::from)
        } else {
            let runtime = runtime.filter(|runtime| runtime.is_wine());
            runtime.and_then(RuntimeConfig::wine_prefix).map(|prefix| prefix.join("drive_c/windows"))
        };
        let mut folders: Vec<PathBuf> = folder.map(Path::to_owned).into_iter().collect();
        // A Windows for 32 bits alone has its libraries in the other one.
        let names = if target.pointer_bytes() == 4 { ["syswow64", "system32"] } else { ["system32", "sysnative"] };
        let system = windows.iter().flat_map(|windows| names.map(|name| windows.join(name)));
        let system = system.into_iter().find(|folder| folder.is_dir());
        let sees_system = system.is_some();
        folders.extend(system);
        folders.extend(windows);
        if cfg!(windows) {
            folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        }
        Self { folders, sees_system }
    }

    /// Looks for all that a file needs. It reads what it finds.
    pub fn look(&self, image: &Image, path: Option<&Path>) -> Report {
        let name = path.and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let check = |resolver: &dyn Resolver| dependencies::check(image, &name, path, resolver);
        match image.format {
            Format::Elf => check(&search::linux(&self.folders)),
            Format::Pe => check(&search::windows(&self.folders)),
        }
    }

    /// The same without looking: all that it needs itself, as far as anybody knows there.
    pub fn named(image: &Image) -> Report {
        dependencies::check(image, "", None, &|_: &Request<'_>| Found::System)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_of_a_script_that_starts_wine_is_not_seen() {
        let runtime = |program: &str, prefix: &Path| RuntimeConfig {
            command: vec![program.to_owned()],
            env: [("WINEPREFIX".to_owned(), prefix.display().to_string())].into(),
            paths: None,
            directory: PathBuf::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        let system = folder.path().join("drive_c/windows/syswow64");
        std::fs::create_dir_all(&system).unwrap();
        let own = Path::new("/srv/vendor");
        let places = Places::of(Target::Win32, Some(&runtime("wine", folder.path())), Some(own));
        assert_eq!(places.folders[..2], [own.to_owned(), system]);
        assert!(places.sees_system);
        assert!(!Places::of(Target::Win32, Some(&runtime("/srv/run-wine", folder.path())), None).sees_system);
        assert!(Places::of(Target::Linux32, None, None).sees_system);
    }
}
