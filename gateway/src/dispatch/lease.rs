//! How long something lasts that is in use by calls: as long as one of them goes on, and a time after the last one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What each call renews, at its begin and at its end.
#[derive(Debug)]
pub struct Lease {
    /// How long it lasts after a call.
    length: Duration,
    state: Mutex<State>,
    unused: Notify,
}

#[derive(Debug)]
struct State {
    uses: u32,
    until: Instant,
    is_over: bool,
}

impl Lease {
    /// One that begins now.
    pub fn new(length: Duration) -> Arc<Self> {
        let state = State { uses: 0, until: Instant::now() + length, is_over: false };
        Arc::new(Self { length, state: Mutex::new(state), unused: Notify::new() })
    }

    /// How long it lasts after a call.
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// A call begins; `None` if it comes too late.
    pub fn begin(self: &Arc<Self>) -> Option<InUse> {
        let mut state = self.lock();
        if state.is_over {
            return None;
        }
        state.uses += 1;
        Some(InUse(Arc::clone(self)))
    }

    /// When it is over unless it is renewed; `None` while a call goes on.
    pub fn until(&self) -> Option<Instant> {
        let state = self.lock();
        (state.uses == 0).then_some(state.until)
    }

    /// Ends it if its time is over.
    ///
    /// # Errors
    /// It is not: when to look again.
    pub fn expire(&self, now: Instant) -> Result<(), Instant> {
        let mut state = self.lock();
        if state.uses > 0 {
            return Err(now + self.length);
        }
        if state.until > now {
            return Err(state.until);
        }
        state.is_over = true;
        Ok(())
    }

    /// Ends it: from now on no call begins.
    pub fn end(&self) {
        self.lock().is_over = true;
    }

    /// Resolves when no call goes on.
    pub async fn unused(&self) {
        loop {
            let mut changed = std::pin::pin!(self.unused.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if self.lock().uses == 0 {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that goes on, until this is dropped.
#[derive(Debug)]
pub struct InUse(Arc<Lease>);

impl Drop for InUse {
    fn drop(&mut self) {
        let Self(lease) = self;
        let mut state = lease.lock();
        state.uses -= 1;
        state.until = Instant::now() + lease.length;
        if state.uses == 0 {
            lease.unused.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(10);

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_when_a_call_begins_and_when_it_ends_and_lasts_while_it_runs() {
        let lease = Lease::new(LENGTH);
        pass(9).await;
        let call = lease.begin().unwrap();
        pass(100).await;
        assert_eq!(lease.until(), None);
        assert_eq!(lease.expire(Instant::now()), Err(Instant::now() + LENGTH));
        drop(call);
        assert_eq!(lease.until(), Some(Instant::now() + LENGTH));
        pass(9).await;
        assert_eq!(lease.expire(Instant::now()), Err(Instant::now() + Duration::from_secs(1)));
        pass(1).await;
        assert_eq!(lease.expire(Instant::now()), Ok(()));
        assert!(lease.begin().is_none(), "what is over is not renewed");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_ends_a_lease_waits_for_the_calls_that_have_begun() {
        let lease = Lease::new(LENGTH);
        lease.unused().await;
        let (one, other) = (lease.begin().unwrap(), lease.begin().unwrap());
        lease.end();
        assert!(lease.begin().is_none());
        let wait = lease.unused();
        tokio::pin!(wait);
        drop(one);
        assert!(tokio::time::timeout(Duration::from_secs(1), wait.as_mut()).await.is_err());
        drop(other);
        wait.await;
    }
}
