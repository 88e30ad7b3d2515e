//! The runtimes: whether their commands start an agent that fits this gateway. Each one is started with `--version`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bridge32_image::Image;
use bridge32_protocol::PROTOCOL;
use bridge32_protocol::target::Target;

use super::finding::{Findings, Level};
use super::program::{self, Outcome, Printed};
use super::{machine, wine};
use crate::agents::{self, Agent};
use crate::cli::check::is_program;
use crate::config::{Config, RuntimeConfig};
use crate::libraries::Library;

/// As long as the gateway waits for an agent.
const LIMIT: Duration = Duration::from_secs(30);
/// What starts the 32-bit programs of Linux.
const LOADER: &str = "/lib/ld-linux.so.2";
/// What an agent says that was started without arguments: a script in between did not hand them on.
const NO_ARGUMENT: &str = "agent32: standard input holds no handover";
const PAGE: &str = "docs/doctor.md#agents-that-do-not-start";

/// Looks at each of them, and gives those whose agents cannot run.
pub(super) fn examine(config: &Config, libraries: &[Arc<Library>], findings: &mut Findings) -> BTreeSet<Target> {
    findings.begin("runtimes");
    let started = libraries.iter().filter(|library| library.config.agents.is_empty());
    let used: BTreeSet<Target> = started.filter_map(|library| library.target).collect();
    let mut broken = BTreeSet::new();
    for (target, runtime) in &config.runtimes {
        // What no library needs keeps none from being called.
        let level = if used.contains(target) { Level::Problem } else { Level::Warning };
        let check = Check { config, target: *target, runtime, level, findings: &mut *findings };
        if check.run() == Verdict::Broken {
            broken.insert(*target);
        }
    }
    if config.runtimes.is_empty() && !used.is_empty() {
        let file = config.file.display();
        let remedy = format!("add a table such as [runtime.linux32] with command = [\"agent32\"] to {file}");
        let found = "the configuration has no [runtime.…] table: no agent can be started";
        findings.problem("runtimes", found).remedy(remedy);
    }
    broken
}

/// Whether a runtime's agents can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// They can, or only an attempt to load something shows whether they can.
    Possible,
    /// They cannot.
    Broken,
}

struct Check<'a> {
    config: &'a Config,
    target: Target,
    runtime: &'a RuntimeConfig,
    level: Level,
    findings: &'a mut Findings,
}

