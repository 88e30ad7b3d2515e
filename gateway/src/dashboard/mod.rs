//! The pages for people: one file a page, with its template's data and its handler. Templates are in `templates/`, what they
//! load in `static/`; both are part of the program.
//!
//! A page loads and runs only what comes from here, and nothing that stands in the page itself.

pub mod assets;
pub mod errors;
pub mod index;
pub mod sign_in;
pub mod sign_out;

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, VARY};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::auth::Auth;
use crate::auth::sessions::{Jar, LINK_LIFE, Session, Token};
use crate::bridge::Bridge;
use crate::config::Origin;
use crate::error::Problem;
use crate::private;

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

impl FromRequestParts<Arc<Bridge>> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, bridge: &Arc<Bridge>) -> Result<Self, Infallible> {
        Ok(Self::of(bridge, &parts.headers, &parts.extensions))
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
    pub title: &'static str,
    /// Its own address, if the navigation has it.
    pub here: &'static str,
    /// Who looks at it.
    pub viewer: Viewer,
}

/// The answer that shows a page.
///
/// # Errors
/// The template fails.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    const HEADERS: [(HeaderName, &str); 7] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        // Not `no-referrer`: with it browsers send forms with `Origin: null`, which is not us.
        (REFERRER_POLICY, "same-origin"),
        // What one person sees is not for the next, and not for the button that goes back.
        (CACHE_CONTROL, "no-store"),
        (VARY, "accept, cookie"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let text = template.render().map_err(Problem::internal)?;
    let headers = HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value)));
    Ok((status, HeaderMap::from_iter(headers), text).into_response())
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
