//! `/calls/{id}`: one call, and the button that ends it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;

use super::detail::{Detail, Extent};
use super::filters::PATH;
use crate::api::{Path, kept_calls};
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::dashboard::filters::{self, text};
use crate::dashboard::{Frame, Visit, lead_to};
use crate::error::{Code, Problem};

#[derive(Template)]
#[template(path = "calls/show.html")]
struct Page {
    frame: Frame,
    detail: Detail,
}

/// One call.
///
/// # Errors
/// There is none, or the caller may not see it.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(id): Path<String>,
    visit: Visit,
    caller: Caller,
) -> Result<Response, Problem> {
    page(&bridge, &id, &visit, &caller, None).await
}

/// The page of a call. `refused` is why it was not made again.
pub(super) async fn page(
    bridge: &Bridge,
    id: &str,
    visit: &Visit,
    caller: &Caller,
    refused: Option<&Problem>,
) -> Result<Response, Problem> {
    let mut detail = Detail::of(bridge, id, visit, caller, Extent::Page).await?;
    detail.refused = refused.map(|problem| problem.detail().to_owned());
    let live = if detail.call.is_under_way() { "call,sample" } else { "" };
    let title = format!("{}.{} · {}", detail.call.library, detail.name, visit.say(text!("Call")));
    let status = refused.map_or(StatusCode::OK, |problem| problem.code().status());
    visit.page(status, &Page { frame: visit.frame(title, PATH).live(live), detail })
}

/// Ends a call that waits or runs, and leads to its page.
///
/// # Errors
/// There is none, or the caller may not end it.
pub async fn cancel(shared: Shared<Arc<Bridge>>, Path(id): Path<String>, caller: Caller) -> Result<Response, Problem> {
    match kept_calls::cancel(shared, Path(id.clone()), caller).await {
        Ok(_) => lead_to(&address(&id)),
        // Its page has the outcome.
        Err(problem) if problem.code() == Code::CallEnded => lead_to(&address(&id)),
        Err(problem) => Err(problem),
    }
}

/// The page of the call of that id.
pub(super) fn address(id: &str) -> String {
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("{PATH}/{id}")
}
