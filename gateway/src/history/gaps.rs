//! What is missing in the history, and why: readers are told.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// Calls that are not in the history and should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// They ended at this time or later …
    pub since: Timestamp,
    /// … and no later than this.
    pub until: Timestamp,
    /// How many they are; `null` if nobody knows, and it may be none.
    pub calls: Option<u64>,
    /// Why they are missing.
    pub reason: String,
}

impl Gap {
    /// There was no room for them while the store could not be written.
    pub(super) fn no_room(since: Timestamp, until: Timestamp, calls: u64) -> Self {
        let reason =
            "the store could not be written, or not quickly enough, and there was no more room for what waited"
                .to_owned();
        Self { since, until, calls: Some(calls), reason }
    }

    /// A gateway ended without having written what it had.
    pub(super) fn gateway_ended(since: Timestamp, until: Timestamp) -> Self {
        let reason = "the gateway ended without having written everything: calls that had ended in the last 200 ms before that, or \
                      while the store could not be written, may be missing"
            .to_owned();
        Self { since, until, calls: None, reason }
    }

    /// The store does not take a call.
    pub(super) fn refused(at: Timestamp, id: Uuid, error: &str) -> Self {
        Self { since: at, until: at, calls: Some(1), reason: format!("the store does not take the call {id}: {error}") }
    }
}
