//! The agent's HTTP server on the loopback interface: what the gateway asks of it (see `protocol::wire`), one match.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bridge32_protocol::json::complaint;
use bridge32_protocol::wire::{CallList, CallbackList, Fault, FaultCode, HandleList, ImageRequest, LANE, Load, Rebind};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::apartment::{Apartment, Call, Calls, Counters};
use crate::callbacks::Events;
use crate::crash::TraceId;
use crate::diagnosis;
use crate::handles::HandleError;
use crate::journal::Journal;
use crate::output::Output;
use crate::platform::{end_process, keep_from_children, observe};
use crate::trust::Trust;

/// The largest request: more than the gateway ever sends.
const MAX_REQUEST_BYTES: usize = 512 << 20;

/// The pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// So long a connection has to show that it is the gateway's.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many connections may be trying to.
const STRANGERS: usize = 128;

/// The largest head of a request; also what is read at a time.
const HEAD_BYTES: usize = 64 << 10;

/// Lines that are ready together go out together, up to about this many bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// How often a stream of events that is idle shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

type Reply = Response<Either<Full<Bytes>, Lines>>;

/// What the requests share.
#[derive(Debug)]
pub struct Server {
    apartments: Mutex<HashMap<String, Arc<Apartment>>>,
    /// What the apartments count.
    pub counters: Arc<Counters>,
    trust: Trust,
    journal: Journal,
    output: Option<Arc<Output>>,
    ending: watch::Sender<bool>,
}

impl Server {
    /// A server that has no library yet, and answers whom `trust` knows.
    pub fn new(trust: Trust, journal: Journal, output: Option<Output>) -> Arc<Self> {
        Arc::new(Self {
            apartments: Mutex::default(),
            counters: Arc::default(),
            trust,
            journal,
            output: output.map(Arc::new),
            ending: watch::Sender::new(false),
        })
    }

