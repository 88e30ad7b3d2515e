//! The gateway that runs already: which libraries it has, and how they fare. It is asked, and nothing else is done to it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use bridge32_signature::Key;
use serde_json::Value;

use super::finding::Findings;
use crate::auth::Need;
use crate::auth::keys;
use crate::cli::client;
use crate::config::{AuthConfig, Config};

/// Whoever does not answer in this time is no gateway that works.
const PATIENCE: Duration = Duration::from_secs(3);
/// Far more than the answers take.
const MAX_ANSWER: u64 = 4 << 20;

/// A gateway that runs.
#[derive(Debug)]
pub(super) struct Gateway {
    /// The state of each of its libraries by name; `None` if it could not be asked.
    pub(super) libraries: Option<BTreeMap<String, String>>,
}

/// Asks what listens there; `None` if it does not answer as a gateway does.
pub(super) fn ask(address: SocketAddr) -> Option<Gateway> {
    let address = reachable(address);
    let health = get(address, "/healthz")?;
    if health["status"] != "ok" || !health["version"].is_string() {
        return None;
    }
    let libraries = get(address, "/readyz").and_then(|answer| {
        let state = |(name, state): (&String, &Value)| Some((name.clone(), state.as_str()?.to_owned()));
        answer["libraries"].as_object()?.iter().map(state).collect()
    });
    Some(Gateway { libraries })
}

/// All addresses together are none that can be called.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// The JSON that somebody who may be no gateway at all answers, if it does so in time.
fn get(address: SocketAddr, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    // HTTP/1.0: the answer is one piece, and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).ok()?;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    serde_json::from_slice(&answer[head + 4..]).ok()
}

/// Tells how the libraries fare there.
pub(super) fn examine(config: &Config, gateway: &Gateway, findings: &mut Findings) {
    let details = details(config);
    let of_details = || {
        let state = |(name, detail): (&String, &Value)| Some((name.clone(), detail["state"].as_str()?.to_owned()));
        details.as_ref().map(|details| details.iter().filter_map(state).collect())
    };
    let Some(states) = gateway.libraries.clone().or_else(of_details) else {
        let found = "it could not be asked how its libraries fare";
        findings.note("running gateway", found).remedy("bridge32 call, or its dashboard, shows them");
        return;
    };
    same_libraries(config, &states, findings);
    let details = details.unwrap_or_default();
    for (name, state) in states.iter().filter(|(name, _)| config.libraries.contains_key(*name)) {
        let detail = details.get(name);
        let reason = detail.and_then(|detail| detail["reason"].as_str());
        let reason = reason.map_or_else(|| "a key with the scope `read` is told why".to_owned(), str::to_owned);
        let subject = format!("library `{name}`");
        let restart = format!("when the cause is mended: bridge32 reload {name}");
        match state.as_str() {
            "ready" => match detail.and_then(|detail| detail["loaded_file"]["on_disk"].as_str()) {
                Some("changed") => {
                    let found = "is ready, but another file lies on the disk now than the one that is loaded";
                    let remedy = format!("to load the new one: bridge32 reload {name}");
                    findings.warning(subject, found).remedy(remedy).see("docs/loading.md#which-file-it-was");
                }
                _ => findings.ok(subject, "is ready in the gateway that runs"),
            },
            "idle" => findings.ok(subject, "is loaded by the next call"),
            "starting" => {
                let found = format!("the gateway that runs is still starting its agent: {reason}");
                findings.warning(subject, found).remedy("wait a moment, and look again");
            }
            other => {
                let found = format!("is `{other}` in the gateway that runs: {reason}");
                findings.problem(subject, found).remedy(restart).see("docs/loading.md");
            }
        }
    }
}

/// A gateway reads its configuration when it starts: the file may say something else by now.
fn same_libraries(config: &Config, states: &BTreeMap<String, String>, findings: &mut Findings) {
    let missing: Vec<&str> =
        config.libraries.keys().map(String::as_str).filter(|name| !states.contains_key(*name)).collect();
    let more: Vec<&str> =
        states.keys().map(String::as_str).filter(|name| !config.libraries.contains_key(*name)).collect();
    let said = |names: Vec<&str>, what: &str| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
    let parts = [said(missing, "it lacks"), said(more, "it also has")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        let found = format!(
            "has other libraries than {} ({}): it was started with another configuration, or with an earlier state of this one",
            config.file.display(),
            parts.join("; ")
        );
        findings.warning("running gateway", found).remedy("start it again with this configuration");
    }
}

/// What the gateway says of its libraries to somebody with a key that may read.
fn details(config: &Config) -> Option<BTreeMap<String, Value>> {
    let key = match &config.auth {
        AuthConfig::Off => None,
        AuthConfig::Hmac { keys_file } => Some(reader(keys_file)?),
    };
    let url = config.listeners.local_url()?.to_string();
    let trusted = config.listeners.tls_in_use().map(|tls| tls.certificate.clone());
    let (answered, answer) = mpsc::channel();
    // In a thread of its own: one that never answers must not hold this up.
    std::thread::spawn(move || {
        let ask = |trusted: Option<&Path>| {
            client::Gateway::new(&url, key.clone(), trusted).and_then(|gateway| gateway.get("/v1/libraries"))
        };
        // Its own certificate if that is its own issuer, else those that this machine trusts.
        let answer = trusted.as_deref().map(|file| ask(Some(file))).and_then(Result::ok);
        // Nobody may wait any more.
        let _ = answered.send(answer.or_else(|| ask(None).ok()));
    });
    let (_, body) = answer.recv_timeout(PATIENCE).ok()??;
    let mut body: Value = serde_json::from_slice(&body).ok()?;
    let Value::Array(libraries) = body["libraries"].take() else { return None };
    Some(libraries.into_iter().filter_map(|each| Some((each["name"].as_str()?.to_owned(), each))).collect())
}

/// A key that may read.
fn reader(keys_file: &Path) -> Option<Key> {
    let entries = keys::read(keys_file).ok()?;
    let may = |entry: &keys::Entry| !entry.is_over() && entry.scopes.allow(Need::Read, "", "").is_ok();
    entries.into_iter().find(may).map(|entry| entry.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_answer_as_a_gateway_does_is_none() {
        for answer in ["HTTP/1.0 200 OK\r\n\r\nhello", "HTTP/1.0 200 OK\r\n\r\n{\"status\":\"ok\"}", "", "\r\n\r\n[]"] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 1000]);
                stream.write_all(answer.as_bytes()).unwrap();
            });
            assert!(ask(address).is_none(), "{answer}");
            server.join().unwrap();
        }
    }
}
