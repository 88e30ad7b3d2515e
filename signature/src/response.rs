//! Signed responses: what a client asks for with `Accept-Signature` (RFC 9421 §5), and how it checks what it gets.
//!
//! A client of a shared key asks for, say, `Accept-Signature: sig1=("@status" "content-digest" "signature";req)`. The answer is
//! signed with the key that signed the request, by the same label, and says in `Signature-Input` what it covers. `;req` binds it
//! to that request, whose signature with its nonce there is but once.

use http::{HeaderMap, HeaderValue};

use crate::base::{self, Message};
use crate::component::{Component, Uncoverable};
use crate::fields::{self, Dictionary, List, Parameters};
use crate::parameters::Signed;
use crate::verify::{covers, dictionary, pair, progress, received};
use crate::{ALGORITHM, CLOCK_WINDOW, Digested, Key, Request, SignatureError, digest};

/// The longest `nonce` or `tag` that is repeated.
const MAX_REPEATED: usize = 256;

/// A response as its receiver has it.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// `200`
    pub status: u16,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

/// A signature that is wanted of the answer to a request. What it covers of the request is known already.
#[derive(Clone, Debug)]
pub struct Wanted {
    label: String,
    lines: Vec<Line>,
    expires: bool,
    /// `nonce` and `tag`, to be repeated.
    repeated: String,
}

#[derive(Clone, Debug)]
struct Line {
    /// The component's identifier.
    identifier: String,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    OfRequest(String),
    Status,
    Header { name: String, member: Option<String> },
}

/// Why an answer cannot be signed as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// The header cannot be read.
    #[error("it {0}; an example: sig1=(\"@status\" \"content-digest\" \"signature\";req)")]
    Unreadable(String),
    /// A component cannot be covered.
    #[error(transparent)]
    Component(#[from] Uncoverable),
    /// A parameter asks for what is not done.
    #[error("its parameter `{name}` {why}")]
    Parameter {
        /// The parameter.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Wanted {
    /// What the `Accept-Signature` of a request that `key` has signed asks for: nothing, or one signature for each label.
    ///
    /// # Errors
    /// It cannot be read, or asks for what no answer can cover.
    pub fn read(key: &Key, request: &Request<'_>, headers: &HeaderMap) -> Result<Vec<Self>, WantedError> {
        let unreadable = |error: fields::FieldError| WantedError::Unreadable(error.to_string());
        let Some(value) = fields::joined(headers, "accept-signature").map_err(unreadable)? else {
            return Ok(Vec::new());
        };
        let dictionary = Dictionary::read(&value).map_err(unreadable)?;
        let one = |member: &fields::Member<'_>| {
            let list = member.list().ok_or_else(|| WantedError::Unreadable("has no list of components".to_owned()))?;
            Self::one(key, member.name, list, request, headers)
        };
        dictionary.members().iter().map(one).collect()
    }

    fn one(
        key: &Key,
        label: &str,
        list: List<'_>,
        request: &Request<'_>,
        headers: &HeaderMap,
    ) -> Result<Self, WantedError> {
        let mut lines = Vec::with_capacity(list.items.len());
        for component in Component::read_all(list.items)? {
            let value = value(&component, request, headers).map_err(|why| component.refused(why))?;
            let mut identifier = String::new();
            component.item.write(&mut identifier);
            lines.push(Line { identifier, value });
        }
        let repeated = repeated(key, list.parameters)?;
        let expires = list.parameters.get("expires").is_some();
        Ok(Self { label: label.to_owned(), lines, expires, repeated })
    }

    /// Signs a response: adds `Content-Digest`, if a signature covers it, `Signature-Input` and `Signature` to its headers.
    /// A header that is wanted and that this response does not have is left out of what is covered.
    ///
    /// # Errors
    /// A header cannot be written.
    pub fn sign(
        wanted: &[Self],
        key: &Key,
        status: u16,
        headers: &mut HeaderMap,
        body: &Digested,
        created: i64,
    ) -> Result<(), SignatureError> {
        let unfit = |_| SignatureError::Invalid("a header of the answer cannot be written");
        if wanted.iter().any(Self::covers_digest) {
            headers.insert(digest::NAME, HeaderValue::from_str(&body.content_digest()).map_err(unfit)?);
        }
        let (mut inputs, mut signatures) = (Vec::new(), Vec::new());
        for one in wanted {
            let (parameters, mac) = one.signed(key, status, headers, created);
            inputs.push(format!("{}={parameters}", one.label));
            signatures.push(format!("{}={mac}", one.label));
        }
        headers.insert("signature-input", HeaderValue::from_str(&inputs.join(", ")).map_err(unfit)?);
        headers.insert("signature", HeaderValue::from_str(&signatures.join(", ")).map_err(unfit)?);
        Ok(())
    }

    fn covers_digest(&self) -> bool {
        self.lines.iter().any(|line| matches!(&line.value, Value::Header { name, .. } if name == digest::NAME))
    }

    /// The components and parameters, and the MAC.
    fn signed(&self, key: &Key, status: u16, headers: &HeaderMap, created: i64) -> (String, String) {
        let (mut base, mut covered) = (String::with_capacity(512), Vec::with_capacity(self.lines.len()));
        for Line { identifier, value } in &self.lines {
            let mut text = String::new();
            match value {
                Value::OfRequest(known) => text.push_str(known),
                Value::Status => text.push_str(&status.to_string()),
                Value::Header { name, member } => {
                    if base::field(headers, name, member.as_deref(), &mut text).is_err() {
                        continue;
                    }
                }
            }
            covered.push(identifier.as_str());
            base.extend([identifier, ": ", &text, "\n"]);
        }
        let expires =
            if self.expires { format!(";expires={}", created.saturating_add(CLOCK_WINDOW)) } else { String::new() };
        let (covered, id, repeated) = (covered.join(" "), key.id(), &self.repeated);
        let parameters = format!("({covered});created={created}{expires};keyid=\"{id}\"{repeated};alg=\"{ALGORITHM}\"");
        base::finish(&mut base, &parameters);
        (parameters, key.signature(&base))
    }
}

