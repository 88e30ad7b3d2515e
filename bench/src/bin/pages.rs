//! `cargo xtask bench pages [--calls N]`: how long pages take and how large they are, with a library of 5,000 functions that are
//! declared and 5,000 exports that are not, and a history of a million calls. It needs `dist/`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "telling a person what things cost is this program's job"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use bridge32_bench::{TIME, call};
use bridge32_gateway::config::HistoryConfig;
use bridge32_gateway::history::{Record, fill};
use bridge32_protocol::target::Target;
use bridge32_tests::fixture::Fixture;
use bridge32_tests::{Bridge, Config};
use jiff::Timestamp;

/// Functions that the header declares, and as many that it does not.
const FUNCTIONS: u32 = 5_000;
const CALLS: u32 = 1_000_000;
/// Each page is asked for so many times.
const TIMES: usize = 11;
/// What a page may cost.
const MOST_MS: f64 = 100.0;
const MOST_BYTES: usize = 200_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let calls = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => CALLS,
        ["--calls", number] => number.parse()?,
        _ => return Err("usage: cargo xtask bench pages [--calls N]".into()),
    };
    let mut config = Config::new();
    let (source, header) = wide();
    let library = Fixture::generated("wide", &source).flag("-fvisibility=default").build(Target::Linux32);
    config.library("wide", library).declares(&header);
    let start = Timestamp::now() - TIME;
    write_history(&config.folder().join("data"), calls, start)?;
    let bridge = Bridge::with(config);
    let answer = bridge.call("wide", "function_0001", serde_json::json!({"a": 1, "text": "x"}));
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = call(calls / 2, calls, start).id;
    let agents = bridge.client().get("/v1/agents").ok();
    let agent = agents["agents"][0]["id"].as_str().ok_or("there is no agent")?;
    println!("{calls} calls, {FUNCTIONS} functions and as many other exports; each page {TIMES} times\n");
    println!("| page | status | kB | first byte, median ms | max ms | |\n| --- | --- | --- | --- | --- | --- |");
    let mut too_much = 0;
    for page in pages(&id.to_string(), agent) {
        too_much += usize::from(!measure(bridge.client().authority(), &page)?);
    }
    if too_much > 0 {
        return Err(format!("{too_much} pages take more than {MOST_MS} ms or {MOST_BYTES} bytes").into());
    }
    Ok(())
}

fn pages(call: &str, agent: &str) -> Vec<String> {
    let fixed = [
        "/",
        "/libraries",
        "/libraries/wide",
        "/libraries/wide?q=function_47",
        "/libraries/wide/exports",
        "/libraries/wide/exports?q=4711",
        "/libraries/wide/interface",
        "/libraries/wide/dependencies",
        "/libraries/wide/settings",
        "/libraries/wide/functions/function_0001",
        "/libraries/wide/try?export=hidden_0001",
        "/calls",
        "/calls?library=wide&function=function_0001",
        "/calls?outcome=failed",
        "/calls?text=item+4711",
        "/calls?min_duration=50ms",
        "/agents",
        "/search?q=function_4",
        "/keys",
        "/docs",
    ];
    let of = [format!("/calls/{call}"), format!("/agents/{agent}")];
    fixed.into_iter().map(str::to_owned).chain(of).collect()
}

/// A library with many functions, and the header that declares half of them.
fn wide() -> (String, String) {
    let (mut source, mut header) = (String::new(), String::new());
    for number in 0..FUNCTIONS {
        // Writing to a string cannot fail.
        let _ = writeln!(source, "int function_{number:04}(int a, const char *text) {{ return text[0] + a; }}");
        let _ = writeln!(source, "int hidden_{number:04}(int a) {{ return a; }}");
        let _ = writeln!(
            header,
            "/** Adds a number to what a text begins with, as {number} others do.\n *  @param a the number\n *  @param text the text */\n\
             int function_{number:04}(int a, const char *text);"
        );
    }
    (source, header)
}

/// Writes calls of that library's functions, as if a gateway had made them.
fn write_history(data_dir: &Path, calls: u32, start: Timestamp) -> Result<()> {
    std::fs::create_dir_all(data_dir)?;
    let config = HistoryConfig::default();
    let of_wide = |number: u32| {
        let record = call(number, calls, start);
        let function = format!("function_{:04}", number % 97);
        Record { library: "wide".into(), function: Some(function.into()), ..record }
    };
    let began = Instant::now();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(fill(data_dir, &config, (0..calls).map(of_wide), |_| {}))?;
    eprintln!("{calls} calls are written after {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Asks for a page, and tells what it cost. Whether that is not too much.
fn measure(gateway: &str, page: &str) -> Result<bool> {
    let mut times = Vec::new();
    let (mut status, mut size) = (String::new(), 0);
    for _ in 0..TIMES {
        let mut connection = TcpStream::connect(gateway)?;
        connection.set_read_timeout(Some(Duration::from_secs(30)))?;
        let began = Instant::now();
        write!(connection, "GET {page} HTTP/1.1\r\nhost: {gateway}\r\naccept: text/html\r\nconnection: close\r\n\r\n")?;
        let mut answer = vec![0; 1];
        connection.read_exact(&mut answer)?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        connection.read_to_end(&mut answer)?;
        let body = answer.windows(4).position(|end| end == b"\r\n\r\n").ok_or("the answer has no body")? + 4;
        String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().clone_into(&mut status);
        size = answer.len() - body;
    }
    times.sort_by(f64::total_cmp);
    let (median, most) = (times[TIMES / 2], times[TIMES - 1]);
    let is_good = status == "200" && median <= MOST_MS && size <= MOST_BYTES;
    let remark = if is_good { "" } else { "too much" };
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let kilobytes = size as f64 / 1000.0;
    println!("| `{page}` | {status} | {kilobytes:.1} | {median:.1} | {most:.1} | {remark} |");
    Ok(is_good)
}
