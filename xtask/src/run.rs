//! `cargo xtask run`: the demo, from a fresh clone to three calls that can be copied, and Ctrl-C ends it all.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{build, demo, setup};

/// How long the gateway may take until all libraries are loaded; Wine's first start on a busy machine is slow.
const READY_LIMIT: Duration = Duration::from_secs(90);
/// How long the gateway may take to end its calls and agents when it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// The task.
pub(crate) fn task(workspace: &Workspace) -> Result<()> {
    let ready = setup::ensure(workspace)?;
    build::dist(workspace, &ready)?;
    address_is_free()?;
    // In place before the gateway is: an interrupt in between must not leave it behind.
    let (sender, interrupts) = mpsc::channel();
    ctrlc::set_handler(move || _ = sender.send(())).context("interrupts cannot be received")?;
    let dist = &workspace.dist;
    let mut gateway = Command::new(dist.join(build::GATEWAY.1))
        .args(["serve", "--config"])
        .arg(dist.join("bridge32.toml"))
        .spawn()
        .context("the gateway cannot be started")?;
    let start = Instant::now();
    let mut announced = false;
    loop {
        if let Some(status) = gateway.try_wait()? {
            bail!("the gateway ended: {status}");
        }
        if interrupts.recv_timeout(PAUSE).is_ok() {
            return stop(&mut gateway);
        }
        if !announced && is_ready() {
            announced = true;
            println!("\nbridge32 is ready after {:.1} s. In another terminal:\n", start.elapsed().as_secs_f32());
            println!("{}\nDashboard: http://{}/    Ctrl-C ends it.", demo::curl_lines(), demo::ADDRESS);
        }
        if !announced && start.elapsed() > READY_LIMIT {
            stop(&mut gateway)?;
            bail!("the gateway was not ready after {} s", READY_LIMIT.as_secs());
        }
    }
}

fn address_is_free() -> Result<()> {
    match TcpListener::bind(demo::ADDRESS) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("{} is in use: another `cargo xtask run`? `ss -ltnp` shows by whom", demo::ADDRESS)
        }
        other => other.map(drop).with_context(|| format!("{} cannot be used", demo::ADDRESS)),
    }
}

/// Whether `GET /readyz` is answered with 200.
fn is_ready() -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(demo::ADDRESS)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", demo::ADDRESS)?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(&head == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

/// Asks the gateway to end, and ends it if it does not. At a terminal Ctrl-C has reached it already; asked twice, it
/// still stops once.
fn stop(gateway: &mut Child) -> Result<()> {
    println!("stopping");
    ask_to_end(gateway);
    let start = Instant::now();
    while gateway.try_wait()?.is_none() {
        if start.elapsed() > STOP_LIMIT {
            gateway.kill()?;
            gateway.wait()?;
            bail!("the gateway did not end within {} s and was killed", STOP_LIMIT.as_secs());
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

#[cfg(unix)]
fn ask_to_end(gateway: &Child) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    if let Ok(pid) = i32::try_from(gateway.id()) {
        // It fails only if the gateway has ended, which the caller sees.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
}

/// On Windows Ctrl-C reaches every program of the console.
#[cfg(not(unix))]
fn ask_to_end(_: &Child) {}
