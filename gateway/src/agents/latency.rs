//! How long the last calls took: counted in buckets that are the wider the longer a call took, so that a count costs one
//! atomic addition and quantiles are right to within 6 %.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Each power of two has so many buckets, as a power of two: 16.
const FINE: u32 = 4;
/// Times below this have a bucket each, in nanoseconds.
const EXACT: u64 = 2 << FINE;
/// What takes 2^44 ns (almost five hours) or longer is in the last bucket.
const LONGEST: u32 = 44;
const BUCKETS: usize = (2 << FINE) + (((LONGEST - FINE - 1) as usize) << FINE);

/// Calls are forgotten by so many slices of time …
const SLICES: usize = 5;
/// … of this length.
pub(super) const SLICE: Duration = Duration::from_mins(1);

/// How long the calls of the last minutes took.
#[derive(Debug)]
pub(super) struct Latencies {
    slices: [Slice; SLICES],
    current: AtomicUsize,
}

#[derive(Debug)]
struct Slice {
    buckets: Box<[AtomicU32]>,
    max: AtomicU64,
}

/// Of the calls that returned within the last five minutes, in nanoseconds in the library's code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// How many they are.
    pub calls: u64,
    /// Half of them took at most this long.
    pub p50_ns: u64,
    /// 95 % of them.
    pub p95_ns: u64,
    /// 99 % of them.
    pub p99_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let slice = || Slice { buckets: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(), max: AtomicU64::new(0) };
        Self { slices: std::array::from_fn(|_| slice()), current: AtomicUsize::new(0) }
    }
}

impl Latencies {
    /// A call took so long.
    pub(super) fn record(&self, nanoseconds: u64) {
        let Some(slice) = self.slices.get(self.current.load(Ordering::Relaxed)) else { return };
        if let Some(bucket) = slice.buckets.get(bucket_of(nanoseconds)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        // Few calls are longer than all before them.
        if slice.max.load(Ordering::Relaxed) < nanoseconds {
            slice.max.fetch_max(nanoseconds, Ordering::Relaxed);
        }
    }

    /// Another slice of time begins: the oldest is forgotten.
    pub(super) fn turn(&self) {
        let next = (self.current.load(Ordering::Relaxed) + 1) % SLICES;
        if let Some(slice) = self.slices.get(next) {
            slice.buckets.iter().for_each(|bucket| bucket.store(0, Ordering::Relaxed));
            slice.max.store(0, Ordering::Relaxed);
        }
        self.current.store(next, Ordering::Relaxed);
    }

    /// What can be told of them; `None` if there was none.
    pub(super) fn quantiles(&self) -> Option<Quantiles> {
        let mut counts = vec![0_u64; BUCKETS];
        for slice in &self.slices {
            let buckets = slice.buckets.iter().map(|bucket| u64::from(bucket.load(Ordering::Relaxed)));
            counts.iter_mut().zip(buckets).for_each(|(count, bucket)| *count += bucket);
        }
        let max_ns = self.slices.iter().map(|slice| slice.max.load(Ordering::Relaxed)).max().unwrap_or_default();
        let calls: u64 = counts.iter().sum();
        let at = |percent: u64| {
            let rank = (calls * percent).div_ceil(100);
            let mut seen = 0;
            let reaches = |count: &u64| {
                seen += count;
                seen >= rank
            };
            counts.iter().position(reaches).map_or(max_ns, |bucket| end_of(bucket).min(max_ns))
        };
        (calls > 0).then(|| Quantiles { calls, p50_ns: at(50), p95_ns: at(95), p99_ns: at(99), max_ns })
    }
}

fn bucket_of(nanoseconds: u64) -> usize {
    if nanoseconds < EXACT {
        return usize::try_from(nanoseconds).unwrap_or(BUCKETS - 1);
    }
    let power = nanoseconds.ilog2();
    let within = (nanoseconds >> (power - FINE)) - (1 << FINE);
    let bucket = EXACT + (u64::from(power - FINE - 1) << FINE) + within;
    usize::try_from(bucket).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The longest time that is in that bucket.
fn end_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let (power, within) = ((bucket - EXACT) >> FINE, (bucket - EXACT) & ((1 << FINE) - 1));
    (((1 << FINE) + within + 1) << (power + 1)) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded_to_within_six_percent() {
        let latencies = Latencies::default();
        assert_eq!(latencies.quantiles(), None);
        (1..=1000).for_each(|millis| latencies.record(millis * 1_000_000));
        let told = latencies.quantiles().unwrap();
        assert_eq!((told.calls, told.max_ns), (1000, 1_000_000_000));
        for (told, true_ms) in [(told.p50_ns, 500), (told.p95_ns, 950), (told.p99_ns, 990)] {
            let exact = true_ms * 1_000_000;
            assert!((exact..=exact + exact / 16).contains(&told), "{told} for {exact}");
        }
    }

    #[test]
    fn a_single_call_is_every_quantile() {
        let latencies = Latencies::default();
        latencies.record(12_345);
        let told = latencies.quantiles().unwrap();
        assert_eq!([told.p50_ns, told.p95_ns, told.p99_ns, told.max_ns], [12_345; 4]);
    }

    #[test]
    fn calls_are_forgotten_after_five_slices_of_time() {
        let latencies = Latencies::default();
        latencies.record(7_000_000_000);
        (1..SLICES).for_each(|_| latencies.turn());
        latencies.record(5);
        assert_eq!(latencies.quantiles().unwrap().max_ns, 7_000_000_000);
        latencies.turn();
        assert_eq!(latencies.quantiles(), Some(Quantiles { calls: 1, p50_ns: 5, p95_ns: 5, p99_ns: 5, max_ns: 5 }));
    }

    proptest! {
        #[test]
        fn every_time_has_a_bucket_that_ends_at_or_soon_after_it(time: u64) {
            let bucket = bucket_of(time);
            prop_assert!(bucket < BUCKETS);
            if bucket < BUCKETS - 1 {
                let end = end_of(bucket);
                prop_assert!(end >= time && end - time <= time / 16, "{time} in {bucket}, which ends at {end}");
                prop_assert_eq!(bucket_of(end), bucket);
                prop_assert_eq!(bucket_of(end + 1), bucket + 1);
            }
        }
    }
}
