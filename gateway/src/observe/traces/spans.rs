//! What is told of a call as spans of OpenTelemetry: pure. Names and attributes follow its semantic conventions for HTTP
//! servers; those of the bridge begin with `bridge32.`. No argument, result or text of a problem is among them.
//!
//! | span | from | to |
//! | --- | --- | --- |
//! | `POST /v1/libraries/{library}/…` | the request's head was there | the call had ended |
//! | ↳ `verify` | the request's head was there | the call was taken: signature, body and arguments are looked at |
//! | ↳ `queue` | the call was taken | it was sent to an agent for the last time |
//! | ↳ `agent` | it was sent | its outcome was there |
//! | ↳ ↳ `marshal` | its turn came in the agent | the library's code was entered |
//! | ↳ ↳ `library` | the library's code was entered | it returned |
//! | ↳ ↳ `marshal` | the library returned | its answer was written |
//!
//! The last three are as long as the agent has measured. Where they lie within `agent` follows from how long the call waited
//! there for its turn; what is left is taken for the way there and back, which are assumed to take equally long.
//!
//! A batch is one such request; below it, each of its calls has a span `call`. So has a call that is made again by a replay.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use bridge32_protocol::wire::Callee;
use opentelemetry::trace::{SpanContext, SpanId as OtelSpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, TraceId as OtelTraceId};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tokio::time::Instant;
use uuid::Uuid;

use crate::dispatch::{Ended, EndedBatch, Execution, Failure, Origin, Part, SentTo, execution};
use crate::error::Code;
use crate::kept::execution_name;
use crate::trace::{SpanId, TraceId};

static SCOPE: LazyLock<InstrumentationScope> =
    LazyLock::new(|| InstrumentationScope::builder("bridge32").with_version(env!("CARGO_PKG_VERSION")).build());

/// The wall clock at one moment of the clock that calls are measured with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    instant: Instant,
    time: SystemTime,
}

impl Clock {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), time: SystemTime::now() }
    }

    fn time(&self, moment: Instant) -> SystemTime {
        match moment.checked_duration_since(self.instant) {
            Some(later) => self.time + later,
            None => self.time - self.instant.duration_since(moment),
        }
    }
}

/// What is told of one call.
#[derive(Debug)]
pub(super) struct Call {
    id: Uuid,
    trace: TraceId,
    origin: Arc<Origin>,
    library: Arc<str>,
    function: Option<String>,
    /// It came with its prototype.
    is_ad_hoc: bool,
    part: Option<Part>,
    session: Option<Uuid>,
    ending: Ending,
    execution: Execution,
    sent: Option<SentTo>,
    attempts: u32,
    since: Instant,
    until: Instant,
    /// Nanoseconds in the agent: before its turn, decoding, in the library's code, encoding.
    inside_ns: Option<[u64; 4]>,
}

/// The status of an answer, and the code of its problem.
#[derive(Clone, Copy, Debug)]
struct Ending {
    status: u16,
    code: Option<&'static str>,
}

impl Ending {
    const GOOD: Self = Self { status: 200, code: None };

    fn of(failure: &Failure) -> Self {
        let code = Code::from(failure);
        Self { status: code.status().as_u16(), code: Some(code.name()) }
    }

    /// An error is the server's only from 500 on: below, the client can do something about it, and the conventions leave the
    /// status unset.
    fn span_status(self) -> Status {
        match self.code {
            Some(code) if self.status >= 500 => Status::error(code),
            _ => Status::Unset,
        }
    }

    fn attributes(self) -> impl Iterator<Item = KeyValue> {
        let status = KeyValue::new("http.response.status_code", i64::from(self.status));
        [status].into_iter().chain(self.code.map(|code| KeyValue::new("error.type", code)))
    }
}

/// Where a span belongs, and between which moments it was.
#[derive(Clone, Copy)]
struct Place {
    id: SpanId,
    parent: Option<SpanId>,
    from: Instant,
    to: Instant,
}

