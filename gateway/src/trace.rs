//! W3C Trace Context: to which trace a request belongs, read from `traceparent` and `tracestate`: pure.
//!
//! What is no trace context is ignored, and never an error of the request (W3C Recommendation "Trace Context", 3.2 and 3.3).

use std::fmt;

use http::HeaderMap;
use uuid::Uuid;

/// The header that names the trace.
pub const TRACEPARENT: &str = "traceparent";
/// The header with what tracing systems add to it.
const TRACESTATE: &str = "tracestate";

/// `00-` 32 digits `-` 16 digits `-` 2 digits.
const LENGTH: usize = 55;
/// The trace is wanted, all of it.
const SAMPLED: u8 = 1;
/// More of `tracestate` need not be passed on (3.3.1.5); it can only be passed on as a whole.
const MAX_STATE: usize = 512;

/// The 16 bytes of a trace's id, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

impl TraceId {
    /// Of a call, or a batch, whose client has named no trace: its own id, so that either finds the other.
    pub const fn of_call(id: Uuid) -> Self {
        Self(id.into_bytes())
    }

    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        hex(text.as_bytes()).map(Self).filter(|id| id.0 != [0; 16])
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).simple().fmt(f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The 8 bytes of a span's id, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub [u8; 8]);

impl SpanId {
    /// The span of a call: the last bytes of its id. They are not all zero, because the first bits of them are the UUID's
    /// variant.
    pub const fn of_call(id: Uuid) -> Self {
        Self(id.as_u64_pair().1.to_be_bytes())
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What a client says of the trace that its request belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The client's span, which has caused the request.
    pub parent: SpanId,
    /// The client has its spans kept, and wants ours.
    pub is_sampled: bool,
    /// What tracing systems have added: passed on as it came.
    pub state: Option<Box<str>>,
}

impl TraceContext {
    /// What the headers of a request say; `None` if they say nothing, or nothing that is valid.
    pub fn of_request(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(traceparent), None) = (values.next(), values.next()) else { return None };
        let (trace, parent, is_sampled) = parse(traceparent.as_bytes())?;
        Some(Self { trace, parent, is_sampled, state: state(headers) })
    }
}

/// A `traceparent` that says which span has caused what gets it.
pub fn traceparent(trace: TraceId, span: SpanId, is_sampled: bool) -> String {
    format!("00-{trace}-{span}-{:02x}", if is_sampled { SAMPLED } else { 0 })
}

/// Reads a `traceparent` of this version, or what is known of a later one's.
fn parse(text: &[u8]) -> Option<(TraceId, SpanId, bool)> {
    let known = text.get(..LENGTH)?;
    let (version, trace, span, flags) = (&known[..2], &known[3..35], &known[36..52], &known[53..]);
    let [version] = hex(version)?;
    let has_dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
    let ends = match version {
        0 => text.len() == LENGTH,
        0xff => false,
        // Versions to come may go on behind another dash.
        _ => text.get(LENGTH).is_none_or(|next| *next == b'-'),
    };
    let (trace, span): ([u8; 16], [u8; 8]) = (hex(trace)?, hex(span)?);
    let [flags] = hex(flags)?;
    let is_valid = has_dashes && ends && trace != [0; 16] && span != [0; 8];
    is_valid.then_some((TraceId(trace), SpanId(span), flags & SAMPLED != 0))
}

/// Lower-case hexadecimal digits, two a byte: others are not allowed.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// All `tracestate` headers as one; `None` where there is none, or none that can be passed on.
fn state(headers: &HeaderMap) -> Option<Box<str>> {
    let values: Vec<&str> =
        headers.get_all(TRACESTATE).iter().map(|value| value.to_str().ok()).collect::<Option<_>>()?;
    let joined = values.join(",");
    let members = joined.split(',').map(str::trim).filter(|member| !member.is_empty());
    let is_valid = members.clone().all(is_member) && members.clone().count() <= 32;
    (is_valid && !joined.trim().is_empty() && joined.len() <= MAX_STATE).then(|| joined.into_boxed_str())
}

/// `key=value` (3.3.1.3): a key begins with a letter or digit, and the value has no comma and no further `=`.
fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-*/@".contains(c);
    let starts = key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_value = |c: char| c == ' ' || (c.is_ascii_graphic() && c != '=');
    starts
        && key.len() <= 256
        && key.chars().all(is_key)
        && !value.is_empty()
        && value.len() <= 256
        && value.chars().all(is_value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn read(pairs: &[(&'static str, &str)]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        TraceContext::of_request(&headers)
    }

    fn parent(text: &str) -> Option<(String, String, bool)> {
        let context = read(&[(TRACEPARENT, text)])?;
        Some((context.trace.to_string(), context.parent.to_string(), context.is_sampled))
    }

    #[test]
    fn a_valid_header_is_read() {
        let wanted = |sampled| Some((TRACE.to_owned(), SPAN.to_owned(), sampled));
        assert_eq!(parent(&format!("00-{TRACE}-{SPAN}-01")), wanted(true));
        assert_eq!(parent(&format!("00-{TRACE}-{SPAN}-00")), wanted(false));
        // Flags that are not known yet say nothing.
        assert_eq!(parent(&format!("00-{TRACE}-{SPAN}-ff")), wanted(true));
        assert_eq!(parent(&format!("00-{TRACE}-{SPAN}-02")), wanted(false));
        // Versions to come begin alike.
        assert_eq!(parent(&format!("cc-{TRACE}-{SPAN}-01")), wanted(true));
        assert_eq!(parent(&format!("cc-{TRACE}-{SPAN}-01-what the future will be like")), wanted(true));
    }

    #[test]
    fn what_is_malformed_is_ignored() {
        let zeros = "0".repeat(32);
        for text in [
            "",
            "00",
            &format!("ff-{TRACE}-{SPAN}-01"),
            &format!("00-{zeros}-{SPAN}-01"),
            &format!("00-{TRACE}-{}-01", &zeros[..16]),
            &format!("00-{TRACE}-{SPAN}-01-"),
            &format!("00-{TRACE}-{SPAN}-01-more"),
            &format!("cc-{TRACE}-{SPAN}-01.more"),
            &format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            &format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            &format!("00-{TRACE}-{SPAN}-1"),
            &format!("00-{TRACE}-{SPAN}-0g"),
            &format!("0-{TRACE}-{SPAN}-01"),
            &format!(".0-{TRACE}-{SPAN}-01"),
            &format!("00_{TRACE}-{SPAN}-01"),
            &format!("00-{}-{SPAN}-01", &TRACE[1..]),
            &format!("00-{TRACE}-{SPAN}"),
        ] {
            assert_eq!(parent(text), None, "{text}");
        }
        let valid = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(read(&[(TRACEPARENT, &valid), (TRACEPARENT, &valid)]), None, "two are none");
    }

    #[test]
    fn the_state_is_passed_on_as_a_whole_or_not_at_all() {
        let valid = format!("00-{TRACE}-{SPAN}-01");
        let state = |values: &[&str]| {
            let pairs: Vec<_> = values.iter().map(|value| (TRACESTATE, *value)).collect();
            read(&[&[(TRACEPARENT, &*valid)], &pairs[..]].concat()).unwrap().state
        };
        assert_eq!(
            state(&["rojo=00f067aa0ba902b7, congo=t61rcWkgMzE"]).as_deref(),
            Some("rojo=00f067aa0ba902b7, congo=t61rcWkgMzE")
        );
        assert_eq!(state(&["a=1", "t@b=2"]).as_deref(), Some("a=1,t@b=2"));
        for bad in [
            &[""][..],
            &[],
            &["a"],
            &["A=1"],
            &["a="],
            &["a=1=2"],
            &[&format!("a={}", "x".repeat(257))],
            &["a=1", "é=1"],
        ] {
            assert_eq!(state(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_call_without_a_trace_has_one_of_its_own() {
        let id = Uuid::from_u128(0x0190_a1b2_c3d4_7e5f_8091_a2b3_c4d5_e6f7);
        assert_eq!(TraceId::of_call(id).to_string(), "0190a1b2c3d47e5f8091a2b3c4d5e6f7");
        let written = traceparent(TraceId::of_call(id), SpanId::of_call(id), true);
        assert_eq!(written, "00-0190a1b2c3d47e5f8091a2b3c4d5e6f7-8091a2b3c4d5e6f7-01");
        assert_eq!(parse(written.as_bytes()), Some((TraceId::of_call(id), SpanId::of_call(id), true)));
        assert_eq!(TraceId::parse("0190a1b2c3d47e5f8091a2b3c4d5e6f7"), Some(TraceId::of_call(id)));
        assert_eq!(TraceId::parse(&"0".repeat(32)), None);
    }
}
