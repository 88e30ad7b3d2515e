//! Who is answered: by names, and by what browsers say of the pages that ask.

use axum::body::Body;

use super::*;
use crate::config::load;

/// The names of the first listener of a configuration.
pub(in crate::auth) fn hosts(config: &str) -> Hosts {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge32.toml");
    std::fs::write(&file, config).unwrap();
    let listeners = load(&file, []).unwrap().config.listeners;
    Hosts::of(listeners.listen[0], &listeners)
}

const LOOPBACK: &str = "";
const EVERYWHERE: &str = "listen='https://0.0.0.0:8443'\ntls={certificate='c', key='k'}";
const NAMED: &str = "behind_proxy=true\npublic_urls='https://b.example'\ncors_origins='https://app.example'";

fn asked(config: &str, method: &str, target: &str, pairs: &[(&'static str, &'static str)]) -> Option<Page> {
    let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    hosts(config).check(&method.parse().unwrap(), &target.parse().unwrap(), &headers).ok()
}

fn check(config: &str, pairs: &[(&'static str, &'static str)]) -> Option<Page> {
    asked(config, "POST", "/v1/libraries", pairs)
}

#[track_caller]
fn has(config: &str, host: &'static str, expected: bool) {
    assert_eq!(check(config, &[("host", host)]).is_some(), expected, "{host:?}");
}

#[test]
fn only_its_own_names_are_answered() {
    for host in ["127.0.0.1:8032", "LOCALHOST:8032"] {
        has(LOOPBACK, host, true);
    }
    for host in [
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.2:8032",
        "127.1:8032",
        "evil.example:8032",
        "localhost.:8032",
        "localhost:8032:8032",
        "localhost:",
        "x@localhost:8032",
        "",
    ] {
        has(LOOPBACK, host, false);
    }
    assert_eq!(check(LOOPBACK, &[]), None);
    assert_eq!(check(LOOPBACK, &[("host", "127.0.0.1:8032"), ("host", "evil.example")]), None);
    assert_eq!(asked(LOOPBACK, "GET", "http://evil.example/", &[("host", "127.0.0.1:8032")]), None);
}

#[test]
fn a_listener_on_all_addresses_answers_to_addresses_and_not_to_names() {
    for host in ["192.0.2.7:8443", "[2001:db8::1]:8443", "127.0.0.1:8443", "localhost:8443"] {
        has(EVERYWHERE, host, true);
    }
    for host in ["evil.example:8443", "192.0.2.7", "192.0.2.7:8032", "192.0.2.7.evil.example:8443", "0xc0000207:8443"] {
        has(EVERYWHERE, host, false);
    }
    has("listen='https://0.0.0.0:443'\ntls={certificate='c', key='k'}", "192.0.2.7", true);
}

#[test]
fn a_listener_of_one_address_is_not_localhost() {
    let config = "listen='https://192.0.2.7:443'\ntls={certificate='c', key='k'}";
    has(config, "192.0.2.7", true);
    has(config, "192.0.2.7:443", true);
    has(config, "localhost", false);
    has(config, "127.0.0.1", false);
}

#[test]
fn public_urls_are_further_names() {
    for host in ["b.example", "B.EXAMPLE:443", "127.0.0.1:8032"] {
        has(NAMED, host, true);
    }
    for host in ["b.example:80", "b.example.evil.example", "a.b.example"] {
        has(NAMED, host, false);
    }
}

#[test]
fn pages_of_other_sites_are_refused() {
    let from = |origin: &'static str| check(LOOPBACK, &[("host", "localhost:8032"), ("origin", origin)]);
    for origin in ["http://127.0.0.1:8032", "http://localhost:8032"] {
        assert_eq!(from(origin), Some(Page::Own), "{origin}");
    }
    for origin in
        ["null", "http://evil.example", "https://127.0.0.1:8032", "http://127.0.0.1:9", "http://localhost", "", "*"]
    {
        assert_eq!(from(origin), None, "{origin}");
    }
    let two = [("host", "localhost:8032"), ("origin", "http://localhost:8032"), ("origin", "http://localhost:8032")];
    assert_eq!(check(LOOPBACK, &two), None);
}

#[test]
fn the_page_of_another_machine_at_the_same_port_is_another_site() {
    let from = |origin| check(EVERYWHERE, &[("host", "192.0.2.7:8443"), ("origin", origin)]);
    assert_eq!(from("https://192.0.2.7:8443"), Some(Page::Own));
    assert_eq!(from("https://198.51.100.66:8443"), None);
    assert_eq!(from("http://192.0.2.7:8443"), None);
}

#[test]
fn configured_sites_may_ask() {
    let from =
        |origin| check(NAMED, &[("host", "127.0.0.1:8032"), ("origin", origin), ("sec-fetch-site", "cross-site")]);
    assert_eq!(from("https://app.example"), Some(Page::Allowed));
    assert_eq!(from("https://b.example"), Some(Page::Own));
    for origin in ["http://app.example", "https://app.example:8443", "https://app.example.evil.example", "null"] {
        assert_eq!(from(origin), None, "{origin}");
    }
}

#[test]
fn browsers_say_where_a_request_without_an_origin_comes_from() {
    let site = |site| check(LOOPBACK, &[("host", "localhost:8032"), ("sec-fetch-site", site)]);
    assert_eq!((site("same-origin"), site("none")), (Some(Page::Own), Some(Page::Own)));
    // Another port of this machine is the same site.
    for other in ["same-site", "cross-site", "", "same-origin, none"] {
        assert_eq!(site(other), None, "{other}");
    }
    let doubled = [("host", "localhost:8032"), ("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")];
    assert_eq!(check(LOOPBACK, &doubled), None);
    let null = |site| check(LOOPBACK, &[("host", "localhost:8032"), ("origin", "null"), ("sec-fetch-site", site)]);
    assert_eq!((null("same-origin"), null("cross-site")), (Some(Page::Own), None));
}

#[test]
fn a_link_may_lead_to_a_page_and_nowhere_else() {
    let followed = |method: &str, target: &str, mode| {
        let headers = [("host", "localhost:8032"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", mode)];
        asked(LOOPBACK, method, target, &headers).is_some()
    };
    for page in ["/", "/sign-in?link=x", "/docs"] {
        assert!(followed("GET", page, "navigate"), "{page}");
        assert!(!followed("GET", page, "no-cors") && !followed("POST", page, "navigate"), "{page}");
    }
    assert!(!followed("GET", "/v1/libraries", "navigate"));
}

/// The cookie that a handler sees.
fn cookie_seen(origin: &str) -> String {
    let request = Request::builder().header(HOST, "127.0.0.1:8032").header(ORIGIN, origin).header(COOKIE, "a=b");
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(Arrival::new(&hosts(NAMED), "127.0.0.1:1".parse().unwrap()));
    check_host(&mut request).unwrap();
    request.headers().get(COOKIE).map(|cookie| cookie.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn cookies_are_not_taken_from_configured_sites() {
    assert_eq!(cookie_seen("https://app.example"), "");
    assert_eq!(cookie_seen("https://b.example"), "a=b");
}
