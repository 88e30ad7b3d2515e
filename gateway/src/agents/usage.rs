//! How much an agent has to do: whoever wants to end it between two calls waits for the moment.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What an agent has to do.
#[derive(Debug)]
pub struct Usage {
    made: Instant,
    /// Lanes that run something, or look whether there is something for them.
    busy: AtomicUsize,
    /// Sessions that are bound to it.
    held: AtomicUsize,
    /// Milliseconds from `made` to the last moment at which it had something to do.
    last: AtomicU64,
    /// One of the two counts has become zero.
    calm: Notify,
}

impl Default for Usage {
    fn default() -> Self {
        let made = Instant::now();
        Self { made, busy: AtomicUsize::new(0), held: AtomicUsize::new(0), last: AtomicU64::new(0), calm: Notify::new() }
    }
}

impl Usage {
    /// A lane looks for work.
    pub fn begin(&self) -> Busy<'_> {
        // With the role of the agent, read after this, there must be one order for all.
        self.busy.fetch_add(1, Ordering::SeqCst);
        Busy(self)
    }

    /// A session is bound to it from now on.
    pub fn hold(&self) {
        self.held.fetch_add(1, Ordering::SeqCst);
    }

    /// A session is over.
    pub fn release(&self) {
        if self.held.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.note();
            self.calm.notify_waiters();
        }
    }

    /// How many sessions are bound to it.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Whether a lane runs something.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::SeqCst) > 0
    }

    /// Whether it has had nothing to do for so long, and nobody is bound to it.
    pub fn is_idle_for(&self, time: Duration) -> bool {
        let last = self.made + Duration::from_millis(self.last.load(Ordering::Relaxed));
        !self.is_busy() && self.held() == 0 && last.elapsed() >= time
    }

    /// It has something to do now, as when it has just become ready.
    pub fn note(&self) {
        let millis = u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    /// Resolves when no lane runs anything and, unless `patience` is over first, no session is bound to it.
    pub async fn calm(&self, patience: Instant) {
        self.until(|usage| usage.held() == 0, Some(patience)).await;
        self.until(|usage| !usage.is_busy(), None).await;
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool, patience: Option<Instant>) {
        loop {
            let changed = self.calm.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if is_so(self) {
                return;
            }
            match patience {
                Some(end) if tokio::time::timeout_at(end, changed).await.is_err() => return,
                Some(_) => {}
                None => changed.await,
            }
        }
    }
}

/// A lane that runs something, or looks for it.
#[derive(Debug)]
pub struct Busy<'a>(&'a Usage);

impl Busy<'_> {
    /// It has run something.
    pub fn done(self) {
        self.0.note();
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.calm.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_agent_is_calm_when_nothing_runs_and_nobody_is_bound_to_it_or_patience_is_over() {
        let usage = Usage::default();
        let far = Instant::now() + Duration::from_secs(10);
        usage.calm(far).await;
        usage.hold();
        let busy = usage.begin();
        let wait = usage.calm(far);
        tokio::pin!(wait);
        assert!(tokio::time::timeout(Duration::from_secs(1), wait.as_mut()).await.is_err());
        usage.release();
        assert!(tokio::time::timeout(Duration::from_secs(1), wait.as_mut()).await.is_err());
        busy.done();
        wait.await;
        usage.hold();
        usage.calm(Instant::now() + Duration::from_secs(3)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_is_idle_since_it_last_ran_something() {
        let usage = Usage::default();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(usage.is_idle_for(Duration::from_secs(5)));
        usage.begin().done();
        assert!(!usage.is_idle_for(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(usage.is_idle_for(Duration::from_secs(1)));
        drop(usage.begin());
        assert!(usage.is_idle_for(Duration::from_secs(1)), "it looked, and there was nothing");
    }
}
