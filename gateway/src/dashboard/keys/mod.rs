//! `/keys`: who may call, and what; keys are added here, and turned or taken away on a page of their own.

mod add;
mod form;
mod one;

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::filters::{self, text};
use super::state::{Mark, State};
use super::{Frame, Visit};
use crate::api::Query;
use crate::auth::keys::{EditError, Keys, View};
use crate::auth::{Auth, Caller, Giver, Scopes};
use crate::bridge::Bridge;
use crate::error::{Code, Problem};
use form::{Faults, Form};

pub use add::submit as add;
pub use one::{revoke, rotate, show as show_one};

/// A key that ends within this time is about to.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The words that a key may have, and what they allow.
const WORDS: [(&str, &str); 4] = [
    ("read", text!("see libraries, interfaces, agents and crash reports")),
    ("history", text!("see the calls of others, with their arguments and outcomes")),
    ("adhoc", text!("call with a prototype of one's own what it may call as a whole library")),
    ("manage", text!("restart agents, reload, replace interfaces, look after keys")),
];

/// What an address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// A key that was taken away just now.
    revoked: Option<String>,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct Page {
    frame: Frame,
    config: String,
    /// Nobody needs a key.
    is_off: bool,
    rows: Vec<Row>,
    revoked: Option<String>,
    form: Form,
    faults: Faults,
    /// Why the key was not added, where that is no matter of one field.
    failure: Option<String>,
    /// What can be ticked.
    choices: Choices,
    /// Without `history`, whose the key has to be.
    owner: Option<String>,
}

/// A key in the list.
struct Row {
    view: View,
    state: State,
}

/// What can be ticked in the form, and which of it whoever looks can give.
#[derive(Default)]
struct Choices {
    words: Vec<Choice>,
    libraries: Vec<Choice>,
}

struct Choice {
    scope: String,
    /// What it is called beside its box.
    name: String,
    /// What it allows.
    allows: &'static str,
    is_ticked: bool,
    /// Whoever looks has it.
    can_be_given: bool,
}

impl Row {
    fn new(view: View) -> Self {
        Self { state: state(&view), view }
    }

    fn limits(&self) -> String {
        let rate = self.view.rate.map(|rate| rate.to_string());
        let concurrency = self.view.concurrency.map(|number| format!("{number} ×"));
        [rate, concurrency].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

fn state(view: &View) -> State {
    let soon = Timestamp::now().checked_add(SOON).unwrap_or(Timestamp::MAX);
    match view.expires {
        _ if view.expired => State::new(Mark::Off, text!("expired")),
        Some(end) if end <= soon => State::new(Mark::Warning, text!("ends soon")),
        _ => State::new(Mark::Good, text!("good")),
    }
}

impl Page {
    /// The first field that is wrong, which gets the focus.
    fn first_fault(&self) -> &'static str {
        let Faults { id, owner, scopes, expires, rate, concurrency } = &self.faults;
        let fields = [("id", id), ("owner", owner), ("scopes", scopes), ("expires", expires), ("rate", rate)];
        let all = fields.into_iter().chain([("concurrency", concurrency)]);
        all.into_iter().find_map(|(name, fault)| fault.is_some().then_some(name)).unwrap_or_default()
    }

    fn fault_count(&self) -> u64 {
        let Faults { id, owner, scopes, expires, rate, concurrency } = &self.faults;
        [id, owner, scopes, expires, rate, concurrency].into_iter().flatten().count() as u64
    }

    fn was_refused(&self) -> bool {
        self.failure.is_some() || self.fault_count() > 0
    }
}

/// What is shown of the form again.
#[derive(Default)]
struct Typed {
    form: Form,
    faults: Faults,
    failure: Option<String>,
}

/// All keys, and the form for another one.
///
/// # Errors
/// The page cannot be made.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Query(asked): Query<Asked>,
    visit: Visit,
    caller: Caller,
) -> Result<Response, Problem> {
    let page = page(&bridge, &visit, &caller, asked.revoked, Typed::default());
    visit.page(StatusCode::OK, &page)
}

