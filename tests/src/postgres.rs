//! PostgreSQL: a database for a test, or a server for a test.
//!
//! ```no_run
//! use bridge32_tests::postgres::{self, Postgres};
//!
//! let database = postgres::fresh_database(); // of the server that all tests share; gone with the test
//! assert_eq!(database.query("select 2 + 3"), "5");
//!
//! let mut server = Postgres::start(); // for this test alone
//! server.stop();
//! server.restart(); // at the same address, with the same data
//! ```

use std::path::PathBuf;
use std::process::Command;

use bridge32_signature::Key;
use nix::sys::signal::Signal;
use tempfile::TempDir;
use uuid::Uuid;

use crate::servers::{Server, free_port, program};

/// The variable by which `cargo xtask test` tells the address of the server that all tests share.
pub const VARIABLE: &str = "BRIDGE32_TEST_POSTGRES";

/// Seconds until a server must answer.
const READY: f64 = 30.0;

/// A database for one test. It is dropped with it, whoever is connected.
#[derive(Debug)]
pub struct Database {
    url: String,
    /// Where it is dropped from; nowhere if it ends with its server.
    shared: Option<String>,
    _own: Option<Postgres>,
}

/// An empty database of the server that `cargo xtask test` has started, else of one for this test alone.
pub fn fresh_database() -> Database {
    let shared = std::env::var(VARIABLE).ok();
    let own = shared.is_none().then(Postgres::start);
    let server = own.as_ref().map_or_else(|| shared.clone().expect("one of them is there"), Postgres::url);
    let name = format!("test_{}", Uuid::now_v7().simple());
    query(&server, &format!("create database {name}"));
    let (address, _) = server.rsplit_once('/').expect("a URL with a database");
    Database { url: format!("{address}/{name}"), shared, _own: own }
}

impl Database {
    /// Its address, with user and password of who may do everything.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What [`query`] gives.
    pub fn query(&self, sql: &str) -> String {
        query(&self.url, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = self.url.rsplit('/').next().unwrap_or_default();
        let Some(server) = &self.shared else { return };
        // The server goes away soon; whoever fails now would hide why the test has failed.
        let _ = psql(server, &format!("drop database {name} with (force)")).output();
    }
}

/// Runs SQL by `psql`: what it answers, a row a line, with `|` between columns.
pub fn query(url: &str, sql: &str) -> String {
    let output = psql(url, sql).output().expect("psql can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}\n{errors}");
    String::from_utf8(output.stdout).expect("it answers in UTF-8").trim_end().to_owned()
}

fn psql(url: &str, sql: &str) -> Command {
    let mut psql = program("psql");
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
    psql.arg(format!("--dbname={url}")).arg(format!("--command={sql}"));
    psql
}

/// A server for one test, which may end it and start it again. It is killed with the test, and its data go away.
#[derive(Debug)]
pub struct Postgres {
    // Dropped before the folder.
    server: Option<Server>,
    folder: TempDir,
    port: u16,
    password: String,
}

impl Postgres {
    /// Makes an empty one, starts it, and waits until it answers.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let password = crate::base64(Key::random_secret().expect("the system has random numbers"));
        let password: String = password.chars().filter(char::is_ascii_alphanumeric).collect();
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, &password).expect("it can be written");
        let mut postgres = Self { server: None, folder, port: free_port(), password };
        let mut initdb = program("initdb");
        initdb.arg("-D").arg(postgres.data()).arg("--pwfile").arg(password_file);
        let output = initdb.output().expect("initdb can be started");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        postgres.restart();
        postgres
    }

    /// The address of its database `postgres`, with user and password of who may do everything. It stays the same.
    pub fn url(&self) -> String {
        let Self { port, password, .. } = self;
        format!("postgres://bridge32:{password}@127.0.0.1:{port}/postgres")
    }

    /// Ends it as `systemctl stop` does: clients are cut off, and what was committed is in the files.
    pub fn stop(&mut self) {
        self.end(Signal::SIGINT);
    }

    /// Ends it as if it had crashed: the next start recovers what was committed.
    pub fn kill(&mut self) {
        self.end(Signal::SIGQUIT);
    }

    /// Starts it again at the same port, with the same data, and waits until it answers.
    pub fn restart(&mut self) {
        self.stop();
        let mut postgres = program("postgres");
        postgres.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        let mut server = Server::start(postgres, &self.folder.path().join("log"));
        let url = self.url();
        server.ready(READY, "PostgreSQL answers", |_| {
            psql(&url, "select 1").output().is_ok_and(|output| output.status.success()).then_some(())
        });
        self.server = Some(server);
    }

    /// What it has printed since its last start.
    pub fn log(&self) -> String {
        self.server.as_ref().map(Server::log).unwrap_or_default()
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut server) = self.server.take() {
            server.end(signal);
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // By SIGKILL it would leave shared memory behind.
        if let Some(server) = &mut self.server {
            let _ = server.try_end(Signal::SIGQUIT);
        }
    }
}
