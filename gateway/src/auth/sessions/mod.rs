//! People at a browser: they sign in with a link that is good once, or with a password, and then have a session.
//!
//! Nothing of it is stored: when the gateway ends, everybody is signed out.

mod cookies;
mod csrf;
mod links;
mod lockout;
mod password;
mod store;
mod token;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method};
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::keys::Credential;
use super::scopes::Scopes;
use super::{Arrival, Auth};
use crate::config::{DashboardConfig, Scheme};
use crate::error::{Code, Problem};
use cookies::Purpose;
use links::Links;
use lockout::Lockout;
use store::Store;

pub use cookies::Jar;
pub use csrf::{FIELD, field};
pub use links::LINK_LIFE;
pub use password::{MAX_PASSWORD, MIN_PASSWORD, Password};
pub use store::Session;
pub use token::Token;

/// So many passwords may wait to be looked at. One is, at a time: each takes its memory and a core.
const WAITING: usize = 8;

/// Whom a session is for, and what they may do.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Who.
    pub owner: String,
    /// The key that asked for the link, if one did.
    pub key: Option<Arc<Credential>>,
    /// What they may do.
    pub scopes: Scopes,
}

impl Grant {
    /// For whoever runs the gateway: they see what it prints, or set the password.
    pub fn everything(owner: &str) -> Self {
        Self { owner: owner.to_owned(), key: None, scopes: Scopes::of_a_person() }
    }
}

/// Links, passwords and sessions of one gateway.
#[derive(Debug)]
pub struct Sessions {
    store: Store,
    links: Links,
    lockout: Lockout,
    password: RwLock<Option<Password>>,
    waiting: Semaphore,
    verifying: Arc<Semaphore>,
}

/// Who signs in with the gateway's own link or password.
const ADMIN: &str = "admin";

impl Sessions {
    /// Nobody is signed in.
    pub fn new(config: &DashboardConfig) -> Self {
        Self {
            store: Store::new(config.session),
            links: Links::default(),
            lockout: Lockout::default(),
            password: RwLock::new(config.password.clone()),
            waiting: Semaphore::new(WAITING),
            verifying: Arc::new(Semaphore::new(1)),
        }
    }

    /// Whether a password is configured.
    pub fn has_password(&self) -> bool {
        self.password.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// From now on people sign in as this configuration says; who is signed in stays so, for as long as it allows.
    pub fn follow(&self, config: &DashboardConfig) {
        self.password.write().unwrap_or_else(PoisonError::into_inner).clone_from(&config.password);
        self.store.set_life(config.session);
    }

    /// Makes a link for whoever runs the gateway.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn invite_admin(&self) -> Result<Token, Problem> {
        self.invite(Grant::everything(ADMIN))
    }

