//! When a process is replaced before it fails: what the limits say of it, and what it runs out of whatever they say.

use std::time::Duration;

use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Health;
use serde::Serialize;

use super::Figures;
use crate::config::Recycle;

/// A 32-bit process can have so much, on a 64-bit system.
const ADDRESS_SPACE: u64 = 1 << 32;
/// From this part of it on there is a warning, in percent …
const CROWDED: u64 = 80;
/// … and where the largest free block is smaller than this.
const NARROW: u64 = 64 << 20;

/// A limit of the configuration, and how far a process is from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// The key of the configuration: `max_memory`.
    pub limit: &'static str,
    /// What it has: bytes, handles, calls or seconds; `None` where the system does not tell.
    pub used: Option<u64>,
    /// With so much it is replaced.
    pub max: u64,
    /// The same in percent.
    pub used_percent: Option<u64>,
}

/// What limits look at.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What the process last said of itself.
    pub health: &'a Health,
    /// Calls that it has ended.
    pub calls: u64,
    /// How old it is.
    pub age: Duration,
    /// Which part of `max_age` it gets.
    pub share: f64,
    /// It runs under Wine.
    pub under_wine: bool,
}

impl<'a> Seen<'a> {
    /// What is known of a generation.
    pub fn new(health: &'a Health, figures: &Figures, target: Target) -> Self {
        let calls = figures.returned() + figures.failed();
        let under_wine = cfg!(unix) && target.is_windows();
        Self { health, calls, age: figures.age(), share: figures.share(), under_wine }
    }

    /// Of a 32-bit process the address space that is taken: it ends when there is none, however much memory there is.
    fn memory(&self) -> Option<(u64, &'static str)> {
        let space = self.health.address_space_bytes.map(|bytes| (bytes, "of its address space"));
        space.or_else(|| self.health.resident_bytes.map(|bytes| (bytes, "of memory")))
    }

    /// The most of what a system gives each process a limited number of.
    fn handles(&self) -> Option<(u64, &'static str)> {
        let Health { handles, gdi_objects, user_objects, .. } = self.health;
        let kinds = [(handles, "handles"), (gdi_objects, "GDI objects"), (user_objects, "USER objects")];
        kinds.into_iter().filter_map(|(count, what)| Some(((*count)?, what))).max_by_key(|(count, _)| *count)
    }

    /// The age at which this one is replaced.
    fn oldest(&self, max: Duration) -> Duration {
        max.mul_f64(self.share)
    }

    /// How far it is from each limit that there is.
    pub fn limits(&self, recycle: &Recycle) -> Vec<Limit> {
        let limit = |limit, used: Option<u64>, max: Option<u64>| {
            let max = max?;
            let percent = |used: u64| used.saturating_mul(100) / max.max(1);
            Some(Limit { limit, used, max, used_percent: used.map(percent) })
        };
        let all = [
            limit("max_memory", self.memory().map(|(bytes, _)| bytes), recycle.max_memory),
            limit("max_handles", self.handles().map(|(count, _)| count), recycle.max_handles),
            limit("max_calls", Some(self.calls), recycle.max_calls),
            limit("max_age", Some(self.age.as_secs()), recycle.max_age.map(|age| self.oldest(age).as_secs().max(1))),
        ];
        all.into_iter().flatten().collect()
    }

    /// Why it is to be replaced, in words. What it had before it ran anything is no reason: the next one has it, too.
    pub fn exceeded(&self, recycle: &Recycle) -> Option<String> {
        let why = |what: String| format!("{what}: replaced between two calls");
        if let Some(why) = self.too_much(recycle).filter(|_| self.calls > 0).map(why) {
            return Some(why);
        }
        if let Some(max) = recycle.max_calls.filter(|max| self.calls >= *max) {
            return Some(why(format!("it ran {} calls, and max_calls is {max}", self.calls)));
        }
        let max = recycle.max_age.filter(|max| self.age >= self.oldest(*max))?;
        let age = self.age.as_secs();
        Some(why(format!(
            "it was {age} s old, and max_age is {} s (each process gets 90 to 100 % of it)",
            max.as_secs()
        )))
    }

    fn too_much(&self, recycle: &Recycle) -> Option<String> {
        let memory = recycle.max_memory.zip(self.memory()).filter(|(max, (bytes, _))| bytes >= max);
        if let Some((max, (bytes, what))) = memory {
            return Some(format!("it used {} {what}, and max_memory is {}", megabytes(bytes), megabytes(max)));
        }
        let handles = recycle.max_handles.zip(self.handles()).filter(|(max, (count, _))| count >= max);
        handles.map(|(max, (count, what))| format!("it had {count} {what}, and max_handles is {max}"))
    }

    /// What it runs out of, whatever the limits are, and limits that are of no use.
    pub fn warnings(&self, recycle: &Recycle) -> Vec<String> {
        let Health { address_space_bytes, largest_free_bytes, .. } = self.health;
        let crowded = address_space_bytes.filter(|bytes| *bytes > ADDRESS_SPACE / 100 * CROWDED).map(|bytes| {
            format!(
                "{} of the 4295 MB of its address space are taken: a 32-bit process cannot have more. Set \
                 recycle.max_memory, so that it is replaced before it fails",
                megabytes(bytes)
            )
        });
        // Wine takes addresses outside of those that it has reserved, too, and tells nobody how many there are.
        let narrow = largest_free_bytes.filter(|bytes| *bytes < NARROW && !self.under_wine).map(|bytes| {
            format!(
                "the largest free block of its address space has {}: larger allocations fail. Set recycle.max_memory or \
                 recycle.max_calls, so that it is replaced before they do",
                megabytes(bytes)
            )
        });
        let useless = self
            .too_much(recycle)
            .filter(|_| self.calls == 0)
            .map(|what| format!("{what}, before it ran any call: replacing it would not help. Raise that limit"));
        [crowded, narrow, useless].into_iter().flatten().collect()
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECYCLE: Recycle = Recycle {
        max_memory: Some(1_500_000_000),
        max_handles: Some(5000),
        max_calls: Some(100),
        max_age: Some(Duration::from_secs(1000)),
    };

    fn seen(health: &Health) -> Seen<'_> {
        Seen { health, calls: 1, age: Duration::from_secs(1), share: 0.95, under_wine: false }
    }

