//! How what was run has ended: as an answer at once, and as what is kept of it.

use std::sync::Arc;

use axum::response::Response;
use bridge32_interface::redact;
use bridge32_protocol::interface::{Function, Interface};
use bridge32_protocol::wire::Callee;
use uuid::Uuid;

use super::perform::{Work, not_sent};
use super::reply;
use crate::dispatch::{CallResult, Execution, Failure, Order, execution};
use crate::error::Problem;
use crate::interfaces::Declared;
use crate::kept::{Kept, Outcome};

/// How it ended.
#[derive(Debug)]
pub(super) enum Done {
    Call(Uuid, Box<CallResult>),
    Batch(Result<Vec<(Uuid, CallResult)>, Failure>),
}

impl Done {
    /// The answer to a client that has waited.
    pub(super) fn answer(self, within: &str) -> Result<Response, Problem> {
        match self {
            Self::Call(id, result) => reply::outcome(id, *result).map_err(|problem| problem.within(within)),
            Self::Batch(results) => Ok(reply::outcomes(results?)),
        }
    }

    /// What is kept.
    pub(super) fn outcome(self, id: Uuid, within: &str) -> Outcome {
        let execution = self.execution();
        let answered = |body: Vec<u8>| Outcome {
            status: 200,
            code: None,
            execution,
            retry_after: None,
            answer: Kept::Answer(body.into()),
        };
        match self {
            Self::Call(id, result) => match *result {
                Ok(answer) => answered(reply::answer(id, &answer)),
                Err(failure) => refused(&Problem::of_call(id, failure).within(within), execution),
            },
            Self::Batch(Ok(results)) => answered(reply::batch(results)),
            Self::Batch(Err(failure)) => refused(&Problem::of_call(id, failure), execution),
        }
    }

    /// A failure of ours while it was run.
    pub(super) fn broken(id: Uuid, error: &impl std::fmt::Display) -> Outcome {
        let problem = Problem::internal(error);
        let problem = Problem::about_call(id, problem.code(), problem.detail().to_owned());
        refused(&problem, Execution::MayHaveRun)
    }

    /// Whether any of it ran.
    fn execution(&self) -> Execution {
        match self {
            Self::Call(_, result) => execution(result),
            Self::Batch(Err(failure)) => failure.execution(),
            Self::Batch(Ok(results)) => {
                let has = |wanted| results.iter().any(|(_, result)| execution(result) == wanted);
                let order = [Execution::Ran, Execution::MayHaveRun];
                order.into_iter().find(|wanted| has(*wanted)).unwrap_or(Execution::NotRun)
            }
        }
    }

    /// What nobody has cancelled and was taken out of the queue all the same: the gateway is stopping.
    pub(super) fn unless_stopping(self) -> Self {
        let told = |result: CallResult| match result {
            Err(Failure::Cancelled(Execution::NotRun)) => Err(not_sent()),
            result => result,
        };
        match self {
            Self::Call(id, result) => Self::Call(id, Box::new(told(*result))),
            Self::Batch(results) => {
                Self::Batch(results.map(|results| results.into_iter().map(|(id, result)| (id, told(result))).collect()))
            }
        }
    }
}

fn refused(problem: &Problem, execution: Execution) -> Outcome {
    Outcome {
        status: problem.code().status().as_u16(),
        code: Some(problem.code().name().to_owned()),
        execution,
        retry_after: problem.retry_after(),
        answer: Kept::Answer(problem.to_json().into()),
    }
}

/// The functions that are called, so that it can be told whether what they answer is sensitive. Of each call those that it
/// may have been.
#[derive(Debug)]
pub(super) struct Secrets(Vec<Vec<Called>>);

#[derive(Debug)]
enum Called {
    Declared(Arc<Declared>, u32),
    Prototype(Box<Interface>),
    Other,
}

impl Secrets {
    pub(super) fn of(work: &Work) -> Self {
        let called = |order: &Order| match (&order.callee, &order.declared) {
            (Callee::Function(number), Some(declared)) => Called::Declared(Arc::clone(declared), *number),
            (Callee::Prototype(interface), _) => Called::Prototype(interface.clone()),
            _ => Called::Other,
        };
        Self(match work {
            Work::Call(order) => vec![vec![called(order)]],
            Work::Batch(orders, _) => orders.iter().map(|order| vec![called(order)]).collect(),
        })
    }

    /// A call may have gone over to what has taken the library's place: what that declares of a function of the same name counts
    /// as well. `None` if there is nothing any more that could be asked.
    pub(super) fn and_now(mut self, now: Option<&Arc<Declared>>) -> Self {
        for calls in &mut self.0 {
            let also = calls.iter().find_map(|called| called.now(now));
            calls.extend(also);
        }
        self
    }

    /// Whether an answer has a sensitive value. No text of a failure has one.
    pub(super) fn are_in(&self, done: &Done) -> bool {
        let is_sensitive = |(calls, result): (&Vec<Called>, &CallResult)| match result {
            Ok(answer) => {
                let answer = reply::answer(Uuid::nil(), answer);
                calls.iter().any(|called| called.is_sensitive(&answer))
            }
            Err(_) => false,
        };
        match done {
            Done::Call(_, result) => self.0.iter().zip([&**result]).any(is_sensitive),
            Done::Batch(Ok(results)) => self.0.iter().zip(results.iter().map(|(_, result)| result)).any(is_sensitive),
            Done::Batch(Err(_)) => false,
        }
    }
}