    /// Makes a link.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn invite(&self, grant: Grant) -> Result<Token, Problem> {
        self.links.make(grant, Instant::now())
    }

    /// Whether a link can still be used.
    pub fn knows_link(&self, link: &str) -> bool {
        Token::parse(link).is_some_and(|token| self.links.holds(&token, Instant::now()))
    }

    /// Uses a link up.
    ///
    /// # Errors
    /// It is none, or not any more.
    pub fn by_link(&self, link: &str) -> Result<Grant, Problem> {
        let grant = Token::parse(link).and_then(|token| self.links.take(&token, Instant::now()));
        grant.ok_or_else(|| {
            let detail =
                "This link was used before, or is too old, or is not whole. `bridge32 sign-in` prints a new one.";
            Problem::new(Code::SignInFailed, detail)
        })
    }

    /// Looks at a password that came from that address.
    ///
    /// # Errors
    /// It is wrong, or there were too many wrong ones.
    pub async fn by_password(&self, given: String, address: IpAddr) -> Result<Grant, Problem> {
        let password = self.password.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(password) = password else {
            let detail = "No password is configured. `bridge32 sign-in` prints a link that signs in.";
            return Err(Problem::new(Code::SignInFailed, detail));
        };
        let _turn = self.waiting.try_acquire().map_err(|_| locked(1, "Many passwords are being looked at"))?;
        self.lockout.attempt(address, Instant::now()).map_err(|wait| {
            let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
            locked(seconds, "There were too many wrong passwords")
        })?;
        let permit = Arc::clone(&self.verifying).acquire_owned().await.map_err(Problem::internal)?;
        let look = move || {
            // Held until it is done, even if nobody waits for the answer any more.
            let _permit = permit;
            password.is(&given)
        };
        if !tokio::task::spawn_blocking(look).await.map_err(Problem::internal)? {
            tracing::warn!(%address, "somebody gave a wrong password");
            return Err(Problem::new(Code::SignInFailed, "That is not the password."));
        }
        self.lockout.forgive(address, Instant::now());
        Ok(Grant::everything(ADMIN))
    }

    /// Begins a session, and gives the header that lets the browser have it. What the browser had before ends: an id that
    /// somebody else has put there is not made good.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn enter(&self, grant: Grant, headers: &HeaderMap, jar: Jar) -> Result<HeaderValue, Problem> {
        self.end(headers, jar);
        tracing::info!(owner = grant.owner, "somebody signed in");
        let id = self.store.begin(grant, jar.user(), Instant::now())?;
        jar.set(Purpose::Session, &id)
    }

    /// Ends the session of a request, and gives the header that lets the browser forget it.
    ///
    /// # Errors
    /// None.
    pub fn leave(&self, headers: &HeaderMap, jar: Jar) -> Result<HeaderValue, Problem> {
        self.end(headers, jar);
        jar.clear(Purpose::Session)
    }

    fn end(&self, headers: &HeaderMap, jar: Jar) {
        let now = Instant::now();
        jar.read(headers, Purpose::Session).iter().for_each(|id| self.store.end(id, now));
    }

    /// The session of a request. Where the cookies name several, somebody has added one: then none counts.
    pub fn find(&self, auth: &Auth, headers: &HeaderMap, jar: Jar) -> Option<Arc<Session>> {
        let now = Instant::now();
        let ids = jar.read(headers, Purpose::Session);
        let live = |id| {
            let session = self.store.find(id, now).filter(|session| session.is_of(|| jar.user()))?;
            if auth.honours(&session.grant) {
                return Some(session);
            }
            // For good: a key that comes back under the same name brings nobody back.
            self.store.end(id, now);
            None
        };
        let mut found = ids.iter().filter_map(live);
        let session = found.next()?;
        found.all(|other| Arc::ptr_eq(&other, &session)).then_some(session)
    }

    /// The session that a request is made with; `None` where it is signed or has no session's cookie.
    ///
    /// # Errors
    /// The session has ended, or a page of another site uses it.
    pub fn of_request(&self, auth: &Auth, parts: &Parts) -> Result<Option<Arc<Session>>, Problem> {
        let jar = Jar::of(&parts.headers, &parts.extensions);
        if parts.headers.contains_key("signature-input") || jar.read(&parts.headers, Purpose::Session).is_empty() {
            return Ok(None);
        }
        let Some(session) = self.find(auth, &parts.headers, jar) else {
            return Err(Problem::new(Code::SessionEnded, "Your session has ended. Sign in again at /sign-in."));
        };
        csrf::check_origin(&parts.method, &parts.headers)?;
        Ok(Some(session))
    }

    /// The token for the form of the sign-in, and the header with its cookie, unless the browser has one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn form(&self, headers: &HeaderMap, jar: Jar) -> Result<(Token, Option<HeaderValue>), Problem> {
        if let [cookie] = &jar.read(headers, Purpose::Form)[..] {
            return Ok((csrf::of_form(cookie), None));
        }
        let cookie = Token::fresh()?;
        Ok((csrf::of_form(&cookie), Some(jar.set(Purpose::Form, &cookie)?)))
    }

    /// The form of the sign-in was sent by the browser that it was shown to, and from our own page.
    ///
    /// # Errors
    /// It was not.
    pub fn check_form(&self, headers: &HeaderMap, jar: Jar, token: &str) -> Result<(), Problem> {
        csrf::check_origin(&Method::POST, headers)?;
        if jar.read(headers, Purpose::Form).iter().any(|cookie| csrf::of_form(cookie).is(token)) {
            return Ok(());
        }
        let detail = "This form is not the one that your browser was shown last, or your browser keeps no cookies. Nothing was \
                      done. Try again with the form below.";
        Err(Problem::new(Code::CsrfTokenInvalid, detail))
    }
}

impl Session {
    /// A request that changes something comes from a page of this session.
    ///
    /// # Errors
    /// It does not show that.
    pub fn check(&self, method: &Method, headers: &HeaderMap, body: &Bytes) -> Result<(), Problem> {
        csrf::check_token(self, method, headers, body)
    }
}

/// Whether a request came through TLS.
pub fn is_encrypted(extensions: &Extensions) -> bool {
    extensions.get::<Arrival>().is_some_and(|arrival| arrival.scheme == Scheme::Https)
}

/// The address that a request came from. Where that is not known, all are one: nobody gets more attempts for it.
pub fn sender(extensions: &Extensions) -> IpAddr {
    let known = extensions.get::<Arrival>().map(|arrival| arrival.client);
    known.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

fn locked(seconds: u32, why: &str) -> Problem {
    let detail = format!("{why}: try again in {seconds} s. A link (`bridge32 sign-in`) signs in without waiting.");
    Problem::new(Code::SignInLocked, detail).with_retry_after(seconds)
}

#[cfg(test)]
mod tests;
