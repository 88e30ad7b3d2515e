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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

impl Distribution {
    /// Adds the values of another one with the same buckets; one that was empty takes them.
    pub fn add(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
        } else {
            for ((_, count), (_, more)) in self.buckets.iter_mut().zip(&other.buckets) {
                *count += more;
            }
        }
        self.count += other.count;
        self.sum += other.sum;
    }

    /// What came to it since it was as `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let earlier = before.buckets.iter().map(|(_, count)| *count).chain(std::iter::repeat(0));
        let new = |((bound, count), before): (&(Option<u64>, u64), u64)| (*bound, count.saturating_sub(before));
        Self {
            buckets: self.buckets.iter().zip(earlier).map(new).collect(),
            count: self.count.saturating_sub(before.count),
            sum: self.sum.saturating_sub(before.sum),
        }
    }

    /// The value that this part of all do not exceed, as if those of a bucket lay evenly in it; 0 if there is none. Those beyond the
    /// last bound are taken for that.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is an estimate between two bounds"
    )]
    pub fn quantile(&self, part: f64) -> u64 {
        if self.count == 0 {
            return 0;
        }
        let wanted = part * self.count as f64;
        let (mut below, mut lower) = (0, 0);
        for (bound, count) in &self.buckets {
            let upper = bound.unwrap_or(lower);
            if *count > 0 && (below + count) as f64 >= wanted {
                let inside = ((wanted - below as f64) / *count as f64).clamp(0.0, 1.0);
                return lower + ((upper - lower) as f64 * inside) as u64;
            }
            (below, lower) = (below + count, upper);
        }
        lower
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
    fn what_came_since_is_the_difference_and_sums_add_up() {
        let histogram = Histogram::new(&[10, 20]);
        histogram.record(5);
        let before = histogram.distribution();
        for value in [15, 30] {
            histogram.record(value);
        }
        let since = histogram.distribution().since(&before);
        assert_eq!((since.count, since.sum), (2, 45));
        assert_eq!(since.buckets, [(Some(10), 0), (Some(20), 1), (None, 1)]);
        let mut all = Distribution::default();
        all.add(&before);
        all.add(&since);
        assert_eq!(all, histogram.distribution());
        assert_eq!(before.since(&Distribution::default()), before);
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_that_has_it() {
        let histogram = Histogram::new(&[10, 20, 40]);
        assert_eq!(histogram.distribution().quantile(0.5), 0);
        (0..98).for_each(|_| histogram.record(15));
        for value in [30, 1_000] {
            histogram.record(value);
        }
        let read = histogram.distribution();
        assert_eq!((read.quantile(0.49), read.quantile(0.98)), (15, 20));
        assert_eq!((read.quantile(0.99), read.quantile(1.0)), (40, 40));
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