impl Check<'_> {
    fn subject(&self) -> String {
        format!("runtime {}", self.target)
    }

    /// The table in which something has to be corrected.
    fn table(&self) -> String {
        format!("`command` of [runtime.{}] in {}", self.target, self.config.file.display())
    }

    /// It has to be mended before an agent can run.
    fn broken(&mut self, found: impl Into<String>, remedy: impl Into<String>) -> Verdict {
        self.findings.add(self.level, self.subject(), found).remedy(remedy).see(PAGE);
        Verdict::Broken
    }

    fn run(mut self) -> Verdict {
        let program = self.runtime.command[0].clone();
        if !is_program(&program) {
            let remedy =
                if self.runtime.is_wine() { wine::INSTALL.to_owned() } else { format!("correct {}", self.table()) };
            return self.broken(format!("there is no program `{program}`: no agent can be started"), remedy);
        }
        let folder = &self.runtime.directory;
        if !folder.is_dir() {
            let found = format!("agents are to be started in {}, and there is no such folder", folder.display());
            let remedy = format!("mkdir -p {}", folder.display());
            return self.broken(found, remedy);
        }
        if self.target.is_windows() && self.runtime.is_wine() {
            wine::examine(self.target, self.runtime, self.level, self.findings);
        }
        let mut command = agents::command(self.runtime, self.target);
        command.arg("--version");
        match program::run(command, LIMIT) {
            Outcome::NotStarted(error) => {
                let (why, remedy) = explain(&program, self.target, &error, &self.table());
                self.broken(format!("`{program}` cannot be started: {error}. {why}"), remedy)
            }
            Outcome::TookTooLong(printed) => self.took_too_long(&printed),
            Outcome::Ended(_, printed) if printed.errors.contains(NO_ARGUMENT) => {
                let found = "starts an agent, but hands on no arguments: which release it is of is seen when it loads something";
                self.findings.note(self.subject(), found);
                Verdict::Possible
            }
            Outcome::Ended(status, printed) => match Version::find(&printed.output) {
                Some(version) => self.compare(&version),
                None => self.no_agent(&status.to_string(), &printed),
            },
        }
    }

    fn compare(&mut self, version: &Version) -> Verdict {
        let Version { number, target, protocol } = version;
        let (subject, ours) = (self.subject(), self.target);
        if *target != ours.name() {
            let found =
                format!("its command starts an agent that was built for {target}: no library for {ours} can be loaded");
            return self.broken(found, format!("correct {}: it has to name the agent for {ours}", self.table()));
        }
        if *protocol != PROTOCOL {
            let remedy = "use the gateway and the agents of one release: copy all of its programs";
            return self.broken(Agent::protocol_mismatch(*protocol, number), remedy);
        }
        let found = format!("starts agent32 {number} with protocol {protocol}, as this gateway speaks it");
        self.findings.ok(subject, found);
        Verdict::Possible
    }

    fn took_too_long(&mut self, printed: &Printed) -> Verdict {
        let mut found = format!("its agent did not answer `--version` within {} s", LIMIT.as_secs());
        let mut remedy =
            format!("run it yourself, and see where it waits: {} --version", self.runtime.command.join(" "));
        if self.target.is_windows() {
            found += "; the first start of Wine makes its prefix, which can take a minute";
            remedy = format!("run doctor once more; if it stays so, {remedy}");
        }
        self.broken(with_lines(&found, printed), remedy);
        // The next start may be faster.
        Verdict::Possible
    }

    fn no_agent(&mut self, status: &str, printed: &Printed) -> Verdict {
        let found = format!("its command is no agent, or its agent does not run: `--version` ended with {status}");
        let remedy = match missing_library(&printed.errors) {
            Some(library) => format!(
                "the agent's 32-bit library {library} is missing: dpkg --add-architecture i386 && apt update && apt install \
                 libc6:i386 libgcc-s1:i386; else `apt-file search {library}` names the package"
            ),
            None if status.contains("SIGSYS") || status.contains("signal: 31") => {
                "a container or service manager forbids its system calls (seccomp): allow 32-bit programs, such as with \
                 SystemCallArchitectures=native x86 of systemd"
                    .to_owned()
            }
            None => format!("correct {}, or run it yourself: {} --version", self.table(), self.runtime.command.join(" ")),
        };
        self.broken(with_lines(&found, printed), remedy)
    }
}

fn with_lines(found: &str, printed: &Printed) -> String {
    let lines = printed.last_lines();
    if lines.is_empty() {
        format!("{found}, and it printed nothing")
    } else {
        format!("{found}, and it printed\n{lines}")
    }
}

/// What ld.so says of a library that is not there.
fn missing_library(errors: &str) -> Option<&str> {
    let (_, rest) = errors.split_once("error while loading shared libraries: ")?;
    rest.split(':').next().filter(|name| !name.is_empty())
}

