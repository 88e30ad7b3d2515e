//! Requests to agents are signed with the key that they register with, and agents show that they have it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bridge32_signature::{Key, Request as Covered, SignatureError, sign_with_nonce, verify};
use http::{HeaderMap, HeaderValue, Request};
use jiff::Timestamp;

/// Adds the signature's headers. `number` counts the requests that are signed with this key.
///
/// # Errors
/// A header cannot be written.
pub(super) fn sign<T>(
    request: &mut Request<T>,
    body: &[u8],
    authority: &str,
    key: &Key,
    number: u64,
) -> Result<(), SignatureError> {
    let covered = Covered {
        method: request.method().as_str(),
        scheme: "http",
        authority,
        target: request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str),
    };
    let signed = sign_with_nonce(key, &covered, body, Timestamp::now().as_second(), &number.to_string())?;
    for (name, value) in signed.pairs() {
        let value =
            HeaderValue::from_str(value).map_err(|_| SignatureError::Invalid("its header cannot be written"))?;
        request.headers_mut().insert(name, value);
    }
    Ok(())
}

/// The target of a request for a proof, which nobody has ever asked for before.
///
/// # Errors
/// The system has no random source.
pub(super) fn challenge() -> Result<String, SignatureError> {
    let mut challenge = [0; 16];
    getrandom::fill(&mut challenge).map_err(|_| SignatureError::Invalid("the system has no random source"))?;
    Ok(format!("/proof?of={}", URL_SAFE_NO_PAD.encode(challenge)))
}

/// Whether these headers answer a challenge: they sign a request `PROOF`, which is never made, for the same target.
///
/// # Errors
/// Why not.
pub(super) fn verify_proof(
    headers: &HeaderMap,
    authority: &str,
    target: &str,
    key: &Key,
) -> Result<(), SignatureError> {
    let covered = Covered { method: "PROOF", scheme: "http", authority, target };
    let known = |id: &str| (id == key.id()).then_some(key);
    verify(&covered, headers, &[], known, Timestamp::now().as_second()).map(drop)
}