impl Call {
    pub(super) fn of(call: &Ended) -> Self {
        let inside_ns = call.result.as_ref().ok().map(|answer| {
            let [waited, decoding, encoding] = answer.around_ns;
            [waited, decoding, answer.duration_ns, encoding]
        });
        Self {
            id: call.id,
            trace: call.trace(),
            origin: Arc::clone(&call.origin),
            library: Arc::clone(&call.library),
            function: call.function().map(str::to_owned),
            is_ad_hoc: matches!(call.callee, Callee::Prototype(_)),
            part: call.part,
            session: call.session,
            ending: call.result.as_ref().map_or_else(Ending::of, |_| Ending::GOOD),
            execution: execution(&call.result),
            sent: call.sent.clone(),
            attempts: call.attempts,
            since: call.since,
            until: call.until,
            inside_ns,
        }
    }

    /// Appends its spans.
    pub(super) fn spans(&self, clock: Clock, spans: &mut Vec<SpanData>) {
        let own = SpanId::of_call(self.id);
        spans.push(self.own(own, clock));
        let mut child = |name, kind, parent, number, (from, to)| {
            let id = numbered(own, number);
            let place = Place { id, parent: Some(parent), from, to };
            spans.push(SpanData { span_kind: kind, ..span(name, &self.origin, self.trace, place, clock) });
            id
        };
        if let Some(arrived) = self.origin.arrived.filter(|_| self.is_request()) {
            child("verify", SpanKind::Internal, own, 1, (arrived.min(self.since), self.since));
        }
        let sent = self.sent.as_ref().map(|sent| sent.at.clamp(self.since, self.until.max(self.since)));
        child("queue", SpanKind::Internal, own, 2, (self.since, sent.unwrap_or(self.until)));
        let Some(sent) = sent else { return };
        let agent = child("agent", SpanKind::Client, own, 3, (sent, self.until));
        let Some(inside) = self.inside_ns.filter(|parts| parts.iter().any(|part| *part > 0)) else { return };
        let [waited, parts @ ..] = inside.map(Duration::from_nanos);
        let way = self.until.saturating_duration_since(sent).saturating_sub(waited + parts.iter().sum::<Duration>());
        let mut from = sent + way / 2 + waited;
        for ((name, number), part) in [("marshal", 4), ("library", 5), ("marshal", 6)].into_iter().zip(parts) {
            let to = (from + part).min(self.until);
            child(name, SpanKind::Internal, agent, number, (from.min(to), to));
            from = to;
        }
    }

    /// Whether a request was about this call and no other.
    fn is_request(&self) -> bool {
        self.part.is_none() && self.origin.replay_of.is_none()
    }

    fn own(&self, id: SpanId, clock: Clock) -> SpanData {
        let (library, origin) = (&self.library, &self.origin);
        let mut attributes = vec![KeyValue::new("bridge32.library", Arc::clone(library))];
        let mut add = |name: &'static str, value: opentelemetry::Value| attributes.push(KeyValue::new(name, value));
        add("bridge32.call_id", self.id.to_string().into());
        add("bridge32.execution", execution_name(self.execution).into());
        add("bridge32.attempts", i64::from(self.attempts).into());
        if let Some(function) = &self.function {
            add("bridge32.function", function.clone().into());
        }
        if let Some(sent) = &self.sent {
            add("bridge32.agent", Arc::clone(&sent.agent).into());
            add("bridge32.generation", i64::try_from(sent.generation).unwrap_or(i64::MAX).into());
        }
        if let Some(session) = self.session {
            add("bridge32.session", session.to_string().into());
        }
        if let Some(part) = self.part {
            add("bridge32.batch", part.batch.to_string().into());
            add("bridge32.batch_index", i64::from(part.index).into());
        }
        if let Some(earlier) = self.origin.replay_of {
            add("bridge32.replay_of", earlier.to_string().into());
        }
        if self.is_request() {
            let (route, path) = match &self.function {
                Some(function) if !self.is_ad_hoc => {
                    (FUNCTIONS, format!("/v1/libraries/{library}/functions/{function}"))
                }
                _ => (CALLS, format!("/v1/libraries/{library}/calls")),
            };
            attributes.extend(request(route, path));
            attributes.extend(self.ending.attributes());
            let from = origin.arrived.unwrap_or(self.since).min(self.since);
            let place = Place { id, parent: None, from, to: self.until };
            let span = root(route, origin, self.trace, place, clock);
            return SpanData { attributes, status: self.ending.span_status(), ..span };
        }
        attributes.extend(self.ending.code.map(|code| KeyValue::new("error.type", code)));
        // Below a request it is an error whoever is to blame.
        let status = self.ending.code.map_or(Status::Unset, Status::error);
        let client = origin.trace.as_ref().map(|context| context.parent);
        let parent = self.part.map(|part| SpanId::of_call(part.batch)).or(client);
        let place = Place { id, parent, from: self.since, to: self.until };
        SpanData { attributes, status, ..span("call", origin, self.trace, place, clock) }
    }
}

