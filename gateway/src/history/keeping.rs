//! Keeps the history within its bounds while it is written: `keep_calls` and `max_calls_size`.

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::store::{BY_THE_MINUTE, Janitor};
use super::{Condition, History, StoreError};

/// How often it is looked whether something is to be forgotten. At 5,000 calls a second, some 40 MB come in between.
const EVERY: Duration = Duration::from_secs(10);

/// The first time after the start.
const AT_FIRST: Duration = Duration::from_secs(1);

impl History {
    /// Forgets what is too old or too much, for ever.
    pub(super) async fn keep_within_bounds(&self, janitor: Janitor) -> Infallible {
        let mut pause = AT_FIRST;
        loop {
            tokio::time::sleep(pause).await;
            pause = EVERY;
            // While it cannot be written, that is told by the writer.
            if let Err(error) = self.forget(&janitor, Timestamp::now()).await
                && self.condition() == Condition::Good
            {
                tracing::warn!(%error, "nothing can be forgotten of the history now; it is tried again");
            }
        }
    }

    /// Forgets what is too old or too much now.
    pub(super) async fn forget(&self, janitor: &Janitor, now: Timestamp) -> Result<(), StoreError> {
        let before = now.checked_sub(self.config.keep_calls).unwrap_or(Timestamp::MIN).max(Timestamp::UNIX_EPOCH);
        let mut forgotten = 0;
        loop {
            let (began, calls) = (Instant::now(), janitor.forget_before(before).await?);
            forgotten += self.forgot(calls, began).await;
            if calls == 0 {
                break;
            }
        }
        while janitor.size().await? > self.config.max_calls_size {
            let (began, calls) = (Instant::now(), janitor.forget_oldest().await?);
            // Where room is short, sums are for the time of the calls that are there.
            janitor.forget_sums_before_calls().await?;
            forgotten += self.forgot(calls, began).await;
            if calls == 0 {
                break;
            }
        }
        if forgotten > 0 {
            tracing::debug!(calls = forgotten, "calls of the history were forgotten");
        }
        janitor.forget_the_rest(before).await?;
        let by_the_minute = now.checked_sub(BY_THE_MINUTE).unwrap_or(Timestamp::UNIX_EPOCH);
        while janitor.sum_up_an_hour(by_the_minute).await? {
            tokio::task::yield_now().await;
        }
        loop {
            let began = Instant::now();
            if !janitor.give_back().await? {
                return Ok(());
            }
            tokio::time::sleep(began.elapsed()).await;
        }
    }

    /// Counts calls that were forgotten, and leaves the writer as much time as that took.
    async fn forgot(&self, calls: u64, began: Instant) -> u64 {
        self.state.count_forgotten(calls);
        tokio::time::sleep(began.elapsed()).await;
        calls
    }
}

#[cfg(test)]
mod tests;
