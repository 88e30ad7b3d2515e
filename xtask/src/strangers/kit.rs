//! One set of tools in the cache: named after what pins it, so that checkouts that pin other versions do not take it away
//! from each other, and used only if its installation came to its end.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{build, progress};

/// Written last: what has it is whole. (Tools have their own path written into them, so that they cannot be made elsewhere
/// and moved.)
const COMPLETE: &str = "complete";

/// A set of tools that is installed together.
pub(super) struct Kit {
    /// The folder that pins it, in the checkout.
    pub(super) pins: &'static str,
    /// Its folder there, and its link in `dist/strangers/`.
    pub(super) name: &'static str,
    /// What is in it, for a person.
    pub(super) about: &'static str,
    /// How many seconds the installation takes, about.
    pub(super) usual: u64,
    /// The file that has all versions, in its folder.
    pub(super) pin: &'static str,
    /// A path in it without which it is broken, whatever was completed: an interpreter that the machine has lost.
    pub(super) works_if: &'static str,
}

impl Kit {
    /// The file that has all versions.
    pub(super) fn pin(&self, workspace: &Workspace) -> PathBuf {
        workspace.root.join(self.pins).join(self.name).join(self.pin)
    }

    /// Where it is, installed by the commands that `install` gives if it is not there. `machine` is what else it depends on:
    /// the version of an interpreter. The caller holds the lock.
    pub(super) fn ensure(
        &self,
        workspace: &Workspace,
        cache: &Path,
        machine: &str,
        install: impl FnOnce(&Path) -> Result<Vec<Command>>,
    ) -> Result<PathBuf> {
        let pin = self.pin(workspace);
        let pinned = fs::read(&pin).with_context(|| format!("{} cannot be read", pin.display()))?;
        let place = cache.join(format!("{}-{}", self.name, key(&pinned, machine)));
        if !(place.join(COMPLETE).exists() && place.join(self.works_if).exists()) {
            if place.exists() {
                fs::remove_dir_all(&place).with_context(|| format!("{} cannot be removed", place.display()))?;
            }
            fs::create_dir_all(&place).with_context(|| format!("{} cannot be made", place.display()))?;
            let mut commands = install(&place)?;
            let what = format!("installing {}", self.about);
            let log = workspace.log(&format!("strangers-{}", self.name));
            progress::steps_logged(&what, self.usual, &log, &mut commands.iter_mut().collect::<Vec<_>>())
                .with_context(|| format!("the tests need {}, as {} pins it", self.about, pin.display()))?;
            fs::write(place.join(COMPLETE), "")?;
        }
        self.link(workspace, &place)?;
        Ok(place)
    }

    /// The tests find it under its name in `dist/strangers/`.
    fn link(&self, workspace: &Workspace, place: &Path) -> Result<()> {
        build::link(place, &self.link_path(workspace))
    }

    /// The tests do without it.
    pub(super) fn remove_link(&self, workspace: &Workspace) -> Result<()> {
        build::remove_link(&self.link_path(workspace))
    }

    fn link_path(&self, workspace: &Workspace) -> PathBuf {
        workspace.dist.join("strangers").join(self.name)
    }
}

/// Differs where the content or the machine does. Another version of Rust may hash differently; then it is installed anew.
fn key(content: &[u8], machine: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (content, machine).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_have_another_place() {
        let same = key(b"tool==1", "Python 3.11");
        assert_eq!(key(b"tool==1", "Python 3.11"), same);
        assert_ne!(key(b"tool==2", "Python 3.11"), same);
        assert_ne!(key(b"tool==1", "Python 3.12"), same);
    }
}
