//! Links that sign a person in once, as notebook servers print them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Grant;
use super::token::{Hashed, Token};
use crate::error::Problem;

/// How long a link that nobody uses is good.
pub const LINK_LIFE: Duration = Duration::from_hours(1);
/// So many unused links are kept; the oldest goes for one more.
const KEPT: usize = 16;

/// The links that were given out and not used.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<Vec<Link>>);

#[derive(Debug)]
struct Link {
    token: Hashed,
    until: Instant,
    grant: Grant,
}

impl Links {
    /// Makes one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn make(&self, grant: Grant, now: Instant) -> Result<Token, Problem> {
        let token = Token::fresh()?;
        self.with(now, |links| {
            if links.len() >= KEPT {
                links.remove(0);
            }
            links.push(Link { token: token.hash(), until: now + LINK_LIFE, grant });
        });
        Ok(token)
    }

    /// Whether a link can still be used. Looking does not use it up.
    pub(super) fn holds(&self, token: &Token, now: Instant) -> bool {
        self.with(now, |links| links.iter().any(|link| link.token == token.hash()))
    }

    /// Uses a link up.
    pub(super) fn take(&self, token: &Token, now: Instant) -> Option<Grant> {
        self.with(now, |links| {
            let place = links.iter().position(|link| link.token == token.hash())?;
            Some(links.remove(place).grant)
        })
    }

    fn with<T>(&self, now: Instant, job: impl FnOnce(&mut Vec<Link>) -> T) -> T {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|link| link.until > now);
        job(&mut links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_once_however_often_it_is_looked_at() {
        let (links, now) = (Links::default(), Instant::now());
        let token = links.make(Grant::everything("somebody"), now).unwrap();
        assert!(links.holds(&token, now) && links.holds(&token, now));
        assert_eq!(links.take(&token, now).unwrap().owner, "somebody");
        assert!(links.take(&token, now).is_none() && !links.holds(&token, now));
    }

    #[test]
    fn a_link_ends_after_its_hour() {
        let (links, now) = (Links::default(), Instant::now());
        let token = links.make(Grant::everything("somebody"), now).unwrap();
        assert!(links.holds(&token, now + LINK_LIFE.mul_f32(0.99)));
        assert!(links.take(&token, now + LINK_LIFE).is_none());
    }

    #[test]
    fn forged_links_are_not_known_and_new_ones_push_out_the_oldest() {
        let (links, now) = (Links::default(), Instant::now());
        assert!(links.take(&Token::fresh().unwrap(), now).is_none());
        let made: Vec<Token> = (0..=KEPT).map(|_| links.make(Grant::everything("somebody"), now).unwrap()).collect();
        assert!(!links.holds(&made[0], now));
        assert!(made[1..].iter().all(|token| links.holds(token, now)));
    }
}
