//! The signature base (RFC 9421 §2.5): the bytes that are signed.

use http::HeaderMap;

use crate::SignatureError;

/// What a signature covers of a request besides its headers.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `POST`
    pub method: &'a str,
    /// `http` or `https`
    pub scheme: &'a str,
    /// The Host header: `127.0.0.1:8032`
    pub authority: &'a str,
    /// The path with its query as it stands in the request line: `/v1/calls?limit=2`
    pub target: &'a str,
}

impl Request<'_> {
    fn path(&self) -> &str {
        match self.target.split_once('?').map_or(self.target, |(path, _)| path) {
            "" => "/",
            path => path,
        }
    }

    /// With its question mark, which stands even for an empty query (§2.2.7).
    fn query(&self) -> &str {
        self.target.find('?').map_or("?", |at| &self.target[at..])
    }

    /// Without the port if it is the scheme's own (§2.2.3, RFC 9110 §4.2.3).
    fn normal_authority(&self) -> &str {
        let port = match self.scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return self.authority,
        };
        self.authority.strip_suffix(port).unwrap_or(self.authority)
    }

    /// The value of a derived component (§2.2).
    fn derived(&self, name: &str, base: &mut String) -> Result<(), SignatureError> {
        match name {
            "@method" => base.push_str(self.method),
            "@authority" => base.extend(self.normal_authority().chars().map(|c| c.to_ascii_lowercase())),
            "@scheme" => base.push_str(self.scheme),
            "@path" => base.push_str(self.path()),
            "@query" => base.push_str(self.query()),
            "@request-target" => base.push_str(self.target),
            "@target-uri" => {
                base.push_str(self.scheme);
                base.push_str("://");
                base.push_str(self.authority);
                base.push_str(self.target);
            }
            _ => return Err(SignatureError::Invalid("it covers a component that is not supported")),
        }
        Ok(())
    }
}

/// Builds the base for these components and the parameters as they were received (or will be sent).
///
/// # Errors
/// When a component is unknown, or a covered header is absent or not ASCII.
pub(crate) fn build(
    request: &Request<'_>,
    headers: &HeaderMap,
    components: &[&str],
    parameters: &str,
) -> Result<String, SignatureError> {
    let mut base = String::with_capacity(512);
    for name in components {
        base.push('"');
        base.push_str(name);
        base.push_str("\": ");
        if name.starts_with('@') {
            request.derived(name, &mut base)?;
        } else {
            field(headers, name, &mut base)?;
        }
        base.push('\n');
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    Ok(base)
}

/// The combined value of a header (§2.1): all its lines in order, trimmed, joined with `, `.
fn field(headers: &HeaderMap, name: &str, base: &mut String) -> Result<(), SignatureError> {
    let mut first = true;
    for value in headers.get_all(name) {
        let value = value.to_str().map_err(|_| SignatureError::Invalid("a covered header is not ASCII"))?;
        if !std::mem::take(&mut first) {
            base.push_str(", ");
        }
        base.push_str(value.trim());
    }
    if first { Err(SignatureError::Invalid("it covers a header that the request does not have")) } else { Ok(()) }
}
