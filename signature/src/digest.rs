//! `Content-Digest` (RFC 9530): the hash of the body that a signature covers in its stead.

use base64::Engine as _;
use http::HeaderMap;
use sha2::{Digest as _, Sha256, Sha512};

use crate::SignatureError;
use crate::fields::{Dictionary, Member, joined};

/// The digest of a body that comes in pieces and is never there as a whole.
#[derive(Clone, Debug, Default)]
pub struct BodyDigest {
    sha256: Sha256,
    /// Where the header has one.
    sha512: Option<Sha512>,
    bytes: u64,
}

impl BodyDigest {
    /// With what the header of that request asks for.
    pub fn of_request(headers: &HeaderMap) -> Self {
        let names_sha512 = |value: &http::HeaderValue| value.as_bytes().windows(7).any(|name| name == b"sha-512");
        let sha512 = headers.get_all(NAME).iter().any(names_sha512).then(Sha512::new);
        Self { sha512, ..Self::default() }
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.sha256.update(piece);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(piece);
        }
        self.bytes += piece.len() as u64;
    }

    /// There is no more.
    pub fn finish(self) -> Digested {
        let Self { sha256, sha512, bytes } = self;
        Digested { sha256: sha256.finalize().into(), sha512: sha512.map(|sha512| sha512.finalize().into()), bytes }
    }
}

/// What there is to know of a body that has been there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digested {
    /// Its SHA-256.
    pub sha256: [u8; 32],
    sha512: Option<[u8; 64]>,
    /// How long it was.
    pub bytes: u64,
}

impl Digested {
    /// The header's value for it.
    pub fn content_digest(&self) -> String {
        written(&self.sha256)
    }
}

/// The header's name.
pub(crate) const NAME: &str = "content-digest";

/// The header's value for a body.
pub fn content_digest(body: &[u8]) -> String {
    written(&Sha256::digest(body).into())
}

fn written(sha256: &[u8; 32]) -> String {
    let mut value = String::with_capacity(60);
    value.push_str("sha-256=:");
    base64::engine::general_purpose::STANDARD.encode_string(sha256, &mut value);
    value.push(':');
    value
}

/// Checks the header against the body. Every algorithm that is known must agree, and at least one must be.
///
/// # Errors
/// [`SignatureError::DigestMismatch`].
pub(crate) fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
    agree(headers, &Sha256::digest(body).into(), || Some(Sha512::digest(body).into()))
}

/// The same for a body that was there in pieces.
///
/// # Errors
/// [`SignatureError::DigestMismatch`].
pub(crate) fn check_digested(headers: &HeaderMap, body: &Digested) -> Result<(), SignatureError> {
    agree(headers, &body.sha256, || body.sha512)
}

fn agree(headers: &HeaderMap, sha256: &[u8; 32], sha512: impl Fn() -> Option<[u8; 64]>) -> Result<(), SignatureError> {
    // A digest is no secret: there is nothing to learn from how long it takes to compare.
    let agrees = joined(headers, NAME).is_ok_and(|value| value.is_some_and(|value| are(&value, sha256, sha512)));
    if agrees { Ok(()) } else { Err(SignatureError::DigestMismatch) }
}

fn are(value: &[u8], sha256: &[u8; 32], sha512: impl Fn() -> Option<[u8; 64]>) -> bool {
    // What `sign` writes, and most other signers.
    if value == written(sha256).as_bytes() {
        return true;
    }
    let Ok(digests) = Dictionary::read(value) else { return false };
    let agrees = |digest: &Member<'_>| match digest.name {
        "sha-256" => Some(digest.bytes() == Some(&sha256[..])),
        "sha-512" => Some(sha512().is_some_and(|sha512| digest.bytes() == Some(&sha512[..]))),
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
        let mut pieces = BodyDigest::of_request(&headers);
        body.chunks(5).for_each(|piece| pieces.update(piece));
        let whole = check(&headers, body);
        assert_eq!(check_digested(&headers, &pieces.finish()), whole, "{value}");
        whole.is_ok()
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
