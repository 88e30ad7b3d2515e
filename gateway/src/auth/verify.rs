//! Signatures of requests (RFC 9421) and digests of their bodies (RFC 9530), by the crate `bridge32-signature`.

use std::path::Path;
use std::sync::Arc;

use axum::http::header::HOST;
use axum::http::request::Parts;
use bridge32_signature::{
    Digested, Head, Key, Mark, ReplayStore, Request as Covered, SignatureError, verify, verify_head_of_any,
};
use bytes::Bytes;
use jiff::Timestamp;

use super::Arrival;
use super::keys::{Credential, Keys};
use super::names::Names;
use super::replay_log::{ReplayLog, ReplayLogError};
use super::respond::Answer;
use crate::config::Scheme;
use crate::error::Problem;

/// So many signatures are remembered until they are too old to be used again: 55,000 a second, as long as clients' clocks go
/// right. More are refused.
const REMEMBERED: usize = 16 << 20;

/// The nonces that were used, and the names that may be signed.
#[derive(Debug)]
pub(super) struct Verifier {
    store: ReplayStore,
    log: Option<ReplayLog>,
    names: Names,
}

impl Verifier {
    /// One that forgets what was used when it ends.
    #[cfg(test)]
    pub(super) fn forgetful() -> Self {
        Self { store: ReplayStore::new(REMEMBERED), log: None, names: Names::default() }
    }

    /// One that knows what was used before a restart.
    ///
    /// # Errors
    /// Nobody knows what was used.
    pub(super) fn open(data_dir: &Path, names: Names) -> Result<Self, ReplayLogError> {
        let store = ReplayStore::new(REMEMBERED);
        let log = ReplayLog::open(data_dir.join("nonces"), &store)?;
        Ok(Self { store, log: Some(log), names })
    }

    /// Writes down what was used.
    pub(super) fn close(&self) {
        if let Some(log) = &self.log {
            log.close();
        }
    }

    fn take(&self, nonce: Mark) -> Result<(), SignatureError> {
        self.store.take(nonce, Timestamp::now().as_second())?;
        let kept = self.log.as_ref().is_none_or(|log| log.push(nonce));
        if kept { Ok(()) } else { Err(SignatureError::Full) }
    }
}

/// A request whose head is believed, and the key that has signed it.
#[derive(Debug)]
pub(super) struct Believed {
    head: Head,
    nonce: Mark,
    /// The key.
    pub(super) key: Arc<Credential>,
}

/// A body, as far as there is need to know it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent<'a> {
    /// It is there.
    Whole(&'a Bytes),
    /// It was there.
    InPieces(&'a Digested),
}

impl Keys {
    /// Verifies the head of a client's request.
    ///
    /// # Errors
    /// What is wrong with the signature.
    pub(super) fn verify(&self, parts: &Parts) -> Result<Believed, Problem> {
        let keys = self.current();
        let find = |id: &str| keys.get(id).map(|key| &key.entry.key);
        let names = self.verifier.names.of(parts);
        let now = Timestamp::now().as_second();
        let head = verify_head_of_any(&names, &parts.headers, find, now)?;
        let key = keys.get(head.key_id()).cloned().ok_or(SignatureError::UnknownKey)?;
        key.check_time()?;
        // Taken it is only with its body; but nobody reads that twice.
        let nonce = Mark::of(head.signed());
        if self.verifier.store.knows(nonce, now) {
            return Err(SignatureError::Replayed.into());
        }
        Ok(Believed { head, nonce, key })
    }

    /// How the answer to such a request is to be signed, if it is.
    ///
    /// # Errors
    /// It cannot be signed as it is asked for.
    pub(super) fn answer(&self, believed: &Believed, parts: &Parts) -> Result<Option<Answer>, Problem> {
        let request = self.verifier.names.of(parts).nth(believed.head.named()).unwrap_or_else(|| covered(parts));
        Answer::asked(&believed.key.entry.key, &request, parts)
    }

    /// Verifies that the body belongs to the head and that both were not seen before.
    ///
    /// # Errors
    /// What is wrong with the signature.
    pub(super) fn accept(&self, believed: Believed, parts: &Parts, body: Sent<'_>) -> Result<(), Problem> {
        match body {
            Sent::Whole(body) => believed.head.with_body(&parts.headers, body)?,
            Sent::InPieces(digested) => believed.head.with_digested(&parts.headers, digested)?,
        };
        Ok(self.verifier.take(believed.nonce)?)
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

/// A request as it came.
pub(super) fn covered(parts: &Parts) -> Covered<'_> {
    Covered {
        method: parts.method.as_str(),
        scheme: parts.extensions.get::<Arrival>().map_or(Scheme::Http, |arrival| arrival.scheme).name(),
        authority: parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
        target: parts.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str),
    }
}
