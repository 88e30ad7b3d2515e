//! The pages for people: one file a page, with its template's data and its handler. Templates are in `templates/`, what they
//! load in `static/`; both are part of the program.
//!
//! A page loads and runs only what comes from here, and nothing that stands in the page itself.

pub mod agents;
pub mod assets;
pub mod calls;
pub mod chart;
pub mod crash;
pub mod errors;
pub(crate) mod filters;
pub mod function;
pub mod keys;
pub mod language;
pub mod libraries;
pub mod live;
pub mod memory;
pub mod overview;
pub mod preferences;
pub mod search;
pub mod sign_in;
pub mod sign_out;
pub mod snippets;
pub mod state;
pub mod words;

use std::any::Any;
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERER, REFERRER_POLICY, VARY,
};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::auth::sessions::{Jar, LINK_LIFE, Session, Token};
use crate::auth::{Auth, Need, Principal};
use crate::bridge::Bridge;
use crate::config::Origin;
use crate::error::Problem;
use crate::private;

use filters::text;
use language::Language;
use preferences::{Preferences, Theme};

/// What a page may load and do. The icons of Swagger UI's style sheet are `data:` addresses.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Who looks at a page.
#[derive(Clone, Debug)]
pub enum Viewer {
    /// Everybody may do everything.
    Anybody,
    /// Somebody who has signed in.
    Session(Arc<Session>),
    /// Nobody that is known: not signed in, or a request that is signed by itself.
    Nobody,
}

impl Viewer {
    /// Who makes a request.
    pub fn of(bridge: &Bridge, headers: &HeaderMap, extensions: &Extensions) -> Self {
        match &bridge.auth {
            Auth::Off => Self::Anybody,
            Auth::Hmac(_) => {
                let jar = Jar::of(headers, extensions);
                bridge.sessions.find(&bridge.auth, headers, jar).map_or(Self::Nobody, Self::Session)
            }
        }
    }

    /// Who has signed in.
    pub fn name(&self) -> Option<&str> {
        self.session().map(|session| session.grant.owner.as_str())
    }

    /// What forms and scripts of the page have to repeat.
    pub fn csrf(&self) -> Option<&str> {
        self.session().map(|session| session.csrf.as_str())
    }

    /// Whether nobody has to sign in.
    pub const fn is_anybody(&self) -> bool {
        matches!(self, Self::Anybody)
    }

    /// Whether what needs this, of no library in particular, is for them.
    pub fn may(&self, need: Need) -> bool {
        match self {
            Self::Anybody => true,
            Self::Session(session) => Principal::Session(Arc::clone(session)).may(need, "", "").is_ok(),
            Self::Nobody => false,
        }
    }

    /// Whether the other pages are of use.
    pub const fn may_look(&self) -> bool {
        !matches!(self, Self::Nobody)
    }

    fn session(&self) -> Option<&Session> {
        match self {
            Self::Session(session) => Some(session),
            Self::Anybody | Self::Nobody => None,
        }
    }
}

/// Who looks at a page, how they want it, and which one it is.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who looks at it.
    pub viewer: Viewer,
    /// How it is to look.
    pub preferences: Preferences,
    /// Its address, with the query; of what a form has sent, that of the page with the form.
    pub address: String,
}

impl Visit {
    /// That of a request.
    pub fn of(bridge: &Bridge, method: &Method, uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let from = headers.get(REFERER).and_then(|address| address.to_str().ok()?.parse::<Uri>().ok());
        let page = if matches!(*method, Method::GET | Method::HEAD) { Some(uri) } else { from.as_ref() };
        Self {
            viewer: Viewer::of(bridge, headers, extensions),
            preferences: Preferences::of(headers),
            address: own_path(page.and_then(Uri::path_and_query).map(PathAndQuery::as_str)).to_owned(),
        }
    }

    /// One of our own texts in the language of the page.
    pub fn say<'a>(&self, english: &'a str) -> &'a str {
        self.preferences.language.say(english)
    }

    /// What surrounds a page. `here` is the address by which the navigation knows it.
    pub fn frame(&self, title: impl Into<String>, here: &'static str) -> Frame {
        Frame { title: title.into(), here, live: "", visit: self.clone() }
    }

    /// The answer that shows a page.
    ///
    /// # Errors
    /// The template fails.
    pub fn page(&self, status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
        const HEADERS: [(HeaderName, &str); 7] = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_SECURITY_POLICY, POLICY),
            // Not `no-referrer`: with it browsers send forms with `Origin: null`, which is not us.
            (REFERRER_POLICY, "same-origin"),
            // What one person sees is not for the next, and not for the button that goes back.
            (CACHE_CONTROL, "no-store"),
            (VARY, "accept, accept-language, cookie"),
            (HeaderName::from_static("x-frame-options"), "DENY"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ];
        let language: (&str, &dyn Any) = (filters::LANGUAGE, &self.preferences.language);
        let text = template.render_with_values(&language).map_err(Problem::internal)?;
        let headers = HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value)));
        Ok((status, HeaderMap::from_iter(headers), text).into_response())
    }
}

