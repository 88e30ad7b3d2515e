//! The Debian packages that a task needs: which are missing, and installing them, as root or with `sudo`.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::progress;
use crate::workspace::Workspace;

/// The C compilers for the 32-bit targets and Windows (they link the agents and compile the tests' C libraries), `make` for
/// libffi, and real 32-bit libraries, and headers, that nobody here wrote.
pub(crate) const ALWAYS: &[&str] = &[
    "gcc-multilib",
    "make",
    "gcc-mingw-w64-i686",
    "gcc-mingw-w64-x86-64",
    "lib32z1",
    "lib32stdc++6",
    "libz-mingw-w64",
    "zlib1g-dev",
    "libsqlite3-dev",
];

/// Makes sure that `names` are installed; asks nothing of the machine if they are.
pub(crate) fn ensure(workspace: &Workspace, names: &[&str]) -> Result<()> {
    let missing = missing(names)?;
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    let needed = || format!("needed:\n  {wanted}\n");
    let mut update = apt(&["update"]).with_context(needed)?;
    let mut install = apt(&["install", "-y", "--no-install-recommends"]).with_context(needed)?;
    install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
    let what = format!("installing the packages {}", missing.join(", "));
    progress::steps_logged(&what, 35, &workspace.log("apt"), &mut [&mut update, &mut install])
        .with_context(|| format!("the packages can be installed by hand with\n  {wanted}"))
}

/// Has apt read what the archive has now.
pub(crate) fn update_lists(workspace: &Workspace) -> Result<()> {
    let mut update = apt(&["update"])?;
    progress::run_logged("updating the lists of packages", 5, &workspace.log("apt-update"), &mut update)
}

fn apt(arguments: &[&str]) -> Result<Command> {
    let mut command = as_root("apt-get")?;
    command.args(["-q", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    Ok(command)
}

/// Those of `names` that are not installed.
fn missing<'a>(names: &[&'a str]) -> Result<Vec<&'a str>> {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Abbrev}\n"])
        .args(names)
        .stderr(Stdio::null())
        .output();
    let Ok(query) = query else {
        bail!(
            "this machine has no dpkg: what the Debian packages {} contain must be installed by hand, \
             and this step is not made for other systems yet",
            names.join(", ")
        );
    };
    // The exit code only says that some package is unknown; the lines say which ones are installed.
    let text = String::from_utf8_lossy(&query.stdout);
    let installed: Vec<&str> = text.lines().filter_map(|line| line.trim_end().strip_suffix(" ii")).collect();
    Ok(names.iter().copied().filter(|name| !installed.contains(name)).collect())
}

/// `program` with the rights to change the system: as it is for root, else through a `sudo` that asks nothing.
pub(crate) fn as_root(program: &str) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    let may = Command::new("sudo").args(["-n", "true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        bail!(
            "`{program}` must be run by root: become root, or run `sudo -v` in this terminal to let sudo ask nothing for \
             a while, then try again"
        );
    }
    let mut command = Command::new("sudo");
    command.args(["-n", "--preserve-env=DEBIAN_FRONTEND,RUSTC_BOOTSTRAP,http_proxy,https_proxy,no_proxy", program]);
    Ok(command)
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    #[cfg(unix)]
    return nix::unistd::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}
