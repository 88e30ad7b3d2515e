//! `Content-Digest` (RFC 9530): the hash of the body that a signature covers in its stead.

use base64::Engine as _;
use http::HeaderMap;
use sfv::{BareItem, Dictionary, ListEntry, Parser};
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use crate::{SignatureError, joined};

/// The header's value for a body.
pub fn content_digest(body: &[u8]) -> String {
    let mut value = String::with_capacity(60);
    value.push_str("sha-256=:");
    base64::engine::general_purpose::STANDARD.encode_string(Sha256::digest(body), &mut value);
    value.push(':');
    value
}

/// Checks the header against the body. Every algorithm that is known must agree, and at least one must be.
///
/// # Errors
/// [`SignatureError::DigestMismatch`].
pub(crate) fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
    let joined = joined(headers, "content-digest").unwrap_or_default();
    // What `sign` writes, and most other signers.
    if bool::from(joined.ct_eq(content_digest(body).as_bytes())) {
        return Ok(());
    }
    let mut known = false;
    let digests: Dictionary = Parser::new(&joined).parse().map_err(|_| SignatureError::DigestMismatch)?;
    for (algorithm, digest) in &digests {
        let ListEntry::Item(item) = digest else { return Err(SignatureError::DigestMismatch) };
        let BareItem::ByteSequence(claimed) = &item.bare_item else { return Err(SignatureError::DigestMismatch) };
        let agrees: bool = match algorithm.as_str() {
            "sha-256" => Sha256::digest(body).as_slice().ct_eq(claimed).into(),
            "sha-512" => Sha512::digest(body).as_slice().ct_eq(claimed).into(),
            _ => continue,
        };
        if !agrees {
            return Err(SignatureError::DigestMismatch);
        }
        known = true;
    }
    if known { Ok(()) } else { Err(SignatureError::DigestMismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(value: &'static str, body: &[u8]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("content-digest", http::HeaderValue::from_static(value));
        check(&headers, body).is_ok()
    }

    #[test]
    fn the_vectors_of_rfc_9530_hold() {
        // Appendix D, with its line feed.
        let body = b"{\"hello\": \"world\"}\n";
        let sha256 = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        let sha512 =
            "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:";
        assert_eq!(content_digest(body), sha256);
        assert!(checked(sha256, body));
        assert!(checked(sha512, body));
    }

    #[test]
    fn one_wrong_digest_spoils_a_right_one() {
        let both = "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:, sha-256=:AAAA:";
        assert!(!checked(both, b"{\"hello\": \"world\"}\n"));
        for odd in ["", "md5=:AAAA:", "sha-256", "sha-256=abc", "sha-256=::", "sha-256=(:AAAA:)"] {
            assert!(!checked(odd, b""), "{odd}");
        }
    }
}
