//! Where the time of a call went: one bar, and the same in numbers.

use super::call::{Call, nanoseconds};
use crate::dashboard::Visit;
use crate::dashboard::chart::{self, Part, Svg};
use crate::dashboard::filters::text;
use crate::dashboard::words::{percentage, time_span};

/// A bar and its legend.
pub(super) struct Time {
    pub(super) bar: Svg,
    pub(super) parts: Vec<Share>,
    pub(super) whole_ns: u64,
}

/// A part of the time.
pub(super) struct Share {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) ns: u64,
    pub(super) fraction: f64,
}

impl Time {
    /// That of a call, if it was measured.
    pub(super) fn of(call: &Call, visit: &Visit) -> Option<Self> {
        let times = [call.queue_us?, call.agent_us?, call.library_us?].map(nanoseconds);
        let whole_ns = times.iter().fold(0_u64, |sum, time| sum.saturating_add(*time));
        // Of a call that did not return nobody knows how long the library had it.
        let returned = call.code.is_none();
        let agent = if returned { text!("on its way to the library and back") } else { text!("until it ended there") };
        let mut words = vec![
            ("queue", text!("Queue"), text!("it waited at the gateway")),
            ("agent", text!("Agent"), agent),
            ("library", text!("Library"), text!("its own code ran")),
        ];
        words.truncate(if returned || times[2] > 0 { 3 } else { 2 });
        #[expect(clippy::cast_precision_loss, reason = "a width on a screen")]
        let share = |ns: u64| if whole_ns == 0 { 0.0 } else { ns as f64 / whole_ns as f64 };
        let shares = words.iter().zip(times);
        let parts: Vec<Share> = shares
            .map(|((class, name, meaning), ns)| Share { class, name, meaning, ns, fraction: share(ns) })
            .collect();
        let hint =
            |part: &Share| format!("{}: {} ({})", visit.say(part.name), time_span(part.ns), percentage(part.fraction));
        let drawn: Vec<Part> =
            parts.iter().map(|part| Part { class: part.class, size: part.fraction, hint: hint(part) }).collect();
        let label = parts.iter().map(hint).collect::<Vec<_>>().join(", ");
        Some(Self { bar: chart::parts(&drawn, 1.0, &label), parts, whole_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::hostile;
    use super::*;

    #[test]
    fn the_bar_and_the_numbers_say_the_same() {
        let time = Time::of(&hostile(), &Visit::nobody("/")).unwrap();
        assert_eq!(time.whole_ns, 1_234_500);
        let parts: Vec<(u64, String)> = time.parts.iter().map(|part| (part.ns, percentage(part.fraction))).collect();
        assert_eq!(parts, [(234_000, "19.0 %".into()), (500, "0.04 %".into()), (1_000_000, "81.0 %".into())]);
        let bar = time.bar.to_string();
        assert!(bar.contains("Queue: 0.23 ms (19.0 %), Agent: 500 ns (0.04 %), Library: 1.00 ms"), "{bar}");
    }

    #[test]
    fn of_a_call_that_did_not_return_it_is_not_said_how_long_the_library_had_it() {
        let names = |call| {
            Time::of(&call, &Visit::nobody("/")).unwrap().parts.iter().map(|part| part.meaning).collect::<Vec<_>>()
        };
        assert_eq!(
            names(Call { library_us: Some(0.0), ..hostile() }),
            ["it waited at the gateway", "until it ended there"]
        );
        assert_eq!(names(Call { library_us: Some(0.0), code: None, ..hostile() }).len(), 3);
    }

    #[test]
    fn of_a_call_that_was_not_measured_there_is_none() {
        assert!(Time::of(&Call { queue_us: None, ..hostile() }, &Visit::nobody("/")).is_none());
    }
}
