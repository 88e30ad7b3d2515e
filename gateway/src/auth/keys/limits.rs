//! How much may be asked with one key: so many requests in a time, and so many at once.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::{Serialize, Serializer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Code, Problem};

/// What a key's table says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a time.
    pub rate: Option<Rate>,
    /// Requests that are answered at the same time.
    pub concurrency: Option<u32>,
}

/// `100/s`: so many requests in a second, a minute or an hour. As many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    requests: NonZeroU32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unit {
    name: &'static str,
    seconds: u32,
}

const UNITS: [Unit; 3] =
    [Unit { name: "s", seconds: 1 }, Unit { name: "min", seconds: 60 }, Unit { name: "h", seconds: 3600 }];

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no rate, such as \"100/s\", \"600/min\" or \"5000/h\"");
        let (requests, unit) = text.split_once('/').ok_or_else(wrong)?;
        let unit = UNITS.into_iter().find(|known| known.name == unit.trim()).ok_or_else(wrong)?;
        Ok(Self { requests: requests.trim().parse().map_err(|_| wrong())?, unit })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.unit.name)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Rate {
    fn quota(self) -> Option<Quota> {
        let pause = Duration::from_secs(self.unit.seconds.into()) / self.requests.get();
        Quota::with_period(pause.max(Duration::from_nanos(1))).map(|quota| quota.allow_burst(self.requests))
    }
}

/// Counts what is asked with one key.
#[derive(Debug)]
pub(super) struct Meter {
    /// What it keeps to.
    pub(super) limits: Limits,
    limiter: Option<DefaultDirectRateLimiter>,
    slots: Option<Arc<Semaphore>>,
    /// For calls that go on without their requests: as many as there may be requests.
    kept: Option<Arc<Semaphore>>,
}

/// A request that is being answered; it counts until this is dropped.
#[derive(Debug)]
pub struct Permit(Option<OwnedSemaphorePermit>);

impl Permit {
    /// Whether anything counts.
    pub const fn counts(&self) -> bool {
        self.0.is_some()
    }
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        let limiter = limits.rate.and_then(Rate::quota).map(RateLimiter::direct);
        let semaphore = |slots| Arc::new(Semaphore::new(usize::try_from(slots).unwrap_or(1)));
        let (slots, kept) = (limits.concurrency.map(semaphore), limits.concurrency.map(semaphore));
        Self { limits, limiter, slots, kept }
    }

    /// Lets one more call of the key `id` go on, whatever becomes of its request.
    ///
    /// # Errors
    /// It would be one too many.
    pub(super) fn keep(&self, id: &str) -> Result<Permit, Problem> {
        let permit = self.kept.as_ref().map(|slots| Arc::clone(slots).try_acquire_owned()).transpose();
        permit.map(Permit).map_err(|_| {
            let most = self.limits.concurrency.unwrap_or_default();
            let detail = format!(
                "{most} kept calls of the key `{id}` wait or run, and so many may (`concurrency` in the key file). This one was \
                 not run. Wait for one of them, or cancel one: GET /v1/calls."
            );
            Problem::new(Code::ConcurrencyLimited, detail).with_retry_after(1)
        })
    }

    /// Lets one more request of the key `id` begin.
    ///
    /// # Errors
    /// It would be one too many, and when to try again.
    pub(super) fn begin(&self, id: &str) -> Result<Permit, Problem> {
        // The slot first: a request that is refused for want of one does not use up the rate.
        let permit = self.slots.as_ref().map(|slots| Arc::clone(slots).try_acquire_owned()).transpose();
        let permit = permit.map_err(|_| {
            let most = self.limits.concurrency.unwrap_or_default();
            let detail = format!(
                "{most} requests with the key `{id}` are being answered, and so many may be at once (`concurrency` in the \
                 key file). Wait for one of them."
            );
            Problem::new(Code::ConcurrencyLimited, detail).with_retry_after(1)
        })?;
        if let Some(limiter) = &self.limiter
            && let Err(until) = limiter.check()
        {
            let wait = until.wait_time_from(DefaultClock::default().now());
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            let rate = self.limits.rate.map(|rate| rate.to_string()).unwrap_or_default();
            let detail = format!(
                "With the key `{id}` {rate} requests may be sent (`rate` in the key file). Try again in {seconds} s."
            );
            return Err(Problem::new(Code::RateLimited, detail).with_retry_after(seconds));
        }
        Ok(Permit(permit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(rate: Option<&str>, concurrency: Option<u32>) -> Meter {
        Meter::new(Limits { rate: rate.map(|rate| rate.parse().unwrap()), concurrency })
    }

    #[test]
    fn a_rate_is_a_number_in_a_second_a_minute_or_an_hour() {
        for good in ["1/s", "600/min", "5000/h", "4000000000/s"] {
            assert_eq!(good.parse::<Rate>().unwrap().to_string(), good);
        }
        for wrong in ["", "5", "5/", "/s", "0/s", "-1/s", "1/day", "1.5/s", "99999999999/s"] {
            assert!(wrong.parse::<Rate>().unwrap_err().contains("100/s"), "{wrong}");
        }
    }

    #[test]
    fn as_many_requests_as_the_rate_says_pass_and_then_one_has_to_wait() {
        let meter = meter(Some("3/h"), None);
        for _ in 0..3 {
            assert!(!meter.begin("a").unwrap().counts());
        }
        let problem = meter.begin("a").unwrap_err();
        assert_eq!(problem.code(), Code::RateLimited);
        assert!(problem.retry_after().is_some_and(|seconds| (600..=1201).contains(&seconds)), "{problem:?}");
        assert!(problem.detail().contains("`a`") && problem.detail().contains("3/h"), "{problem:?}");
    }

    #[test]
    fn a_request_takes_its_slot_until_it_is_answered() {
        let meter = meter(Some("3/h"), Some(1));
        let running = meter.begin("a").unwrap();
        for _ in 0..5 {
            assert_eq!(meter.begin("a").unwrap_err().code(), Code::ConcurrencyLimited);
        }
        drop(running);
        assert!(meter.begin("a").is_ok(), "those that were refused did not use up the rate");
    }
}
