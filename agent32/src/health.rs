//! How the process fares, for the heartbeat.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bridge32_protocol::wire::Health;

use crate::apartment::Counters;
use crate::platform::{self, Figures};

/// Looking at the process may take this part of the time: a process with many mappings is looked at less often.
const SHARE: u32 = 100;

/// Looks at the process, at most once for each heartbeat.
#[derive(Debug)]
pub struct Sampler {
    started: Instant,
    figures: Figures,
    /// Not before then.
    next: Instant,
}

impl Sampler {
    /// For a process that has just started.
    pub fn new() -> Self {
        let now = Instant::now();
        Self { started: now, figures: Figures::default(), next: now }
    }

    /// How the process fares now. Where looking took long last time, some figures are those of that time.
    pub fn health(&mut self, counters: &Counters) -> Health {
        let now = Instant::now();
        if now >= self.next {
            self.figures = platform::figures();
            self.next = now + pause(now.elapsed());
        }
        let Figures { address_space_bytes, largest_free_bytes, handles, threads, gdi_objects, user_objects } =
            self.figures;
        Health {
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            calls: counters.called.load(Ordering::Relaxed),
            pending: counters.pending.load(Ordering::Relaxed),
            resident_bytes: platform::resident_bytes(),
            address_space_bytes,
            largest_free_bytes,
            handles,
            threads,
            gdi_objects,
            user_objects,
        }
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Self::new()
    }
}

fn pause(took: Duration) -> Duration {
    took.saturating_mul(SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_how_it_fares() {
        let mut sampler = Sampler::new();
        let counters = Counters::default();
        counters.called.store(7, Ordering::Relaxed);
        let health = sampler.health(&counters);
        assert_eq!((health.calls, health.pending), (7, 0));
        assert!(health.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{health:?}");
        assert!(health.threads.is_some_and(|threads| (1..10_000).contains(&threads)), "{health:?}");
        // Wine does not tell.
        let handles = health.handles.map_or(cfg!(windows), |handles| (3..100_000).contains(&handles));
        assert!(handles, "{health:?}");
        let narrow = cfg!(target_pointer_width = "32");
        assert_eq!((health.address_space_bytes.is_some(), health.largest_free_bytes.is_some()), (narrow, narrow));
        if let (Some(taken), Some(free)) = (health.address_space_bytes, health.largest_free_bytes) {
            assert!(taken > 1 << 20 && free > 1 << 20 && taken + free < 1 << 32, "{health:?}");
        }
    }

    #[test]
    fn more_of_everything_is_seen() {
        let before = platform::figures();
        let files: Vec<_> = (0..50).map(|_| tempfile::tempfile().unwrap()).collect();
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
        let threads: Vec<_> = (0..5)
            .map(|_| {
                let wait = std::sync::Arc::clone(&wait);
                std::thread::spawn(move || drop(wait.lock().map(|wait| wait.recv())))
            })
            .collect();
        let after = platform::figures();
        drop((files, stop));
        for thread in threads {
            thread.join().unwrap();
        }
        // Other tests of this program may end meanwhile.
        let more = |before: u64, after: u64| after > before + 30;
        let handles = before.handles.zip(after.handles).map_or(cfg!(windows), |(before, after)| more(before, after));
        assert!(handles, "{before:?} {after:?}");
        assert!(after.threads > before.threads, "{before:?} {after:?}");
    }

    #[test]
    fn what_takes_long_is_done_less_often() {
        assert_eq!(pause(Duration::from_millis(30)), Duration::from_secs(3));
        assert_eq!(pause(Duration::ZERO), Duration::ZERO);
    }
}
