//! A running gateway, and what a test does with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bridge32_signature::Key;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::config::Config;
use crate::log::{self, Log};
use crate::process::{self, MARK};
use crate::{WINDOWS_GATEWAY, dist, within};

/// Seconds until a gateway must listen.
const START: f64 = 20.0;
/// Seconds until its libraries must be loaded. The very first start of Wine on a machine is slow.
const READY: f64 = 90.0;
/// Seconds that a graceful stop may take.
const STOP: f64 = 15.0;

/// A gateway that was started for a test. It ends with it, and everything that it started must, too.
#[derive(Debug)]
pub struct Bridge {
    child: Child,
    client: Client,
    config: Config,
    log: Log,
    mark: String,
    /// The starts that each agent took until the bridge was ready: Wine's server may end just when an agent connects to it,
    /// and then a second start is what the bridge is for.
    first: BTreeMap<String, u64>,
    ended: bool,
}

impl Bridge {
    /// Starts a gateway with the configuration that `configure` completes, and waits until its libraries are loaded or
    /// have failed.
    pub fn start(configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new();
        configure(&mut config);
        Self::with(config)
    }

    /// Starts a gateway with a finished configuration.
    pub fn with(config: Config) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let file = config.write();
        let path = config.folder().join("gateway.log");
        // For its user alone: a log that others can read is told no link to sign in with.
        let output = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .expect("the log can be written");
        let mut command = match &config.disk {
            Some(size) => on_a_disk(size, &config.folder().join("data")),
            None => gateway_command(),
        };
        command.arg("serve").arg("--config").arg(&file).current_dir(config.folder());
        command.env(MARK, &mark).envs(config.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("it can be shared")).stderr(output);
        let child = command.spawn().expect("the gateway can be started");
        let log = Log::at(&path);
        let key = config.first_key();
        let client = Client::new("127.0.0.1:0", key.clone());
        let first = BTreeMap::new();
        let mut bridge = Self { child, client, config, log, mark, first, ended: false };
        let address = within(START, "the gateway listens", || {
            assert!(
                bridge.child.try_wait().expect("it is our child").is_none(),
                "the gateway ended:\n{}",
                bridge.log()
            );
            bridge.addresses().into_iter().next()
        });
        bridge.client = bridge.client_at(&address, key);
        if bridge.config.wait_until_ready {
            bridge.wait_until_ready();
            bridge.note_first_generations();
        }
        bridge
    }

    /// Stops it and starts it again with the same configuration and the same data.
    pub fn restart(&mut self) {
        self.stop();
        let config = std::mem::take(&mut self.config);
        *self = Self::with(config);
    }

    /// Waits until every library is loaded or has failed for good.
    pub fn wait_until_ready(&self) {
        within(READY, "/readyz answers 200", || (self.client.get("/readyz").status == 200).then_some(()));
    }

    /// Where it listens, as the configuration writes it and with the real ports, in its order.
    pub fn addresses(&self) -> Vec<String> {
        log::addresses(&self.log())
    }

    /// A client to one of its addresses.
    pub fn client_at(&self, address: &str, key: Option<Key>) -> Client {
        match (address.strip_prefix("https://"), &self.config.trusted) {
            (Some(authority), Some(trusted)) => Client::over_tls(authority, key, trusted),
            _ => Client::new(address, key),
        }
    }

    /// The client to the first of its addresses.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The configuration that it was started with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits for a line of the log that has all of `parts`.
    pub fn logs(&self, parts: &[&str]) -> String {
        self.log.line(10.0, parts)
    }

    /// The gateway's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Calls a declared function.
    #[expect(clippy::needless_pass_by_value, reason = "`json!` in the call itself reads best")]
    pub fn call(&self, library: &str, function: &str, arguments: Value) -> Answer {
        self.client.post(&format!("/v1/libraries/{library}/functions/{function}"), &arguments)
    }

    /// Calls a declared function with a body of the test's own.
    pub fn call_raw(&self, library: &str, function: &str, body: &str) -> Answer {
        let target = format!("/v1/libraries/{library}/functions/{function}");
        self.client.request("POST", &target).body("application/json", body).send()
    }

    /// Calls an export with a prototype.
    pub fn call_ad_hoc(&self, library: &str, prototype: &str, arguments: &Value) -> Answer {
        self.client.post(&format!("/v1/libraries/{library}/calls"), &json!({"prototype": prototype, "args": arguments}))
    }

    /// Runs calls as one batch: pairs of a function and its arguments. Gives the outcomes.
    #[track_caller]
    pub fn batch(&self, library: &str, stop_on_error: bool, calls: &[(&str, Value)]) -> Vec<Value> {
        let calls: Vec<Value> = calls.iter().map(|(name, args)| json!({"function": name, "args": args})).collect();
        let body = json!({"calls": calls, "stop_on_error": stop_on_error});
        let answer = self.client.post(&format!("/v1/libraries/{library}/batches"), &body).ok();
        let outcomes = answer["outcomes"].as_array().unwrap_or_else(|| panic!("no outcomes: {answer}")).clone();
        assert_eq!(outcomes.len(), calls.len(), "{answer}");
        outcomes
    }

    /// Calls until there is a 200, and gives the seconds that it took.
    pub fn call_until(&self, seconds: f64, library: &str, function: &str, arguments: &Value) -> f64 {
        let start = std::time::Instant::now();
        within(seconds, &format!("`{function}` of `{library}` answers"), || {
            (self.call(library, function, arguments.clone()).status == 200).then_some(())
        });
        start.elapsed().as_secs_f64()
    }

    /// `GET /v1/libraries/{library}`.
    pub fn library(&self, library: &str) -> Value {
        self.client.get(&format!("/v1/libraries/{library}")).ok()
    }

    /// Why a library could not be loaded: it must have failed, and a call of it must say the same.
    #[track_caller]
    pub fn failure(&self, library: &str) -> String {
        let shown = self.library(library);
        assert_eq!(shown["state"], "failed", "{shown}");
        let reason = shown["reason"].as_str().unwrap_or_default().to_owned();
        let called = self.call_ad_hoc(library, "int anything(void)", &json!({})).refused(422, "load_failed");
        assert_eq!(called["detail"], reason, "the call and the library say the same");
        assert_eq!(called["execution"], "not_run");
        reason
    }

    /// `GET /v1/agents/{id}`.
    pub fn agent(&self, id: &str) -> Value {
        self.client.get(&format!("/v1/agents/{id}")).ok()
    }

    /// The process id of an agent that runs.
    pub fn agent_pid(&self, id: &str) -> u32 {
        let agent = self.agent(id);
        let pid = agent["pid"].as_u64().unwrap_or_else(|| panic!("no process: {agent}"));
        let pid = pid.try_into().expect("a process id");
        let pid = if WINDOWS_GATEWAY { self.listening_at(id, &agent) } else { pid };
        assert!(process::is_alive(pid), "{agent}");
        pid
    }

    /// The process of an agent as this machine numbers it, which is another number than that of Windows: by the port at which it
    /// listens.
    fn listening_at(&self, id: &str, agent: &Value) -> u32 {
        let ready = ["agent ready", &format!("agent=\"{id}\" generation={} ", agent["generation"])];
        let line = self.log.line(10.0, &ready);
        let port = line.trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port: {line}"));
        let processes = self.agent_processes().into_iter().map(|process| process.pid);
        let found = processes.filter(|pid| process::listening_ports(*pid).contains(&port)).min();
        found.unwrap_or_else(|| panic!("nobody listens at {port}: {agent}"))
    }

    /// The number of an agent's start.
    pub fn generation(&self, id: &str) -> u64 {
        let generation = self.agent(id)["generation"].as_u64().expect("a number");
        generation - self.first.get(id).map_or(0, |first| first - 1)
    }

    fn note_first_generations(&mut self) {
        let answer = self.client.get("/v1/agents");
        let agents = answer.ok();
        let generation = |agent: &Value| Some((agent["id"].as_str()?.to_owned(), agent["generation"].as_u64()?));
        self.first = agents["agents"].as_array().into_iter().flatten().filter_map(generation).collect();
        self.first.retain(|_, first| *first > 0);
    }

    /// The agents' processes, found by looking at all processes and not by asking the gateway.
    pub fn agent_processes(&self) -> Vec<process::Running> {
        process::marked_agents(&self.mark)
    }

    /// All processes that it has started and that run, Wine's own servers included.
    pub fn processes(&self) -> Vec<process::Running> {
        let all = process::marked(&self.mark).into_iter();
        all.filter(|process| process.pid != self.pid()).collect()
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        // Wine makes it what Ctrl-C is.
        process::signal(self.pid(), if WINDOWS_GATEWAY { Signal::SIGINT } else { Signal::SIGTERM });
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.wait();
    }

    /// Waits for the end of a gateway that was asked to stop.
    pub fn wait(&mut self) -> ExitStatus {
        let status = within(STOP, "the gateway ends", || self.child.try_wait().expect("it is our child"));
        self.ended = true;
        status
    }

    /// Stops it gracefully: it must exit with 0 and leave nothing behind.
    fn stop(&mut self) {
        if !self.ended {
            self.terminate();
            let status = self.wait();
            assert!(
                status.success(),
                "the gateway ended with {status} (signal {:?}):\n{}",
                status.signal(),
                self.log()
            );
        }
        within(5.0, "the gateway leaves no agent behind", || {
            let left = self.agent_processes();
            if !left.is_empty() {
                std::thread::sleep(Duration::from_millis(200));
            }
            left.is_empty().then_some(())
        });
    }
}

