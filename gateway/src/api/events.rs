//! `/v1/callbacks/{id}/events`: the invocations of a callback as server-sent events (WHATWG HTML, §9.2).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bridge32_protocol::json::complaint;
use bridge32_protocol::wire::CallbackEvent;
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::callbacks::{find, gone};
use super::event_stream::{self, KEEP_ALIVE, STOPPING, end};
use super::{Path, Query};
use crate::agents::Link;
use crate::agents::client::{ClientError, Events};
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::error::{Code, Problem};

/// How long the end of a process may lag behind the end of its connection.
const LAG: Duration = Duration::from_secs(2);
/// How long bytes that an ended process has sent may take through the loopback interface.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// Where to begin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct From {
    after: Option<u64>,
}

/// The events of a callback, from the one after `Last-Event-ID` or `after`, as they come.
///
/// # Errors
/// There is no such callback, or its agent does not answer.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Path(id): Path<String>,
    Query(from): Query<From>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = position(&headers)?.or(from.after).unwrap_or_default();
    let (id, link) = find(&bridge, &id)?;
    let events = link.client.events(&id, after).await?;
    let lines = events.map_err(|fault| gone(id.text, fault))?;
    let feed = Feed { lines, link, stopping: bridge.stopping.subscribe(), over: false };
    // The stream goes with the client's connection, and the agent's connection with the stream.
    Ok(event_stream::respond(bridge, &caller, pieces(feed)))
}

/// What is sent until the feed is over.
fn pieces(feed: Feed) -> impl Stream<Item = Bytes> {
    stream::unfold(feed, |mut feed| async {
        let text = feed.next().await?;
        Some((text, feed))
    })
}

/// The number of the last event that the client has, as browsers send it when they connect again.
fn position(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.map(Some).ok_or_else(|| {
        let detail = "Last-Event-ID is not the number of an event: leave it out, or send the `id` of one.";
        Problem::new(Code::MalformedRequest, detail)
    })
}

/// Why there are no more events.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    /// The callback was given up, or its buffer is gone.
    CallbackGone,
    /// The agent's process ended.
    AgentEnded,
    GatewayStopping,
}

/// What happened while the feed waited.
enum Heard {
    Line(Result<Option<Bytes>, ClientError>),
    Ended,
    Stopping,
    Nothing,
}

/// What an agent tells of a callback, on its way to a client.
struct Feed {
    lines: Events,
    link: Arc<Link>,
    stopping: watch::Receiver<bool>,
    /// The last word was said.
    over: bool,
}

impl Feed {
    /// The next piece of the answer: an event, a comment, or the end; `None` after that.
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let quiet = tokio::time::sleep(KEEP_ALIVE);
        tokio::pin!(quiet);
        let mut ended = self.link.ended.clone();
        loop {
            let heard = tokio::select! {
                biased;
                line = self.lines.next() => Heard::Line(line),
                _ = self.stopping.wait_for(|stopping| *stopping) => Heard::Stopping,
                _ = ended.wait_for(Option::is_some) => Heard::Ended,
                () = &mut quiet => Heard::Nothing,
            };
            let heard = if matches!(heard, Heard::Ended) { Heard::Line(self.last_line().await) } else { heard };
            match heard {
                // The agent's own sign of life.
                Heard::Line(Ok(Some(line))) if line.trim_ascii().is_empty() => {}
                Heard::Line(Ok(Some(line))) => return Some(self.invocation(&line)),
                Heard::Line(Ok(None)) => return Some(self.stopped(None).await),
                Heard::Line(Err(error)) => return Some(self.stopped(Some(error)).await),
                Heard::Stopping => return Some(self.end(Reason::GatewayStopping, STOPPING)),
                Heard::Nothing | Heard::Ended => return Some(Bytes::from_static(b": still here\n\n")),
            }
        }
    }

    /// What an ended process has sent may still be on its way; what it started may keep the connection open for ever.
    async fn last_line(&mut self) -> Result<Option<Bytes>, ClientError> {
        let last = tokio::time::timeout(UNDER_WAY, self.lines.next()).await;
        last.unwrap_or_else(|_| Err(ClientError::Broken("its process has ended".to_owned())))
    }

    fn invocation(&mut self, line: &[u8]) -> Bytes {
        invocation(line).unwrap_or_else(|error| {
            tracing::error!(error = complaint(&error), "an agent's event cannot be read");
            self.end(Reason::CallbackGone, "the agent sent an event that cannot be read")
        })
    }

    /// The agent says nothing more: because it has ended, or because the callback has.
    async fn stopped(&mut self, error: Option<ClientError>) -> Bytes {
        let mut ended = self.link.ended.clone();
        // A stream that ends in order is the callback's end, unless the process is ending too.
        let patience = if error.is_some() { LAG } else { LAG / 10 };
        let exit = match tokio::time::timeout(patience, ended.wait_for(Option::is_some)).await {
            Ok(Ok(exit)) => exit.clone(),
            _ => None,
        };
        match (exit, error) {
            (Some(exit), _) => self.end(Reason::AgentEnded, &exit.to_string()),
            (None, Some(error)) => self.end(Reason::AgentEnded, &error.to_string()),
            (None, None) => self.end(Reason::CallbackGone, "the callback was given up"),
        }
    }

    fn end(&mut self, reason: Reason, detail: &str) -> Bytes {
        self.over = true;
        end(reason, detail)
    }
}

/// One event of the stream. Its data is one line: what JSON may break into lines between values is made a space.
fn invocation(line: &[u8]) -> Result<Bytes, serde_json::Error> {
    let CallbackEvent { number, event } = serde_json::from_slice(line)?;
    let data = event.get().replace(['\r', '\n'], " ");
    Ok(Bytes::from(format!("id: {number}\nevent: invocation\ndata: {data}\n\n")))
}

#[cfg(test)]
mod tests;