/// What is told of one batch.
#[derive(Debug)]
pub(super) struct Batch {
    id: Uuid,
    origin: Arc<Origin>,
    library: Arc<str>,
    calls: usize,
    ending: Ending,
    since: Instant,
    until: Instant,
}

impl Batch {
    pub(super) fn of(batch: &EndedBatch) -> Self {
        let EndedBatch { id, library, calls, origin, failure, since, until } = batch;
        Self {
            id: *id,
            origin: Arc::clone(origin),
            library: Arc::clone(library),
            calls: *calls,
            ending: failure.as_ref().map_or(Ending::GOOD, Ending::of),
            since: *since,
            until: *until,
        }
    }

    pub(super) fn span(&self, clock: Clock) -> SpanData {
        let mut attributes = vec![
            KeyValue::new("bridge32.library", Arc::clone(&self.library)),
            KeyValue::new("bridge32.batch", self.id.to_string()),
            KeyValue::new("bridge32.calls", i64::try_from(self.calls).unwrap_or(i64::MAX)),
        ];
        attributes.extend(request(BATCHES, format!("/v1/libraries/{}/batches", self.library)));
        attributes.extend(self.ending.attributes());
        let from = self.origin.arrived.unwrap_or(self.since).min(self.since);
        let place = Place { id: SpanId::of_call(self.id), parent: None, from, to: self.until };
        let span = root(BATCHES, &self.origin, self.origin.trace_of(self.id), place, clock);
        SpanData { attributes, status: self.ending.span_status(), ..span }
    }
}

const FUNCTIONS: &str = "/v1/libraries/{library}/functions/{function}";
const CALLS: &str = "/v1/libraries/{library}/calls";
const BATCHES: &str = "/v1/libraries/{library}/batches";

fn request(route: &'static str, path: String) -> [KeyValue; 3] {
    let method = KeyValue::new("http.request.method", "POST");
    [method, KeyValue::new("http.route", route), KeyValue::new("url.path", path)]
}

/// The span of a request, below the client's if it has named one.
fn root(route: &str, origin: &Origin, trace: TraceId, place: Place, clock: Clock) -> SpanData {
    let parent = origin.trace.as_ref().map(|context| context.parent);
    let span = span("", origin, trace, Place { parent, ..place }, clock);
    SpanData {
        name: format!("POST {route}").into(),
        span_kind: SpanKind::Server,
        parent_span_is_remote: parent.is_some(),
        ..span
    }
}