    /// The names of the libraries that are loaded.
    pub fn libraries(&self) -> Vec<String> {
        let mut names: Vec<String> = self.table().keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// Serves connections until the gateway asks for the end.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut ending = self.ending.subscribe();
        let strangers = Arc::new(Semaphore::new(STRANGERS));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = ending.wait_for(|ending| *ending) => return,
            };
            let Ok((stream, _)) = accepted else {
                // Of one connection (it was reset), or for a while (no descriptors left): neither ends the agent.
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // An answer line must not wait for the next one. Without this it is slower, not wrong.
            let _ = stream.set_nodelay(true);
            keep_from_children(&stream);
            let server = Arc::clone(&self);
            // Anybody on this machine can connect; only the gateway can go on. Without a place the connection is dropped.
            let Ok(place) = Arc::clone(&strangers).try_acquire_owned() else { continue };
            tokio::spawn(async move { server.converse(stream, place).await });
        }
    }

    /// Answers what comes on one connection, until it turns out that it is not the gateway's.
    async fn converse(self: Arc<Self>, stream: TcpStream, place: OwnedSemaphorePermit) {
        let known = Arc::new(AtomicBool::new(false));
        let mut connection = pin!(self.connection(stream, Arc::clone(&known), false));
        // A connection that breaks is the gateway's to notice.
        if tokio::time::timeout(PATIENCE, connection.as_mut()).await.is_err() && known.load(Ordering::Relaxed) {
            drop(place);
            let _ = connection.await;
        }
    }

    /// Serves a connection. With `is_of_lane` that is done by the thread that runs its calls.
    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        known: Arc<AtomicBool>,
        is_of_lane: bool,
    ) -> hyper::Result<()> {
        let service = service_fn(move |request| Arc::clone(&self).answer(request, Arc::clone(&known), is_of_lane));
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES).serve_connection(TokioIo::new(stream), service).with_upgrades().await
    }

    async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        known: Arc<AtomicBool>,
        is_of_lane: bool,
    ) -> Result<Reply, Infallible> {
        let upgraded = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        // A connection that was handed over was the gateway's already.
        let believed = if is_of_lane { None } else { Some(self.trust.verify(&head)) };
        let believed = match believed.transpose() {
            Ok(believed) => believed,
            Err(refusal) => return Ok(refused(&refusal.to_string())),
        };
        known.store(true, Ordering::Relaxed);
        let body = match Limited::new(body, MAX_REQUEST_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return Ok(fault(&malformed(format!("the body could not be read: {error}")))),
        };
        if let Some(believed) = believed
            && let Err(refusal) = self.trust.accept(believed, &head, &body)
        {
            return Ok(refused(&refusal.to_string()));
        }
        let path = head.uri.path().trim_start_matches('/');
        Ok(match (&head.method, path.split_once('/').unwrap_or((path, ""))) {
            (&Method::POST, ("calls", "")) => self.calls(&body, is_of_lane).await,
            (&Method::POST, ("lanes", rest)) if asks_for_lane(&head) => self.attend(rest, upgraded),
            (&Method::PUT, ("libraries", rest)) if !rest.is_empty() => match rest.strip_suffix("/interface") {
                Some(name) => self.rebind(name, &body).await,
                None => self.load(rest, &body).await,
            },
            (&Method::GET, ("handles", name)) => self.handles(name),
            (&Method::GET, ("callbacks", rest)) => self.callbacks(rest, head.uri.query().unwrap_or_default()),
            (&Method::DELETE, ("callbacks", rest)) => self.end_callback(rest),
            (&Method::DELETE, ("sessions", rest)) => self.end_session(rest, head.uri.query().unwrap_or_default()).await,
            (&Method::GET, ("observation", "")) => json(StatusCode::OK, &observe().await),
            (&Method::POST, ("image", "")) => image(&body),
            (&Method::POST, ("shutdown", "")) => self.shutdown().await,
            (&Method::POST, ("end", "")) => end_process(0),
            (&Method::GET, ("proof", "")) => self.prove(&head),
            _ => fault(&malformed(format!("{} {} is no request of the protocol", head.method, head.uri.path()))),
        })
    }

    async fn calls(&self, body: &Bytes, is_of_lane: bool) -> Reply {
        let arrived = Instant::now();
        let list: CallList<'_> = match parsed(body) {
            Ok(list) => list,
            Err(error) => return fault(&error),
        };
        let apartment = match self.apartment(&list.library) {
            Ok(apartment) => apartment,
            Err(error) => return fault(&error),
        };
        // Both share the request's buffer.
        let own = |call: bridge32_protocol::wire::Call<'_>| Call {
            id: call.id,
            callee: body.slice_ref(call.callee.get().as_bytes()),
            args: body.slice_ref(call.args.get().as_bytes()),
            session: call.session,
            trace: call.traceparent.as_deref().and_then(TraceId::of),
            buffers: call.buffers,
        };
        let is_alone = list.calls.len() == 1;
        if is_of_lane && !is_alone {
            // Nobody would send the outcomes while the next one runs.
            return fault(&malformed("the thread of a lane takes one call at a time".to_owned()));
        }
        let calls = list.calls.into_iter().map(own).collect();
        match apartment.call(list.lane, Calls { calls, batch: list.batch, revision: list.revision, arrived }) {
            Ok(mut outcomes) => {
                // The head goes out together with the first outcome, which is all of a lone call: one write, and the gateway is
                // woken once.
                let first = outcomes.recv().await;
                let body = match (first, is_alone) {
                    (Some(only), true) => Either::Left(Full::from(only)),
                    (next, _) => Either::Right(Lines { outcomes, next }),
                };
                reply(StatusCode::OK, "application/x-ndjson", body)
            }
            Err(error) => fault(&error),
        }
    }

    /// `{library}/{lane}`: the connection is the lane's from now on.
    fn attend(self: Arc<Self>, path: &str, upgraded: OnUpgrade) -> Reply {
        let (library, lane) = path.rsplit_once('/').unwrap_or((path, ""));
        let Ok(lane) = lane.parse() else {
            return fault(&malformed(format!("POST /lanes/{path} is no request of the protocol")));
        };
        let attend = match self.apartment(library).and_then(|apartment| apartment.attendance(lane)) {
            Ok(attend) => attend,
            Err(error) => return fault(&error),
        };
        tokio::spawn(async move {
            // A connection that breaks is the gateway's to notice, here and later.
            let Ok(upgraded) = upgraded.await else { return };
            let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else { return };
            let Ok(stream) = parts.io.into_inner().into_std() else { return };
            let served = async move {
                if let Ok(stream) = TcpStream::from_std(stream) {
                    let _ = self.connection(stream, Arc::default(), true).await;
                }
            };
            attend(Box::pin(served));
        });
        let mut reply = Response::new(Either::Left(Full::default()));
        *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        reply.headers_mut().insert(UPGRADE, HeaderValue::from_static(LANE));
        reply
    }

    async fn load(&self, name: &str, body: &Bytes) -> Reply {
        let load: Load = match parsed(body) {
            Ok(load) => load,
            Err(error) => return fault(&error),
        };
        if self.table().contains_key(name) {
            return fault(&malformed(format!("the library `{name}` is already loaded")));
        }
        match Apartment::open(name, load, Arc::clone(&self.counters), self.journal, self.output.clone()).await {
            Ok((apartment, loaded)) => {
                self.table().insert(name.to_owned(), Arc::new(apartment));
                json(StatusCode::OK, &loaded)
            }
            Err(error) => fault(&error),
        }
    }

    async fn rebind(&self, name: &str, body: &Bytes) -> Reply {
        let rebind = parsed::<Rebind>(body).and_then(|rebind| Ok((self.apartment(name)?, rebind)));
        let rebound = match rebind {
            Ok((apartment, rebind)) => apartment.rebind(rebind).await,
            Err(error) => Err(error),
        };
        rebound.map_or_else(|error| fault(&error), |loaded| json(StatusCode::OK, &loaded))
    }

    fn apartment(&self, library: &str) -> Result<Arc<Apartment>, Fault> {
        self.table().get(library).cloned().ok_or_else(|| {
            let detail = format!("the library `{library}` is not loaded in this agent");
            Fault { code: FaultCode::NotLoaded, detail, pointer: None, ran: false }
        })
    }

    fn handles(&self, library: &str) -> Reply {
        match self.apartment(library) {
            Ok(apartment) => json(StatusCode::OK, &HandleList { handles: apartment.handles.list() }),
            Err(error) => fault(&error),
        }
    }

    /// `{library}`: the list; `{library}/{id}/events?after=n`: the stream of one.
    fn callbacks(&self, path: &str, query: &str) -> Reply {
        let mut parts = path.split('/');
        let (library, id, events) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let apartment = match self.apartment(library) {
            Ok(apartment) => apartment,
            Err(error) => return fault(&error),
        };
        let Some(id) = id else {
            return json(StatusCode::OK, &CallbackList { callbacks: apartment.callbacks.list() });
        };
        let after = query.strip_prefix("after=").map_or(Ok(0), str::parse);
        let (Some("events"), Ok(after)) = (events, after) else {
            return fault(&malformed(format!("/callbacks/{path}?{query} is no request of the protocol")));
        };
        match apartment.callbacks.events(id, after) {
            Ok(events) => {
                let (sender, outcomes) = tokio::sync::mpsc::channel(1);
                tokio::spawn(stream(events, sender));
                reply(StatusCode::OK, "application/x-ndjson", Either::Right(Lines { outcomes, next: None }))
            }
            Err(error) => fault(&unknown_callback(&error)),
        }
    }

    fn end_callback(&self, path: &str) -> Reply {
        let (library, id) = path.split_once('/').unwrap_or((path, ""));
        let ended = self
            .apartment(library)
            .and_then(|apartment| apartment.callbacks.end(id).map_err(|error| unknown_callback(&error)));
        match ended {
            Ok(()) => reply(StatusCode::NO_CONTENT, "application/json", Either::Left(Full::default())),
            Err(error) => fault(&error),
        }
    }

    /// `{library}/{session}?lane=k`.
    async fn end_session(&self, path: &str, query: &str) -> Reply {
        let (library, session) = path.split_once('/').unwrap_or((path, ""));
        let lane = query.strip_prefix("lane=").and_then(|lane| lane.parse().ok());
        let (Ok(session), Some(lane)) = (session.parse(), lane) else {
            return fault(&malformed(format!("DELETE /sessions/{path}?{query} is no request of the protocol")));
        };
        let ended = match self.apartment(library) {
            Ok(apartment) => apartment.end_session(lane, session).await,
            Err(error) => Err(error),
        };
        ended.map_or_else(|error| fault(&error), |end| json(StatusCode::OK, &end))
    }

    /// Shows the gateway that whoever listens here has the key, before it says anything that is not for others.
    fn prove(&self, head: &Parts) -> Reply {
        let empty = Response::builder().status(StatusCode::NO_CONTENT);
        let signed = self.trust.prove(empty, head).map(|reply| reply.body(Either::Left(Full::default())));
        match signed {
            Ok(Ok(reply)) => reply,
            _ => fault(&malformed("the proof cannot be signed".to_owned())),
        }
    }

    async fn shutdown(&self) -> Reply {
        let apartments: Vec<_> = self.table().drain().map(|(_, apartment)| apartment).collect();
        for apartment in apartments {
            apartment.close().await;
        }
        self.ending.send_replace(true);
        reply(StatusCode::NO_CONTENT, "application/json", Either::Left(Full::default()))
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Apartment>>> {
        // The table is consistent between any two statements, so a poisoned lock is as good as a whole one.
        self.apartments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn asks_for_lane(head: &Parts) -> bool {
    head.headers.get(UPGRADE).is_some_and(|protocol| protocol == LANE)
}

/// Sends events as they come, and empty lines while there are none, until there will be no more or nobody listens.
async fn stream(mut events: Events, lines: Sender<Bytes>) {
    loop {
        let line = match tokio::time::timeout(KEEP_ALIVE, events.next()).await {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(_) => Bytes::from_static(b"\n"),
        };
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

fn unknown_callback(error: &HandleError) -> Fault {
    let code =
        if matches!(error, HandleError::Stale { .. }) { FaultCode::StaleHandle } else { FaultCode::ArgumentMismatch };
    let detail = error.to_string().replace("the handle", "the callback").replace("no handle", "no callback");
    Fault { code, detail, pointer: None, ran: false }
}

fn image(body: &Bytes) -> Reply {
    match parsed::<ImageRequest>(body).and_then(|request| diagnosis::inspect(&request.file)) {
        Ok(image) => json(StatusCode::OK, &image),
        Err(error) => fault(&error),
    }
}

fn parsed<'a, T: serde::Deserialize<'a>>(body: &'a Bytes) -> Result<T, Fault> {
    serde_json::from_slice(body)
        .map_err(|error| malformed(format!("the request is not what the protocol says: {}", complaint(&error))))
}

const fn malformed(detail: String) -> Fault {
    Fault { code: FaultCode::MalformedRequest, detail, pointer: None, ran: false }
}

fn fault(fault: &Fault) -> Reply {
    json(StatusCode::UNPROCESSABLE_ENTITY, fault)
}

fn refused(detail: &str) -> Reply {
    reply(StatusCode::UNAUTHORIZED, "text/plain", Either::Left(Full::from(detail.to_owned())))
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Reply {
    // Everything of the protocol is plain data with string keys.
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    reply(status, "application/json", Either::Left(Full::from(bytes)))
}

fn reply(status: StatusCode, content_type: &'static str, body: Either<Full<Bytes>, Lines>) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// The outcomes of a list of calls as a body: each line goes out as soon as it is there, with all that are ready.
#[derive(Debug)]
pub struct Lines {
    outcomes: Receiver<Bytes>,
    /// A line that did not fit into the last chunk.
    next: Option<Bytes>,
}

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let first = match self.next.take() {
            Some(line) => line,
            None => match ready!(self.outcomes.poll_recv(context)) {
                Some(line) => line,
                None => return Poll::Ready(None),
            },
        };
        let mut chunk = BytesMut::new();
        while let Ok(line) = self.outcomes.try_recv() {
            if first.len() + chunk.len() + line.len() > CHUNK_BYTES {
                self.next = Some(line);
                break;
            }
            if chunk.is_empty() {
                chunk.reserve(CHUNK_BYTES);
                chunk.extend_from_slice(&first);
            }
            chunk.extend_from_slice(&line);
        }
        let frame = if chunk.is_empty() { first } else { chunk.freeze() };
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }
}
