//! Lines of the log about calls: a warning for each that has cost its library's process, and for all of them a line of the
//! level `debug`. None has a value in it.

use crate::dispatch::{Ended, Failure};
use crate::error::Code;

/// A call has ended.
pub(super) fn note(call: &Ended) {
    let failure = call.result.as_ref().err();
    let is_bad =
        failure.is_some_and(|failure| matches!(last(failure), Failure::Ended { .. } | Failure::Deadline { .. }));
    // Most calls cost two comparisons here.
    if is_bad {
        let code = failure.map(code);
        let agent = call.sent.as_ref().map(|sent| (&*sent.agent, sent.generation));
        tracing::warn!(target: "call", call = %call.id, trace_id = %call.trace(), library = &*call.library,
            function = call.function(), code, agent = agent.map(|agent| agent.0), generation = agent.map(|agent| agent.1),
            report = failure.and_then(Failure::report), duration_ms = millis(call), "a call failed");
    } else {
        tracing::debug!(target: "call", call = %call.id, trace_id = %call.trace(), library = &*call.library,
            function = call.function(), code = failure.map(code),
            duration_ms = millis(call), "a call ended");
    }
}

/// How long it took in all.
fn millis(call: &Ended) -> u64 {
    let whole = call.until.saturating_duration_since(call.since);
    u64::try_from(whole.as_millis()).unwrap_or(u64::MAX)
}

fn code(failure: &Failure) -> &'static str {
    Code::from(failure).name()
}

/// What the last attempt came to.
fn last(failure: &Failure) -> &Failure {
    match failure {
        Failure::Repeated(last) => last,
        other => other,
    }
}