    #[test]
    fn a_32_bit_process_is_measured_by_its_address_space_and_a_64_bit_one_by_its_memory() {
        let narrow = Health { address_space_bytes: Some(1_600_000_000), resident_bytes: Some(1), ..Health::default() };
        let wide = Health { resident_bytes: Some(1_500_000_000), ..Health::default() };
        assert_eq!(
            seen(&narrow).exceeded(&RECYCLE).unwrap(),
            "it used 1600 MB of its address space, and max_memory is 1500 MB: replaced between two calls"
        );
        assert!(seen(&wide).exceeded(&RECYCLE).unwrap().starts_with("it used 1500 MB of memory, "));
        let below = Health { resident_bytes: Some(1_499_999_999), ..Health::default() };
        assert_eq!(seen(&below).exceeded(&RECYCLE), None);
    }

    #[test]
    fn of_handles_gdi_and_user_objects_the_most_counts() {
        let health = Health { handles: Some(9), gdi_objects: Some(5001), user_objects: Some(7), ..Health::default() };
        let why = seen(&health).exceeded(&RECYCLE).unwrap();
        assert!(why.starts_with("it had 5001 GDI objects, and max_handles is 5000: "), "{why}");
        let health = Health { gdi_objects: None, ..health };
        assert_eq!(seen(&health).exceeded(&RECYCLE), None);
        assert_eq!(seen(&health).limits(&RECYCLE)[1].used, Some(9));
    }

    #[test]
    fn calls_and_age_count_too_and_the_age_is_spread() {
        let health = Health::default();
        let seen = seen(&health);
        assert_eq!(seen.exceeded(&RECYCLE), None);
        let why = Seen { calls: 100, ..seen }.exceeded(&RECYCLE).unwrap();
        assert!(why.starts_with("it ran 100 calls, and max_calls is 100: "), "{why}");
        let old = |seconds| Seen { age: Duration::from_secs(seconds), ..seen };
        assert_eq!(old(949).exceeded(&RECYCLE), None);
        let why = old(950).exceeded(&RECYCLE).unwrap();
        assert!(why.starts_with("it was 950 s old, and max_age is 1000 s "), "{why}");
        assert_eq!(Seen { share: 1.0, ..old(950) }.exceeded(&RECYCLE), None);
        assert_eq!(old(u64::MAX >> 1).exceeded(&Recycle::default()), None, "there is no limit");
    }

    #[test]
    fn what_a_process_has_before_it_runs_anything_is_a_warning_and_no_reason_to_replace_it() {
        let health = Health { resident_bytes: Some(2_000_000_000), ..Health::default() };
        let fresh = Seen { calls: 0, ..seen(&health) };
        assert_eq!(fresh.exceeded(&RECYCLE), None);
        let [warning] = &fresh.warnings(&RECYCLE)[..] else { panic!("one warning") };
        assert!(warning.contains("before it ran any call"), "{warning}");
        assert!(seen(&health).warnings(&RECYCLE).is_empty());
    }

    #[test]
    fn a_process_that_runs_out_of_addresses_is_warned_of_whatever_the_limits_are() {
        let health = |taken, free| Health {
            address_space_bytes: Some(taken),
            largest_free_bytes: Some(free),
            ..Health::default()
        };
        let warnings = |health: Health| seen(&health).warnings(&Recycle::default());
        assert!(warnings(health(3_400_000_000, NARROW)).is_empty());
        let crowded = warnings(health(3_450_000_000, NARROW));
        assert!(crowded.len() == 1 && crowded[0].starts_with("3450 MB of the 4295 MB"), "{crowded:?}");
        let narrow = warnings(health(1, NARROW - 1));
        assert!(narrow.len() == 1 && narrow[0].starts_with("the largest free block"), "{narrow:?}");
        let (health, none) = (health(1, NARROW - 1), Recycle::default());
        assert!(Seen { under_wine: true, ..seen(&health) }.warnings(&none).is_empty(), "Wine has more");
    }

    #[test]
    fn limits_are_told_with_how_far_a_process_is_from_them() {
        let health = Health { address_space_bytes: Some(930_000_000), ..Health::default() };
        let limits = seen(&health).limits(&RECYCLE);
        let told: Vec<_> =
            limits.iter().map(|limit| (limit.limit, limit.used, limit.max, limit.used_percent)).collect();
        assert_eq!(
            told,
            [
                ("max_memory", Some(930_000_000), 1_500_000_000, Some(62)),
                ("max_handles", None, 5000, None),
                ("max_calls", Some(1), 100, Some(1)),
                ("max_age", Some(1), 950, Some(0)),
            ]
        );
        assert!(seen(&health).limits(&Recycle::default()).is_empty());
    }
}
