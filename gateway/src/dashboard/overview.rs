//! `/`: what runs here, and how it fares.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bridge32_protocol::target::Target;
use jiff::Timestamp;
use uuid::Uuid;

use super::chart::{self, Area, Svg};
use super::filters::{self, text};
use super::memory::Memory;
use super::state::{Mark, State};
use super::words::{per_second_text, percentage, time_span};
use super::{Frame, Visit};
use crate::agents::{LastCrash, View};
use crate::api::kept_calls::{Shows, restrict};
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::history::{Condition, Detail, Filter, Record, Wanted};
use crate::libraries::Library;
use crate::observe::timeline::{STEP, STEPS, Sample};

/// So many problems are shown.
const PROBLEMS: usize = 8;
/// So many of the last steps are what happens now: a minute.
const NOW: usize = 12;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    config: String,
    counts: Counts,
    rate: f64,
    error_rate: f64,
    /// How far the charts go back.
    minutes: u64,
    calls: Chart,
    latency: Chart,
    libraries: Vec<Row>,
    problems: Vec<Trouble>,
    /// Why the history cannot tell of calls that failed.
    without_history: Option<String>,
}

/// How many things are in which state.
#[derive(Default)]
struct Counts {
    libraries: u64,
    ready: u64,
    /// Agents that are about to be ready.
    under_way: u64,
    /// Agents that somebody should look at.
    troubled: u64,
    waiting: u64,
}

/// A chart, and what stands at the top of its axis.
struct Chart {
    svg: Svg,
    most: String,
}

struct Row {
    name: String,
    state: State,
    reason: Option<String>,
    runtime: &'static str,
    rate: f64,
    spark: Svg,
    error_rate: f64,
    failed: u64,
    p99_ns: Option<u64>,
    waiting: u64,
    memory: Option<Memory>,
    last_crash: Option<LastCrash>,
}

/// A call that failed.
struct Trouble {
    id: Uuid,
    at: Timestamp,
    state: State,
    library: String,
    function: String,
    report: Option<String>,
}

