//! `/v1/events`: what happens, as server-sent events (WHATWG HTML, §9.2), as it happens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Query;
use super::event_stream::{self, KEEP_ALIVE, STOPPING, end};
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::error::{Code, Problem};
use crate::observe::events::{EventId, Filter, Kind, Portion, Reader};

/// Which events, and from where on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    types: Option<String>,
    library: Option<String>,
    after: Option<String>,
}

/// The events from the one behind `Last-Event-ID` or, without it, from now on. Of the calls of others only those are told that
/// the caller may see.
///
/// # Errors
/// The parameters cannot be read, or there is no such event.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Query(wanted): Query<Wanted>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = position(&headers, wanted.after.as_deref())?;
    let sees_all = [Need::History, Need::Manage].into_iter().any(|need| caller.may(need, "", "").is_ok());
    let owner = caller.owner().filter(|_| !sees_all).map(str::to_owned);
    let kinds = wanted.types.as_deref().map(kinds).transpose()?;
    let filter = Filter { kinds, library: wanted.library, owner };
    let reader = bridge.observer.events.read(after, filter).map_err(|_| no_such_event())?;
    let stopping = bridge.stopping.subscribe();
    let feed = feed(Arc::clone(&bridge), reader, stopping);
    Ok(event_stream::respond(bridge, &caller, feed))
}

/// The kinds that a list names.
fn kinds(list: &str) -> Result<Vec<Kind>, Problem> {
    let kind = |name: &str| {
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let known = Kind::ALL.map(Kind::name).join(", ");
            let detail = format!(
                "types: there are no events `{name}`. There are: {known}. Several are given as `types=call,agent`."
            );
            Problem::new(Code::MalformedRequest, detail)
        })
    };
    list.split(',').map(|name| kind(name.trim())).collect()
}

/// The last event that the client has: browsers send the header when they connect again, and then it goes over the parameter.
fn position(headers: &HeaderMap, parameter: Option<&str>) -> Result<Option<EventId>, Problem> {
    let header = headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default());
    let Some(text) = header.or(parameter) else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|()| no_such_event())
}

fn no_such_event() -> Problem {
    let detail =
        "Last-Event-ID, or after, is not the id of an event: leave it out, or send the last `id` that you had.";
    Problem::new(Code::MalformedRequest, detail)
}

/// Where a feed is.
enum Stage {
    /// It has not said where it begins.
    Begin,
    Events,
    Over,
}

fn feed(
    bridge: Arc<Bridge>,
    reader: Reader,
    stopping: watch::Receiver<bool>,
) -> impl futures_util::Stream<Item = Bytes> + Send + 'static {
    let feed = Feed { _counted: Counted::new(&bridge), bridge, reader, stopping, stage: Stage::Begin };
    stream::unfold(feed, |mut feed| async {
        let text = feed.next().await?;
        Some((text, feed))
    })
}

/// Counts the reader for as long as its feed is there.
struct Counted(Arc<Bridge>);

impl Counted {
    fn new(bridge: &Arc<Bridge>) -> Self {
        bridge.observer.events.begin_reading();
        Self(Arc::clone(bridge))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.observer.events.end_reading();
    }
}

/// What one client is told.
struct Feed {
    bridge: Arc<Bridge>,
    reader: Reader,
    stopping: watch::Receiver<bool>,
    stage: Stage,
    _counted: Counted,
}

impl Feed {
    /// The next piece of the answer; `None` after the last one. It is made when the client has taken the one before.
    async fn next(&mut self) -> Option<Bytes> {
        let events = &self.bridge.observer.events;
        match self.stage {
            Stage::Over => return None,
            // Whoever comes back before anything has happened can say from where on.
            Stage::Begin => {
                self.stage = Stage::Events;
                // That it has missed something has to arrive before it takes another place for its own.
                if let Some(position) = self.reader.position(events) {
                    return Some(Bytes::from(format!("id: {position}\n\n")));
                }
            }
            Stage::Events => {}
        }
        let stopping = &mut self.stopping;
        Some(tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => {
                self.stage = Stage::Over;
                end("gateway_stopping", STOPPING)
            }
            portion = self.reader.next(events) => text(&portion),
            () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b": still here\n\n"),
        })
    }
}

fn text(portion: &Portion) -> Bytes {
    let mut text = Vec::new();
    if let Some((at, missed)) = &portion.missed {
        write_event(&mut text, *at, "missed", missed);
    }
    for (id, event) in &portion.events {
        write_event(&mut text, *id, event.kind().name(), event);
    }
    text.into()
}

/// One event. JSON as it is written here has no line breaks.
fn write_event(text: &mut Vec<u8>, id: EventId, name: &str, data: &impl Serialize) {
    text.extend_from_slice(format!("id: {id}\nevent: {name}\ndata: ").as_bytes());
    // Plain data and a growing buffer: nothing can fail.
    let _ = serde_json::to_writer(&mut *text, data);
    text.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::events::{Events, HistoryNews};

    #[test]
    fn the_header_goes_over_the_parameter() {
        let with = |value: &str| HeaderMap::from_iter([("last-event-id".parse().unwrap(), value.parse().unwrap())]);
        let read = |headers: &HeaderMap, parameter: Option<&str>| {
            position(headers, parameter).map(|id| id.map(|id| id.to_string())).map_err(|problem| problem.code().name())
        };
        assert_eq!(read(&HeaderMap::new(), None), Ok(None));
        assert_eq!(read(&HeaderMap::new(), Some("a-5")), Ok(Some("a-5".into())));
        assert_eq!(read(&with("a-6"), Some("a-5")), Ok(Some("a-6".into())));
        assert_eq!(read(&with("6"), Some("a-5")), Err("malformed_request"));
    }

    #[test]
    fn kinds_are_a_list_of_those_that_there_are() {
        assert_eq!(kinds("call, crash").unwrap(), [Kind::Call, Kind::Crash]);
        let problem = kinds("call,calls").unwrap_err();
        assert!(problem.detail().contains("no events `calls`. There are: call, agent, crash, reload, history"));
    }

    #[tokio::test]
    async fn an_event_is_a_block_of_lines() {
        let events = Events::default();
        let mut reader = events.read(None, Filter::default()).unwrap();
        events.publish(HistoryNews::Broken { error: "a\nb".into() });
        let text = text(&reader.next(&events).await);
        let text = std::str::from_utf8(&text).unwrap();
        let lines: Vec<&str> = text.split('\n').collect();
        assert!(lines[0].starts_with("id: ") && lines[0].ends_with("-1") && lines[1] == "event: history", "{text}");
        assert!(
            lines[2].starts_with("data: {\"at\":") && lines[2].ends_with("\"state\":\"broken\",\"error\":\"a\\nb\"}")
        );
        assert_eq!(lines[3..], ["", ""]);
    }
}
