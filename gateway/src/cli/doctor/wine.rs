//! Wine: its version, and whether its prefix is one that this user's 32-bit programs can run in.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bridge32_protocol::target::Target;

use super::finding::{Findings, Level};
use super::machine;
use super::program::{self, Outcome};
use crate::config::RuntimeConfig;

/// How to get it.
pub(super) const INSTALL: &str = "install Wine 9 or newer with 32-bit support: dpkg --add-architecture i386 && apt update && apt install \
                                  wine wine32:i386";

/// The oldest one that starts the agent: earlier ones lack `bcryptprimitives.dll`.
const OLDEST: u32 = 9;
const LIMIT: Duration = Duration::from_secs(10);
const PAGE: &str = "docs/doctor.md#wine";

/// Looks at what a runtime uses.
pub(super) fn examine(target: Target, runtime: &RuntimeConfig, level: Level, findings: &mut Findings) {
    version(runtime, level, findings);
    if let Some(prefix) = runtime.wine_prefix() {
        look_at_prefix(&prefix, target, level, findings);
    }
}

fn version(runtime: &RuntimeConfig, level: Level, findings: &mut Findings) {
    let mut command = Command::new(&runtime.command[0]);
    command.arg("--version").envs(&runtime.env);
    // Whether it runs at all is seen when the agent is started.
    let Outcome::Ended(_, printed) = program::run(command, LIMIT) else { return };
    let text = printed.output.trim();
    match major_version(text) {
        Some(major) if major < OLDEST => {
            let found = format!("{text} is too old for the agent");
            findings.add(level, "wine", found).remedy(INSTALL).see(PAGE);
        }
        Some(_) => findings.ok("wine", text),
        None => {}
    }
}

/// 10 of `wine-10.0 (Debian 10.0~repack-6)`.
fn major_version(text: &str) -> Option<u32> {
    text.strip_prefix("wine-")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn look_at_prefix(prefix: &Path, target: Target, level: Level, findings: &mut Findings) {
    let subject = format!("Wine's prefix {}", prefix.display());
    let other = "or set another one with env = { WINEPREFIX = \"…\" } in the runtime's table";
    if !prefix.exists() {
        let above = prefix.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
        if machine::may(above, "wx") {
            findings.note(subject, "is not there yet: Wine makes it at its first start, which can take a minute");
        } else {
            let found = format!("is not there, and this user may not make it in {}", above.display());
            let remedy = format!("make {0} for the gateway's user, {other}", prefix.display());
            findings.add(level, subject, found).remedy(remedy).see(PAGE);
        }
        return;
    }
    let (owner, user) = (machine::access(prefix).map(|access| access.owner), machine::own_user());
    if let (Some(owner), Some(user)) = (owner, user)
        && owner != user
    {
        let found =
            format!("belongs to the user {}, and Wine uses no prefix of somebody else", machine::user_name(owner));
        let remedy =
            format!("run the gateway, and doctor, as that user; or chown -R {user} {}; {other}", prefix.display());
        findings.add(level, subject, found).remedy(remedy).see(PAGE);
    } else if !machine::may(prefix, "rwx") {
        let found = "this user may not write into it";
        findings.add(level, subject, found).remedy(format!("chmod u+rwx {}; {other}", prefix.display())).see(PAGE);
    } else if target == Target::Win32 && lacks_32_bits(prefix) {
        let found = "was made by a Wine without 32-bit support: it has no drive_c/windows/syswow64";
        let remedy = format!(
            "apt install wine32:i386 (dpkg --add-architecture i386 first); then remove {} once",
            prefix.display()
        );
        findings.add(level, subject, found).remedy(remedy).see(PAGE);
    } else {
        findings.ok(subject, "is this user's");
    }
}

/// A prefix for 64 bits has the 32-bit libraries beside the others; one that says `win32` has only them.
fn lacks_32_bits(prefix: &Path) -> bool {
    let registry = std::fs::read(prefix.join("system.reg")).unwrap_or_default();
    let head = String::from_utf8_lossy(&registry[..registry.len().min(1000)]).into_owned();
    head.contains("#arch=win64") && !prefix.join("drive_c/windows/syswow64").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(make: impl FnOnce(&Path)) -> Vec<super::super::finding::Finding> {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        let mut findings = Findings::default();
        look_at_prefix(&folder.path().join("prefix"), Target::Win32, Level::Problem, &mut findings);
        findings.all().to_vec()
    }

    #[test]
    fn its_version_is_read() {
        assert_eq!(major_version("wine-10.0 (Debian 10.0~repack-6)"), Some(10));
        assert_eq!((major_version("wine-8.0.1"), major_version("bash 5")), (Some(8), None));
    }

    #[test]
    fn a_prefix_without_32_bit_libraries_is_a_problem() {
        let prefix = |arch: &str, more: &'static str| {
            let registry = format!("WINE REGISTRY Version 2\n\n#arch={arch}\n");
            look(move |folder| {
                std::fs::create_dir_all(folder.join("prefix").join(more)).unwrap();
                std::fs::write(folder.join("prefix/system.reg"), registry).unwrap();
            })
        };
        assert_eq!(prefix("win64", "")[0].level, Level::Problem);
        assert_eq!(prefix("win64", "drive_c/windows/syswow64")[0].level, Level::Ok);
        assert_eq!(prefix("win32", "")[0].level, Level::Ok);
        assert_eq!(look(|_| {})[0].level, Level::Note);
    }
}
