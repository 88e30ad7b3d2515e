//! `GET /v1/statistics`: how many calls of each function ended in some time, how many of them failed, and how long they took.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Query;
use super::kept_calls::{expect_history, microseconds, unreadable};
use super::parameters::Parameters;
use crate::bridge::Bridge;
use crate::error::{Code, Problem};
use crate::history::{BY_THE_MINUTE, Span, Tally};

/// What is asked about if nothing is said.
const LAST: SignedDuration = SignedDuration::from_hours(1);

/// The longest time that can be asked about.
const LONGEST: SignedDuration = SignedDuration::from_hours(92 * 24);

/// So many parts a time has at most, if nothing is said of their length, and if it is.
const PARTS: i64 = 60;
const MOST_PARTS: i64 = 300;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

/// Lengths of parts that people have clocks for, in seconds.
const STEPS: [i64; 12] = [60, 120, 300, 600, 900, 1800, 3600, 7200, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600];

#[derive(Serialize)]
struct Answer<'a> {
    since: Timestamp,
    until: Timestamp,
    step_s: i64,
    calls: u64,
    failed: u64,
    functions: Vec<OfFunction<'a>>,
    over_time: Vec<Part>,
}

#[derive(Serialize)]
struct OfFunction<'a> {
    library: &'a str,
    /// `None` for those without a name, and those that are too many.
    function: Option<&'a str>,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
struct Part {
    since: Timestamp,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
struct Figures {
    calls: u64,
    failed: u64,
    error_rate: f64,
    duration_us: Option<Quantiles>,
}

#[derive(Serialize)]
struct Quantiles {
    p50: Box<RawValue>,
    p95: Box<RawValue>,
    p99: Box<RawValue>,
}

/// The figures of a time.
///
/// # Errors
/// The parameters cannot be read, or the history cannot.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let span = span(pairs, Timestamp::now())?;
    expect_history(&bridge)?;
    let statistics = bridge.observer.history.statistics(&span).await.map_err(|error| unreadable(&error))?;
    let time = |microseconds| Timestamp::from_microsecond(microseconds).unwrap_or_default();
    let functions = statistics.functions.iter().map(|((library, function), tally)| OfFunction {
        library,
        function: Some(&**function).filter(|name| !name.is_empty()),
        figures: figures(Some(tally)),
    });
    let starts = (span.time.start..span.time.end).step_by(usize::try_from(span.step).unwrap_or(usize::MAX));
    let over_time = starts.map(|start| Part { since: time(start), figures: figures(statistics.parts.get(&start)) });
    let answer = Answer {
        since: time(span.time.start),
        until: time(span.time.end),
        step_s: span.step / 1_000_000,
        calls: statistics.functions.values().map(|tally| tally.calls).sum(),
        failed: statistics.functions.values().map(|tally| tally.failed).sum(),
        functions: functions.collect(),
        over_time: over_time.collect(),
    };
    Ok(axum::Json(answer).into_response())
}

/// The last hour of one function.
pub(crate) fn last_hour(library: &str, function: &str) -> Result<Span, Problem> {
    let pairs = [("library", library), ("function", function)];
    span(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), Timestamp::now())
}

