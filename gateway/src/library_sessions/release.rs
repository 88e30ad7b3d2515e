//! The end of sessions: what they own is released in their process, or goes with it.

use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::SessionEnd;
use tokio::time::Instant;

use super::LibrarySessions;
use super::session::LibrarySession;
use crate::agents::{Agent, Link};

/// How often a thread is looked at that releases something.
const LOOK: Duration = Duration::from_millis(100);

/// How long it may take until it is known that a process has ended.
const LAG: Duration = Duration::from_secs(2);

/// Whether somebody waits for the end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// Nobody did: somebody has to.
    New,
    /// Somebody did before.
    Before,
}

/// Waits for the end of a process that sessions are bound to: then they are lost. One that is about to end has them ended
/// before. There is one such task for each process that has sessions.
pub(super) async fn watch(sessions: Arc<LibrarySessions>, agent: Arc<Agent>, link: Arc<Link>) {
    let (pool, generation) = (agent.pool(), link.generation);
    let mut ended = link.ended.clone();
    let is_about_to_end = tokio::select! {
        // A process whose end nobody tells any more is gone, too.
        _ = ended.wait_for(Option::is_some) => false,
        () = agent.usage().farewell() => true,
    };
    if is_about_to_end {
        let lost = sessions.lock().lose(pool, generation);
        for session in lost {
            let sessions = Arc::clone(&sessions);
            tokio::spawn(async move { release(&sessions, &session, "its process was about to end").await });
        }
        let _ = ended.wait_for(Option::is_some).await;
    }
    let lost = {
        let mut table = sessions.lock();
        table.unwatch(pool, generation);
        table.lose(pool, generation)
    };
    if !lost.is_empty() {
        tracing::info!(agent = agent.id(), generation, sessions = lost.len(), "sessions are lost with their process");
    }
}

/// Has what a session owns released, after its calls that wait or run. `None` if its process has ended or does so now.
pub(super) async fn release(sessions: &LibrarySessions, session: &LibrarySession, why: &str) -> Option<SessionEnd> {
    let mut ended = session.link().ended.clone();
    let end = tokio::select! {
        biased;
        end = ask(sessions, session) => end,
        _ = ended.wait_for(Option::is_some) => None,
    };
    let (library, agent) = (&session.library().name, session.agent().id());
    match &end {
        Some(end) if end.failed.is_empty() => {
            let SessionEnd { released, left, .. } = end;
            tracing::debug!(session = %session.id, library, agent, why, released, left, "session ended");
        }
        Some(end) => {
            let reasons: Vec<String> =
                end.failed.iter().map(|failed| format!("{}: {}", failed.kind, failed.why)).collect();
            let (released, left) = (end.released, end.left);
            tracing::warn!(session = %session.id, library, agent, why, released, left, ?reasons,
                "session ended, and some of what it owned could not be released");
        }
        None => tracing::debug!(session = %session.id, library, agent, why, "session ended with its process"),
    }
    end
}

async fn ask(sessions: &LibrarySessions, session: &LibrarySession) -> Option<SessionEnd> {
    session.lease().unused().await;
    let (library, lane, link) = (session.library(), session.lane(), session.link());
    let place = sessions.releases.join(session.agent().pool(), lane);
    let _turn = place.turn().await;
    let asked = link.client.end_session(&library.name, session.id, lane.number);
    let why = tokio::select! {
        answer = asked => match answer {
            Ok(Ok(end)) => return Some(end),
            Ok(Err(fault)) => {
                tracing::warn!(session = %session.id, library = library.name, detail = fault.detail, "session not released");
                return Some(SessionEnd::default());
            }
            Err(error) => {
                // Most often it has ended, perhaps in what releases something: that is told by itself, as what it is.
                tokio::time::sleep(LAG).await;
                error.to_string()
            }
        },
        () = stuck(session) => format!("it takes more than {} ms", library.config.deadline.as_millis()),
    };
    // Its thread may be stuck in a function of the library, and would take the next call with it.
    session.agent().kill(lane.generation, format!("what session {} owned could not be released: {why}", session.id));
    std::future::pending().await
}

/// Resolves when the session's thread has been at something that is no call for as long as a call may take. A call that is
/// sent to it meanwhile has a deadline of its own.
async fn stuck(session: &LibrarySession) {
    let (library, lane) = (session.library(), session.lane());
    let mut since = Instant::now();
    while since.elapsed() < library.config.deadline {
        tokio::time::sleep(LOOK).await;
        if library.queue.is_running_on(lane) {
            since = Instant::now();
        }
    }
}
