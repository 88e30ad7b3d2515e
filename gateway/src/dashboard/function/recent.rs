//! How a function has fared: its last calls, how often it is called, and how long that takes.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::api::kept_calls::{Shows, restrict};
use crate::api::statistics::last_hour;
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::dashboard::Visit;
use crate::dashboard::chart::{self, Svg};
use crate::dashboard::filters::{self, text};
use crate::dashboard::state::State;
use crate::dashboard::words::{grouped, time_span};
use crate::history::{Condition, Detail, Filter, Record};
use crate::meters::Distribution;

/// So many calls are listed.
const LAST: usize = 10;

/// What a page has of it.
#[derive(Template, Debug)]
#[template(path = "function/recent.html")]
pub struct Recent {
    library: String,
    function: String,
    calls: Vec<Row>,
    /// Why there is none of them.
    without_history: Option<String>,
    hour: Option<Hour>,
    histogram: Option<Histogram>,
}

#[derive(Debug)]
struct Row {
    id: Uuid,
    at: Timestamp,
    state: State,
    duration_ns: u64,
    client: String,
}

/// The last hour.
#[derive(Debug)]
struct Hour {
    calls: u64,
    error_rate: f64,
    quantiles_ns: [u64; 3],
}

/// How often calls took how long, since the gateway started.
#[derive(Debug)]
struct Histogram {
    svg: Svg,
    /// The ends of its axis.
    from: String,
    to: String,
    calls: u64,
    failed: u64,
}

impl Recent {
    /// Asks for all of it.
    pub async fn of(bridge: &Bridge, library: &str, function: &str, caller: &Caller, visit: &Visit) -> Self {
        let [returned, failed] = bridge.observer.metrics.of_function(library, function);
        let (calls, without_history) = match calls(bridge, library, function, caller).await {
            Ok(calls) => (calls, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        Self {
            library: library.to_owned(),
            function: function.to_owned(),
            calls,
            without_history,
            hour: hour(bridge, library, function).await,
            histogram: histogram(&returned, &failed, visit),
        }
    }
}

/// The last ones, of those that whoever looks may see.
async fn calls(bridge: &Bridge, library: &str, function: &str, caller: &Caller) -> Result<Vec<Row>, String> {
    let (library, function) = (Some(library.to_owned()), Some(function.to_owned()));
    let mut filter = Filter { library, function, ..Filter::default() };
    let history = &bridge.observer.history;
    if history.condition() == Condition::Off || !restrict(&mut filter, caller, Shows::Facts) {
        return Ok(Vec::new());
    }
    let page = history.page(&filter, None, LAST, Detail::Listed).await.map_err(|error| error.to_string())?;
    let row = |record: Record| Row {
        id: record.id,
        at: record.ended_at,
        state: State::of_record(&record),
        duration_ns: record.parts_ns.iter().sum(),
        client: if record.key_id.is_empty() { record.owner.to_string() } else { record.key_id.to_string() },
    };
    Ok(page.records.into_iter().map(row).collect())
}

/// What the sums say, if there are any.
async fn hour(bridge: &Bridge, library: &str, function: &str) -> Option<Hour> {
    let history = &bridge.observer.history;
    if history.condition() == Condition::Off {
        return None;
    }
    let statistics = history.statistics(&last_hour(library, function).ok()?).await.ok()?;
    let Some(tally) = statistics.functions.values().next().filter(|tally| tally.calls > 0) else {
        return Some(Hour { calls: 0, error_rate: 0.0, quantiles_ns: [0; 3] });
    };
    #[expect(clippy::cast_precision_loss, reason = "a rate is no exact number")]
    let error_rate = tally.failed as f64 / tally.calls as f64;
    let quantiles_ns = [0.5, 0.95, 0.99].map(|part| tally.quantile_ns(part));
    Some(Hour { calls: tally.calls, error_rate, quantiles_ns })
}

/// The buckets that have something, and one more on each side.
fn histogram(returned: &Distribution, failed: &Distribution, visit: &Visit) -> Option<Histogram> {
    let mut all = returned.clone();
    all.add(failed);
    let first = all.buckets.iter().position(|(_, count)| *count > 0)?.saturating_sub(1);
    let last = (all.buckets.iter().rposition(|(_, count)| *count > 0)? + 1).min(all.buckets.len() - 1);
    let bound = |index: usize| all.buckets.get(index).and_then(|(bound, _)| *bound);
    let from = |index: usize| index.checked_sub(1).and_then(bound).unwrap_or(0);
    let hint = |index: usize| {
        let (calls, times) = (grouped(all.buckets[index].1), time_span(from(index)));
        match bound(index) {
            Some(to) => visit
                .say(text!("{from} to {to}: {n} calls"))
                .replace("{to}", &time_span(to))
                .replace("{from}", &times)
                .replace("{n}", &calls),
            None => visit.say(text!("more than {from}: {n} calls")).replace("{from}", &times).replace("{n}", &calls),
        }
    };
    let counts: Vec<u64> = all.buckets[first..=last].iter().map(|(_, count)| *count).collect();
    let hints: Vec<String> = (first..=last).map(hint).collect();
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| time_span(all.quantile(part)));
    let label = visit
        .say(text!("How long {n} calls took since the gateway started: p50 {p50}, p95 {p95}, p99 {p99}"))
        .replace("{n}", &grouped(all.count))
        .replace("{p50}", &p50)
        .replace("{p95}", &p95)
        .replace("{p99}", &p99);
    let to = bound(last).map_or_else(|| format!("> {}", time_span(from(last))), time_span);
    let svg = chart::histogram(&counts, hints.into_iter(), &label);
    Some(Histogram { svg, from: time_span(from(first)), to, calls: all.count, failed: failed.count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_that_calls_took_are_drawn() {
        let visit = Visit::nobody("/");
        let buckets = |counts: [u64; 5]| {
            let bounds = [Some(1_000), Some(10_000), Some(100_000), Some(1_000_000), None];
            let count = counts.iter().sum();
            Distribution { buckets: bounds.into_iter().zip(counts).collect(), count, sum: 0 }
        };
        let drawn = histogram(&buckets([0, 0, 3, 0, 0]), &buckets([0, 0, 1, 0, 0]), &visit).unwrap();
        assert_eq!((drawn.calls, drawn.failed, drawn.from.as_str(), drawn.to.as_str()), (4, 1, "1.00 µs", "1.00 ms"));
        let svg = drawn.svg.to_string();
        assert!(svg.contains("10.0 µs to 0.10 ms: 4 calls") && svg.matches("<title>").count() == 3, "{svg}");
        let slow = histogram(&buckets([0, 0, 0, 0, 1]), &Distribution::default(), &visit).unwrap();
        assert!(slow.to == "> 1.00 ms" && slow.svg.to_string().contains("more than 1.00 ms: 1 calls"));
        assert!(histogram(&buckets([0; 5]), &Distribution::default(), &visit).is_none());
        assert!(histogram(&Distribution::default(), &Distribution::default(), &visit).is_none());
    }
}
