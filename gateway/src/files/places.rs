//! Which files may be loaded: those below the folders of the configuration, wherever links lead.
//!
//! Without `library_folders` these are the folder of the configuration file, and for each library the folder that its `file`
//! names. So whoever may write into one of them decides what is loaded, and nobody else does.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::config::{Config, LibraryFile};

/// The folders that libraries are loaded from. They are resolved whenever a file is, as links may change.
#[derive(Debug)]
pub struct Places(RwLock<Arc<Folders>>);

#[derive(Debug)]
struct Folders {
    /// Folders of this host.
    host: Vec<PathBuf>,
    /// Folders of the runtimes' own, as `C:\vendor`; `None` where any will do.
    runtime: Option<Vec<String>>,
    /// The configuration lists them: no others count.
    listed: bool,
    /// The configuration file, for what is to be done.
    file: PathBuf,
}

/// Why a file is not loaded.
#[derive(Debug)]
pub enum Refusal {
    /// It is not there, or cannot be looked at.
    Unreadable(io::Error),
    /// It lies somewhere else. In words.
    Outside(String),
}

impl Places {
    /// What the configuration says.
    pub fn new(config: &Config) -> Self {
        Self(RwLock::new(Arc::new(Folders::new(config))))
    }

    /// No folder at all.
    #[cfg(test)]
    pub(crate) fn of_nothing() -> Self {
        let folders = Folders { host: Vec::new(), runtime: Some(Vec::new()), listed: true, file: PathBuf::new() };
        Self(RwLock::new(Arc::new(folders)))
    }

    /// From now on they are what this configuration says.
    pub fn replace(&self, config: &Config) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Folders::new(config));
    }

    /// Where a file really is.
    ///
    /// # Errors
    /// It is not there, or not where it may be.
    pub fn resolve(&self, file: &LibraryFile) -> Result<LibraryFile, Refusal> {
        // Only ever replaced as a whole.
        let folders = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        folders.resolve(file)
    }
}

impl Folders {
    fn new(config: &Config) -> Self {
        let (mut host, mut runtime) = (Vec::new(), Vec::new());
        for folder in config.library_folders.iter().flatten() {
            match folder {
                LibraryFile::Host(folder) => host.push(folder.clone()),
                LibraryFile::Runtime(folder) => runtime.push(folder.clone()),
            }
        }
        let listed = config.library_folders.is_some();
        if !listed {
            host.extend(config.file.parent().map(Path::to_owned));
        }
        Self { host, runtime: listed.then_some(runtime), listed, file: config.file.clone() }
    }

    fn resolve(&self, file: &LibraryFile) -> Result<LibraryFile, Refusal> {
        match file {
            LibraryFile::Host(path) => self.resolve_on_host(path).map(LibraryFile::Host),
            LibraryFile::Runtime(path) => self.check_in_runtime(path).map(|()| file.clone()),
        }
    }

    fn resolve_on_host(&self, path: &Path) -> Result<PathBuf, Refusal> {
        let real = dunce::canonicalize(path).map_err(Refusal::Unreadable)?;
        // `..` may lead anywhere: a folder that is named so is not named at all.
        let named = !self.listed && !path.components().any(|part| part == Component::ParentDir);
        let own = path.parent().filter(|_| named);
        let folders = self.host.iter().map(PathBuf::as_path).chain(own);
        // A folder that is not there has nothing in it.
        let mut folders: Vec<PathBuf> = folders.filter_map(|folder| dunce::canonicalize(folder).ok()).collect();
        folders.dedup();
        if folders.iter().any(|folder| real.starts_with(folder)) {
            return Ok(real);
        }
        let leads = if real == path { String::new() } else { format!(" leads to {}, which", real.display()) };
        let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        let home = real.parent().unwrap_or(&real).display().to_string();
        Err(Refusal::Outside(format!(
            "{}{leads} is in none of the folders that libraries are loaded from ({}). {}",
            path.display(),
            none_or(&folders),
            self.remedy(&folders, &home)
        )))
    }

    fn check_in_runtime(&self, path: &str) -> Result<(), Refusal> {
        if parts(path).any(|part| part == "..") {
            let detail = format!("{path} has `..` in it: write where the file really is.");
            return Err(Refusal::Outside(detail));
        }
        let Some(folders) = &self.runtime else { return Ok(()) };
        if folders.iter().any(|folder| is_below(path, folder)) {
            return Ok(());
        }
        let home = path.rsplit_once(['\\', '/']).map_or(path, |(home, _)| home);
        Err(Refusal::Outside(format!(
            "{path} is in none of the folders of a runtime that libraries are loaded from ({}). {}",
            none_or(folders),
            self.remedy(folders, home)
        )))
    }

    fn remedy(&self, folders: &[String], home: &str) -> String {
        let file = self.file.display();
        if self.listed {
            return format!("If it may be loaded, add {home:?} to `library_folders` in {file}.");
        }
        let all: Vec<String> =
            folders.iter().map(String::as_str).chain([home]).map(|each| format!("{each:?}")).collect();
        format!(
            "If it may be loaded, name it where it really is, or say `library_folders = [{}]` in {file}.",
            all.join(", ")
        )
    }
}