impl Called {
    /// The function of the same name, if another interface is in force now that has one.
    fn now(&self, now: Option<&Arc<Declared>>) -> Option<Self> {
        let Self::Declared(then, number) = self else { return None };
        let Some(now) = now else { return Some(Self::Other) };
        let (_, function) = function(then.interface(), *number)?;
        let (number, _) = now.function(&function.name)?;
        (!Arc::ptr_eq(then, now)).then(|| Self::Declared(Arc::clone(now), number))
    }

    /// Whether something would have to be taken out of the answer before it is written.
    fn is_sensitive(&self, answer: &[u8]) -> bool {
        let function = match self {
            Self::Declared(declared, number) => function(declared.interface(), *number),
            Self::Prototype(interface) => function(interface, 0),
            Self::Other => None,
        };
        let text = std::str::from_utf8(answer).ok();
        let Some(((interface, function), text)) = function.zip(text) else { return true };
        let redacted = redact::answer(interface, function, text);
        // Mostly the same text; otherwise it may be the spaces between values.
        redacted != text && !is_same(&redacted, text)
    }
}

fn function(interface: &Interface, number: u32) -> Option<(&Interface, &Function)> {
    Some((interface, interface.functions.get(usize::try_from(number).ok()?)?))
}

fn is_same(one: &str, other: &str) -> bool {
    let read = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    matches!((read(one), read(other)), (Some(one), Some(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{Answer, Arguments};
    use crate::libraries::tests::library;

    fn answer(result: &'static str, outputs: &'static str) -> Arc<Answer> {
        let (result, outputs) = (result.as_bytes().into(), outputs.as_bytes().into());
        let (duration_ns, around_ns) = (1, [0; 3]);
        Arc::new(Answer { result, outputs, duration_ns, around_ns, errno: None, last_error: None, hresult: None })
    }

    fn done(results: Vec<CallResult>) -> Done {
        Done::Batch(Ok(results.into_iter().map(|result| (Uuid::now_v7(), result)).collect()))
    }

    #[test]
    fn an_answer_with_a_sensitive_value_is_told_from_others() {
        let calc = library(
            "int Add(int a, int b); /** @sensitive pin */ int Ask(int *pin); /** @sensitive return */ int Key(void);",
        );
        let declared = calc.declared();
        let order = |name: &str| calc.order(&declared, name).unwrap();
        let found = |name: &str, answer: Arc<Answer>| {
            let secrets = Secrets::of(&Work::Call(Box::new(order(name))));
            secrets.are_in(&Done::Call(Uuid::nil(), Box::new(Ok(answer))))
        };
        assert!(!found("Add", answer("5", "{}")) && !found("Add", answer("5", "{ }")));
        assert!(found("Ask", answer("5", r#"{"pin":1234}"#)) && found("Key", answer("5", "{}")));
        assert!(found("Add", answer("5", r#"{"other":1}"#)), "what is not declared could be anything");
        let marker = r#"{"pin":"«redacted»"}"#;
        assert!(!found("Ask", answer("5", marker)), "there is nothing to take out");
        let next = library("/** @sensitive return */ int Add(int a, int b); int Ask(int *pin);").declared();
        let later = |name: &str, now, answer: Arc<Answer>| {
            let secrets = Secrets::of(&Work::Call(Box::new(order(name)))).and_now(now);
            secrets.are_in(&Done::Call(Uuid::nil(), Box::new(Ok(answer))))
        };
        assert!(later("Add", Some(&next), answer("5", "{}")), "it may have run with the library that came next");
        assert!(later("Ask", Some(&next), answer("5", r#"{"pin":1234}"#)), "or with this one");
        assert!(!later("Add", Some(&declared), answer("5", "{}")) && later("Add", None, answer("5", "{}")));
        let batch =
            Work::Batch(vec![order("Add"), order("Key")], bridge32_protocol::wire::Batch { stop_on_error: true });
        let secrets = Secrets::of(&batch);
        let refused = || Err(Failure::QueueFull { waiting: 1, retry_after: std::time::Duration::ZERO });
        assert!(secrets.are_in(&done(vec![Ok(answer("1", "{}")), Ok(answer("2", "{}"))])));
        assert!(!secrets.are_in(&done(vec![Ok(answer("1", "{}")), refused()])));
        let ad_hoc = calc.undeclared_order(Callee::ReadVariable(0), Arguments::empty());
        let secrets = Secrets::of(&Work::Call(Box::new(ad_hoc)));
        assert!(secrets.are_in(&Done::Call(Uuid::nil(), Box::new(Ok(answer("1", "{}"))))), "nobody knows what it is");
    }

    #[test]
    fn a_batch_has_run_as_soon_as_one_of_its_calls_has() {
        let execution = |results| done(results).outcome(Uuid::nil(), "").execution;
        let full = || Err(Failure::QueueFull { waiting: 1, retry_after: std::time::Duration::ZERO });
        let late = || Err(Failure::Deadline { deadline: std::time::Duration::from_secs(1), ran: false });
        assert_eq!(execution(vec![full(), full()]), Execution::NotRun);
        assert_eq!(execution(vec![full(), late()]), Execution::MayHaveRun);
        assert_eq!(execution(vec![late(), Ok(answer("1", "{}"))]), Execution::Ran);
        let whole = Done::Batch(full().map(|_: Arc<Answer>| Vec::new())).outcome(Uuid::max(), "");
        assert_eq!((whole.status, whole.code.as_deref(), whole.is_final()), (429, Some("queue_full"), false));
        let Kept::Answer(body) = whole.answer else { panic!("it is there") };
        assert!(String::from_utf8_lossy(&body).contains(&Uuid::max().to_string()));
    }
}
