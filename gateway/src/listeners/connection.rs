//! One connection: the TLS handshake where there is one, then requests and answers until either side has had enough.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::EXPECT;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use super::leftover::Leftover;
use super::pace::Paced;
use crate::auth::Arrival;
use crate::error::{Code, Problem};
use crate::service::Service;

/// For a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For the head of a request, and for the silence before it.
const HEAD: Duration = Duration::from_secs(20);
/// For a client to take something of an answer.
const STALLED: Duration = Duration::from_mins(1);
/// The largest head in bytes. Below it `auth/hosts.rs` refuses with words.
const LARGEST_HEAD: usize = 64 << 10;
/// The most header lines.
const MOST_HEADERS: usize = 128;

/// Serves a connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    arrival: Arrival,
    service: Service,
    watcher: Watcher,
) {
    // A small answer must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let client = arrival.client;
    let served = match tls {
        None => answer(stream, arrival, |request| service.answer(request), watcher).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE, handshake(stream, &tls)).await {
            Ok(Ok(Hello::Tls(stream))) => answer(stream, arrival, |request| service.answer(request), watcher).await,
            Ok(Ok(Hello::Plain(stream))) => answer(stream, arrival, |_| async { plain() }, watcher).await,
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err("no TLS handshake in time".into()),
        },
    };
    if let Err(error) = served {
        // Whoever scans ports must not fill the log.
        tracing::debug!(%client, %error, "a connection ended");
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a client begins on a listener with TLS.
enum Hello {
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    Plain(TcpStream),
}

/// The first byte of a TLS record with a handshake (RFC 8446 §5.1); no HTTP method begins with it.
const HANDSHAKE_RECORD: u8 = 22;

async fn handshake(stream: TcpStream, tls: &TlsAcceptor) -> std::io::Result<Hello> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        1 if first[0] != HANDSHAKE_RECORD => Ok(Hello::Plain(stream)),
        _ => tls.accept(stream).await.map(Box::new).map(Hello::Tls),
    }
}

/// What is said to somebody who takes a listener with TLS for a plain one.
fn plain() -> Response {
    let detail = "This port speaks TLS: the address begins with https://.";
    ([("connection", "close")], Problem::new(Code::MalformedRequest, detail)).into_response()
}

/// A body with its limits of time.
type Limited = Leftover<Paced<Incoming>>;

/// Answers requests as they come.
async fn answer<S, F>(
    stream: S,
    arrival: Arrival,
    respond: impl Fn(Request<Limited>) -> F,
    watcher: Watcher,
) -> Result<(), BoxError>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
    F: Future<Output = Response>,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALLED));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(arrival.clone());
        let asks_first = request.headers().contains_key(EXPECT);
        let response = respond(request.map(|body| Leftover::new(Paced::new(body), asks_first)));
        async { Ok::<_, Infallible>(response.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_header_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    Ok(watcher.watch(connection).await?)
}
