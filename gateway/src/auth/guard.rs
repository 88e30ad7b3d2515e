//! What stands before every handler: the head of the signature, scope and limits, then the body and its digest.

use std::error::Error;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use bridge32_signature::Digested;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::Instant;

use super::agents::{Proven, prove};
use super::arrival::Arrival;
use super::keys::{Keys, Permit};
use super::respond::Answer;
use super::scopes::Need;
use super::sessions::Session;
use super::verify::{Believed, Sent};
use super::{Auth, Principal};
use crate::agents::token::CallbackId;
use crate::bridge::Bridge;
use crate::bulk::{Kind, ReceiveError, Received, receive};
use crate::dispatch::{Origin, Sender};
use crate::error::{Code, Problem};
use crate::listeners::TooSlow;
use crate::trace::TraceContext;

/// The largest body, in bytes, where anybody may send one: registrations, and routes that take none.
const SMALL_BODY: usize = 64 << 10;

/// What one route needs, and the gateway that knows who may.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The gateway.
    pub bridge: Arc<Bridge>,
    /// What the route needs.
    pub need: Need,
    /// Whether it takes buffers as they are, too.
    pub takes_buffers: bool,
}

/// Whether a request was signed by the agent that its path names, and with which key.
#[derive(Clone, Debug)]
pub struct AgentProof(pub Result<Proven, Problem>);

impl<S: Sync> FromRequestParts<S> for AgentProof {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.remove().ok_or_else(|| Problem::internal("a route for agents is not guarded as one"))
    }
}

/// Who asks, for handlers that need to know more than whether the route is allowed.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose key it is; nobody's in particular where nothing is signed.
    pub principal: Option<Principal>,
    /// When the request came.
    pub arrived: Instant,
    /// The trace that the request belongs to, if it says so.
    pub trace: Option<TraceContext>,
}

impl Caller {
    fn of(principal: Option<Principal>, parts: &Parts) -> Self {
        let arrived = parts.extensions.get::<Arrival>().map_or_else(Instant::now, |arrival| arrival.at);
        Self { principal, arrived, trace: TraceContext::of_request(&parts.headers) }
    }

    /// Whether the caller may do this.
    ///
    /// # Errors
    /// The scope that is missing.
    pub fn may(&self, need: Need, library: &str, function: &str) -> Result<(), Problem> {
        self.principal.as_ref().map_or(Ok(()), |principal| principal.may(need, library, function))
    }

    /// Whose the caller's sessions with libraries are; `None` where nobody has to say who they are.
    pub fn owner(&self) -> Option<&str> {
        self.principal.as_ref().map(Principal::owner)
    }

    /// For whom calls of this request are made, outside of a session.
    pub fn sender(&self) -> Sender {
        let (client, owner) = self.principal.as_ref().map(|principal| principal.shared_names().into()).unzip();
        let origin = Origin {
            client,
            owner,
            idempotency_key: None,
            replay_of: None,
            trace: self.trace.clone(),
            arrived: Some(self.arrived),
        };
        Sender { origin: Arc::new(origin), ..Sender::default() }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.remove().ok_or_else(|| Problem::internal("a route that needs the caller is not guarded so"))
    }
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
    let Guard { bridge, need, takes_buffers } = guard;
    let params = params.map_err(|rejection| Problem::new(Code::MalformedRequest, rejection.body_text()))?;
    let param = |name: &str| params.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value);
    let (mut parts, body) = request.into_parts();
    let (caller, entrant) = Entrant::by_head(&bridge, need, param, &parts)?;
    let (body, passage) = if let Some(kind) = Kind::of(&parts.headers).filter(|_| takes_buffers) {
        let (received, digested) = buffers(&bridge, kind, &parts.headers, body).await?;
        parts.extensions.insert(received);
        (Body::empty(), entrant.pass(&parts, Sent::InPieces(&digested))?)
    } else {
        let (body, passage) = entrant.by_body(&parts, body).await?;
        if need == Need::Agent {
            let proof = prove(&bridge, param("id"), &parts, &body);
            parts.extensions.insert(AgentProof(proof));
        }
        (Body::from(body), passage)
    };
    parts.extensions.insert(caller);
    passage.end(next.run(Request::from_parts(parts, body)).await).await
}

