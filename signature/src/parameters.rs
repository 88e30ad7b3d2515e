//! The parameters of a signature (RFC 9421 §2.3).

use sfv::BareItemFromInput;

use crate::fields::Parameters;
use crate::{ALGORITHM, CLOCK_WINDOW, SignatureError};

/// The longest nonce.
const MAX_NONCE_BYTES: usize = 256;

/// What the parameters say. Each must be of its type; those that are not known here are covered as they stand, and mean nothing.
pub(crate) struct Signed<'a> {
    pub(crate) created: i64,
    expires: Option<i64>,
    pub(crate) key_id: &'a str,
    pub(crate) nonce: Option<&'a str>,
}

impl<'a> Signed<'a> {
    pub(crate) fn read(parameters: &'a Parameters<'a>) -> Result<Self, SignatureError> {
        let algorithm = text(parameters, "alg", "its parameter `alg` must be \"hmac-sha256\"")?;
        if algorithm.is_some_and(|algorithm| algorithm != ALGORITHM) {
            return Err(SignatureError::Invalid("its algorithm must be hmac-sha256"));
        }
        text(parameters, "tag", "its parameter `tag` must be a string")?;
        let created = integer(parameters, "created", "its parameter `created` must be an integer: Unix seconds")?;
        let created = created.ok_or(SignatureError::Invalid("its parameter `created` is missing"))?;
        let expires = integer(parameters, "expires", "its parameter `expires` must be an integer: Unix seconds")?;
        if expires.is_some_and(|expires| expires < created) {
            return Err(SignatureError::Invalid("it expires before it was created"));
        }
        let key_id = text(parameters, "keyid", "its parameter `keyid` must be a string")?;
        let key_id = key_id.filter(|id| !id.is_empty());
        let key_id = key_id.ok_or(SignatureError::Invalid("its parameter `keyid` is missing"))?;
        let nonce = text(parameters, "nonce", "its parameter `nonce` must be a string")?;
        if nonce.is_some_and(|nonce| nonce.len() > MAX_NONCE_BYTES) {
            return Err(SignatureError::Invalid("its nonce is too long"));
        }
        Ok(Self { created, expires, key_id, nonce: nonce.filter(|nonce| !nonce.is_empty()) })
    }

    /// Whether the signature is of this time. Only its sender may be told, so the MAC is compared before.
    pub(crate) fn check_time(&self, now: i64) -> Result<(), SignatureError> {
        let age = now.saturating_sub(self.created);
        if !(-CLOCK_WINDOW..=CLOCK_WINDOW).contains(&age) || self.expires.is_some_and(|expires| expires < now) {
            return Err(SignatureError::Expired { now });
        }
        Ok(())
    }
}

fn text<'a>(
    parameters: &'a Parameters<'a>,
    name: &str,
    otherwise: &'static str,
) -> Result<Option<&'a str>, SignatureError> {
    let text = |value: &'a BareItemFromInput<'a>| value.as_string().map(sfv::StringRef::as_str);
    typed(parameters, name, text, otherwise)
}

fn integer(parameters: &Parameters<'_>, name: &str, otherwise: &'static str) -> Result<Option<i64>, SignatureError> {
    typed(parameters, name, |value| value.as_integer().map(i64::from), otherwise)
}

fn typed<'a, T>(
    parameters: &'a Parameters<'a>,
    name: &str,
    read: impl Fn(&'a BareItemFromInput<'a>) -> Option<T>,
    otherwise: &'static str,
) -> Result<Option<T>, SignatureError> {
    let Some(value) = parameters.get(name) else { return Ok(None) };
    read(value).map(Some).ok_or(SignatureError::Invalid(otherwise))
}
