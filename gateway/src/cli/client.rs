//! A small HTTP client for the commands: one request, signed if there is a key.

use bridge32_signature::{Key, Request as Covered, sign};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::TcpStream;

use super::Failed;

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

    /// Sends JSON and gives the status and the whole answer.
    ///
    /// # Errors
    /// No gateway answers.
    pub(super) fn post(&self, path: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes), Failed> {
        self.blocking(Method::POST, path, Bytes::from(body))
    }

    /// Asks for something, and gives the status and the whole answer.
    ///
    /// # Errors
    /// No gateway answers.
    pub(super) fn get(&self, path: &str) -> Result<(StatusCode, Bytes), Failed> {
        self.blocking(Method::GET, path, Bytes::new())
    }

    fn blocking(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failed::problem)?;
        runtime.block_on(self.send(method, path, body))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Failed> {
        let request = self.request(&method, path, &body).map_err(Failed::problem)?;
        let host = self.base.host().unwrap_or_default().trim_matches(['[', ']']);
        let unreached = |error: &dyn std::fmt::Display| {
            let text = format!("no gateway answers at {}: {error}. Start one with `bridge32 serve`", self.base);
            Failed::unreached(text)
        };
        let stream = TcpStream::connect((host, self.base.port_u16().unwrap_or(80))).await.map_err(|e| unreached(&e))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| unreached(&e))?;
        tokio::spawn(async move { drop(connection.await) });
        let answer = sender.send_request(request).await.map_err(|e| unreached(&e))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|e| unreached(&e))?;
        Ok((status, body.to_bytes()))
    }

    fn request(&self, method: &Method, path: &str, body: &Bytes) -> Result<Request<Full<Bytes>>, String> {
        let authority = self.base.authority().map_or("", http::uri::Authority::as_str).to_owned();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))
            .map_err(|error| error.to_string())?;
        if let Some(key) = &self.key {
            let covered = Covered { method: method.as_str(), scheme: "http", authority: &authority, target: path };
            let signed = sign(key, &covered, body, Timestamp::now().as_second()).map_err(|error| error.to_string())?;
            for (name, value) in signed.pairs() {
                let value = HeaderValue::from_str(value).map_err(|error| error.to_string())?;
                request.headers_mut().insert(name, value);
            }
        }
        Ok(request)
    }
}
