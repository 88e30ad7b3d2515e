//! Announces this agent to the gateway, again and again: registration is the heartbeat.
#![expect(clippy::print_stderr, reason = "standard error is the agent's log: the gateway captures it")]

use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::PROTOCOL;
use bridge32_protocol::wire::{Handover, Lease, Registration};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::health::Sampler;
use crate::layout::HOST;
use crate::server::Server;
use crate::trust::Trust;

/// How soon a registration that did not get through is repeated.
const RETRY: Duration = Duration::from_millis(200);
/// The same, for a gateway that answered and did not take it: its configuration or its keys have to change first.
const RETRY_REFUSED: Duration = Duration::from_secs(2);

/// The gateway does not want this process.
#[derive(Debug, thiserror::Error)]
#[error("the gateway refuses this agent: {0}")]
pub struct Refused(String);

/// Registers, and keeps the lease alive. Returns only when the gateway refuses this process for good.
pub async fn keep(handover: Handover, address: String, server: Arc<Server>, trust: Trust) -> Refused {
    let joined = handover.generation == 0;
    let mut generation = handover.generation;
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut sampler = Sampler::new();
    let mut trouble = String::new();
    loop {
        let registration = Registration {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation,
            runtime: HOST,
            pointer_bits: HOST.pointer_bytes() * 8,
            pid: std::process::id(),
            address: address.clone(),
            libraries: server.libraries(),
            health: sampler.health(&server.counters),
        };
        let pause = match put(&client, &handover, &registration, &trust).await {
            Ok(Answer::Lease(lease)) => {
                trouble.clear();
                generation = lease.generation;
                Duration::from_millis(lease.heartbeat_ms)
            }
            // Another protocol, or a newer start.
            Ok(Answer::Refused(StatusCode::CONFLICT, text)) => return Refused(text),
            // No such agent: it is in no configuration any more. One that somebody else has started waits for that.
            Ok(Answer::Refused(StatusCode::NOT_FOUND, text)) if !joined => return Refused(text),
            Ok(Answer::Refused(status, text)) => {
                tell(&mut trouble, format!("the gateway {} answers {status}: {text}", handover.gateway));
                if joined { RETRY_REFUSED } else { RETRY }
            }
            Err(error) => {
                tell(&mut trouble, format!("the gateway {} cannot be reached: {error}", handover.gateway));
                RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Says what is wrong once, not five times a second: a gateway that is stopping takes no registrations any more.
fn tell(last: &mut String, trouble: String) {
    if *last != trouble {
        eprintln!("{trouble}; trying again");
        *last = trouble;
    }
}

enum Answer {
    Lease(Lease),
    Refused(StatusCode, String),
}

async fn put(
    client: &Client<HttpConnector, Full<Bytes>>,
    handover: &Handover,
    registration: &Registration,
    trust: &Trust,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let body = serde_json::to_vec(registration)?;
    let path = format!("/v1/agents/{}", handover.agent);
    let request = Request::builder()
        .method(Method::PUT)
        .uri(format!("http://{}{path}", handover.gateway))
        .header("content-type", "application/json");
    let request = trust.sign(request, &Method::PUT, &handover.gateway, &path, &body)?.body(Full::from(body))?;
    let answer = client.request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(match status {
        StatusCode::OK => Answer::Lease(serde_json::from_slice(&body)?),
        _ => Answer::Refused(status, detail(&body)),
    })
}

/// What a problem document says to a person, or all of an answer that is none.
fn detail(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Problem {
        detail: String,
    }
    let problem = serde_json::from_slice::<Problem>(body);
    problem.map_or_else(|_| String::from_utf8_lossy(body).into_owned(), |problem| problem.detail)
}
