//! The HTTP client to one agent: signed requests on loopback, HTTP/1.1 with keep-alive, no proxy, no redirects.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bridge32_protocol::wire::{
    CallbackList, Fault, HandleList, ImageRequest, LANE, Load, Loaded, Observation, Rebind, SessionEnd,
};
use bridge32_signature::Key;
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::FutureExt as _;
use futures_util::future::Fuse;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::signing;
use super::token::CallbackId;

/// Where a connection is passed on to a lane.
const LANES: &str = "/lanes/";

/// A line of up to so many bytes gets memory of its own: outcomes are kept longer than the buffer, which is used again.
const LONGEST_COPY: usize = 4096;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For what an agent answers by itself, without its library.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How to speak to one generation of an agent.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    key: Arc<Key>,
    /// How many requests were signed with the key: the agent lets each number through once.
    requests: Arc<AtomicU64>,
}

/// Why there is no answer of an agent.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing of the request was sent.
    #[error("the agent cannot be reached: {0}")]
    NotSent(String),
    /// The request was sent, at least in part, and no whole answer came.
    #[error("the connection to the agent broke: {0}")]
    Broken(String),
    /// An answer came that the protocol does not know.
    #[error("the agent answered {status}, which the protocol does not know: {text}")]
    Unexpected {
        /// The status.
        status: StatusCode,
        /// The beginning of the body.
        text: String,
    },
}

impl Client {
    /// A client for the agent that listens at `address`.
    pub fn new(address: SocketAddr, key: Arc<Key>) -> Self {
        Self { address, key, requests: Arc::default() }
    }

