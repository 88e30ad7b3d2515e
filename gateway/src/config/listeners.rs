//! Where a gateway listens, and by which names it is reached: addresses, TLS, public names, and whose web pages may ask it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use http::uri::Authority;

use super::document::{Document, OneOrMany, TlsDocument};
use super::{AuthConfig, ConfigError, Context};

const DEFAULT_LISTEN: &str = "127.0.0.1:8032";
/// Below the 1024 open files that many systems allow a process.
const DEFAULT_MAX_CONNECTIONS: usize = 512;

/// The keys of the top level that say where and to whom a gateway answers.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// Where it listens: at least one, none twice.
    pub listen: Vec<Listen>,
    /// The certificate of the listeners with TLS; always there if there is one.
    pub tls: Option<TlsConfig>,
    /// Further names by which clients reach it.
    pub public_urls: Vec<Origin>,
    /// Only a proxy reaches the plain listeners, so that they need not be on loopback and its headers are believed.
    pub behind_proxy: bool,
    /// Whose web pages may use the API.
    pub cors_origins: Vec<Origin>,
    /// So many connections are open at a time, for each listener.
    pub max_connections: usize,
}

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What is spoken there.
    pub scheme: Scheme,
    /// The address; port 0 lets the system choose.
    pub address: SocketAddr,
}

/// How requests travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// As plain text.
    Http,
    /// Inside TLS.
    Https,
}

/// The files of the `[tls]` table.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// The certificate and those that lead to its root, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// A scheme and an authority: what a URL begins with, and what a browser calls the origin of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The scheme.
    pub scheme: Scheme,
    /// Host and port in lower case; without the port if it is the scheme's own.
    pub authority: String,
}

impl Scheme {
    /// As it stands in a URL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of URLs that have none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| scheme.name() == name)
    }
}

impl Listen {
    /// The address of a plain listener on loopback, where TLS has nothing to protect.
    pub fn plain_loopback(&self) -> Option<SocketAddr> {
        (self.scheme == Scheme::Http && self.address.ip().is_loopback()).then_some(self.address)
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, address) = text.split_once("://").unwrap_or(("http", text));
        let (scheme, address) = (Scheme::parse(scheme)?, address.strip_suffix('/').unwrap_or(address));
        Some(Self { scheme, address: address.parse().ok()? })
    }

    /// The URL by which a client on this machine reaches it: all addresses together are none that can be called.
    fn origin(&self) -> Origin {
        let mut address = self.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
        Origin::new(self.scheme, &address.to_string())
    }
}

/// As it stands in the configuration.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Http => self.address.fmt(f),
            Scheme::Https => write!(f, "https://{}", self.address),
        }
    }
}

impl Origin {
    pub(crate) fn new(scheme: Scheme, authority: &str) -> Self {
        let authority = authority.to_ascii_lowercase();
        let suffix = format!(":{}", scheme.default_port());
        let authority = authority.strip_suffix(&suffix).unwrap_or(&authority).to_owned();
        Self { scheme, authority }
    }

    /// Reads `https://bridge.example.com:8443`; `None` for anything that has more to it, or less.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = Scheme::parse(&scheme.to_ascii_lowercase())?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, _) = host_and_port(authority, scheme)?;
        (!host.is_empty() && !host.contains('*')).then(|| Self::new(scheme, authority))
    }

    /// Whether a `Host` header means it, with or without the scheme's own port.
    pub fn has_authority(&self, host: &str) -> bool {
        Self::new(self.scheme, host).authority == self.authority
    }
}

/// The two parts of a `Host` header, or of a URL's authority, that has nobody's name before them. Without a port it is the
/// scheme's own.
pub(crate) fn host_and_port(authority: &str, scheme: Scheme) -> Option<(&str, u16)> {
    let parsed: Authority = authority.parse().ok()?;
    let rest = authority.strip_prefix(parsed.host())?;
    let host = &authority[..authority.len() - rest.len()];
    match rest.strip_prefix(':') {
        Some(port) => Some((host, port.parse().ok()?)),
        None => rest.is_empty().then_some((host, scheme.default_port())),
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.authority)
    }
}

impl Listeners {
    /// The URLs by which clients reach the gateway: the names that it has been given, then its addresses.
    pub fn urls(&self) -> Vec<Origin> {
        self.public_urls.iter().cloned().chain(self.listen.iter().map(Listen::origin)).collect()
    }

    /// The URL for clients on the same machine.
    pub fn local_url(&self) -> Option<Origin> {
        let plain = self.listen.iter().find(|listen| listen.plain_loopback().is_some());
        plain.map(Listen::origin).or_else(|| self.urls().into_iter().next())
    }

    /// The files of the certificate, if a listener needs them.
    pub fn tls_in_use(&self) -> Option<&TlsConfig> {
        let used = self.listen.iter().any(|listen| listen.scheme == Scheme::Https);
        self.tls.as_ref().filter(|_| used)
    }

