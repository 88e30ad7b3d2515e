//! What a request's connection says of it: how it travelled, who is at the other end, and by which names it may ask.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::HOST;
use axum::http::{HeaderMap, Request};
use tokio::time::Instant;

use super::hosts::Hosts;
use super::peer::Peer;
use crate::config::Scheme;

/// Where a request came in. Every request carries it as an extension.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// How the client speaks: with a proxy in front, how it speaks to that.
    pub scheme: Scheme,
    /// Who asks: with a proxy in front, whom that says it asks for.
    pub client: IpAddr,
    /// When its head was there.
    pub at: Instant,
    peer: SocketAddr,
    pub(super) hosts: Hosts,
}

impl Arrival {
    /// What is known once a connection is there.
    pub fn new(hosts: &Hosts, peer: SocketAddr) -> Self {
        Self {
            scheme: hosts.scheme(),
            client: peer.ip().to_canonical(),
            at: Instant::now(),
            peer,
            hosts: hosts.clone(),
        }
    }

    /// The ends of the connection, for what is known of the user at the other one; a proxy's user says nothing.
    pub(super) fn peer(&self) -> Option<Peer> {
        (!self.hosts.behind_proxy()).then(|| Peer { client: self.peer, port: self.hosts.port() })
    }

    /// The same with what a proxy says, which is believed only if the configuration says that there is one.
    ///
    /// A scheme that no header gives is that of the public URL which the `Host` names.
    fn seen_through_proxy(mut self, headers: &HeaderMap, host: &str) -> Self {
        if self.scheme == Scheme::Http {
            let forwarded = self.forwarded(headers, "x-forwarded-proto");
            let secure = forwarded.map(|scheme| scheme.eq_ignore_ascii_case(Scheme::Https.name()));
            if secure.unwrap_or_else(|| self.hosts.is_https_elsewhere(host)) {
                self.scheme = Scheme::Https;
            }
        }
        let client = self.forwarded(headers, "x-forwarded-for").and_then(address);
        self.client = client.unwrap_or(self.client);
        self
    }

    /// The last value of a list: what stands before it came from whoever asked the proxy.
    fn forwarded<'h>(&self, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        let last = headers.get_all(name).iter().next_back().filter(|_| self.hosts.behind_proxy())?;
        last.to_str().ok()?.rsplit(',').next().map(str::trim)
    }
}

/// Has the request's [`Arrival`] say what a proxy knows.
pub fn note_arrival<B>(request: &mut Request<B>) {
    if let Some(arrival) = request.extensions_mut().remove::<Arrival>() {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        // The connection may be an old one.
        let arrival = Arrival { at: Instant::now(), ..arrival.seen_through_proxy(request.headers(), host) };
        request.extensions_mut().insert(arrival);
    }
}

/// An address as proxies write it, some with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.trim_matches(['[', ']']).parse().ok();
    text.parse::<SocketAddr>().ok().map(|address| address.ip()).or_else(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::hosts::tests::hosts;

    fn seen(config: &str, pairs: &[(&'static str, &'static str)]) -> (Scheme, String) {
        let headers: HeaderMap =
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let host = headers.get("host").map_or("127.0.0.1:8032", |host| host.to_str().unwrap());
        let arrival = Arrival::new(&hosts(config), "192.0.2.1:1".parse().unwrap());
        let arrival = arrival.seen_through_proxy(&headers, host);
        (arrival.scheme, arrival.client.to_string())
    }

    const PROXY: &str = "behind_proxy=true\npublic_urls='https://b.example'";

    #[test]
    fn a_proxys_word_counts_only_where_there_is_one() {
        let said = [("x-forwarded-proto", "https"), ("x-forwarded-for", "198.51.100.9, 198.51.100.7")];
        assert_eq!(seen(PROXY, &said), (Scheme::Https, "198.51.100.7".to_owned()));
        assert_eq!(seen("", &said), (Scheme::Http, "192.0.2.1".to_owned()));
    }

    #[test]
    fn a_public_name_says_how_its_clients_speak() {
        assert_eq!(seen(PROXY, &[("host", "b.example")]).0, Scheme::Https);
        assert_eq!(seen(PROXY, &[]).0, Scheme::Http);
        assert_eq!(seen(PROXY, &[("host", "b.example"), ("x-forwarded-proto", "http")]).0, Scheme::Http);
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (written, read) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]:80", "2001:db8::7"),
            ("unknown", "192.0.2.1"),
        ] {
            assert_eq!(seen(PROXY, &[("x-forwarded-for", written)]).1, read);
        }
    }
}