    /// Where the agent listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens a connection that can carry any number of requests, one after the other. Whoever accepts it has shown by then
    /// that it has the key: the port may be another program's meanwhile, or another user's.
    ///
    /// # Errors
    /// Nobody accepts it, or not the agent.
    pub async fn connect(&self) -> Result<Connection, ClientError> {
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(self.address))
            .await
            .map_err(|_| ClientError::NotSent("no answer within 5 s".to_owned()))?
            .map_err(not_sent)?;
        stream.set_nodelay(true).map_err(not_sent)?;
        let mut connection = self.speak(stream).await?;
        let proven = tokio::time::timeout(CONNECT_TIMEOUT, connection.prove()).await;
        // Nothing that matters was sent, however it failed.
        proven.map_err(|_| ClientError::NotSent("no proof of its key within 5 s".to_owned()))?.map_err(|error| {
            match error {
                ClientError::NotSent(why) => ClientError::NotSent(why),
                other => not_sent(other),
            }
        })?;
        Ok(connection)
    }

    /// Opens a connection that the thread of a lane serves: it takes one call at a time, and no other thread is woken for that.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_to_lane(&self, library: &str, lane: u32) -> Result<Connection, ClientError> {
        let connection = self.connect().await?;
        let path = format!("{LANES}{library}/{lane}");
        let handing = tokio::time::timeout(CONNECT_TIMEOUT, connection.hand_over(&path));
        let stream = handing.await.unwrap_or_else(|_| Err(ClientError::NotSent("no answer within 5 s".to_owned())))?;
        Ok(Connection { signs: false, ..self.speak(stream).await? })
    }

    async fn speak(&self, stream: TcpStream) -> Result<Connection, ClientError> {
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(not_sent)?;
        let driver: Driver = Box::pin(driver.with_upgrades());
        Ok(Connection { client: self.clone(), sender, driver: driver.fuse(), signs: true })
    }

    /// Has a library loaded. The inner error is the agent's own.
    ///
    /// # Errors
    /// No answer that the protocol knows.
    pub async fn load(&self, name: &str, load: &Load) -> Result<Result<Loaded, Fault>, ClientError> {
        let path = format!("/libraries/{name}");
        self.ask(Method::PUT, &path, encode(load)?).await
    }

    /// Gives a loaded library another interface, after the calls that were sent before. The inner error is the agent's
    /// own.
    ///
    /// # Errors
    /// No answer that the protocol knows.
    pub async fn rebind(&self, name: &str, rebind: &Rebind) -> Result<Result<Loaded, Fault>, ClientError> {
        let path = format!("/libraries/{name}/interface");
        self.ask(Method::PUT, &path, encode(rebind)?).await
    }

    /// Has what a session owns released, on its lane and after the calls before it. The inner error is the agent's own.
    ///
    /// # Errors
    /// No answer that the protocol knows.
    pub async fn end_session(
        &self,
        library: &str,
        session: Uuid,
        lane: u32,
    ) -> Result<Result<SessionEnd, Fault>, ClientError> {
        let path = format!("/sessions/{library}/{session}?lane={lane}");
        self.ask(Method::DELETE, &path, Bytes::new()).await
    }

    /// What the agent sees of itself, also while its libraries hang. The inner error is the agent's own.
    ///
    /// # Errors
    /// No answer that the protocol knows, or none in time.
    pub async fn observation(&self) -> Result<Result<Observation, Fault>, ClientError> {
        in_time(self.ask(Method::GET, "/observation", Bytes::new())).await
    }

    /// Reads a file's exports through the agent. The inner error is the agent's own.
    ///
    /// # Errors
    /// No answer that the protocol knows, or none in time.
    pub async fn image<T: DeserializeOwned>(&self, file: &str) -> Result<Result<T, Fault>, ClientError> {
        let request = ImageRequest { file: file.to_owned() };
        in_time(self.ask(Method::POST, "/image", encode(&request)?)).await
    }

    /// The live handles of a library, also while one of its functions runs. The inner error is the agent's own.
    ///
    /// # Errors
    /// No answer that the protocol knows, or none in time.
    pub async fn handles(&self, library: &str) -> Result<Result<HandleList, Fault>, ClientError> {
        let path = format!("/handles/{library}");
        in_time(self.ask(Method::GET, &path, Bytes::new())).await
    }

    /// The callbacks of a library that outlive their call. The inner error is the agent's own.
    ///
    /// # Errors
    /// No answer that the protocol knows, or none in time.
    pub async fn callbacks(&self, library: &str) -> Result<Result<CallbackList, Fault>, ClientError> {
        let path = format!("/callbacks/{library}");
        in_time(self.ask(Method::GET, &path, Bytes::new())).await
    }

    /// Gives up a callback that outlives its call. The inner error is the agent's own.
    ///
    /// # Errors
    /// No answer that the protocol knows, or none in time.
    pub async fn remove_callback(&self, id: &CallbackId<'_>) -> Result<Result<(), Fault>, ClientError> {
        let path = format!("/callbacks/{}/{}", id.library, id.text);
        let answer = in_time(self.exchange(Method::DELETE, &path, Bytes::new())).await?;
        Ok(answer.map(drop))
    }

    /// The events of a callback after the one of that number, line by line and without end. The inner error is the
    /// agent's own.
    ///
    /// # Errors
    /// No answer that the protocol knows, or none in time.
    pub async fn events(&self, id: &CallbackId<'_>, after: u64) -> Result<Result<Events, Fault>, ClientError> {
        let path = format!("/callbacks/{}/{}/events?after={after}", id.library, id.text);
        let ask = async {
            let mut connection = self.connect().await?;
            let lines = connection.lines(Method::GET, &path, Bytes::new()).await?;
            Ok(lines.map(|lines| Events { connection, lines }))
        };
        in_time(ask).await
    }

    /// Asks the agent to unload its libraries and to end.
    ///
    /// # Errors
    /// It cannot be asked.
    pub async fn shut_down(&self) -> Result<(), ClientError> {
        let mut connection = self.connect().await?;
        connection.send(Method::POST, "/shutdown", Bytes::new()).await.map(drop)
    }

    /// Makes the agent end at once, whatever its libraries do. It does not answer.
    pub async fn end(&self) {
        let ending = async { self.connect().await?.send(Method::POST, "/end", Bytes::new()).await };
        // One that is gone already is what is wanted.
        let _ = in_time(ending).await;
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Result<T, Fault>, ClientError> {
        let body = match self.exchange(method, path, body).await? {
            Ok(body) => body,
            Err(fault) => return Ok(Err(fault)),
        };
        serde_json::from_slice(&body).map(Ok).map_err(|_| unexpected(StatusCode::OK, &body))
    }

    /// One request on a connection of its own; the body of the answer if it is a success.
    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Result<Bytes, Fault>, ClientError> {
        let mut connection = self.connect().await?;
        let (status, body) = connection.send(method, path, body).await?;
        let body = connection.whole(body).await?;
        if status.is_success() {
            return Ok(Ok(body));
        }
        serde_json::from_slice(&body).map(Err).map_err(|_| unexpected(status, &body))
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
    let late = || ClientError::Broken(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()));
    tokio::time::timeout(ANSWER_TIMEOUT, answer).await.unwrap_or_else(|_| Err(late()))
}

fn not_sent(error: impl std::fmt::Display) -> ClientError {
    ClientError::NotSent(error.to_string())
}

fn unexpected(status: StatusCode, body: &[u8]) -> ClientError {
    ClientError::Unexpected { status, text: String::from_utf8_lossy(body).chars().take(300).collect() }
}

/// What keeps a connection going.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send + Sync>>;

/// One connection to an agent. Whoever waits for an answer keeps it going meanwhile: no task of its own has to be woken
/// on the way there and back.
pub struct Connection {
    client: Client,
    sender: SendRequest<Full<Bytes>>,
    /// What comes on a connection that was handed over needs no signature of its own: both sides have shown there, by signatures,
    /// who they are.
    signs: bool,
    driver: Fuse<Driver>,
}

impl Connection {
    /// Whether the agent has closed it.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a list of calls; the answer comes line by line. The inner error is for all of the calls.
    ///
    /// # Errors
    /// [`ClientError::NotSent`] only if the agent cannot have seen any of it.
    pub async fn calls(&mut self, list: Bytes) -> Result<Result<Lines, Fault>, ClientError> {
        self.lines(Method::POST, "/calls", list).await
    }

