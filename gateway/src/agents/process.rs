//! One agent process: started with its hand-over, its output captured, ended with everything that it started.

use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Handover;
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, Command};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::crash::Crash;
use super::notes::{Noted, Notes};
use super::output::{self, Source};
use crate::config::RuntimeConfig;

/// How often, and in which time, it is looked whether the rest of a process is gone.
const SWEEPS: u32 = 100;
const SWEEP: std::time::Duration = std::time::Duration::from_millis(2);

/// A console of their own, without a window: Ctrl-C is for every process of a console, and calls that are under way shall finish.
#[cfg(windows)]
const OWN_CONSOLE: process_wrap::tokio::CreationFlags =
    process_wrap::tokio::CreationFlags(windows::Win32::System::Threading::CREATE_NO_WINDOW);

/// Far more than a handover takes.
const HANDOVER_BYTES: usize = 8 << 10;

/// A running agent process and its standard input, whose end tells the agent that the gateway is gone.
pub(super) struct Process {
    child: Box<dyn ChildWrapper>,
    stdin: Option<ChildStdin>,
    pid: Option<u32>,
    target: Target,
}

impl Process {
    /// Starts the runtime's command in a process group (on Windows: a job) of its own. What it prints is that of `source`.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(super) fn spawn(runtime: &RuntimeConfig, target: Target, source: &Source) -> io::Result<Self> {
        let mut command = Command::from(command(runtime, target));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = CommandWrap::from(command);
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(process_wrap::tokio::JobObject).wrap(OWN_CONSOLE);
        let mut child = command.wrap(KillOnDrop).spawn()?;
        if let Some(stream) = child.stdout().take() {
            tokio::spawn(output::capture(stream, 0, source.clone()));
        }
        if let Some(stream) = child.stderr().take() {
            tokio::spawn(output::capture(stream, 1, source.clone()));
        }
        let stdin = child.stdin().take();
        let pid = child.id();
        Ok(Self { child, stdin, pid, target })
    }

    /// The process id, as this system sees it.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Gives the agent its key and where to register.
    ///
    /// # Errors
    /// The process has closed its standard input: it is ending.
    pub(super) async fn hand_over(&mut self, handover: &Handover) -> io::Result<()> {
        // With room for all of it: a buffer that grew would leave the key behind in the places where it was before.
        let mut line = Zeroizing::new(Vec::with_capacity(HANDOVER_BYTES));
        serde_json::to_writer(&mut *line, handover)?;
        line.push(b'\n');
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(&line).await?;
        stdin.flush().await
    }

    /// Waits for the end of the process.
    pub(super) async fn wait(&mut self) -> Exit {
        match self.child.wait().await {
            Ok(status) => Exit::new(status, self.target),
            Err(error) => Exit::told(format!("ended, but how cannot be told: {error}")),
        }
    }

    /// Ends it and everything in its group, at once.
    pub(super) async fn kill(&mut self) -> Exit {
        if let Err(error) = self.child.start_kill() {
            tracing::debug!(%error, "the process was gone already");
        }
        self.wait().await
    }

    /// Ends what the process has left behind, and gives whether that is gone: what is noted by whoever still runs may change.
    pub(super) async fn sweep(&mut self) -> bool {
        let _ = self.child.start_kill();
        for _ in 0..SWEEPS {
            if self.is_group_gone() {
                return true;
            }
            tokio::time::sleep(SWEEP).await;
        }
        false
    }

    #[cfg(unix)]
    fn is_group_gone(&self) -> bool {
        use nix::errno::Errno;
        use nix::sys::signal::killpg;
        use nix::unistd::Pid;
        let group = self.pid.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        group.is_none_or(|group| killpg(group, None) == Err(Errno::ESRCH))
    }

    /// A job ends with its last process.
    #[cfg(not(unix))]
    fn is_group_gone(&self) -> bool {
        true
    }
}

/// The runtime's command as its agents are started by it.
pub(crate) fn command(runtime: &RuntimeConfig, target: Target) -> std::process::Command {
    let mut command = std::process::Command::new(&runtime.command[0]);
    command.args(&runtime.command[1..]).current_dir(&runtime.directory);
    // What is the gateway's own is nothing for libraries: `BRIDGE32_SECRET` is a client's key.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BRIDGE32_")) {
        command.env_remove(name);
    }
    if cfg!(unix) && target.is_windows() {
        // Wine 10 of Debian crashes at its start where it is set, to whatever folder.
        command.env_remove("TMPDIR");
    }
    command.envs(&runtime.env);
    command
}

