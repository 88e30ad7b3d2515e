//! What a client is told of a call that gave no answer: what happened, whether the library's code ran, what to do next.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bridge32_protocol::wire::{Fault, FaultCode};
use uuid::Uuid;

use super::{Code, Problem};
use crate::agents::{Crash, Exit};
use crate::dispatch::{Execution, Failure, Moment};

/// The longest time after which it is said to make sense to try again, in seconds.
const LONGEST_PAUSE: u64 = 30;

/// A problem of a request for a call or a batch, which says in any case whether the library's code ran.
#[derive(Debug)]
pub struct CallProblem(Problem);

impl<E: Into<Problem>> From<E> for CallProblem {
    /// What does not say it itself kept the call from being made; of our own errors nobody knows.
    fn from(error: E) -> Self {
        let mut problem = error.into();
        let otherwise = if problem.code == Code::Internal { Execution::MayHaveRun } else { Execution::NotRun };
        problem.execution.get_or_insert(otherwise);
        Self(problem)
    }
}

impl IntoResponse for CallProblem {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<FaultCode> for Code {
    fn from(code: FaultCode) -> Self {
        match code {
            FaultCode::ArgumentMismatch => Self::ArgumentMismatch,
            FaultCode::ConventionMismatch => Self::ConventionMismatch,
            FaultCode::UnknownFunction => Self::UnknownFunction,
            FaultCode::UnsupportedDeclaration => Self::UnsupportedDeclaration,
            FaultCode::UndecodableText => Self::UndecodableText,
            FaultCode::LoadFailed => Self::LoadFailed,
            FaultCode::NotLoaded | FaultCode::ShuttingDown => Self::NoAgent,
            FaultCode::MalformedRequest => Self::MalformedRequest,
            FaultCode::OutOfMemory => Self::OutOfMemory,
            FaultCode::BufferUnavailable => Self::BulkUnavailable,
            FaultCode::StaleHandle => Self::StaleHandle,
            FaultCode::BufferOverrun => Self::BufferOverrun,
            FaultCode::BatchStopped => Self::BatchStopped,
        }
    }
}

/// The code alone, for whoever counts failures.
impl From<&Failure> for Code {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Fault(fault) | Failure::NotLoaded(fault) => fault.code.into(),
            Failure::Ended { exit, .. } if exit.reason.is_some() => Self::AgentRestarted,
            Failure::Ended { .. } => Self::AgentCrashed,
            Failure::Deadline { .. } | Failure::NotInTime { .. } => Self::DeadlineExceeded,
            Failure::Cancelled(_) => Self::Cancelled,
            Failure::Repeated(last) => Self::from(&**last),
            Failure::NoAgent { .. } => Self::NoAgent,
            Failure::SessionLost => Self::SessionLost,
            Failure::HandlesApart { .. } | Failure::HandleElsewhere { .. } => Self::ArgumentMismatch,
            Failure::NotRecorded(_) => Self::HistoryUnavailable,
            Failure::QueueFull { .. } => Self::QueueFull,
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let problem = Self { pointer: fault.pointer, ..Self::new(fault.code.into(), fault.detail) };
        if problem.code == Code::NoAgent { problem.with_retry_after(1) } else { problem }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::told(failure.execution(), failure)
    }
}

impl Problem {
    fn told(execution: Execution, failure: Failure) -> Self {
        Self { execution: Some(execution), ..Self::of(failure) }
    }