/// A request that may pass as far as its head tells.
pub(crate) struct Entrant<'b> {
    bridge: &'b Bridge,
    claim: Claim<'b>,
    permit: Option<Permit>,
}

impl<'b> Entrant<'b> {
    /// Looks at all that the head can tell, before the body: who may not, or asks too much, cannot make the gateway hold a large
    /// one. `param` has what the path says.
    ///
    /// # Errors
    /// The signature is not good, or its key may not do this.
    pub(crate) fn by_head<'p>(
        bridge: &'b Bridge,
        need: Need,
        param: impl Fn(&str) -> &'p str,
        parts: &Parts,
    ) -> Result<(Caller, Self), Problem> {
        let claim = Claim::of(bridge, need, parts)?;
        let caller = Caller::of(claim.principal(), parts);
        if let Some((library, function)) = target(need, param) {
            caller.may(need, library, function)?;
        }
        let permit = claim.begin()?;
        Ok((caller, Self { bridge, claim, permit }))
    }

    /// Takes the whole body and looks at it, too.
    ///
    /// # Errors
    /// The body is too large, or not the one that was signed.
    pub(crate) async fn by_body<B>(self, parts: &Parts, body: B) -> Result<(Bytes, Passage), Problem>
    where
        B: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let body = take(&parts.headers, body, self.claim.largest_body(self.bridge, &parts.method)).await?;
        let passage = self.pass(parts, Sent::Whole(&body))?;
        Ok((body, passage))
    }

    /// Looks at a body that has come.
    fn pass(self, parts: &Parts, body: Sent<'_>) -> Result<Passage, Problem> {
        let is_session = matches!(self.claim, Claim::Session(..));
        let answer = self.claim.check(parts, body)?;
        Ok(Passage { answer, permit: self.permit, is_session })
    }
}

/// What is left to do for a request that may pass, once it is answered.
#[derive(Debug)]
pub(crate) struct Passage {
    /// How the answer is to be signed, if it is.
    answer: Option<Answer>,
    /// What the request counts for.
    permit: Option<Permit>,
    is_session: bool,
}

impl Passage {
    /// Signs the answer, if it is to be signed, and has the request count for as long as it is being sent.
    ///
    /// # Errors
    /// It cannot be signed.
    pub(crate) async fn end(self, response: Response) -> Result<Response, Problem> {
        let Self { answer, permit, is_session } = self;
        let response = match answer {
            Some(answer) => answer.sign(response).await?,
            None => response,
        };
        // A page that stays open is live as long, and keeps nobody from calling.
        let permit = permit.filter(|_| !(is_session && is_stream_of_events(&response)));
        Ok(until_sent(response, permit))
    }
}

