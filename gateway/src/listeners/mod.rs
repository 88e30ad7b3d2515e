//! The sockets of a gateway: bound before anything is started, served until it stops.
//!
//! A client that is slow or silent gets no more than its time: for the handshake, for each head and between requests
//! ([`connection`]), for the body ([`pace`]), and for what of it nobody wants ([`leftover`]); and there is a limit to how
//! many are connected at all.

mod certificate;
mod connection;
mod leftover;
mod pace;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::auth::{Arrival, Hosts};
use crate::config::{Listen, Listeners, Scheme};
use crate::service::Service;

pub use certificate::{Certificate, CertificateError};
pub(crate) use pace::TooSlow;

/// How often somebody is told that there are too many connections.
const REMINDER: Duration = Duration::from_mins(1);

/// So many connections of agents, where they have a listener of their own: each of them holds one.
const AGENTS: usize = 512;

/// Why nobody listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The address cannot be had.
    #[error(
        "cannot listen on {address}: {source}. Another program may have the port; `listen` in the configuration sets it"
    )]
    Address {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// Sockets that are bound and not yet served.
#[derive(Debug)]
pub struct Sockets {
    clients: Vec<(Listen, TcpListener)>,
    /// For agents alone, if none of the others is one that they can use.
    own: Option<(Listen, TcpListener)>,
    for_agents: SocketAddr,
    certificate: Option<Arc<Certificate>>,
}

/// What is served to whom.
#[derive(Debug)]
pub struct Services {
    /// To clients, and to agents where they share a listener.
    pub clients: Service,
    /// To agents alone.
    pub agents: Service,
}

impl Sockets {
    /// Reads the certificate and binds every address.
    ///
    /// # Errors
    /// The certificate cannot be used, or an address cannot be had.
    pub async fn bind(config: &Listeners) -> Result<Self, ListenError> {
        let certificate = config.tls_in_use().map(Certificate::open).transpose()?.map(Arc::new);
        if let Some(certificate) = &certificate {
            certificate.warn();
        }
        let mut clients = Vec::new();
        for listen in &config.listen {
            clients.push(bind(*listen).await?);
        }
        let shared = clients.iter().find_map(|(listen, _)| listen.plain_loopback());
        let (for_agents, own) = if let Some(shared) = shared {
            (shared, None)
        } else {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let own = bind(Listen { scheme: Scheme::Http, address }).await?;
            (own.0.address, Some(own))
        };
        Ok(Self { clients, own, for_agents, certificate })
    }

    /// Where clients are answered, with the real ports.
    pub fn listen(&self) -> Vec<Listen> {
        self.clients.iter().map(|(listen, _)| *listen).collect()
    }

    /// Where agents register: in the clear, which never leaves the machine.
    pub const fn for_agents(&self) -> SocketAddr {
        self.for_agents
    }

    /// Answers until `stopping` says so, and then until every connection has ended.
    pub async fn serve(self, services: Services, config: &Listeners, stopping: watch::Receiver<bool>) {
        let acceptor = self.certificate.as_ref().map(Certificate::acceptor);
        let served = |(listen, socket): (Listen, TcpListener), service: &Service, limit: usize| Listener {
            socket,
            limit,
            slots: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            tls: acceptor.clone().filter(|_| listen.scheme == Scheme::Https),
            hosts: Hosts::of(listen, config),
            service: service.clone(),
        };
        let clients = self.clients.into_iter().map(|bound| served(bound, &services.clients, config.max_connections));
        let agents = self.own.into_iter().map(|bound| served(bound, &services.agents, AGENTS));
        let listeners: Vec<Listener> = clients.chain(agents).collect();
        let graceful = GracefulShutdown::new();
        let accepting = join_all(listeners.iter().map(|listener| listener.run(&graceful, stopping.clone())));
        match &self.certificate {
            None => drop(accepting.await),
            Some(certificate) => tokio::select! {
                _ = accepting => {}
                () = certificate.keep_current() => {}
            },
        }
        drop(listeners);
        graceful.shutdown().await;
    }
}

async fn bind(listen: Listen) -> Result<(Listen, TcpListener), ListenError> {
    let failed = |source| ListenError::Address { address: listen.address, source };
    let socket = TcpListener::bind(listen.address).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok((Listen { address, ..listen }, socket))
}

/// One socket, and what is served there.
struct Listener {
    socket: TcpListener,
    limit: usize,
    slots: Arc<Semaphore>,
    tls: Option<TlsAcceptor>,
    hosts: Hosts,
    service: Service,
}

impl Listener {
    /// Takes connections until the gateway stops.
    async fn run(&self, graceful: &GracefulShutdown, mut stopping: watch::Receiver<bool>) {
        let mut reminded = None;
        loop {
            let taken = tokio::select! {
                taken = self.take(&mut reminded) => taken,
                _ = stopping.wait_for(|stopping| *stopping) => return,
            };
            let Some((stream, peer, slot)) = taken else { continue };
            let arrival = Arrival::new(&self.hosts, peer);
            let (service, tls, watcher) = (self.service.clone(), self.tls.clone(), graceful.watcher());
            tokio::spawn(async move {
                connection::serve(stream, tls, arrival, service, watcher).await;
                drop(slot);
            });
        }
    }

    /// The next connection, once there is room for it; `None` if it went away.
    async fn take(&self, reminded: &mut Option<Instant>) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let slots = Arc::clone(&self.slots);
        if self.slots.available_permits() == 0 && reminded.is_none_or(|last| last.elapsed() > REMINDER) {
            *reminded = Some(Instant::now());
            let limit = self.limit;
            tracing::warn!(limit, "no more connections are taken until some end; `max_connections` sets the limit");
        }
        let slot = slots.acquire_owned().await.ok()?;
        match self.socket.accept().await {
            Ok((stream, peer)) => Some((stream, peer, slot)),
            Err(error) if is_of_connection(&error) => None,
            Err(error) => {
                // Mostly a lack of file descriptors, which passes when connections end.
                tracing::error!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_secs(1)).await;
                None
            }
        }
    }
}

/// Whether it was the client that went away.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
