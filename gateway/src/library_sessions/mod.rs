//! Sessions of programs with a library: their calls run on one thread of one process, and what they own there is released
//! when they end.
//!
//! People at a browser have other sessions: [`crate::auth::sessions`].

mod count;
mod lost;
mod release;
mod session;
mod table;
mod token;
mod turns;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bridge32_protocol::wire::SessionEnd;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use crate::dispatch::{Failure, InUse, LibraryState, Pin};
use crate::libraries::Library;

use release::Watched;
use session::Hold;
use table::Table;
use token::Secret;
use turns::Releases;

pub use session::LibrarySession;
pub use token::Token;

/// The shortest lease, and the unit of those that clients ask for.
pub const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// Why there is no session, or none for this request.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SessionError {
    /// There is none of that id, or it is somebody else's.
    #[error("there is no such session")]
    Unknown,
    /// Its process has ended.
    #[error("its process has ended")]
    Lost,
    /// It is of another library than the request.
    #[error("it is a session of `{0}`")]
    OfAnother(String),
    /// As many as may be have begun already.
    #[error("{max} sessions have begun")]
    Limit {
        /// How many may be.
        max: usize,
        /// When the next one ends, if nobody renews it.
        retry_after: Option<Duration>,
    },
    /// Its owner has as many as one may have: what is free is for others.
    #[error("its owner has {own} of {max} sessions")]
    Share {
        /// How many that are.
        own: usize,
        /// How many all may have together.
        max: usize,
        /// When the next one ends, if nobody renews it.
        retry_after: Option<Duration>,
    },
    /// There is no process for it.
    #[error("there is no process for it")]
    NoProcess(Failure),
    /// The system has no random numbers.
    #[error("the system has no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// All sessions with libraries of one gateway.
#[derive(Debug, Default)]
pub struct LibrarySessions {
    table: Mutex<Table>,
    /// One may be due before the others.
    sooner: Notify,
    /// Whoever looks for a place holds it until the place is taken.
    placing: Mutex<()>,
    releases: Releases,
}

impl LibrarySessions {
    /// Begins one for whoever `owner` is, on the thread that has the fewest. Waits for a process as long as a call would.
    ///
    /// # Errors
    /// There are too many, or there is no process.
    pub async fn begin(
        self: &Arc<Self>,
        library: &Arc<Library>,
        owner: Option<Arc<str>>,
        lease: Duration,
    ) -> Result<(Arc<LibrarySession>, Token), SessionError> {
        let limit = library.config.running.sessions.max;
        let counted = self.lock().count(&library.name, limit, owner)?;
        let secret = Secret::fresh()?;
        let hold = self.place(library).await.map_err(SessionError::NoProcess)?;
        let session = Arc::new(LibrarySession::new(secret, library, hold, lease, counted));
        let watched = self.lock().insert(&session);
        self.sooner.notify_one();
        if watched == Watched::New {
            tokio::spawn(release::watch(Arc::clone(self), Arc::clone(session.agent()), Arc::clone(session.link())));
        }
        tracing::debug!(session = %session.id, library = library.name, agent = session.agent().id(), "session begun");
        let token = session.token();
        Ok((session, token))
    }

    /// What a call needs that carries this token: the library as it was when the session began, and the call's pin.
    ///
    /// # Errors
    /// The session is over, is somebody else's, or is one with another library.
    pub fn carried(
        &self,
        token: &str,
        owner: Option<&str>,
        library: &str,
    ) -> Result<(Arc<Library>, Pin), SessionError> {
        let token = Token::parse(token).ok_or(SessionError::Unknown)?;
        // Whoever ends a session takes it out of the table first: what is in it takes calls.
        let table = self.lock();
        let session = table.with(&token, owner)?;
        if session.library().name != library {
            return Err(SessionError::OfAnother(session.library().name.clone()));
        }
        let in_use: InUse = session.lease().begin().ok_or(SessionError::Unknown)?;
        let pin = Pin { session: session.id, lane: session.lane(), in_use: Arc::new(in_use) };
        Ok((Arc::clone(session.library()), pin))
    }

    /// The session of a token, or of a public id; one of somebody else only for whoever may see `all`.
    ///
    /// # Errors
    /// There is none, or its process has ended.
    pub fn find(&self, id: &str, owner: Option<&str>, all: bool) -> Result<Arc<LibrarySession>, SessionError> {
        if let Some(token) = Token::parse(id) {
            return self.lock().with(&token, owner);
        }
        let id: Uuid = id.parse().map_err(|_| SessionError::Unknown)?;
        self.lock().get(id, owner, all)
    }

    /// A page of the sessions after that one, in the order in which they began, and whether there are more.
    pub fn list(&self, wanted: &Wanted) -> (Vec<Arc<LibrarySession>>, bool) {
        self.lock().list(wanted)
    }

    /// Ends a session: gives what became of what it owned, once that is known. Whoever drops this does not stop it.
    ///
    /// # Errors
    /// Somebody has ended it before, or its process has ended.
    pub async fn end(self: &Arc<Self>, session: &LibrarySession) -> Result<SessionEnd, SessionError> {
        let session = self.lock().remove(session.id).ok_or(SessionError::Unknown)?;
        session.lease().end();
        let (sessions, why) = (Arc::clone(self), "it was ended by a client");
        let released = tokio::spawn(async move { release::release(&sessions, &session, why).await }).await;
        released.ok().flatten().ok_or(SessionError::Lost)
    }

    /// Ends sessions whose lease is over, for as long as the gateway runs.
    pub async fn keep(self: Arc<Self>) {
        loop {
            let (over, next) = self.lock().take_due(Instant::now());
            for session in over {
                let sessions = Arc::clone(&self);
                tokio::spawn(async move { release::release(&sessions, &session, "its lease was over").await });
            }
            tokio::select! {
                () = self.sooner.notified() => {}
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }

    /// A thread for a session. Waits for a process as long as a call may.
    async fn place(&self, library: &Library) -> Result<Hold, Failure> {
        let end = Instant::now() + library.config.deadline;
        let mut changes = library.pool().map(|pool| pool.changes());
        loop {
            if let Some(changes) = &mut changes {
                changes.borrow_and_update();
            }
            let reason = match library.state() {
                LibraryState::Failed(fault) => return Err(Failure::NotLoaded(fault)),
                LibraryState::Gone(reason) => return Err(Failure::NoAgent { reason, retry: false }),
                LibraryState::Ready(_) => match self.take_place(library) {
                    Some(hold) => return Ok(hold),
                    None => "its process is about to be replaced".to_owned(),
                },
                LibraryState::Waiting(reason) | LibraryState::Idle(reason) => reason,
            };
            let Some(changes) = &mut changes else { return Err(Failure::NoAgent { reason, retry: true }) };
            if let Some(pool) = library.pool() {
                pool.want();
            }
            match tokio::time::timeout_at(end, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Failure::NoAgent { reason, retry: true }),
            }
        }
    }

    fn take_place(&self, library: &Library) -> Option<Hold> {
        // The next one counts this one.
        let _one_at_a_time = self.placing.lock().unwrap_or_else(PoisonError::into_inner);
        let (agent, lane) = library.pool()?.roomiest(&library.name)?;
        Hold::take(agent, lane)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing between two changes of the table panics.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which sessions are wanted.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Those of whom; ignored with `all`.
    pub owner: Option<&'a str>,
    /// Those of all.
    pub all: bool,
    /// Those with this library alone.
    pub library: Option<&'a str>,
    /// Those that began after this one.
    pub after: Option<Uuid>,
    /// So many.
    pub limit: usize,
}

#[cfg(test)]
mod tests;
