//! Every route on one screen, with what it needs of whoever asks.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::http::{HeaderValue, Method};
use axum::middleware::from_fn_with_state;
use axum::routing::{self, MethodRouter};
use tower::util::option_layer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};

use crate::api::{
    agents, batches, callbacks, calls, crashes, docs, event_bus, events, exports, functions, handles, health,
    interface, kept_calls, keys, libraries, memory, metrics, openapi, reload, replays, sessions, sign_in_links,
    statistics, variables,
};
use crate::auth::{Guard, Need, guard};
use crate::bridge::Bridge;
use crate::config::Origin;
use crate::dashboard::function::{self, try_export};
use crate::dashboard::{
    agents as agent_pages, assets, calls as call_pages, crash, keys as key_pages, libraries as library_pages, live,
    overview, preferences, search, sign_in, sign_out,
};
use crate::error::{Code, Problem};
use crate::service::Service;

/// One operation of the API.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, in the notation of axum and OpenAPI alike.
    pub path: &'static str,
    need: Need,
    page: bool,
    takes_buffers: bool,
    handler: MethodRouter<Arc<Bridge>>,
}

impl Route {
    /// For people alone: it is not part of the contract, and changes with the pages.
    fn page(self) -> Self {
        Self { page: true, ..self }
    }

    /// Takes buffers as they are, beside JSON.
    fn with_buffers(self) -> Self {
        Self { takes_buffers: true, ..self }
    }

    /// Whether programs may rely on it.
    pub fn in_contract(&self) -> bool {
        !self.page
    }

    /// The scope that a key needs for it, as the contract names it; `None` where anybody may ask.
    pub fn scope(&self) -> Option<&'static str> {
        match self.need {
            Need::Public => None,
            Need::Agent => Some("agent:ID"),
            Need::Read | Need::Metrics => Some("read"),
            Need::History => Some("history"),
            Need::Manage => Some("manage"),
            Need::Call if self.path.contains("{variable}") => Some("call:LIBRARY.VARIABLE"),
            Need::Call | Need::SomeCall => Some("call:LIBRARY.FUNCTION"),
            Need::Library | Need::Callback => Some("call:LIBRARY"),
            Need::AdHoc => Some("adhoc and call:LIBRARY"),
            Need::OwnCalls if self.method == Method::DELETE => Some("any, and manage for the calls of others"),
            Need::OwnCalls if self.method == Method::POST => {
                Some("call:LIBRARY.FUNCTION, and history for the calls of others")
            }
            Need::OwnCalls => Some("any, and history for the calls of others"),
            Need::OwnSessions if self.method == Method::POST => Some("call:LIBRARY"),
            Need::OwnSessions => Some("any, and manage for the sessions of others"),
        }
    }
}

/// All of them.
pub fn routes() -> Vec<Route> {
    contract().into_iter().chain(pages().into_iter().map(Route::page)).collect()
}

