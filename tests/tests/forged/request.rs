//! Requests that are put together byte by byte, and signed here without the code that is under test.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bridge32_tests::{base64, bytes};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(super) const ECHO: &str = "/v1/libraries/scalars/functions/EchoInt";
pub(super) const BODY: &str = "{\"value\": 5}";

/// Who signs.
pub(super) struct Signer {
    pub(super) authority: String,
    pub(super) id: String,
    pub(super) secret: Vec<u8>,
}

/// What is to be signed.
pub(super) struct Draft {
    pub(super) request: Raw,
    pub(super) components: Vec<&'static str>,
    /// Name and value, in their order.
    pub(super) parameters: Vec<(&'static str, String)>,
}

/// A request as it goes over the wire.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    /// Nothing comes after what was sent.
    pub(super) ends: bool,
}

pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

pub(super) fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", base64(Sha256::digest(body)))
}

impl Signer {
    /// A call that is accepted if it is sent as it is.
    pub(super) fn good(&self) -> Raw {
        self.signed(|_| ())
    }

    /// The same with changes before it is signed: whoever has the key has signed it so.
    pub(super) fn signed(&self, change: impl FnOnce(&mut Draft)) -> Raw {
        let mut draft = self.draft();
        change(&mut draft);
        let (input, base) = draft.written();
        draft.request.with_mac(&input, &self.mac(&base))
    }

    pub(super) fn mac(&self, base: &str) -> Vec<u8> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret).unwrap();
        mac.chain_update(base).finalize().into_bytes().to_vec()
    }

    pub(super) fn draft(&self) -> Draft {
        static NONCE: AtomicU32 = AtomicU32::new(0);
        let nonce = NONCE.fetch_add(1, Ordering::Relaxed);
        let request = Raw {
            method: "POST",
            target: ECHO.to_owned(),
            headers: vec![
                ("host".into(), self.authority.clone().into()),
                ("connection".into(), "close".into()),
                ("content-type".into(), "application/json".into()),
            ],
            body: BODY.into(),
            ends: false,
        };
        Draft {
            request: request
                .add("content-length", BODY.len().to_string())
                .add("content-digest", digest(BODY.as_bytes())),
            components: vec!["\"@method\"", "\"@authority\"", "\"@target-uri\"", "\"content-digest\""],
            parameters: vec![
                ("created", now().to_string()),
                ("keyid", format!("{:?}", self.id)),
                ("nonce", format!("\"forged-{nonce}\"")),
                ("alg", "\"hmac-sha256\"".to_owned()),
            ],
        }
    }
}

impl Draft {
    /// The components and parameters, and the base.
    pub(super) fn written(&self) -> (String, String) {
        let parameters: String = self.parameters.iter().flat_map(|(name, value)| [";", name, "=", value]).collect();
        let input = format!("({}){parameters}", self.components.join(" "));
        let line = |component: &&str| format!("{component}: {}", self.request.value(component));
        let mut lines: Vec<String> = self.components.iter().map(line).collect();
        lines.push(format!("\"@signature-params\": {input}"));
        let base = lines.join("\n");
        (input, base)
    }

    pub(super) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        match self.parameters.iter_mut().find(|(own, _)| *own == name) {
            Some(parameter) => parameter.1 = value,
            None => self.parameters.push((name, value)),
        }
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.parameters.retain(|(own, _)| *own != name);
    }

    pub(super) fn uncover(&mut self, component: &str) {
        self.components.retain(|own| *own != component);
    }
}

impl Raw {
    fn value(&self, component: &str) -> String {
        let host = self.text("host");
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        match component.split(['"', ';']).nth(1).unwrap_or_default() {
            "@method" => self.method.to_owned(),
            "@authority" => host,
            "@target-uri" => format!("http://{host}{}", self.target),
            "@path" => path.to_owned(),
            "@query" => format!("?{query}"),
            name => self.text(&name.to_lowercase()),
        }
    }

    /// Adds a signature.
    #[must_use]
    pub(super) fn with_mac(self, input: &str, mac: &[u8]) -> Self {
        self.add("signature-input", format!("sig1={input}")).add("signature", format!("sig1=:{}:", base64(mac)))
    }

    /// The text of a header; empty without one.
    pub(super) fn text(&self, name: &str) -> String {
        let value = self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_slice());
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    }

    #[must_use]
    pub(super) fn add(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub(super) fn remove(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self
    }

    /// Changes a header that is there, in its place.
    #[must_use]
    pub(super) fn edit(mut self, name: &str, change: impl FnOnce(String) -> String) -> Self {
        let text = change(self.text(name));
        let header = self.headers.iter_mut().find(|(own, _)| own == name).expect("the header is there");
        header.1 = text.into();
        self
    }

    /// Replaces one text in a header by another.
    #[must_use]
    pub(super) fn replace(self, name: &str, old: &str, new: &str) -> Self {
        self.edit(name, |value| {
            assert!(value.contains(old), "{value} has {old}");
            value.replacen(old, new, 1)
        })
    }

    #[must_use]
    pub(super) fn to(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    #[must_use]
    pub(super) fn by(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    /// Another body of its true length.
    #[must_use]
    pub(super) fn carrying(self, body: &str) -> Self {
        let mut changed = self.edit("content-length", |_| body.len().to_string());
        changed.body = body.into();
        changed
    }

    /// The body in one chunk, whatever that is.
    #[must_use]
    pub(super) fn chunked(self, body: &str) -> Self {
        let mut changed = self.remove("content-length").add("transfer-encoding", "chunked");
        changed.body = body.into();
        changed
    }

    /// Nothing follows: the client has gone.
    #[must_use]
    pub(super) fn ending(mut self) -> Self {
        self.ends = true;
        self
    }

    fn wire(&self) -> Vec<u8> {
        let mut wire = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            wire.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        wire.extend(b"\r\n");
        wire.extend(&self.body);
        wire
    }

    /// Sends it over a connection of its own.
    pub(super) fn send(&self, authority: &str) -> Reply {
        let start = Instant::now();
        let mut stream = TcpStream::connect(authority).expect("the gateway accepts connections");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out can be set");
        // Who refuses early does not read the rest.
        let _ = stream.write_all(&self.wire());
        if self.ends {
            stream.shutdown(Shutdown::Write).expect("the connection can be ended");
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Reply { text: String::from_utf8_lossy(&answer).into_owned(), took: start.elapsed() }
    }
}

/// What came back.
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) took: Duration,
}

impl Reply {
    /// The status; 0 if the connection was closed instead.
    pub(super) fn status(&self) -> u16 {
        self.text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// The code of the problem document, if it is one.
    pub(super) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn json(&self) -> Value {
        let body = self.text.split("\r\n\r\n").nth(1).unwrap_or_default();
        serde_json::from_str(body).unwrap_or_default()
    }
}

/// The secret of a key in the file that the gateway reads.
pub(super) fn secret_of(keys: &str, id: &str) -> Vec<u8> {
    let keys: toml::Table = keys.parse().unwrap();
    let key = keys["key"].as_array().unwrap().iter().find(|key| key["id"].as_str() == Some(id)).unwrap();
    bytes(&Value::from(key["secret"].as_str().unwrap()))
}
