//! The table of sessions: by id, by when they are due, and how many each library has.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::count::{Count, Counted, Full};
use super::lost::LostSessions;
use super::release::Watched;
use super::session::LibrarySession;
use super::token::Token;
use super::{SessionError, Wanted};

/// Among so many that are due soonest a library's next one is looked for.
const SOONEST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Ids are in the order of time.
    sessions: BTreeMap<Uuid, Entry>,
    /// When to look at which: calls renew leases without a word to this table.
    due: BTreeSet<(Instant, Uuid)>,
    /// How many each library has.
    counts: HashMap<String, Arc<Count>>,
    /// The pools and generations whose end somebody waits for.
    watched: HashSet<(String, u64)>,
    lost: LostSessions,
}

#[derive(Debug)]
struct Entry {
    session: Arc<LibrarySession>,
    due: Instant,
}

impl Table {
    /// Counts one more for a library.
    ///
    /// # Errors
    /// It has as many as it may, or its owner has.
    pub(super) fn count(
        &mut self,
        library: &str,
        max: usize,
        owner: Option<Arc<str>>,
    ) -> Result<Counted, SessionError> {
        let count = self.counts.entry(library.to_owned()).or_default();
        Counted::new(count, max, owner).map_err(|full| match full {
            Full::All => SessionError::Limit { max, retry_after: self.next_end(library) },
            Full::Share(own) => SessionError::Share { own, max, retry_after: self.next_end(library) },
        })
    }

    /// How long it takes until the next session of a library ends, unless it is renewed. An estimate: it costs little, however
    /// many are refused.
    fn next_end(&self, library: &str) -> Option<Duration> {
        let soonest = self.due.iter().take(SOONEST).filter_map(|(_, id)| self.sessions.get(id));
        let mine = soonest.filter(|entry| entry.session.library().name == library);
        let next = mine.filter_map(|entry| entry.session.lease().until()).min();
        next.map(|next| next.saturating_duration_since(Instant::now()))
    }

    /// Takes a new one in. Gives whether somebody has to be told to watch its process.
    pub(super) fn insert(&mut self, session: &Arc<LibrarySession>) -> Watched {
        let due = Instant::now() + session.lease().length();
        self.due.insert((due, session.id));
        self.sessions.insert(session.id, Entry { session: Arc::clone(session), due });
        let process = (session.agent().pool().to_owned(), session.lane().generation);
        if self.watched.insert(process) { Watched::New } else { Watched::Before }
    }

    /// The one that a token opens for its owner.
    ///
    /// # Errors
    /// There is none, or its process has ended.
    pub(super) fn with(&self, token: &Token, owner: Option<&str>) -> Result<Arc<LibrarySession>, SessionError> {
        let is_meant = |session: &LibrarySession| session.secret.is(&token.secret) && session.owner() == owner;
        match self.sessions.get(&token.id) {
            Some(entry) if is_meant(&entry.session) => Ok(Arc::clone(&entry.session)),
            None if self.lost.has(token, owner) => Err(SessionError::Lost),
            _ => Err(SessionError::Unknown),
        }
    }

    /// The one of a public id, for its owner or whoever may see those of all.
    ///
    /// # Errors
    /// There is none, or its process has ended.
    pub(super) fn get(&self, id: Uuid, owner: Option<&str>, all: bool) -> Result<Arc<LibrarySession>, SessionError> {
        match self.sessions.get(&id) {
            Some(entry) if all || entry.session.owner() == owner => Ok(Arc::clone(&entry.session)),
            None if self.lost.has_id(id, owner, all) => Err(SessionError::Lost),
            _ => Err(SessionError::Unknown),
        }
    }

    /// Some of them in the order of time, and whether there are more.
    pub(super) fn list(&self, wanted: &Wanted) -> (Vec<Arc<LibrarySession>>, bool) {
        let after = wanted.after.map_or(Bound::Unbounded, Bound::Excluded);
        let is_wanted = |session: &&Arc<LibrarySession>| {
            (wanted.all || session.owner() == wanted.owner)
                && wanted.library.is_none_or(|library| session.library().name == library)
        };
        let sessions = self.sessions.range((after, Bound::Unbounded)).map(|(_, entry)| &entry.session);
        let mut found: Vec<_> = sessions.filter(is_wanted).take(wanted.limit + 1).cloned().collect();
        let is_more = found.len() > wanted.limit;
        found.truncate(wanted.limit);
        (found, is_more)
    }

    /// Takes one out: whoever gets it has to end it.
    pub(super) fn remove(&mut self, id: Uuid) -> Option<Arc<LibrarySession>> {
        let Entry { session, due } = self.sessions.remove(&id)?;
        self.due.remove(&(due, id));
        Some(session)
    }

    /// Takes out those whose lease is over, and gives when to look again.
    pub(super) fn take_due(&mut self, now: Instant) -> (Vec<Arc<LibrarySession>>, Option<Instant>) {
        let mut over = Vec::new();
        while let Some((due, id)) = self.due.first().copied() {
            if due > now {
                return (over, Some(due));
            }
            self.due.pop_first();
            let Some(entry) = self.sessions.get_mut(&id) else { continue };
            match entry.session.lease().expire(now) {
                Ok(()) => over.extend(self.sessions.remove(&id).map(|entry| entry.session)),
                Err(later) => {
                    entry.due = later;
                    self.due.insert((later, id));
                }
            }
        }
        (over, None)
    }

    /// Takes out all that are bound to a process, and remembers that it is lost to them.
    pub(super) fn lose(&mut self, pool: &str, generation: u64) -> Vec<Arc<LibrarySession>> {
        let on_it = self.sessions.values().filter(|entry| entry.session.is_on(pool, generation));
        let ids: Vec<Uuid> = on_it.map(|entry| entry.session.id).collect();
        let lost: Vec<_> = ids.into_iter().filter_map(|id| self.remove(id)).collect();
        for session in &lost {
            session.lease().end();
            self.lost.remember(session);
        }
        lost
    }

    /// Nobody watches that process any more.
    pub(super) fn unwatch(&mut self, pool: &str, generation: u64) {
        self.watched.remove(&(pool.to_owned(), generation));
    }
}
