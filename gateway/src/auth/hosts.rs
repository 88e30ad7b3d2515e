//! Which names the gateway answers to, and whose web pages may ask it.
//!
//! A page that makes its own name point here (DNS rebinding) uses that name as `Host`. A page of another site that asks
//! without such tricks shows itself by `Origin`, or by `Sec-Fetch-Site` where browsers send no origin (images, forms,
//! links); programs send neither.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::header::{COOKIE, HOST, HeaderName, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Request, Uri};

use super::Arrival;
use crate::config::{Listen, Listeners, Origin, Scheme, host_and_port};
use crate::error::{Code, Problem};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Where a link of another site may lead. Nothing of them changes anything, and nobody may frame them.
const PAGES: [&str; 3] = ["/", "/sign-in", "/docs"];

/// The largest head of a request in bytes. The HTTP library has a limit of its own, above this one, whose answer says less.
const LARGEST_HEAD: usize = 32 << 10;

/// The names of one listener, and whose pages may use it.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<Names>);

#[derive(Debug)]
struct Names {
    scheme: Scheme,
    address: SocketAddr,
    public: Vec<Origin>,
    cors: Vec<Origin>,
    behind_proxy: bool,
}

/// Whose page a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    /// One of this gateway, or none at all.
    Own,
    /// One that the configuration allows; it may use the API, and no session.
    Allowed,
}

impl Hosts {
    /// The names of a listener, whose port is known.
    pub fn of(listen: Listen, listeners: &Listeners) -> Self {
        Self(Arc::new(Names {
            scheme: listen.scheme,
            address: listen.address,
            public: listeners.public_urls.clone(),
            cors: listeners.cors_origins.clone(),
            behind_proxy: listeners.behind_proxy,
        }))
    }

    pub(super) fn port(&self) -> u16 {
        self.0.address.port()
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    pub(super) fn behind_proxy(&self) -> bool {
        self.0.behind_proxy
    }

    /// Whether clients use this name with TLS, which ends somewhere else.
    pub(super) fn is_https_elsewhere(&self, host: &str) -> bool {
        self.0.public.iter().any(|url| url.scheme == Scheme::Https && url.has_authority(host))
    }

    /// Whether a request is meant for this gateway, and whose page it comes from.
    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Page, Problem> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|value| value.to_str().ok());
        let authority = uri.authority().map(Authority::as_str);
        let own = host.is_some_and(|host| self.0.has(host)) && authority.is_none_or(|name| self.0.has(name));
        match host {
            Some(host) if own && hosts.next().is_none() => self.0.page(method, uri.path(), headers, host),
            _ => Err(self.0.not_meant(authority.or(host))),
        }
    }
}

impl Names {
    fn has(&self, host: &str) -> bool {
        self.is_own_address(host) || self.public.iter().any(|url| url.has_authority(host))
    }

    /// A listener on all addresses has every address for a name: a web page can make its own *name* point here.
    fn is_own_address(&self, host: &str) -> bool {
        let Some((name, port)) = host_and_port(host, self.scheme) else { return false };
        let every = self.address.ip().is_unspecified();
        let known = match name.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => every || ip == self.address.ip(),
            Err(_) => (every || self.address.ip().is_loopback()) && name.eq_ignore_ascii_case("localhost"),
        };
        known && port == self.address.port()
    }

    /// The configured names are for those to know who use them.
    fn not_meant(&self, found: Option<&str>) -> Problem {
        let (ip, port) = (self.address.ip(), self.address.port());
        let names = match ip.is_unspecified() {
            true => format!("the addresses of its machine with port {port}"),
            false if ip.is_loopback() => format!("{} and localhost:{port}", self.address),
            false => self.address.to_string(),
        };
        let found = found.unwrap_or("missing");
        let detail = format!(
            "This gateway answers to {names}; the Host of the request is {found}. `public_urls` in the configuration \
             gives it further names."
        );
        Problem::new(Code::Forbidden, detail)
    }

    fn page(&self, method: &Method, path: &str, headers: &HeaderMap, host: &str) -> Result<Page, Problem> {
        let all = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
        let mut sites = all(SEC_FETCH_SITE);
        let vouched = sites.all(|site| matches!(site, "same-origin" | "none"));
        let sure = headers.contains_key(SEC_FETCH_SITE) && vouched;
        let mut origins = all(ORIGIN);
        let page = match (origins.next(), origins.next()) {
            (None, _) if vouched || (is_link(method, headers) && PAGES.contains(&path)) => Some(Page::Own),
            // A page that sends no referrer posts its forms with this origin, also to itself.
            (Some("null"), None) if sure => Some(Page::Own),
            (Some(origin), None) => Origin::parse(origin).and_then(|origin| self.whose(&origin, host)),
            _ => None,
        };
        page.ok_or_else(|| {
            let detail = "This request comes from a web page of another site, which may not use the bridge; \
                          `cors_origins` in the configuration allows sites.";
            Problem::new(Code::Forbidden, detail)
        })
    }

    /// With all addresses for names, only the address that was asked is this gateway's: the others may be anybody's.
    fn whose(&self, origin: &Origin, host: &str) -> Option<Page> {
        let same_host = origin.has_authority(host) || !self.address.ip().is_unspecified();
        let at_home = origin.scheme == self.scheme && self.is_own_address(&origin.authority) && same_host;
        if at_home || self.public.contains(origin) {
            Some(Page::Own)
        } else {
            self.cors.contains(origin).then_some(Page::Allowed)
        }
    }
}

/// Whether somebody followed a link, or typed an address.
fn is_link(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET && headers.get(SEC_FETCH_MODE).is_some_and(|mode| mode == "navigate")
}

/// Refuses what is not meant for this gateway.
///
/// # Errors
/// The request names another host, comes from a page of another site, or has too large a head.
pub fn check_host<B>(request: &mut Request<B>) -> Result<(), Problem> {
    let arrival = request.extensions().get::<Arrival>();
    let arrival = arrival.ok_or_else(|| Problem::internal("a request came without its connection"))?;
    let page = arrival.hosts.check(request.method(), request.uri(), request.headers())?;
    let size: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > LARGEST_HEAD {
        let detail = format!("The headers have {size} bytes; {LARGEST_HEAD} are taken.");
        return Err(Problem::new(Code::HeadersTooLarge, detail));
    }
    if page == Page::Allowed {
        // Where it is a port of the same machine, browsers would send the cookie of a session along.
        request.headers_mut().remove(COOKIE);
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
