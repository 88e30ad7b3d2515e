//! `POST /keys`: a new key, whose secret is shown this once.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State as Shared;
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;

use super::form::{Form, Rules};
use super::{Typed, change, changing, page, told};
use crate::auth::keys::Shown;
use crate::auth::{Arrival, Caller};
use crate::bridge::Bridge;
use crate::config::Origin;
use crate::dashboard::filters::{self, text};
use crate::dashboard::words::shell;
use crate::dashboard::{Frame, Visit};
use crate::error::Problem;

/// A secret, once: in no address, kept by no browser, and nowhere in the log.
#[derive(Template)]
#[template(path = "key_made.html")]
struct Page {
    frame: Frame,
    id: String,
    secret: String,
    /// Where the gateway is, as the browser has reached it.
    url: String,
    /// A request that this key can make.
    request: &'static str,
    /// For a rotated one: the one before, and until when it is good.
    before: Option<(String, Timestamp)>,
}

/// Makes a key.
///
/// # Errors
/// Nobody needs one. What is wrong with the form is told beside its fields.
pub async fn submit(
    Shared(bridge): Shared<Arc<Bridge>>,
    visit: Visit,
    caller: Caller,
    headers: HeaderMap,
    Extension(arrival): Extension<Arrival>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (keys, giver) = changing(&bridge, &caller)?;
    let form = Form::read(&body);
    let libraries = bridge.libraries.all();
    let rules = Rules {
        giver: &giver,
        ids: keys.views().into_iter().map(|view| view.id).collect(),
        libraries: libraries.iter().map(|library| library.name.as_str()).collect(),
    };
    let again = |typed| page(&bridge, &visit, &caller, None, typed);
    let new = match form.check(&rules, &visit) {
        Ok(new) => new,
        Err(faults) => {
            let typed = Typed { form, faults: *faults, failure: None };
            return visit.page(StatusCode::UNPROCESSABLE_ENTITY, &again(typed));
        }
    };
    let reads = new.scopes.iter().any(|scope| scope == "read");
    let by = giver.name.clone();
    match change(keys, move |keys| keys.add(&new, &by)).await? {
        Ok(shown) => made(&visit, &headers, &arrival, shown, reads, None),
        Err(error) => {
            let (status, failure) = told(&error, &visit);
            visit.page(status, &again(Typed { form, failure: Some(failure), ..Typed::default() }))
        }
    }
}

/// The page with the secret.
///
/// # Errors
/// It cannot be made.
pub(super) fn made(
    visit: &Visit,
    headers: &HeaderMap,
    arrival: &Arrival,
    Shown { id, secret }: Shown,
    reads: bool,
    before: Option<(String, Timestamp)>,
) -> Result<Response, Problem> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let page = Page {
        frame: visit.frame(visit.say(text!("Key added")), "/keys"),
        id,
        secret: secret.as_str().to_owned(),
        url: Origin::new(arrival.scheme, host).to_string(),
        // Any key may see its own calls.
        request: if reads { "/v1/libraries" } else { "/v1/calls" },
        before,
    };
    visit.page(StatusCode::CREATED, &page)
}

impl Page {
    /// What sets the variables that the commands and the examples take a key from.
    fn commands(&self) -> String {
        let Self { id, secret, url, request, .. } = self;
        let [id, secret, url] = [id, secret, url].map(|word| shell(word));
        format!(
            "export BRIDGE32_URL={url}\nexport BRIDGE32_KEY_ID={id}\nexport BRIDGE32_SECRET={secret}\nbridge32 curl {request}"
        )
    }
}
