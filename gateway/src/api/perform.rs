//! The way of every call and batch from its handler to its answer: at once, or kept for a client that comes back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::wire::Batch;
use bytes::Bytes;
use futures_util::future::join_all;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use super::buffers::Wanted;
use super::idempotency::{self, REPLAYED};
use super::kept_calls::{self, gone};
use super::outcome::{Done, Secrets};
use super::prefer::Preferences;
use crate::auth::{Caller, Principal};
use crate::bridge::Bridge;
use crate::dispatch::{CallResult, EndedBatch, Failure, Order, Origin, Pending, Sender};
use crate::error::{CallProblem, Code, Problem};
use crate::kept::{Begun, Ended, Entry, Kept, Outcome, Refused, Request, now};
use crate::libraries::Library;
use crate::trace::{SpanId, traceparent};

/// What is to be run.
#[derive(Debug)]
pub(super) enum Work {
    Call(Box<Order>),
    Batch(Vec<Order>, Batch),
}

/// What of a library a request is about, as its path says.
#[derive(Debug)]
pub(super) enum Target {
    /// A declared function.
    Function(String),
    /// An export, by a prototype, and its name if that has one.
    Export(Option<String>),
    /// Several functions.
    Batch,
}

impl Target {
    /// The end of the path.
    fn path(&self) -> String {
        match self {
            Self::Function(name) => format!("functions/{name}"),
            Self::Export(_) => "calls".to_owned(),
            Self::Batch => "batches".to_owned(),
        }
    }

    fn function(&self) -> Option<&String> {
        match self {
            Self::Function(name) => Some(name),
            Self::Export(name) => name.as_ref(),
            Self::Batch => None,
        }
    }

    /// Where in the body the arguments stand.
    const fn within(&self) -> &'static str {
        match self {
            Self::Export(_) => "/args",
            Self::Function(_) | Self::Batch => "",
        }
    }
}

/// A request that is to be carried out.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) library: Arc<Library>,
    /// For whom.
    pub(super) sender: Sender,
    /// What of the library is meant.
    pub(super) target: Target,
    /// The body: a request that is repeated has the same.
    pub(super) body: Bytes,
    /// How its client wants the buffers that come out; `None` if in JSON.
    pub(super) wanted: Option<Wanted>,
    pub(super) work: Work,
}

/// The header of an answer that says to which trace the call belongs, as a draft of W3C has it beside `traceparent`.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Carries out a request as its headers want it, and says to which trace its call belongs. Everything that keeps the call from
/// returning is an answer, too.
pub(super) async fn perform(bridge: &Arc<Bridge>, caller: &Caller, headers: &HeaderMap, task: Task) -> Response {
    let (id, origin) = (task.work.id(), Arc::clone(&task.sender.origin));
    let mut response = carried_out(bridge, caller, headers, task)
        .await
        .unwrap_or_else(|problem| CallProblem::from(problem).into_response());
    // Another request's call has its own trace.
    if !response.headers().contains_key(REPLAYED) {
        let trace = origin.trace_of(id);
        let context = traceparent(trace, SpanId::of_call(id), bridge.observer.traces.samples(&origin, trace));
        response.headers_mut().extend(HeaderValue::try_from(context).ok().map(|value| (TRACERESPONSE, value)));
    }
    response
}

async fn carried_out(
    bridge: &Arc<Bridge>,
    caller: &Caller,
    headers: &HeaderMap,
    mut task: Task,
) -> Result<Response, Problem> {
    let preferences = Preferences::read(headers)?;
    let key = idempotency::key(headers)?;
    task.work.prepare(&preferences, &task.library)?;
    task.note_key(key.as_deref());
    if !preferences.respond_async && key.is_none() {
        must_be_recordable(bridge)?;
        let done = task.work.run(&task.library, &task.sender).await;
        let mut response = match (task.wanted, done) {
            (Some(wanted), Done::Call(id, result)) => {
                let answer = result.map_err(|failure| Problem::of_call(id, failure))?;
                wanted.answer(id, &answer)?
            }
            (_, done) => done.answer(task.target.within())?,
        };
        preferences.note(&mut response, false);
        return Ok(response);
    }
    if task.wanted.is_some() {
        let detail = "An answer that is no JSON is not kept: leave out `Prefer: respond-async` and `Idempotency-Key`, or accept \
                      application/json. The call was not made.";
        return Err(Problem::new(Code::NotAcceptable, detail));
    }
    let request = task.request(caller, key);
    // A client that hangs up now or later does not stop what has begun.
    let begun = tokio::spawn(begin(Arc::clone(bridge), caller.clone(), request, task)).await;
    match begun.map_err(Problem::internal)?? {
        Begun::New(entry) => answer(bridge, &entry, &preferences, false).await,
        Begun::Known(entry) => answer(bridge, &entry, &preferences, true).await,
    }
}

impl Work {
    /// Says in each call how long its client waits.
    fn prepare(&mut self, preferences: &Preferences, library: &Library) -> Result<(), Problem> {
        let orders = match self {
            Self::Call(order) => std::slice::from_mut(&mut **order),
            Self::Batch(orders, _) => orders,
        };
        let together: Duration = orders.iter().map(|order| order.deadline).sum();
        for order in orders {
            preferences.apply(order, together.max(library.config.running.max_deadline))?;
        }
        Ok(())
    }