#[cfg(test)]
impl Visit {
    /// Of nobody in particular.
    pub(crate) fn nobody(address: &str) -> Self {
        Self { viewer: Viewer::Nobody, preferences: Preferences::default(), address: address.to_owned() }
    }
}

impl FromRequestParts<Arc<Bridge>> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, bridge: &Arc<Bridge>) -> Result<Self, Infallible> {
        Ok(Self::of(bridge, &parts.method, &parts.uri, &parts.headers, &parts.extensions))
    }
}

/// The cookies of the listener that a request came to.
#[derive(Clone, Copy, Debug)]
pub struct Cookies(pub Jar);

impl FromRequestParts<Arc<Bridge>> for Cookies {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Bridge>) -> Result<Self, Infallible> {
        Ok(Self(Jar::of(&parts.headers, &parts.extensions)))
    }
}

/// What `templates/base.html` needs of every page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The page's title.
    pub title: String,
    /// By which address the navigation knows it.
    pub here: &'static str,
    /// What has to happen for the page to be looked at again: kinds of events, and `sample` for figures, with commas.
    pub live: &'static str,
    /// Who looks at it, and how.
    pub visit: Visit,
}

impl Frame {
    /// A page that is looked at again when something of these kinds happens.
    #[must_use]
    pub fn live(self, kinds: &'static str) -> Self {
        Self { live: kinds, ..self }
    }

    /// Who looks at it.
    pub const fn viewer(&self) -> &Viewer {
        &self.visit.viewer
    }

    /// Its language.
    pub const fn language(&self) -> Language {
        self.visit.preferences.language
    }

    /// Its colours.
    pub const fn theme(&self) -> Theme {
        self.visit.preferences.theme
    }

    /// What the button for the colours says.
    pub const fn theme_hint(&self) -> &'static str {
        match self.theme() {
            Theme::Auto => text!("Colours follow the system; change to dark"),
            Theme::Dark => text!("Colours are dark; change to light"),
            Theme::Light => text!("Colours are light; follow the system"),
        }
    }

    /// The languages that can be chosen.
    pub const fn languages(&self) -> [Language; 2] {
        Language::ALL
    }

    /// The pages of the navigation: address and name.
    pub fn pages(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        const PAGES: [(&str, &str); 6] = [
            ("/", text!("Overview")),
            ("/libraries", text!("Libraries")),
            ("/calls", text!("Calls")),
            ("/agents", text!("Agents")),
            ("/keys", text!("Keys")),
            ("/docs", text!("API docs")),
        ];
        let manages = self.viewer().may(Need::Manage);
        PAGES.into_iter().filter(move |(address, _)| *address != "/keys" || manages)
    }
}

/// The longest address that one is led back to.
const MAX_NEXT: usize = 2000;

/// A path of this gateway, which is all that one is led to: browsers take `//name` and `/\name` for other hosts, and skip
/// tabs and line ends while they read.
pub(crate) fn own_path(next: Option<&str>) -> &str {
    let own = |path: &&str| {
        let mut bytes = path.bytes();
        let legal = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        bytes.next() == Some(b'/') && !path.starts_with("//") && path.len() <= MAX_NEXT && bytes.all(legal)
    };
    next.filter(own).unwrap_or("/")
}

/// The answer that leads to another page of ours.
///
/// # Errors
/// The path cannot stand in a header.
pub(crate) fn lead_to(path: &str) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(path).map_err(Problem::internal)?;
    let headers = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::SEE_OTHER, HeaderMap::from_iter(headers)).into_response())
}

/// The address of a sign-in with a link.
pub fn link_address(gateway: &Origin, link: &Token) -> String {
    format!("{gateway}{}?link={}", sign_in::PATH, link.as_str())
}

/// Tells whoever started the gateway how to sign in: on standard error, unless that is kept where others read it.
pub fn announce(bridge: &Bridge) {
    if matches!(bridge.auth, Auth::Off) {
        return;
    }
    if private::others_read_stderr() {
        let text = "\nTo sign in with a browser, open the link that `bridge32 sign-in` prints.\n";
        let _ = writeln!(std::io::stderr(), "{text}");
        return;
    }
    // Without one, the log says why; programs can use the gateway all the same.
    let Ok(link) = bridge.sessions.invite_admin() else { return };
    let Some(gateway) = bridge.config().listeners.urls().into_iter().next() else { return };
    let address = link_address(&gateway, &link);
    let minutes = LINK_LIFE.as_secs() / 60;
    let text = format!(
        "\nTo sign in with a browser, open this link. It is good once and for {minutes} minutes; `bridge32 sign-in` prints \
         another one.\n\n    {address}\n"
    );
    // Nobody is there to read it: that is no reason not to serve.
    let _ = writeln!(std::io::stderr(), "{text}");
}
