//! What answers the requests of a listener: what is done around every answer, calls of functions by the shortest way, and
//! behind both of them all routes.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method, Request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use tower::ServiceExt as _;

use crate::api::{buffers, functions};
use crate::auth::{Entrant, Need, check_host, note_arrival};
use crate::bridge::Bridge;
use crate::bulk::Kind;
use crate::dashboard::errors::Asked;
use crate::error::{CallProblem, Problem};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What answers the requests of a listener.
#[derive(Clone, Debug)]
pub struct Service {
    bridge: Arc<Bridge>,
    routes: Router,
    /// Whether calls of functions do without the routes, whose layers cost each request some allocations and copies.
    direct: bool,
}

impl Service {
    /// One with these routes, which have no layer around them that calls of functions would miss.
    pub(crate) fn direct(bridge: &Arc<Bridge>, routes: Router) -> Self {
        Self { bridge: Arc::clone(bridge), routes, direct: true }
    }

    /// One that takes every request to these routes.
    pub(crate) fn routed(bridge: &Arc<Bridge>, routes: Router) -> Self {
        Self { bridge: Arc::clone(bridge), routes, direct: false }
    }

    /// Answers a request.
    pub async fn answer<B>(&self, mut request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        note_arrival(&mut request);
        let asked = Asked::by(&self.bridge, &request);
        let mut response = match check_host(&mut request) {
            Ok(()) => match called(&request).filter(|_| self.direct) {
                Some((library, function)) => {
                    let (library, function) = (library.to_owned(), function.to_owned());
                    self.call(&library, &function, request).await.unwrap_or_else(Problem::into_response)
                }
                // Large as its state is, calls need not carry it along.
                None => Box::pin(self.route(request.map(Body::new))).await,
            },
            Err(problem) => problem.into_response(),
        };
        // As programs would have it.
        let problem = response.extensions().get::<Problem>().map(Problem::code);
        self.bridge.observer.metrics.answered(response.status(), problem);
        if let Some(asked) = asked {
            response = asked.show(response);
        }
        protect(&mut response);
        response
    }

    async fn route(&self, request: Request<Body>) -> Response {
        let Ok(response) = self.routes.clone().oneshot(request).await;
        response
    }

    /// What the route of functions does, guard and all.
    async fn call<B>(&self, library: &str, function: &str, request: Request<B>) -> Result<Response, Problem>
    where
        B: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let (parts, body) = request.into_parts();
        let param = |name: &str| match name {
            "library" => library,
            "function" => function,
            _ => "",
        };
        let (caller, entrant) = Entrant::by_head(&self.bridge, Need::Call, param, &parts)?;
        let (body, passage) = entrant.by_body(&parts, body).await?;
        let body = buffers::Body::json(body);
        let answer = functions::answer(&self.bridge, &caller, &parts.headers, (library, function), body).await;
        passage.end(answer.unwrap_or_else(CallProblem::into_response)).await
    }
}

/// The library and the function that a request calls; `None` for any other, where a name has to be decoded, and where buffers
/// come as they are, to which the routes' layers are nothing.
fn called<B>(request: &Request<B>) -> Option<(&str, &str)> {
    let names = request.uri().path().strip_prefix("/v1/libraries/")?;
    let (library, function) = names.split_once("/functions/")?;
    let is_plain = |name: &str| !name.is_empty() && !name.contains(['/', '%']);
    let is_call = request.method() == Method::POST && is_plain(library) && is_plain(function);
    (is_call && Kind::of(request.headers()).is_none()).then_some((library, function))
}

/// Whatever a browser shows of us runs nothing and is framed by nobody, unless its page has a policy of its own.
fn protect(response: &mut Response) {
    const HEADERS: [(HeaderName, &str); 4] = [
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Nothing to others; with none at all, browsers would call our own forms those of a stranger.
        (REFERRER_POLICY, "same-origin"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_functions_with_plain_names_and_json_take_the_short_way() {
        let request = |method: Method, target: &str, kind: &str| {
            Request::builder().method(method).uri(target).header("content-type", kind).body(()).unwrap()
        };
        let json = "application/json";
        let plain = request(Method::POST, "/v1/libraries/calc/functions/Add?x=1", json);
        assert_eq!(called(&plain), Some(("calc", "Add")));
        for (method, target, kind) in [
            (Method::GET, "/v1/libraries/calc/functions/Add", json),
            (Method::POST, "/v1/libraries/calc/functions/Add%20", json),
            (Method::POST, "/v1/libraries/c%61lc/functions/Add", json),
            (Method::POST, "/v1/libraries/calc/functions/", json),
            (Method::POST, "/v1/libraries//functions/Add", json),
            (Method::POST, "/v1/libraries/calc/functions/Add/more", json),
            (Method::POST, "/v1/libraries/calc/x/functions/Add", json),
            (Method::POST, "/v1/libraries/calc/batches", json),
            (Method::POST, "/v2/libraries/calc/functions/Add", json),
            (Method::POST, "/v1/libraries/calc/functions/Add", "application/octet-stream"),
            (Method::POST, "/v1/libraries/calc/functions/Add", "multipart/form-data; boundary=x"),
        ] {
            assert_eq!(called(&request(method, target, kind)), None, "{target}, {kind}");
        }
    }
}
