//! Running other programs: what is being done, how long it usually takes, how long it took, and where to read why it
//! failed.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How many of the log's last lines are shown upon failure.
const SHOWN_LINES: usize = 20;

/// Runs `command` with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    let status = command.status().with_context(|| format!("`{line}` could not be started"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs `command` with its output in `log` (emptied first), and says on one line that `what` is being done, that it takes
/// about `usual` seconds, and how long it took.
pub(crate) fn run_logged(what: &str, usual: u64, log: &Path, command: &mut Command) -> Result<()> {
    steps_logged(what, usual, log, &mut [command])
}

/// [`run_logged`] for several commands that are one step to a person.
pub(crate) fn steps_logged(what: &str, usual: u64, log: &Path, commands: &mut [&mut Command]) -> Result<()> {
    let folder = log.parent().context("a log lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let file = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
    eprint!("{what} (about {usual} s) … ");
    std::io::stderr().flush()?;
    let start = Instant::now();
    for command in commands {
        let line = shown(command);
        writeln!(&file, "$ {line}")?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file.try_clone()?);
        let status = command.status().with_context(|| format!("`{line}` could not be started"))?;
        if !status.success() {
            eprintln!("failed after {} s", start.elapsed().as_secs());
            eprintln!("{}", last_lines(log));
            bail!("`{line}` failed ({status}); everything it said is in {}", log.display());
        }
    }
    eprintln!("done in {} s", start.elapsed().as_secs());
    Ok(())
}

/// The standard output of `command`; an error if it cannot be started or fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("`{line}` could not be started"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` answered with something that is not UTF-8"))
}

/// Waits for `child`, but ends it after `limit`. `None` says that it was ended.
pub(crate) fn wait_at_most(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The command as a person would type it, without its environment.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    format!("  | {}", lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n  | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_so_that_a_shell_reads_it_back() {
        let mut command = Command::new("echo");
        command.args(["plain-word", "two words", "it's", ""]);
        assert_eq!(shown(&command), r"echo plain-word 'two words' 'it'\''s' ''");
    }
}
