//! One session with a library: whose it is, where its calls run, how long it lasts.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use super::count::Counted;
use super::token::{Secret, Token};
use crate::agents::{Agent, Link, Role};
use crate::dispatch::{Lane, Lease};
use crate::libraries::Library;

/// A session of a program with a library.
#[derive(Debug)]
pub struct LibrarySession {
    /// Its public id, by which its process and the log know it, too. It opens nothing.
    pub id: Uuid,
    pub(super) secret: Secret,
    /// As it was when the session began: it may have been replaced by another one meanwhile.
    library: Arc<Library>,
    hold: Hold,
    lease: Arc<Lease>,
    created_at: Timestamp,
    /// Whose it is, too.
    counted: Counted,
}

impl LibrarySession {
    pub(super) fn new(secret: Secret, library: &Arc<Library>, hold: Hold, lease: Duration, counted: Counted) -> Self {
        let (library, lease) = (Arc::clone(library), Lease::new(lease));
        let created_at = Timestamp::now();
        Self { id: Uuid::now_v7(), secret, library, hold, lease, created_at, counted }
    }

    /// Whose it is; `None` where nobody has to say who they are.
    pub fn owner(&self) -> Option<&str> {
        self.counted.owner().map(|owner| &**owner)
    }

    pub(super) fn shared_owner(&self) -> Option<Arc<str>> {
        self.counted.owner().cloned()
    }

    /// What its client sends.
    pub fn token(&self) -> Token {
        Token { id: self.id, secret: self.secret }
    }

    /// The library as it was when the session began.
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// The agent whose process it is bound to.
    pub fn agent(&self) -> &Arc<Agent> {
        &self.hold.agent
    }

    /// The thread that it is bound to.
    pub fn lane(&self) -> Lane {
        self.hold.lane
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.hold.link
    }

    /// Its lease.
    pub fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// When it began.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When it ends, if no call renews it; `None` while one runs.
    pub fn expires_at(&self) -> Option<Timestamp> {
        let left = self.lease.until()?.saturating_duration_since(Instant::now());
        Timestamp::now().checked_add(SignedDuration::try_from(left).ok()?).ok()
    }

    /// Whether it is bound to that generation of the agents of that pool.
    pub(super) fn is_on(&self, pool: &str, generation: u64) -> bool {
        self.lane().generation == generation && self.agent().pool() == pool
    }
}

/// A place at an agent: its process does not end between two calls as long as somebody has it and patience lasts.
#[derive(Debug)]
pub(super) struct Hold {
    agent: Arc<Agent>,
    link: Arc<Link>,
    lane: Lane,
}

impl Hold {
    /// Takes that place, if it is still to be had.
    pub(super) fn take(agent: Arc<Agent>, lane: Lane) -> Option<Self> {
        let link = agent.link().filter(|link| link.generation == lane.generation)?;
        agent.usage().hold();
        let hold = Self { agent, link, lane };
        // Read after it is held: whoever makes it leave waits for what was held before.
        let is_active = *hold.agent.role().borrow() == Role::Active;
        is_active.then_some(hold)
    }
}

#[cfg(test)]
impl Hold {
    /// A place at an agent that a test plays.
    pub(super) fn of(agent: &Arc<Agent>, link: &Arc<Link>, lane: Lane) -> Self {
        agent.usage().hold();
        Self { agent: Arc::clone(agent), link: Arc::clone(link), lane }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.agent.usage().release();
    }
}
