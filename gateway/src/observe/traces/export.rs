//! The thread that makes spans and sends them, many at a time. The exporter tries again what a collector does not take at
//! once, for [`PATIENCE`]; then these spans are lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use super::client::Client;
use super::spans::Clock;
use super::{Shared, Work};
use crate::config::TelemetryConfig;

/// A request carries the spans of about as many calls …
const BATCH: u64 = 512;
/// … and the first of them has waited no longer than this.
const LAG: Duration = Duration::from_secs(1);
/// How long it is tried to send them.
const PATIENCE: Duration = Duration::from_secs(10);
/// That spans were lost is said no more often.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// Makes spans, and sends them to a collector.
pub(super) struct Exporter {
    otlp: SpanExporter,
    client: Client,
    shared: Arc<Shared>,
    told: Option<Told>,
}

/// What the log says of lost spans.
struct Told {
    at: Instant,
    dropped_calls: u64,
}

impl Exporter {
    /// For the collector that the configuration names.
    ///
    /// # Errors
    /// It cannot be. In words.
    pub(super) fn new(config: &TelemetryConfig, shared: Arc<Shared>) -> Result<Self, String> {
        let client = Client::new();
        let endpoint = format!("{}/v1/traces", config.endpoint.as_deref().unwrap_or_default());
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .with_headers(config.headers.clone().into_iter().collect::<HashMap<_, _>>())
            .build()
            .map_err(|error| error.to_string())?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let instance = KeyValue::new("service.instance.id", uuid::Uuid::now_v7().to_string());
        let resource = Resource::builder_empty()
            .with_service_name(config.service_name.clone())
            .with_attributes([version, instance])
            .build();
        exporter.set_resource(&resource);
        Ok(Self { otlp: exporter, client, shared, told: None })
    }

    /// Sends what comes, until nothing more does.
    pub(super) fn run(mut self, arriving: &Receiver<Work>) {
        while let Some(first) = self.next(arriving, None) {
            let (spans, calls) = self.collect(first, arriving);
            self.send(spans, calls);
        }
    }

    /// What comes within that time, if it is not over; once the gateway stops, what is there.
    fn next(&self, arriving: &Receiver<Work>, patience: Option<Duration>) -> Option<Work> {
        if self.shared.closing.load(Ordering::Acquire) {
            return arriving.try_recv().ok();
        }
        match patience {
            None => arriving.recv().ok(),
            Some(patience) => arriving.recv_timeout(patience).ok(),
        }
    }

    /// The spans of what waits and comes in time, and of how many calls they are.
    fn collect(&self, first: Work, arriving: &Receiver<Work>) -> (Vec<SpanData>, u64) {
        let (deadline, clock) = (Instant::now() + LAG, Clock::now());
        let (mut spans, mut calls, mut next) = (Vec::new(), 0, Some(first));
        while let Some(work) = next {
            match work {
                Work::Call(call) => {
                    calls += 1;
                    call.spans(clock, &mut spans);
                }
                Work::Batch(batch) => spans.push(batch.span(clock)),
                Work::End => {}
            }
            let is_full = calls >= BATCH;
            let patience = deadline.saturating_duration_since(Instant::now());
            next = if is_full { None } else { self.next(arriving, Some(patience)) };
        }
        (spans, calls)
    }

    fn send(&mut self, spans: Vec<SpanData>, calls: u64) {
        let count = spans.len() as u64;
        if count == 0 {
            return;
        }
        let sent = futures_executor::block_on(self.otlp.export(spans));
        let error = match sent {
            Ok(()) => {
                self.shared.sent.fetch_add(count, Ordering::Relaxed);
                None
            }
            Err(error) => {
                self.shared.dropped_calls.fetch_add(calls, Ordering::Relaxed);
                Some(self.client.trouble().unwrap_or_else(|| error.to_string()))
            }
        };
        self.tell(error.as_deref());
    }

    /// Says that spans were lost, now and then.
    fn tell(&mut self, error: Option<&str>) {
        let dropped_calls = self.shared.dropped_calls.load(Ordering::Relaxed);
        let before = self.told.as_ref().map_or(0, |told| told.dropped_calls);
        let is_time = self.told.as_ref().is_none_or(|told| told.at.elapsed() >= SAY_EVERY);
        if dropped_calls > before && is_time {
            let calls = dropped_calls - before;
            let error = error.unwrap_or("more calls ended than could be sent");
            tracing::warn!(calls, error, "the spans of calls are lost: the collector did not get them");
            self.told = Some(Told { at: Instant::now(), dropped_calls });
        }
    }
}
