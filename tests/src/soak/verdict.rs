//! What a client was told of a call, and whether that is the truth.

use std::fmt;

use serde_json::Value;

use super::ledger::Entry;
use crate::Answer;

/// What the answer says of the execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Execution {
    /// It returned.
    Returned,
    /// `not_run`
    NotRun,
    /// `may_have_run`
    MayHaveRun,
    /// `ran`
    Ran,
}

/// The outcome of a call, as its client sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A documented one.
    Outcome {
        /// Whether it ran.
        execution: Execution,
        /// The code of the problem; empty for a call that returned.
        code: String,
        /// The call's id.
        call_id: Option<String>,
        /// What it returned.
        result: Value,
    },
    /// An answer that says no outcome: a violation in itself.
    Unclear(String),
    /// No answer.
    Nothing(String),
}

impl Told {
    /// Reads what came back.
    pub fn of(answer: &Result<Answer, ureq::Error>) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Self::Nothing(error.to_string()),
        };
        let Ok(document) = serde_json::from_str::<Value>(&answer.text) else {
            return Self::Unclear(format!("{} {}", answer.status, answer.text));
        };
        Self::read(answer.status, &document)
    }

    /// Reads what came back for a batch of so many calls: an outcome for each, in their order.
    pub fn of_batch(answer: &Result<Answer, ureq::Error>, calls: usize) -> Vec<Self> {
        let document = answer.as_ref().ok().filter(|answer| answer.status == 200);
        let document = document.and_then(|answer| serde_json::from_str::<Value>(&answer.text).ok());
        let outcomes = document.as_ref().and_then(|document| document["outcomes"].as_array());
        match outcomes {
            // A problem document has its status in it.
            Some(outcomes) if outcomes.len() == calls => {
                let status = |outcome: &Value| outcome["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                outcomes.iter().map(|outcome| Self::read(status(outcome).unwrap_or(200), outcome)).collect()
            }
            Some(_) => vec![Self::Unclear(format!("not {calls} outcomes: {document:?}")); calls],
            // None of them was taken, or there is no answer: that goes for all.
            None => vec![Self::of(answer); calls],
        }
    }

    fn read(status: u16, document: &Value) -> Self {
        let unclear = || Self::Unclear(format!("{status} {document}"));
        let text = |name: &str| document[name].as_str().map(str::to_owned);
        let execution = match (status, document["execution"].as_str()) {
            (200, None) => Execution::Returned,
            // The gateway's own fault is never an outcome.
            (500, _) => return unclear(),
            (400.., Some("not_run")) => Execution::NotRun,
            (400.., Some("may_have_run")) => Execution::MayHaveRun,
            (400.., Some("ran")) => Execution::Ran,
            _ => return unclear(),
        };
        let code = text("code").unwrap_or_default();
        if execution != Execution::Returned && code.is_empty() {
            return unclear();
        }
        Self::Outcome { execution, code, call_id: text("call_id"), result: document["result"].clone() }
    }

    /// Whether the call returned.
    pub fn is_returned(&self) -> bool {
        matches!(self, Self::Outcome { execution: Execution::Returned, .. })
    }

    /// What is wrong with it, given what the call has written; `None` if it is the truth.
    pub fn judge(&self, entry: Entry, idempotent: bool) -> Option<String> {
        let Entry { started, returned } = entry;
        let once = |count: usize| if idempotent { count >= 1 } else { count == 1 };
        let wrong = match self {
            Self::Unclear(what) => return Some(format!("the answer says no outcome: {what}")),
            Self::Nothing(why) => return Some(format!("there was no answer: {why}")),
            Self::Outcome { execution, .. } => match execution {
                Execution::Returned => !once(started) || !once(returned),
                Execution::NotRun => started != 0,
                Execution::MayHaveRun => !idempotent && started > 1,
                Execution::Ran => !once(started),
            },
        };
        wrong.then(|| format!("it was told \"{self}\" and started {started} times, returned {returned} times"))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome { execution: Execution::Returned, .. } => f.write_str("returned"),
            Self::Outcome { execution, code, .. } => write!(f, "{code}, {}", execution.name()),
            Self::Unclear(_) => f.write_str("unclear"),
            Self::Nothing(_) => f.write_str("no answer"),
        }
    }
}

impl Execution {
    /// As problem documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::NotRun => "not_run",
            Self::MayHaveRun => "may_have_run",
            Self::Ran => "ran",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(execution: Execution) -> Told {
        Told::Outcome { execution, code: "agent_crashed".into(), call_id: None, result: Value::Null }
    }

    #[test]
    fn only_the_truth_passes() {
        let entry = |started, returned| Entry { started, returned };
        // What was told, what ran, whether that is right: once, and for an idempotent function.
        let cases = [
            (Execution::Returned, entry(1, 1), true, true),
            (Execution::Returned, entry(0, 0), false, false),
            (Execution::Returned, entry(1, 0), false, false),
            (Execution::Returned, entry(2, 1), false, true),
            (Execution::Returned, entry(2, 2), false, true),
            (Execution::NotRun, entry(0, 0), true, true),
            (Execution::NotRun, entry(1, 0), false, false),
            (Execution::MayHaveRun, entry(0, 0), true, true),
            (Execution::MayHaveRun, entry(1, 1), true, true),
            (Execution::MayHaveRun, entry(2, 0), false, true),
            (Execution::Ran, entry(1, 1), true, true),
            (Execution::Ran, entry(0, 0), false, false),
            (Execution::Ran, entry(2, 2), false, true),
        ];
        for (execution, entry, once, idempotent) in cases {
            assert_eq!(told(execution).judge(entry, false).is_none(), once, "{execution:?} {entry:?}");
            assert_eq!(told(execution).judge(entry, true).is_none(), idempotent, "{execution:?} {entry:?}, idempotent");
        }
        for nothing in [Told::Unclear("500".into()), Told::Nothing("reset".into())] {
            assert!(nothing.judge(entry(1, 1), true).is_some());
        }
    }
}
