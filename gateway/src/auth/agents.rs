//! Who may register as an agent: one that the gateway has started, with the key that it was handed; one that somebody else
//! starts, with a key of the key file that has the scope `agent`. Neither can stand in for the other.

use std::sync::Arc;

use axum::http::request::Parts;
use bridge32_signature::SignatureError;
use bytes::Bytes;

use super::verify::Sent;
use super::{Auth, Need, Principal, verify};
use crate::agents::Member;
use crate::bridge::Bridge;
use crate::error::Problem;

/// With which key an agent has signed.
#[derive(Clone, Debug)]
pub enum Proven {
    /// That of its current generation.
    Own,
    /// One of the key file.
    Member(Member),
}

/// Verifies a registration for that id.
///
/// # Errors
/// What is wrong with the signature, or the key's scopes.
pub(super) fn prove(bridge: &Bridge, id: &str, parts: &Parts, body: &Bytes) -> Result<Proven, Problem> {
    let agent = bridge.agents.get(id);
    if agent.as_ref().is_some_and(|agent| agent.is_external()) {
        return member(&bridge.auth, id, parts, body).map(Proven::Member);
    }
    let key = agent.and_then(|agent| agent.key());
    verify::agent(parts, body, key.as_deref()).map(|()| Proven::Own)
}

/// The key of the key file that signed, if it has the scope. Its nonces are good once: a registration that was kept could
/// otherwise lead the gateway to where the agent is no more.
fn member(auth: &Auth, id: &str, parts: &Parts, body: &Bytes) -> Result<Member, Problem> {
    let Auth::Hmac(keys) = auth else { return Err(SignatureError::UnknownKey.into()) };
    let believed = keys.verify(parts)?;
    let found = Arc::clone(&believed.key);
    keys.accept(believed, parts, Sent::Whole(body))?;
    // A registration is over as soon as it is answered: no slot is held for it.
    drop(found.begin()?);
    let member = Member { key: Arc::new(found.entry.key.clone()), owner: found.entry.owner.clone() };
    Principal::Key(found).may(Need::Agent, id, "")?;
    Ok(member)
}