/// How a request shows whose it is, once its head is believed.
enum Claim<'a> {
    /// Not at all: the route is for everybody, or has a check of its own.
    None,
    /// Nobody has to.
    NotNeeded,
    /// By the token for metrics.
    Token,
    /// By a cookie.
    Session(&'a Auth, Arc<Session>),
    /// By a signature.
    Signature(&'a Keys, Box<Believed>),
}

impl<'a> Claim<'a> {
    fn of(bridge: &'a Bridge, need: Need, parts: &Parts) -> Result<Self, Problem> {
        let keys = match (&bridge.auth, need) {
            (_, Need::Public | Need::Agent) => return Ok(Self::None),
            (Auth::Off, _) => return Ok(Self::NotNeeded),
            (Auth::Hmac(keys), _) => keys,
        };
        if need == Need::Metrics && bridge.metrics_token.is_shown(&parts.headers)? {
            return Ok(Self::Token);
        }
        match bridge.sessions.of_request(&bridge.auth, parts)? {
            Some(session) => Ok(Self::Session(&bridge.auth, session)),
            None => keys.verify(parts).map(|believed| Self::Signature(keys, Box::new(believed))),
        }
    }

    /// Whose it is, if the body belongs to it.
    fn principal(&self) -> Option<Principal> {
        match self {
            Self::None | Self::NotNeeded | Self::Token => None,
            Self::Session(_, session) => Some(Principal::Session(Arc::clone(session))),
            Self::Signature(_, believed) => Some(Principal::Key(Arc::clone(&believed.key))),
        }
    }

    /// Counts it for its key: what a session asks counts for the key that has let it in.
    fn begin(&self) -> Result<Option<Permit>, Problem> {
        match self {
            Self::None | Self::NotNeeded | Self::Token => Ok(None),
            Self::Session(auth, session) => auth.credential_of(&session.grant).map(|key| key.begin()).transpose(),
            Self::Signature(_, believed) => believed.key.begin().map(Some),
        }
    }

    /// The most bytes that its body may have.
    fn largest_body(&self, bridge: &Bridge, method: &Method) -> usize {
        let carries = !matches!(*method, Method::GET | Method::HEAD | Method::DELETE);
        if carries && !matches!(self, Self::None) {
            bridge.config().max_body
        } else {
            SMALL_BODY.min(bridge.config().max_body)
        }
    }

    /// Whether the body belongs to it. Gives how the answer is to be signed, if it is.
    fn check(self, parts: &Parts, body: Sent<'_>) -> Result<Option<Answer>, Problem> {
        match self {
            Self::None | Self::NotNeeded | Self::Token => Ok(None),
            Self::Session(_, session) => {
                // What is not there any more has no field with the token: the head must have it.
                let nothing = Bytes::new();
                let fields = if let Sent::Whole(body) = body { body } else { &nothing };
                session.check(&parts.method, &parts.headers, fields).map(|()| None)
            }
            Self::Signature(keys, believed) => {
                let answer = keys.answer(&believed, parts)?;
                keys.accept(*believed, parts, body)?;
                Ok(answer)
            }
        }
    }
}

fn is_stream_of_events(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// The same answer, which counts as long as it is being sent.
fn until_sent(response: Response, permit: Option<Permit>) -> Response {
    let Some(permit) = permit.filter(Permit::counts) else { return response };
    response.map(|body| {
        Body::new(body.map_err(move |error| {
            let _held = &permit;
            error
        }))
    })
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
async fn take<B>(headers: &HeaderMap, body: B, limit: usize) -> Result<Bytes, Problem>
where
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let too_large = || {
        let detail =
            format!("The body is larger than {limit} bytes; for calls `max_body` in the configuration sets the limit.");
        Problem::new(Code::PayloadTooLarge, detail)
    };
    if is_announced_beyond(limit, headers) {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(broken(&*error)),
    }
}

/// The buffers of a body, which is never in memory as a whole.
async fn buffers(
    bridge: &Bridge,
    kind: Kind,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Received, Digested), Problem> {
    let limit = bridge.config().bulk_limit;
    let received = if is_announced_beyond(limit, headers) {
        Err(ReceiveError::TooLarge)
    } else {
        receive(&bridge.bulk, kind, headers, body, limit as u64).await
    };
    received.map_err(|error| match error {
        ReceiveError::TooLarge => {
            let detail = format!(
                "The body is larger than {limit} bytes; for buffers `bulk_limit` in the configuration sets the limit. A 32-bit \
                 process has no more than 2 to 4 GB for all that it has: pass less at a time."
            );
            Problem::new(Code::PayloadTooLarge, detail)
        }
        ReceiveError::Broken(error) => broken(&*error),
        ReceiveError::Parts(why) => Problem::new(Code::MalformedRequest, format!("The body is multipart/form-data, and {why}.")),
        ReceiveError::File(error) => Problem::without_room_for_buffers(&error),
    })
}

fn is_announced_beyond(limit: usize, headers: &HeaderMap) -> bool {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    announced.is_some_and(|length| length > limit)
}

/// The problem of a body that did not come.
fn broken(error: &(dyn std::error::Error + 'static)) -> Problem {
    if TooSlow::is_in(error) {
        return Problem::new(Code::RequestTimeout, TooSlow.to_string());
    }
    Problem::new(Code::MalformedRequest, format!("The body did not arrive whole: {error}."))
}
