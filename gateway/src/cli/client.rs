//! The HTTP client of the commands: one request, signed if there is a key, over TLS if the address says so.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bridge32_signature::Key;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use tokio_rustls::rustls::crypto::ring;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, BodyReader};

use super::Failed;
use super::request::{Place, json_headers, signature};

/// How long an address may take to accept a connection; an answer may take as long as a call does.
const CONNECT: Duration = Duration::from_secs(20);

/// Where a gateway is, and how to sign what goes there.
pub(super) struct Gateway {
    base: Uri,
    key: Option<Key>,
    agent: Agent,
}

impl Gateway {
    /// A gateway at `url`. Over TLS its certificate must come from those of the file `trusted`; without one, from those
    /// that the machine trusts.
    ///
    /// # Errors
    /// The URL is none, or the file holds no certificate.
    pub(super) fn new(url: &str, key: Option<Key>, trusted: Option<&Path>) -> Result<Self, Failed> {
        let shape = "such as http://127.0.0.1:8032 or https://bridge.example.com";
        let wrong = || Failed::usage(format!("`{url}` is not the address of a gateway, {shape}"));
        let base: Uri = url.parse().map_err(|_| wrong())?;
        if !matches!(base.scheme_str(), Some("http" | "https")) || base.host().is_none() {
            return Err(wrong());
        }
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(trusted.map_or(Ok(RootCerts::PlatformVerifier), certificates)?);
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("bridge32/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build());
        Ok(Self { base, key, agent: agent.build().into() })
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
        let request = self.request(method, target, headers, body)?;
        let has_body = !request.body().is_empty() || !matches!(*method, Method::GET | Method::HEAD);
        let answer = if has_body { self.agent.run(request) } else { self.agent.run(request.map(drop)) };
        let (head, body) = answer.map_err(|error| unreached(&self.base, &error))?.into_parts();
        let body = body.into_with_config().limit(u64::MAX).reader();
        Ok(Answer { head, body, address: self.base.clone() })
    }

    fn request(
        &self,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Request<Vec<u8>>, Failed> {
        let place = Place::parse(target, Some(&self.base.to_string())).map_err(Failed::usage)?;
        let mut headers = headers.clone();
        if let Some(key) = &self.key {
            headers.extend(signature(key, method, &place, &headers, &body)?);
        }
        let authority = HeaderValue::from_str(&place.authority).map_err(Failed::usage)?;
        headers.entry(HOST).or_insert(authority);
        let mut request = Request::new(body.into());
        *request.method_mut() = method.clone();
        *request.uri_mut() = place.to_url().parse().map_err(Failed::usage)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn unreached(base: &Uri, error: &ureq::Error) -> Failed {
    let text = error.to_string();
    // Rustls says what is wrong with a certificate inside of other errors.
    let remedy = match text.as_str() {
        text if text.contains("InvalidContentType") => {
            let text = format!("what listens at {base} does not speak TLS: write http:// instead of https://");
            return Failed::unreached(text);
        }
        text if !text.contains("certificate") => {
            let text = format!("no gateway answers at {base}: {text}. Start one with `bridge32 serve`");
            return Failed::unreached(text);
        }
        text if text.contains("not valid for name") => "The address has to be one that it names",
        text if text.contains("CaUsedAsEndEntity") => "A server's certificate says CA:FALSE, see docs/listeners.md",
        _ => "--cacert names the file of a certificate to trust (PEM)",
    };
    Failed::unreached(format!("the gateway at {base} is not trusted: {text}. {remedy}"))
}

/// What a gateway answers: its head, and the body as it arrives.
pub(super) struct Answer {
    /// Version, status and headers.
    pub(super) head: http::response::Parts,
    body: BodyReader<'static>,
    address: Uri,
}

impl Answer {
    /// The next bytes of the body, when there are any; `None` at its end.
    ///
    /// # Errors
    /// The gateway went away in between.
    pub(super) fn chunk(&mut self) -> Result<Option<Bytes>, Failed> {
        let mut chunk = vec![0; 16 << 10];
        let read = self.body.read(&mut chunk).map_err(|error| unreached(&self.address, &error.into()))?;
        chunk.truncate(read);
        Ok((read > 0).then(|| chunk.into()))
    }

    /// The status and the whole body.
    ///
    /// # Errors
    /// The gateway went away in between.
    pub(super) fn whole(mut self) -> Result<(StatusCode, Bytes), Failed> {
        let mut body = Vec::new();
        self.body.read_to_end(&mut body).map_err(|error| unreached(&self.address, &error.into()))?;
        Ok((self.head.status, body.into()))
    }
}

/// The certificates of a PEM file.
fn certificates(file: &Path) -> Result<RootCerts, Failed> {
    let text = std::fs::read(file)
        .map_err(|error| Failed::problem(format!("cannot read the certificate {}: {error}", file.display())))?;
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let found: Vec<_> = parse_pem(&text).filter_map(certificate).collect();
    if found.is_empty() {
        return Err(Failed::problem(format!("{} has no certificate: it is a PEM file", file.display())));
    }
    Ok(RootCerts::new_with_certs(&found))
}
