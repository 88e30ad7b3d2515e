//! What the history has when the gateway is killed, and when its store cannot be written.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Options;
use super::report::Findings;
use crate::pipe::Pipe;
use crate::postgres::{self, Postgres};
use crate::{Bridge, Config, Target, fixture};

/// The calls of one batch: with few connections, thousands of calls a second.
const BATCH: usize = 50;

/// So many calls are made a second, if the machine can.
const RATE: f64 = 5000.0;

/// How long the load runs before the gateway is killed.
const LOAD: Duration = Duration::from_secs(3);

/// Milliseconds before the gateway's end for which answered calls may be missing with `batched`; and where other programs run on
/// the same processors.
const MAY_MISS: f64 = 200.0;
const MAY_MISS_AT_MOST: f64 = 1500.0;

/// The bytes of the small disk, and how much of them is in the way.
const DISK: &str = "96m";
const IN_THE_WAY: usize = 95 << 20;

/// How long a store cannot be written.
const BROKEN: Duration = Duration::from_millis(2500);

/// Calls that are answered while there is no room for all of them: more than wait in memory.
const MANY: usize = 26_000;

/// How long what waited may take to be written, once it can be.
const SETTLED: Duration = Duration::from_secs(30);

/// When each call was answered, by its id.
type Answered = HashMap<String, Instant>;

/// `kill -9` of the gateway under load; `durability` as the configuration names it.
pub fn killed(options: &Options, durability: &'static str) -> Findings {
    let mut findings = Findings::default();
    let database = postgres::fresh_database();
    for (store, url) in [("SQLite", None), ("PostgreSQL", Some(database.url()))] {
        let mut bridge = counted(Config::new(), durability, url);
        let stop = AtomicBool::new(false);
        let begun = Instant::now();
        let authority = bridge.client().authority().to_owned();
        let (answered, killed) = std::thread::scope(|scope| {
            let load = scope.spawn(|| load(&authority, options.callers, &stop));
            std::thread::sleep(LOAD);
            let killed = Instant::now();
            bridge.kill();
            stop.store(true, Ordering::Relaxed);
            (load.join().expect("callers do not panic"), killed)
        });
        let rate = answered.len() as f64 / (killed - begun).as_secs_f64();
        bridge.restart();
        let (recorded, _) = recorded(&bridge);
        let missing: Vec<&Instant> =
            answered.iter().filter(|(id, _)| !recorded.contains_key(*id)).map(|(_, answered)| answered).collect();
        let before = missing.iter().map(|answered| killed.saturating_duration_since(**answered).as_secs_f64() * 1000.0);
        let longest = before.fold(0.0, f64::max);
        findings.figure(format!("{store}: calls answered a second before the kill"), rate.round(), "");
        findings.figure(format!("{store}: calls answered"), answered.len() as f64, "");
        if durability == "before_answer" {
            findings.bounded(format!("{store}: answered calls that are missing"), missing.len() as f64, "", 0.0);
        } else {
            findings.figure(format!("{store}: answered calls that are missing"), missing.len() as f64, "");
            let bound = (MAY_MISS * options.slack).min(MAY_MISS_AT_MOST);
            findings.bounded(
                format!("{store}: missing calls were answered before the kill, at most"),
                longest,
                "ms",
                bound,
            );
        }
    }
    findings
}

/// A full disk, a locked file, a database that is restarted: calls go on, and in the end each is there or counted as missing.
pub fn unwritable(_: &Options) -> Findings {
    let mut findings = Findings::default();
    full_disk(&mut findings);
    locked_file(&mut findings);
    restarted_database(&mut findings);
    findings
}

fn full_disk(findings: &mut Findings) {
    let mut config = Config::new();
    config.small_disk(DISK);
    let bridge = counted(config, "batched", None);
    let data = PathBuf::from(format!("/proc/{}/root", bridge.pid())).join(
        bridge.config().folder().join("data").strip_prefix("/").expect("a temporary folder has an absolute path"),
    );
    let mut pipe = Pipe::open(bridge.client().authority()).expect("the gateway accepts connections");
    let mut answered = calls(&mut pipe, 500);
    let way = data.join("in-the-way");
    // Whatever has room.
    let mut file = std::fs::File::create(&way).expect("it can be made");
    let block = vec![1; 1 << 16];
    for _ in 0..IN_THE_WAY / block.len() {
        if file.write_all(&block).is_err() {
            break;
        }
    }
    while file.write_all(&block[..4096]).is_ok() {}
    drop(file);
    while !bridge.log().contains("the history cannot be written") && answered < MANY {
        answered += calls(&mut pipe, BATCH);
    }
    answered += calls(&mut pipe, MANY);
    std::fs::remove_file(way).expect("it can be removed");
    judge(findings, "full disk", &bridge, answered, true);
}

