//! How a call ends, in the dispatcher's terms: no HTTP here.

use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::{Fault, FaultCode, Outcome, OutcomeLine, SystemError};
use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use crate::agents::Exit;

/// How a call ended. More than one is told of it: an answer is shared.
pub type CallResult = Result<Arc<Answer>, Failure>;

/// A function's answer; result and outputs are JSON as the agent wrote it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The result.
    pub result: Bytes,
    /// The object of output parameters.
    pub outputs: Bytes,
    /// Nanoseconds in the library's code.
    pub duration_ns: u64,
    /// Nanoseconds in the agent before and after that, as in [`bridge32_protocol::wire::Returned`]; no part of what clients get.
    pub around_ns: [u64; 3],
    /// `errno`, where the function set it.
    pub errno: Option<SystemError>,
    /// `GetLastError()`, where the function set it.
    pub last_error: Option<SystemError>,
    /// What the returned `HRESULT` means.
    pub hresult: Option<SystemError>,
}

impl Answer {
    /// About how many bytes its text has.
    pub fn size(&self) -> usize {
        self.result.len() + self.outputs.len() + 120
    }

    /// Writes `"result":…,"outputs":…`, which are JSON already: they are copied, not parsed.
    pub fn write_values(&self, body: &mut Vec<u8>) {
        let Self { result, outputs, .. } = self;
        body.extend_from_slice(b"\"result\":");
        body.extend_from_slice(result);
        body.extend_from_slice(b",\"outputs\":");
        body.extend_from_slice(outputs);
    }

    /// Writes `,"errno":…` and the other error numbers, those that there are.
    pub fn write_errors(&self, body: &mut Vec<u8>) {
        let Self { errno, last_error, hresult, .. } = self;
        for (name, error) in [("errno", errno), ("last_error", last_error), ("hresult", hresult)] {
            if let Some(error) = error {
                body.extend_from_slice(format!(",\"{name}\":").as_bytes());
                body.extend_from_slice(&serde_json::to_vec(error).unwrap_or_else(|_| b"null".to_vec()));
            }
        }
    }
}

/// Whether a call ran that has ended so.
pub fn execution(result: &CallResult) -> Execution {
    result.as_ref().map_or_else(Failure::execution, |_| Execution::Ran)
}

/// Whether the library's code ran, as far as the bridge knows: part of every failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    /// It provably did not: calling again is safe.
    NotRun,
    /// It may have, in whole or in part.
    MayHaveRun,
    /// It did.
    Ran,
}

/// How far a call was when its process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It was running, as far as the bridge knows.
    Running,
    /// It had ended, and its outcome was on its way when the process ended.
    Before {
        /// The later call that was running, if one was.
        running: Option<Uuid>,
        /// Whether the process has left a note of it; otherwise it is what one must think.
        proven: bool,
    },
    /// It waited behind others.
    Behind {
        /// The call that was running, if one was.
        running: Option<Uuid>,
        /// Whether the process has left a note of it; otherwise it is what one must think.
        proven: bool,
    },
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The agent says so.
    Fault(Fault),
    /// The library could not be loaded.
    NotLoaded(Fault),
    /// The agent's process ended while it had the call.
    Ended {
        /// How.
        exit: Exit,
        /// How far the call was.
        moment: Moment,
    },
    /// The call took too long, and its process was ended.
    Deadline {
        /// How long it had.
        deadline: Duration,
        /// It had come back at the last moment, and its outcome was lost.
        ran: bool,
    },
    /// The client's patience was over before the call's turn came.
    NotInTime {
        /// How long it waited.
        waited: Duration,
        /// Why there was no agent, if there was none.
        reason: Option<String>,
    },
    /// Somebody has cancelled it.
    Cancelled(Execution),
    /// It was running once already when a process ended, and was tried again as calling it twice does no harm.
    Repeated(Box<Failure>),
    /// There was nobody to run it.
    NoAgent {
        /// Why not.
        reason: String,
        /// Whether trying again soon makes sense.
        retry: bool,
    },
    /// The process that the call's session was bound to is gone.
    SessionLost,
    /// Handles of two processes are among the arguments.
    HandlesApart {
        /// The generation of one.
        one: u64,
        /// That of the other.
        other: u64,
    },
    /// A handle among the arguments is of another process than the call's session.
    HandleElsewhere {
        /// The generation that the session is bound to.
        session: u64,
        /// That of the handle.
        handle: u64,
    },
    /// The history has to have the call before its client has the answer, and could not be written.
    NotRecorded(Execution),
    /// Too many calls wait for this library.
    QueueFull {
        /// How many.
        waiting: usize,
        /// How long they will take, as far as can be told.
        retry_after: Duration,
    },
}

