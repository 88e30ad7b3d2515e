//! What a client is told whose session with a library is not there, or is not to be had.

use std::time::Duration;

use super::failures::pause;
use super::{Code, Problem};
use crate::dispatch::Failure;
use crate::library_sessions::SessionError;

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Unknown => Self::new(
                Code::UnknownSession,
                "This key has no such session. It was ended, its lease was over, or the gateway was started again since. Nothing \
                 was run. Begin a new one: POST /v1/sessions.",
            ),
            SessionError::Lost => Failure::SessionLost.into(),
            SessionError::OfAnother(library) => Self::new(
                Code::ArgumentMismatch,
                format!(
                    "`Bridge-Session` is a session with the library `{library}`, and this request is about another one. Nothing was \
                     run. Begin a session for each library."
                ),
            ),
            SessionError::Limit { max: 0, .. } => Self::new(
                Code::SessionLimit,
                "This library takes no sessions: `sessions.max` in its table of the configuration is 0.",
            ),
            SessionError::Limit { max, retry_after } => Self::new(
                Code::SessionLimit,
                format!(
                    "{max} sessions with this library have begun, and more may not (`sessions.max` in its table of the \
                     configuration). End those that are not needed: GET /v1/sessions lists yours."
                ),
            )
            .with_retry_after(pause(retry_after.unwrap_or(Duration::from_secs(1)))),
            SessionError::Share { own, max, retry_after } => Self::new(
                Code::SessionLimit,
                format!(
                    "You have {own} of the {max} sessions that there may be with this library, and a part of those that are free is for \
                     others. End those that are not needed: GET /v1/sessions lists yours."
                ),
            )
            .with_retry_after(pause(retry_after.unwrap_or(Duration::from_secs(1)))),
            SessionError::NoProcess(failure) => failure.into(),
            SessionError::Random(error) => Self::internal(error),
        }
    }
}
