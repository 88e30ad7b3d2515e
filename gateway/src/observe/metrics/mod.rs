//! What is counted while the gateway runs. All else of `/metrics` is read when somebody asks for it.

pub mod families;
mod page;
mod process;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bridge32_protocol::PROTOCOL;
use bridge32_protocol::wire::Callee;
use http::StatusCode;
use jiff::Timestamp;

use crate::dispatch::{CallResult, Ended};
use crate::error::Code;
use crate::interfaces::Declared;
use crate::meters::{Called, Distribution, LibraryFigures, Meters, Outcome, Times};

use super::timeline::Totals;
use families::{
    BUILD, CALL_DURATION, CALL_PART, CALLS, CALLS_REPEATED, HTTP_PROBLEMS, HTTP_RESPONSES, PROCESS_START, REQUEST_CALLS,
};
pub use page::{Format, Page, Value, level};

/// A call that returned; what failed is counted behind it, by the code of its problem.
const RETURNED: Outcome = 0;
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const PARTS: [&str; 3] = ["queue", "agent", "library"];

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    meters: Meters,
    since: Timestamp,
    /// By the class of the status.
    responses: [AtomicU64; CLASSES.len()],
    /// By the number of the code.
    problems: Box<[AtomicU64]>,
    /// Processes that ended by themselves, by pool.
    crashes: Mutex<BTreeMap<String, u64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            meters: Meters::new(1 + Code::ALL.len()),
            since: Timestamp::now(),
            responses: Default::default(),
            problems: Code::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            crashes: Mutex::default(),
        }
    }
}

/// How a call ended, as a number.
fn outcome(result: &CallResult) -> Outcome {
    result.as_ref().map_or_else(|failure| 1 + Code::from(failure) as usize, |_| RETURNED)
}

/// How a call ended, in a word: `returned`, or the code of its problem.
pub(super) fn outcome_name(result: &CallResult) -> &'static str {
    name_of(outcome(result))
}

fn name_of(outcome: Outcome) -> &'static str {
    outcome.checked_sub(1).and_then(|code| Code::ALL.get(code)).map_or("returned", |code| code.name())
}

impl Metrics {
    /// A call has ended.
    pub(super) fn ended(&self, call: &Ended) {
        let called = match (&call.callee, &call.declared) {
            (Callee::Function(number), Some(declared)) => Called::Declared {
                slot: &declared.meters,
                functions: declared.interface().functions.len(),
                number: usize::try_from(*number).unwrap_or(usize::MAX),
                name: call.function().unwrap_or_default(),
            },
            _ => Called::Prototype,
        };
        let parts = call.parts();
        let was_sent = call.sent.is_some();
        let times = Times {
            whole: call.until.saturating_duration_since(call.since),
            parts: [Some(parts.queue), was_sent.then_some(parts.agent), call.result.is_ok().then_some(parts.library)],
        };
        self.meters.ended(&call.library, called, outcome(&call.result), times, call.attempts > 0);
    }

    /// So many calls were sent to an agent as one request.
    pub(super) fn sent(&self, library: &Arc<str>, declared: Option<&Declared>, calls: usize) {
        let slot = declared.map(|declared| (&declared.meters, declared.interface().functions.len()));
        self.meters.sent(library, slot, calls);
    }

    /// A process of that pool has ended by itself.
    pub(super) fn crashed(&self, pool: &str) {
        let mut crashes = self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
        *crashes.entry(pool.to_owned()).or_default() += 1;
    }

    /// How many processes have ended by themselves, by pool.
    pub fn crashes(&self) -> BTreeMap<String, u64> {
        self.crashes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A request was answered so.
    pub fn answered(&self, status: StatusCode, problem: Option<Code>) {
        let class = usize::from(status.as_u16() / 100).wrapping_sub(1);
        let problem = problem.and_then(|code| self.problems.get(code as usize));
        for counter in self.responses.get(class).into_iter().chain(problem) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted of each library in all.
    pub(super) fn totals(&self) -> Vec<(Arc<str>, Totals)> {
        let total = |figures: LibraryFigures| {
            let mut totals = Totals::default();
            for (_, outcome, times) in &figures.calls {
                totals.failed += if *outcome == RETURNED { 0 } else { times.count };
                totals.times.add(times);
            }
            (figures.library, totals)
        };
        self.meters.figures().into_iter().map(total).collect()
    }

    /// How long the calls of a function took that returned, and those that failed; nothing of one that has no counters of its own.
    pub fn of_function(&self, library: &str, function: &str) -> [Distribution; 2] {
        let mut found = [Distribution::default(), Distribution::default()];
        for (outcome, times) in self.meters.of_function(library, function) {
            found[usize::from(outcome != RETURNED)].add(&times);
        }
        found
    }

    /// Adds all of it to a page.
    pub fn write(&self, page: &mut Page) {
        page.add(&BUILD, [(vec![env!("CARGO_PKG_VERSION").to_owned(), PROTOCOL.to_string()], Value::Information)]);
        let figures = self.meters.figures();
        let calls = |value: fn(&Distribution) -> Value| {
            let of = move |library: &LibraryFigures| -> Vec<(Vec<String>, Value)> {
                let labels = |function: &str, outcome| {
                    vec![library.library.as_ref().to_owned(), function.to_owned(), name_of(outcome).to_owned()]
                };
                library.calls.iter().map(|(name, outcome, times)| (labels(name, *outcome), value(times))).collect()
            };
            figures.iter().flat_map(of).collect::<Vec<_>>()
        };
        page.add(&CALLS, calls(|times| Value::Count(times.count)));
        page.add(&CALL_DURATION, calls(|times| Value::Times(times.clone())));
        let parts = figures.iter().flat_map(|library| {
            let labels = |part: &str| vec![library.library.as_ref().to_owned(), part.to_owned()];
            PARTS.iter().zip(&library.parts).map(move |(name, times)| (labels(name), Value::Times(times.clone())))
        });
        page.add(&CALL_PART, parts);
        let by_library = |value: fn(&LibraryFigures) -> Value| {
            let sample = move |figures: &LibraryFigures| (vec![figures.library.as_ref().to_owned()], value(figures));
            figures.iter().map(sample).collect::<Vec<_>>()
        };
        page.add(&CALLS_REPEATED, by_library(|library| Value::Count(library.repeated)));
        page.add(&REQUEST_CALLS, by_library(|library| Value::Sizes(library.requests.clone())));
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let responses = CLASSES.iter().zip(&self.responses);
        page.add(&HTTP_RESPONSES, responses.map(|(class, n)| (vec![(*class).to_owned()], Value::Count(count(n)))));
        let problems = Code::ALL.iter().zip(&self.problems).filter(|(_, counter)| count(counter) > 0);
        page.add(&HTTP_PROBLEMS, problems.map(|(code, n)| (vec![code.name().to_owned()], Value::Count(count(n)))));
        page.add_one(&PROCESS_START, Value::Level(level(u64::try_from(self.since.as_second()).unwrap_or_default())));
        process::write(page);
    }
}
