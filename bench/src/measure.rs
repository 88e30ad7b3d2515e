//! Timing, and how results are shown.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long one round of a measurement takes at least.
const ROUND: Duration = Duration::from_millis(20);
/// Of so many rounds the fastest counts: others were disturbed by what else the machine does.
const ROUNDS: u32 = 15;

/// Something, and what it is compared with.
pub(crate) struct Row {
    /// What was done.
    pub(crate) name: String,
    /// Microseconds for one.
    pub(crate) cost: f64,
    /// Microseconds for the baseline.
    pub(crate) baseline: f64,
    /// Microseconds of the parts that were measured by themselves.
    pub(crate) parts: Vec<(&'static str, f64)>,
}

/// The microseconds that each of these takes. They take turns, so that a machine which gets slower does so for all.
pub(crate) fn microseconds<const N: usize>(works: [&mut dyn FnMut(); N]) -> [f64; N] {
    let round = |work: &mut dyn FnMut(), calls: u32| {
        let start = Instant::now();
        (0..calls).for_each(|_| work());
        start.elapsed()
    };
    let mut works = works.map(|work| {
        let mut calls = 1;
        while round(work, calls) < ROUND {
            calls *= 2;
        }
        (work, calls, Duration::MAX)
    });
    for _ in 0..ROUNDS {
        for (work, calls, fastest) in &mut works {
            *fastest = round(work, *calls).min(*fastest);
        }
    }
    works.map(|(_, calls, fastest)| fastest.as_secs_f64() * 1e6 / f64::from(calls))
}

/// For a person.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = format!("  {:<14}{:>10}{:>12}{:>8}", "", "µs", "baseline µs", "ratio");
    let row = |Row { name, cost, baseline, parts }: &Row| {
        let parts: Vec<String> = parts.iter().map(|(part, cost)| format!("{part} {cost:.2}")).collect();
        format!("  {name:<14}{cost:>10.2}{baseline:>12.2}{:>8.2}    {}", cost / baseline, parts.join(", "))
    };
    let lines: Vec<String> = [head].into_iter().chain(rows.iter().map(row)).collect();
    lines.join("\n") + "\n"
}

/// For a program.
pub(crate) fn json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let parts: serde_json::Map<String, Value> =
            row.parts.iter().map(|(part, cost)| ((*part).to_owned(), json!(cost))).collect();
        let ratio = row.cost / row.baseline;
        json!({"name": row.name, "us": row.cost, "baseline_us": row.baseline, "ratio": ratio, "parts_us": parts})
    };
    rows.iter().map(row).collect()
}
