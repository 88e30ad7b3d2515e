//! Signs a request.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue};

use crate::{ALGORITHM, Key, Request, SignatureError, base, content_digest};

/// What a signed request carries besides its own headers.
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
        let digest = self.content_digest.as_deref().map(|value| ("content-digest", value));
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

/// Signs a request with the caller's own nonce, for a receiver that wants numbers (see [`crate::ReplayWindow`]). It must
/// be fit for a header: printable ASCII without quotes and backslashes.
///
/// # Errors
/// [`SignatureError::Invalid`] when the digest cannot be written.
pub fn sign_with_nonce(
    key: &Key,
    request: &Request<'_>,
    body: &[u8],
    created: i64,
    nonce: &str,
) -> Result<SignedHeaders, SignatureError> {
    let mut components = vec!["@method", "@authority", "@target-uri"];
    let mut headers = HeaderMap::new();
    let content_digest = (!body.is_empty()).then(|| content_digest(body));
    if let Some(digest) = &content_digest {
        components.push("content-digest");
        let value =
            HeaderValue::from_str(digest).map_err(|_| SignatureError::Invalid("the digest is no header value"))?;
        headers.insert("content-digest", value);
    }
    let quoted: Vec<String> = components.iter().map(|name| format!("\"{name}\"")).collect();
    let parameters = format!(
        "({});created={created};keyid=\"{}\";nonce=\"{nonce}\";alg=\"{ALGORITHM}\"",
        quoted.join(" "),
        key.id()
    );
    let base = base::build(request, &headers, &components, &parameters)?;
    let signature = format!("sig1=:{}:", STANDARD.encode(key.mac(base.as_bytes())));
    Ok(SignedHeaders { content_digest, signature_input: format!("sig1={parameters}"), signature })
}
