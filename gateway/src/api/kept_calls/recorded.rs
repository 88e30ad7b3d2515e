//! What the history has of a call, as it is shown.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::dispatch::Execution;
use crate::history::{Record, Text};

/// A call that has ended, with what is known of it beside its arguments and its outcome.
#[derive(Serialize)]
pub(in crate::api) struct Facts<'a> {
    call_id: Uuid,
    library: &'a str,
    function: Option<&'a str>,
    owner: &'a str,
    key: &'a str,
    state: &'static str,
    /// Whether its client's answer can be asked for later.
    kept: bool,
    created_at: Timestamp,
    ended_at: Timestamp,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    execution: Execution,
    duration_us: Box<RawValue>,
    queue_us: Box<RawValue>,
    agent_us: Box<RawValue>,
    library_us: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_of: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crash_report: Option<&'a str>,
}

/// The same with its arguments and its outcome.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    facts: Facts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key_sha256: Option<&'a str>,
    /// `{"prototype", "export"?, "ordinal"?}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    ad_hoc: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args_cut: Option<Cut<'a>>,
    args_redacted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_cut: Option<Cut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
}

/// A text of which there is no more than its beginning.
#[derive(Serialize)]
struct Cut<'a> {
    beginning: &'a str,
    /// Bytes of the whole.
    size: u64,
    sha256: &'a str,
}

impl<'a> Facts<'a> {
    pub(in crate::api) fn of(record: &'a Record, kept: bool) -> Self {
        let [queue, on_its_way, in_library] = record.parts_ns;
        Self {
            call_id: record.id,
            library: &record.library,
            function: record.function.as_deref(),
            owner: &record.owner,
            key: &record.key_id,
            state: "ended",
            kept,
            created_at: record.created_at,
            ended_at: record.ended_at,
            status: record.status,
            code: record.code.as_deref(),
            execution: record.execution,
            duration_us: microseconds(record.duration_ns()),
            queue_us: microseconds(queue),
            agent_us: microseconds(on_its_way),
            library_us: microseconds(in_library),
            agent: record.agent.as_ref().map(|(agent, _)| &**agent),
            generation: record.agent.as_ref().map(|(_, generation)| *generation),
            attempts: record.attempts,
            session: record.session,
            batch: record.batch.map(|(batch, _)| batch),
            batch_index: record.batch.map(|(_, index)| index),
            trace_id: Some(Uuid::from_bytes(record.trace_id).simple().to_string()),
            replay_of: record.replay_of,
            crash_report: record.report.as_deref(),
        }
    }
}

/// Everything that the history has of a call. `outcome` is what its client got, where that is kept.
pub(super) fn whole(record: &Record, outcome: Option<&RawValue>, kept: bool) -> Vec<u8> {
    let (args, args_cut) = parts(&record.args);
    let (recorded, outcome_cut) = parts(&record.answer);
    let whole = Whole {
        facts: Facts::of(record, kept),
        idempotency_key_sha256: record.idempotency_key.as_deref(),
        ad_hoc: record.prototype.as_deref().and_then(json),
        args,
        args_cut,
        args_redacted: record.args_redacted,
        outcome: outcome.or(recorded),
        outcome_cut: outcome_cut.filter(|_| outcome.is_none()),
        output: record.output.as_deref(),
    };
    serde_json::to_vec(&whole).unwrap_or_default()
}

/// The text as JSON, or its beginning.
fn parts(text: &Text) -> (Option<&RawValue>, Option<Cut<'_>>) {
    match &text.sha256 {
        None => (json(&text.text), None),
        Some(sha256) => (None, Some(Cut { beginning: &text.text, size: text.size, sha256 })),
    }
}

fn json(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// Nanoseconds as a number of microseconds.
pub(in crate::api) fn microseconds(nanoseconds: u64) -> Box<RawValue> {
    let text = format!("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
    RawValue::from_string(text).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(in super::super) fn record() -> Record {
        let time = "2026-01-31T12:00:00.123456Z".parse().unwrap();
        let text = |text: &str| Text { text: text.to_owned(), size: text.len() as u64, sha256: None };
        Record {
            seq: 1,
            id: Uuid::nil(),
            library: "calc".into(),
            function: Some("Add".into()),
            owner: "team".into(),
            key_id: "ci".into(),
            agent: Some(("calc".into(), 3)),
            attempts: 0,
            session: None,
            batch: Some((Uuid::max(), 1)),
            replay_of: None,
            trace_id: [0xab; 16],
            idempotency_key: None,
            created_at: time,
            ended_at: time,
            parts_ns: [1_000, 2_050, 3],
            status: 200,
            code: None,
            execution: Execution::Ran,
            report: None,
            prototype: None,
            args: text(r#"{"a":1e400}"#),
            args_redacted: false,
            answer: text(r#"{"result":5}"#),
            output: None,
        }
    }

    fn shown(record: &Record) -> Value {
        serde_json::from_slice(&whole(record, None, false)).unwrap()
    }

    #[test]
    fn a_row_is_shown_with_where_its_time_went() {
        let text = String::from_utf8(whole(&record(), None, false)).unwrap();
        assert!(text.contains(r#""args":{"a":1e400}"#), "numbers stay as they were: {text}");
        assert!(text.contains(r#""duration_us":3.053,"queue_us":1.000,"agent_us":2.050,"library_us":0.003"#), "{text}");
        let shown = shown(&Record { args: Text { text: "{}".into(), ..record().args }, ..record() });
        assert_eq!((&shown["agent"], &shown["generation"]), (&json!("calc"), &json!(3)));
        assert_eq!((&shown["batch_index"], &shown["trace_id"]), (&json!(1), &json!("ab".repeat(16))));
        assert_eq!(
            (&shown["outcome"]["result"], &shown["kept"], shown.get("session")),
            (&json!(5), &json!(false), None)
        );
    }

    #[test]
    fn of_a_long_text_the_beginning_is_shown_as_what_it_is() {
        let args = Text { text: r#"{"a":"#.into(), size: 1 << 20, sha256: Some("00ff".into()) };
        let shown = shown(&Record { args, ..record() });
        assert_eq!(shown.get("args"), None);
        assert_eq!(shown["args_cut"], json!({"beginning": r#"{"a":"#, "size": 1 << 20, "sha256": "00ff"}));
    }

    #[test]
    fn what_is_kept_for_the_client_goes_before_what_is_recorded() {
        let kept = RawValue::from_string(r#"{"result":"secret"}"#.to_owned()).unwrap();
        let record = Record { args: Text { text: "{}".into(), ..record().args }, ..record() };
        let shown: Value = serde_json::from_slice(&whole(&record, Some(&kept), true)).unwrap();
        assert_eq!((&shown["outcome"]["result"], &shown["kept"]), (&json!("secret"), &json!(true)));
    }
}