    /// Sends a request whose answer comes line by line.
    async fn lines(&mut self, method: Method, path: &str, body: Bytes) -> Result<Result<Lines, Fault>, ClientError> {
        let (status, body) = self.send(method, path, body).await?;
        if status.is_success() {
            return Ok(Ok(Lines { body, buffer: BytesMut::new(), searched: 0 }));
        }
        let body = self.whole(body).await?;
        serde_json::from_slice(&body).map(Err).map_err(|_| unexpected(status, &body))
    }

    /// Has the other side show that it has the key.
    async fn prove(&mut self) -> Result<(), ClientError> {
        let target = signing::challenge().map_err(not_sent)?;
        let (head, body) = self.exchange(Method::GET, &target, Bytes::new()).await?.into_parts();
        let Client { address, key, .. } = &self.client;
        if let Err(error) = signing::verify_proof(&head.headers, &address.to_string(), &target, key) {
            tracing::warn!(%address, agent = key.id(), status = %head.status, %error, "whoever listens there has not the agent's key");
            return Err(ClientError::NotSent(format!("whoever listens at {address} does not have the agent's key")));
        }
        self.whole(body).await.map(drop)
    }

    /// Has the agent pass the connection on to a thread of its own, which speaks HTTP/1.1 from its beginning.
    async fn hand_over(mut self, path: &str) -> Result<TcpStream, ClientError> {
        let refused = |why: &str| ClientError::NotSent(format!("it does not pass the connection on to a lane: {why}"));
        let answer = self.exchange(Method::POST, path, Bytes::new()).await.map_err(not_sent)?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(answer.status().as_str()));
        }
        let upgraded = drive(&mut self.driver, hyper::upgrade::on(answer)).await.map_err(not_sent)?;
        let parts = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| refused("it is no TCP connection"))?;
        Ok(parts.io.into_inner())
    }

    /// The next line of an answer that came on this connection, without its end; `None` after the last one.
    ///
    /// # Errors
    /// The connection broke; a line that had begun is lost.
    pub async fn next(&mut self, lines: &mut Lines) -> Result<Option<Bytes>, ClientError> {
        loop {
            if let Some(line) = lines.take() {
                return Ok(Some(line));
            }
            match drive(&mut self.driver, lines.body.frame()).await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        lines.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(ClientError::Broken(error.to_string())),
                None => return Ok(None),
            }
        }
    }

    async fn whole(&mut self, body: Incoming) -> Result<Bytes, ClientError> {
        let body = drive(&mut self.driver, body.collect()).await;
        body.map(Collected::to_bytes).map_err(|error| ClientError::Broken(error.to_string()))
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Incoming), ClientError> {
        let (head, body) = self.exchange(method, path, body).await?.into_parts();
        Ok((head.status, body))
    }

    async fn exchange(&mut self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        drive(&mut self.driver, self.sender.ready()).await.map_err(not_sent)?;
        let Client { address, key, requests } = &self.client;
        let authority = address.to_string();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &authority)
            .header(CONTENT_TYPE, "application/json")
            .body(())
            .map_err(not_sent)?;
        if path.starts_with(LANES) {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            request.headers_mut().insert(UPGRADE, HeaderValue::from_static(LANE));
        }
        if self.signs {
            let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
            signing::sign(&mut request, &body, &authority, key, number).map_err(not_sent)?;
        }
        let answer = self.sender.try_send_request(request.map(|()| Full::new(body)));
        match drive(&mut self.driver, answer).await {
            Ok(answer) => Ok(answer),
            // hyper gives the request back only if it has written nothing of it.
            Err(error) if error.message().is_some() => Err(not_sent(error.into_error())),
            Err(error) => Err(ClientError::Broken(error.into_error().to_string())),
        }
    }
}

/// Waits for something that comes through a connection, and keeps that going meanwhile.
async fn drive<T>(driver: &mut (impl Future + Unpin), awaited: impl Future<Output = T>) -> T {
    let mut awaited = pin!(awaited);
    poll_fn(|context| {
        if let Poll::Ready(done) = awaited.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        // Once it is over it stays so; why shows in what is awaited.
        let _ = driver.poll_unpin(context);
        awaited.as_mut().poll(context)
    })
    .await
}

/// The lines of an answer, as they arrive: see [`Connection::next`].
pub struct Lines {
    body: Incoming,
    buffer: BytesMut,
    searched: usize,
}

impl Lines {
    fn take(&mut self) -> Option<Bytes> {
        let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let length = std::mem::take(&mut self.searched) + end;
        let line = if length > LONGEST_COPY {
            self.buffer.split_to(length).freeze()
        } else {
            let line = Bytes::copy_from_slice(&self.buffer[..length]);
            self.buffer.advance(length);
            line
        };
        self.buffer.advance(1);
        Some(line)
    }
}

/// Lines that go on without end, on a connection of their own.
pub struct Events {
    connection: Connection,
    lines: Lines,
}

impl Events {
    /// The next line.
    ///
    /// # Errors
    /// As [`Connection::next`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        self.connection.next(&mut self.lines).await
    }
}

fn encode(message: &impl serde::Serialize) -> Result<Bytes, ClientError> {
    serde_json::to_vec(message).map(Bytes::from).map_err(|error| ClientError::NotSent(error.to_string()))
}
