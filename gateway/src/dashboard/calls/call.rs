//! A call as the API tells it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::dashboard::filters::text;
use crate::dashboard::state::{Mark, State};

/// A call, in lists without its texts. What is not known of it is not there.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    #[serde(rename = "call_id")]
    pub(super) id: Uuid,
    pub(super) library: String,
    pub(super) function: Option<String>,
    pub(super) owner: String,
    pub(super) key: Option<String>,
    pub(super) state: String,
    pub(super) kept: bool,
    pub(super) created_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) execution: Option<String>,
    pub(super) duration_us: Option<f64>,
    pub(super) queue_us: Option<f64>,
    pub(super) agent_us: Option<f64>,
    pub(super) library_us: Option<f64>,
    pub(super) agent: Option<String>,
    pub(super) generation: Option<u64>,
    pub(super) attempts: Option<u64>,
    pub(super) session: Option<Uuid>,
    pub(super) batch: Option<Uuid>,
    pub(super) batch_index: Option<u64>,
    pub(super) trace_id: Option<String>,
    pub(super) replay_of: Option<Uuid>,
    pub(super) crash_report: Option<String>,
    pub(super) idempotency_key_sha256: Option<String>,
    pub(super) ad_hoc: Option<AdHoc>,
    pub(super) args: Option<Box<RawValue>>,
    pub(super) args_cut: Option<Cut>,
    pub(super) outcome: Option<Box<RawValue>>,
    pub(super) outcome_cut: Option<Cut>,
    pub(super) output: Option<String>,
}

/// The prototype that came with a call.
#[derive(Debug, Deserialize)]
pub(super) struct AdHoc {
    pub(super) prototype: String,
    pub(super) export: Option<String>,
    pub(super) ordinal: Option<u64>,
}

/// A text of which there is no more than its beginning.
#[derive(Debug, Deserialize)]
pub(super) struct Cut {
    pub(super) beginning: String,
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Call {
    /// How it fares, or how it ended.
    pub(super) fn outcome_state(&self) -> State {
        outcome_state(&self.state, self.code.as_deref(), self.execution.as_deref())
    }

    /// Whether it waits or runs.
    pub(super) fn is_under_way(&self) -> bool {
        self.state != "ended"
    }

    /// Nanoseconds that it took in all, if that is known.
    pub(super) fn duration_ns(&self) -> Option<u64> {
        self.duration_us.map(nanoseconds)
    }
}

/// How a call fares: a colour, a sign, and the word or the code of its problem.
fn outcome_state(state: &str, code: Option<&str>, execution: Option<&str>) -> State {
    match (state, code) {
        ("waiting", _) => State::new(Mark::Off, text!("waiting")),
        ("running", _) => State::new(Mark::Busy, text!("running")),
        _ => State::of_outcome(code, execution != Some("not_run")),
    }
}

/// Microseconds of the API's documents as nanoseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a time that was measured")]
pub(super) fn nanoseconds(microseconds: f64) -> u64 {
    (microseconds * 1000.0).round() as u64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A call whose library and function are markup.
    pub(in super::super) fn hostile() -> Call {
        let name = "<b>\"'&".repeat(50);
        let value = serde_json::json!({
            "call_id": Uuid::max(), "library": name, "function": name, "owner": name, "key": name, "state": "ended",
            "kept": true, "created_at": "2026-01-31T12:00:00Z", "ended_at": "2026-01-31T12:00:01Z", "status": 502,
            "code": "agent_crashed", "execution": "may_have_run", "duration_us": 1234.5, "queue_us": 234.0,
            "agent_us": 0.5, "library_us": 1000.0, "agent": name, "generation": 3, "attempts": 1, "session": Uuid::nil(),
            "batch": Uuid::nil(), "batch_index": 0, "trace_id": "ab".repeat(16), "crash_report": name,
            "ad_hoc": {"prototype": name, "export": name},
            "args": {name.clone(): name}, "outcome": {"title": name, "detail": name, "code": "agent_crashed",
                "crash": {"what": name, "module": name, "offset": 16, "symbol": name, "symbol_offset": 4}},
            "output": name,
        });
        serde_json::from_str(&value.to_string()).unwrap()
    }

    #[test]
    fn an_outcome_is_a_sign_and_a_word() {
        let of = |state, code, execution| {
            let State { mark, word } = outcome_state(state, code, execution);
            (mark, word)
        };
        assert_eq!(of("running", None, None), (Mark::Busy, "running"));
        assert_eq!(of("ended", None, Some("ran")), (Mark::Good, "returned"));
        assert_eq!(of("ended", Some("queue_full"), Some("not_run")), (Mark::Warning, "queue_full"));
    }

    #[test]
    fn a_call_is_read_as_the_api_tells_it() {
        let call = hostile();
        assert_eq!((call.duration_ns(), call.is_under_way()), (Some(1_234_500), false));
        assert!(call.args.unwrap().get().contains("<b>"));
    }
}