fn span(name: &'static str, origin: &Origin, trace: TraceId, place: Place, clock: Clock) -> SpanData {
    let Place { id, parent, from, to } = place;
    let state = origin.trace.as_ref().and_then(|context| context.state.as_deref()?.parse::<TraceState>().ok());
    let (trace, id) = (OtelTraceId::from_bytes(trace.0), OtelSpanId::from_bytes(id.0));
    SpanData {
        span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, state.unwrap_or_default()),
        parent_span_id: parent.map_or(OtelSpanId::INVALID, |parent| OtelSpanId::from_bytes(parent.0)),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time: clock.time(from),
        end_time: clock.time(to.max(from)),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: SCOPE.clone(),
    }
}

/// The id of a span of a call: another one for each number, and for each call. The steps are those of splitmix64, which maps
/// no two numbers to the same.
fn numbered(call: SpanId, number: u64) -> SpanId {
    let mut value = u64::from_be_bytes(call.0).wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^= value >> 31;
    // Zero is no id.
    SpanId(value.max(1).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bridge32_protocol::wire::{Fault, FaultCode};

    use super::*;
    use crate::dispatch::{Answer, Arguments, CallResult};
    use crate::trace::TraceContext;

    const MS: u64 = 1_000_000;

    /// A call that came at 10 ms, was taken at 12, sent at 15 and had ended at 40; in the agent it waited 2 ms, was decoded in
    /// 3, ran for 10 and was encoded in 4, so that the way took 6.
    fn call(result: CallResult) -> (Ended, Instant) {
        let zero = Instant::now() + Duration::from_secs(1);
        let at = |millis| zero + Duration::from_millis(millis);
        let context = TraceContext {
            trace: TraceId([7; 16]),
            parent: SpanId([8; 8]),
            is_sampled: true,
            state: Some("a=1".into()),
        };
        let origin = Origin { trace: Some(context), arrived: Some(at(10)), ..Origin::default() };
        let ended = Ended {
            id: Uuid::now_v7(),
            library: "calc".into(),
            callee: Callee::Function(0),
            args: Arguments::parse(&"{\"pin\":\"hunter2\"}".into()).unwrap(),
            declared: None,
            prototype: None,
            part: None,
            origin: Arc::new(origin),
            session: Some(Uuid::now_v7()),
            result,
            sent: Some(SentTo { agent: "calc".into(), generation: 3, at: at(15) }),
            output: None,
            attempts: 1,
            since: at(12),
            until: at(40),
        };
        (ended, zero)
    }

    fn returned() -> Arc<Answer> {
        Arc::new(Answer {
            result: "\"hunter2\"".into(),
            outputs: "{}".into(),
            duration_ns: 10 * MS,
            around_ns: [2 * MS, 3 * MS, 4 * MS],
            errno: None,
            last_error: None,
            hresult: None,
        })
    }

    fn spans(call: &Ended) -> Vec<SpanData> {
        let mut spans = Vec::new();
        Call::of(call).spans(Clock::now(), &mut spans);
        spans
    }

    fn attributes(span: &SpanData) -> HashMap<String, String> {
        span.attributes.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
    }

    #[test]
    fn a_call_is_told_in_parts_that_lie_where_they_were() {
        let (call, zero) = call(Ok(returned()));
        let clock = Clock { instant: zero, time: SystemTime::UNIX_EPOCH + Duration::from_secs(1000) };
        let mut spans = Vec::new();
        Call::of(&call).spans(clock, &mut spans);
        let millis = |time: SystemTime| time.duration_since(clock.time).unwrap().as_millis();
        let told: Vec<_> =
            spans.iter().map(|span| (&*span.name, millis(span.start_time), millis(span.end_time))).collect();
        let expected = [
            ("POST /v1/libraries/{library}/calls", 10, 40),
            ("verify", 10, 12),
            ("queue", 12, 15),
            ("agent", 15, 40),
            ("marshal", 20, 23),
            ("library", 23, 33),
            ("marshal", 33, 37),
        ];
        assert_eq!(told, expected);
        let ids: Vec<_> = spans.iter().map(|span| span.span_context.span_id()).collect();
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 7);
        let parents: Vec<_> = spans.iter().map(|span| span.parent_span_id).collect();
        let client = OtelSpanId::from_bytes([8; 8]);
        assert_eq!(parents, [client, ids[0], ids[0], ids[0], ids[3], ids[3], ids[3]]);
        assert!(spans.iter().all(|span| span.span_context.trace_id() == OtelTraceId::from_bytes([7; 16])));
        assert!(spans.iter().all(|span| span.span_context.trace_state().header() == "a=1"));
        assert_eq!(ids[0], OtelSpanId::from_bytes(SpanId::of_call(call.id).0));
        assert_eq!((spans[0].span_kind.clone(), spans[3].span_kind.clone()), (SpanKind::Server, SpanKind::Client));
        assert!(spans[0].parent_span_is_remote && !spans[1].parent_span_is_remote);
    }

    #[test]
    fn a_call_says_what_it_was_and_nothing_of_its_values() {
        let (call, _) = call(Ok(returned()));
        let spans = spans(&call);
        assert!(!format!("{spans:?}").contains("hunter2"));
        let told = attributes(&spans[0]);
        for (name, value) in [
            ("http.request.method", "POST"),
            ("http.route", "/v1/libraries/{library}/calls"),
            ("http.response.status_code", "200"),
            ("url.path", "/v1/libraries/calc/calls"),
            ("bridge32.library", "calc"),
            ("bridge32.call_id", &call.id.to_string()),
            ("bridge32.agent", "calc"),
            ("bridge32.generation", "3"),
            ("bridge32.execution", "ran"),
            ("bridge32.attempts", "1"),
            ("bridge32.session", &call.session.unwrap().to_string()),
        ] {
            assert_eq!(told.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!((spans[0].status.clone(), told.get("error.type")), (Status::Unset, None));
    }

    #[test]
    fn a_failure_is_the_servers_from_500_on() {
        let fault = |code| Fault { code, detail: "hunter2".into(), pointer: None, ran: false };
        let (theirs, _) = call(Err(Failure::Fault(fault(FaultCode::ArgumentMismatch))));
        let (ours, _) = call(Err(Failure::Fault(fault(FaultCode::UndecodableText))));
        let (theirs, ours) = (spans(&theirs), spans(&ours));
        assert_eq!((theirs.len(), theirs[0].status.clone()), (4, Status::Unset));
        assert_eq!(attributes(&theirs[0])["error.type"], "argument_mismatch");
        assert_eq!(ours[0].status, Status::error("undecodable_text"));
        assert_eq!(attributes(&ours[0])["http.response.status_code"], "502");
        assert!(!format!("{theirs:?} {ours:?}").contains("hunter2"));
    }

    #[test]
    fn the_calls_of_a_batch_are_below_it() {
        let (call, zero) = call(Ok(returned()));
        let batch = Uuid::now_v7();
        let call = Ended { part: Some(Part { batch, index: 2 }), origin: Arc::default(), sent: None, ..call };
        let told = spans(&call);
        let names: Vec<_> = told.iter().map(|span| &*span.name).collect();
        assert_eq!(names, ["call", "queue"]);
        let ended = EndedBatch {
            id: batch,
            library: "calc".into(),
            calls: 3,
            origin: Arc::default(),
            failure: None,
            since: zero,
            until: zero + Duration::from_millis(5),
        };
        let root = Batch::of(&ended).span(Clock::now());
        assert_eq!((&*root.name, root.parent_span_id), ("POST /v1/libraries/{library}/batches", OtelSpanId::INVALID));
        assert_eq!(told[0].parent_span_id, root.span_context.span_id());
        assert_eq!(told[0].span_context.trace_id(), root.span_context.trace_id());
        assert_eq!(root.span_context.trace_id(), OtelTraceId::from_bytes(batch.into_bytes()));
        assert_eq!(
            (attributes(&root)["bridge32.calls"].as_str(), &*attributes(&told[0])["bridge32.batch_index"]),
            ("3", "2")
        );
    }
}
