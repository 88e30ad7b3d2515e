//! Wine in a folder of its own: a small Debian tree in the cache, for machines whose own Wine is too old or missing.
//!
//!     CACHE/wine/run       starts a Windows program (see wine-run.sh)
//!     CACHE/wine/root/     the Debian tree with Wine for 32- and 64-bit programs
//!     CACHE/wine/prefix/   Wine's drive C: and registry
//!     CACHE/wine/home/     what the programs see as the home folder
//!     CACHE/wine/version   written last: which recipe made it
//!
//! It is made under another name and renamed when it is complete, by one process at a time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{build, packages, progress, wine};

/// Goes up when the recipe changes, so that an older tree is made anew.
const VERSION: &str = "2\n";

/// The Debian release whose Wine is new enough.
const RELEASE: &str = "trixie";

const RUN_SCRIPT: &str = include_str!("wine-run.sh");

/// Installs Wine in the Debian tree "$1", which sees its own mounts of /proc and /dev only while this runs.
const INSTALL_WINE: &str = r#"
set -eu
mount --rbind /proc "$1/proc"
mount --rbind /dev "$1/dev"
printf '%s\n' 'path-exclude=/usr/share/doc/*' 'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/locale/*' \
    force-unsafe-io > "$1/etc/dpkg/dpkg.cfg.d/bridge32"
