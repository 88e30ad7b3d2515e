//! Spans of calls for an OpenTelemetry collector: made when a call has ended, of what is known of it then, and sent by a
//! [thread](export) of their own. Nothing is sent unless the configuration names a collector.
//!
//! What the collector cannot be told in time is counted and dropped: no call waits for it.

mod client;
mod export;
mod spans;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::TelemetryConfig;
use crate::dispatch::{Ended, EndedBatch, Origin};
use crate::trace::TraceId;

use export::Exporter;
use spans::{Batch, Call};

/// No more calls than these wait to be sent.
const MAX_WAITING: usize = 8192;

/// What the thread gets.
#[derive(Debug)]
enum Work {
    Call(Box<Call>),
    Batch(Box<Batch>),
    /// Nothing more comes.
    End,
}

/// What became of spans since the gateway started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// The collector has them.
    pub sent: u64,
    /// There was no room for the spans of so many calls, or the collector did not take them.
    pub dropped_calls: u64,
}

/// What the thread and those who give it work share.
#[derive(Debug, Default)]
struct Shared {
    sent: AtomicU64,
    dropped_calls: AtomicU64,
    closing: AtomicBool,
}

/// Sends spans of the calls that are sampled.
#[derive(Debug)]
pub struct Traces {
    config: TelemetryConfig,
    /// `None` where no collector is named.
    waiting: Option<SyncSender<Work>>,
    /// Until the thread has it.
    arriving: Mutex<Option<Receiver<Work>>>,
    shared: Arc<Shared>,
    /// Everything is sent that ever will be.
    finished: watch::Sender<bool>,
}

impl Traces {
    /// For the collector that the configuration names, if it does. Nothing is sent yet.
    pub fn new(config: TelemetryConfig) -> Self {
        let (waiting, arriving) = config.endpoint.as_ref().map(|_| sync_channel(MAX_WAITING)).unzip();
        let (shared, finished) = (Arc::default(), watch::Sender::new(false));
        Self { config, waiting, arriving: Mutex::new(arriving), shared, finished }
    }

    /// Starts sending. Where that is not possible the log says why, and calls go on without.
    pub fn open(&self) {
        let Some(arriving) = self.arriving.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let exporter = match Exporter::new(&self.config, Arc::clone(&self.shared)) {
            Ok(exporter) => exporter,
            Err(error) => {
                tracing::error!(error, "no spans are sent");
                self.finished.send_replace(true);
                return;
            }
        };
        let finished = self.finished.clone();
        let work = move || {
            exporter.run(&arriving);
            finished.send_replace(true);
        };
        if let Err(error) = std::thread::Builder::new().name("spans".to_owned()).spawn(work) {
            tracing::error!(%error, "no spans are sent");
            self.finished.send_replace(true);
        }
    }

    /// Whether a trace is sent: as its client says, otherwise a part of them, each of them whole.
    pub fn samples(&self, origin: &Origin, trace: TraceId) -> bool {
        if self.waiting.is_none() {
            return false;
        }
        origin.trace.as_ref().map_or_else(|| is_in(trace, self.config.sample_ratio), |context| context.is_sampled)
    }

    /// A call has ended.
    pub fn note(&self, call: &Ended) {
        let Some(waiting) = &self.waiting else { return };
        if self.samples(&call.origin, call.trace()) && waiting.try_send(Work::Call(Box::new(Call::of(call)))).is_err() {
            self.shared.dropped_calls.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A batch has ended.
    pub fn note_batch(&self, batch: &EndedBatch) {
        let Some(waiting) = &self.waiting else { return };
        if self.samples(&batch.origin, batch.origin.trace_of(batch.id)) {
            // Its calls have been counted.
            let _ = waiting.try_send(Work::Batch(Box::new(Batch::of(batch))));
        }
    }

    /// What became of spans since the gateway started.
    pub fn counts(&self) -> SpanCounts {
        let Shared { sent, dropped_calls, .. } = &*self.shared;
        SpanCounts { sent: sent.load(Ordering::Relaxed), dropped_calls: dropped_calls.load(Ordering::Relaxed) }
    }

    /// Sends what there is, and gives up when `patience` is over.
    pub async fn close(&self, patience: Duration) {
        let Some(waiting) = &self.waiting else { return };
        let is_open = self.arriving.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        self.shared.closing.store(true, Ordering::Release);
        // If there is no room for it the thread is at work, and looks for itself when that is done.
        let _ = waiting.try_send(Work::End);
        let mut finished = self.finished.subscribe();
        let end = tokio::time::timeout(patience, finished.wait_for(|finished| *finished));
        if is_open && end.await.is_err() {
            tracing::warn!("the last spans could not be sent");
        }
    }
}

/// Whether a trace belongs to that part of all. Of a trace's own id the last four bytes are random, also where it is that of
/// a call, a UUID of version 7.
fn is_in(trace: TraceId, part: f64) -> bool {
    let [.., a, b, c, d] = trace.0;
    f64::from(u32::from_be_bytes([a, b, c, d])) < part * (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::trace::{SpanId, TraceContext};

    fn traces(sample_ratio: f64) -> Traces {
        let endpoint = Some("http://127.0.0.1:9".to_owned());
        Traces::new(TelemetryConfig { endpoint, sample_ratio, ..TelemetryConfig::default() })
    }

    fn client(is_sampled: bool) -> Origin {
        let (trace, parent) = (TraceId([0xff; 16]), SpanId([1; 8]));
        Origin { trace: Some(TraceContext { trace, parent, is_sampled, state: None }), ..Origin::default() }
    }

    #[test]
    fn the_clients_word_goes_before_the_ratio() {
        let trace = TraceId([0xff; 16]);
        assert!(traces(0.0).samples(&client(true), trace));
        assert!(!traces(1.0).samples(&client(false), trace));
        assert!(traces(1.0).samples(&Origin::default(), trace));
        assert!(!traces(0.0).samples(&Origin::default(), TraceId([0; 16])));
        assert!(!Traces::new(TelemetryConfig::default()).samples(&client(true), trace));
    }

    #[test]
    fn the_ratio_is_that_of_ids_as_they_are_made() {
        let sampled = (0..20_000).filter(|_| is_in(TraceId::of_call(Uuid::now_v7()), 0.25)).count();
        assert!((4500..5500).contains(&sampled), "{sampled}");
    }
}
