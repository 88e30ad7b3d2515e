//! The HTTP client of the commands: one request, signed if there is a key, over TLS if the address says so.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bridge32_signature::{Key, Request as Covered, sign};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use jiff::Timestamp;
use tokio_rustls::rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::Failed;

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

    /// Sends JSON and gives the status and the whole answer.
    ///
    /// # Errors
    /// No gateway answers.
    pub(super) fn post(&self, path: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes), Failed> {
        let mut request = self.request(Method::POST, path, body)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.answer(self.agent.run(request))
    }

    /// Asks for something, and gives the status and the whole answer.
    ///
    /// # Errors
    /// No gateway answers.
    pub(super) fn get(&self, path: &str) -> Result<(StatusCode, Bytes), Failed> {
        self.answer(self.agent.run(self.request(Method::GET, path, Vec::new())?.map(drop)))
    }

    fn answer(&self, answer: Result<http::Response<ureq::Body>, ureq::Error>) -> Result<(StatusCode, Bytes), Failed> {
        let read = |answer: http::Response<ureq::Body>| {
            let (head, mut body) = answer.into_parts();
            let body = body.with_config().limit(u64::MAX).read_to_vec()?;
            Ok((head.status, Bytes::from(body)))
        };
        answer.and_then(read).map_err(|error| self.unreached(&error))
    }

    fn unreached(&self, error: &ureq::Error) -> Failed {
        let (base, text) = (&self.base, error.to_string());
        // Rustls says what is wrong with a certificate inside of other errors.
        let remedy = match text.as_str() {
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

    fn request(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Request<Vec<u8>>, Failed> {
        let scheme = self.base.scheme_str().unwrap_or_default();
        let authority = self.base.authority().map_or("", Authority::as_str);
        let mut signed = Vec::new();
        if let Some(key) = &self.key {
            let covered = Covered { method: method.as_str(), scheme, authority, target: path };
            let headers = sign(key, &covered, &body, Timestamp::now().as_second()).map_err(Failed::problem)?;
            signed.extend(headers.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        let request = Request::builder().method(method).uri(format!("{scheme}://{authority}{path}"));
        let request = request.header(HOST, authority);
        let request = signed.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(body).map_err(Failed::problem)
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