    /// What is allowed, and probably not meant.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.tls.is_some() && self.tls_in_use().is_none() {
            remarks.push("tls: no listener uses it: write \"https://…\" in `listen`".to_owned());
        }
        if self.behind_proxy && self.public_urls.is_empty() {
            let text = "behind_proxy: without `public_urls` requests are refused whose Host is the proxy's name";
            remarks.push(text.to_owned());
        }
        remarks
    }
}

impl Context<'_> {
    /// What a document says of listeners, and whether that is safe.
    pub(super) fn listeners(&self, document: &Document, auth: &AuthConfig) -> Result<Listeners, ConfigError> {
        let listeners = Listeners {
            listen: self.listen(document.listen.as_ref())?,
            tls: self.tls(&document.tls)?,
            public_urls: self.origins("public_urls", document.public_urls.as_ref())?,
            behind_proxy: document.behind_proxy.unwrap_or_default(),
            cors_origins: self.origins("cors_origins", document.cors_origins.as_ref())?,
            max_connections: document.max_connections.unwrap_or(DEFAULT_MAX_CONNECTIONS),
        };
        if listeners.max_connections == 0 {
            return Err(self.wrong("max_connections", "0 would answer nobody"));
        }
        self.authenticated(&listeners, auth)?;
        self.protected(&listeners)?;
        Ok(listeners)
    }

    fn listen(&self, written: Option<&OneOrMany<String>>) -> Result<Vec<Listen>, ConfigError> {
        let default = [DEFAULT_LISTEN.to_owned()];
        let mut found: Vec<Listen> = Vec::new();
        for text in written.map_or(&default[..], OneOrMany::as_slice) {
            let listen = Listen::parse(text).ok_or_else(|| {
                let shape = format!("such as {DEFAULT_LISTEN}, or https://0.0.0.0:8443 for TLS; names do not count");
                self.wrong("listen", format!("`{text}` is not an address and a port, {shape}"))
            })?;
            let twice = found.iter().any(|known| known.address == listen.address);
            if twice && listen.address.port() != 0 {
                return Err(self.wrong("listen", format!("{} is there twice", listen.address)));
            }
            found.push(listen);
        }
        if found.is_empty() {
            return Err(self.wrong("listen", "is an empty list: nobody could reach the gateway"));
        }
        Ok(found)
    }

    fn tls(&self, table: &TlsDocument) -> Result<Option<TlsConfig>, ConfigError> {
        match (table.certificate.clone(), table.key.clone()) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(TlsConfig { certificate, key })),
            (None, Some(_)) => Err(self.wrong("tls.certificate", "is missing: the PEM file of the certificate")),
            (Some(_), None) => Err(self.wrong("tls.key", "is missing: the PEM file of the certificate's private key")),
        }
    }

    fn origins(&self, key: &str, written: Option<&OneOrMany<String>>) -> Result<Vec<Origin>, ConfigError> {
        let read = |text: &String| {
            Origin::parse(text).ok_or_else(|| {
                let shape = "a scheme, a host and at most a port, such as \"https://bridge.example.com\"";
                self.wrong(key, format!("`{text}` is not {shape}; there are no wildcards"))
            })
        };
        written.map_or(&[][..], OneOrMany::as_slice).iter().map(read).collect()
    }

    /// Nothing travels in the clear between machines, as far as the gateway can tell.
    fn protected(&self, listeners: &Listeners) -> Result<(), ConfigError> {
        for listen in &listeners.listen {
            let exposed = !listen.address.ip().is_loopback();
            match listen.scheme {
                Scheme::Https if listeners.tls.is_none() => {
                    let text = "needs a certificate: [tls] certificate = \"cert.pem\" and key = \"key.pem\"";
                    return Err(self.wrong("listen", format!("{listen} {text}")));
                }
                Scheme::Http if exposed && !listeners.behind_proxy => {
                    let text = format!(
                        "{listen} can be reached from other machines, and bridge32 runs native code for its callers: write \
                         \"https://{listen}\" with a certificate in [tls], or behind_proxy = true if a proxy that speaks TLS \
                         is all that reaches it; loopback addresses (127.0.0.1, [::1]) need neither"
                    );
                    return Err(self.wrong("listen", text));
                }
                Scheme::Http | Scheme::Https => {}
            }
        }
        Ok(())
    }

    /// Without signatures whoever reaches a listener runs native code: then nobody else may reach it.
    fn authenticated(&self, listeners: &Listeners, auth: &AuthConfig) -> Result<(), ConfigError> {
        let AuthConfig::Off = auth else { return Ok(()) };
        let exposed = listeners.listen.iter().find(|listen| !listen.address.ip().is_loopback());
        let why = match (exposed, listeners.public_urls.first()) {
            (Some(listen), _) => format!("{listen} can be reached from other machines"),
            (None, _) if listeners.behind_proxy => "behind_proxy says that a proxy lets others in".to_owned(),
            (None, Some(url)) => format!("public_urls says that others come by {url}"),
            (None, None) => return Ok(()),
        };
        let remedy = "use mode = \"hmac\" and keys, or listen on loopback alone (127.0.0.1, [::1])";
        Err(self.wrong("auth.mode", format!("\"off\" lets everybody run native code, and {why}: {remedy}")))
    }
}

#[cfg(test)]
mod tests;
