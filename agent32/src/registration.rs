//! Announces this agent to the gateway, again and again: registration is the heartbeat.
#![expect(clippy::print_stderr, reason = "standard error is the agent's log: the gateway captures it")]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bridge32_protocol::PROTOCOL;
use bridge32_protocol::wire::{Handover, Health, Lease, Registration};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::layout::HOST;
use crate::platform::resident_bytes;
use crate::server::Server;
use crate::trust::Trust;

/// How soon a registration that did not get through is repeated.
const RETRY: Duration = Duration::from_millis(200);

/// The gateway does not want this agent.
#[derive(Debug, thiserror::Error)]
#[error("the gateway refuses this agent: {0}")]
pub struct Refused(String);

/// Registers, and keeps the lease alive. Returns only when the gateway refuses this agent for good.
pub async fn keep(handover: Handover, address: String, server: Arc<Server>, trust: Trust) -> Refused {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let started = Instant::now();
    let mut reached = true;
    loop {
        let registration = Registration {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: handover.generation,
            runtime: HOST,
            pointer_bits: HOST.pointer_bytes() * 8,
            pid: std::process::id(),
            address: address.clone(),
            libraries: server.libraries(),
            health: health(&server, started),
        };
        let pause = match put(&client, &handover, &registration, &trust).await {
            Ok(Answer::Lease(lease)) => {
                reached = true;
                Duration::from_millis(lease.heartbeat_ms)
            }
            Ok(Answer::Refused(text)) => return Refused(text),
            Err(error) => {
                // Once, not five times a second: a gateway that is stopping takes no registrations any more.
                if std::mem::take(&mut reached) {
                    eprintln!("the gateway {} cannot be reached, trying again: {error}", handover.gateway);
                }
                RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

enum Answer {
    Lease(Lease),
    Refused(String),
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
    match status {
        StatusCode::OK => Ok(Answer::Lease(serde_json::from_slice(&body)?)),
        // Another protocol, a newer generation, or no such agent: none of that mends itself.
        StatusCode::CONFLICT | StatusCode::NOT_FOUND => {
            Ok(Answer::Refused(String::from_utf8_lossy(&body).into_owned()))
        }
        _ => Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into()),
    }
}

fn health(server: &Server, started: Instant) -> Health {
    Health {
        uptime_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        calls: server.counters.called.load(Ordering::Relaxed),
        pending: server.counters.pending.load(Ordering::Relaxed),
        resident_bytes: resident_bytes(),
    }
}
