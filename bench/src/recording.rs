//! What the history costs: calls as clients make them, to gateways that record them and one that does not. The metrics cannot be
//! turned off: what they take of a call is measured by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bridge32_gateway::meters::{Called, Meters, Slot, Times};
use bridge32_tests::pipe::Pipe;
use bridge32_tests::{Bridge, Target, fixture};

use crate::measure::{Row, microseconds};

/// Clients that call at the same time, each over a connection of its own.
const CALLERS: usize = 16;
/// How long a round takes.
const ROUND: Duration = Duration::from_secs(1);
/// Of so many rounds the fastest counts.
const ROUNDS: usize = 20;
/// Calls of one batch.
const BATCH: u32 = 20;

const CALL: &str = "{\"value\":1}";

/// The microseconds that a call takes from the machine, all clients together, with `durability = "batched"`; the baseline is
/// `"off"`.
pub(crate) fn measure() -> Vec<Row> {
    let gateways = ["off", "batched", "before_answer"].map(|durability| {
        Bridge::start(|config| {
            config.library("counted", fixture::library("counted", Target::Linux32)).header(fixture::header("counted"));
            config.set("history", toml::Table::from_iter([("durability".to_owned(), durability.into())]));
        })
    });
    let call = format!("{{\"function\":\"TakeInt\",\"args\":{CALL}}}");
    let batch = format!("{{\"calls\":[{}]}}", vec![call; BATCH as usize].join(","));
    let rows = [("single calls", "functions/TakeInt", CALL, 1), ("batches of 20", "batches", batch.as_str(), BATCH)];
    let rows = rows.into_iter().map(|(name, target, body, calls)| row(&gateways, name, target, body, calls)).collect();
    // What is not written costs less.
    for gateway in &gateways {
        let metrics = gateway.client().get("/metrics").text;
        let mut missed = metrics.lines().filter_map(|line| line.strip_prefix("bridge32_history_missed_calls_total "));
        if let Some(missed) = missed.next().filter(|missed| *missed != "0") {
            eprintln!("{missed} calls are not in the history: the store was too slow for them");
        }
    }
    rows
}

fn row(gateways: &[Bridge; 3], name: &str, target: &str, body: &str, calls: u32) -> Row {
    let target = format!("/v1/libraries/counted/{target}");
    let mut fastest = [f64::INFINITY; 3];
    // They take turns, so that a machine which gets slower does so for all.
    for _ in 0..ROUNDS {
        for (gateway, fastest) in gateways.iter().zip(&mut fastest) {
            *fastest = fastest.min(of_one_call(gateway.client().authority(), &target, body, calls));
        }
    }
    let [baseline, cost, before_answer] = fastest;
    Row {
        name: name.to_owned(),
        cost,
        baseline,
        parts: vec![("before_answer", before_answer), ("metrics", metered(calls))],
    }
}

/// What counting takes of a call, if so many of them are sent as one request.
fn metered(calls: u32) -> f64 {
    let (meters, slot, library) = (Meters::new(2), Slot::new(), Arc::from("counted"));
    let time = Duration::from_micros(100);
    let mut request = || {
        meters.sent(&library, Some((&slot, 1)), calls as usize);
        for _ in 0..calls {
            let called = Called::Declared { slot: &slot, functions: 1, number: 0, name: "TakeInt" };
            meters.ended(&library, called, 0, Times { whole: time, parts: [Some(time); 3] }, false);
        }
    };
    let [cost] = microseconds([&mut request]);
    cost / f64::from(calls)
}

/// What one call takes, if so many clients do nothing but call.
fn of_one_call(authority: &str, target: &str, body: &str, calls: u32) -> f64 {
    let start = Instant::now();
    let made: u32 = std::thread::scope(|scope| {
        let caller = || {
            let mut pipe = Pipe::open(authority).expect("the gateway accepts connections");
            let mut made = 0_u32;
            while start.elapsed() < ROUND {
                let (status, answer) = pipe.post(target, body).expect("the gateway answers");
                assert_eq!(status, 200, "{answer}");
                made += calls;
            }
            made
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(caller)).collect();
        callers.into_iter().map(|caller| caller.join().expect("a caller does not panic")).sum()
    });
    start.elapsed().as_secs_f64() * 1e6 / f64::from(made)
}