impl Drop for Bridge {
    #[expect(clippy::print_stderr, reason = "a failed test shows what the gateway logged")]
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
            return;
        }
        eprintln!("--- the gateway's log ---\n{}--- end of the log ---", self.log());
        let agents = self.agent_processes();
        let _ = self.child.kill();
        let _ = self.child.wait();
        agents.iter().filter(|agent| process::is_alive(agent.pid)).for_each(|agent| process::kill_9(agent.pid));
    }
}

/// The gateway's program, without configuration from this process's environment.
pub fn gateway_command() -> Command {
    without_configuration(dist::gateway())
}

/// The same with a disk of that size for a folder, which nobody else sees.
fn on_a_disk(size: &str, folder: &Path) -> Command {
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let mount = "mount -t tmpfs -o size=\"$1\",mode=0700 none \"$2\" && shift 2 && exec \"$@\"";
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        // Root of a name space of its own is enough.
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-c", mount, "sh", size]).arg(folder).arg(dist::program());
    without_configuration(command)
}

fn without_configuration(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BRIDGE32_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1").env_remove("RUST_LOG");
    command
}

/// Starts a gateway that must refuse to run, and gives what it says.
pub fn refused(config: &Config) -> String {
    let file = config.write();
    let file = file.to_str().expect("paths of tests are UTF-8");
    let (code, _, text) = run(&["serve", "--config", file]);
    assert_eq!(code, Some(1), "{text}");
    text
}

/// Runs a command of `bridge32` to its end: exit code, standard output, standard error.
pub fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    finish(gateway_command().args(arguments))
}

/// Runs any command to its end: exit code, standard output, standard error.
pub fn finish(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.stdin(Stdio::null()).output().expect("it can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("its output is UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Runs a line of a shell in a folder to its end, without configuration from this process's environment.
pub fn shell(line: &str, folder: &Path) -> (Option<i32>, String, String) {
    let mut command = without_configuration(Command::new("sh"));
    // What listens on a loopback address is no business of a proxy.
    for name in ["http_proxy", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    finish(command.arg("-c").arg(line).current_dir(folder))
}
