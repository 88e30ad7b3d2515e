//! The table of sessions, with agents that the tests play.

use axum::Router;
use axum::http::Uri;
use axum::routing::delete;
use tokio::sync::{mpsc, watch};

use super::count::Counted;
use super::*;
use crate::agents::{Agent, Exit, Link};
use crate::dispatch::{Lane, Lease, Pin};
use crate::libraries::tests::library;
use crate::played;

const LEASE: Duration = Duration::from_mins(1);

/// A gateway's sessions with one library, and a process for them.
struct World {
    sessions: Arc<LibrarySessions>,
    library: Arc<Library>,
    agent: Arc<Agent>,
    link: Arc<Link>,
    end: watch::Sender<Option<Exit>>,
    /// The sessions that the process was told to release.
    told: mpsc::UnboundedReceiver<String>,
    _data: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let released = async move |uri: Uri| {
            tell.send(uri.to_string()).unwrap();
            axum::Json(SessionEnd { released: 3, ..SessionEnd::default() })
        };
        let (link, end) = played::link(Router::new().route("/sessions/calc/{session}", delete(released))).await;
        let data = tempfile::tempdir().unwrap();
        let agent = played::agent(data.path());
        let (sessions, library) = (Arc::default(), Arc::new(library("")));
        Self { sessions, library, agent, link, end, told, _data: data }
    }

    fn begin(&self, owner: Option<&str>) -> Arc<LibrarySession> {
        let lane = Lane { generation: self.link.generation, number: 1 };
        let hold = Hold::of(&self.agent, &self.link, lane);
        let counted = Counted::new(&Arc::default(), 1, owner.map(Arc::from)).unwrap();
        let secret = Secret::fresh().unwrap();
        let session = Arc::new(LibrarySession::new(secret, &self.library, hold, LEASE, counted));
        if self.sessions.lock().insert(&session) == Watched::New {
            let (sessions, agent, link) = (Arc::clone(&self.sessions), Arc::clone(&self.agent), Arc::clone(&self.link));
            tokio::spawn(release::watch(sessions, agent, link));
        }
        session
    }

    fn carried(&self, session: &LibrarySession, owner: Option<&str>) -> Result<Pin, SessionError> {
        self.sessions.carried(&session.token().text(), owner, "calc").map(|(_, pin)| pin)
    }
}

#[tokio::test]
async fn a_session_is_its_owners_alone_and_for_one_library() {
    let world = World::new().await;
    let session = world.begin(Some("ann"));
    let pin = world.carried(&session, Some("ann")).unwrap();
    assert_eq!((pin.session, pin.lane), (session.id, Lane { generation: 1, number: 1 }));
    for owner in [Some("ben"), None] {
        assert!(matches!(world.carried(&session, owner), Err(SessionError::Unknown)), "{owner:?}");
    }
    let token = session.token().text();
    let other = world.sessions.carried(&token, Some("ann"), "other").unwrap_err();
    assert!(matches!(other, SessionError::OfAnother(library) if library == "calc"));
    let forged = Token { id: session.id, secret: Secret::fresh().unwrap() }.text();
    for forged in [forged.as_str(), &session.id.to_string(), "", "nonsense", &token[1..]] {
        let answer = world.sessions.carried(forged, Some("ann"), "calc");
        assert!(matches!(answer, Err(SessionError::Unknown)), "{forged}");
    }
}

#[tokio::test]
async fn a_public_id_finds_a_session_for_its_owner_and_for_who_may_see_all() {
    let world = World::new().await;
    let session = world.begin(Some("ann"));
    let (public, token) = (session.id.to_string(), session.token().text());
    let find = |id: &str, owner, all| world.sessions.find(id, Some(owner), all).is_ok();
    assert!(find(&public, "ann", false) && find(&token, "ann", false) && find(&public, "ben", true));
    assert!(!find(&public, "ben", false) && !find(&token, "ben", false) && !find("nonsense", "ann", true));
    assert!(!find(&token, "ben", true), "what opens a session is of no use to others, whatever they may");
}

