//! How an agent was in the last two hours: its states as a strip, and its figures as lines above the same time.

use jiff::{SignedDuration, Timestamp, Unit};

use crate::agents::Status;
use crate::dashboard::Visit;
use crate::dashboard::chart::{self, Mark, Segment, Svg};
use crate::dashboard::filters::text;
use crate::dashboard::memory::WALL;
use crate::dashboard::state::State;
use crate::dashboard::words::{grouped, relative, size, time_span};
use crate::observe::timeline::{AgentPast, AgentSample, PastState};

/// No drawing goes back further.
const LONGEST: SignedDuration = SignedDuration::from_hours(2);
/// Agents are sampled so often: no step is shorter.
const SHORTEST_STEP: i64 = 15;
/// So many steps the memory has, and …
const STEPS: i64 = 120;
/// … so many the smaller drawings.
const FEW_STEPS: i64 = 60;
/// So many states are listed.
const LISTED: usize = 50;

/// What is drawn and listed of an agent's past.
pub(super) struct Past {
    /// Where all drawings begin.
    pub(super) from: Timestamp,
    /// Its states.
    pub(super) strip: Svg,
    /// The same in words, the newest first.
    pub(super) states: Vec<Was>,
    /// How many older ones are not listed.
    pub(super) older: u64,
    /// Its memory, if anything is known of it.
    pub(super) memory: Option<Chart>,
    /// Whether that has a wall: of a 32-bit process.
    pub(super) has_wall: bool,
    /// Smaller drawings.
    pub(super) others: Vec<Chart>,
}

/// A state that it was in.
pub(super) struct Was {
    /// The state.
    pub(super) state: State,
    /// Since when, and why.
    pub(super) status: Status,
    /// For how long, in nanoseconds.
    pub(super) lasted_ns: u64,
    /// Which start of it.
    pub(super) generation: u64,
}

/// A drawing with its name, and what stands at the top of its axis.
pub(super) struct Chart {
    pub(super) name: &'static str,
    pub(super) svg: Svg,
    pub(super) most: String,
}

/// The time that drawings show.
#[derive(Clone, Copy)]
struct Time {
    from: Timestamp,
    to: Timestamp,
}

impl Time {
    /// Since something is known of it, but no more than [`LONGEST`].
    fn of(past: &AgentPast, now: Timestamp) -> Self {
        let first = [past.states.first().map(|was| was.status.since), past.samples.first().map(|sample| sample.at)];
        let first = first.into_iter().flatten().min().unwrap_or(now);
        let earliest = now.checked_sub(LONGEST).unwrap_or(first);
        // A minute at least: less would be a drawing of nothing.
        let latest = now.checked_sub(SignedDuration::from_mins(1)).unwrap_or(first);
        Self { from: first.max(earliest).min(latest), to: now }
    }

    fn seconds(self) -> f64 {
        self.to.duration_since(self.from).as_secs_f64()
    }

    /// Where a moment is, as a part of the whole.
    fn place(self, at: Timestamp) -> f64 {
        at.duration_since(self.from).as_secs_f64() / self.seconds()
    }

    /// How many steps of at least [`SHORTEST_STEP`] there are, at most so many.
    fn steps(self, most: i64) -> usize {
        let steps = (self.to.duration_since(self.from).as_secs() / SHORTEST_STEP).clamp(1, most);
        usize::try_from(steps).unwrap_or(1)
    }

    /// The samples by steps. Where one step has none because the next sample came late, it has those before.
    fn split(self, samples: &[AgentSample], most: i64) -> Vec<Vec<&AgentSample>> {
        let steps = self.steps(most);
        let mut split = vec![Vec::new(); steps];
        for sample in samples {
            let place = self.place(sample.at);
            if (0.0..=1.0).contains(&place) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a part of a small number"
                )]
                let step = (place * steps as f64) as usize;
                split[step.min(steps - 1)].push(sample);
            }
        }
        for step in 1..steps {
            // The last step is not over yet.
            let is_late = split[step].is_empty() && split.get(step + 1).is_none_or(|next| !next.is_empty());
            if is_late {
                let before = split[step - 1].clone();
                split[step] = before;
            }
        }
        split
    }

    /// When a step was, in words.
    fn words(self, step: usize, steps: usize, visit: &Visit) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a part of a small number")]
        let end = self.seconds() * (step + 1) as f64 / steps.max(1) as f64;
        let at = self.from.checked_add(SignedDuration::try_from_secs_f64(end).unwrap_or_default()).unwrap_or(self.to);
        relative(at, self.to, visit.preferences.language)
    }
}

