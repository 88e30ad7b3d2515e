//! HTTP Message Signatures (RFC 9421) with `hmac-sha256`, and Content-Digest (RFC 9530). Pure: no I/O, no clock.
//!
//! [`sign`] makes the three headers of a request, [`verify`] checks them, and [`ReplayStore`] lets a nonce through once
//! ([`ReplayWindow`] where there is one sender, who counts). [`Wanted`] is what a client asks to have signed of the answer, and
//! [`verify_response`] is the client's side of that.
//!
//! # What a request's signature must say
//!
//! It must cover `@method`, `@authority`, the target (`@target-uri`, or `@path` and `@query`), and `content-digest` where there
//! is a body; it may cover any header. Its parameters must have `created`, `keyid` and `nonce`; `expires` is kept to, `alg` must
//! be `hmac-sha256` if it is there, and others are covered and mean nothing. Of several signatures one that holds is enough.
//!
//! The base is made of the parameters in the order in which they were received, as RFC 8941 writes them. `@authority` is
//! compared in lower case and without the port of its scheme, path and query as they stand, with nothing decoded; a header's
//! lines are trimmed and joined by `, `, and an empty one is an empty value.
//!
//! # What is refused although it may look right
//!
//! What two programs could read differently: a label, a parameter or a digest that is there twice, a component covered twice,
//! a name in upper case, a component with parameters (`;sf`, `;bs`, `;key`, `;req`, `;tr`), `@query-param`, a covered header
//! that is absent or not ASCII, `created` that is no integer (or has more than 15 digits), `expires` before `created`. And what
//! is longer than anybody needs: 16 kB a header, 8 signatures, 64 components, 16 parameters, a nonce of 256 bytes.
//!
//! # What an error tells
//!
//! A text says what to correct, and nothing that only the receiver knows. Whether a signature is of this time is looked at
//! once its MAC holds, and the body when the head does; digests and MACs are never shown.

mod base;
mod component;
mod digest;
mod fields;
mod parameters;
mod replay;
mod response;
mod sign;
mod verify;
mod window;

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

pub use base::Request;
pub use component::Uncoverable;
pub use digest::{BodyDigest, Digested, content_digest};
pub use replay::{Mark, ReplayStore};
pub use response::{Response, Wanted, WantedError, verify_response};
pub use sign::{SignedHeaders, sign, sign_with_nonce};
pub use verify::{Head, Verified, verify, verify_head, verify_head_of_any};
pub use window::ReplayWindow;

/// The clock difference that is forgiven, in seconds, in both directions.
pub const CLOCK_WINDOW: i64 = 300;

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

    /// Whether both are the same: by name and by secret.
    pub fn is_same(&self, other: &Self) -> bool {
        const ANYTHING: &[u8] = b"the same secret makes the same of it";
        self.id == other.id && bool::from(self.mac(ANYTHING).ct_eq(&other.mac(ANYTHING)))
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

/// Why a message is not believed. The texts tell a sender what to correct, and nothing that only the receiver knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("there is no signature: the headers Signature-Input and Signature are needed (RFC 9421, hmac-sha256)")]
    Missing,
    /// The signature is too old, or from the future.
    #[error(
        "the signature is not of this time: `created` may be {CLOCK_WINDOW} s from the server's time, {now} (Unix seconds), and `expires` may not be over; check the clock, and sign each request anew"
    )]
    Expired {
        /// The verifier's time in Unix seconds.
        now: i64,
    },
    /// The nonce was used before.
    #[error("this nonce was used before; sign each request anew, retries too")]
    Replayed,
    /// The nonces of the last minutes fill the store, and none may be forgotten yet.
    #[error("no more signatures can be remembered now, and none may be forgotten yet; try again later")]
    Full,
    /// The signature is not what this key and this message make.
    #[error("the signature does not hold: {0}")]
    Invalid(&'static str),
    /// It covers what cannot be covered.
    #[error("the signature does not hold: {0}")]
    Component(#[from] Uncoverable),
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
            Self::Full => "rate_limited",
            Self::Invalid(_) | Self::Component(_) => "signature_invalid",
            Self::DigestMismatch => "digest_mismatch",
            Self::UnknownKey => "unknown_key",
        }
    }
}