fn locked_file(findings: &mut Findings) {
    let bridge = counted(Config::new(), "batched", None);
    let mut pipe = Pipe::open(bridge.client().authority()).expect("the gateway accepts connections");
    let mut answered = calls(&mut pipe, 500);
    let file = bridge.config().folder().join("data/calls.db");
    let lock = lock(&file);
    let until = Instant::now() + BROKEN;
    while Instant::now() < until {
        answered += calls(&mut pipe, BATCH);
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(lock);
    judge(findings, "locked file", &bridge, answered, false);
}

fn restarted_database(findings: &mut Findings) {
    let mut server = Postgres::start();
    let bridge = counted(Config::new(), "batched", Some(&server.url()));
    let mut pipe = Pipe::open(bridge.client().authority()).expect("the gateway accepts connections");
    let mut answered = calls(&mut pipe, 500);
    for end in [Postgres::stop, Postgres::kill] {
        end(&mut server);
        answered += calls(&mut pipe, 500);
        server.restart();
        answered += calls(&mut pipe, 500);
    }
    judge(findings, "PostgreSQL restarted", &bridge, answered, false);
}

/// Holds the rows against what was answered.
fn judge(findings: &mut Findings, what: &str, bridge: &Bridge, answered: usize, some_missed: bool) {
    let until = Instant::now() + SETTLED;
    let (recorded, missing) = loop {
        let (recorded, missing) = recorded(bridge);
        // If it never comes to that, the figures say how far it is.
        if recorded.len() + missing >= answered || Instant::now() > until {
            break (recorded.len(), missing);
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    findings.figure(format!("{what}: calls answered"), answered as f64, "");
    findings.figure(format!("{what}: of them in the history"), recorded as f64, "");
    findings.figure(format!("{what}: of them told as missing"), missing as f64, "");
    if recorded + missing != answered {
        findings.violation(format!("{what}: {answered} calls were answered, {recorded} are there, {missing} missing"));
    }
    if some_missed != (missing > 0) {
        findings.violation(format!("{what}: {missing} calls are missing"));
    }
}

/// A bridge with a library that costs next to nothing.
fn counted(mut config: Config, durability: &str, url: Option<&str>) -> Bridge {
    config.library("counted", fixture::library("counted", Target::Linux32)).header(fixture::header("counted"));
    let mut history = toml::Table::from_iter([("durability".to_owned(), durability.into())]);
    history.extend(url.map(|url| ("url".to_owned(), url.into())));
    config.set("history", history);
    Bridge::with(config)
}

/// Callers until they are stopped, or the gateway is gone; half of them make one call at a time.
fn load(authority: &str, callers: u32, stop: &AtomicBool) -> Answered {
    let (begun, made) = (Instant::now(), &AtomicUsize::new(0));
    let is_too_fast = move || made.load(Ordering::Relaxed) as f64 > begun.elapsed().as_secs_f64() * RATE;
    std::thread::scope(|scope| {
        let caller = |alone: bool| {
            move || {
                let mut answered = Vec::new();
                let Ok(mut pipe) = Pipe::open(authority) else { return answered };
                while !stop.load(Ordering::Relaxed) {
                    if is_too_fast() {
                        std::thread::sleep(Duration::from_millis(1));
                        continue;
                    }
                    made.fetch_add(if alone { 1 } else { BATCH }, Ordering::Relaxed);
                    let ids = if alone { single(&mut pipe) } else { batch(&mut pipe, BATCH) };
                    let Some(ids) = ids else { break };
                    let now = Instant::now();
                    answered.extend(ids.into_iter().map(|id| (id, now)));
                }
                answered
            }
        };
        let callers: Vec<_> = (0..callers).map(|number| scope.spawn(caller(number % 2 == 0))).collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller does not panic")).collect()
    })
}

/// Makes so many calls, or a few more, and gives how many were answered. All of them return.
fn calls(pipe: &mut Pipe, count: usize) -> usize {
    let mut made = 0;
    while made < count {
        made += batch(pipe, BATCH.max(count.min(250))).expect("the gateway answers").len();
    }
    made
}

fn single(pipe: &mut Pipe) -> Option<Vec<String>> {
    let (status, answer) = pipe.post("/v1/libraries/counted/functions/TakeInt", "{\"value\":1}")?;
    // A call that waited for its turn too long was not answered, as far as this is about.
    Some((status == 200).then(|| id(&answer)).into_iter().collect())
}

fn batch(pipe: &mut Pipe, count: usize) -> Option<Vec<String>> {
    let call = "{\"function\":\"TakeInt\",\"args\":{\"value\":1}}";
    let body = format!("{{\"calls\":[{}]}}", vec![call; count].join(","));
    let (status, answer) = pipe.post("/v1/libraries/counted/batches", &body)?;
    if status != 200 {
        return Some(Vec::new());
    }
    Some(answer["outcomes"].as_array()?.iter().map(id).collect())
}

fn id(answer: &Value) -> String {
    answer["call_id"].as_str().expect("every call has an id").to_owned()
}

/// Every call of the history, how many are told as missing, and whether all could be read.
fn recorded(bridge: &Bridge) -> (HashMap<String, ()>, usize) {
    let (mut recorded, mut missing, mut cursor) = (HashMap::new(), HashMap::new(), String::new());
    loop {
        let page = bridge.client().get(&format!("/v1/calls?limit=1000{cursor}")).ok();
        let calls = page["calls"].as_array().expect("a list");
        recorded.extend(calls.iter().filter(|call| call["state"] == "ended").map(|call| (id(call), ())));
        for gap in page["missing"].as_array().into_iter().flatten() {
            missing.insert(gap["since"].to_string(), gap["calls"].as_u64().unwrap_or_default());
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    (recorded, missing.values().sum::<u64>().try_into().expect("a few"))
}

/// Somebody who holds the lock of a SQLite file until this is dropped.
struct Lock(std::process::Child);

fn lock(file: &Path) -> Lock {
    const PROGRAM: &str = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                           c.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\nsys.stdin.read()";
    let mut python = Command::new("python3");
    python.arg("-c").arg(PROGRAM).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = python.spawn().expect("python3 can be started");
    let mut said = [0; 4];
    let output = child.stdout.as_mut().expect("it is piped");
    std::io::Read::read_exact(output, &mut said).expect("python3 holds the lock");
    Lock(child)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Its input ends, and with it the program and its transaction.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
