//! Signatures of requests (RFC 9421) and digests of their bodies (RFC 9530), by the crate `bridge32-signature`.

use std::fmt;

use axum::http::header::HOST;
use axum::http::request::Parts;
use bridge32_signature::{Head, Key, ReplayStore, Request as Covered, SignatureError, verify, verify_head};
use jiff::Timestamp;

use super::Arrival;
use super::keys::{Keys, Owner};
use crate::config::Scheme;
use crate::error::Problem;

/// So many signatures are remembered until they are too old to be used again; more than these in ten minutes are
/// refused.
const REMEMBERED: usize = 4 << 20;

/// The nonces that were used.
pub(super) struct Verifier(ReplayStore);

impl Default for Verifier {
    fn default() -> Self {
        Self(ReplayStore::new(REMEMBERED))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Keys {
    /// Verifies the head of a client's request.
    ///
    /// # Errors
    /// What is wrong with the signature.
    pub(super) fn verify(&self, parts: &Parts) -> Result<Head, Problem> {
        let find = |id: &str| self.owners.get(id).map(|owner| &owner.key);
        Ok(verify_head(&covered(parts), &parts.headers, find, Timestamp::now().as_second())?)
    }

    /// Verifies that the body belongs to the head and that both were not seen before, and gives the key that signed.
    ///
    /// # Errors
    /// What is wrong with the signature.
    pub(super) fn accept(&self, head: Head, parts: &Parts, body: &[u8]) -> Result<&Owner, Problem> {
        let verified = head.with_body(&parts.headers, body)?;
        self.verifier.0.take(&verified, Timestamp::now().as_second())?;
        self.owners.get(&verified.key_id).ok_or_else(|| SignatureError::UnknownKey.into())
    }
}

/// Verifies an agent's request with the key of its current generation. Registering twice with one signature does no
/// harm for as long as the generation lasts, so its nonces are not kept.
///
/// # Errors
/// What is wrong with the signature.
pub(super) fn agent(parts: &Parts, body: &[u8], key: Option<&Key>) -> Result<(), Problem> {
    let find = |id: &str| key.filter(|key| key.id() == id);
    verify(&covered(parts), &parts.headers, body, find, Timestamp::now().as_second())?;
    Ok(())
}

fn covered(parts: &Parts) -> Covered<'_> {
    Covered {
        method: parts.method.as_str(),
        scheme: parts.extensions.get::<Arrival>().map_or(Scheme::Http, |arrival| arrival.scheme).name(),
        authority: parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
        target: parts.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str),
    }
}
