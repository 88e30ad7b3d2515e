//! Verifies a request's signature.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use sfv::{BareItem, Dictionary, InnerList, ListEntry, Parser};
use subtle::ConstantTimeEq as _;

use crate::{ALGORITHM, CLOCK_WINDOW, Key, Request, SignatureError, base, digest, joined};

/// The most bytes of `Signature-Input` and of `Signature` that are looked at.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// The most signatures of one request that are looked at.
const MAX_SIGNATURES: usize = 8;
/// The longest nonce.
const MAX_NONCE_BYTES: usize = 256;

/// A request that is believed, but for replays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose it is.
    pub key_id: String,
    /// Good once: see [`crate::ReplayStore`].
    pub nonce: String,
    /// When it was signed, in Unix seconds.
    pub created: i64,
}

/// A request whose headers are believed. The body is not: it can be read now, and must be checked by
/// [`Head::with_body`].
#[derive(Clone, Debug)]
pub struct Head {
    verified: Verified,
    covers_digest: bool,
}

impl Head {
    /// Checks the body against the signed digest.
    ///
    /// # Errors
    /// The body is another one, or there is one and the signature does not cover its digest.
    pub fn with_body(self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, SignatureError> {
        if self.covers_digest {
            digest::check(headers, body)?;
        } else if !body.is_empty() {
            return Err(SignatureError::Invalid("it must cover content-digest, because there is a body"));
        }
        Ok(self.verified)
    }
}

/// Checks the signatures of a request; one that holds is enough. `now` is the time in Unix seconds.
///
/// # Errors
/// Why none of them holds: of several, the one that came closest.
pub fn verify<'k>(
    request: &Request<'_>,
    headers: &HeaderMap,
    body: &[u8],
    keys: impl Fn(&str) -> Option<&'k Key>,
    now: i64,
) -> Result<Verified, SignatureError> {
    verify_head(request, headers, keys, now)?.with_body(headers, body)
}

/// The part of [`verify`] that needs no body, so that nobody without a key can make the receiver hold one.
///
/// # Errors
/// As [`verify`].
pub fn verify_head<'k>(
    request: &Request<'_>,
    headers: &HeaderMap,
    keys: impl Fn(&str) -> Option<&'k Key>,
    now: i64,
) -> Result<Head, SignatureError> {
    let (inputs, signatures) = match (bounded(headers, "signature-input")?, bounded(headers, "signature")?) {
        (Some(inputs), Some(signatures)) => (dictionary(&inputs)?, dictionary(&signatures)?),
        _ => return Err(SignatureError::Missing),
    };
    let mut reason = SignatureError::Missing;
    let mut without_digest = None;
    for (label, input) in inputs.iter().take(MAX_SIGNATURES) {
        let checked = match (input, signatures.get(label)) {
            (ListEntry::InnerList(input), Some(ListEntry::Item(item))) => match &item.bare_item {
                BareItem::ByteSequence(mac) => one(request, headers, input, mac, &keys, now),
                _ => Err(SignatureError::Invalid("Signature is not a byte sequence (`sig1=:…:`)")),
            },
            _ => Err(SignatureError::Invalid("Signature-Input and Signature do not belong together")),
        };
        match checked {
            Ok(head) if head.covers_digest => return Ok(head),
            // Another one may cover the body too.
            Ok(head) => without_digest = without_digest.or(Some(head)),
            Err(error) if progress(&error) > progress(&reason) => reason = error,
            Err(_) => {}
        }
    }
    without_digest.ok_or(reason)
}

/// How far a signature came before it failed.
fn progress(error: &SignatureError) -> u8 {
    match error {
        SignatureError::Missing => 0,
        SignatureError::UnknownKey => 1,
        SignatureError::Invalid(_) => 2,
        SignatureError::Expired { .. } | SignatureError::Replayed => 3,
        SignatureError::DigestMismatch => 4,
    }
}

/// The lines of a header as one value, if they are not too long.
fn bounded<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<Cow<'h, [u8]>>, SignatureError> {
    let length: usize = headers.get_all(name).iter().map(HeaderValue::len).sum();
    if length > MAX_HEADER_BYTES {
        return Err(SignatureError::Invalid("its headers are too long"));
    }
    Ok(joined(headers, name))
}

fn dictionary(value: &[u8]) -> Result<Dictionary, SignatureError> {
    Parser::new(value)
        .parse()
        .map_err(|_| SignatureError::Invalid("Signature-Input or Signature is not a structured field (RFC 9651)"))
}

