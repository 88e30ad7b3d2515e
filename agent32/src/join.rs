//! `agent32 --join FILE`: starts an agent for a gateway that does not do so itself, and starts it again when it ends.
//!
//! It is to that agent what the gateway is to its own: the agent is a child process that is handed its key through its
//! standard input, and ends when that closes. So a crash of the library ends the child alone, and a gateway that was
//! restarted gets a process with nothing loaded.
#![expect(clippy::print_stderr, reason = "standard error is what whoever started it looks at")]

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use bridge32_protocol::PROTOCOL;
use bridge32_protocol::wire::Handover;
use serde::Deserialize;
use zeroize::Zeroizing;

/// The exit code of a file that cannot be used.
const WRONG_USE: u8 = 2;
/// The exit code where no agent can be started at all.
const FAILED: u8 = 1;

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// An agent that ran so long was not at fault from its start.
const HEALTHY: Duration = Duration::from_secs(10);
/// A handover is far shorter.
const HANDOVER_BYTES: usize = 8 << 10;

/// What the file says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Joining {
    /// Where the gateway listens, as `address:port`.
    gateway: String,
    /// The name that libraries of the gateway's configuration have as `agent`.
    agent: String,
    /// The id of a key with the scope `agent`.
    key: String,
    /// Its secret, base64.
    secret: Zeroizing<String>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("cannot read {}: {source}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{} can be read by others (mode {mode:04o}), and holds a key: chmod 600 {}", file.display(), file.display())]
    #[cfg(unix)]
    Exposed { file: PathBuf, mode: u32 },
    /// Without the line that the TOML reader would show: it may hold the secret.
    #[error("{}: line {line}: {message}. It needs gateway, agent, key and secret, each a text in quotes", file.display())]
    Invalid { file: PathBuf, line: usize, message: String },
}

/// Keeps an agent running as the file says, without end. The file is read again for each start, so that a key can be
/// changed.
pub fn run(file: &Path) -> ExitCode {
    if let Err(error) = read(file) {
        eprintln!("agent32: {error}");
        return ExitCode::from(WRONG_USE);
    }
    let mut delay = FIRST_DELAY;
    loop {
        let started = Instant::now();
        match read(file) {
            Ok(joining) => match run_once(joining) {
                Ok(status) => eprintln!("agent32: the agent ended ({status}); it is being started again"),
                Err(error) => {
                    eprintln!("agent32: no agent can be started: {error}");
                    return ExitCode::from(FAILED);
                }
            },
            Err(error) => eprintln!("agent32: {error}; trying again"),
        }
        if started.elapsed() >= HEALTHY {
            delay = FIRST_DELAY;
        }
        std::thread::sleep(delay);
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}

/// Starts the agent, hands it what it needs, and waits for its end.
fn run_once(joining: Joining) -> io::Result<ExitStatus> {
    let mut child = Command::new(std::env::current_exe()?).stdin(Stdio::piped()).spawn()?;
    let handover = Handover {
        protocol: PROTOCOL,
        agent: joining.agent,
        generation: 0,
        gateway: joining.gateway,
        key: joining.key,
        secret: joining.secret,
        crash_file: None,
        journal: None,
        output_marks: None,
    };
    let mut line = Zeroizing::new(Vec::with_capacity(HANDOVER_BYTES));
    serde_json::to_writer(&mut *line, &handover)?;
    line.push(b'\n');
    // Taken from the child, as waiting for it would close what it has, and the agent lives as long as that is open.
    let mut lifeline = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    // An agent that does not read it is ending, and that shows.
    let _ = lifeline.write_all(&line);
    drop((line, handover));
    let ended = child.wait();
    drop(lifeline);
    ended
}

fn read(file: &Path) -> Result<Joining, FileError> {
    let unreadable = |source| FileError::Unreadable { file: file.to_owned(), source };
    // Elsewhere the profile of the user is closed to others; under Wine the modes of the host cannot be seen.
    #[cfg(unix)]
    check_mode(file)?;
    let text = std::fs::read_to_string(file).map(Zeroizing::new).map_err(unreadable)?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        FileError::Invalid { file: file.to_owned(), line, message: error.message().trim().replace('\n', "; ") }
    })
}

#[cfg(unix)]
fn check_mode(file: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(file).map_err(|source| FileError::Unreadable { file: file.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o7777;
    let others = mode & 0o077;
    if others == 0 { Ok(()) } else { Err(FileError::Exposed { file: file.to_owned(), mode }) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read_text(text: &str, mode: u32) -> Result<Joining, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("join.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        read(&file).map_err(|error| error.to_string())
    }

    const GOOD: &str = "gateway = '127.0.0.1:8032'\nagent = 'cardpc'\nkey = 'card'\nsecret = 'AAAAAAAAAAA='\n";

    #[test]
    fn a_file_says_where_to_register_and_with_which_key() {
        let joining = read_text(GOOD, 0o600).ok().unwrap();
        assert_eq!((joining.agent.as_str(), joining.key.as_str()), ("cardpc", "card"));
        let exposed = read_text(GOOD, 0o644).err().unwrap();
        assert!(exposed.contains("chmod 600 /"), "{exposed}");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_without_its_secret() {
        for text in [GOOD.replace("secret", "secrets"), GOOD.replace("'AAAAAAAAAAA='", "'AAAAAAAAAAA"), "x".to_owned()]
        {
            let error = read_text(&text, 0o600).err().unwrap();
            assert!(!error.contains("AAAA") && error.contains("line "), "{error}");
        }
    }
}
