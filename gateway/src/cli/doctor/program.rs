//! Runs a program that should end at once, and gives what it printed. One that does not end is ended, with all that it started.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// So much of what it prints is looked at.
const MAX_OUTPUT: u64 = 64 << 10;
/// So many lines are shown to people.
const MAX_LINES: usize = 5;

/// What became of a program.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It could not be started.
    NotStarted(io::Error),
    /// It did not end in time.
    TookTooLong(Printed),
    /// It ended.
    Ended(ExitStatus, Printed),
}

/// What a program printed.
#[derive(Debug, Default)]
pub(super) struct Printed {
    /// Its standard output.
    pub(super) output: String,
    /// Its standard error.
    pub(super) errors: String,
}

impl Printed {
    /// The last lines for a person, standard error first; empty if there are none.
    pub(super) fn last_lines(&self) -> String {
        let text = if self.errors.trim().is_empty() { &self.output } else { &self.errors };
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(MAX_LINES)..].join("\n")
    }
}

/// Runs it.
pub(super) fn run(mut command: Command, limit: Duration) -> Outcome {
    // Files and not pipes: what the program leaves behind, such as Wine's server, may keep them open.
    let files = tempfile::tempfile().and_then(|output| Ok((output, tempfile::tempfile()?)));
    let (mut output, mut errors) = match files {
        Ok(files) => files,
        Err(error) => return Outcome::NotStarted(error),
    };
    let stdio = |file: &File| file.try_clone().map_or_else(|_| Stdio::null(), Stdio::from);
    command.stdin(Stdio::null()).stdout(stdio(&output)).stderr(stdio(&errors));
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Outcome::NotStarted(error),
    };
    let status = wait(&mut child, limit);
    if status.is_none() {
        end(&mut child);
    }
    let printed = Printed { output: text(&mut output), errors: text(&mut errors) };
    match status {
        Some(status) => Outcome::Ended(status, printed),
        None => Outcome::TookTooLong(printed),
    }
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends it and its group.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Ok(pid) = child.id().try_into() {
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let _ = file.rewind().and_then(|()| file.take(MAX_OUTPUT).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        command
    }

    #[test]
    fn what_a_program_prints_is_kept() {
        let Outcome::Ended(status, printed) = run(shell("echo one; echo two >&2; exit 3"), Duration::from_secs(10))
        else {
            panic!("it ends")
        };
        assert_eq!(
            (status.code(), printed.output.as_str(), printed.last_lines()),
            (Some(3), "one\n", "two".to_owned())
        );
    }

    #[test]
    fn one_that_hangs_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let line = format!("sleep 100 & echo $! > {}; echo waiting; wait", file.display());
        let Outcome::TookTooLong(printed) = run(shell(&line), Duration::from_millis(500)) else { panic!("it hangs") };
        assert_eq!(printed.last_lines(), "waiting");
        let pid = std::fs::read_to_string(file).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        let begin = Instant::now();
        // Gone, or a zombie that nobody has looked at.
        while !(state().is_empty() || state().contains(" Z ")) {
            assert!(begin.elapsed() < Duration::from_secs(5), "{}", state());
        }
    }

    #[test]
    fn one_that_is_not_there_is_told() {
        let Outcome::NotStarted(error) = run(Command::new("/nowhere/program"), Duration::from_secs(1)) else {
            panic!("it cannot start")
        };
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
