//! A small HTTP client for the commands: one request, signed if there is a key.

use bridge32_signature::Key;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::Failed;
use super::request::{Place, json_headers, signature};

/// Where a gateway is, and how to sign what goes there.
pub(super) struct Gateway {
    base: Uri,
    key: Option<Key>,
}

impl Gateway {
    /// A gateway at `url`.
    ///
    /// # Errors
    /// The URL is none, or not for plain HTTP.
    pub(super) fn new(url: &str, key: Option<Key>) -> Result<Self, Failed> {
        let wrong = || Failed::usage(format!("`{url}` is not the address of a gateway, such as http://127.0.0.1:8032"));
        let base: Uri = url.parse().map_err(|_| wrong())?;
        if base.scheme_str() != Some("http") || base.host().is_none() {
            return Err(wrong());
        }
        Ok(Self { base, key })
    }

    /// Where it is.
    pub(super) const fn address(&self) -> &Uri {
        &self.base
    }

    /// Whether what goes there is signed.
    pub(super) const fn signs(&self) -> bool {
        self.key.is_some()
    }

    /// Sends JSON and gives the status and the whole answer.
    ///
    /// # Errors
    /// No gateway answers.
    pub(super) fn post(&self, path: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes), Failed> {
        self.send(&Method::POST, path, &json_headers(), body.into())?.whole()
    }

    /// Asks for something, and gives the status and the whole answer.
    ///
    /// # Errors
    /// No gateway answers.
    pub(super) fn get(&self, path: &str) -> Result<(StatusCode, Bytes), Failed> {
        self.send(&Method::GET, path, &HeaderMap::new(), Bytes::new())?.whole()
    }

    /// Sends any request, and gives the answer as soon as its head is there.
    ///
    /// # Errors
    /// No gateway answers.
    pub(super) fn send(
        &self,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failed::problem)?;
        let request = self.request(method, target, headers, body)?;
        let answer = runtime.block_on(self.exchange(request))?;
        let (head, body) = answer.into_parts();
        Ok(Answer { head, body, runtime, address: self.base.clone() })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<http::Response<Incoming>, Failed> {
        let host = self.base.host().unwrap_or_default().trim_matches(['[', ']']);
        let unreached = |error: &dyn std::fmt::Display| unreached(&self.base, error);
        let stream = TcpStream::connect((host, self.base.port_u16().unwrap_or(80))).await.map_err(|e| unreached(&e))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| unreached(&e))?;
        tokio::spawn(async move { drop(connection.await) });
        sender.send_request(request).await.map_err(|e| unreached(&e))
    }

    fn request(
        &self,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Failed> {
        let place = Place::parse(target, Some(&self.base.to_string())).map_err(Failed::usage)?;
        let mut headers = headers.clone();
        if let Some(key) = &self.key {
            headers.extend(signature(key, method, &place, &headers, &body)?);
        }
        let authority = HeaderValue::from_str(&place.authority).map_err(Failed::usage)?;
        headers.entry(HOST).or_insert(authority);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = place.target.parse().map_err(Failed::usage)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn unreached(base: &Uri, error: &dyn std::fmt::Display) -> Failed {
    Failed::unreached(format!("no gateway answers at {base}: {error}. Start one with `bridge32 serve`"))
}

/// What a gateway answers: its head, and the body as it arrives.
pub(super) struct Answer {
    /// Version, status and headers.
    pub(super) head: http::response::Parts,
    body: Incoming,
    /// The connection lives in it.
    runtime: Runtime,
    address: Uri,
}

impl Answer {
    /// The next bytes of the body, when there are any; `None` at its end.
    ///
    /// # Errors
    /// The gateway went away in between.
    pub(super) fn chunk(&mut self) -> Result<Option<Bytes>, Failed> {
        loop {
            let Some(frame) = self.runtime.block_on(self.body.frame()) else { return Ok(None) };
            if let Ok(bytes) = frame.map_err(|error| unreached(&self.address, &error))?.into_data() {
                return Ok(Some(bytes));
            }
        }
    }

    /// The status and the whole body.
    ///
    /// # Errors
    /// The gateway went away in between.
    pub(super) fn whole(mut self) -> Result<(StatusCode, Bytes), Failed> {
        let mut body = Vec::new();
        while let Some(bytes) = self.chunk()? {
            body.extend_from_slice(&bytes);
        }
        Ok((self.head.status, body.into()))
    }
}
