//! `Content-Digest` (RFC 9530): the hash of the body that a signature covers in its stead.

use base64::Engine as _;
use http::HeaderMap;
use sha2::{Digest as _, Sha256, Sha512};

use crate::SignatureError;
use crate::fields::{Dictionary, Member, joined};

/// The header's name.
pub(crate) const NAME: &str = "content-digest";

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
    // A digest is no secret: there is nothing to learn from how long it takes to compare.
    let agrees = joined(headers, NAME).is_ok_and(|value| value.is_some_and(|value| is_digest_of(&value, body)));
    if agrees { Ok(()) } else { Err(SignatureError::DigestMismatch) }
}

fn is_digest_of(value: &[u8], body: &[u8]) -> bool {
    // What `sign` writes, and most other signers.
    if value == content_digest(body).as_bytes() {
        return true;
    }
    let Ok(digests) = Dictionary::read(value) else { return false };
    let agrees = |digest: &Member<'_>| match digest.name {
        "sha-256" => Some(digest.bytes() == Some(Sha256::digest(body).as_slice())),
        "sha-512" => Some(digest.bytes() == Some(Sha512::digest(body).as_slice())),
        _ => digest.bytes().is_none().then_some(false),
    };
    let known: Vec<bool> = digests.members().iter().filter_map(agrees).collect();
    !known.is_empty() && known.into_iter().all(|agrees| agrees)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(value: &str, body: &[u8]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("content-digest", http::HeaderValue::from_str(value).unwrap());
        check(&headers, body).is_ok()
    }

    #[test]
    fn the_vectors_of_rfc_9530_hold() {
        // Its appendices, whose contents end in a line feed, and the content of RFC 9421's examples, which does not.
        for (body, digest) in [
            ("{\"hello\": \"world\"}\n", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
            (
                "{\"hello\": \"world\"}\n",
                "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:",
            ),
            ("\"world\"}\n", "sha-256=:jjcgBDWNAtbYUXI37CVG3gRuGOAjaaDRGpIUFsdyepQ=:"),
            ("{\"title\": \"New Title\"}\n", "sha-256=:mEkdbO7Srd9LIOegftO0aBX+VPTVz7/CSHes2Z27gc4=:"),
            ("", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
            ("{\"hello\": \"world\"}", "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"),
            (
                "{\"hello\": \"world\"}",
                "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
            ),
        ] {
            assert!(checked(digest, body.as_bytes()), "{digest}");
            assert!(!checked(digest, b"another") && !checked(digest, &[body.as_bytes(), b" "].concat()), "{digest}");
            assert!(content_digest(body.as_bytes()) == digest || digest.starts_with("sha-512"), "{digest}");
        }
        let both = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:, \
             sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:";
        assert!(checked(both, b"{\"hello\": \"world\"}\n"));
        let twice = "sha-256=:AAAA:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        assert!(!checked(twice, b"{\"hello\": \"world\"}\n"), "what stands twice is not read in one way only");
    }

    #[test]
    fn one_wrong_digest_spoils_a_right_one() {
        let right =
            "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:";
        let body = b"{\"hello\": \"world\"}\n";
        assert!(checked(&format!("{right}, unixsum=:AAAA:"), body), "what is not known does not count");
        for odd in ["sha-256=:AAAA:", "sha-256", "sha-256=abc", "sha-512=:AAAA:", "unixsum=5", "sha-256=(:AAAA:)"] {
            assert!(!checked(&format!("{right}, {odd}"), body) && !checked(&format!("{odd}, {right}"), body), "{odd}");
        }
        for odd in ["", "md5=:AAAA:", "sha-256", "sha-256=abc", "sha-256=::", "sha-256=(:AAAA:)", "SHA-256=::"] {
            assert!(!checked(odd, b""), "{odd}");
        }
    }
}
