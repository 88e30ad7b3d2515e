//! Answers that go on: server-sent events (WHATWG HTML, §9.2).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;

use crate::auth::{Caller, Standing};
use crate::bridge::Bridge;

/// A line is sent at least so often, so that nothing on the way takes the connection for dead.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Why a stream ends with the gateway.
pub(crate) const STOPPING: &str = "the gateway is stopping";
const NOT_ALLOWED: &str =
    "the key was revoked, has expired or has other scopes, or the session has ended: ask again with one that is good";

/// The answer that sends `events` as they come. They are dropped when the client's connection ends, and when the client would not
/// be let in any more: that is looked at when there is something to tell.
pub(crate) fn respond(
    bridge: Arc<Bridge>,
    caller: &Caller,
    events: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    let standing = Standing::of(caller);
    let events = stream::unfold(Some(Box::pin(events)), move |events| {
        let (bridge, standing) = (Arc::clone(&bridge), standing.clone());
        async move {
            let mut events = events?;
            let piece = events.next().await?;
            Some(if standing.holds(&bridge.auth) {
                (piece, Some(events))
            } else {
                (end("not_allowed", NOT_ALLOWED), None)
            })
        }
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(events.map(Ok::<_, Infallible>))).into_response()
}

/// The last event of a stream: why there are no more.
pub(crate) fn end(reason: impl Serialize, detail: &str) -> Bytes {
    let data = serde_json::json!({"reason": reason, "detail": detail});
    Bytes::from(format!("event: end\ndata: {data}\n\n"))
}
