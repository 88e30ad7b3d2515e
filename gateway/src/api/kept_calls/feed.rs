//! The states of a kept call as server-sent events (WHATWG HTML, §9.2), until it has ended.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::shown::shown;
use crate::api::event_stream::{self, KEEP_ALIVE, STOPPING, end};
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::dispatch::CallState;
use crate::kept::Entry;

/// How often it is looked whether a call that waits has begun.
const LOOK: Duration = Duration::from_millis(100);

/// The answer that goes on until the call has ended. It ends with the client's connection, and the call does not.
pub(super) fn answer(bridge: Arc<Bridge>, caller: &Caller, entry: Arc<Entry>) -> Response {
    let stopping = bridge.stopping.subscribe();
    let feed = Feed { bridge: Arc::clone(&bridge), entry, stopping, told: None, over: false };
    let pieces = stream::unfold(feed, |mut feed| async {
        let text = feed.next().await?;
        Some((text, feed))
    });
    event_stream::respond(bridge, caller, pieces)
}

/// What one client is told.
struct Feed {
    bridge: Arc<Bridge>,
    entry: Arc<Entry>,
    stopping: watch::Receiver<bool>,
    /// The state that it knows.
    told: Option<CallState>,
    over: bool,
}

impl Feed {
    /// The next event, or a comment; `None` after the last one.
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let quiet = Instant::now() + KEEP_ALIVE;
        while Instant::now() < quiet {
            if self.entry.ended().is_some() {
                self.over = true;
                return Some(self.state());
            }
            if *self.stopping.borrow() {
                self.over = true;
                return Some(end("gateway_stopping", STOPPING));
            }
            let now = self.bridge.progress(&self.entry);
            if self.told != Some(now) {
                self.told = Some(now);
                return Some(self.state());
            }
            self.change(quiet).await;
        }
        Some(Bytes::from_static(b": still here\n\n"))
    }

    /// Waits until something may have changed.
    async fn change(&mut self, quiet: Instant) {
        let look = if self.told == Some(CallState::Waiting) { quiet.min(Instant::now() + LOOK) } else { quiet };
        tokio::select! {
            _ = self.entry.end() => {}
            _ = self.stopping.wait_for(|stopping| *stopping) => {}
            () = tokio::time::sleep_until(look) => {}
        }
    }

    /// The call as it is now, on one line: what JSON may break into lines between values is made a space.
    fn state(&self) -> Bytes {
        let text = String::from_utf8(shown(&self.bridge, &self.entry)).unwrap_or_default();
        Bytes::from(format!("event: state\ndata: {}\n\n", text.replace(['\r', '\n'], " ")))
    }
}
