//! What carries spans to the collector: `ureq`, as the commands have it, so that no other HTTP client is needed. It is called
//! on the exporter's own thread, where it may block.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio_rustls::rustls::crypto::ring;
use ureq::tls::{RootCerts, TlsConfig};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A collector answers with a few bytes.
const MAX_ANSWER: u64 = 64 << 10;

/// The HTTP client of the exporter.
#[derive(Clone, Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    /// Why the last request failed: the exporter does not pass that on.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Client {
    pub(super) fn new() -> Self {
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::PlatformVerifier);
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("bridge32/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build());
        Self { agent: agent.build().into(), trouble: Arc::default() }
    }

    /// Why the last request failed, where it got no answer.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, body) = self.agent.run(request.map(|body| body.to_vec()))?.into_parts();
        let body = body.into_with_config().limit(MAX_ANSWER).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.send(request);
        let trouble = sent.as_ref().err().map(ToString::to_string);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        Ok(sent?)
    }
}