/// How an agent process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// `killed by signal 11 (SIGSEGV)`, `exit code 3`.
    pub how: String,
    /// The exit code, if it ended with one.
    pub code: Option<i32>,
    /// Why the bridge ended it; `None` if it ended by itself or somebody else did it.
    pub reason: Option<String>,
    /// What the process wrote while it was dying.
    pub crash: Option<Arc<Crash>>,
    /// What it had noted of its calls.
    pub notes: Notes,
}

impl Exit {
    fn new(status: ExitStatus, target: Target) -> Self {
        Self { code: status.code(), ..Self::told(describe(status, target)) }
    }

    /// An end that is only known in words.
    pub fn told(how: impl Into<String>) -> Self {
        Self { how: how.into(), code: None, reason: None, crash: None, notes: Notes::default() }
    }

    /// What the process had noted in that slot of its journal.
    pub fn noted(&self, slot: Option<u32>) -> Noted {
        self.notes.of(slot)
    }

    /// What a call of that library is told: what the process wrote about an earlier call of it is not about this one.
    #[must_use]
    pub fn for_call(&self, library: &str, id: Uuid) -> Self {
        let fits = |crash: &Arc<Crash>| crash.fits(library, id);
        Self { crash: self.crash.clone().filter(fits), ..self.clone() }
    }

    /// An end that the bridge made.
    pub fn made(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::told("") }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.reason {
            return write!(f, "ended by the bridge: {reason}");
        }
        f.write_str(&self.how)?;
        match self.crash.as_ref().and_then(|crash| crash.place()) {
            Some(place) => write!(f, ": {place}"),
            None => Ok(()),
        }
    }
}

/// Exceptions that end programs of Windows, as exit codes (winnt.h, `STATUS_…`).
const EXCEPTIONS: [(u32, &str); 7] = [
    (0xC000_0005, "STATUS_ACCESS_VIOLATION"),
    (0xC000_001D, "STATUS_ILLEGAL_INSTRUCTION"),
    (0xC000_0094, "STATUS_INTEGER_DIVIDE_BY_ZERO"),
    (0xC000_00FD, "STATUS_STACK_OVERFLOW"),
    (0xC000_0135, "STATUS_DLL_NOT_FOUND"),
    (0xC000_0374, "STATUS_HEAP_CORRUPTION"),
    (0xC000_0409, "STATUS_STACK_BUFFER_OVERRUN"),
];

#[cfg(unix)]
fn describe(status: ExitStatus, target: Target) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("killed by signal {signal} ({})", signal_name(signal)),
        (None, Some(code)) if target.is_windows() => under_wine(code),
        // A shell or a wrapper such as chroot answers so for a child that a signal ended.
        (None, Some(code @ 129..=159)) => format!("exit code {code} (128 + {})", signal_name(code - 128)),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => format!("{status}"),
    }
}

/// Of an exit code that Wine gives, Linux keeps the lowest eight bits.
#[cfg(unix)]
fn under_wine(code: i32) -> String {
    let likely = EXCEPTIONS.iter().find(|(exception, _)| i32::try_from(exception & 0xff) == Ok(code));
    match likely {
        Some((exception, name)) => format!("exit code {code}, under Wine most likely {exception:#X} ({name})"),
        None => format!("exit code {code}"),
    }
}

#[cfg(unix)]
fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |name| name.to_string())
}

#[cfg(windows)]
fn describe(status: ExitStatus, _: Target) -> String {
    let Some(code) = status.code() else { return status.to_string() };
    let name = EXCEPTIONS.iter().find(|(exception, _)| *exception == code.cast_unsigned());
    match name {
        Some((_, name)) => format!("exception code {code:#010X} ({name})"),
        None if code < 0 => format!("exception code {code:#010X}"),
        None => format!("exit code {code}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn the_end_of_a_process_is_told_by_the_name_of_the_signal() {
        let linux = |status| describe(ExitStatus::from_raw(status), Target::Linux32);
        assert_eq!(linux(11), "killed by signal 11 (SIGSEGV)");
        assert_eq!(linux(3 << 8), "exit code 3");
        assert_eq!(linux(139 << 8), "exit code 139 (128 + SIGSEGV)");
    }

    #[test]
    fn the_end_of_a_windows_program_is_told_by_the_exception_that_its_exit_code_is_left_of() {
        let wine = |status| describe(ExitStatus::from_raw(status), Target::Win32);
        assert_eq!(wine(5 << 8), "exit code 5, under Wine most likely 0xC0000005 (STATUS_ACCESS_VIOLATION)");
        assert_eq!(wine(1 << 8), "exit code 1");
        assert_eq!(wine(9), "killed by signal 9 (SIGKILL)");
    }
}
