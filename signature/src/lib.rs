//! HTTP Message Signatures (RFC 9421) with `hmac-sha256`, and Content-Digest (RFC 9530). Pure: no I/O, no clock.
//!
//! [`sign`] makes the three headers of a request, [`verify`] checks them, and [`ReplayStore`] lets a nonce through once
//! ([`ReplayWindow`] where there is one sender, who counts).
//! A signature must cover `@method`, `@authority`, the target (`@target-uri`, or `@path` and `@query`), and
//! `content-digest` where there is a body; its parameters must have `created`, `keyid` and `nonce`.

mod base;
mod digest;
mod replay;
mod sign;
mod verify;
mod window;

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue};
use sha2::Sha256;

pub use base::Request;
pub use digest::content_digest;
pub use replay::ReplayStore;
pub use sign::{SignedHeaders, sign, sign_with_nonce};
pub use verify::{Head, Verified, verify, verify_head};
pub use window::ReplayWindow;

/// The clock difference that is forgiven, in seconds, in both directions.
pub const CLOCK_WINDOW: i64 = 300;

/// The lines of a header as one value (RFC 9110 §5.2); `None` without any.
fn joined<'h>(headers: &'h HeaderMap, name: &str) -> Option<Cow<'h, [u8]>> {
    let mut lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
    let all: Vec<&[u8]> = [first, second].into_iter().chain(lines).collect();
    Some(Cow::Owned(all.join(&b", "[..])))
}

/// The name of the only algorithm.
const ALGORITHM: &str = "hmac-sha256";

/// A shared secret and the name by which requests refer to it.
///
/// The secret itself is not kept, only the HMAC that was started with it.
#[derive(Clone)]
pub struct Key {
    id: String,
    hmac: Hmac<Sha256>,
}

impl Key {
    /// A key, if its id can be written into a header (printable ASCII without quotes and backslashes, not empty) and its
    /// secret is not empty.
    pub fn new(id: &str, secret: &[u8]) -> Option<Self> {
        let legal = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
        let usable = !id.is_empty() && id.bytes().all(legal) && !secret.is_empty();
        let hmac = Hmac::new_from_slice(secret).ok().filter(|_| usable)?;
        Some(Self { id: id.to_owned(), hmac })
    }

    /// 32 fresh bytes from the system's random source.
    ///
    /// # Errors
    /// When the system has no random source.
    pub fn random_secret() -> Result<[u8; 32], getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(secret)
    }

    /// The key's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn mac(&self, base: &[u8]) -> [u8; 32] {
        self.hmac.clone().chain_update(base).finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a request is not believed. The texts tell a sender what to correct, and nothing that only the receiver knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("the request is not signed: it needs the headers Signature-Input and Signature (RFC 9421, hmac-sha256)")]
    Missing,
    /// The signature is too old, or from the future.
    #[error(
        "the signature's `created` is more than {CLOCK_WINDOW} s from the server's time, {now} (Unix seconds); check the clock, and sign each request anew"
    )]
    Expired {
        /// The verifier's time in Unix seconds.
        now: i64,
    },
    /// The nonce was used before.
    #[error("this nonce was used before; sign each request anew, retries too")]
    Replayed,
    /// The signature is not what this key and this request make.
    #[error("the signature does not hold: {0}")]
    Invalid(&'static str),
    /// The body is not what `Content-Digest` says.
    #[error("the body does not have the digest that Content-Digest says")]
    DigestMismatch,
    /// Nobody has this key.
    #[error("there is no key of this id")]
    UnknownKey,
}

impl SignatureError {
    /// The stable code that clients see.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "signature_missing",
            Self::Expired { .. } => "signature_expired",
            Self::Replayed => "signature_replayed",
            Self::Invalid(_) => "signature_invalid",
            Self::DigestMismatch => "digest_mismatch",
            Self::UnknownKey => "unknown_key",
        }
    }
}
