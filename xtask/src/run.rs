//! `cargo xtask run`: the demo, from a fresh clone to three calls that can be copied, and Ctrl-C ends it all.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::workspace::{VARIABLES, Workspace};
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
    let mut gateway = Command::new(dist.join(build::GATEWAY.1));
    gateway.args(["serve", "--config"]).arg(dist.join(demo::CONFIG)).stdin(Stdio::null());
    // They are ours, and no keys of its configuration.
    for (name, _) in VARIABLES {
        gateway.env_remove(name);
    }
    own_group(&mut gateway);
    let mut gateway = gateway.spawn().context("the gateway cannot be started")?;
    let start = Instant::now();
    let mut announced = false;
    loop {
        if let Some(status) = gateway.try_wait()? {
            bail!("the gateway ended: {status}");
        }
        if interrupts.recv_timeout(PAUSE).is_ok() {
            return stop(&mut gateway, &interrupts);
        }
        if !announced && is_ready() {
            announced = true;
            println!(
                "\nbridge32 is ready after {:.1} s. In another terminal, in this folder:\n",
                start.elapsed().as_secs_f32()
            );
            println!("{}\n{}", demo::curl_lines(workspace.short(dist)), demo::hints(workspace.short(dist)));
        }
        if !announced && start.elapsed() > READY_LIMIT {
            stop(&mut gateway, &interrupts)?;
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

/// Asks the gateway to end; kills it if it does not, or if the user does not want to wait.
fn stop(gateway: &mut Child, interrupts: &Receiver<()>) -> Result<()> {
    println!("\nending the calls and the agents (Ctrl-C again: at once)");
    ask_to_end(gateway);
    let start = Instant::now();
    while gateway.try_wait()?.is_none() {
        let impatient = interrupts.recv_timeout(PAUSE).is_ok();
        if impatient || start.elapsed() > STOP_LIMIT {
            // Its agents notice that it is gone, and end by themselves.
            gateway.kill()?;
            gateway.wait()?;
            bail!("the gateway was killed after {:.1} s", start.elapsed().as_secs_f32());
        }
    }
    Ok(())
}

/// Ctrl-C at a terminal reaches the whole foreground group; the gateway shall be asked once, by [`ask_to_end`].
#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

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
