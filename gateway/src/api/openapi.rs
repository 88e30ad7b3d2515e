//! `/openapi.json`: the contract of the control plane, with an operation for each function of each library.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use bridge32_protocol::target::Target;

use super::reply;
use crate::bridge::Bridge;
use crate::config::{AuthConfig, Config};
use crate::error::Problem;
use crate::interfaces::Declared;
use crate::libraries::Library;
use crate::openapi::cache::{self, Served};
use crate::openapi::{Part, Server, document};

/// The document, unless the client has it already.
///
/// # Errors
/// It could not be made.
pub async fn show(State(bridge): State<Arc<Bridge>>, headers: HeaderMap) -> Result<Response, Problem> {
    // Large headers take some time.
    let served = tokio::task::spawn_blocking(move || current(&bridge)).await.map_err(Problem::internal)?;
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags = [(ETAG, served.etag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
    if known.into_iter().any(|header| cache::matches(header, &served.etag)) {
        return Ok((StatusCode::NOT_MODIFIED, tags).into_response());
    }
    Ok((tags, reply::json(served.body.clone())).into_response())
}

fn current(bridge: &Bridge) -> Arc<Served> {
    let libraries: Vec<(&Library, Arc<Declared>)> =
        bridge.libraries.all().map(|library| (&**library, library.declared())).collect();
    bridge.openapi.get(libraries.iter().map(|(_, declared)| Arc::clone(declared)).collect(), || {
        let parts: Vec<Part> = libraries.iter().map(|(library, declared)| part(library, declared)).collect();
        document(&server(&bridge.config, bridge.address), &parts)
    })
}

/// A gateway as the document describes it.
pub fn server(config: &Config, address: SocketAddr) -> Server {
    Server { address: reachable(address).to_string(), signed: matches!(config.auth, AuthConfig::Hmac { .. }) }
}

/// Where a client on this machine reaches what listens there: all addresses together are none that can be called.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// A library as the document describes it.
pub fn part<'a>(library: &'a Library, declared: &'a Declared) -> Part<'a> {
    let file = library.config.file.display();
    Part {
        name: &library.name,
        file: file.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
        headers: declared.texts.iter().map(|text| text.name.clone()).collect(),
        header: &declared.header,
        target: library.target.unwrap_or(Target::Linux32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_an_address_that_can_be_called() {
        for (bound, named) in [
            ("0.0.0.0:8032", "127.0.0.1:8032"),
            ("[::]:8032", "[::1]:8032"),
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("[2001:db8::7]:80", "[2001:db8::7]:80"),
        ] {
            let address = bound.parse().expect("an address");
            assert_eq!(reachable(address).to_string(), named);
        }
    }
}
