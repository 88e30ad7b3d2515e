//! `cargo xtask bench history [--calls N] [--postgres URL]`: what questions of a long history cost. It writes calls as the gateway
//! does (10 million unless `--calls` says something else), into a SQLite file of a temporary folder, or into an empty PostgreSQL
//! database, and asks each question some times over.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "telling a person what things cost is this program's job"
)]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bridge32_bench::{TIME, call};
use bridge32_gateway::config::HistoryConfig;
use bridge32_gateway::history::{Detail, Filter, History, Span, Wanted, fill};
use jiff::{SignedDuration, Timestamp};

/// So many calls there are.
const CALLS: u32 = 10_000_000;

/// Each question is asked so many times.
const TIMES: usize = 21;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let (mut calls, mut url) = (CALLS, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--calls", Some(number)) => calls = number.parse()?,
            ("--postgres", Some(address)) => url = Some(address),
            _ => return Err("usage: cargo xtask bench history [--calls N] [--postgres URL]".into()),
        }
    }
    let folder = tempfile::tempdir()?;
    // Nothing is forgotten meanwhile.
    let keep_calls = Duration::from_hours(10 * 365 * 24);
    let config = HistoryConfig { url, keep_calls, max_calls_size: u64::MAX, ..HistoryConfig::default() };
    let start = Timestamp::now() - TIME;
    let began = Instant::now();
    let told = |written: usize| {
        if written.is_multiple_of(100 << 12) {
            eprintln!("{written} calls are written after {:.0} s", began.elapsed().as_secs_f64());
        }
    };
    fill(folder.path(), &config, (0..calls).map(|number| call(number, calls, start)), told).await?;
    let rate = f64::from(calls) / began.elapsed().as_secs_f64();
    let store = if config.url.is_some() { "PostgreSQL" } else { "SQLite" };
    println!("{store}: {calls} calls, written at {rate:.0} a second");
    let history = Arc::new(History::new(folder.path(), config));
    let writing = Arc::clone(&history);
    tokio::spawn(async move { writing.write().await });
    history.opened().await;
    println!("\n| question | calls found | min ms | median ms | max ms |\n| --- | --- | --- | --- | --- |");
    for (name, filter, before) in questions(calls, start) {
        let ask = async || {
            let page = history.page(&filter, before, 100, Detail::Listed).await?;
            let more = if page.searched_until.is_some() { ", and goes on" } else { "" };
            Ok(format!("{}{more}", page.records.len()))
        };
        measure(name, ask).await?;
    }
    let middle = call(calls / 2, calls, start).id;
    measure("one call by its id", async || Ok(history.find(middle).await?.iter().len().to_string())).await?;
    let end = start + TIME;
    for (name, since, library) in [
        ("figures of all functions, an hour", end - SignedDuration::from_hours(1), None),
        ("figures of all functions, 48 hours", start, None),
        ("figures of one library, 48 hours", start, Some("lib2".to_owned())),
    ] {
        let time = since.as_microsecond()..end.as_microsecond();
        let span = Span { time, step: 3_600_000_000, library, function: None };
        measure(name, async || {
            let statistics = history.statistics(&span).await?;
            Ok(statistics.functions.values().map(|tally| tally.calls).sum::<u64>().to_string())
        })
        .await?;
    }
    history.close(Duration::from_mins(1)).await;
    Ok(())
}

async fn measure(name: &str, ask: impl AsyncFn() -> Result<String>) -> Result<()> {
    let (mut times, mut found) = (Vec::new(), String::new());
    for _ in 0..TIMES {
        let began = Instant::now();
        found = ask().await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    println!("| {name} | {found} | {:.1} | {:.1} | {:.1} |", times[0], times[TIMES / 2], times[TIMES - 1]);
    Ok(())
}

/// What people ask, and from which number on.
fn questions(calls: u32, start: Timestamp) -> Vec<(&'static str, Filter, Option<i64>)> {
    let text = |text: &str| Some(text.to_owned());
    let all = Filter::default;
    let of = |library: &str, function: &str| Filter { library: text(library), function: text(function), ..all() };
    let at = |hours| Some(start + SignedDuration::from_hours(hours));
    let middle = Some(i64::from(calls / 2));
    vec![
        ("the newest", all(), None),
        ("from the middle on", all(), middle),
        ("library", Filter { library: text("lib3"), ..all() }, None),
        ("library, function", of("lib0", "f0"), None),
        ("library, function, from the middle on", of("lib0", "f0"), middle),
        ("a function that is seldom called", of("lib3", "f10"), None),
        ("failed", Filter { outcome: Some(Wanted::Failed), ..all() }, None),
        ("library, function, failed", Filter { outcome: Some(Wanted::Failed), ..of("lib2", "f3") }, None),
        ("a code that is rare", Filter { outcome: Some(Wanted::Code("agent_crashed".to_owned())), ..all() }, None),
        ("key", Filter { key: text("key7"), ..all() }, None),
        ("owner, library", Filter { owner: text("team3"), library: text("lib3"), ..all() }, None),
        ("an agent of long ago", Filter { agent: text("agent0"), ..all() }, None),
        ("an hour of yesterday", Filter { since: at(20), until: at(21), ..all() }, None),
        ("longer than 50 ms", Filter { min_duration: Some(Duration::from_millis(50)), ..all() }, None),
        ("longer than a second (none is)", Filter { min_duration: Some(Duration::from_secs(1)), ..all() }, None),
        ("text in arguments", Filter { text: text("item 4711"), ..all() }, None),
        ("text that is nowhere", Filter { text: text("nowhere"), ..all() }, None),
        ("function, text that is nowhere", Filter { text: text("nowhere"), ..of("lib2", "f3") }, None),
        (
            "key, failed, text",
            Filter { key: text("key7"), outcome: Some(Wanted::Failed), text: text("item 47"), ..all() },
            None,
        ),
    ]
}