/// What programs may rely on.
fn contract() -> Vec<Route> {
    vec![
        get("/", Need::Read, overview::show),
        get("/healthz", Need::Public, health::alive),
        get("/readyz", Need::Public, health::ready),
        get("/metrics", Need::Metrics, metrics::show),
        get("/openapi.json", Need::Read, openapi::show),
        get("/docs", Need::Read, docs::show),
        get("/docs/{file}", Need::Read, docs::file),
        get("/v1/libraries", Need::Read, libraries::list),
        get("/v1/libraries/{library}", Need::Read, libraries::show),
        get("/v1/libraries/{library}/exports", Need::Read, exports::list),
        get("/v1/libraries/{library}/interface", Need::Read, interface::show),
        put("/v1/libraries/{library}/interface", Need::Manage, interface::replace),
        delete("/v1/libraries/{library}/interface", Need::Manage, interface::restore),
        post("/v1/libraries/{library}/reload", Need::Manage, reload::library),
        post("/v1/libraries/{library}/functions/{function}", Need::Call, functions::call).with_buffers(),
        post("/v1/libraries/{library}/calls", Need::AdHoc, calls::create),
        post("/v1/libraries/{library}/batches", Need::SomeCall, batches::create),
        get("/v1/libraries/{library}/variables", Need::Read, variables::list),
        get("/v1/libraries/{library}/variables/{variable}", Need::Call, variables::show),
        put("/v1/libraries/{library}/variables/{variable}", Need::Call, variables::write),
        post("/v1/libraries/{library}/memory", Need::Library, memory::create),
        get("/v1/libraries/{library}/memory/{handle}", Need::Library, memory::show),
        put("/v1/libraries/{library}/memory/{handle}", Need::Library, memory::write),
        delete("/v1/libraries/{library}/memory/{handle}", Need::Library, memory::free),
        get("/v1/libraries/{library}/callbacks", Need::Library, callbacks::list),
        get("/v1/callbacks/{id}/events", Need::Callback, events::show),
        delete("/v1/callbacks/{id}", Need::Callback, callbacks::remove),
        get("/v1/calls", Need::OwnCalls, kept_calls::list),
        get("/v1/calls/export", Need::OwnCalls, kept_calls::export),
        get("/v1/calls/{id}", Need::OwnCalls, kept_calls::show),
        delete("/v1/calls/{id}", Need::OwnCalls, kept_calls::cancel),
        post("/v1/calls/{id}/replay", Need::OwnCalls, replays::create),
        post("/v1/replays", Need::OwnCalls, replays::create_many),
        get("/v1/statistics", Need::Read, statistics::show),
        get("/v1/events", Need::Read, event_bus::show),
        get("/v1/sessions", Need::OwnSessions, sessions::list),
        post("/v1/sessions", Need::OwnSessions, sessions::create),
        get("/v1/sessions/{id}", Need::OwnSessions, sessions::show),
        delete("/v1/sessions/{id}", Need::OwnSessions, sessions::end),
        get("/v1/agents", Need::Read, agents::list),
        get("/v1/agents/{id}", Need::Read, agents::show),
        put("/v1/agents/{id}", Need::Agent, agents::register),
        post("/v1/agents/{id}/restart", Need::Manage, agents::restart),
        post("/v1/agents/{id}/drain", Need::Manage, agents::drain),
        get("/v1/agents/{id}/handles", Need::Read, handles::list),
        get("/v1/agents/{id}/crashes", Need::Read, crashes::list),
        get("/v1/crashes/{report}", Need::Read, crashes::show),
        get("/v1/keys", Need::Manage, keys::list),
        post("/v1/reload", Need::Manage, reload::configuration),
        post("/v1/sign-in-links", Need::Manage, sign_in_links::create),
    ]
}

/// The pages for people, and what these load and send.
fn pages() -> Vec<Route> {
    vec![
        get("/sign-in", Need::Public, sign_in::show),
        post("/sign-in", Need::Public, sign_in::submit),
        post("/sign-out", Need::Public, sign_out::submit),
        post("/preferences", Need::Public, preferences::submit),
        get("/static/{file}", Need::Public, assets::show),
        get("/live", Need::Read, live::show),
        get("/search", Need::Read, search::show),
        post("/configuration/reload", Need::Manage, library_pages::list::reload),
        get("/libraries", Need::Read, library_pages::list::show),
        get("/libraries/{library}", Need::Read, library_pages::functions::show),
        get("/libraries/{library}/exports", Need::Read, library_pages::exports::show),
        get("/libraries/{library}/interface", Need::Read, library_pages::interface::show),
        get("/libraries/{library}/interface/edit", Need::Manage, library_pages::interface::edit),
        post("/libraries/{library}/interface", Need::Manage, library_pages::interface::replace),
        post("/libraries/{library}/interface/restore", Need::Manage, library_pages::interface::restore),
        get("/libraries/{library}/dependencies", Need::Read, library_pages::dependencies::show),
        get("/libraries/{library}/settings", Need::Read, library_pages::settings::show),
        post("/libraries/{library}/reload", Need::Manage, library_pages::settings::reload),
        get("/libraries/{library}/functions/{function}", Need::Read, function::show),
        post("/libraries/{library}/functions/{function}", Need::Call, function::submit),
        get("/libraries/{library}/try", Need::Read, try_export::show),
        post("/libraries/{library}/try", Need::AdHoc, try_export::submit),
        get("/calls", Need::OwnCalls, call_pages::list),
        get("/calls/replays", Need::OwnCalls, call_pages::ask_many),
        post("/calls/replays", Need::OwnCalls, call_pages::replay_many),
        get("/calls/{id}", Need::OwnCalls, call_pages::show),
        post("/calls/{id}/cancel", Need::OwnCalls, call_pages::cancel),
        post("/calls/{id}/replay", Need::OwnCalls, call_pages::replay),
        get("/calls/{id}/compare/{other}", Need::OwnCalls, call_pages::compare),
        get("/agents", Need::Read, agent_pages::show),
        get("/agents/{id}", Need::Read, agent_pages::show_one),
        post("/agents/{id}/restart", Need::Manage, agent_pages::restart),
        post("/agents/{id}/drain", Need::Manage, agent_pages::drain),
        get("/crashes/{report}", Need::Read, crash::show),
        get("/keys", Need::Manage, key_pages::show),
        post("/keys", Need::Manage, key_pages::add),
        get("/keys/{id}", Need::Manage, key_pages::show_one),
        post("/keys/{id}/rotate", Need::Manage, key_pages::rotate),
        post("/keys/{id}/revoke", Need::Manage, key_pages::revoke),
    ]
}