    /// The id of the call, or of the batch.
    fn id(&self) -> Uuid {
        match self {
            Self::Call(order) => order.id,
            Self::Batch(orders, _) => {
                orders.iter().find_map(|order| Some(order.part?.batch)).unwrap_or_else(Uuid::now_v7)
            }
        }
    }

    fn ids(&self) -> Vec<Uuid> {
        match self {
            Self::Call(order) => vec![order.id],
            Self::Batch(orders, _) => orders.iter().map(|order| order.id).collect(),
        }
    }

    async fn run(self, library: &Library, sender: &Sender) -> Done {
        match self {
            Self::Call(order) => {
                let (id, result) = library.call(*order, sender).end().await;
                Done::Call(id, Box::new(result))
            }
            Self::Batch(..) => Done::Batch(self.run_batch(library, sender).await),
        }
    }

    async fn run_batch(self, library: &Library, sender: &Sender) -> Result<Vec<(Uuid, CallResult)>, Failure> {
        let (id, since) = (self.id(), Instant::now());
        let Self::Batch(orders, batch) = self else { return Ok(Vec::new()) };
        let calls = orders.len();
        let done = match library.batch(orders, batch, sender) {
            Ok(pending) => Ok(join_all(pending.into_iter().map(Pending::end)).await),
            Err(failure) => Err(failure),
        };
        if let Some(witness) = &sender.witness {
            let (library, origin) = (library.name.as_str().into(), Arc::clone(&sender.origin));
            let failure = done.as_ref().err().cloned();
            witness.batch_ended(EndedBatch { id, library, calls, origin, failure, since, until: Instant::now() });
        }
        done
    }
}

impl Task {
    /// Who asks says with which key the request could be repeated.
    fn note_key(&mut self, key: Option<&str>) {
        let Some(key) = key else { return };
        let idempotency_key = Some(digest(&[key.as_bytes()]));
        self.sender.origin = Arc::new(Origin { idempotency_key, ..Origin::clone(&self.sender.origin) });
    }

    /// The id of the session, or nothing.
    fn session(&self) -> Uuid {
        self.sender.session.as_ref().map_or(Uuid::nil(), |pin| pin.session)
    }

    fn request(&self, caller: &Caller, idempotency_key: Option<String>) -> Request {
        let id = self.work.id();
        let principal = caller.principal.as_ref();
        Request {
            id,
            owner: principal.map_or_else(String::new, |principal| principal.owner().to_owned()),
            key_id: principal.map_or("", Principal::name).to_owned(),
            library: self.library.name.clone(),
            target: self.target.path(),
            function: self.target.function().cloned(),
            // The body may have secrets that are easy to guess. Together with a key that nobody can guess, and of which the
            // table has but a hash, it is not.
            // A session is a part of what is asked for.
            body_digest: idempotency_key
                .as_ref()
                .map(|key| digest(&[key.as_bytes(), b"\0", self.session().as_bytes(), &self.body])),
            idempotency_key: idempotency_key.map(|key| digest(&[key.as_bytes()])),
            created_at: now(),
        }
    }
}

/// SHA-256 in base64.
fn digest(parts: &[&[u8]]) -> String {
    let digest = parts.iter().fold(Sha256::new(), Digest::chain_update);
    STANDARD.encode(digest.finalize())
}

/// Writes the call down; one that is new is then made, whoever waits for it.
async fn begin(bridge: Arc<Bridge>, caller: Caller, request: Request, task: Task) -> Result<Begun, Problem> {
    // Asked last of all: who only repeats a request needs no room for another call.
    let mut slot = Ok(None);
    let admit = || {
        slot = must_be_recordable(&bridge).and_then(|()| bridge.auth.keep(&caller));
        slot.is_ok()
    };
    let begun = bridge.kept.begin(request, task.work.ids(), admit).await;
    let slot = slot?;
    let begun = begun?;
    if let Begun::New(entry) = &begun {
        let (bridge, entry) = (Arc::clone(&bridge), Arc::clone(entry));
        tokio::spawn(async move {
            carry_out(bridge, entry, task).await;
            drop(slot);
        });
    }
    Ok(begun)
}

/// Makes a kept call, and writes how it ended.
async fn carry_out(bridge: Arc<Bridge>, entry: Arc<Entry>, task: Task) {
    let id = entry.request.id;
    let secrets = Secrets::of(&task.work);
    let (within, name) = (task.target.within(), task.library.name.clone());
    // In a task of its own, so that even a panic of ours is an outcome.
    let run = tokio::spawn({
        let (bridge, entry) = (Arc::clone(&bridge), Arc::clone(&entry));
        async move {
            let Task { library, sender, work, .. } = task;
            tokio::select! {
                done = work.run(&library, &sender) => done,
                never = end_when_asked(&bridge, &entry) => match never {},
            }
        }
    });
    let (outcome, is_sensitive) = match run.await {
        Ok(done) => {
            let done = if entry.is_cancelled() { done } else { done.unless_stopping() };
            // A library that is gone may have been replaced by one before that nobody can ask any more.
            let now = bridge.libraries.get(&name).map(|library| library.declared());
            let is_sensitive = secrets.and_now(now.as_ref()).are_in(&done);
            (done.outcome(id, within), is_sensitive)
        }
        Err(error) => (Done::broken(id, &error), false),
    };
    bridge.kept.end(&entry, outcome, is_sensitive).await;
}

