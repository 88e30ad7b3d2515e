//! What is known of a call that is kept: who wanted what, and how it ended.

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::dispatch::Execution;

/// The time as the table has it: in milliseconds.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A call, or a batch, that is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: Uuid,
    /// Whose key has made it; empty where nobody has to sign.
    pub owner: String,
    /// Which key.
    pub key_id: String,
    /// The library.
    pub library: String,
    /// What of it, as the path says: `functions/NAME`, `calls`, `batches`.
    pub target: String,
    /// The function; `None` for a batch.
    pub function: Option<String>,
    /// SHA-256 of the client's key for repeating the request, in base64.
    pub idempotency_key: Option<String>,
    /// The same of the key, a zero and the request's body, where there is a key.
    pub body_digest: Option<String>,
    /// When it came.
    pub created_at: Timestamp,
}

/// Within which an idempotency key means one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) owner: String,
    pub(super) library: String,
    pub(super) target: String,
    pub(super) key: String,
}

impl Request {
    pub(super) fn scope(&self) -> Option<Scope> {
        let (owner, library, target) = (self.owner.clone(), self.library.clone(), self.target.clone());
        self.idempotency_key.clone().map(|key| Scope { owner, library, target, key })
    }
}

/// How a kept call ended: what its client is answered, each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The HTTP status.
    pub status: u16,
    /// The code of the problem, if it is one.
    pub code: Option<String>,
    /// Whether the library's code ran.
    pub execution: Execution,
    /// In how many seconds it makes sense to try again.
    pub retry_after: Option<u32>,
    /// The body.
    pub answer: Kept,
}

impl Outcome {
    /// That of a call which nobody knows of any more how it ended.
    pub(super) fn lost() -> Self {
        Self {
            status: 502,
            code: Some("agent_restarted".to_owned()),
            execution: Execution::MayHaveRun,
            retry_after: None,
            answer: Kept::Gone(Gone::GatewayEnded),
        }
    }

    /// Whether repeating the request gives this outcome: what provably did not run is run by the next one.
    pub fn is_final(&self) -> bool {
        self.execution != Execution::NotRun
    }
}

/// The body of an answer, as long as it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is.
    Answer(Bytes),
    /// It is not.
    Gone(Gone),
}

/// Why an answer is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The gateway ended before the call did.
    GatewayEnded,
    /// It has sensitive values, which are not written to the disk, and the gateway has been started again since.
    Sensitive,
    /// It was too large to be written.
    TooLarge,
}

/// An outcome and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What was wanted.
    pub request: Request,
    /// How it ended, if it has.
    pub ended: Option<Ended>,
}

impl Gone {
    const ALL: [Self; 3] = [Self::GatewayEnded, Self::Sensitive, Self::TooLarge];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GatewayEnded => "gateway_ended",
            Self::Sensitive => "sensitive",
            Self::TooLarge => "too_large",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gone| gone.name() == name)
    }
}

const EXECUTIONS: [(Execution, &str); 3] =
    [(Execution::NotRun, "not_run"), (Execution::MayHaveRun, "may_have_run"), (Execution::Ran, "ran")];

/// The word for it in tables.
pub fn execution_name(execution: Execution) -> &'static str {
    EXECUTIONS.iter().find(|(own, _)| *own == execution).map_or("may_have_run", |(_, name)| name)
}

/// What a word of [`execution_name`] means.
pub fn execution_of(name: &str) -> Option<Execution> {
    EXECUTIONS.iter().find(|(_, own)| *own == name).map(|(execution, _)| *execution)
}
