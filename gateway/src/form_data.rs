//! Forms as browsers send them: `application/x-www-form-urlencoded`, and `multipart/form-data` (RFC 7578) where files go along.
//!
//! The body is there as a whole when it is read: nothing here waits.

use bytes::Bytes;
use futures_util::{FutureExt, future, stream};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use multer::{Field, Multipart};

/// No form of ours has more fields.
const MOST_FIELDS: usize = 5_000;

/// What was typed and chosen in a form.
#[derive(Clone, Debug, Default)]
pub struct FormData {
    fields: Vec<(String, Value)>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// The content of a file.
    File(Bytes),
}

/// Why a body is no form. In words.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FormError {
    /// It says that it is something else.
    #[error("a form is of the type application/x-www-form-urlencoded or multipart/form-data")]
    Type,
    /// Its parts cannot be told from each other.
    #[error("the parts of the form cannot be read: {0}")]
    Parts(String),
    /// There are more fields than any form of ours has.
    #[error("the form has more than {MOST_FIELDS} fields")]
    TooMany,
}

/// How the fields of a body are written.
enum Kind {
    Encoded,
    /// With what stands between the parts.
    Parts(String),
}

fn kind(headers: &HeaderMap) -> Option<Kind> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Some(Kind::Encoded);
    }
    multer::parse_boundary(text).ok().map(Kind::Parts)
}

impl FormData {
    /// Reads a body. Of fields that were sent without a name nothing is kept.
    ///
    /// # Errors
    /// It is no form.
    pub fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, FormError> {
        let mut fields = Vec::new();
        let mut keep = |name: String, value| {
            fields.push((name, value));
            if fields.len() > MOST_FIELDS { Err(FormError::TooMany) } else { Ok(()) }
        };
        match kind(headers).ok_or(FormError::Type)? {
            Kind::Encoded => form_urlencoded::parse(body)
                .try_for_each(|(name, value)| keep(name.into_owned(), Value::Text(value.into_owned())))?,
            Kind::Parts(boundary) => {
                let mut parts = Parts::of(body, boundary);
                while let Some(part) = parts.next()? {
                    let Some(name) = part.name().map(str::to_owned) else { continue };
                    let is_file = part.file_name().is_some();
                    let content = whole(part)?;
                    let text = || String::from_utf8_lossy(&content).into_owned();
                    keep(name, if is_file { Value::File(content) } else { Value::Text(text()) })?;
                }
            }
        }
        Ok(Self { fields })
    }

    /// The text of a field; of several, the first.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|(own, value)| match value {
            Value::Text(text) if own == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// The file of a field; none was chosen if there is nothing in it.
    pub fn file(&self, name: &str) -> Option<&Bytes> {
        self.fields.iter().find_map(|(own, value)| match value {
            Value::File(content) if own == name && !content.is_empty() => Some(content),
            _ => None,
        })
    }

    /// Sets the text of a field.
    pub fn set(&mut self, name: &str, text: &str) {
        self.fields.retain(|(own, value)| own != name || matches!(value, Value::File(_)));
        self.fields.push((name.to_owned(), Value::Text(text.to_owned())));
    }

    /// Gives fields other names; those for which there is none go.
    pub fn rename(&mut self, new: impl Fn(String) -> Option<String>) {
        let fields = std::mem::take(&mut self.fields);
        self.fields = fields.into_iter().filter_map(|(name, value)| Some((new(name)?, value))).collect();
    }
}

#[cfg(test)]
impl FormData {
    /// A form with these fields.
    pub(crate) fn of(fields: &[(&str, &str)]) -> Self {
        let field = |(name, text): &(&str, &str)| ((*name).to_owned(), Value::Text((*text).to_owned()));
        Self { fields: fields.iter().map(field).collect() }
    }

    /// The same with a file.
    pub(crate) fn with_file(mut self, name: &str, content: &[u8]) -> Self {
        self.fields.push((name.to_owned(), Value::File(Bytes::copy_from_slice(content))));
        self
    }
}

