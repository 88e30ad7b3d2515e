//! `/keys/{id}`: one key, which can be turned or taken away there.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;

use super::add::made;
use super::{Row, change, changing, keys_of, told};
use crate::api::Path;
use crate::auth::keys::{Keys, View, parse_end};
use crate::auth::sessions::field;
use crate::auth::{Arrival, Caller, Giver, Need};
use crate::bridge::Bridge;
use crate::dashboard::filters::{self, text};
use crate::dashboard::{Frame, Visit, lead_to};
use crate::error::{Code, Problem};

#[derive(Template)]
#[template(path = "key.html")]
struct Page {
    frame: Frame,
    row: Row,
    /// Whoever looks has come with it.
    is_own: bool,
    /// There is no other one.
    is_only: bool,
    /// No other one that is good has `manage`.
    is_last_manager: bool,
    /// Why whoever looks cannot turn it.
    not_for_them: Option<String>,
    /// How long the old one stays, as it was typed.
    keep: String,
    /// What is wrong with that.
    fault: Option<String>,
    /// Why it was not changed.
    failure: Option<String>,
}

/// What was typed, and what became of it.
struct Typed {
    keep: String,
    fault: Option<String>,
    failure: Option<String>,
}

impl Default for Typed {
    fn default() -> Self {
        Self { keep: "7d".to_owned(), fault: None, failure: None }
    }
}

/// One key.
///
/// # Errors
/// There is none of that id.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(id): Path<String>,
    visit: Visit,
    caller: Caller,
) -> Result<Response, Problem> {
    let page = page(&bridge, &visit, &caller, &id, Typed::default())?;
    visit.page(StatusCode::OK, &page)
}

fn page(bridge: &Bridge, visit: &Visit, caller: &Caller, id: &str, typed: Typed) -> Result<Page, Problem> {
    let views = keys_of(bridge).map(|keys| keys.views()).unwrap_or_default();
    let view = views.iter().find(|view| view.id == id).cloned().ok_or_else(|| unknown(id))?;
    let giver = Giver::of(caller, &bridge.auth);
    let manages = |view: &View| !view.expired && view.scopes.allow(Need::Manage, "", "").is_ok();
    let Typed { keep, fault, failure } = typed;
    Ok(Page {
        frame: visit.frame(view.id.clone(), "/keys"),
        is_own: giver.as_ref().is_some_and(|giver| giver.key.as_deref() == Some(id)),
        is_only: views.len() == 1,
        is_last_manager: manages(&view) && !views.iter().any(|other| other.id != id && manages(other)),
        not_for_them: giver.and_then(|giver| not_for(&giver, bridge, &view, visit)),
        row: Row::new(view),
        keep,
        fault,
        failure,
    })
}

fn unknown(id: &str) -> Problem {
    Problem::new(
        Code::NotFound,
        format!("There is no key `{id}`. It may have been revoked; /keys lists those that there are."),
    )
}

/// Why somebody may not make a key like that one: its secret would be theirs.
fn not_for(giver: &Giver, bridge: &Bridge, view: &View, visit: &Visit) -> Option<String> {
    let libraries = bridge.libraries.all();
    let names: Vec<&str> = libraries.iter().map(|library| library.name.as_str()).collect();
    if let Some(scope) = giver.lacks(&view.scopes, &names) {
        let text = visit.say(text!("The new key would have {scope}, which you do not have yourself."));
        return Some(text.replace("{scope}", scope));
    }
    if !giver.may_give_to(&view.owner) {
        let text =
            visit.say(text!("The new key would see the calls of {owner}, for which you lack the scope history."));
        return Some(text.replace("{owner}", &view.owner));
    }
    let too_long = !giver.may_give_until(None);
    too_long.then(|| {
        visit.say(text!("The new key would have no end, and the one that you have come with has one.")).to_owned()
    })
}

/// Makes another key like it, and lets it end.
///
/// # Errors
/// Nobody needs keys, or there is none of that id. What else is wrong is told on the page.
pub async fn rotate(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(id): Path<String>,
    visit: Visit,
    caller: Caller,
    headers: HeaderMap,
    Extension(arrival): Extension<Arrival>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (keys, giver) = changing(&bridge, &caller)?;
    // What the file says now is what the new one gets.
    change(keys, Keys::refresh).await?;
    let keep = field(&body, "keep").unwrap_or_default().trim().to_owned();
    let view = keys.views().into_iter().find(|view| view.id == id).ok_or_else(|| unknown(&id))?;
    if not_for(&giver, &bridge, &view, &visit).is_some() {
        let page = page(&bridge, &visit, &caller, &id, Typed { keep, ..Typed::default() })?;
        return visit.page(StatusCode::FORBIDDEN, &page);
    }
    let Some(until) = parse_end(&keep).filter(|until| *until >= Timestamp::now()) else {
        let text = text!("“{text}” is no time to come, such as 7d, 12h or 2027-01-31.");
        let fault = Some(visit.say(text).replace("{text}", &keep));
        let page = page(&bridge, &visit, &caller, &id, Typed { keep, fault, failure: None })?;
        return visit.page(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let (old, by) = (id.clone(), giver.name);
    match change(keys, move |keys| keys.rotate(&old, until, &by)).await? {
        Ok((shown, until)) => {
            let reads = view.scopes.allow(Need::Read, "", "").is_ok();
            made(&visit, &headers, &arrival, shown, reads, Some((id, until)))
        }
        Err(error) => {
            let (status, failure) = told(&error, &visit);
            let typed = Typed { keep, fault: None, failure: Some(failure) };
            visit.page(status, &page(&bridge, &visit, &caller, &id, typed)?)
        }
    }
}

/// Takes it away, and shows those that are left.
///
/// # Errors
/// Nobody needs keys, or there is none of that id. That it is the only one is told on the page.
pub async fn revoke(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(id): Path<String>,
    visit: Visit,
    caller: Caller,
) -> Result<Response, Problem> {
    let (keys, giver) = changing(&bridge, &caller)?;
    change(keys, Keys::refresh).await?;
    if keys.views().iter().all(|view| view.id != id) {
        return Err(unknown(&id));
    }
    let (old, by) = (id.clone(), giver.name);
    match change(keys, move |keys| keys.revoke(&old, &by)).await? {
        Ok(()) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("revoked", &id).finish();
            lead_to(&format!("/keys?{query}"))
        }
        Err(error) => {
            let (status, failure) = told(&error, &visit);
            let typed = Typed { failure: Some(failure), ..Typed::default() };
            visit.page(status, &page(&bridge, &visit, &caller, &id, typed)?)
        }
    }
}