/// What a gateway answers to clients.
pub fn router(bridge: &Arc<Bridge>) -> Service {
    let cors = cors(&bridge.config().listeners.cors_origins);
    let answered_alike = cors.is_none();
    let routes = serving(bridge, routes(), cors);
    if answered_alike { Service::direct(bridge, routes) } else { Service::routed(bridge, routes) }
}

/// What it answers where agents alone should ask: their registrations.
pub fn for_agents(bridge: &Arc<Bridge>) -> Service {
    let routes = serving(bridge, routes().into_iter().filter(|route| route.need == Need::Agent), None);
    Service::routed(bridge, routes)
}

fn serving(bridge: &Arc<Bridge>, table: impl IntoIterator<Item = Route>, cors: Option<CorsLayer>) -> Router {
    let mut router = Router::new();
    for Route { path, need, takes_buffers, handler, .. } in table {
        let guarded = Guard { bridge: Arc::clone(bridge), need, takes_buffers };
        router = router.route(path, handler.route_layer(from_fn_with_state(guarded, guard)));
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(option_layer(cors))
        // The guard has its own limit, which answers as all errors do.
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(bridge))
}

/// Lets the pages of other sites read answers; without cookies, so that they need a key as everybody does.
fn cors(origins: &[Origin]) -> Option<CorsLayer> {
    let values = origins.iter().filter_map(|origin| HeaderValue::from_str(&origin.to_string()).ok());
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(values))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::any())
        .allow_private_network(true)
        .max_age(Duration::from_hours(1));
    (!origins.is_empty()).then_some(layer)
}

fn route(method: Method, path: &'static str, need: Need, handler: MethodRouter<Arc<Bridge>>) -> Route {
    Route { method, path, need, page: false, takes_buffers: false, handler }
}

fn get<H: Handler<T, Arc<Bridge>>, T: 'static>(path: &'static str, need: Need, handler: H) -> Route {
    route(Method::GET, path, need, routing::get(handler))
}

fn post<H: Handler<T, Arc<Bridge>>, T: 'static>(path: &'static str, need: Need, handler: H) -> Route {
    route(Method::POST, path, need, routing::post(handler))
}

fn put<H: Handler<T, Arc<Bridge>>, T: 'static>(path: &'static str, need: Need, handler: H) -> Route {
    route(Method::PUT, path, need, routing::put(handler))
}

fn delete<H: Handler<T, Arc<Bridge>>, T: 'static>(path: &'static str, need: Need, handler: H) -> Route {
    route(Method::DELETE, path, need, routing::delete(handler))
}

async fn not_found(request: Request) -> Problem {
    let path = request.uri().path();
    let without = path.trim_end_matches('/');
    let near = if without != path && routes().iter().any(|route| fits(route.path, without)) {
        format!(" There is something at {without}, without the slash at its end.")
    } else {
        String::new()
    };
    let detail = format!("There is nothing at {path}.{near} /openapi.json lists what there is.");
    Problem::new(Code::NotFound, detail)
}

async fn method_not_allowed(request: Request) -> Problem {
    let path = request.uri().path();
    let possible: Vec<String> =
        routes().iter().filter(|route| fits(route.path, path)).map(|route| route.method.to_string()).collect();
    let detail = format!("{} is not possible here; what is: {}.", request.method(), possible.join(", "));
    Problem::new(Code::MethodNotAllowed, detail)
}

/// Whether a path is one that a route's pattern means.
fn fits(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('/').zip(path.split('/'));
    pattern.split('/').count() == path.split('/').count()
        && parts.all(|(wanted, given)| if wanted.starts_with('{') { !given.is_empty() } else { wanted == given })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_the_pattern_that_answers_it() {
        assert!(fits("/v1/libraries/{library}", "/v1/libraries/z") && fits("/", "/"));
        for path in ["/v1/libraries/", "/v1/libraries", "/v1/libraries/z/", "/v1/libraries/z/exports", "/v1/agents/z"] {
            assert!(!fits("/v1/libraries/{library}", path), "{path}");
        }
    }
}
