//! The header `Prefer` (RFC 7240): how long a client waits, and whether it comes back for the outcome.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;

use crate::dispatch::Order;
use crate::error::{Code, Problem};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The longest that a request is held while its call goes on without it.
pub(super) const LONGEST_POLL: Duration = Duration::from_mins(1);

/// What a client prefers, of what is known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Preferences {
    /// Not to wait for the outcome.
    pub(super) respond_async: bool,
    /// How long it waits: for the outcome, or before it goes on without.
    pub(super) wait: Option<Duration>,
    /// The number as it was written.
    wait_text: String,
}

impl Preferences {
    /// Reads the headers. Of what is said twice the first counts; what is not known is left out of account.
    ///
    /// # Errors
    /// `wait` is no number of seconds.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut read = Self::default();
        for value in headers.get_all(PREFER) {
            // What cannot be read is no preference that is known here.
            for preference in split(&String::from_utf8_lossy(value.as_bytes()), ',') {
                read.take(preference)?;
            }
        }
        Ok(read)
    }

    /// Reads them where there is nothing to come back for: an answer at once is what such a client gets.
    ///
    /// # Errors
    /// `wait` is no number of seconds.
    pub(super) fn of_waiting(headers: &HeaderMap) -> Result<Self, Problem> {
        let read = Self::read(headers)?;
        // How long it waits before it goes on without is nothing that ends what it asks for.
        Ok(if read.respond_async { Self::default() } else { read })
    }

    /// [`Preferences::note`] for such an answer.
    pub(super) fn noted(&self, mut response: Response) -> Response {
        self.note(&mut response, false);
        response
    }

    fn take(&mut self, preference: &str) -> Result<(), Problem> {
        // Parameters behind a semicolon are of no preference that is known here.
        let preference = split(preference, ';').first().copied().unwrap_or_default();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        let value = unquoted(value.trim());
        match name.trim().to_ascii_lowercase().as_str() {
            "respond-async" if value.is_empty() => self.respond_async = true,
            "respond-async" => {
                let detail =
                    format!("`respond-async={value}`: this preference has no value. Send `Prefer: respond-async`.");
                return Err(malformed(&detail));
            }
            "wait" if self.wait.is_none() => {
                self.wait = Some(seconds(&value).ok_or_else(|| {
                    malformed(&format!(
                        "`wait={value}` is no number of seconds: send, for example, `Prefer: wait=2.5`."
                    ))
                })?);
                self.wait_text = value;
            }
            _ => {}
        }
        Ok(())
    }

    /// Gives a call the time that its client waits, as far as `limit` allows.
    ///
    /// # Errors
    /// That is more than the limit, or nothing.
    pub(super) fn apply(&self, order: &mut Order, limit: Duration) -> Result<(), Problem> {
        if self.respond_async {
            return self.within(LONGEST_POLL, "a request is held while its call goes on").map(|_| ());
        }
        let limit = limit.max(order.deadline);
        order.wait = self.within(limit, "is what this library's calls may take (`max_deadline`)")?;
        if order.wait == Some(Duration::ZERO) {
            let detail =
                "`wait=0` leaves the call no time. To go on without its outcome, send `Prefer: respond-async`.";
            return Err(malformed(detail));
        }
        Ok(())
    }

    fn within(&self, limit: Duration, what: &str) -> Result<Option<Duration>, Problem> {
        match self.wait {
            Some(wait) if wait > limit => {
                let detail = format!("`wait={}` is too long: {} s {what}.", self.wait_text, limit.as_secs_f64());
                Err(malformed(&detail))
            }
            wait => Ok(wait),
        }
    }

    /// Says in the answer what was followed: the client is sent away only by `accepted`.
    pub(super) fn note(&self, response: &mut Response, accepted: bool) {
        let mut applied = Vec::new();
        if self.respond_async && accepted {
            applied.push("respond-async".to_owned());
        }
        if self.wait.is_some() {
            applied.push(format!("wait={}", self.wait_text));
        }
        if !applied.is_empty()
            && let Ok(value) = HeaderValue::from_str(&applied.join(", "))
        {
            response.headers_mut().insert(APPLIED, value);
        }
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::new(Code::MalformedRequest, detail)
}

/// Splits at a sign that is not within quotes; what is not closed goes on to the end.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            other if other == at && !quoted => {
                parts.push(text[start..index].trim());
                start = index + other.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// What a quoted text says; a token says itself.
fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.map_or_else(|| value.to_owned(), |inner| inner.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// `10`, `0.25`: digits, and perhaps a point and more digits.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let nanoseconds: u32 = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Arguments;
    use crate::libraries::tests::library;

    fn read(values: &[&str]) -> Result<Preferences, Problem> {
        let headers = values.iter().map(|value| (PREFER, HeaderValue::from_str(value).unwrap())).collect();
        Preferences::read(&headers)
    }

    fn waits(values: &[&str]) -> Option<f64> {
        read(values).unwrap().wait.map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn a_client_says_how_long_it_waits_in_several_ways() {
        assert_eq!(read(&[]).unwrap(), Preferences::default());
        assert_eq!(waits(&["wait=10"]), Some(10.0));
        assert_eq!(waits(&["respond-async, Wait=\"2.5\""]), Some(2.5));
        assert_eq!(waits(&["handling=lenient", "wait = 0.2; strict; x=\"a,wait=9\""]), Some(0.2));
        assert_eq!(waits(&["odd=\"wait=1, \\\" wait=2\", wait=3"]), Some(3.0), "what is quoted is a text");
        assert_eq!(waits(&["wait=1, wait=2", "wait=3"]), Some(1.0), "the first one counts");
        assert!(read(&["return=minimal, RESPOND-ASYNC"]).unwrap().respond_async);
        assert!(!read(&["respond-asynchronously"]).unwrap().respond_async);
        assert_eq!(read(&[",, ;", "=", "\u{7f}".trim_matches('\u{7f}')]).unwrap(), Preferences::default());
    }

    #[test]
    fn a_wait_that_is_no_number_of_seconds_is_refused_with_one_that_is() {
        for wrong in
            ["", "-1", "1e3", "ten", "10s", "1.", ".5", "+1", "NaN", "0x10", "1 2", "99999999999", "1.0000000001"]
        {
            let problem = read(&[&format!("wait={wrong}")]).unwrap_err();
            assert!(problem.detail().contains("Prefer: wait=2.5"), "{wrong}: {}", problem.detail());
        }
        assert!(read(&["wait=\"1"]).is_err(), "it is not closed");
        assert!(read(&["respond-async=yes"]).unwrap_err().detail().contains("no value"));
        let beyond = |value| [(PREFER, HeaderValue::from_bytes(value).unwrap())].into_iter().collect();
        assert!(Preferences::read(&beyond(b"wait=\xff")).is_err());
        assert_eq!(Preferences::read(&beyond(b"\xff=\"1, wait=2")).unwrap(), Preferences::default());
    }

    #[test]
    fn a_wait_is_the_calls_deadline_within_what_the_library_allows() {
        let calc = library("int Add(int a, int b);");
        let order = || calc.undeclared_order(bridge32_protocol::wire::Callee::Function(0), Arguments::empty());
        let applied = |value: &str, limit: u64| {
            let mut order = order();
            let preferences = read(&[value]).unwrap();
            preferences.apply(&mut order, Duration::from_secs(limit)).map(|()| order.wait)
        };
        assert_eq!(applied("wait=0.5", 5).unwrap(), Some(Duration::from_millis(500)));
        assert_eq!(applied("wait=60", 90).unwrap(), Some(Duration::from_mins(1)));
        let detail = applied("wait=5.5", 3).unwrap_err().detail().to_owned();
        assert!(detail.contains("wait=5.5") && detail.contains("5 s"), "its own deadline may be longer: {detail}");
        assert!(applied("wait=0", 5).unwrap_err().detail().contains("respond-async"));
        assert_eq!(applied("respond-async, wait=0", 5).unwrap(), None, "the call goes on without its client");
        assert_eq!(applied("respond-async, wait=30", 5).unwrap(), None);
        assert!(applied("respond-async, wait=61", 500).unwrap_err().detail().contains("60 s"));
    }

    #[test]
    fn the_answer_says_what_was_followed() {
        let noted = |value: &str, accepted: bool| {
            let mut response = Response::default();
            read(&[value]).unwrap().note(&mut response, accepted);
            response.headers().get(APPLIED).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(noted("respond-async, wait=\"1.50\"", true).as_deref(), Some("respond-async, wait=1.50"));
        assert_eq!(noted("respond-async, wait=2", false).as_deref(), Some("wait=2"));
        assert_eq!(noted("respond-async", false), None);
        assert_eq!(noted("return=minimal", true), None);
    }
}
