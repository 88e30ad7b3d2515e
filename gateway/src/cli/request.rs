//! A request as commands put it together: where it goes, its headers, its body, and what signs it.

use std::io::Read as _;

use bridge32_signature::{Key, Request as Covered, sign};
use http::header::{CONTENT_TYPE, HOST};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Failed;

/// The headers that signing adds.
const SIGNING: [&str; 3] = ["content-digest", "signature-input", "signature"];

/// What may not stand in a request line as it is (RFC 3986 §2). A percent sign may: it is taken for an escape.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What may not stand in a part of a path as it is: all but the unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a request goes, in the spelling in which it is sent and signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `http` or `https`
    pub(super) scheme: String,
    /// `127.0.0.1:8032`: in small letters, and without the port that the scheme has anyway.
    pub(super) authority: String,
    /// `/v1/libraries?x=%C3%BC`
    pub(super) target: String,
}

impl Place {
    /// A whole URL, or a path at the gateway `base`. What may not stand there is percent-encoded; a fragment is cut off.
    ///
    /// # Errors
    /// It is neither.
    pub(super) fn parse(text: &str, base: Option<&str>) -> Result<Self, String> {
        match (base, text.starts_with('/')) {
            (Some(base), true) => Ok(Self { target: target(text), ..Self::parse(base, None)? }),
            _ => Self::url(text),
        }
    }

    fn url(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no address: write a path, such as /v1/libraries, or a URL, such as \
                 http://127.0.0.1:8032/v1/libraries"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let scheme = scheme.to_ascii_lowercase();
        let own_port = match scheme.as_str() {
            "http" => ":80",
            "https" => ":443",
            _ => return Err(wrong()),
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let authority: Authority = authority.to_ascii_lowercase().parse().map_err(|_| wrong())?;
        if authority.host().is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let authority = authority.as_str();
        let authority = authority.strip_suffix(own_port).unwrap_or(authority).to_owned();
        Ok(Self { scheme, authority, target: target(rest) })
    }

    /// The gateway.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The whole URL.
    pub(super) fn to_url(&self) -> String {
        format!("{}{}", self.origin(), self.target)
    }
}

/// What stands in the request line: the path and the query, percent-encoded.
fn target(rest: &str) -> String {
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let slash = if rest.starts_with('/') { "" } else { "/" };
    format!("{slash}{}", utf8_percent_encode(rest, ESCAPED))
}

/// A name as one part of a path.
pub(super) fn escape(name: &str) -> String {
    utf8_percent_encode(name, RESERVED).to_string()
}

/// The method, in capital letters as all of them are.
///
/// # Errors
/// It cannot stand in a request.
pub(super) fn method(text: &str) -> Result<Method, String> {
    let method = Method::from_bytes(text.to_ascii_uppercase().as_bytes());
    method.map_err(|_| format!("`{text}` is no method, such as GET or POST"))
}

/// `Name: value`
///
/// # Errors
/// It is no header, or one that signing makes.
pub(super) fn header(line: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = || format!("`{line}` is no header, such as 'Accept: text/x-c'");
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
    if SIGNING.contains(&name.as_str()) {
        return Err(format!("{name} is a header that this command makes: leave it out"));
    }
    Ok((name, HeaderValue::from_str(value.trim()).map_err(|_| wrong())?))
}

/// The headers as given; a body is JSON unless they say otherwise.
pub(super) fn headers(given: Vec<(HeaderName, HeaderValue)>, has_body: bool) -> HeaderMap {
    let mut headers = if has_body { json_headers() } else { HeaderMap::new() };
    // The first of a name takes the place of what is there, the others stand beside it.
    headers.extend(given.into_iter().collect::<HeaderMap>());
    headers
}

/// `content-type: application/json`
pub(super) fn json_headers() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))])
}

/// The headers that sign a request now. A `Host` among its own is the authority that the gateway sees.
///
/// # Errors
/// The system has no random source.
pub(super) fn signature(
    key: &Key,
    method: &Method,
    place: &Place,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<HeaderMap, Failed> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let covered = Covered {
        method: method.as_str(),
        scheme: &place.scheme,
        authority: host.unwrap_or(&place.authority),
        target: &place.target,
    };
    let signed = sign(key, &covered, body, Timestamp::now().as_second()).map_err(Failed::problem)?;
    let pair = |(name, value)| {
        let value = HeaderValue::from_str(value).map_err(Failed::problem)?;
        Ok((HeaderName::from_static(name), value))
    };
    signed.pairs().map(pair).collect()
}

/// The bytes of a file; `-` is standard input.
///
/// # Errors
/// It cannot be read.
pub(super) fn read(file: &str) -> std::io::Result<Vec<u8>> {
    if file == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(file)
}

/// The same, in the words of a command that has `what` from a file.
///
/// # Errors
/// It cannot be read.
pub(super) fn body_of(file: &str, what: &str) -> Result<Vec<u8>, Failed> {
    read(file).map_err(|error| {
        Failed::usage(format!("cannot read {file}: {error}; {what} takes a file, and - is standard input"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> String {
        Place::parse(text, Some("http://127.0.0.1:8032")).unwrap().to_url()
    }

    #[test]
    fn a_path_is_at_the_gateway_and_a_url_where_it_says() {
        assert_eq!(url("/v1/libraries"), "http://127.0.0.1:8032/v1/libraries");
        assert_eq!(url("https://Bridge.example:443/a"), "https://bridge.example/a");
        assert_eq!(url("http://[::1]:9/a?b=c#d"), "http://[::1]:9/a?b=c");
        assert_eq!(url("HTTP://h:80?x"), "http://h/?x");
        for wrong in ["v1/libraries", "", "ftp://h/a", "http:///a", "http://user@h/a", "h:80/a"] {
            let text = Place::parse(wrong, Some("http://h")).unwrap_err();
            assert!(text.contains("write a path"), "{text}");
        }
        assert!(Place::parse("/a", None).is_err());
    }

    #[test]
    fn what_may_not_stand_in_a_request_line_is_encoded_and_escapes_stay() {
        assert_eq!(url("/bücher/a b?q={\"x\"}&r=%20"), "http://127.0.0.1:8032/b%C3%BCcher/a%20b?q=%7B%22x%22%7D&r=%20");
    }

    #[test]
    fn names_are_escaped_for_paths() {
        assert_eq!(escape("a b/ü~"), "a%20b%2F%C3%BC~");
    }

    #[test]
    fn headers_are_read_and_those_of_signing_refused() {
        let (name, value) = header("If-None-Match: \"a:b\"").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("if-none-match", "\"a:b\""));
        assert!(header("Accept").unwrap_err().contains("no header"));
        assert!(header("Content-Digest: x").unwrap_err().contains("leave it out"));
        let own = headers(vec![header("content-type: text/x-c").unwrap()], true);
        assert_eq!(own.get_all(CONTENT_TYPE).iter().collect::<Vec<_>>(), ["text/x-c"]);
        assert_eq!(headers(Vec::new(), true), json_headers());
        assert!(headers(Vec::new(), false).is_empty());
    }
}
