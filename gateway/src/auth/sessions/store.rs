//! Who is signed in. Sessions live in memory: when the gateway ends, all of them do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Grant;
use super::token::{Hashed, Token};
use crate::error::Problem;

/// A session that is not used for so long ends, however long it could have lasted.
const IDLE: Duration = Duration::from_hours(2);
/// So many sessions are kept; the one that was not used for longest ends for one more.
const KEPT: usize = 256;

/// Somebody who is signed in.
#[derive(Debug)]
pub struct Session {
    /// Who, and what they may do.
    pub grant: Grant,
    /// What stands in the session's own pages, and so is not known to those of others.
    pub csrf: Token,
    /// The user of this machine who has signed in, if that could be told: of no use to others.
    user: Option<u32>,
}

impl Session {
    /// Whether it is of use to this user. One that began where users cannot be told is to everybody.
    pub(super) fn is_of(&self, user: impl FnOnce() -> Option<u32>) -> bool {
        self.user.is_none_or(|own| user() == Some(own))
    }

    /// One that nobody has signed in for.
    #[cfg(test)]
    pub(crate) fn of(grant: Grant) -> Self {
        Self { grant, csrf: Token::fresh().unwrap(), user: None }
    }
}

/// The sessions.
#[derive(Debug)]
pub(super) struct Store {
    sessions: Mutex<HashMap<Hashed, Entry>>,
    life: Mutex<Duration>,
}

#[derive(Debug)]
struct Entry {
    session: Arc<Session>,
    since: Instant,
    used: Instant,
}

impl Store {
    /// A store of sessions that last for `life`.
    pub(super) fn new(life: Duration) -> Self {
        Self { sessions: Mutex::default(), life: Mutex::new(life) }
    }

    /// From now on sessions last for `life`, those that there are, too.
    pub(super) fn set_life(&self, life: Duration) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = life;
    }

    /// Signs somebody in; gives the id that only their browser gets to know. It is always a new one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn begin(&self, grant: Grant, user: Option<u32>, now: Instant) -> Result<Token, Problem> {
        let (id, csrf) = (Token::fresh()?, Token::fresh()?);
        let entry = Entry { session: Arc::new(Session { grant, csrf, user }), since: now, used: now };
        self.with(now, |sessions| {
            if sessions.len() >= KEPT {
                let oldest = sessions.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id);
                oldest.and_then(|id| sessions.remove(&id));
            }
            sessions.insert(id.hash(), entry);
        });
        Ok(id)
    }

    /// The session of that id, which is used now.
    pub(super) fn find(&self, id: &Token, now: Instant) -> Option<Arc<Session>> {
        self.with(now, |sessions| {
            let entry = sessions.get_mut(&id.hash())?;
            entry.used = now;
            Some(Arc::clone(&entry.session))
        })
    }

    /// Ends a session.
    pub(super) fn end(&self, id: &Token, now: Instant) {
        self.with(now, |sessions| sessions.remove(&id.hash()));
    }

    fn with<T>(&self, now: Instant, job: impl FnOnce(&mut HashMap<Hashed, Entry>) -> T) -> T {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let life = *self.life.lock().unwrap_or_else(PoisonError::into_inner);
        let lives = |entry: &Entry| {
            now.saturating_duration_since(entry.since) < life && now.saturating_duration_since(entry.used) < IDLE
        };
        sessions.retain(|_, entry| lives(entry));
        job(&mut sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn store() -> (Store, Instant) {
        (Store::new(12 * HOUR), Instant::now())
    }

    fn begin(store: &Store, now: Instant) -> Token {
        store.begin(Grant::everything("somebody"), None, now).unwrap()
    }

    #[test]
    fn a_session_is_found_by_its_id_until_it_is_ended() {
        let (store, now) = store();
        let (one, other) = (begin(&store, now), begin(&store, now));
        assert!(store.find(&one, now).is_some() && store.find(&Token::fresh().unwrap(), now).is_none());
        store.end(&one, now);
        assert!(store.find(&one, now).is_none() && store.find(&other, now).is_some());
    }

    #[test]
    fn a_session_that_nobody_uses_ends_early() {
        let (store, now) = store();
        let id = begin(&store, now);
        let later = now + IDLE.mul_f32(0.99);
        assert!(store.find(&id, later).is_some());
        assert!(store.find(&id, later + IDLE.mul_f32(0.99)).is_some(), "it was used in between");
        assert!(store.find(&id, later + 2 * IDLE).is_none());
    }

    #[test]
    fn a_session_ends_however_much_it_is_used() {
        let (store, now) = store();
        let id = begin(&store, now);
        assert!((0..12).all(|hour| store.find(&id, now + hour * HOUR).is_some()));
        assert!(store.find(&id, now + 12 * HOUR).is_none());
    }

    #[test]
    fn there_are_never_more_than_a_fixed_number() {
        let (store, now) = store();
        let ids: Vec<Token> =
            (0..=KEPT).map(|i| begin(&store, now + Duration::from_millis(i.try_into().unwrap()))).collect();
        let end = now + Duration::from_secs(1);
        assert!(store.find(&ids[0], end).is_none());
        assert!(ids[1..].iter().all(|id| store.find(id, end).is_some()));
    }
}
