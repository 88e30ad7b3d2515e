//! The cookies of the dashboard (RFC 6265bis): their names, what is read of them, and how they are set.
//!
//! A browser sends a host's cookies to all of its ports, and takes them from all of them. So the name has the port, and what
//! another program of this machine has set under it opens nothing: it is no id of a session, or several are there.

use axum::http::header::{COOKIE, HOST};
use axum::http::uri::Authority;
use axum::http::{Extensions, HeaderMap, HeaderValue};

use super::is_encrypted;
use super::token::Token;
use crate::auth::Arrival;
use crate::auth::peer::Peer;
use crate::error::Problem;

/// More bytes of cookies than these are not looked through.
const READ: usize = 16 << 10;

/// The names of one listener's cookies, as a browser knows it.
#[derive(Clone, Copy, Debug)]
pub struct Jar {
    port: u16,
    encrypted: bool,
    peer: Option<Peer>,
}

/// What a cookie is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The id of a session.
    Session,
    /// Shows that a form was sent by the browser that it was shown to, before anybody is signed in.
    Form,
}

impl Jar {
    /// The cookies of the listener at `port`.
    pub const fn new(port: u16, encrypted: bool) -> Self {
        Self { port, encrypted, peer: None }
    }

    /// The cookies of the listener whose name and port the request has in its `Host`, which has been checked.
    pub fn of(headers: &HeaderMap, extensions: &Extensions) -> Self {
        let encrypted = is_encrypted(extensions);
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let port = host.and_then(|host| host.port_u16()).unwrap_or(if encrypted { 443 } else { 80 });
        Self { peer: extensions.get::<Arrival>().and_then(Arrival::peer), ..Self::new(port, encrypted) }
    }

    /// Which user of this machine the browser is, if it is on this machine and that can be told.
    pub(super) fn user(self) -> Option<u32> {
        self.peer.and_then(Peer::user)
    }

    fn name(self, purpose: Purpose) -> String {
        // Browsers let nobody but this very host set such a name, and only with TLS.
        let prefix = if self.encrypted { "__Host-" } else { "" };
        let suffix = if purpose == Purpose::Form { "-form" } else { "" };
        format!("{prefix}bridge32-{}{suffix}", self.port)
    }

    /// The tokens of that purpose in a request.
    pub(super) fn read(self, headers: &HeaderMap, purpose: Purpose) -> Vec<Token> {
        let name = self.name(purpose);
        let lines = || headers.get_all(COOKIE).iter();
        if lines().map(HeaderValue::len).sum::<usize>() > READ {
            return Vec::new();
        }
        let pairs = lines().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
        let own = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(given, _)| *given == name);
        own.filter_map(|(_, value)| Token::parse(value)).collect()
    }

    /// The header that gives a browser a token, until it is closed.
    ///
    /// # Errors
    /// None: every token can stand in a header.
    pub(super) fn set(self, purpose: Purpose, token: &Token) -> Result<HeaderValue, Problem> {
        self.line(purpose, token.as_str(), "")
    }

    /// The header that takes a token away.
    ///
    /// # Errors
    /// None.
    pub(super) fn clear(self, purpose: Purpose) -> Result<HeaderValue, Problem> {
        self.line(purpose, "", "; Max-Age=0")
    }

    fn line(self, purpose: Purpose, value: &str, more: &str) -> Result<HeaderValue, Problem> {
        let secure = if self.encrypted { "; Secure" } else { "" };
        let line = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}", self.name(purpose));
        HeaderValue::try_from(line).map_err(Problem::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Jar = Jar::new(8032, false);

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, line.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_for_this_port_and_no_script_and_no_other_site() {
        let token = Token::fresh().unwrap();
        let text = token.as_str();
        let line = PLAIN.set(Purpose::Session, &token).unwrap();
        assert_eq!(line, format!("bridge32-8032={text}; Path=/; HttpOnly; SameSite=Strict").as_str());
        let line = Jar::new(443, true).set(Purpose::Form, &token).unwrap();
        let expected = format!("__Host-bridge32-443-form={text}; Path=/; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(line, expected.as_str());
        let line = PLAIN.clear(Purpose::Session).unwrap();
        assert!(
            line.to_str().unwrap().starts_with("bridge32-8032=; ") && line.to_str().unwrap().ends_with("Max-Age=0")
        );
    }

    #[test]
    fn the_port_is_the_one_that_the_browser_knows() {
        for (host, name) in [("127.0.0.1:8032", "8032"), ("[::1]:9", "9"), ("localhost", "80")] {
            let jar = Jar::of(&HeaderMap::from_iter([(HOST, host.parse().unwrap())]), &Extensions::new());
            assert_eq!(jar.name(Purpose::Session), format!("bridge32-{name}"));
        }
    }

    #[test]
    fn tokens_are_found_among_the_cookies_of_others() {
        let (one, other) = (Token::fresh().unwrap(), Token::fresh().unwrap());
        let (one, other) = (one.as_str(), other.as_str());
        let line =
            format!("a=b; bridge32-8032={one};c; bridge32-80={other}; bridge32-8032-form={other}; bridge32-8032=x");
        let found = PLAIN.read(&headers(&[&line, "bridge32-8032"]), Purpose::Session);
        assert_eq!(found.iter().map(Token::as_str).collect::<Vec<_>>(), [one]);
        let found = PLAIN.read(&headers(&[&line]), Purpose::Form);
        assert_eq!(found.iter().map(Token::as_str).collect::<Vec<_>>(), [other]);
        assert!(PLAIN.read(&headers(&[]), Purpose::Session).is_empty());
    }

    #[test]
    fn cookies_without_tls_do_not_count_with_it() {
        let line = PLAIN.set(Purpose::Session, &Token::fresh().unwrap()).unwrap();
        assert!(Jar::new(8032, true).read(&headers(&[line.to_str().unwrap()]), Purpose::Session).is_empty());
    }

    #[test]
    fn a_flood_of_cookies_is_not_looked_through() {
        let token = Token::fresh().unwrap();
        let line = format!("bridge32-8032={}; x={}", token.as_str(), "y".repeat(READ));
        assert!(PLAIN.read(&headers(&[&line]), Purpose::Session).is_empty());
    }
}
