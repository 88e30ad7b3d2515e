//! How much an agent has to do: whoever wants to end it between two calls waits for the moment.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How long the last calls of sessions of a process that is about to end may take.
const LAST_CALLS: Duration = Duration::from_secs(30);
/// How long sessions of a process that is about to end may take to release what they own.
const FAREWELL: Duration = Duration::from_secs(5);

/// What an agent has to do.
#[derive(Debug)]
pub struct Usage {
    made: Instant,
    /// The same moment, as people tell it.
    at: Timestamp,
    /// Lanes that run something, or look whether there is something for them.
    busy: AtomicUsize,
    /// Those of them that run something.
    working: AtomicUsize,
    /// Milliseconds from `made` to the moment since which there has been one.
    working_since: AtomicU64,
    /// Sessions that are bound to it.
    held: AtomicUsize,
    /// Milliseconds from `made` to the last moment at which it had something to do.
    last: AtomicU64,
    /// One of the two counts has become zero.
    calm: Notify,
    /// It is about to end: sessions have to, now.
    farewell: watch::Sender<bool>,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            made: Instant::now(),
            at: Timestamp::now(),
            busy: AtomicUsize::new(0),
            working: AtomicUsize::new(0),
            working_since: AtomicU64::new(0),
            held: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            calm: Notify::new(),
            farewell: watch::Sender::new(false),
        }
    }
}

impl Usage {
    /// A lane looks for work.
    pub fn begin(&self) -> Busy<'_> {
        // With the role of the agent, read after this, there must be one order for all.
        self.busy.fetch_add(1, Ordering::SeqCst);
        Busy { usage: self, works: false, counts: false }
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

    /// Whether a lane runs something, or may be about to.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::SeqCst) > 0
    }

    /// Since when lanes have been running something without a pause.
    pub fn working_since(&self) -> Option<Timestamp> {
        let since = Duration::from_millis(self.working_since.load(Ordering::Relaxed));
        (self.working.load(Ordering::Relaxed) > 0).then(|| self.at.saturating_add(since).unwrap_or(self.at))
    }

    /// Whether it has had nothing to do for so long, and nobody is bound to it.
    pub fn is_idle_for(&self, time: Duration) -> bool {
        let last = self.made + Duration::from_millis(self.last.load(Ordering::Relaxed));
        !self.is_busy() && self.held() == 0 && last.elapsed() >= time
    }

    /// It has something to do now, as when it has just become ready.
    pub fn note(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Resolves when no lane runs anything and no session is bound to it, or else when `patience` is over.
    pub async fn calm(&self, patience: Instant) {
        let calm = self.until(|usage| usage.held() == 0 && !usage.is_busy());
        // One whose patience is over is closed: it does not matter which of the two it was.
        let _ = tokio::time::timeout_at(patience, calm).await;
    }

    /// Resolves when no lane runs anything.
    pub async fn quiet(&self) {
        self.until(|usage| !usage.is_busy()).await;
    }

    /// The same as [`Usage::calm`] before its process ends: sessions that are still bound to it when `patience` is over are
    /// told to end, and what they own may be released when their calls have come back.
    pub async fn calm_at_last(&self, patience: Instant) {
        let _ = tokio::time::timeout_at(patience, self.until(|usage| usage.held() == 0)).await;
        if self.held() > 0 {
            let _farewell = Farewell::say(&self.farewell);
            // Those who use handles without a session may keep it busy for ever.
            let _ = tokio::time::timeout(LAST_CALLS, self.quiet()).await;
            let _ = tokio::time::timeout(FAREWELL, self.until(|usage| usage.held() == 0)).await;
        }
        self.calm(patience).await;
    }

    /// Resolves when sessions have to end, because the process is about to.
    pub async fn farewell(&self) {
        // The sender is here.
        let _ = self.farewell.subscribe().wait_for(|is_said| *is_said).await;
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = pin!(self.calm.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if is_so(self) {
                return;
            }
            changed.await;
        }
    }
}

/// Says that sessions have to end, until this is dropped: the next process is another matter.
struct Farewell<'a>(&'a watch::Sender<bool>);

impl<'a> Farewell<'a> {
    fn say(sender: &'a watch::Sender<bool>) -> Self {
        sender.send_replace(true);
        Self(sender)
    }
}

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

/// A lane that looks for something to run.
#[derive(Debug)]
pub struct Busy<'a> {
    usage: &'a Usage,
    works: bool,
    /// What it runs is a reason to keep the agent.
    counts: bool,
}

impl Busy<'_> {
    /// It has found something, and runs it until this is dropped. `counts` says whether the agent is kept for it.
    pub fn work(&mut self, counts: bool) {
        (self.works, self.counts) = (true, counts);
        if self.usage.working.fetch_add(1, Ordering::Relaxed) == 0 {
            self.usage.working_since.store(self.usage.now(), Ordering::Relaxed);
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.works {
            self.usage.working.fetch_sub(1, Ordering::Relaxed);
        }
        if self.counts {
            self.usage.note();
        }
        if self.usage.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.usage.calm.notify_waiters();
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
        drop(busy);
        wait.await;
        usage.hold();
        let _busy = usage.begin();
        usage.calm(Instant::now() + Duration::from_secs(3)).await;
        assert!(tokio::time::timeout(Duration::from_secs(1), usage.quiet()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_told_to_end_when_patience_is_over_and_given_some_time_for_it() {
        let usage = Usage::default();
        usage.calm_at_last(Instant::now() + Duration::from_mins(1)).await;
        usage.hold();
        let (since, patience) = (Instant::now(), Duration::from_mins(1));
        let ends = async {
            usage.farewell().await;
            assert_eq!(since.elapsed(), patience);
            tokio::time::sleep(Duration::from_secs(1)).await;
            usage.release();
        };
        tokio::join!(usage.calm_at_last(since + patience), ends);
        assert_eq!(since.elapsed(), patience + Duration::from_secs(1));
        usage.hold();
        let busy = usage.begin();
        let (since, call) = (Instant::now(), Duration::from_secs(20));
        let ends = async {
            usage.farewell().await;
            tokio::time::sleep(call).await;
            drop(busy);
        };
        tokio::join!(usage.calm_at_last(since), ends);
        assert_eq!(since.elapsed(), call + FAREWELL, "one that does not end holds nobody up, after the calls");
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_is_idle_since_it_last_ran_something() {
        let usage = Usage::default();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(usage.is_idle_for(Duration::from_secs(5)));
        let mut busy = usage.begin();
        busy.work(true);
        let since = usage.working_since();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((usage.working_since(), since), (since, Some(usage.at + Duration::from_secs(5))));
        drop(busy);
        assert_eq!(usage.working_since(), None);
        assert!(!usage.is_idle_for(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(usage.is_idle_for(Duration::from_secs(1)));
        drop(usage.begin());
        assert!(usage.is_idle_for(Duration::from_secs(1)), "it looked, and there was nothing");
        usage.begin().work(false);
        assert!(usage.is_idle_for(Duration::from_secs(1)), "nobody needs it for what it ran");
    }
}