impl Past {
    /// Of an agent that is in a state now, and whose processes have ended by themselves then and so.
    pub(super) fn new(
        past: &AgentPast,
        current: &Status,
        generation: u64,
        crashes: &[(Timestamp, String)],
        visit: &Visit,
    ) -> Self {
        let now = Timestamp::now();
        let time = Time::of(past, now);
        let is_32_bit = past.samples.iter().any(|sample| sample.address_space_bytes.is_some());
        let marks = marks(&past.samples, time, visit);
        let mut states = was(&past.states, now);
        if states.is_empty() {
            let lasted_ns = nanoseconds(current.since, now);
            let state = State::of_agent(current.state);
            states.push(Was { state, status: current.clone(), lasted_ns, generation });
        }
        let strip = strip(&states, crashes, time, visit);
        let older = states.len().saturating_sub(LISTED) as u64;
        let has_samples = !past.samples.is_empty();
        Self {
            from: time.from,
            strip,
            states: states.into_iter().rev().take(LISTED).collect(),
            older,
            memory: has_samples.then(|| memory(&past.samples, time, is_32_bit, &marks, visit)),
            has_wall: is_32_bit,
            others: if has_samples { others(&past.samples, time, &marks, visit) } else { Vec::new() },
        }
    }
}

fn nanoseconds(from: Timestamp, to: Timestamp) -> u64 {
    // Tenths of a second are enough, and do not make the words longer than the rest of the line.
    let lasted = to.duration_since(from).round(Unit::Millisecond).unwrap_or_default();
    lasted.as_nanos().try_into().unwrap_or_default()
}

/// Each state with how long it lasted, the oldest first.
fn was(states: &[PastState], now: Timestamp) -> Vec<Was> {
    let until = states.iter().skip(1).map(|next| next.status.since).chain([now]);
    let was = |(past, until): (&PastState, Timestamp)| Was {
        state: State::of_agent(past.status.state),
        status: past.status.clone(),
        lasted_ns: nanoseconds(past.status.since, until),
        generation: past.generation,
    };
    states.iter().zip(until).map(was).collect()
}

fn strip(states: &[Was], crashes: &[(Timestamp, String)], time: Time, visit: &Visit) -> Svg {
    let ends = states.iter().skip(1).map(|next| next.status.since).chain([time.to]);
    let mut segments: Vec<Segment> = states
        .iter()
        .zip(ends)
        .filter(|(_, end)| *end >= time.from)
        .map(|(was, end)| {
            let Was { state, status, lasted_ns, generation } = was;
            let hint = visit
                .say(text!("{state} for {time}, generation {n}"))
                .replace("{state}", visit.say(state.word))
                .replace("{time}", &time_span(*lasted_ns))
                .replace("{n}", &generation.to_string());
            let hint = status.reason.as_ref().map_or_else(|| hint.clone(), |reason| format!("{hint}: {reason}"));
            let (from, to) = (time.place(status.since).max(0.0), time.place(end));
            Segment { class: state.mark.class(), sign: state.mark.sign(), from, to, hint }
        })
        .collect();
    let now = states.last().map_or("", |was| visit.say(was.state.word));
    let label = visit
        .say(text!("States since {time}: {n} changes, now {state}. The list below has each of them."))
        .replace("{time}", &relative(time.from, time.to, visit.preferences.language))
        .replace("{n}", &segments.len().saturating_sub(1).to_string())
        .replace("{state}", now);
    // A moment each, in front of the states: the next process may be there within milliseconds.
    segments.extend(crashes.iter().filter(|(at, _)| *at >= time.from).map(|(at, what)| Segment {
        class: "bad",
        sign: "✕",
        from: time.place(*at),
        to: time.place(*at),
        hint: visit.say(text!("crash: {what}")).replace("{what}", what),
    }));
    chart::strip(&segments, &label)
}

/// Where another start begins.
fn marks(samples: &[AgentSample], time: Time, visit: &Visit) -> Vec<Mark> {
    let begins = samples.windows(2).filter(|pair| pair[0].generation != pair[1].generation);
    let mark = |pair: &[AgentSample]| {
        let hint = visit.say(text!("generation {n} begins")).replace("{n}", &pair[1].generation.to_string());
        Mark { at: time.place(pair[1].at), hint }
    };
    begins.map(mark).filter(|mark| mark.at >= 0.0).collect()
}