/// What runs here.
///
/// # Errors
/// The page cannot be made.
pub async fn show(Shared(bridge): Shared<Arc<Bridge>>, visit: Visit, caller: Caller) -> Result<Response, Problem> {
    let all = bridge.libraries.all();
    let views = bridge.agent_views();
    let names: Vec<&str> = all.iter().map(|library| library.name.as_str()).collect();
    let timeline = &bridge.observer.timeline;
    let samples = timeline.of_all(&names);
    let drawn = Drawn::after(timeline.steps());
    let (problems, without_history) = match troubles(&bridge, &caller).await {
        Ok(problems) => (problems, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let page = Page {
        frame: visit.frame(visit.say(text!("Overview")), "/").live("agent,crash,reload,history,sample"),
        config: bridge.config().file.display().to_string(),
        counts: counts(&all, &views),
        rate: rate(&samples),
        error_rate: error_rate(&samples),
        minutes: drawn.minutes(),
        calls: calls(&samples, drawn, &visit),
        latency: latency(&samples, drawn, &visit),
        libraries: all.iter().map(|library| row(&bridge, library, &views, drawn, &visit)).collect(),
        problems,
        without_history,
    };
    visit.page(StatusCode::OK, &page)
}

fn counts(libraries: &[Arc<Library>], agents: &[View]) -> Counts {
    let mut counts = Counts { libraries: libraries.len() as u64, ..Counts::default() };
    for agent in agents {
        match State::of_agent(agent.status.state).mark {
            Mark::Good => counts.ready += 1,
            // One that runs a call is ready for the next one.
            Mark::Busy if agent.status.state == crate::agents::State::Busy => counts.ready += 1,
            Mark::Busy => counts.under_way += 1,
            Mark::Warning | Mark::Bad => counts.troubled += 1,
            Mark::Off => {}
        }
    }
    counts.waiting = libraries.iter().map(|library| library.queue.counts().waiting as u64).sum();
    counts
}

/// Calls per second in the last minute.
fn rate(samples: &[Sample]) -> f64 {
    let calls: u64 = samples.iter().rev().take(NOW).map(|sample| sample.calls).sum();
    per_second(calls, NOW)
}

#[expect(clippy::cast_precision_loss, reason = "a rate is no exact number")]
fn per_second(calls: u64, steps: usize) -> f64 {
    calls as f64 / (STEP.as_secs_f64() * steps as f64)
}

/// Which part of the calls of all steps failed.
#[expect(clippy::cast_precision_loss, reason = "a rate is no exact number")]
fn error_rate(samples: &[Sample]) -> f64 {
    let sum = |of: fn(&Sample) -> u64| samples.iter().map(of).sum::<u64>();
    let (calls, failed) = (sum(|sample| sample.calls), sum(|sample| sample.failed));
    if calls == 0 { 0.0 } else { failed as f64 / calls as f64 }
}

/// So many of the last steps are drawn: charts of a gateway that has just started are as short as what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Drawn(usize);

impl Drawn {
    /// What there is after so many steps, rounded up: 1, 2, 5, 10 or 15 minutes.
    fn after(steps: u64) -> Self {
        let enough = |drawn: &usize| steps <= *drawn as u64;
        Self([NOW, 2 * NOW, 5 * NOW, 10 * NOW].into_iter().find(enough).unwrap_or(STEPS))
    }

    const fn minutes(self) -> u64 {
        self.0 as u64 * STEP.as_secs() / 60
    }

    fn of(self, samples: &[Sample]) -> &[Sample] {
        &samples[samples.len().saturating_sub(self.0)..]
    }

    /// How many seconds before now a step ended.
    const fn seconds_ago(self, index: usize) -> u64 {
        (self.0 - 1).saturating_sub(index) as u64 * STEP.as_secs()
    }
}

fn calls(samples: &[Sample], drawn: Drawn, visit: &Visit) -> Chart {
    let areas: Vec<Area> = drawn
        .of(samples)
        .iter()
        .map(|sample| Area { whole: per_second(sample.calls, 1), bad: per_second(sample.failed, 1) })
        .collect();
    let hint = |(index, area): (usize, &Area)| {
        if area.whole <= 0.0 {
            return String::new();
        }
        let text = visit.say(text!("{s} s ago: {n} calls/s, {failed} failed/s"));
        text.replace("{s}", &drawn.seconds_ago(index).to_string())
            .replace("{n}", &per_second_text(area.whole))
            .replace("{failed}", &per_second_text(area.bad))
    };
    let hints: Vec<String> = areas.iter().enumerate().map(hint).collect();
    let most = areas.iter().map(|area| area.whole).fold(0.0, f64::max);
    let label = visit
        .say(text!("Calls per second in the last {minutes} min: now {n}, at most {most}, {errors} failed"))
        .replace("{minutes}", &drawn.minutes().to_string())
        .replace("{n}", &per_second_text(rate(samples)))
        .replace("{most}", &per_second_text(most))
        .replace("{errors}", &percentage(error_rate(samples)));
    let (svg, top) = chart::area(&areas, hints.into_iter(), &label);
    Chart { svg, most: per_second_text(top) }
}

fn latency(samples: &[Sample], drawn: Drawn, visit: &Visit) -> Chart {
    let samples = drawn.of(samples);
    #[expect(clippy::cast_precision_loss, reason = "a height on a screen")]
    let series: Vec<Vec<Option<f64>>> = (0..3)
        .map(|part| samples.iter().map(|sample| sample.quantiles_ns.map(|times| times[part] as f64)).collect())
        .collect();
    let hint = |(index, sample): (usize, &Sample)| {
        let Some(times) = sample.quantiles_ns else { return String::new() };
        let [p50, p95, p99] = times.map(time_span);
        let seconds = drawn.seconds_ago(index).to_string();
        visit
            .say(text!("{s} s ago: p50 {p50}, p95 {p95}, p99 {p99}"))
            .replace("{s}", &seconds)
            .replace("{p50}", &p50)
            .replace("{p95}", &p95)
            .replace("{p99}", &p99)
    };
    let hints: Vec<String> = samples.iter().enumerate().map(hint).collect();
    let last = samples.iter().rev().find_map(|sample| sample.quantiles_ns);
    let label = match last {
        Some(times) => {
            let [p50, p95, p99] = times.map(time_span);
            visit
                .say(text!("How long calls took in the last {minutes} min: p50 {p50}, p95 {p95}, p99 {p99} last"))
                .replace("{p50}", &p50)
                .replace("{p95}", &p95)
                .replace("{p99}", &p99)
        }
        None => visit.say(text!("No call has ended in the last {minutes} min")).to_owned(),
    };
    let label = label.replace("{minutes}", &drawn.minutes().to_string());
    let (svg, top) = chart::bands(&series, hints.into_iter(), &label);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an axis ends at a round number")]
    Chart { svg, most: time_span(top as u64) }
}

fn row(bridge: &Bridge, library: &Library, views: &[View], drawn: Drawn, visit: &Visit) -> Row {
    let (state, reason) = State::of_library(&library.state());
    let samples = bridge.observer.timeline.of_library(&library.name);
    let own: Vec<&View> = views.iter().filter(|view| view.libraries.contains(&library.name)).collect();
    let sum = |steps: &[Sample]| steps.iter().map(|step| step.calls).sum();
    // A spark is narrow: 60 points at most.
    let width = drawn.0.div_ceil(60);
    let rates: Vec<Option<f64>> =
        drawn.of(&samples).chunks(width).map(|steps| Some(per_second(sum(steps), steps.len()))).collect();
    let label = visit
        .say(text!("Calls per second in the last {minutes} min: now {n}"))
        .replace("{minutes}", &drawn.minutes().to_string())
        .replace("{n}", &per_second_text(rate(&samples)));
    let last_crash = own.iter().filter_map(|view| view.health.last_crash.clone()).max_by_key(|crash| crash.at);
    Row {
        name: library.name.clone(),
        state,
        reason,
        runtime: library.target.map_or("unknown", Target::name),
        rate: rate(&samples),
        spark: chart::spark(&rates, &label),
        error_rate: error_rate(&samples),
        failed: samples.iter().map(|sample| sample.failed).sum(),
        p99_ns: samples.iter().rev().take(NOW).filter_map(|sample| sample.quantiles_ns).map(|times| times[2]).max(),
        waiting: library.queue.counts().waiting as u64,
        memory: memory(&own, visit),
        last_crash,
    }
}

/// The agent that has the least room left.
fn memory(agents: &[&View], visit: &Visit) -> Option<Memory> {
    let reported = agents.iter().filter_map(|view| view.health.reported.as_ref());
    Memory::of(reported.max_by_key(|health| health.address_space_bytes)?, visit)
}

/// The last calls that failed, of those that whoever looks may see.
async fn troubles(bridge: &Bridge, caller: &Caller) -> Result<Vec<Trouble>, String> {
    let mut filter = Filter { outcome: Some(Wanted::Failed), ..Filter::default() };
    let history = &bridge.observer.history;
    if history.condition() == Condition::Off || !restrict(&mut filter, caller, Shows::Facts) {
        return Ok(Vec::new());
    }
    let page = history.page(&filter, None, PROBLEMS, Detail::Listed).await.map_err(|error| error.to_string())?;
    let trouble = |record: Record| Trouble {
        id: record.id,
        at: record.ended_at,
        state: State::of_record(&record),
        library: record.library.to_string(),
        function: record.function.map_or_else(String::new, |name| name.to_string()),
        report: record.report,
    };
    Ok(page.records.into_iter().map(trouble).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_are_as_long_as_what_there_is() {
        let minutes = |steps: u64| Drawn::after(steps).minutes();
        assert_eq!([0, 12, 13, 60, 61, 120, 121, 9_999].map(minutes), [1, 1, 2, 5, 10, 10, 15, 15]);
        let drawn = Drawn::after(3);
        assert_eq!(
            (drawn.of(&[Sample::default(); STEPS]).len(), drawn.seconds_ago(0), drawn.seconds_ago(11)),
            (12, 55, 0)
        );
    }
}
