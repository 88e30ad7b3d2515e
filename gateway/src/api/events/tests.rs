//! What a client sees of a callback's events, with an agent that is played.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::routing::get;
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::agents::token::CallbackId;
use crate::agents::{Exit, Link};
use crate::played;

const ID: &str = "calc.g1.c1.tag";

/// A feed, and what plays the agent, its process and the gateway.
struct Stage {
    feed: Feed,
    agent: mpsc::UnboundedSender<&'static str>,
    process: watch::Sender<Option<Exit>>,
    gateway: watch::Sender<bool>,
    hung_up: oneshot::Receiver<()>,
}

/// Says when the agent's side of the connection was dropped.
struct HangUp(Option<oneshot::Sender<()>>);

impl Drop for HangUp {
    fn drop(&mut self) {
        let _ = self.0.take().map(|sender| sender.send(()));
    }
}

async fn stage() -> Stage {
    let (agent, lines) = mpsc::unbounded_channel::<&'static str>();
    let (left, hung_up) = oneshot::channel();
    let source = std::sync::Mutex::new(Some((lines, HangUp(Some(left)))));
    let source = Arc::new(source);
    let answer = move || {
        let source = source.lock().unwrap().take().unwrap();
        let lines = stream::unfold(source, |(mut lines, guard)| async move {
            let line = lines.recv().await?;
            Some((Ok::<_, Infallible>(Bytes::from(line)), (lines, guard)))
        });
        std::future::ready(Body::from_stream(lines))
    };
    let (link, process) = played::link(Router::new().route("/callbacks/{library}/{id}/events", get(answer))).await;
    let lines = events_of(&link).await;
    let gateway = watch::Sender::new(false);
    let feed = Feed { lines, link, stopping: gateway.subscribe(), over: false };
    Stage { feed, agent, process, gateway, hung_up }
}

async fn events_of(link: &Link) -> Events {
    link.client.events(&CallbackId::parse(ID).unwrap(), 0).await.unwrap().unwrap()
}

async fn next(feed: &mut Feed) -> Option<String> {
    feed.next().await.map(|text| String::from_utf8(text.to_vec()).unwrap())
}

#[test]
fn an_event_is_written_as_the_standard_says() {
    let text = invocation(br#"{"number":7,"event":{"args":{"a":"x\ny"},"returned":0,"at":1}}"#).unwrap();
    assert_eq!(text, "id: 7\nevent: invocation\ndata: {\"args\":{\"a\":\"x\\ny\"},\"returned\":0,\"at\":1}\n\n");
    let spread = invocation(b"{\"number\":8,\"event\":{\"a\":\r\n\n1}}").unwrap();
    assert_eq!(spread, "id: 8\nevent: invocation\ndata: {\"a\":   1}\n\n");
    assert!(invocation(b"{\"number\":-1,\"event\":{}}").is_err());
}

#[test]
fn a_client_goes_on_after_the_last_event_that_it_has() {
    let headers = |value: &'static str| [(HeaderName::from_static("last-event-id"), HeaderValue::from_static(value))];
    let position = |value| position(&headers(value).into_iter().collect());
    assert_eq!(position("41").unwrap(), Some(41));
    assert_eq!(super::position(&HeaderMap::new()).unwrap(), None);
    for wrong in ["-1", "x", "1e3", "99999999999999999999"] {
        assert_eq!(position(wrong).unwrap_err().code(), Code::MalformedRequest);
    }
}

#[tokio::test]
async fn the_agent_is_asked_for_what_comes_after_the_position() {
    let (seen, mut asked) = mpsc::unbounded_channel();
    let answer = move |request: Request| {
        seen.send(request.uri().to_string()).unwrap();
        std::future::ready("")
    };
    let (link, _process) = played::link(Router::new().route("/callbacks/{library}/{id}/events", get(answer))).await;
    drop(link.client.events(&CallbackId::parse(ID).unwrap(), 12).await.unwrap().unwrap());
    assert_eq!(asked.recv().await.unwrap(), format!("/callbacks/calc/{ID}/events?after=12"));
}

#[tokio::test]
async fn events_come_as_they_are_sent_and_signs_of_life_are_left_out() {
    let mut stage = stage().await;
    stage.agent.send("\n{\"number\":1,\"event\":{}}\n\n  \n{\"num").unwrap();
    assert_eq!(next(&mut stage.feed).await.unwrap(), "id: 1\nevent: invocation\ndata: {}\n\n");
    stage.agent.send("ber\":3,\"event\":[1]}\n").unwrap();
    assert_eq!(next(&mut stage.feed).await.unwrap(), "id: 3\nevent: invocation\ndata: [1]\n\n");
}

#[tokio::test]
async fn a_callback_that_is_given_up_ends_the_stream_with_a_last_word() {
    let mut stage = stage().await;
    stage.agent.send("{\"number\":1,\"event\":{}}\n").unwrap();
    drop(stage.agent);
    assert!(next(&mut stage.feed).await.unwrap().starts_with("id: 1\n"));
    let last = next(&mut stage.feed).await.unwrap();
    assert!(last.starts_with("event: end\ndata: {") && last.contains("callback_gone"), "{last}");
    assert_eq!(next(&mut stage.feed).await, None);
}

#[tokio::test]
async fn an_agent_that_ends_is_named_as_the_reason_after_its_last_events() {
    let mut stage = stage().await;
    stage.agent.send("{\"number\":1,\"event\":{}}\n").unwrap();
    stage.process.send_replace(Some(Exit::told("killed by signal 11 (SIGSEGV)")));
    assert!(next(&mut stage.feed).await.unwrap().starts_with("id: 1\n"));
    let last = next(&mut stage.feed).await.unwrap();
    assert!(last.contains("agent_ended") && last.contains("SIGSEGV"), "{last}");
    assert_eq!(next(&mut stage.feed).await, None);
}

#[tokio::test]
async fn a_gateway_that_stops_does_not_wait_for_streams() {
    let mut stage = stage().await;
    stage.gateway.send_replace(true);
    assert!(next(&mut stage.feed).await.unwrap().contains("gateway_stopping"));
    assert_eq!(next(&mut stage.feed).await, None);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_ends_the_stream() {
    let mut stage = stage().await;
    stage.agent.send("{\"number\":}\n").unwrap();
    assert!(next(&mut stage.feed).await.unwrap().starts_with("event: end\n"));
    assert_eq!(next(&mut stage.feed).await, None);
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_agents_connection() {
    let stage = stage().await;
    let mut pieces = Box::pin(pieces(stage.feed));
    stage.agent.send("{\"number\":1,\"event\":{}}\n").unwrap();
    assert!(pieces.next().await.unwrap().starts_with(b"id: 1\n"));
    drop(pieces);
    tokio::time::timeout(Duration::from_secs(5), stage.hung_up).await.unwrap().unwrap();
}
