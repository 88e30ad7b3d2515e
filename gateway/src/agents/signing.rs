//! Requests to agents are signed with the agent's own key, as its registrations are.

use bridge32_signature::{Key, Request as Covered, SignatureError, sign_with_nonce};
use http::{HeaderValue, Request};
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