chroot "$1" dpkg --add-architecture i386
chroot "$1" apt-get update -q
DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get install -y -q --no-install-recommends wine wine64 wine32:i386
chroot "$1" apt-get clean
rm -rf "$1"/var/lib/apt/lists/*
mkdir -p "$1/host"
"#;

/// A complete Wine in the cache folder.
pub(crate) struct Chroot {
    folder: PathBuf,
}

impl Chroot {
    /// The program that starts a Windows program.
    pub(crate) fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// The words before the path of a program of that width.
    pub(crate) fn words(&self, is_64_bit: bool) -> Vec<String> {
        let run = self.run().to_string_lossy().into_owned();
        if is_64_bit { vec![run, "--64".to_owned()] } else { vec![run] }
    }

    /// The Wine of the cache folder; makes it if it is missing, half-made or made by an older recipe.
    pub(crate) fn find_or_make(workspace: &Workspace) -> Result<Self> {
        let chroot = Self { folder: workspace.cache.join("wine") };
        if !chroot.is_complete() {
            let cache = &workspace.cache;
            fs::create_dir_all(cache).with_context(|| format!("{} cannot be made", cache.display()))?;
            let lock = File::create(cache.join("wine.lock"))?;
            if lock.try_lock().is_err() {
                println!("another set-up is making {}: waiting for it", chroot.folder.display());
                lock.lock()?;
            }
            if !chroot.is_complete() {
                chroot.make(workspace)?;
            }
        }
        chroot.refresh_script()?;
        Ok(chroot)
    }

    fn is_complete(&self) -> bool {
        fs::read_to_string(self.folder.join("version")).is_ok_and(|version| version == VERSION)
    }

    /// Makes the tree; the caller holds the lock, so what else is there was left by a set-up that was interrupted.
    fn make(&self, workspace: &Workspace) -> Result<()> {
        packages::ensure(workspace, &["debootstrap"])?;
        self.remove_leftovers(workspace)?;
        let partial = self.folder.with_file_name(format!("wine.partial-{}", std::process::id()));
        fs::create_dir_all(partial.join("home"))?;
        fs::create_dir_all(partial.join("prefix"))?;
        install_tree(workspace, &partial.join("root"))?;
        make_prefix(workspace, &Self { folder: partial.clone() })?;
        fs::write(partial.join("version"), VERSION)?;
        fs::rename(&partial, &self.folder).with_context(|| format!("{} cannot be renamed", partial.display()))
    }

    fn remove_leftovers(&self, workspace: &Workspace) -> Result<()> {
        let is_leftover = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            *path == self.folder || name.starts_with("wine.partial-")
        };
        let entries = fs::read_dir(&workspace.cache)?.flatten().map(|entry| entry.path());
        for leftover in entries.filter(is_leftover) {
            let mut remove = packages::as_root("rm")?;
            remove.args(["-rf", "--one-file-system"]).arg(&leftover);
            let what = format!("removing the incomplete {}", leftover.display());
            progress::run_logged(&what, 3, &workspace.log("wine-remove"), &mut remove)?;
        }
        Ok(())
    }

    /// The start script is this program's, not the recipe's: it may change without making the tree anew.
    fn refresh_script(&self) -> Result<()> {
        if fs::read_to_string(self.run()).is_ok_and(|text| text == RUN_SCRIPT) {
            return Ok(());
        }
        // Renamed into place, so that an agent that is just starting reads the old one or the new one.
        let new = self.folder.join(format!("run.new-{}", std::process::id()));
        fs::write(&new, RUN_SCRIPT)?;
        build::make_executable(&new)?;
        fs::rename(&new, self.run())?;
        Ok(())
    }
}

/// Makes the Debian tree `root` with Wine in it. Both steps run with private mounts, so that an interrupted one leaves
/// nothing mounted.
fn install_tree(workspace: &Workspace, root: &Path) -> Result<()> {
    let mirror = debian_mirror()?;
    let private = || -> Result<Command> {
        let mut command = packages::as_root("unshare")?;
        command.args(["--mount", "--propagation", "private"]);
        command.envs(apt_proxy());
        Ok(command)
    };
    let mut bootstrap = private()?;
    bootstrap.args(["debootstrap", "--variant=minbase", "--arch=amd64", RELEASE]).arg(root).arg(&mirror);
    let mut install = private()?;
    install.args(["sh", "-c", INSTALL_WINE, "sh"]).arg(root);
    let what = format!("making a Debian {RELEASE} with Wine in {}", root.display());
    progress::steps_logged(&what, 60, &workspace.log("wine-chroot"), &mut [&mut bootstrap, &mut install])
}

/// Makes the prefix: Wine's first start, our settings, and drive Z: as the host's file system.
fn make_prefix(workspace: &Workspace, chroot: &Chroot) -> Result<()> {
    chroot.refresh_script()?;
    let prefix = chroot.folder.join("prefix");
    let wine = |arguments: &[&str]| {
        let mut command = Command::new(chroot.run());
        command.args(arguments).env(wine::NO_QUESTIONS.0, wine::NO_QUESTIONS.1).current_dir("/");
        command
    };
    let log = workspace.log("wine-prefix");
    let (mut boot, mut booted) = (wine(&["wineboot", "--init"]), wine(&["--wait"]));
    progress::steps_logged("starting Wine for the first time", 20, &log, &mut [&mut boot, &mut booted])?;
    if !prefix.join("system.reg").exists() {
        bail!("Wine made no prefix in {}; see {}", prefix.display(), log.display());
    }
    // The tree is never upgraded: Wine need not look for that at every start.
    fs::write(prefix.join(".update-timestamp"), "disable\n")?;
    host_drive(&prefix)?;
    fs::write(prefix.join("drive_c/bridge32.reg"), wine::REGISTRY)?;
    let [mut in_32, mut in_64] = wine::NO_DEBUGGER.map(|arguments| wine(&arguments));
    let mut settings = wine(&["regedit", "/S", r"C:\bridge32.reg"]);
    let mut try_32_bit = wine(&[r"C:\windows\syswow64\cmd.exe", "/c", "exit 0"]);
    let mut try_64_bit = wine(&["--64", r"C:\windows\system32\cmd.exe", "/c", "exit 0"]);
    let mut written = wine(&["--wait"]);
    let commands = &mut [&mut settings, &mut in_32, &mut in_64, &mut try_32_bit, &mut try_64_bit, &mut written];
    progress::steps_logged("writing Wine's settings", 3, &workspace.log("wine-settings"), commands)
}

#[cfg(unix)]
fn host_drive(prefix: &Path) -> Result<()> {
    let drive = prefix.join("dosdevices/z:");
    fs::remove_file(&drive)?;
    std::os::unix::fs::symlink("/host", &drive)?;
    Ok(())
}

#[cfg(not(unix))]
fn host_drive(_: &Path) -> Result<()> {
    bail!("Wine's drives are symbolic links of a Unix file system")
}

/// The Debian archive that this machine's apt uses. `apt-get indextargets` reads every form of sources file.
fn debian_mirror() -> Result<String> {
    let format = "$(REPO_URI)\t$(ORIGIN)\t$(LABEL)\t$(RELEASE)";
    let text =
        progress::output(Command::new("apt-get").args(["indextargets", "--format", format, "Identifier: Packages"]))
            .context("apt's sources cannot be read")?;
    mirror_among(&text).context(
        "apt's configuration names no Debian archive: run `apt-get update` as root with a source of Debian's main archive",
    )
}

/// The first archive of Debian's main suites among lines of address, origin, label and release.
fn mirror_among(lines: &str) -> Option<String> {
    let fields = lines.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    // Before the first `apt-get update` origin and label are empty.
    let is_main = |fields: &Vec<&str>| matches!(fields[1..], ["Debian", "Debian", _] | ["", "", _]);
    let mut mirrors = fields.filter(|fields| fields.len() == 4).filter(is_main).map(|fields| fields[0].to_owned());
    mirrors.find(|address| address.starts_with("http") && !address.contains("security"))
}

/// apt's own proxy, for `debootstrap` and the apt inside the tree, unless the environment names one.
fn apt_proxy() -> Option<(&'static str, String)> {
    let mut command = Command::new("apt-config");
    let text = progress::output(command.args(["shell", "proxy", "Acquire::http::Proxy"])).ok()?;
    let proxy = text.trim().strip_prefix("proxy='")?.strip_suffix('\'')?;
    (!proxy.is_empty() && std::env::var_os("http_proxy").is_none()).then(|| ("http_proxy", proxy.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_main_archive() {
        let lines = "http://s.example/debian-security/\tDebian\tDebian-Security\tbookworm-security\n\
                     https://node.example/\t. nodistro\t. nodistro\tnodistro\n\
                     http://m.example/debian/\tDebian\tDebian\tbookworm\n";
        assert_eq!(mirror_among(lines).as_deref(), Some("http://m.example/debian/"));
        assert_eq!(
            mirror_among("http://m.example/debian/\t\t\tbookworm\n").as_deref(),
            Some("http://m.example/debian/")
        );
        assert_eq!(mirror_among(""), None);
    }
}