fn none_or(folders: &[String]) -> String {
    if folders.is_empty() { "there is none".to_owned() } else { folders.join(", ") }
}

/// The names in a path of Windows.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split(['\\', '/']).filter(|part| !part.is_empty() && *part != ".")
}

/// Whether a path of Windows is below a folder; upper and lower case are the same there.
fn is_below(path: &str, folder: &str) -> bool {
    let mut path = parts(path);
    parts(folder).all(|part| path.next().is_some_and(|name| name.to_lowercase() == part.to_lowercase()))
        && path.next().is_some()
}

/// The file of one library, and how its agent is told of it.
#[derive(Clone, Debug)]
pub struct Place {
    /// As it is configured.
    pub file: LibraryFile,
    /// The drive under which the host's root directory appears to its agent.
    pub paths: Option<String>,
    /// Where it may be.
    pub places: Arc<Places>,
}

impl Place {
    /// The file as its agent names it, where it really is now.
    ///
    /// # Errors
    /// In words, why it is not loaded.
    pub fn for_agent(&self) -> Result<String, String> {
        match self.places.resolve(&self.file) {
            Ok(file) => Ok(file.for_agent(self.paths.as_deref())),
            Err(Refusal::Outside(detail)) => Err(detail),
            Err(Refusal::Unreadable(error)) => Err(format!("{} cannot be read: {error}.", self.file.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &Path, listed: Option<&[&str]>) -> Places {
        let text = match listed {
            None => String::new(),
            Some(folders) => format!("library_folders = {folders:?}\n"),
        };
        let file = folder.join("bridge32.toml");
        std::fs::write(&file, format!("{text}[auth]\nmode='off'\n")).unwrap();
        Places::new(&crate::config::load(&file, []).unwrap().config)
    }

    fn runtime(places: &Places, path: &str) -> Result<LibraryFile, Refusal> {
        places.resolve(&LibraryFile::Runtime(path.to_owned()))
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_loaded_from_where_it_really_is_and_only_below_the_folders() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["cfg/sub", "vendor/v1", "elsewhere"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        for name in ["cfg/a.so", "cfg/sub/b.so", "vendor/v1/c.so", "elsewhere/evil.so"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        for (target, link) in
            [("v1", "vendor/now"), ("v1/c.so", "vendor/c.so"), ("../elsewhere/evil.so", "vendor/out.so")]
        {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        let at = |places: &Places, name: &str| match places.resolve(&LibraryFile::Host(root.join(name))) {
            Ok(LibraryFile::Host(real)) => Ok(real.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()),
            Ok(other) => panic!("{other:?}"),
            Err(Refusal::Outside(detail)) => Err(detail),
            Err(Refusal::Unreadable(error)) => Err(error.to_string()),
        };
        let by_default = places(&root.join("cfg"), None);
        for (name, real) in [
            ("cfg/a.so", "cfg/a.so"),
            ("cfg/sub/../a.so", "cfg/a.so"),
            ("vendor/v1/c.so", "vendor/v1/c.so"),
            ("vendor/c.so", "vendor/v1/c.so"),
            ("vendor/now/c.so", "vendor/v1/c.so"),
        ] {
            assert_eq!(at(&by_default, name).as_deref(), Ok(real));
        }
        for name in ["vendor/out.so", "cfg/../elsewhere/evil.so"] {
            let detail = at(&by_default, name).unwrap_err();
            assert!(
                detail.contains("elsewhere/evil.so, which is in none") && detail.contains("library_folders = ["),
                "{detail}"
            );
        }
        let listed = places(&root.join("cfg"), Some(&["../vendor"]));
        assert_eq!(at(&listed, "vendor/now/c.so").as_deref(), Ok("vendor/v1/c.so"));
        for name in ["cfg/a.so", "elsewhere/evil.so", "vendor/out.so"] {
            let detail = at(&listed, name).unwrap_err();
            assert!(detail.contains("to `library_folders` in"), "{detail}");
        }
        assert!(at(&listed, "vendor/absent.so").is_err());
    }

    #[test]
    fn a_path_of_a_runtime_has_no_parent_in_it_and_lies_below_a_listed_folder_of_windows() {
        let folder = tempfile::tempdir().unwrap();
        let any = places(folder.path(), None);
        assert!(runtime(&any, r"C:\windows\system32\kernel32.dll").is_ok());
        assert!(matches!(runtime(&any, r"C:\vendor\..\secret\a.dll"), Err(Refusal::Outside(_))));
        let listed = places(folder.path(), Some(&[r"C:\Vendor"]));
        for good in [r"c:\vendor\a.dll", "C:/VENDOR/sub/a.dll"] {
            assert!(runtime(&listed, good).is_ok(), "{good}");
        }
        for bad in [r"C:\vendor2\a.dll", r"C:\a.dll", r"D:\vendor\a.dll", r"C:\vendor"] {
            assert!(matches!(runtime(&listed, bad), Err(Refusal::Outside(_))), "{bad}");
        }
    }
}
