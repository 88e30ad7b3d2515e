//! Signs a request.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue};

use crate::base::{self, Message};
use crate::component::Component;
use crate::fields::{Dictionary, Member};
use crate::{ALGORITHM, Key, Request, SignatureError, content_digest, digest};

/// What a signed message carries besides its own headers.
#[derive(Clone, Debug)]
pub struct SignedHeaders {
    /// `Content-Digest`; none for a request without a body.
    pub content_digest: Option<String>,
    /// `Signature-Input`
    pub signature_input: String,
    /// `Signature`
    pub signature: String,
}

impl SignedHeaders {
    /// Names and values, in the order in which they are usually shown.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let digest = self.content_digest.as_deref().map(|value| (digest::NAME, value));
        let rest = [("signature-input", self.signature_input.as_str()), ("signature", self.signature.as_str())];
        digest.into_iter().chain(rest)
    }
}

/// Signs a request with a fresh nonce. `created` is the sender's time in Unix seconds.
///
/// # Errors
/// When the system has no random source ([`SignatureError::Invalid`]).
pub fn sign(key: &Key, request: &Request<'_>, body: &[u8], created: i64) -> Result<SignedHeaders, SignatureError> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|_| SignatureError::Invalid("the system has no random source"))?;
    sign_with_nonce(key, request, body, created, &URL_SAFE_NO_PAD.encode(nonce))
}

/// Signs a request with the caller's own nonce, for a receiver that wants numbers (see [`crate::ReplayWindow`]).
///
/// # Errors
/// [`SignatureError::Invalid`] when the nonce is not fit for a header: printable ASCII without quotes and backslashes.
pub fn sign_with_nonce(
    key: &Key,
    request: &Request<'_>,
    body: &[u8],
    created: i64,
    nonce: &str,
) -> Result<SignedHeaders, SignatureError> {
    let mut components = r#""@method" "@authority" "@target-uri""#.to_owned();
    let mut headers = HeaderMap::new();
    let content_digest = (!body.is_empty()).then(|| content_digest(body));
    if let Some(digest) = &content_digest {
        components.push_str(r#" "content-digest""#);
        let value =
            HeaderValue::from_str(digest).map_err(|_| SignatureError::Invalid("the digest is no header value"))?;
        headers.insert(digest::NAME, value);
    }
    let id = key.id();
    let input = format!("sig1=({components});created={created};keyid=\"{id}\";nonce=\"{nonce}\";alg=\"{ALGORITHM}\"");
    // What is written is read again, as the receiver will.
    let unfit = || SignatureError::Invalid("its nonce is not fit for a header");
    let dictionary = Dictionary::read(input.as_bytes()).map_err(|_| unfit())?;
    let list = dictionary.get("sig1").and_then(Member::list).ok_or_else(unfit)?;
    let components = Component::read_all(list.items)?;
    let parameters = input.strip_prefix("sig1=").ok_or_else(unfit)?;
    let base = base::build(Message::Request(*request, &headers), &components, parameters)?;
    let signature = format!("sig1={}", key.signature(&base));
    Ok(SignedHeaders { content_digest, signature_input: input, signature })
}

impl Key {
    /// A base's MAC as a byte sequence.
    pub(crate) fn signature(&self, base: &str) -> String {
        format!(":{}:", STANDARD.encode(self.mac(base.as_bytes())))
    }
}
