//! The HTTP client of the tests, and what an answer must be.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bridge32_signature::{Key, Request as Signed, sign};
use serde_json::Value;
use ureq::Agent;
use ureq::http;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Longer than any answer takes, so that a test fails and does not hang.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Sends requests to one gateway.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    scheme: &'static str,
    authority: String,
    key: Option<Key>,
}

impl Client {
    /// A client for `address:port`, which signs if it has a key.
    pub fn new(authority: &str, key: Option<Key>) -> Self {
        Self::speaking("http", authority, key, TlsConfig::default())
    }

    /// A client that speaks TLS and trusts a certificate.
    pub fn over_tls(authority: &str, key: Option<Key>, trusted: &str) -> Self {
        let trusted = Certificate::from_pem(trusted.as_bytes()).expect("it is a certificate");
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[trusted])).build();
        Self::speaking("https", authority, key, tls)
    }

    fn speaking(scheme: &'static str, authority: &str, key: Option<Key>, tls: TlsConfig) -> Self {
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .max_idle_connections_per_host(64)
            .build();
        Self { agent: config.into(), scheme, authority: authority.to_owned(), key }
    }

    /// `address:port` of the gateway.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The same, signing with another key or not at all.
    #[must_use]
    pub fn with_key(&self, key: Option<&Key>) -> Self {
        Self { key: key.cloned(), ..self.clone() }
    }

    /// A `GET`.
    pub fn get(&self, target: &str) -> Answer {
        self.request("GET", target).send()
    }

    /// A `POST` of a JSON document.
    pub fn post(&self, target: &str, body: &Value) -> Answer {
        self.request("POST", target).body("application/json", body.to_string()).send()
    }

    /// A `PUT` of a JSON document.
    pub fn put(&self, target: &str, body: &Value) -> Answer {
        self.request("PUT", target).body("application/json", body.to_string()).send()
    }

    /// A `DELETE`.
    pub fn delete(&self, target: &str) -> Answer {
        self.request("DELETE", target).send()
    }

    /// Begins any request.
    pub fn request(&self, method: &str, target: &str) -> Request<'_> {
        Request {
            client: self,
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

/// A request that is being put together.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    client: &'a Client,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request<'_> {
    /// Adds a body of that media type.
    #[must_use]
    pub fn body(self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = self.header("content-type", media_type);
        request.body = body.into();
        request
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The headers that sign this request with a key, now or `seconds` from now.
    pub fn signature(&self, key: &Key, seconds: i64) -> Vec<(String, String)> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs();
        let Client { scheme, authority, .. } = self.client;
        let request = Signed { method: &self.method, scheme, authority, target: &self.target };
        let signed = sign(key, &request, &self.body, now.cast_signed() + seconds).expect("it can be signed");
        signed.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Adds headers that [`Request::signature`] has made.
    #[must_use]
    pub fn headers(mut self, headers: &[(String, String)]) -> Self {
        self.headers.extend_from_slice(headers);
        self
    }

    /// Sends it.
    pub fn send(self) -> Answer {
        let signature = self.client.key.as_ref().map(|key| self.signature(key, 0)).unwrap_or_default();
        let request = self.headers(&signature);
        let what = format!("{} {}", request.method, request.target);
        request.try_send().unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Sends it; `None` where the gateway goes away meanwhile.
    pub fn send_if_there(self) -> Option<Answer> {
        let signature = self.client.key.as_ref().map(|key| self.signature(key, 0)).unwrap_or_default();
        self.headers(&signature).try_send().ok()
    }

    /// Sends it, where there may be no answer.
    ///
    /// # Errors
    /// There is none.
    pub fn try_send(self) -> Result<Answer, ureq::Error> {
        let Self { client, method, target, headers, body } = self;
        let what = format!("{method} {target}");
        let uri = format!("{}://{}{target}", client.scheme, client.authority);
        let mut request = http::Request::builder().method(method.as_str()).uri(uri);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let sent = if body.is_empty() && method == "GET" {
            client.agent.run(request.body(())?)
        } else {
            client.agent.run(request.body(body)?)
        };
        let (head, mut body) = sent?.into_parts();
        let bytes = body.with_config().limit(256 << 20).read_to_vec()?;
        let kind = head.headers.get("content-type").map_or(&b""[..], http::HeaderValue::as_bytes);
        let text = if BINARY.iter().any(|binary| kind.starts_with(binary.as_bytes())) {
            String::from_utf8(bytes.clone()).unwrap_or_default()
        } else {
            String::from_utf8(bytes.clone()).unwrap_or_else(|error| panic!("{what}: {error}"))
        };
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Ok(Answer {
            what,
            status: head.status.as_u16(),
            headers: head.headers.iter().map(header).collect(),
            text,
            bytes,
        })
    }
}

/// What a gateway answered.
#[derive(Clone, Debug)]
pub struct Answer {
    what: String,
    /// The HTTP status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body, where it is text.
    pub text: String,
    /// The body.
    pub bytes: Vec<u8>,
}

/// What bodies are no text.
const BINARY: [&str; 2] = ["application/octet-stream", "multipart/form-data"];

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The values of a header that may be there several times.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The JSON document of a 200.
    #[track_caller]
    pub fn ok(&self) -> Value {
        self.is(200)
    }

    /// The JSON document of an answer with this status.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} answered {}: {}", self.what, self.status, self.text);
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.what);
        self.json()
    }

    /// A success that has nothing to say.
    #[track_caller]
    pub fn done(&self) {
        assert_eq!(
            (self.status, self.text.as_str()),
            (204, ""),
            "{} answered {}: {}",
            self.what,
            self.status,
            self.text
        );
    }

    /// The `result` of a call that returned.
    #[track_caller]
    pub fn result(&self) -> Value {
        self.ok()["result"].clone()
    }

    /// An output parameter of a call that returned.
    #[track_caller]
    pub fn output(&self, name: &str) -> Value {
        let body = self.ok();
        body["outputs"].get(name).cloned().unwrap_or_else(|| panic!("{}: no output `{name}` in {body}", self.what))
    }

    /// The problem document of a refusal, which must carry this status and code and words for a person.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{} answered {}: {}", self.what, self.status, self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.what);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{}: {problem}", self.what);
        assert_eq!(problem["status"], status, "{}: {problem}", self.what);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 5), "{}: {problem}", self.what);
        problem
    }

    /// A refusal of an argument, which is pointed at. Gives the words.
    #[track_caller]
    pub fn mismatch(&self, pointer: &str) -> String {
        let problem = self.refused(422, "argument_mismatch");
        assert_eq!(problem["pointer"], pointer, "{}: {problem}", self.what);
        assert_eq!(problem["execution"], "not_run", "{}: {problem}", self.what);
        problem["detail"].as_str().unwrap_or_default().to_owned()
    }

    /// A refusal of something at or below a place in the arguments. Gives the words.
    #[track_caller]
    pub fn mismatch_within(&self, pointer: &str) -> String {
        let problem = self.refused(422, "argument_mismatch");
        let place = problem["pointer"].as_str().unwrap_or_default();
        let inside = place.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        assert!(inside, "{}: not within {pointer}: {problem}", self.what);
        assert_eq!(problem["execution"], "not_run", "{}: {problem}", self.what);
        problem["detail"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}: {}", self.what, self.text))
    }
}
