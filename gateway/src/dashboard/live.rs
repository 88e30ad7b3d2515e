//! `/live`: tells a page that it is to be looked at again. It has no data: the page asks for itself, and there is one way to draw it.
//!
//! However much happens, a page is told once a second at most.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::api::Query;
use crate::api::event_stream::{self, STOPPING, end};
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::error::{Code, Problem};
use crate::observe::Observer;
use crate::observe::events::{Filter, Kind, Portion, Reader};
use crate::observe::timeline::STEP;

/// No more often than this is a page told anything.
const PAUSE: Duration = Duration::from_secs(1);
/// The word for figures, which change without an event.
const SAMPLE: &str = "sample";

/// What an address says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Kinds of events, and `sample`, with commas.
    kinds: String,
    library: Option<String>,
}

/// Tells whenever something of these kinds has happened.
///
/// # Errors
/// There is no such kind.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Query(asked): Query<Asked>,
    caller: Caller,
) -> Result<Response, Problem> {
    let words: Vec<&str> = asked.kinds.split(',').collect();
    let known = |word: &&str| Kind::ALL.into_iter().find(|kind| kind.name() == *word);
    if let Some(strange) = words.iter().find(|word| **word != SAMPLE && known(word).is_none()) {
        return Err(Problem::new(Code::MalformedRequest, format!("Pages are not told of `{strange}`.")));
    }
    let kinds = words.iter().filter_map(known).collect();
    let filter = Filter { kinds: Some(kinds), library: asked.library, owner: None };
    let begun = bridge.observer.events.read(None, filter);
    let reader = begun.map_err(|_| Problem::internal("there is no event to begin with"))?;
    let stopping = bridge.stopping.subscribe();
    let pieces = pieces(Arc::clone(&bridge.observer), reader, stopping, words.contains(&SAMPLE));
    Ok(event_stream::respond(bridge, &caller, pieces))
}

/// What one page is told.
struct Feed {
    observer: Arc<Observer>,
    reader: Reader,
    /// When figures have changed; `None` where nobody wants to know.
    samples: Option<Interval>,
    stopping: watch::Receiver<bool>,
    /// Nothing is told before.
    not_before: Instant,
    is_over: bool,
}

fn pieces(
    observer: Arc<Observer>,
    reader: Reader,
    stopping: watch::Receiver<bool>,
    has_samples: bool,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let samples = has_samples.then(|| {
        let mut samples = tokio::time::interval_at(Instant::now() + STEP, STEP);
        samples.set_missed_tick_behavior(MissedTickBehavior::Delay);
        samples
    });
    observer.events.begin_reading();
    let feed = Feed { observer, reader, samples, stopping, not_before: Instant::now(), is_over: false };
    // The browser knows at once that it is connected.
    let begin = stream::once(async { Bytes::from_static(b"retry: 2000\n\n") });
    begin.chain(stream::unfold(feed, |mut feed| async {
        let piece = feed.next().await?;
        Some((piece, feed))
    }))
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.observer.events.end_reading();
    }
}

impl Feed {
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let events = &self.observer.events;
        let quiet = tokio::time::sleep(event_stream::KEEP_ALIVE);
        let mut seen = BTreeSet::new();
        tokio::select! {
            biased;
            _ = self.stopping.wait_for(|stopping| *stopping) => {
                self.is_over = true;
                return Some(end("gateway_stopping", STOPPING));
            }
            portion = self.reader.next(events) => note(&mut seen, &portion),
            () = tick(self.samples.as_mut()) => { seen.insert(SAMPLE); }
            () = quiet => return Some(Bytes::from_static(b": still here\n\n")),
        }
        // What comes until the page may be told again is told with it.
        while let Ok(portion) = tokio::time::timeout_at(self.not_before, self.reader.next(events)).await {
            note(&mut seen, &portion);
            if Instant::now() >= self.not_before {
                break;
            }
        }
        self.not_before = Instant::now() + PAUSE;
        let seen: Vec<&str> = seen.into_iter().collect();
        Some(Bytes::from(format!("event: changed\ndata: {}\n\n", seen.join(","))))
    }
}

fn note(seen: &mut BTreeSet<&'static str>, portion: &Portion) {
    seen.extend(portion.events.iter().map(|(_, event)| event.kind().name()));
}

/// When figures have changed; never, where nobody wants to know.
async fn tick(samples: Option<&mut Interval>) {
    match samples {
        Some(samples) => {
            samples.tick().await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HistoryConfig, TelemetryConfig};
    use crate::observe::events::HistoryNews;

    #[tokio::test(start_paused = true)]
    async fn however_much_happens_a_page_is_told_once_a_second() {
        let observer = Observer::new("/".as_ref(), HistoryConfig::default(), TelemetryConfig::default());
        let observer = Arc::new(observer);
        let reader = observer.events.read(None, Filter::default()).unwrap();
        let (_stop, stopping) = watch::channel(false);
        let mut pieces = Box::pin(pieces(Arc::clone(&observer), reader, stopping, true));
        let mut next = async || String::from_utf8(pieces.next().await.unwrap().to_vec()).unwrap();
        assert_eq!(next().await, "retry: 2000\n\n");
        observer.events.publish(HistoryNews::Recovered);
        let begun = Instant::now();
        assert_eq!(next().await, "event: changed\ndata: history\n\n");
        assert!(begun.elapsed() < PAUSE / 2, "the first one is told at once");
        for _ in 0..200 {
            observer.events.publish(HistoryNews::Recovered);
        }
        assert_eq!(next().await, "event: changed\ndata: history\n\n");
        assert!(begun.elapsed() >= PAUSE, "{:?}", begun.elapsed());
        assert_eq!(next().await, "event: changed\ndata: sample\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_the_gateway() {
        let observer = Arc::new(Observer::new("/".as_ref(), HistoryConfig::default(), TelemetryConfig::default()));
        let reader = observer.events.read(None, Filter::default()).unwrap();
        let (stop, stopping) = watch::channel(false);
        let pieces = pieces(observer, reader, stopping, false);
        stop.send_replace(true);
        let all: Vec<Bytes> = pieces.collect().await;
        assert_eq!(all.len(), 2);
        assert!(all[1].starts_with(b"event: end\n"));
    }
}
