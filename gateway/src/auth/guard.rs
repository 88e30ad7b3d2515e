//! What stands before every handler: the body is taken whole, the signature is checked, then the scope.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::Auth;
use super::scopes::{Need, Scopes};
use super::verify;
use crate::agents::token::CallbackId;
use crate::bridge::Bridge;
use crate::error::{Code, Problem};

/// The largest body, in bytes, where anybody may send one: registrations, and routes that take none.
const SMALL_BODY: usize = 64 << 10;

/// What one route needs, and the gateway that knows who may.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The gateway.
    pub bridge: Arc<Bridge>,
    /// What the route needs.
    pub need: Need,
}

/// Whether a request was signed by the agent that its path names.
#[derive(Clone, Debug)]
pub struct AgentProof(pub Result<(), Problem>);

impl<S: Sync> FromRequestParts<S> for AgentProof {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.remove().ok_or_else(|| Problem::internal("a route for agents is not guarded as one"))
    }
}

/// Who asks, for handlers that need to know more than whether the route is allowed.
#[derive(Clone, Debug)]
pub struct Caller(Option<(String, Scopes)>, Via);

/// How a caller shows who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// By a signature.
    Key,
    /// By the cookie of a session.
    Session,
}

impl Caller {
    /// Whoever has these scopes.
    #[cfg(test)]
    pub(crate) fn with(scopes: Scopes) -> Self {
        Self(Some(("a-key".to_owned(), scopes)), Via::Key)
    }

    /// Anybody, as where nothing is signed.
    #[cfg(test)]
    pub(crate) const fn anybody() -> Self {
        Self(None, Via::Key)
    }

    /// How they show who they are.
    pub const fn via(&self) -> Via {
        self.1
    }

    /// Who they are, and what they may do; `None` where anybody may do everything.
    pub fn known(&self) -> Option<(&str, &Scopes)> {
        self.0.as_ref().map(|(name, scopes)| (name.as_str(), scopes))
    }

    /// Whether the caller may do this.
    ///
    /// # Errors
    /// The scope that is missing.
    pub fn may(&self, need: Need, library: &str, function: &str) -> Result<(), Problem> {
        match &self.0 {
            None => Ok(()),
            Some((id, scopes)) => allow(id, scopes, need, library, function),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.remove().ok_or_else(|| Problem::internal("a route that needs the caller is not guarded so"))
    }
}

fn allow(id: &str, scopes: &Scopes, need: Need, library: &str, function: &str) -> Result<(), Problem> {
    scopes.allow(need, library, function).map_err(|missing| {
        Problem::new(Code::Forbidden, format!("The key `{id}` does not have the scope `{missing}`."))
    })
}

/// Lets a request through to its handler, or answers why not.
///
/// # Errors
/// The body is too large, the signature is not good, or its key may not do this.
pub async fn guard(
    State(guard): State<Guard>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Guard { bridge, need } = guard;
    let params = params.map_err(|rejection| Problem::new(Code::MalformedRequest, rejection.body_text()))?;
    let (mut parts, body) = request.into_parts();
    let session = match (&bridge.auth, need) {
        (Auth::Off, _) | (_, Need::Public | Need::Agent) => None,
        (Auth::Hmac(_), _) => bridge.sessions.of_request(&bridge.auth, &parts)?,
    };
    // Who has no key cannot make the gateway hold a large body.
    let (believed, limit) = match (&bridge.auth, need) {
        (_, Need::Public | Need::Agent) => (None, SMALL_BODY),
        (Auth::Off, _) => (None, bridge.config.max_body),
        (Auth::Hmac(_), _) if session.is_some() => (None, bridge.config.max_body),
        (Auth::Hmac(keys), _) => (Some((keys, keys.verify(&parts)?)), bridge.config.max_body),
    };
    let body = take(&parts.headers, body, limit).await?;
    let param = |name: &str| params.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value);
    if need == Need::Agent {
        let key = bridge.agents.get(param("id")).and_then(|agent| agent.key());
        let proof = verify::agent(&parts, &body, key.as_deref());
        parts.extensions.insert(AgentProof(proof));
    }
    let owner = believed.map(|(keys, head)| keys.accept(head, &parts, &body)).transpose()?;
    let (who, via) = match &session {
        Some(session) => (Some((session.grant.owner.as_str(), &session.grant.scopes)), Via::Session),
        None => (owner.map(|owner| (owner.key.id(), &owner.scopes)), Via::Key),
    };
    if let (Some((name, scopes)), Some((library, function))) = (who, target(need, param)) {
        allow(name, scopes, need, library, function)?;
    }
    if let Some(session) = &session {
        session.check(&parts.method, &parts.headers, &body)?;
    }
    if matches!(need, Need::SomeCall | Need::Read | Need::Manage) {
        parts.extensions.insert(Caller(who.map(|(name, scopes)| (name.to_owned(), scopes.clone())), via));
    }
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

/// The library, and the function or variable, that a request is about; `None` for the id of a callback that is none: the
/// handler answers that it does not exist, whoever asks.
fn target<'a>(need: Need, param: impl Fn(&str) -> &'a str) -> Option<(&'a str, &'a str)> {
    if need == Need::Callback {
        return CallbackId::parse(param("id")).map(|id| (id.library, ""));
    }
    let function = Some(param("function")).filter(|name| !name.is_empty());
    Some((param("library"), function.unwrap_or_else(|| param("variable"))))
}

/// The whole body, up to `limit` bytes.
async fn take(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail =
            format!("The body is larger than {limit} bytes; for calls `max_body` in the configuration sets the limit.");
        Problem::new(Code::PayloadTooLarge, detail)
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(Problem::new(Code::MalformedRequest, format!("The body did not arrive whole: {error}."))),
    }
}