/// A figure of each step: the largest, or the smallest.
fn figure(
    split: &[Vec<&AgentSample>],
    of: impl Fn(&AgentSample) -> Option<u64>,
    pick: fn(u64, u64) -> u64,
) -> Vec<Option<u64>> {
    split.iter().map(|step| step.iter().filter_map(|sample| of(sample)).reduce(pick)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a height on a screen")]
fn drawn(values: &[Option<u64>]) -> Vec<Option<f64>> {
    values.iter().map(|value| value.map(|value| value as f64)).collect()
}

fn memory(samples: &[AgentSample], time: Time, is_32_bit: bool, marks: &[Mark], visit: &Visit) -> Chart {
    let split = time.split(samples, STEPS);
    let resident = figure(&split, |sample| sample.resident_bytes, u64::max);
    let taken = figure(&split, |sample| sample.address_space_bytes, u64::max);
    let free = figure(&split, |sample| sample.largest_free_bytes, u64::min);
    let words = |step: usize| {
        let parts = [
            (text!("{size} taken"), taken[step]),
            (text!("{size} resident"), resident[step]),
            (text!("largest free block {size}"), free[step]),
        ];
        let parts =
            parts.into_iter().filter_map(|(text, bytes)| Some(visit.say(text).replace("{size}", &size(bytes?))));
        parts.collect::<Vec<_>>().join(", ")
    };
    let hint = |step: usize| match words(step) {
        words if words.is_empty() => words,
        words => format!("{}: {words}", time.words(step, split.len(), visit)),
    };
    let hints: Vec<String> = (0..split.len()).map(hint).collect();
    let last = (0..split.len()).rev().map(words).find(|words| !words.is_empty()).unwrap_or_default();
    let label = visit.say(text!("Memory: {last} last")).replace("{last}", &last);
    #[expect(clippy::cast_precision_loss, reason = "a height on a screen")]
    let wall = is_32_bit.then_some(WALL as f64);
    // The resident memory has its own line where nothing else is known.
    let series = if is_32_bit {
        vec![drawn(&taken), drawn(&resident), drawn(&free)]
    } else {
        vec![Vec::new(), drawn(&resident)]
    };
    let (svg, most) = chart::levels(&series, wall, marks, hints.into_iter(), &label);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an axis ends at a round number")]
    let most = if is_32_bit { "4 GB".to_owned() } else { size(most as u64) };
    Chart { name: text!("Memory"), svg, most }
}

/// What is counted: handles, threads, calls that wait.
fn others(samples: &[AgentSample], time: Time, marks: &[Mark], visit: &Visit) -> Vec<Chart> {
    let split = time.split(samples, FEW_STEPS);
    let waiting = |sample: &AgentSample| Some(sample.waiting as u64);
    let figures: [(&'static str, Vec<Option<u64>>); 3] = [
        (text!("Handles"), figure(&split, |sample| sample.handles, u64::max)),
        (text!("Threads"), figure(&split, |sample| sample.threads, u64::max)),
        (text!("Waiting"), figure(&split, waiting, u64::max)),
    ];
    let known = figures.into_iter().filter(|(_, values)| values.iter().any(Option::is_some));
    let chart = |(name, values): (&'static str, Vec<Option<u64>>)| {
        let hint = |(step, value): (usize, &Option<u64>)| {
            value.map_or_else(String::new, |value| {
                format!("{}: {}", time.words(step, values.len(), visit), grouped(value))
            })
        };
        let hints: Vec<String> = values.iter().enumerate().map(hint).collect();
        let last = values.iter().rev().copied().flatten().next().unwrap_or_default();
        let most = values.iter().copied().flatten().max().unwrap_or_default();
        let label = visit
            .say(text!("{name}: {n} last, at most {most}"))
            .replace("{name}", visit.say(name))
            .replace("{n}", &grouped(last))
            .replace("{most}", &grouped(most));
        let (svg, top) = chart::levels(&[drawn(&values)], None, marks, hints.into_iter(), &label);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an axis ends at a round number")]
        Chart { name, svg, most: grouped(top as u64) }
    };
    known.map(chart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents;

    fn ago(seconds: i64) -> Timestamp {
        Timestamp::now().checked_sub(SignedDuration::from_secs(seconds)).unwrap()
    }

    fn state(state: agents::State, seconds: i64, reason: Option<&str>) -> PastState {
        let status = Status { state, since: ago(seconds), reason: reason.map(str::to_owned) };
        PastState { status, generation: 1 }
    }

    fn sample(seconds: i64, generation: u64) -> AgentSample {
        AgentSample {
            at: ago(seconds),
            generation,
            resident_bytes: Some(40 << 20),
            address_space_bytes: Some(1 << 30),
            largest_free_bytes: Some(2 << 30),
            handles: Some(12),
            threads: Some(3),
            waiting: 0,
        }
    }

    fn past(samples: Vec<AgentSample>, states: Vec<PastState>) -> Past {
        let past = AgentPast { samples, states };
        let current = Status { state: agents::State::Ready, since: ago(5), reason: None };
        Past::new(&past, &current, 3, &[(ago(270), "<b>".to_owned())], &Visit::nobody("/agents/a"))
    }

    #[test]
    fn states_are_a_strip_and_a_list_with_how_long_each_lasted() {
        let reason = "it ended: <script>alert(1)</script>";
        let states = vec![
            state(agents::State::Ready, 600, None),
            state(agents::State::Backoff, 300, Some(reason)),
            state(agents::State::Ready, 240, None),
        ];
        let past = past(Vec::new(), states);
        assert_eq!(past.states.iter().map(|was| was.lasted_ns / 1_000_000_000).collect::<Vec<_>>(), [240, 60, 300]);
        let strip = past.strip.to_string();
        assert!(strip.contains("class=\"warning\" x=\"50.00%\" width=\"10.00%\""), "{strip}");
        assert!(!strip.contains("<script") && strip.contains("it ended: &lt;script&gt;"), "{strip}");
        assert!(strip.contains("aria-label=\"States since 10 min ago: 2 changes, now ready."), "{strip}");
        assert!(
            strip.contains("class=\"bad\" x=\"55.00%\" width=\"0.40%\" height=\"100%\"><title>crash: &lt;b&gt;"),
            "{strip}"
        );
        assert!(past.memory.is_none() && past.others.is_empty(), "nothing is known yet");
    }

    #[test]
    fn what_was_before_the_drawing_is_not_in_it() {
        let past = past(
            vec![sample(10, 1)],
            vec![state(agents::State::Starting, 90_000, None), state(agents::State::Ready, 80_000, None)],
        );
        let strip = past.strip.to_string();
        assert_eq!(strip.matches("<rect").count(), 2, "one state, and one crash: {strip}");
        assert!(strip.contains("x=\"0.00%\" width=\"100.00%\""), "{strip}");
        assert_eq!(past.states.len(), 2);
    }

    #[test]
    fn memory_stands_against_the_wall_with_each_start_marked() {
        let samples = vec![sample(300, 1), sample(285, 1), sample(270, 2), sample(15, 2)];
        let past = past(samples, vec![state(agents::State::Ready, 300, None)]);
        let memory = past.memory.unwrap();
        let svg = memory.svg.to_string();
        assert_eq!((memory.most.as_str(), past.has_wall), ("4 GB", true));
        assert!(svg.contains("generation 2 begins") && svg.matches("class=\"mark\"").count() == 1, "{svg}");
        assert!(svg.contains("1.00 GB taken, 40.0 MB resident, largest free block 2.00 GB"), "{svg}");
        // 255 s without a sample are a gap.
        assert!(svg.matches('M').count() >= 2, "{svg}");
        assert_eq!(past.others.iter().map(|chart| chart.name).collect::<Vec<_>>(), ["Handles", "Threads", "Waiting"]);
    }

    #[test]
    fn an_agent_of_which_nothing_is_known_yet_has_its_state() {
        let past = past(Vec::new(), Vec::new());
        assert_eq!((past.states.len(), past.states[0].generation), (1, 3));
    }

    #[test]
    fn two_full_hours_are_not_too_much_for_a_page() {
        let samples: Vec<AgentSample> = (0..480).rev().map(|step| sample(step * 15, 1)).collect();
        let past = past(samples, (0..100).rev().map(|step| state(agents::State::Ready, step * 60, None)).collect());
        let drawn: usize = past.others.iter().map(|chart| chart.svg.to_string().len()).sum();
        let all = drawn + past.memory.unwrap().svg.to_string().len() + past.strip.to_string().len();
        assert!(all < 70_000, "{all}");
        assert_eq!((past.states.len(), past.older), (50, 50));
    }
}