/// Ends the call once somebody wants that. It may not be in the queue yet, or just be on its way from there.
async fn end_when_asked(bridge: &Bridge, entry: &Entry) -> Infallible {
    entry.cancellation().await;
    while !bridge.cancel(entry) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    std::future::pending().await
}

/// Waits for the outcome as long as the client wants, and answers with it or with where it will be.
async fn answer(
    bridge: &Bridge,
    entry: &Entry,
    preferences: &Preferences,
    is_known: bool,
) -> Result<Response, Problem> {
    let patience = match (preferences.respond_async, preferences.wait) {
        (true, wait) => Some(wait.unwrap_or_default()),
        // A new call is ended by its own deadline.
        (false, wait) => wait.filter(|_| is_known),
    };
    // Whoever asks for 202 alone gets it, however quick the call is: one way to go on is enough for a client.
    let at_once = entry.ended().filter(|_| is_known || patience != Some(Duration::ZERO));
    let ended = match (at_once, patience) {
        (None, Some(Duration::ZERO)) => None,
        (Some(ended), _) => Some(ended),
        (None, None) => Some(entry.end().await),
        (None, Some(patience)) => tokio::time::timeout(patience, entry.end()).await.ok(),
    };
    let mut response = match &ended {
        Some(ended) => outcome(entry, ended)?,
        None if preferences.respond_async => accepted(bridge, entry),
        None => return Err(still_running(entry)),
    };
    preferences.note(&mut response, ended.is_none());
    if is_known {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The outcome as it was kept, byte for byte.
fn outcome(entry: &Entry, ended: &Ended) -> Result<Response, Problem> {
    let Outcome { status, code, retry_after, answer, .. } = &ended.outcome;
    let body = match answer {
        Kept::Answer(body) => body.clone(),
        Kept::Gone(why) => return Err(gone(entry.request.id, *why)),
    };
    let status = StatusCode::from_u16(*status).map_err(Problem::internal)?;
    let media_type = if code.is_some() { "application/problem+json" } else { "application/json" };
    let mut response = (status, [(CONTENT_TYPE, HeaderValue::from_static(media_type))], body).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(axum::http::header::RETRY_AFTER, (*seconds).into());
    }
    Ok(response)
}

/// The call goes on; its outcome will be at `Location`.
fn accepted(bridge: &Bridge, entry: &Entry) -> Response {
    let shown = kept_calls::shown(bridge, entry);
    let mut response = (StatusCode::ACCEPTED, super::reply::json(shown)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/calls/{}", entry.request.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn still_running(entry: &Entry) -> Problem {
    let id = entry.request.id;
    let detail = format!(
        "The request whose Idempotency-Key this one repeats has made the call {id}, which has not ended yet. It goes on: send the \
         request again, or GET /v1/calls/{id}?wait=10s."
    );
    Problem::about_call(id, Code::DeadlineExceeded, detail)
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            // Whoever asks has the key's own words for it.
            Refused::NotAdmitted => Self::new(Code::ConcurrencyLimited, refused.to_string()).with_retry_after(1),
            Refused::Mismatch { call } => Self::new(
                Code::IdempotencyMismatch,
                format!(
                    "The same Idempotency-Key came before, with another body, and made the call {call}. This request was not run: \
                     choose a new key for each call, and repeat a request byte for byte."
                ),
            ),
            Refused::Full { .. } => {
                unavailable(&format!("{refused}: `max_outcomes` and `max_size` of [history] set the limits"))
            }
            Refused::Store(error) => {
                tracing::error!(%error, "a call that is to be kept is refused");
                unavailable("the table of calls cannot be used, and the gateway's log says why")
            }
        }
    }
}

fn unavailable(why: &str) -> Problem {
    let detail = format!(
        "The call was not run, because its outcome could not be kept: {why}. Without `Prefer: respond-async` and \
         `Idempotency-Key` it can be made now."
    );
    Problem::new(Code::HistoryUnavailable, detail).with_retry_after(30)
}

/// Refuses new calls where each must be in the history before it is answered, and that cannot be written.
pub(super) fn must_be_recordable(bridge: &Bridge) -> Result<(), Problem> {
    bridge.observer.history.admit().map_err(|why| {
        let detail = format!(
            "The call was not run: the history must have each call before it is answered (`durability = \"before_answer\"` of \
             [history]), and cannot be written now: {why}."
        );
        Problem::new(Code::HistoryUnavailable, detail).with_retry_after(5)
    })
}

/// The failure of what the gateway has not sent before it stopped.
pub(super) fn not_sent() -> Failure {
    Failure::NoAgent { reason: "the gateway was stopped before its turn came".to_owned(), retry: true }
}
