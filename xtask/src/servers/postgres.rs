//! The PostgreSQL server of one run of the tests: its data are made anew below the target directory, and it listens on 127.0.0.1
//! at a port that was free. It ends with this program, however that ends (run.sh).

use std::fs::{self, File};
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::Servers;
use crate::progress;
use crate::workspace::Workspace;

/// The variable that tells tests its address: a URL with user and password of who may do everything.
pub(crate) const VARIABLE: &str = "BRIDGE32_TEST_POSTGRES";

/// How long it may take until it answers; usually it is less than a second.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// How long it may take to write all and end.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// A server that runs.
pub(crate) struct Postgres {
    server: Child,
    folder: PathBuf,
    url: String,
    /// No other run of this checkout has its data there meanwhile.
    _lock: File,
}

impl Postgres {
    /// Starts one, and waits until it answers.
    pub(crate) fn start(workspace: &Workspace, servers: &Servers) -> Result<Self> {
        let folder = workspace.target.join("xtask-postgres");
        let lock = File::create(folder.with_extension("lock"))?;
        if lock.try_lock().is_err() {
            println!("another run of the tests has its PostgreSQL in {}: waiting for it", folder.display());
            lock.lock()?;
        }
        // Of a run that was killed.
        remove(&folder)?;
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let (data, password) = (folder.join("data"), password()?);
        let password_file = folder.join("password");
        fs::write(&password_file, &password)?;
        let mut initdb = servers.program("initdb");
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password_file);
        progress::run_logged("making a PostgreSQL for the tests", 1, &workspace.log("initdb"), &mut initdb)?;
        let port = free_port()?;
        let url = format!("postgres://bridge32:{password}@127.0.0.1:{port}/postgres");
        let log = workspace.log("postgres");
        let output = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        let mut server = servers.program("postgres");
        server.arg("-D").arg(data).args(["-p", &port.to_string()]);
        server.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let server = server.spawn().context("PostgreSQL cannot be started")?;
        let mut postgres = Self { server, folder, url, _lock: lock };
        postgres.wait_until_it_answers(servers, &log)?;
        println!("PostgreSQL answers at 127.0.0.1:{port}; what it says is in {}", workspace.short(&log).display());
        Ok(postgres)
    }

    /// Its address, for [`VARIABLE`].
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn wait_until_it_answers(&mut self, servers: &Servers, log: &Path) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.server.try_wait()? {
                bail!("PostgreSQL ended ({status}); what it said is in {}", log.display());
            }
            let mut ask = servers.program("psql");
            if progress::output(ask.args(["--no-psqlrc", "--command=select 1", &self.url])).is_ok() {
                return Ok(());
            }
            if start.elapsed() > READY_LIMIT {
                let limit = READY_LIMIT.as_secs();
                bail!("PostgreSQL does not answer after {limit} s; what it said is in {}", log.display());
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        ask_to_end(&self.server);
        let ended = progress::wait_at_most(&mut self.server, STOP_LIMIT);
        if !matches!(ended, Ok(Some(_))) {
            println!("PostgreSQL did not end when it was asked to, and was killed");
        }
        if let Err(error) = remove(&self.folder) {
            println!("{error:#}");
        }
    }
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    Ok(())
}

/// 128 random bits in hexadecimal digits.
fn password() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).context("no random numbers")?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

fn free_port() -> Result<u16> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    Ok(address.context("127.0.0.1 has no free port")?.port())
}

/// It lets no client finish.
#[cfg(unix)]
fn ask_to_end(server: &Child) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    if let Ok(pid) = i32::try_from(server.id()) {
        // It fails only if the server has ended, which the caller sees.
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
    }
}

/// There are no such servers elsewhere.
#[cfg(not(unix))]
fn ask_to_end(_: &Child) {}
