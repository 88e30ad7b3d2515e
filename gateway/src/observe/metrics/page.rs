//! The text that Prometheus reads, made of what was read from the gateway a moment before.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text};
use prometheus_client::registry::Registry;

use super::families::Family;
use crate::meters::Distribution;

/// A sample: the values of its family's labels, and what it says.
type Sample = (Vec<String>, Value);

/// What a sample says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a counter.
    Count(u64),
    /// Of a counter of seconds.
    Seconds(f64),
    /// Of a gauge.
    Level(f64),
    /// Of an information: its labels are all.
    Information,
    /// Of a histogram of times, in nanoseconds.
    Times(Distribution),
    /// Of a histogram of numbers.
    Sizes(Distribution),
}

impl From<bool> for Value {
    fn from(is_so: bool) -> Self {
        Self::Level(f64::from(u8::from(is_so)))
    }
}

/// A page of metrics.
#[derive(Debug, Default)]
pub struct Page(Vec<(&'static Family, Vec<Sample>)>);

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A number as metrics have it.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of metrics are doubles; beyond 2^53 the last digits do not matter"
)]
pub fn level(number: u64) -> f64 {
    number as f64
}

const NANOSECONDS: f64 = 1e9;

impl Page {
    /// Adds a metric. The labels of a sample have the order of the family's.
    pub fn add(&mut self, family: &'static Family, samples: impl IntoIterator<Item = (Vec<String>, Value)>) {
        self.0.push((family, samples.into_iter().collect()));
    }

    /// Adds a metric that has no labels.
    pub fn add_one(&mut self, family: &'static Family, value: Value) {
        self.add(family, [(Vec::new(), value)]);
    }

    /// The text of it.
    ///
    /// # Errors
    /// A value is of another kind than its metric.
    pub fn text(self, format: Format) -> Result<String, fmt::Error> {
        let (mut registry, mut text) = (Registry::default(), String::new());
        registry.register_collector(Box::new(self));
        match format {
            Format::Prometheus => prometheus_text::encode(&mut text, &registry)?,
            Format::OpenMetrics => text::encode(&mut text, &registry)?,
        }
        Ok(text)
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (family, samples) in &self.0 {
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, family.kind)?;
            for (values, value) in samples {
                let labels: Vec<(&str, &str)> =
                    family.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
                match value {
                    Value::Information => metric.encode_info(&labels)?,
                    _ if labels.is_empty() => encode(&mut metric, value)?,
                    _ => encode(&mut metric.encode_family(&labels)?, value)?,
                }
            }
        }
        Ok(())
    }
}

fn encode(metric: &mut MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Count(count) => metric.encode_counter::<NoLabelSet, _, u64>(count, None),
        Value::Seconds(seconds) => metric.encode_counter::<NoLabelSet, _, u64>(seconds, None),
        Value::Level(level) => metric.encode_gauge(level),
        Value::Times(times) => distribution(metric, times, NANOSECONDS),
        Value::Sizes(sizes) => distribution(metric, sizes, 1.0),
        Value::Information => Err(fmt::Error),
    }
}

/// `unit` is how many of the distribution's units make one of the metric's.
fn distribution(metric: &mut MetricEncoder<'_>, told: &Distribution, unit: f64) -> fmt::Result {
    let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |bound| level(bound) / unit);
    let buckets: Vec<(f64, u64)> = told.buckets.iter().map(|(end, count)| (bound(*end), *count)).collect();
    metric.encode_histogram::<NoLabelSet>(level(told.sum) / unit, told.count, &buckets, None)
}

#[cfg(test)]
mod tests {
    use super::super::families::{BUILD, CALL_PART, CALLS, FAMILIES, HISTORY_UP, PROCESS_CPU};
    use super::*;
    use crate::meters::Histogram;

    fn text(format: Format) -> String {
        let histogram = Histogram::new(&[10_000, 1_000_000]);
        for time in [10_000, 500_000, 2_000_000_000] {
            histogram.record(time);
        }
        let mut page = Page::default();
        page.add(&BUILD, [(vec!["0.1.0".to_owned(), "3".to_owned()], Value::Information)]);
        let labels = ["calc", "A\"dd", "returned"].map(str::to_owned).to_vec();
        page.add(&CALLS, [(labels, Value::Count(3))]);
        let labels = ["calc", "queue"].map(str::to_owned).to_vec();
        page.add(&CALL_PART, [(labels, Value::Times(histogram.distribution()))]);
        page.add_one(&HISTORY_UP, true.into());
        page.add_one(&PROCESS_CPU, Value::Seconds(1.5));
        page.text(format).unwrap()
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let text = text(Format::Prometheus);
        for line in [
            "# TYPE bridge32_build_info gauge",
            "bridge32_build_info{version=\"0.1.0\",protocol=\"3\"} 1",
            "# TYPE bridge32_calls_total counter",
            "bridge32_calls_total{library=\"calc\",function=\"A\\\"dd\",outcome=\"returned\"} 3",
            "bridge32_call_part_seconds_bucket{library=\"calc\",part=\"queue\",le=\"1e-05\"} 1",
            "bridge32_call_part_seconds_bucket{library=\"calc\",part=\"queue\",le=\"0.001\"} 2",
            "bridge32_call_part_seconds_bucket{library=\"calc\",part=\"queue\",le=\"+Inf\"} 3",
            "bridge32_call_part_seconds_sum{library=\"calc\",part=\"queue\"} 2.00051",
            "bridge32_call_part_seconds_count{library=\"calc\",part=\"queue\"} 3",
            "bridge32_history_up 1.0",
            "process_cpu_seconds_total 1.5",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
        assert!(!text.contains("# EOF"));
    }

    #[test]
    fn open_metrics_names_families_without_their_suffixes_and_has_an_end() {
        let text = text(Format::OpenMetrics);
        for line in ["# TYPE bridge32_calls counter", "# TYPE bridge32_build info", "process_cpu_seconds_total 1.5"] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
        assert!(text.contains("le=\"+Inf\"") && text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn names_are_there_once_and_say_their_unit() {
        let mut names: Vec<String> = FAMILIES.iter().map(|family| family.full_name()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), FAMILIES.len());
        for family in FAMILIES {
            let is_ours = family.name.starts_with("bridge32_") || family.name.starts_with("process_");
            assert!(is_ours && family.help.ends_with('.'), "{}", family.name);
            assert!(!family.name.ends_with("_total") && !family.name.ends_with("_info"), "{}", family.name);
        }
    }
}
