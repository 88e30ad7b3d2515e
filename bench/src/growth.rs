//! How what a call costs grows with what there is: libraries, instances, functions, and bytes.

use std::error::Error;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bridge32_signature::Key;
use bridge32_tests::fixture::Fixture;
use bridge32_tests::{Bridge, Config, Target, json};
use serde::Serialize;

use crate::calls::{HEADER, SOURCE};
use crate::load::{self, Post, Requests};
use crate::usage;

const LIBRARIES: [usize; 4] = [1, 4, 16, 64];
const INSTANCES: [usize; 5] = [1, 2, 4, 8, 16];
const FUNCTIONS: [usize; 4] = [10, 100, 1_000, 10_000];
/// Bytes of a buffer.
const SIZES: [usize; 6] = [1 << 10, 16 << 10, 256 << 10, 1 << 20, 4 << 20, 32 << 20];
/// Clients that call at the same time, where nothing else is said.
const CONNECTIONS: usize = 64;
const ROUND: Duration = Duration::from_secs(1);
/// Of so many rounds the middle one counts.
const ROUNDS: usize = 3;
/// No gateway answers more requests a second.
const FASTEST: f64 = 100_000.0;

/// What was found with so much of something.
#[derive(Debug, Serialize)]
pub(crate) struct Point {
    what: &'static str,
    count: usize,
    calls_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    /// Megabytes that are in use of the gateway and of all agents.
    gateway_mb: f64,
    agents_mb: f64,
    /// Milliseconds from the start of the gateway until all is ready.
    ready_ms: f64,
}

/// Measures, and calls the first point of each series 1.
pub(crate) fn measure() -> Result<Vec<Point>, Box<dyn Error>> {
    let mut points = Vec::new();
    let mut note = |point: Point| {
        eprintln!("{} {}", point.count, point.what);
        points.push(point);
    };
    let add = |library: &str, function: &str| Post {
        target: format!("/v1/libraries/{library}/functions/{function}"),
        body: json!({"a": 20, "b": 3}).to_string(),
    };
    let file = || Fixture::generated("measured", SOURCE).build(Target::Linux32);
    for count in LIBRARIES {
        let names: Vec<String> = (0..count).map(|number| format!("library{number}")).collect();
        let posts: Vec<Post> = names.iter().map(|name| add(name, "Add")).collect();
        note(point("libraries", count, CONNECTIONS, &posts, |config| {
            for name in &names {
                config.library(name, file()).declares(HEADER);
            }
        })?);
    }
    for count in INSTANCES {
        note(point("instances", count, CONNECTIONS, &[add("measured", "Add")], |config| {
            let instances = i64::try_from(count).unwrap_or(i64::MAX);
            config.library("measured", file()).declares(HEADER).set("instances", instances);
        })?);
    }
    for count in FUNCTIONS {
        let (source, header) = wide(count);
        let file =
            Fixture::generated(&format!("wide{count}"), &source).flag("-fvisibility=default").build(Target::Linux32);
        let posts: Vec<Post> = (0..count).map(|number| add("wide", &format!("function{number}"))).collect();
        note(point("functions", count, CONNECTIONS, &posts, |config| {
            config.library("wide", file).declares(&header);
        })?);
    }
    for count in SIZES {
        let body = json!({"data": bridge32_tests::base64(vec![0xa5; count])}).to_string();
        let post = Post { target: "/v1/libraries/measured/functions/Sum".to_owned(), body };
        note(point("bytes of a buffer, as JSON", count, 1, &[post], |config| {
            config.library("measured", file()).declares(HEADER);
        })?);
    }
    Ok(points)
}

fn point(
    what: &'static str,
    count: usize,
    connections: usize,
    posts: &[Post],
    configure: impl FnOnce(&mut Config),
) -> Result<Point, Box<dyn Error>> {
    let mut config = Config::new();
    let key: Key = config.key("bench", &["call:*", "read"]);
    configure(&mut config);
    let began = Instant::now();
    let bridge = Bridge::with(config);
    let ready_ms = began.elapsed().as_secs_f64() * 1e3;
    let authority = bridge.client().authority();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let requests = Requests::new(Some(&key), authority, posts, (FASTEST * ROUND.as_secs_f64()) as usize);
        rounds.push(load::run(authority.parse()?, connections, &requests, ROUND)?);
    }
    let middle = |figure: fn(&load::Round) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[ROUNDS / 2]
    };
    Ok(Point {
        what,
        count,
        calls_per_second: middle(load::Round::rate),
        p50_us: middle(|round| round.percentile(50.0)),
        p99_us: middle(|round| round.percentile(99.0)),
        gateway_mb: usage::resident_mb(bridge.pid()),
        agents_mb: bridge.agent_processes().iter().map(|agent| usage::resident_mb(agent.pid)).sum(),
        ready_ms,
    })
}

/// A library of so many functions, and its header.
fn wide(count: usize) -> (String, String) {
    let (mut source, mut header) = (String::new(), String::new());
    for number in 0..count {
        // Writing to a string cannot fail.
        let _ = writeln!(source, "int function{number}(int a, int b) {{ return a + b; }}");
        let _ = writeln!(header, "int function{number}(int a, int b);");
    }
    (source, header)
}

/// For a person.
pub(crate) fn table(points: &[Point]) -> String {
    let mut text = format!(
        "  {:>10} {:<26} {:>10} {:>9} {:>9} {:>11} {:>10} {:>9}\n",
        "", "", "calls/s", "p50 µs", "p99 µs", "gateway MB", "agents MB", "ready ms"
    );
    for point in points {
        let Point { what, count, calls_per_second, p50_us, p99_us, gateway_mb, agents_mb, ready_ms } = point;
        let _ = writeln!(
            text,
            "  {count:>10} {what:<26} {calls_per_second:>10.0} {p50_us:>9.0} {p99_us:>9.0} {gateway_mb:>11.1} {agents_mb:>10.1} {ready_ms:>9.0}"
        );
    }
    text
}