fn value(component: &Component<'_>, request: &Request<'_>, headers: &HeaderMap) -> Result<Value, &'static str> {
    if component.of_request {
        let mut known = String::new();
        base::of_request(request, headers, component, &mut known)?;
        return Ok(Value::OfRequest(known));
    }
    match component.name {
        base::STATUS => Ok(Value::Status),
        _ if component.is_derived() => Err(base::NOT_OF_RESPONSES),
        "signature" | "signature-input" => Err("the answer's own signature comes last; `;req` names the request's"),
        // They are written, or changed, after the signature.
        "connection" | "content-length" | "date" | "keep-alive" | "trailer" | "transfer-encoding" | "upgrade" => {
            Err("it is of the connection, and not of the answer")
        }
        name => Ok(Value::Header { name: name.to_owned(), member: component.member.map(str::to_owned) }),
    }
}

/// Checks the parameters of a wish (§5.1), and gives those that the signature repeats.
fn repeated(key: &Key, parameters: &Parameters<'_>) -> Result<String, WantedError> {
    let mut repeated = String::new();
    for (name, value) in parameters.pairs() {
        let text = value.as_string().map(sfv::StringRef::as_str);
        let why = match (name.as_str(), text) {
            ("created" | "expires", _) if value.as_boolean() == Some(true) => continue,
            ("created" | "expires", _) => "has no value in Accept-Signature: the gateway sets it",
            ("alg", Some(ALGORITHM)) => continue,
            ("alg", _) => "can only be \"hmac-sha256\"",
            ("keyid", Some(id)) if id == key.id() => continue,
            ("keyid", _) => "can only be the key that signed the request",
            ("nonce" | "tag", Some(text)) if text.len() <= MAX_REPEATED => {
                // Only quotes and backslashes are escaped in a string.
                let text = text.replace('\\', "\\\\").replace('"', "\\\"");
                repeated.extend([";", name.as_str(), "=\"", &text, "\""]);
                continue;
            }
            ("nonce" | "tag", _) => "must be a string of at most 256 characters",
            _ => "is not supported",
        };
        return Err(WantedError::Parameter { name: name.as_str().to_owned(), why });
    }
    Ok(repeated)
}

/// Checks that a response was signed with the key of its request, and belongs to that one. It must cover `@status`,
/// the request's signature (`"signature";req`), and `content-digest` where there is a body. `request_headers` are those that
/// were sent, with the signature; `now` is the time in Unix seconds.
///
/// # Errors
/// Why it is not believed.
pub fn verify_response(
    key: &Key,
    request: &Request<'_>,
    request_headers: &HeaderMap,
    response: &Response<'_>,
    body: &[u8],
    now: i64,
) -> Result<(), SignatureError> {
    let [inputs, signatures] = received(response.headers)?;
    let (inputs, signatures) = (dictionary(&inputs)?, dictionary(&signatures)?);
    let Response { status, headers } = *response;
    let message = Message::Response { status, headers, request: (*request, request_headers) };
    let mut reason = SignatureError::Missing;
    for input in inputs.members() {
        let checked = pair(input, &signatures).and_then(|(list, mac)| one(key, message, list, mac, body, now));
        match checked {
            Ok(true) => return digest::check(headers, body),
            Ok(false) => return Ok(()),
            Err(error) if progress(&error) > progress(&reason) => reason = error,
            Err(_) => {}
        }
    }
    Err(reason)
}

/// Whether a signature holds, and then whether the digest of the body is to be looked at.
fn one(
    key: &Key,
    message: Message<'_>,
    input: List<'_>,
    mac: &[u8],
    body: &[u8],
    now: i64,
) -> Result<bool, SignatureError> {
    let components = Component::read_all(input.items)?;
    let missing = if !covers(&components, base::STATUS) {
        Some("it must cover @status")
    } else if !components.iter().any(|component| component.of_request && component.name == "signature") {
        Some("it must cover the request's signature: \"signature\";req")
    } else if !body.is_empty() && !covers(&components, digest::NAME) {
        Some("it must cover content-digest, because there is a body")
    } else {
        None
    };
    if let Some(missing) = missing {
        return Err(SignatureError::Invalid(missing));
    }
    let signed = Signed::read(input.parameters)?;
    if signed.key_id != key.id() {
        return Err(SignatureError::UnknownKey);
    }
    let mut parameters = String::new();
    input.write(&mut parameters);
    if !key.made(&base::build(message, &components, &parameters)?, mac) {
        return Err(SignatureError::Invalid("it does not belong to this answer, request and key"));
    }
    signed.check_time(now)?;
    Ok(covers(&components, digest::NAME))
}

#[cfg(test)]
mod tests;