    fn of(failure: Failure) -> Self {
        let code = Code::from(&failure);
        match failure {
            Failure::Fault(fault) | Failure::NotLoaded(fault) => fault.into(),
            Failure::Ended { exit, moment } => ended(code, exit, moment),
            Failure::Deadline { deadline, ran } => Self::new(code, overdue(deadline, ran)),
            Failure::NotInTime { waited, reason } => Self::new(
                code,
                format!(
                    "The call waited {} ms for its turn, which is as long as the request allows (`Prefer: wait=`), and was not \
                     run{}. Try again, or allow more time.",
                    waited.as_millis(),
                    reason.map_or(String::new(), |reason| format!(": there is no agent now, because {reason}"))
                ),
            ),
            Failure::Repeated(last) => {
                let last = Self::from(*last);
                let detail = format!(
                    "{} It was running once before, when the process ended, and may have taken effect then.",
                    last.detail
                );
                last.because(detail)
            }
            Failure::Cancelled(execution) => Self::new(code, cancelled(execution)),
            Failure::NoAgent { reason, retry } => {
                let problem = Self::new(code, format!("No agent could take this call: {reason}."));
                problem.with_retry_after(if retry { 1 } else { 30 })
            }
            Failure::SessionLost => Self::new(
                code,
                "The process that this session was bound to has ended, and with it all that the session had there. The call \
                 was not run. Begin a new session: POST /v1/sessions.",
            ),
            Failure::HandlesApart { one, other } => Self::new(
                code,
                format!(
                    "The arguments have handles of two processes of this library (starts {one} and {other}), and no call runs \
                     in both. Get them in one session (POST /v1/sessions): its calls run in one process."
                ),
            ),
            Failure::HandleElsewhere { session, handle } => Self::new(
                code,
                format!(
                    "The session's calls run in one process of this library (start {session}), and a handle among the arguments is \
                     of another one (start {handle}). The call was not run. Get the handle in this session, or make the call \
                     without `Bridge-Session`."
                ),
            ),
            Failure::NotRecorded(execution) => Self::new(code, not_recorded(execution)),
            Failure::QueueFull { waiting, retry_after } => Self::new(
                code,
                format!(
                    "{waiting} calls wait for this library already, and this client has its share of them. This one was not \
                     run; try again later."
                ),
            )
            .with_retry_after(pause(retry_after)),
        }
    }
}

pub(super) fn pause(time: Duration) -> u32 {
    u32::try_from(time.as_secs().clamp(1, LONGEST_PAUSE)).unwrap_or(1)
}

fn overdue(deadline: Duration, ran: bool) -> String {
    let ran = if ran { " It came back at that very moment, and its answer was lost." } else { "" };
    format!(
        "The call was still running after {} ms, so its process was ended.{ran} A longer deadline \
         can be set for the library (`deadline`), the function (`@deadline`) or the request (`Prefer: wait=SECONDS`).",
        deadline.as_millis()
    )
}

const fn cancelled(execution: Execution) -> &'static str {
    match execution {
        Execution::NotRun => "The call was cancelled before its turn came: it was not run.",
        Execution::MayHaveRun => {
            "The call was cancelled while it was running, so its process was ended. It may have taken effect."
        }
        Execution::Ran => {
            "The call was cancelled when it had just come back: it has taken effect, and its answer is lost."
        }
    }
}

const fn not_recorded(execution: Execution) -> &'static str {
    match execution {
        Execution::NotRun => {
            "The call was not run, and the history could not be written, which must have each call before it is answered \
             (`durability = \"before_answer\"`). GET /metrics and the gateway's log say why."
        }
        Execution::MayHaveRun | Execution::Ran => {
            "The call has ended, and its answer is withheld: the history must have each call before it is answered \
             (`durability = \"before_answer\"`), and could not be written. GET /metrics and the gateway's log say why. What waits \
             is written as soon as that is possible: if GET /v1/calls/{call_id} knows the call then, it has its answer."
        }
    }
}

/// The process ended while it had the call.
fn ended(code: Code, exit: Exit, moment: Moment) -> Problem {
    let crash = exit.crash.as_deref();
    let report = crash.and_then(|crash| crash.report.as_deref());
    let report = report.map_or(String::new(), |name| format!(" The report: GET /v1/crashes/{name}."));
    let detail = match moment {
        Moment::Running => {
            let running = crash.and_then(Crash::running).map_or(String::new(), |running| format!(", in {running}"));
            format!(
                "The process ended while this call was running: {exit}{running}. The call may have taken effect; it is not \
                 repeated. GET /v1/agents says whether the next process is there.{report}"
            )
        }
        Moment::Before { running, .. } => format!(
            "The process ended{}: {exit}. This call had come back before, and its answer was lost on its way. It is not \
             repeated.{report}",
            while_running(running)
        ),
        Moment::Behind { running, proven: true } => format!(
            "The process ended{}: {exit}. This call waited behind it and was not run. It was not sent to another process, \
             because it belongs to a batch or several had ended before it already. Try again.{report}",
            while_running(running)
        ),
        Moment::Behind { running, proven: false } => format!(
            "The process ended{}: {exit}. This call was queued behind it; as far as the bridge can tell it did not run. It is \
             not repeated, because that is not certain.{report}",
            while_running(running)
        ),
    };
    Problem { crash: exit.crash, ..Problem::new(code, detail) }
}

fn while_running(call: Option<Uuid>) -> String {
    call.map_or(String::new(), |call| format!(" while call {call} was running"))
}
