//! Which packages of this machine's Debian have the servers, downloading and unpacking them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{packages, progress};

/// Downloads the packages "$2"… and unpacks them into the folder "$1"; what nobody reads or runs is left out.
const UNPACK: &str = r#"
set -eu
root=$1
shift
rm -rf debs "$root"
mkdir debs "$root"
cd debs
apt-get -q download "$@"
for deb in *.deb; do
    dpkg-deb --extract "$deb" "$root"
done
rm -rf "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale "$root"/usr/lib/postgresql/*/lib/bitcode
"#;

/// The machine's release, such as `bookworm`: another one has other libraries.
pub(super) fn release() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("this system does not say what it is")?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.context("/etc/os-release has no VERSION_CODENAME")?.trim_matches('"').to_owned())
}

/// The version of Debian's Python, such as `3.11`.
pub(super) fn python() -> Result<String> {
    let package = dependency("python3", "python3.")?;
    Ok(package.trim_start_matches("python").to_owned())
}

/// Unpacks into `root` the servers, and the libraries that they need and the machine has not. `folder` is for what lies about
/// meanwhile.
pub(super) fn unpack(workspace: &Workspace, folder: &Path, root: &Path) -> Result<()> {
    let attempt = || {
        let names = wanted()?;
        let mut unpack = Command::new("sh");
        unpack.args(["-c", UNPACK, "sh"]).arg(root).args(names).current_dir(folder);
        let what = "downloading PostgreSQL and Prometheus for the tests";
        progress::run_logged(what, 10, &workspace.log("servers"), &mut unpack)
    };
    attempt().or_else(|error| {
        println!("{error:#}\nthat may be because apt's lists are missing or old");
        packages::update_lists(workspace)?;
        attempt().context("the tests need PostgreSQL and Prometheus of the Debian archive")
    })
}

/// The packages of the servers, the library that the collector is linked with, and all libraries that these need and the machine
/// has not.
fn wanted() -> Result<Vec<String>> {
    let server = dependency("postgresql", "postgresql-")?;
    let client = server.replace("postgresql-", "postgresql-client-");
    let mut names = vec![server, client, "prometheus".to_owned(), format!("libpython{}", python()?)];
    // From Debian 13 on it is a package of its own.
    names.extend(dependency("prometheus", "promtool").ok());
    let mut simulate = Command::new("apt-get");
    simulate.env("LC_ALL", "C").args(["--simulate", "--no-install-recommends", "install"]).args(&names);
    let text = progress::output(&mut simulate).context("apt knows no way to install the tests' servers")?;
    let missing: Vec<String> = missing_libraries(&text).filter(|name| !names.contains(name)).collect();
    names.extend(missing);
    Ok(names)
}

/// The first package that `package` depends on and that begins so.
fn dependency(package: &str, prefix: &str) -> Result<String> {
    let text = progress::output(Command::new("apt-cache").env("LC_ALL", "C").args(["depends", package]))?;
    let mut names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let name = names.find(|name| name.starts_with(prefix));
    Ok(name.with_context(|| format!("apt's lists have no package {package} that depends on {prefix}…"))?.to_owned())
}

/// What apt would install, without what the programs do without: LLVM (100 MB) compiles queries, JavaScript is for Prometheus'
/// pages, and what is not called a library does the installation or looks after the service.
fn missing_libraries(simulation: &str) -> impl Iterator<Item = String> {
    const UNUSED: [&str; 3] = ["libllvm", "libz3-", "libjs-"];
    let names = simulation.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    let is_needed = |name: &&str| {
        let is_library = name.starts_with("lib") && !["-dev", "-perl"].iter().any(|end| name.ends_with(end));
        is_library && !UNUSED.iter().any(|unused| name.starts_with(unused))
    };
    names.filter(is_needed).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_apt_would_install_only_libraries_are_taken() {
        let simulation = "NOTE: This is only a simulation!\n\
             Inst libllvm14 (1:14.0.6-12 Debian:12.15/oldstable [amd64])\n\
             Inst libjs-moment (2.29.4+ds-1 Debian:12.15/oldstable [all])\n\
             Inst libpq-dev [15.18-0+deb12u1] (15.20-0+deb12u1 Debian-Security:12/oldstable-security [amd64])\n\
             Inst libjson-perl (4.10000-1 Debian:12.15/oldstable [all])\n\
             Inst postgresql-common (248+deb12u1 Debian:12.15/oldstable [all])\n\
             Inst libpq5 [15.18-0+deb12u1] (15.20-0+deb12u1 Debian-Security:12/oldstable-security [amd64])\n\
             Conf libpq5 (15.20-0+deb12u1 Debian-Security:12/oldstable-security [amd64])\n";
        assert_eq!(missing_libraries(simulation).collect::<Vec<_>>(), ["libpq5"]);
    }
}
