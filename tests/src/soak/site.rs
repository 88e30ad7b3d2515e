//! The library that the soak calls, under the names that the configuration gives it.

use std::path::Path;

use crate::config::LibraryTable;
use crate::fixture::{self, Fixture};
use crate::{Config, Target, windows_path};

/// One `[library.…]` table of the fixture `soak`.
#[derive(Clone, Debug)]
pub struct Site {
    /// The library's name.
    pub library: String,
    /// What it is built for.
    pub target: Target,
}

impl Site {
    /// So many libraries of one kind.
    pub fn several(target: Target, count: u32) -> Vec<Self> {
        (1..=count).map(|number| Self { library: format!("{target}_{number}"), target }).collect()
    }

    /// Declares it.
    pub fn declare<'a>(&self, config: &'a mut Config) -> LibraryTable<'a> {
        let mut table = config.library(&self.library, fixture::library("soak", self.target));
        table.header(fixture::header("soak"));
        table
    }

    /// A file of this machine as its functions name it.
    pub fn path(&self, file: &Path) -> String {
        if self.target.is_windows() { windows_path(file) } else { file.display().to_string() }
    }

    /// Where a function of it is called.
    pub fn function(&self, name: &str) -> String {
        format!("/v1/libraries/{}/functions/{name}", self.library)
    }
}

/// The fixture as another build, whose `Version` gives that number.
pub fn build(target: Target, version: u32) -> std::path::PathBuf {
    Fixture::new("soak").named(&format!("soak-{version}")).flag(format!("-DVERSION={version}")).build(target)
}
