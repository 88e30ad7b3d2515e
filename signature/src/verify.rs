//! Verifies a request's signature.

use std::borrow::Cow;

use http::HeaderMap;
use subtle::ConstantTimeEq as _;

use crate::base::{self, Message};
use crate::component::Component;
use crate::fields::{self, Dictionary, FieldError, List, Member};
use crate::parameters::Signed;
use crate::{Digested, Key, Request, SignatureError, digest};

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
    /// Which of the requests it was, of several that it could have been.
    named: usize,
}

impl Head {
    /// What its signature says, if the body is the one that was signed.
    pub const fn signed(&self) -> &Verified {
        &self.verified
    }

    /// Whose it is, if the body is the one that was signed.
    pub fn key_id(&self) -> &str {
        &self.verified.key_id
    }

    /// As which of the requests it was signed, of those that [`verify_head_of_any`] was given.
    pub const fn named(&self) -> usize {
        self.named
    }

    /// Checks the body against the signed digest. A digest that is there must be right even if it is not signed.
    ///
    /// # Errors
    /// The body is another one, or there is one and the signature does not cover its digest.
    pub fn with_body(self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, SignatureError> {
        self.with(headers, body.is_empty(), || digest::check(headers, body))
    }

    /// The same of a body that was there in pieces.
    ///
    /// # Errors
    /// As [`Head::with_body`].
    pub fn with_digested(self, headers: &HeaderMap, body: &Digested) -> Result<Verified, SignatureError> {
        self.with(headers, body.bytes == 0, || digest::check_digested(headers, body))
    }

    fn with(
        self,
        headers: &HeaderMap,
        is_empty: bool,
        check: impl FnOnce() -> Result<(), SignatureError>,
    ) -> Result<Verified, SignatureError> {
        if !self.covers_digest && !is_empty {
            return Err(SignatureError::Invalid("it must cover content-digest, because there is a body"));
        }
        if self.covers_digest || headers.contains_key(digest::NAME) {
            check()?;
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
    verify_head_of_any(&std::iter::once(*request), headers, keys, now)
}

/// The same for a request that its sender may know by several names, as behind a proxy: one of them must have been signed.
///
/// # Errors
/// As [`verify`].
pub fn verify_head_of_any<'r, 'k>(
    requests: &(impl Iterator<Item = Request<'r>> + Clone),
    headers: &HeaderMap,
    keys: impl Fn(&str) -> Option<&'k Key>,
    now: i64,
) -> Result<Head, SignatureError> {
    let [inputs, signatures] = received(headers)?;
    let (inputs, signatures) = (dictionary(&inputs)?, dictionary(&signatures)?);
    let mut reason = SignatureError::Missing;
    let mut without_digest = None;
    for input in inputs.members() {
        let checked =
            pair(input, &signatures).and_then(|(list, mac)| one(requests.clone(), headers, list, mac, &keys, now));
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

/// The values of the two headers.
pub(crate) fn received(headers: &HeaderMap) -> Result<[Cow<'_, [u8]>; 2], SignatureError> {
    match (fields::joined(headers, "signature-input"), fields::joined(headers, "signature")) {
        (Ok(Some(inputs)), Ok(Some(signatures))) => Ok([inputs, signatures]),
        (Err(error), _) | (_, Err(error)) => Err(unreadable(error)),
        _ => Err(SignatureError::Missing),
    }
}

pub(crate) fn dictionary(value: &[u8]) -> Result<Dictionary<'_>, SignatureError> {
    Dictionary::read(value).map_err(unreadable)
}

fn unreadable(error: FieldError) -> SignatureError {
    SignatureError::Invalid(match error {
        FieldError::Syntax => "Signature-Input or Signature is not a structured field (RFC 8941)",
        FieldError::Twice => "Signature-Input or Signature has a label or a parameter twice",
        FieldError::TooLong => "Signature-Input or Signature is too long, or has too many signatures",
    })
}

/// A label's components and parameters, and its MAC.
pub(crate) fn pair<'m>(
    input: &'m Member<'_>,
    signatures: &'m Dictionary<'_>,
) -> Result<(List<'m>, &'m [u8]), SignatureError> {
    let list = input.list().ok_or(SignatureError::Invalid("Signature-Input is not a list (`sig1=(…)`)"))?;
    let member = signatures.get(input.name).ok_or(SignatureError::Invalid("Signature has no member of its label"))?;
    let mac = member.bytes().ok_or(SignatureError::Invalid("Signature is not a byte sequence (`sig1=:…:`)"))?;
    Ok((list, mac))
}

/// How far a signature came before it failed.
pub(crate) fn progress(error: &SignatureError) -> u8 {
    match error {
        SignatureError::Missing => 0,
        SignatureError::UnknownKey => 1,
        SignatureError::Invalid(_) | SignatureError::Component(_) => 2,
        SignatureError::Expired { .. } | SignatureError::Replayed | SignatureError::Full => 3,
        SignatureError::DigestMismatch => 4,
    }
}

fn one<'r, 'k>(
    requests: impl Iterator<Item = Request<'r>>,
    headers: &HeaderMap,
    input: List<'_>,
    mac: &[u8],
    keys: &impl Fn(&str) -> Option<&'k Key>,
    now: i64,
) -> Result<Head, SignatureError> {
    let components = Component::read_all(input.items)?;
    if let Some(component) = components.iter().find(|component| !component.item.parameters.is_empty()) {
        return Err(component.refused("a component of a request has no parameters here").into());
    }
    require_coverage(&components)?;
    let signed = Signed::read(input.parameters)?;
    let nonce = signed.nonce.ok_or(SignatureError::Invalid("its parameter `nonce` is missing"))?;
    let key = keys(signed.key_id).ok_or(SignatureError::UnknownKey)?;
    let mut parameters = String::with_capacity(256);
    input.write(&mut parameters);
    let mut named = None;
    for (index, request) in requests.enumerate() {
        let base = base::build(Message::Request(request, headers), &components, &parameters)?;
        if key.made(&base, mac) {
            named = Some(index);
            break;
        }
    }
    let named = named.ok_or(SignatureError::Invalid(
        "it does not belong to this method, target, authority, digest and key; check what was signed, and that the secret is this key's, decoded from base64",
    ))?;
    signed.check_time(now)?;
    let verified = Verified { key_id: signed.key_id.to_owned(), nonce: nonce.to_owned(), created: signed.created };
    Ok(Head { verified, covers_digest: covers(&components, digest::NAME), named })
}

impl Key {
    /// Whether a MAC is this key's of that base, in a time that does not depend on how much of it is right.
    pub(crate) fn made(&self, base: &str, mac: &[u8]) -> bool {
        self.mac(base.as_bytes()).ct_eq(mac).into()
    }
}

pub(crate) fn covers(components: &[Component<'_>], name: &str) -> bool {
    components.iter().any(|component| component.is_plain(name))
}

fn require_coverage(components: &[Component<'_>]) -> Result<(), SignatureError> {
    let covers = |name| covers(components, name);
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

#[cfg(test)]
mod foreign;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