/// What is asked about. Its beginning, its end and its parts are whole minutes, or hours where sums are kept by the hour.
fn span(pairs: Vec<(String, String)>, now: Timestamp) -> Result<Span, Problem> {
    let mut parameters = Parameters::of(pairs, &["library", "function", "since", "until", "step"])?;
    let until = parameters.time("until", now)?.unwrap_or(now);
    let since = parameters.time("since", now)?;
    let since = since.unwrap_or_else(|| until.checked_sub(LAST).unwrap_or(Timestamp::UNIX_EPOCH));
    if since >= until {
        return Err(malformed("`since` is not before `until`: there can be nothing in between.".to_owned()));
    }
    if until.duration_since(since) > LONGEST {
        let days = LONGEST.as_hours() / 24;
        return Err(malformed(format!(
            "Between `since` and `until` there are more than {days} days: ask for a part of them."
        )));
    }
    let is_old = now.duration_since(since) > BY_THE_MINUTE;
    let least = if is_old { HOUR } else { MINUTE };
    let shape = "a duration of whole minutes, such as 1m, 15m or 1h";
    let step = parameters.read("step", shape, |text| {
        let seconds = super::parameters::duration(text)?;
        let whole = seconds.subsec_nanos() == 0 && seconds.as_secs() > 0 && seconds.as_secs().is_multiple_of(60);
        i64::try_from(seconds.as_secs()).ok().filter(|_| whole)
    })?;
    let length = until.as_second() - since.as_second();
    let step = match step {
        Some(step) if step % least != 0 => {
            return Err(malformed(format!(
                "`step` must be whole hours, such as 1h, where `since` is more than {} hours ago: what is older is summed up by the \
                 hour.",
                BY_THE_MINUTE.as_hours()
            )));
        }
        Some(step) if length / step > MOST_PARTS => {
            let longer = STEPS.into_iter().find(|step| length / step <= MOST_PARTS).unwrap_or(24 * HOUR);
            return Err(malformed(format!(
                "`step` is too short: there would be more than {MOST_PARTS} parts. Give at least {}m, or a shorter time.",
                longer / 60
            )));
        }
        Some(step) => step,
        None => STEPS.into_iter().find(|step| *step >= least && length / step <= PARTS).unwrap_or(48 * HOUR),
    };
    let begin = since.as_second().div_euclid(least) * least;
    let parts = (until.as_second() - begin).max(0) / step + 1;
    Ok(Span {
        time: begin * 1_000_000..(begin + parts * step) * 1_000_000,
        step: step * 1_000_000,
        library: parameters.text("library"),
        function: parameters.text("function"),
    })
}

fn malformed(detail: String) -> Problem {
    Problem::new(Code::MalformedRequest, detail)
}

fn figures(tally: Option<&Tally>) -> Figures {
    let Some(tally) = tally.filter(|tally| tally.calls > 0) else {
        return Figures { calls: 0, failed: 0, error_rate: 0.0, duration_us: None };
    };
    let quantile = |part| microseconds(tally.quantile_ns(part));
    #[expect(clippy::cast_precision_loss, reason = "a rate is no exact number")]
    let error_rate = tally.failed as f64 / tally.calls as f64;
    let duration_us = Some(Quantiles { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) });
    Figures { calls: tally.calls, failed: tally.failed, error_rate, duration_us }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Span, String> {
        let now = "2026-01-31T12:00:30Z".parse().unwrap();
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        span(pairs, now).map_err(|problem| problem.detail().to_owned())
    }

    fn shape(query: &str) -> (String, i64, i64) {
        let span = read(query).unwrap();
        let begin = Timestamp::from_microsecond(span.time.start).unwrap().to_string();
        (begin, span.step / 1_000_000, (span.time.end - span.time.start) / span.step)
    }

    #[test]
    fn parts_are_as_long_as_people_count_and_not_too_many() {
        assert_eq!(shape(""), ("2026-01-31T11:00:00Z".to_owned(), 60, 61));
        assert_eq!(shape("since=24h"), ("2026-01-30T12:00:00Z".to_owned(), 1800, 49));
        assert_eq!(shape("since=15m&step=5m"), ("2026-01-31T11:45:00Z".to_owned(), 300, 4));
        assert_eq!(shape("since=30d"), ("2026-01-01T12:00:00Z".to_owned(), 12 * 3600, 61));
        assert_eq!(shape("since=2026-01-29T08:30:00Z&until=3h"), ("2026-01-29T08:00:00Z".to_owned(), 3600, 50));
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_what_can() {
        for (query, words) in [
            ("since=1h&until=2h", "`since` is not before"),
            ("since=200d", "92 days"),
            ("step=90s", "whole minutes"),
            ("step=0s", "whole minutes"),
            ("since=24h&step=1m", "at least 5m"),
            ("since=7d&step=90m", "whole hours"),
            ("functions=x", "Did you mean `function`?"),
        ] {
            let error = read(query).unwrap_err();
            assert!(error.contains(words), "{query}: {error}");
        }
    }
}