fn one<'k>(
    request: &Request<'_>,
    headers: &HeaderMap,
    input: &InnerList,
    mac: &[u8],
    keys: &impl Fn(&str) -> Option<&'k Key>,
    now: i64,
) -> Result<Head, SignatureError> {
    let components = components(input)?;
    require_coverage(&components)?;
    let parameters = Parameters::read(input)?;
    let key = keys(&parameters.key_id).ok_or(SignatureError::UnknownKey)?;
    let base = base::build(request, headers, &components, &serialized(input)?)?;
    if !bool::from(key.mac(base.as_bytes()).ct_eq(mac)) {
        return Err(SignatureError::Invalid(
            "it does not belong to this method, target, authority, digest and key; check what was signed",
        ));
    }
    let age = now.saturating_sub(parameters.created);
    if !(-CLOCK_WINDOW..=CLOCK_WINDOW).contains(&age) || parameters.expires.is_some_and(|expires| expires < now) {
        return Err(SignatureError::Expired { now });
    }
    let verified = Verified { key_id: parameters.key_id, nonce: parameters.nonce, created: parameters.created };
    Ok(Head { verified, covers_digest: components.contains(&"content-digest") })
}

/// The names of the covered components. Parameters on them (`;sf`, `;bs`, `;req`, …) would change what is covered.
fn components(input: &InnerList) -> Result<Vec<&str>, SignatureError> {
    let mut names = Vec::with_capacity(input.items.len());
    for item in &input.items {
        let BareItem::String(name) = &item.bare_item else {
            return Err(SignatureError::Invalid("a covered component is not a string"));
        };
        if !item.params.is_empty() {
            return Err(SignatureError::Invalid("it covers a component with parameters, which is not supported"));
        }
        if names.contains(&name.as_str()) {
            return Err(SignatureError::Invalid("it covers a component twice"));
        }
        if name.as_str().bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(SignatureError::Invalid("the names of covered components are lower case"));
        }
        names.push(name.as_str());
    }
    Ok(names)
}

fn require_coverage(components: &[&str]) -> Result<(), SignatureError> {
    let covers = |name| components.contains(&name);
    let missing = if !covers("@method") {
        "it must cover @method"
    } else if !covers("@authority") {
        "it must cover @authority"
    } else if !(covers("@target-uri") || covers("@path") && covers("@query")) {
        "it must cover @target-uri, or @path and @query"
    } else {
        return Ok(());
    };
    Err(SignatureError::Invalid(missing))
}

fn serialized(input: &InnerList) -> Result<String, SignatureError> {
    let mut list = sfv::ListSerializer::new();
    let mut items = list.inner_list();
    items.items(&input.items);
    items.finish().parameters(&input.params);
    list.finish().ok_or(SignatureError::Invalid("its parameters cannot be serialized"))
}

struct Parameters {
    created: i64,
    expires: Option<i64>,
    key_id: String,
    nonce: String,
}

impl Parameters {
    fn read(input: &InnerList) -> Result<Self, SignatureError> {
        let integer = |name: &str| match input.params.get(name) {
            Some(BareItem::Integer(number)) => Some(i64::from(*number)),
            _ => None,
        };
        let string = |name: &str| match input.params.get(name) {
            Some(BareItem::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let required = |name, error| string(name).filter(|text| !text.is_empty()).ok_or(SignatureError::Invalid(error));
        if input.params.contains_key("alg") && string("alg") != Some(ALGORITHM) {
            return Err(SignatureError::Invalid("its algorithm must be hmac-sha256"));
        }
        if input.params.contains_key("expires") && integer("expires").is_none() {
            return Err(SignatureError::Invalid("its parameter `expires` must be an integer"));
        }
        let nonce = required("nonce", "its parameter `nonce` is missing")?;
        if nonce.len() > MAX_NONCE_BYTES {
            return Err(SignatureError::Invalid("its nonce is too long"));
        }
        Ok(Self {
            created: integer("created").ok_or(SignatureError::Invalid("its parameter `created` is missing"))?,
            expires: integer("expires"),
            key_id: required("keyid", "its parameter `keyid` is missing")?.to_owned(),
            nonce: nonce.to_owned(),
        })
    }
}

#[cfg(test)]
mod foreign;
#[cfg(test)]
mod tests;
