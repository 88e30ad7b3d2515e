//! `/v1/sessions`: sessions with a library, whose calls run on one thread of one process.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bridge32_protocol::wire::SessionEnd;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use uuid::Uuid;

use super::{Path, Query, expect_json, read_json};
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::config::SessionLimits;
use crate::error::{Code, Problem};
use crate::libraries::Library;
use crate::library_sessions::{LibrarySession, SHORTEST_LEASE, SessionError, Wanted};

/// How many sessions a page has, where the client does not say.
const DEFAULT_LIMIT: usize = 100;
/// How many it may have.
const MAX_LIMIT: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Request {
    library: String,
    lease_s: Option<f64>,
}

/// Which sessions are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    library: Option<String>,
    limit: Option<usize>,
    cursor: Option<Uuid>,
}

#[derive(Serialize)]
struct List {
    sessions: Vec<View>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Uuid>,
}

/// A session as it is shown.
#[derive(Serialize)]
struct View {
    /// What opens it: for its owner alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    public_id: Uuid,
    owner: String,
    library: String,
    agent: String,
    generation: u64,
    lane: u32,
    lease_s: Number,
    created_at: Timestamp,
    /// `null` while a call of it runs.
    expires_at: Option<Timestamp>,
}

/// Begins one with the library of the body.
///
/// # Errors
/// The body is not good, the library cannot be called or is not for the caller, or there are too many.
pub async fn create(
    State(bridge): State<Arc<Bridge>>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    expect_json(&headers, &body)?;
    let Request { library, lease_s } = read_json(&body)?;
    caller.may(Need::Library, &library, "").map_err(|problem| problem.at("/library"))?;
    let library = bridge.library(&library).map_err(|problem| problem.at("/library"))?;
    let lease = lease(lease_s, &library)?;
    let owner = caller.owner().map(Arc::from);
    let (session, token) = bridge.library_sessions.begin(&library, owner, lease).await?;
    let mut response = (StatusCode::CREATED, Json(view(&session, &caller))).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/sessions/{}", token.text())) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// The caller's sessions, the oldest first; with `manage` those of all.
///
/// # Errors
/// The page is not one.
pub async fn list(
    State(bridge): State<Arc<Bridge>>,
    Query(page): Query<Page>,
    caller: Caller,
) -> Result<Response, Problem> {
    let limit = page.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("`limit` is {limit}; a page has 1 to {MAX_LIMIT} sessions.");
        return Err(Problem::new(Code::MalformedRequest, detail));
    }
    let (found, is_more) = bridge.library_sessions.list(&Wanted {
        owner: caller.owner(),
        all: manages(&caller),
        library: page.library.as_deref(),
        after: page.cursor,
        limit,
    });
    let next_cursor = found.last().filter(|_| is_more).map(|session| session.id);
    let sessions = found.iter().map(|session| view(session, &caller)).collect();
    Ok(Json(List { sessions, next_cursor }).into_response())
}

/// One session.
///
/// # Errors
/// There is none of that id, it is somebody else's, or its process has ended.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    Ok(Json(view(&*find(&bridge, &id, &caller)?, &caller)).into_response())
}

/// Ends one, after its calls that wait or run, and says what became of what it owned.
///
/// # Errors
/// There is none of that id, it is somebody else's, or its process has ended.
pub async fn end(
    State(bridge): State<Arc<Bridge>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Json<SessionEnd>, Problem> {
    let session = find(&bridge, &id, &caller)?;
    Ok(Json(bridge.library_sessions.end(&session).await?))
}

fn find(bridge: &Bridge, id: &str, caller: &Caller) -> Result<Arc<LibrarySession>, SessionError> {
    bridge.library_sessions.find(id, caller.owner(), manages(caller))
}

fn manages(caller: &Caller) -> bool {
    caller.may(Need::Manage, "", "").is_ok()
}

fn view(session: &LibrarySession, caller: &Caller) -> View {
    let is_own = session.owner() == caller.owner();
    View {
        id: is_own.then(|| session.token().text()),
        public_id: session.id,
        owner: session.owner().unwrap_or_default().to_owned(),
        library: session.library().name.clone(),
        agent: session.agent().id().to_owned(),
        generation: session.lane().generation,
        lane: session.lane().number,
        lease_s: seconds(session.lease().length()),
        created_at: session.created_at(),
        expires_at: session.expires_at(),
    }
}

/// How long it is to last after a call: what the client says, or what the library's table does.
fn lease(wanted: Option<f64>, library: &Library) -> Result<Duration, Problem> {
    let SessionLimits { lease, max_lease, .. } = library.config.running.sessions;
    let Some(wanted) = wanted else { return Ok(lease) };
    let allowed = SHORTEST_LEASE..=max_lease.max(SHORTEST_LEASE);
    Duration::try_from_secs_f64(wanted).ok().filter(|wanted| allowed.contains(wanted)).ok_or_else(|| {
        let detail = format!(
            "`lease_s` is {wanted}; a session of `{}` lasts {} to {} seconds after its last call (`sessions.max_lease` in its table \
             of the configuration).",
            library.name,
            seconds(*allowed.start()),
            seconds(*allowed.end())
        );
        Problem::new(Code::MalformedRequest, detail).at("/lease_s")
    })
}

/// Seconds, without a fraction where there is none.
fn seconds(time: Duration) -> Number {
    let whole = Number::from(time.as_secs());
    if time.subsec_nanos() == 0 { whole } else { Number::from_f64(time.as_secs_f64()).unwrap_or(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libraries::tests::library;

    #[test]
    fn a_client_says_how_long_its_session_lasts_within_what_the_library_allows() {
        let mut library = library("");
        library.config.running.sessions =
            SessionLimits { max: 1, lease: Duration::from_secs(30), max_lease: Duration::from_mins(1) };
        assert_eq!(lease(None, &library).unwrap(), Duration::from_secs(30));
        assert_eq!(lease(Some(1.5), &library).unwrap(), Duration::from_millis(1500));
        assert_eq!(lease(Some(60.0), &library).unwrap(), Duration::from_mins(1));
        for wrong in [0.0, -1.0, 0.999, 60.001, 1e300] {
            let problem = lease(Some(wrong), &library).unwrap_err();
            assert_eq!((problem.code(), problem.pointer()), (Code::MalformedRequest, Some("/lease_s")), "{wrong}");
            assert!(problem.detail().contains("1 to 60 seconds"), "{}", problem.detail());
        }
    }

    #[test]
    fn seconds_have_a_fraction_where_there_is_one() {
        assert_eq!(seconds(Duration::from_mins(5)).to_string(), "300");
        assert_eq!(seconds(Duration::from_millis(1500)).to_string(), "1.5");
    }
}
