//! The signature base (RFC 9421 §2.5): the bytes that are signed, a line for each covered component.

use http::HeaderMap;

use crate::component::{Component, Uncoverable};
use crate::fields::{Dictionary, joined};

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

    /// Writes the value of a derived component (§2.2); false if there is none of that name.
    ///
    /// `@target-uri` is what the client wrote. `@path` and `@query` are compared as they stand, with nothing decoded: that is
    /// how they reach the handlers.
    pub(crate) fn derive(&self, name: &str, base: &mut String) -> bool {
        match name {
            "@method" => base.push_str(self.method),
            "@authority" => base.extend(self.normal_authority().chars().map(|c| c.to_ascii_lowercase())),
            "@scheme" => base.push_str(self.scheme),
            "@path" => base.push_str(self.path()),
            "@query" => base.push_str(self.query()),
            "@request-target" => base.push_str(self.target),
            "@target-uri" => base.extend([self.scheme, "://", self.authority, self.target]),
            _ => return false,
        }
        true
    }
}

/// A message whose headers are covered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message<'a> {
    Request(Request<'a>, &'a HeaderMap),
    Response {
        status: u16,
        headers: &'a HeaderMap,
        /// What it answers.
        request: (Request<'a>, &'a HeaderMap),
    },
}

/// Builds the base for these components, and the parameters as they were received (or will be sent).
pub(crate) fn build(
    message: Message<'_>,
    components: &[Component<'_>],
    parameters: &str,
) -> Result<String, Uncoverable> {
    let mut base = String::with_capacity(512);
    for component in components {
        component.item.write(&mut base);
        base.push_str(": ");
        value(message, component, &mut base).map_err(|why| component.refused(why))?;
        base.push('\n');
    }
    finish(&mut base, parameters);
    Ok(base)
}

/// Writes the last line.
pub(crate) fn finish(base: &mut String, parameters: &str) {
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
}

fn value(message: Message<'_>, component: &Component<'_>, base: &mut String) -> Result<(), &'static str> {
    match message {
        Message::Request(..) if component.of_request => Err("a request answers no other one"),
        Message::Request(request, headers) => of_request(&request, headers, component, base),
        Message::Response { request: (request, headers), .. } if component.of_request => {
            of_request(&request, headers, component, base)
        }
        Message::Response { status, .. } if component.name == STATUS => {
            base.push_str(&status.to_string());
            Ok(())
        }
        Message::Response { .. } if component.is_derived() => Err(NOT_OF_RESPONSES),
        Message::Response { headers, .. } => field(headers, component.name, component.member, base),
    }
}

/// The only component that is made of a response alone.
pub(crate) const STATUS: &str = "@status";
/// Why another one cannot be covered.
pub(crate) const NOT_OF_RESPONSES: &str = "a response has no such component; `;req` names the request's";

/// A component's value in a request.
pub(crate) fn of_request(
    request: &Request<'_>,
    headers: &HeaderMap,
    component: &Component<'_>,
    base: &mut String,
) -> Result<(), &'static str> {
    if !component.is_derived() {
        return field(headers, component.name, component.member, base);
    }
    if request.derive(component.name, base) {
        Ok(())
    } else {
        Err("a request has no such component, or none is known here")
    }
}

/// The combined value of a header (§2.1): all its lines in order, trimmed, joined with `, `; or one member of it, if it is a
/// dictionary (§2.1.2).
pub(crate) fn field(
    headers: &HeaderMap,
    name: &str,
    member: Option<&str>,
    base: &mut String,
) -> Result<(), &'static str> {
    const ABSENT: &str = "there is no such header";
    if let Some(member) = member {
        let value = joined(headers, name).map_err(|_| "its header is too long")?.ok_or(ABSENT)?;
        let dictionary =
            Dictionary::read(&value).map_err(|_| "its header is no dictionary in which a name stands once")?;
        dictionary.get(member).ok_or("its header has no such member")?.write(base);
        return Ok(());
    }
    let mut first = true;
    for value in headers.get_all(name) {
        let value = value.to_str().map_err(|_| "its value is not ASCII")?;
        if !std::mem::take(&mut first) {
            base.push_str(", ");
        }
        base.push_str(value.trim_ascii());
    }
    if first { Err(ABSENT) } else { Ok(()) }
}