/// The first text of that name, without reading what follows it.
pub fn first_text(headers: &HeaderMap, body: &Bytes, name: &str) -> Option<String> {
    match kind(headers)? {
        Kind::Encoded => form_urlencoded::parse(body).find(|(own, _)| own == name).map(|(_, value)| value.into_owned()),
        Kind::Parts(boundary) => {
            let mut parts = Parts::of(body, boundary);
            while let Some(part) = parts.next().ok()? {
                if part.name() == Some(name) && part.file_name().is_none() {
                    return String::from_utf8(whole(part).ok()?.into()).ok();
                }
            }
            None
        }
    }
}

/// The parts of a body.
struct Parts(Multipart<'static>);

impl Parts {
    fn of(body: &Bytes, boundary: String) -> Self {
        let body = Ok::<_, std::convert::Infallible>(body.clone());
        Self(Multipart::new(stream::once(future::ready(body)), boundary))
    }

    fn next(&mut self) -> Result<Option<Field<'static>>, FormError> {
        at_once(self.0.next_field())
    }
}

fn whole(part: Field<'_>) -> Result<Bytes, FormError> {
    at_once(part.bytes())
}

/// What is there already is given at once.
fn at_once<T>(read: impl Future<Output = multer::Result<T>>) -> Result<T, FormError> {
    let read = read.now_or_never().unwrap_or(Err(multer::Error::IncompleteStream));
    read.map_err(|error| FormError::Parts(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDARY: &str = "multipart/form-data; boundary=----x9";

    fn headers(kind: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())])
    }

    fn read(kind: &str, body: &[u8]) -> Result<FormData, FormError> {
        FormData::read(&headers(kind), &Bytes::copy_from_slice(body))
    }

    fn part(name: &str, more: &str, content: &[u8]) -> Vec<u8> {
        let head = format!("------x9\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    }

    #[test]
    fn a_form_is_read_in_either_way() {
        let encoded = read("application/x-www-form-urlencoded; charset=utf-8", b"%2Fa=1+2&%2Fa=3&b=").unwrap();
        assert_eq!((encoded.text("/a"), encoded.text("b"), encoded.text("c")), (Some("1 2"), Some(""), None));
        let file = part("/f", "; filename=\"x.bin\"\r\nContent-Type: application/octet-stream", b"\0\r\n--\xff");
        let empty = part("/g", "; filename=\"\"", b"");
        let body = [part("/a", "", "ä\r\nb".as_bytes()), file, empty, b"------x9--\r\n".to_vec()].concat();
        let parts = read(BOUNDARY, &body).unwrap();
        assert_eq!((parts.text("/a"), parts.text("/f")), (Some("ä\r\nb"), None));
        assert_eq!((parts.file("/f").map(|file| &file[..]), parts.file("/g")), (Some(&b"\0\r\n--\xff"[..]), None));
    }

    #[test]
    fn what_is_no_form_is_refused_and_says_why() {
        assert_eq!(read("application/json", b"{}").unwrap_err(), FormError::Type);
        assert_eq!(FormData::read(&HeaderMap::new(), &Bytes::new()).unwrap_err(), FormError::Type);
        assert_eq!(read("multipart/form-data", b"").unwrap_err(), FormError::Type, "nothing says what is between");
        for body in [&b"------x9\r\nContent-Dis"[..], b"------x9\r\n\r\n", &part("a", "", b"1"), b""] {
            assert!(matches!(read(BOUNDARY, body), Err(FormError::Parts(_))), "{}", String::from_utf8_lossy(body));
        }
        let many = "a=1&".repeat(MOST_FIELDS + 1);
        assert_eq!(read("application/x-www-form-urlencoded", many.as_bytes()).unwrap_err(), FormError::TooMany);
    }

    #[test]
    fn the_first_text_is_found_without_what_follows() {
        let body =
            [part("a", "; filename=\"a\"", b"no"), part("a", "", b"yes"), b"------x9\r\nbroken".to_vec()].concat();
        assert_eq!(first_text(&headers(BOUNDARY), &body.into(), "a").as_deref(), Some("yes"));
        let encoded = headers("application/x-www-form-urlencoded");
        assert_eq!(first_text(&encoded, &Bytes::from_static(b"b=2&a=1&a=3"), "a").as_deref(), Some("1"));
        assert_eq!(first_text(&headers("text/plain"), &Bytes::from_static(b"a=1"), "a"), None);
    }
}
