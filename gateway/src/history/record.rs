//! What the history has of a call: a row of the table.

use std::sync::Arc;
use std::time::Duration;

use bridge32_interface::redact;
use bridge32_protocol::wire::Callee;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::echo;
use super::text::Text;
use crate::dispatch::{Ended, Execution, Prototype};
use crate::error::Problem;

/// A call that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number in the order in which calls ended, from 1.
    pub seq: i64,
    /// Its id.
    pub id: Uuid,
    /// The library.
    pub library: Arc<str>,
    /// The function; `None` where a prototype that came with the call has no name.
    pub function: Option<Arc<str>>,
    /// Whose key has made it; empty where nobody has to sign.
    pub owner: Arc<str>,
    /// Which key.
    pub key_id: Arc<str>,
    /// The agent that it was sent to last, and which start of it.
    pub agent: Option<(Arc<str>, u64)>,
    /// How many processes it was sent to that ended before.
    pub attempts: u32,
    /// The session that it belonged to.
    pub session: Option<Uuid>,
    /// The batch that it was a part of, and its place there.
    pub batch: Option<(Uuid, u32)>,
    /// The call that it repeats, to see whether the outcome is the same.
    pub replay_of: Option<Uuid>,
    /// The trace that it belonged to: its client's, or one that has the id of its batch, or its own.
    pub trace_id: [u8; 16],
    /// SHA-256 of the client's key for repeating the request, in base64.
    pub idempotency_key: Option<String>,
    /// When it came, to the microsecond.
    pub created_at: Timestamp,
    /// When it ended, to the microsecond.
    pub ended_at: Timestamp,
    /// Nanoseconds for which it waited at the gateway, was on its way, and ran.
    pub parts_ns: [u64; 3],
    /// The HTTP status.
    pub status: u16,
    /// The code of the problem; `None` if the call returned.
    pub code: Option<String>,
    /// Whether the library's code ran.
    pub execution: Execution,
    /// The name of the crash report.
    pub report: Option<String>,
    /// The prototype that came with it: an object as in the request.
    pub prototype: Option<String>,
    /// The arguments.
    pub args: Text,
    /// Whether something sensitive was taken out of them.
    pub args_redacted: bool,
    /// `{"result", "outputs", …}`, or the problem document. How long the library ran is no part of it.
    pub answer: Text,
    /// What the library wrote on its standard output and error while the call ran.
    pub output: Option<String>,
}

/// The wall clock at one moment of the clock that calls are measured with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    instant: Instant,
    time: Timestamp,
}

impl Clock {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), time: Timestamp::now() }
    }

    /// The time of a moment that is not after this one, to the microsecond.
    pub(super) fn time(&self, moment: Instant) -> Timestamp {
        let ago = self.instant.saturating_duration_since(moment);
        let time = self.time.checked_sub(ago).unwrap_or(self.time);
        Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
    }
}

#[derive(Serialize)]
struct PrototypeText<'a> {
    prototype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ordinal: Option<u32>,
}

impl Record {
    /// What is to be known of a call. Texts that are longer than `most` bytes are cut.
    pub(super) fn of(call: Ended, clock: Clock, most: usize) -> Self {
        let parts = call.parts();
        let nanoseconds = |part: Duration| u64::try_from(part.as_nanos()).unwrap_or(u64::MAX);
        let (args, args_redacted) = arguments(&call);
        let function = function(&call);
        let (status, code, execution, report, mut answer) = outcome(&call);
        if args_redacted && code.is_none() {
            answer = echo::without(answer, call.args.as_bytes(), &args);
        }
        let prototype = call.prototype.as_deref().map(|Prototype { text, export, ordinal }| {
            let text = PrototypeText { prototype: text, export: export.as_deref(), ordinal: *ordinal };
            serde_json::to_string(&text).unwrap_or_default()
        });
        let (trace, printed) = (call.trace(), call.output.as_ref().and_then(|output| output.text()));
        let Ended { id, library, part, origin, session, sent, attempts, since, until, .. } = call;
        Self {
            seq: 0,
            id,
            library,
            function,
            owner: origin.owner.clone().unwrap_or_default(),
            key_id: origin.client.clone().unwrap_or_default(),
            agent: sent.map(|sent| (sent.agent, sent.generation)),
            attempts,
            session,
            batch: part.map(|part| (part.batch, part.index)),
            replay_of: origin.replay_of,
            trace_id: trace.0,
            idempotency_key: origin.idempotency_key.clone(),
            created_at: clock.time(since),
            ended_at: clock.time(until),
            parts_ns: [parts.queue, parts.agent, parts.library].map(nanoseconds),
            status,
            code,
            execution,
            report,
            prototype,
            args: Text::cut(args, most),
            args_redacted,
            answer: Text::cut(answer, most),
            output: printed,
        }
    }

    /// How many nanoseconds it took in all.
    pub fn duration_ns(&self) -> u64 {
        self.parts_ns.iter().fold(0, |sum, part| sum.saturating_add(*part))
    }
}

/// The function's name. A declared one's is shared.
fn function(call: &Ended) -> Option<Arc<str>> {
    match (&call.callee, &call.declared) {
        (Callee::Function(number), Some(declared)) => declared.name_of(*number),
        _ => call.function().map(Arc::from),
    }
}

/// The arguments without what is sensitive, and whether something was.
fn arguments(call: &Ended) -> (String, bool) {
    let args = call.args.recorded();
    let text = String::from_utf8_lossy(&args);
    let Some((interface, function)) = declared(call) else { return (redact::MARKER.to_owned(), true) };
    let redacted = redact::arguments(interface, function, &text);
    let is_redacted = redacted.contains(redact::MARKER);
    (redacted, is_redacted)
}

fn declared(
    call: &Ended,
) -> Option<(&bridge32_protocol::interface::Interface, &bridge32_protocol::interface::Function)> {
    let (interface, number) = call.interface()?;
    Some((interface, interface.functions.get(number)?))
}

/// The status, the problem's code, whether the library's code ran, the crash report, and the text of the answer.
fn outcome(call: &Ended) -> (u16, Option<String>, Execution, Option<String>, String) {
    match &call.result {
        Ok(answer) => {
            let mut text = Vec::with_capacity(answer.size());
            text.push(b'{');
            answer.write_values(&mut text);
            answer.write_errors(&mut text);
            text.push(b'}');
            let text =
                String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
            let text = match (&call.callee, &call.declared) {
                // It is as the interface says: the agent has written it.
                (Callee::Function(number), Some(declared)) if !declared.can_be_sensitive(*number) => text,
                _ => match declared(call) {
                    Some((interface, function)) => redact::answer(interface, function, &text),
                    None => redact::MARKER.to_owned(),
                },
            };
            (200, None, Execution::Ran, None, text)
        }
        Err(failure) => {
            let execution = failure.execution();
            let report = failure.report().map(str::to_owned);
            let problem = Problem::of_call(call.id, failure.clone());
            let text = String::from_utf8(problem.to_json()).unwrap_or_default();
            (problem.code().status().as_u16(), Some(problem.code().name().to_owned()), execution, report, text)
        }
    }
}
