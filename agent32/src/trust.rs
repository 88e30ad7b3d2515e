//! The key that this agent and its gateway share: requests of both directions are signed with it (RFC 9421), or come on a connection
//! that such a request has passed on, so that no other program of this machine can call the agent, or register in its place.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use bridge32_signature::{Head, Key, ReplayWindow, Request, SignatureError, sign, verify_head};
use hyper::Method;
use hyper::http::request::{Builder, Parts};
use hyper::http::response;
use zeroize::Zeroizing;

/// The handover has no usable key.
#[derive(Debug, thiserror::Error)]
#[error("the handover's key cannot be used; the gateway and this agent do not fit together")]
pub struct UnusableKey;

/// The shared key, and the name by which the gateway reaches this agent.
#[derive(Clone, Debug)]
pub struct Trust {
    key: Key,
    address: Arc<str>,
    requests: Arc<ReplayWindow>,
}

impl Trust {
    /// Takes the key from the handover: its id, and its bytes in base64, which are wiped. `address` is where this agent
    /// listens.
    ///
    /// # Errors
    /// When the key is not base64, or empty.
    pub fn new(id: &str, secret: Zeroizing<String>, address: &str) -> Result<Self, UnusableKey> {
        let bytes = base64::engine::general_purpose::STANDARD.decode(&*secret).map(Zeroizing::new);
        drop(secret);
        let key = bytes.ok().and_then(|bytes| Key::new(id, &bytes)).ok_or(UnusableKey)?;
        Ok(Self { key, address: address.into(), requests: Arc::default() })
    }

    /// Whether a request's head comes from the gateway. Only then is the body worth reading.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self, head: &Parts) -> Result<Head, SignatureError> {
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let request = Request { method: head.method.as_str(), scheme: "http", authority: &self.address, target };
        let known = |id: &str| (id == self.key.id()).then_some(&self.key);
        verify_head(&request, &head.headers, known, unix_seconds())
    }

    /// Whether the body belongs to the head, and this request was not seen before.
    ///
    /// # Errors
    /// Why not.
    pub fn accept(&self, head: Head, parts: &Parts, body: &[u8]) -> Result<(), SignatureError> {
        self.requests.take(&head.with_body(&parts.headers, body)?)
    }

    /// Adds to an answer what shows that this agent has the key: the signature of a request `PROOF`, which nobody ever
    /// makes, for the target with the asker's challenge.
    ///
    /// # Errors
    /// When the system has no random source.
    pub fn prove(&self, answer: response::Builder, asked: &Parts) -> Result<response::Builder, SignatureError> {
        let target = asked.uri.path_and_query().map_or("/", |target| target.as_str());
        let request = Request { method: "PROOF", scheme: "http", authority: &self.address, target };
        let signed = sign(&self.key, &request, &[], unix_seconds())?;
        Ok(signed.pairs().fold(answer, |answer, (name, value)| answer.header(name, value)))
    }

    /// Signs a request to the gateway.
    ///
    /// # Errors
    /// When the system has no random source.
    pub fn sign(
        &self,
        builder: Builder,
        method: &Method,
        authority: &str,
        target: &str,
        body: &[u8],
    ) -> Result<Builder, SignatureError> {
        let request = Request { method: method.as_str(), scheme: "http", authority, target };
        let signed = sign(&self.key, &request, body, unix_seconds())?;
        Ok(signed.pairs().fold(builder, |builder, (name, value)| builder.header(name, value)))
    }
}

fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
