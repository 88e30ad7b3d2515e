//! The code to copy: the same call in four languages, with the arguments that are in the form.

use askama::Template;
use axum::http::header::HOST;
use axum::http::{Extensions, HeaderMap};
use bridge32_interface::redact;
use bridge32_protocol::interface::{Function, Interface};

use crate::auth::{Arrival, Auth};
use crate::bridge::Bridge;
use crate::dashboard::filters;
use crate::dashboard::snippets::{Call, Language};
use crate::json::Json;

/// The programs on a page.
#[derive(Template, Debug)]
#[template(path = "function/code.html")]
pub struct Code {
    /// Each with its language.
    pub programs: Vec<(Language, String)>,
    /// Whether they want a key.
    pub signed: bool,
    /// Whether the arguments are made up.
    pub is_example: bool,
    /// Whether something sensitive was left out.
    pub is_redacted: bool,
}

/// How the programs reach the gateway.
#[derive(Clone, Debug)]
pub struct Way {
    origin: String,
    signed: bool,
}

impl Way {
    /// The way by which this request came.
    pub fn of(bridge: &Bridge, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let scheme = extensions.get::<Arrival>().map(|arrival| arrival.scheme.name());
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let urls = || bridge.config().listeners.urls().first().map(ToString::to_string);
        let origin = match (scheme, host) {
            (Some(scheme), Some(host)) => Some(format!("{scheme}://{host}")),
            _ => urls(),
        };
        Self { origin: origin.unwrap_or_default(), signed: !matches!(bridge.auth, Auth::Off) }
    }

    /// Programs that send this to `path`. `arguments` are those in the body that are of the function.
    pub fn code(
        &self,
        path: String,
        arguments: Option<Json>,
        example: Option<Json>,
        (interface, function): (&Interface, &Function),
        body: impl FnOnce(Json) -> Json,
    ) -> Code {
        let arguments = arguments.filter(|json| !json.members().is_empty());
        let is_example = arguments.is_none() && example.as_ref().is_some_and(|json| !json.members().is_empty());
        let whole = arguments.or(example).unwrap_or_else(|| Json::Object(Vec::new()));
        // Programs are passed on, and end up where secrets should not be.
        let text = whole.compact();
        let kept = redact::arguments(interface, function, &text);
        let is_redacted = kept != text;
        let shown = if is_redacted { Json::parse(&kept).unwrap_or(whole) } else { whole };
        let call = Call { origin: self.origin.clone(), path, body: body(shown), signed: self.signed };
        let languages = Language::ALL.into_iter().filter(|_| call.is_short());
        let programs = languages.map(|language| (language, language.program(&call))).collect();
        Code { programs, signed: self.signed, is_example, is_redacted }
    }
}