fn page(bridge: &Bridge, visit: &Visit, caller: &Caller, revoked: Option<String>, typed: Typed) -> Page {
    let Typed { form, faults, failure } = typed;
    let (keys, giver) = (keys_of(bridge), Giver::of(caller, &bridge.auth));
    let rows: Vec<Row> = keys.map(|keys| keys.views()).unwrap_or_default().into_iter().map(Row::new).collect();
    let libraries = bridge.libraries.all();
    let names: Vec<&str> = libraries.iter().map(|library| library.name.as_str()).collect();
    Page {
        frame: visit.frame(visit.say(text!("Keys")), "/keys").live("sample"),
        config: bridge.config().file.display().to_string(),
        is_off: keys.is_none(),
        // Nobody is told of something that is not so, whatever the address says.
        revoked: revoked.filter(|id| !id.is_empty() && rows.iter().all(|row| row.view.id != *id)),
        rows,
        choices: giver.as_ref().map(|giver| choices(giver, &names, &form)).unwrap_or_default(),
        owner: giver.filter(|giver| !giver.may_give_to("")).map(|giver| giver.owner),
        form,
        faults,
        failure,
    }
}

fn choices(giver: &Giver, libraries: &[&str], form: &Form) -> Choices {
    let choice = |scope: String, name: &str, allows| {
        let scopes = Scopes::parse(vec![scope.clone()]).unwrap_or_default();
        let (is_ticked, can_be_given) = (form.ticked.contains(&scope), giver.lacks(&scopes, libraries).is_none());
        Choice { scope, name: name.to_owned(), allows, is_ticked, can_be_given }
    };
    let words = WORDS.into_iter().map(|(word, allows)| choice(word.to_owned(), word, allows));
    let libraries_of = libraries.iter().map(|name| choice(format!("call:{name}"), name, ""));
    let all = choice("call:*".to_owned(), "*", text!("every library, those to come included"));
    Choices { words: words.collect(), libraries: std::iter::once(all).chain(libraries_of).collect() }
}

fn keys_of(bridge: &Bridge) -> Option<&Arc<Keys>> {
    match &bridge.auth {
        Auth::Off => None,
        Auth::Hmac(keys) => Some(keys),
    }
}

/// The keys, and whoever wants to change them.
///
/// # Errors
/// Nobody needs a key.
fn changing<'a>(bridge: &'a Bridge, caller: &Caller) -> Result<(&'a Arc<Keys>, Giver), Problem> {
    keys_of(bridge).zip(Giver::of(caller, &bridge.auth)).ok_or_else(|| {
        let detail = "auth.mode is \"off\": nobody needs a key, and nothing was changed. Set it to \"hmac\", and start the gateway again.";
        Problem::new(Code::SignInNotNeeded, detail)
    })
}

/// Changes the key file where blocking does not matter.
async fn change<T: Send + 'static>(
    keys: &Arc<Keys>,
    change: impl FnOnce(&Keys) -> T + Send + 'static,
) -> Result<T, Problem> {
    let keys = Arc::clone(keys);
    tokio::task::spawn_blocking(move || change(&keys)).await.map_err(Problem::internal)
}

/// What somebody is told of a change that was not made: what can be changed by them, and otherwise where to look.
fn told(error: &EditError, visit: &Visit) -> (StatusCode, String) {
    if let EditError::Key(text) = error {
        return (StatusCode::CONFLICT, text.clone());
    }
    tracing::error!(%error, "the key file cannot be changed");
    let text = visit.say(text!("The key file cannot be changed: {why}. Nothing has changed."));
    (StatusCode::INTERNAL_SERVER_ERROR, text.replace("{why}", &error.to_string()))
}

#[cfg(test)]
mod tests;
