//! A histogram whose buckets are fixed: a value costs two atomic additions, and reading it holds nobody up.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of values by their size.
#[derive(Debug)]
pub struct Histogram {
    /// The largest value of each bucket but the last, which has all that is larger.
    bounds: &'static [u64],
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram had at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// The bounds of the buckets, and how many values are in each. The last one has no bound.
    pub buckets: Vec<(Option<u64>, u64)>,
    /// How many values there were.
    pub count: u64,
    /// What they add up to.
    pub sum: u64,
}

impl Histogram {
    /// An empty one with those bounds, in ascending order.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Adds a value.
    pub fn record(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// What it has now. A value that is being added may be in the counts and not in the sum yet.
    pub fn distribution(&self) -> Distribution {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(Option<u64>, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Distribution { buckets, count, sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let histogram = Histogram::new(&[10, 20]);
        for value in [0, 10, 11, 20, 21, 1_000] {
            histogram.record(value);
        }
        let Distribution { buckets, count, sum } = histogram.distribution();
        assert_eq!(buckets, [(Some(10), 2), (Some(20), 2), (None, 2)]);
        assert_eq!((count, sum), (6, 1_062));
    }

    #[test]
    fn values_that_are_added_at_once_are_all_counted() {
        let histogram = Histogram::new(&[10]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| histogram.record(3)));
            }
        });
        let read = histogram.distribution();
        assert_eq!((read.count, read.sum), (40_000, 120_000));
    }
}
