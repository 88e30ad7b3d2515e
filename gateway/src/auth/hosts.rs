//! Which names the gateway answers to. A web page that makes its own name point here (DNS rebinding) uses another one.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::middleware::Next;
use axum::response::Response;

use crate::error::{Code, Problem};

/// The names of one listener: its address and `localhost`, with the port.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<[String]>);

impl Hosts {
    /// The names of a listener.
    pub fn of(address: SocketAddr) -> Self {
        let port = address.port();
        let mut names = vec![address.to_string(), format!("localhost:{port}")];
        if port == 80 {
            names.extend([address.to_string().trim_end_matches(":80").to_owned(), "localhost".to_owned()]);
        }
        Self(names.into())
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether a request is meant for this gateway and comes from a page of its own, if from a page at all.
    fn check(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<(), Problem> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|value| value.to_str().ok());
        if !host.is_some_and(|host| self.has(host)) || hosts.next().is_some() || !authority.is_none_or(|a| self.has(a))
        {
            let found = authority.or(host).unwrap_or("missing");
            let detail =
                format!("This gateway answers to {}; the Host of the request is {found}.", self.0.join(" and "));
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let foreign = headers.get_all(ORIGIN).iter().find(|origin| !self.is_own(origin.to_str().unwrap_or_default()));
        if foreign.is_some() {
            let detail = "This request comes from a web page of another site, which may not use the bridge.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        Ok(())
    }

    fn is_own(&self, origin: &str) -> bool {
        origin.strip_prefix("http://").is_some_and(|name| self.has(name))
    }
}

/// Refuses what is not meant for this gateway.
///
/// # Errors
/// The request names another host, or comes from a page of another site.
pub async fn check_host(State(hosts): State<Hosts>, request: Request, next: Next) -> Result<Response, Problem> {
    let authority = request.uri().authority().map(axum::http::uri::Authority::as_str);
    hosts.check(request.headers(), authority)?;
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&'static str, &'static str)]) -> bool {
        let hosts = Hosts::of("127.0.0.1:8032".parse().unwrap());
        let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        hosts.check(&headers, None).is_ok()
    }

    #[test]
    fn only_its_own_names_are_answered() {
        assert!(check(&[("host", "127.0.0.1:8032")]) && check(&[("host", "LOCALHOST:8032")]));
        for host in ["127.0.0.1", "127.0.0.1:80", "evil.example:8032", "localhost.:8032", ""] {
            assert!(!check(&[("host", host)]), "{host}");
        }
        assert!(!check(&[]) && !check(&[("host", "127.0.0.1:8032"), ("host", "evil.example")]));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        assert!(check(&[("host", "localhost:8032"), ("origin", "http://127.0.0.1:8032")]));
        for origin in ["null", "http://evil.example", "https://127.0.0.1:8032", "http://127.0.0.1:9"] {
            assert!(!check(&[("host", "localhost:8032"), ("origin", origin)]), "{origin}");
        }
    }
}