#[tokio::test]
async fn a_session_that_is_ended_is_released_after_its_calls_and_frees_its_place() {
    let mut world = World::new().await;
    let session = world.begin(None);
    let pin = world.carried(&session, None).unwrap();
    assert_eq!(world.agent.usage().held(), 1);
    let (sessions, id) = (Arc::clone(&world.sessions), session.id);
    let ended = tokio::spawn(async move { sessions.end(&session).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(world.told.try_recv().is_err(), "a call of it goes on");
    assert!(matches!(world.sessions.find(&id.to_string(), None, true), Err(SessionError::Unknown)));
    drop(pin);
    assert_eq!(ended.await.unwrap().unwrap().released, 3);
    assert_eq!(world.told.recv().await.unwrap(), format!("/sessions/calc/{id}?lane=1"));
    assert_eq!(world.agent.usage().held(), 0);
}

#[tokio::test]
async fn it_is_ended_once() {
    let world = World::new().await;
    let session = world.begin(None);
    world.sessions.end(&session).await.unwrap();
    assert!(matches!(world.sessions.end(&session).await, Err(SessionError::Unknown)));
    assert!(matches!(world.carried(&session, None), Err(SessionError::Unknown)));
}

#[tokio::test]
async fn sessions_are_lost_with_their_process_and_their_owners_are_told() {
    let world = World::new().await;
    let (mine, another) = (world.begin(Some("ann")), world.begin(Some("ben")));
    world.end.send_replace(Some(Exit::made("killed")));
    while world.sessions.find(&mine.id.to_string(), Some("ann"), false).is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(matches!(world.carried(&mine, Some("ann")), Err(SessionError::Lost)));
    assert!(matches!(world.sessions.end(&mine).await, Err(SessionError::Unknown)));
    assert!(matches!(world.carried(&another, Some("ann")), Err(SessionError::Unknown)), "not hers");
    drop((mine, another));
    assert_eq!(world.agent.usage().held(), 0);
}

#[tokio::test]
async fn sessions_of_a_process_that_is_about_to_end_are_released_first() {
    let mut world = World::new().await;
    let id = world.begin(None).id;
    // The task that waits for the farewell has to have begun.
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.agent.usage().calm_at_last(Instant::now() + Duration::from_millis(50)).await;
    assert_eq!(world.told.recv().await.unwrap(), format!("/sessions/calc/{id}?lane=1"));
    assert_eq!(world.agent.usage().held(), 0);
    assert!(matches!(world.sessions.find(&id.to_string(), None, false), Err(SessionError::Lost)));
}

#[tokio::test]
async fn a_lease_that_is_over_ends_its_session_and_no_other() {
    let mut world = World::new().await;
    let (over, renewed) = (world.begin(None), world.begin(None));
    let id = over.id;
    let in_use = world.carried(&renewed, None).unwrap();
    let (due, next) = world.sessions.lock().take_due(Instant::now());
    assert!(due.is_empty() && next.is_some());
    let later = Instant::now() + LEASE;
    let (due, next) = world.sessions.lock().take_due(later);
    assert_eq!(due.iter().map(|session| session.id).collect::<Vec<_>>(), [id]);
    assert_eq!(next, Some(later + LEASE), "whoever is in use is looked at a lease later");
    assert!(matches!(world.carried(&over, None), Err(SessionError::Unknown)));
    drop((in_use, due));
    world.sessions.end(&renewed).await.unwrap();
    assert!(world.told.recv().await.unwrap().contains(&renewed.id.to_string()));
    assert_eq!(world.sessions.lock().take_due(later + LEASE).1, None, "nothing is left of what has ended");
}

#[tokio::test]
async fn lists_come_in_pages_of_what_one_may_see() {
    let world = World::new().await;
    let mut ids: Vec<Uuid> = (0..5).map(|_| world.begin(Some("ann")).id).collect();
    world.begin(Some("ben"));
    ids.sort();
    let page = |owner, all, after, limit| {
        let wanted = Wanted { owner: Some(owner), all, library: Some("calc"), after, limit };
        let (found, is_more) = world.sessions.list(&wanted);
        (found.iter().map(|session| session.id).collect::<Vec<_>>(), is_more)
    };
    assert_eq!(page("ann", false, None, 3), (ids[..3].to_vec(), true));
    assert_eq!(page("ann", false, Some(ids[2]), 3), (ids[3..].to_vec(), false));
    assert_eq!(page("ann", false, None, 5), (ids.clone(), false));
    assert_eq!(page("ben", true, None, 10).0.len(), 6);
    let none = Wanted { owner: Some("ann"), all: true, library: Some("other"), after: None, limit: 9 };
    assert!(world.sessions.list(&none).0.is_empty());
}

#[test]
fn a_session_is_small() {
    let bytes = size_of::<LibrarySession>() + size_of::<Lease>();
    assert!(bytes <= 384, "{bytes}");
}