/// Why a program that is there cannot be started, and what to do.
fn explain(program: &str, target: Target, error: &io::Error, table: &str) -> (String, String) {
    let path = path_of(program);
    let image = Image::open(&path).ok();
    let architecture = image.as_ref().map(|image| image.architecture);
    match error.kind() {
        io::ErrorKind::PermissionDenied if machine::space(&path).is_some_and(|space| space.noexec) => (
            "It lies on a file system that is mounted `noexec`.".to_owned(),
            format!("put the agent elsewhere and correct {table}; `findmnt -T {}` shows the mount", path.display()),
        ),
        io::ErrorKind::PermissionDenied => (
            "This user may not run it.".to_owned(),
            format!("chmod a+x {}; every folder above it needs the x bit, too: namei -l {}", path.display(), path.display()),
        ),
        // The file is there: what the system misses is the loader that it names.
        io::ErrorKind::NotFound if target == Target::Linux32 && !Path::new(LOADER).exists() => (
            format!("The file is there; what is missing is {LOADER}, which starts 32-bit programs."),
            "dpkg --add-architecture i386 && apt update && apt install libc6:i386 (Fedora: dnf install glibc.i686)".to_owned(),
        ),
        io::ErrorKind::NotFound => (
            "The file is there; what is missing is the loader or interpreter that it names.".to_owned(),
            format!("file {0}; head -n 1 {0}", path.display()),
        ),
        _ if error.raw_os_error() == Some(NO_FORMAT) => match architecture {
            Some(bridge32_image::Architecture::X86) => (
                "This system's kernel runs no 32-bit programs.".to_owned(),
                "boot a kernel with CONFIG_IA32_EMULATION and without ia32_emulation=0 (cat /proc/cmdline); 64-bit ARM, gVisor and \
                 WSL 1 cannot run them at all"
                    .to_owned(),
            ),
            Some(other) => (format!("It is for {other}."), format!("correct {table}: it has to name the agent for {target}")),
            None => ("It is no program of this system.".to_owned(), format!("correct {table}; file {}", path.display())),
        },
        _ => (String::new(), format!("correct {table}")),
    }
}

/// `ENOEXEC`
const NO_FORMAT: i32 = 8;

/// Where the program is.
fn path_of(program: &str) -> PathBuf {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return path.to_owned();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or(path.to_owned())
}

/// What an agent says of itself: `agent32 0.1.0 (linux32, protocol 4)`.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    number: String,
    target: String,
    protocol: u32,
}

impl Version {
    fn find(output: &str) -> Option<Self> {
        output.lines().find_map(|line| {
            let (number, rest) = line.trim().strip_prefix("agent32 ")?.split_once(" (")?;
            let (target, protocol) = rest.strip_suffix(')')?.split_once(", protocol ")?;
            Some(Self { number: number.to_owned(), target: target.to_owned(), protocol: protocol.parse().ok()? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_says_of_itself_is_found_among_other_lines() {
        let version =
            Version::find("wine: created the configuration directory\nagent32 1.2.3 (win32, protocol 5)\r\n").unwrap();
        assert_eq!(version, Version { number: "1.2.3".into(), target: "win32".into(), protocol: 5 });
        for text in
            ["", "agent32", "agent32 1 (win32)", "agent32 1 (win32, protocol x)", "GNU bash, version 5 (x, protocol 1)"]
        {
            assert_eq!(Version::find(text), None, "{text}");
        }
    }

    #[test]
    fn the_library_that_the_loader_misses_is_found() {
        let text = "agent32: error while loading shared libraries: libgcc_s.so.1: cannot open shared object file: No such file";
        assert_eq!(missing_library(text), Some("libgcc_s.so.1"));
        assert_eq!(missing_library("Segmentation fault"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_that_cannot_be_started_is_explained() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent");
        let started = |content: &[u8], mode| {
            std::fs::write(&file, content).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            let Outcome::NotStarted(error) = program::run(std::process::Command::new(&file), LIMIT) else {
                panic!("it starts")
            };
            explain(file.to_str().unwrap(), Target::Linux64, &error, "`command`")
        };
        assert!(started(b"#!/nowhere/sh\n", 0o755).0.contains("loader or interpreter"));
        assert!(started(b"\x7fELF nonsense", 0o755).0.contains("no program of this system"));
        assert!(started(b"#!/bin/sh\n", 0o644).1.starts_with("chmod a+x /"));
    }
}
