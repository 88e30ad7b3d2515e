//! Agents that tests play: a server on loopback that answers what a test wants, and how the gateway sees it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::routing::get;
use bridge32_protocol::target::Target;
use bridge32_signature::{Key, Request, sign};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::agents::client::Client;
use crate::agents::{Agent, AgentSpec, Exit, Figures, Link, Registry, Reports};
use crate::config::RuntimeConfig;

/// An agent that nobody starts, whose reports are in `data`.
pub(crate) fn agent(data: &Path) -> Arc<Agent> {
    let runtime = RuntimeConfig {
        command: vec!["agent32".into()],
        env: BTreeMap::new(),
        paths: Some("Z:".into()),
        directory: data.into(),
    };
    let spec = AgentSpec {
        pool: "calc".into(),
        external: None,
        target: Target::Win32,
        runtime: Some(runtime),
        loads: Vec::new(),
        startup: Duration::from_secs(30),
        upkeep: Arc::default(),
    };
    let registry = Registry::new(&Arc::new(Reports::new(data)), Arc::new(crate::agents::Nobody));
    registry.add(spec, watch::Sender::new(())).expect("the gateway is not stopping")
}

/// A generation that answers as `router` says, and what tells the gateway that its process has ended.
pub(crate) async fn link(router: Router) -> (Arc<Link>, watch::Sender<Option<Exit>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
    let address = listener.local_addr().expect("it listens");
    let key = Arc::new(Key::new("calc", &[7; 32]).expect("a good key"));
    let prove = {
        let key = Arc::clone(&key);
        async move |target: Uri| proof(&key, &address.to_string(), &target.to_string())
    };
    tokio::spawn(axum::serve(listener, router.route("/proof", get(prove))).into_future());
    let (end, ended) = watch::channel(None);
    let client = Client::new(address, key);
    let (libraries, slots, changing) = (BTreeMap::new(), BTreeMap::new(), tokio::sync::Mutex::default());
    let figures = Arc::new(Figures::new(&Arc::default()));
    (Arc::new(Link { generation: 1, client, libraries, ended, slots, changing, figures, outputs: None }), end)
}

/// The headers by which an agent shows that it has the key.
fn proof(key: &Key, authority: &str, target: &str) -> HeaderMap {
    let request = Request { method: "PROOF", scheme: "http", authority, target };
    let signed = sign(key, &request, &[], Timestamp::now().as_second()).expect("there is a random source");
    let mut headers = HeaderMap::new();
    for (name, value) in signed.pairs() {
        headers.insert(name, HeaderValue::from_str(value).expect("it is printable"));
    }
    headers
}
