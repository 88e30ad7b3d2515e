//! An agent that a test starts itself, with `agent32 --join`.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bridge32_protocol::target::Target;

use crate::process;
use crate::{dist, windows_path};

/// `agent32 --join`, which is killed with the test; what it started ends with it.
#[derive(Debug)]
pub struct Joined {
    child: Child,
    log: PathBuf,
}

impl Joined {
    /// Starts one of that kind, with a file in `folder` that names the agent and a key.
    pub fn start(folder: &Path, target: Target, gateway: &str, agent: &str, key: &str, secret: &str) -> Self {
        let file = folder.join(format!("join-{agent}-{key}.toml"));
        let text = toml::to_string(&toml::Table::from_iter([
            ("gateway".into(), gateway.into()),
            ("agent".into(), agent.into()),
            ("key".into(), key.into()),
            ("secret".into(), secret.into()),
        ]));
        std::fs::write(&file, text.expect("a table of strings")).expect("the file can be written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("its mode can be set");
        let log = file.with_extension("log");
        let output = File::create(&log).expect("the log can be written");
        let runtimes = dist::runtimes();
        let words = runtimes[target.name()]["command"].as_array().expect("a command").iter();
        let words: Vec<&str> = words.map(|word| word.as_str().expect("a text")).collect();
        let named = if target.is_windows() { windows_path(&file) } else { file.display().to_string() };
        let child = Command::new(words[0])
            .args(&words[1..])
            .args(["--join", &named])
            .current_dir(dist::folder())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("it can be shared"))
            .stderr(output)
            .spawn()
            .expect("the agent can be started");
        Self { child, log }
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The agent that it has started, if there is one now.
    pub fn agent_pid(&self) -> Option<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        std::fs::read_to_string(children).ok()?.split_whitespace().next()?.parse().ok()
    }

    /// Kills both, as if the machine had done so.
    pub fn kill(&mut self) {
        let agent = self.agent_pid();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(agent) = agent.filter(|agent| process::is_alive(*agent)) {
            process::kill_9(agent);
        }
    }
}

impl Drop for Joined {
    #[expect(clippy::print_stderr, reason = "a failed test shows what the agent said")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the joined agent's log ---\n{}--- end of the log ---", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