impl Failure {
    /// The name of the report of the crash that was its end.
    pub fn report(&self) -> Option<&str> {
        match self {
            Self::Ended { exit, .. } => exit.crash.as_ref()?.report.as_deref(),
            Self::Repeated(last) => last.report(),
            _ => None,
        }
    }

    /// Whether the library's code ran.
    pub fn execution(&self) -> Execution {
        match self {
            Self::Fault(fault) if fault.ran => Execution::Ran,
            Self::Cancelled(execution) | Self::NotRecorded(execution) => *execution,
            Self::Repeated(last) if last.execution() == Execution::Ran => Execution::Ran,
            Self::Ended { moment: Moment::Before { proven: true, .. }, .. } | Self::Deadline { ran: true, .. } => {
                Execution::Ran
            }
            Self::Ended { moment: Moment::Behind { proven: true, .. }, .. }
            | Self::Fault(_)
            | Self::NotLoaded(_)
            | Self::NotInTime { .. }
            | Self::NoAgent { .. }
            | Self::SessionLost
            | Self::HandlesApart { .. }
            | Self::HandleElsewhere { .. }
            | Self::QueueFull { .. } => Execution::NotRun,
            Self::Ended { .. } | Self::Deadline { .. } | Self::Repeated(_) => Execution::MayHaveRun,
        }
    }
}

/// Reads one line of the agent's answer: the call's index in the list, and how it ended.
///
/// # Errors
/// It is not what the protocol says.
pub(super) fn read_line(line: &[u8]) -> Result<(usize, CallResult), serde_json::Error> {
    let OutcomeLine { index, outcome } = serde_json::from_slice(line)?;
    let result = match outcome {
        Outcome::Returned(returned) => Ok(Arc::new(Answer {
            result: into_bytes(returned.result.get()),
            outputs: into_bytes(returned.outputs.get()),
            duration_ns: returned.duration_ns,
            around_ns: returned.around_ns,
            errno: returned.errno,
            last_error: returned.last_error,
            hresult: returned.hresult,
        })),
        Outcome::Fault(fault) if fault.code == FaultCode::LoadFailed => Err(Failure::NotLoaded(fault)),
        Outcome::Fault(fault) => Err(Failure::Fault(fault)),
    };
    Ok((index as usize, result))
}

/// In memory of its own: the line is a part of the connection's buffer, and an answer stays until it is written down.
fn into_bytes(json: &str) -> Bytes {
    if json == "{}" { Bytes::from_static(b"{}") } else { Bytes::copy_from_slice(json.as_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_pass_through_unchanged() {
        let line = br#"{"index":3,"outcome":{"returned":{"result":1e400,"outputs":{"a":[1, 2]},"duration_ns":5,
            "around_ns":[7,8,9]}}}"#;
        let (index, result) = read_line(line).unwrap();
        let answer = result.unwrap();
        assert_eq!((index, answer.duration_ns, answer.around_ns), (3, 5, [7, 8, 9]));
        assert_eq!((answer.result.as_ref(), answer.outputs.as_ref()), (&b"1e400"[..], &br#"{"a":[1, 2]}"#[..]));
    }

    #[test]
    fn the_systems_error_number_comes_with_the_answer() {
        let line = br#"{"index":0,"outcome":{"returned":{"result":-1,"outputs":{},"duration_ns":5,
            "errno":{"code":2,"name":"ENOENT","message":"No such file or directory"}}}}"#;
        let answer = read_line(line).unwrap().1.unwrap();
        let errno = answer.errno.as_ref().unwrap();
        assert_eq!((errno.code, errno.name.as_deref()), (2, Some("ENOENT")));
        assert_eq!((&answer.last_error, &answer.hresult), (&None, &None));
    }

    #[test]
    fn a_fault_says_whether_the_library_ran() {
        let line = br#"{"index":0,"outcome":{"fault":{"code":"undecodable_text","detail":"x","ran":true}}}"#;
        assert_eq!(read_line(line).unwrap().1.unwrap_err().execution(), Execution::Ran);
    }
}
