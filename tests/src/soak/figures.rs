//! Numbers: quantiles of times, and the machine that they were taken on.

use std::time::Duration;

use serde_json::{Value, json};

/// One number of the report.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// More is a violation.
    pub at_most: Option<f64>,
}

impl Figure {
    /// Whether it is as it should be.
    pub fn holds(&self) -> bool {
        self.at_most.is_none_or(|bound| self.value <= bound)
    }

    /// For a program.
    pub fn json(&self) -> Value {
        json!({"name": self.name, "value": self.value, "unit": self.unit, "at_most": self.at_most})
    }
}

/// Times, for their quantiles.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest time that at least this share of all does not exceed, in milliseconds (nearest rank).
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is no larger than the count"
    )]
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).or(sorted.last()).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

/// What the figures depend on beside the program.
pub fn machine() -> Value {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |file: &str, name: &str| {
        let text = read(file);
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    json!({
        "cores": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "processor": field("/proc/cpuinfo", "model name"),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "load_average": read("/proc/loadavg").trim(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "whole milliseconds")]
    fn quantiles_are_times_that_were_measured() {
        let mut times = Times::default();
        assert_eq!(times.quantile(0.5), 0.0);
        (1..=100).rev().for_each(|time| times.add(Duration::from_millis(time)));
        assert_eq!([0.5, 0.99, 1.0, 0.0].map(|share| times.quantile(share)), [50.0, 99.0, 100.0, 1.0]);
    }
}
