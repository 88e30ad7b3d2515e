//! What is shown of a call: in lists, and of a kept one with its outcome.

use bridge32_protocol::json::complaint;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::bridge::Bridge;
use crate::dispatch::{CallState, Execution, UnderWay};
use crate::error::{Code, Problem};
use crate::kept::{Ended, Entry, Gone, Kept, Record, Request};

/// A call, without its outcome.
#[derive(Serialize)]
pub(crate) struct Listed {
    pub(super) call_id: Uuid,
    library: String,
    /// `None` for a batch, and for what was called with a prototype and is not kept.
    function: Option<String>,
    /// Whose key has made it.
    owner: String,
    state: &'static str,
    /// Whether its outcome can be asked for later.
    kept: bool,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<Execution>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    call: Listed,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Box<RawValue>>,
}

impl Listed {
    pub(super) fn of(record: Record) -> Self {
        let Record { request, ended } = record;
        Self::new(request, "waiting", ended.as_ref())
    }

    pub(super) fn under_way(bridge: &Bridge, entry: &Entry) -> Self {
        Self::new(entry.request.clone(), word(bridge.progress(entry)), None)
    }

    /// A call that is not kept.
    pub(super) fn passing(library: &str, call: &UnderWay) -> Self {
        let (seconds, nanoseconds) = call.id.get_timestamp().map_or((0, 0), |time| time.to_unix());
        let created_at = i64::try_from(seconds).ok().zip(i32::try_from(nanoseconds).ok());
        let created_at = created_at.and_then(|(seconds, nanoseconds)| Timestamp::new(seconds, nanoseconds).ok());
        Self {
            call_id: call.id,
            library: library.to_owned(),
            function: call.function().map(str::to_owned),
            owner: call.owner.as_deref().unwrap_or_default().to_owned(),
            state: word(call.state),
            kept: false,
            created_at: created_at.unwrap_or_default(),
            ended_at: None,
            status: None,
            code: None,
            execution: None,
        }
    }

    /// Whether it is of that library, that function, that owner, as far as these are given.
    pub(super) fn is_of(&self, library: Option<&str>, function: Option<&str>, owner: Option<&str>) -> bool {
        library.is_none_or(|library| self.library == library)
            && function.is_none_or(|function| self.function.as_deref() == Some(function))
            && owner.is_none_or(|owner| self.owner == owner)
    }

    fn new(request: Request, state: &'static str, ended: Option<&Ended>) -> Self {
        let Request { id, owner, library, function, created_at, .. } = request;
        let outcome = ended.map(|ended| &ended.outcome);
        Self {
            call_id: id,
            library,
            function,
            owner,
            state: if ended.is_some() { "ended" } else { state },
            kept: true,
            created_at,
            ended_at: ended.map(|ended| ended.at),
            status: outcome.map(|outcome| outcome.status),
            code: outcome.and_then(|outcome| outcome.code.clone()),
            execution: outcome.map(|outcome| outcome.execution),
        }
    }
}

fn word(state: CallState) -> &'static str {
    match state {
        CallState::Waiting => "waiting",
        CallState::Running => "running",
    }
}

/// A kept call with its outcome, if it has ended.
pub(in crate::api) fn shown(bridge: &Bridge, entry: &Entry) -> Vec<u8> {
    let ended = entry.ended();
    let state = if ended.is_some() { "ended" } else { word(bridge.progress(entry)) };
    let call = Listed::new(entry.request.clone(), state, ended.as_deref());
    let outcome = ended.and_then(|ended| outcome(entry, &ended));
    serde_json::to_vec(&Shown { call, outcome }).unwrap_or_default()
}

/// The answer, or the problem, that the client of a kept call gets.
pub(super) fn outcome(entry: &Entry, ended: &Ended) -> Option<Box<RawValue>> {
    let text = match &ended.outcome.answer {
        Kept::Answer(body) => body.to_vec(),
        Kept::Gone(why) => gone(entry.request.id, *why).to_json(),
    };
    let raw = String::from_utf8(text).ok().map(RawValue::from_string)?;
    raw.map_err(|error| tracing::error!(error = complaint(&error), "a kept answer is not JSON")).ok()
}

/// The problem of an answer that is not there.
pub(in crate::api) fn gone(id: Uuid, why: Gone) -> Problem {
    match why {
        Gone::GatewayEnded => Problem::about_call(
            id,
            Code::AgentRestarted,
            "The gateway ended while this call was under way, and the library's process with it. The call may have taken effect; it \
             is not repeated."
                .to_owned(),
        ),
        Gone::Sensitive => answer_gone(
            id,
            "it has values that are marked as sensitive, which are never written to the disk, and it is not in memory any more: the \
             gateway was started again since, or others have taken its place",
        ),
        Gone::TooLarge => {
            answer_gone(
                id,
                "it was too large for what `max_size` of [history] leaves, and it is not in memory any more: the gateway was started \
                 again since, or others have taken its place",
            )
        }
    }
}

fn answer_gone(id: Uuid, why: &str) -> Problem {
    let detail =
        format!("The call ran and returned, but its answer is not there any more: {why}. The call is not repeated.");
    Problem::about_call(id, Code::AnswerGone, detail).has_run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_gone_says_whether_the_call_ran_and_why_it_is() {
        let told = |why| {
            let document: serde_json::Value = serde_json::from_slice(&gone(Uuid::nil(), why).to_json()).unwrap();
            (document["code"].clone(), document["execution"].clone(), document["detail"].as_str().unwrap().to_owned())
        };
        let (code, execution, detail) = told(Gone::GatewayEnded);
        assert_eq!((code, execution), ("agent_restarted".into(), "may_have_run".into()));
        assert!(detail.contains("not repeated"), "{detail}");
        for (why, word) in [(Gone::Sensitive, "sensitive"), (Gone::TooLarge, "max_size")] {
            let (code, execution, detail) = told(why);
            assert_eq!((code, execution), ("answer_gone".into(), "ran".into()));
            assert!(detail.contains(word), "{detail}");
        }
    }

    #[test]
    fn a_call_that_is_not_kept_is_shown_with_the_time_of_its_id() {
        let before = Timestamp::now();
        let call = UnderWay::waiting(Uuid::now_v7());
        let shown = serde_json::to_value(Listed::passing("calc", &call)).unwrap();
        assert_eq!(
            (&shown["kept"], &shown["state"], &shown["function"]),
            (&false.into(), &"waiting".into(), &().into())
        );
        let created: Timestamp = shown["created_at"].as_str().unwrap().parse().unwrap();
        assert!(created.as_second() >= before.as_second(), "{shown}");
    }
}
