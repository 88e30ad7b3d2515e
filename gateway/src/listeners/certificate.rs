//! The certificate of the listeners with TLS, and its successors: the files are read again when they change.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, CertificateError as Refusal, RootCertStore, ServerConfig};

use crate::config::TlsConfig;
use crate::private::{self, Exposure};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Somebody is told this long before a certificate ends.
const NOTICE: Duration = Duration::from_hours(14 * 24);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{key}: cannot read {}: {source}", file.display())]
    Unreadable {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others can read the private key.
    #[error("tls.key: {} can be read by others ({who}): {}", file.display(), private::close_file(file))]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Who can.
        who: Exposure,
    },
    /// A file does not hold what it should.
    #[error("{key}: {} is not what is expected: {message}", file.display())]
    Invalid {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// A certificate that is in use.
pub struct Certificate {
    files: TlsConfig,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
    /// Of the files that the first one was read from.
    first: Stamp,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads it.
    ///
    /// # Errors
    /// A file cannot be read, others can read the key, or the two do not belong together.
    pub fn open(files: &TlsConfig) -> Result<Self, CertificateError> {
        let provider = Arc::new(ring::default_provider());
        let first = Stamp::of(files);
        let current = RwLock::new(Arc::new(read(files, &provider)?));
        Ok(Self { files: files.clone(), provider, current, first })
    }

    /// What clients hold against it, or soon will, in words. Whether they trust its root is theirs to know.
    pub fn doubt(&self) -> Option<String> {
        let certified = self.now();
        let leaf = ParsedCertificate::try_from(certified.end_entity_cert().ok()?).ok()?;
        let at = |time: Duration| {
            let (nobody, algorithms) = (RootCertStore::empty(), self.provider.signature_verification_algorithms.all);
            let time = UnixTime::since_unix_epoch(time);
            // Without roots nothing is trusted; what comes first is wrong for everybody.
            match verify_server_cert_signed_by_trust_anchor(&leaf, &nobody, &[], time, algorithms) {
                Ok(()) | Err(rustls::Error::InvalidCertificate(Refusal::UnknownIssuer)) => None,
                Err(error) => Some(error),
            }
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let file = self.files.certificate.display();
        if let Some(error) = at(now) {
            return Some(format!("tls.certificate: clients refuse {file}: {error}{}", remedy(&error)));
        }
        let days = NOTICE.as_secs() / (24 * 3600);
        at(now + NOTICE).map(|_| format!("tls.certificate: {file} ends within {days} days"))
    }

    fn now(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Accepts connections with whatever certificate is current then.
    pub(super) fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let versions = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .expect("the provider has the cipher suites of TLS 1.2 and 1.3");
        let mut config = versions.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// Reads the files again whenever they have changed, and are not changing any more. Does not end.
    pub(super) async fn keep_current(&self) {
        let (mut read, mut seen) = (self.first.clone(), self.first.clone());
        loop {
            tokio::time::sleep(LOOK).await;
            let now = Stamp::of(&self.files);
            // The two are rarely replaced at the same moment.
            if now == seen && now != read {
                self.reload();
                read = now.clone();
            }
            seen = now;
        }
    }

    /// Tells the log what clients hold against it.
    pub(super) fn warn(&self) {
        if let Some(doubt) = self.doubt() {
            tracing::warn!("{doubt}");
        }
    }

    fn reload(&self) {
        let certificate = self.files.certificate.display();
        match self::read(&self.files, &self.provider) {
            Ok(read) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
                tracing::info!(%certificate, "the certificate was read again");
                self.warn();
            }
            Err(error) => tracing::error!(%error, "the certificate changed and cannot be used; the one before stays"),
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

/// What to do about a certificate that clients refuse, where the reason does not say it.
fn remedy(error: &rustls::Error) -> &'static str {
    let text = error.to_string();
    if text.contains("CaUsedAsEndEntity") {
        ". A server's certificate says CA:FALSE, see docs/listeners.md"
    } else {
        ""
    }
}

fn read(files: &TlsConfig, provider: &CryptoProvider) -> Result<CertifiedKey, CertificateError> {
    const CERTIFICATE: &str = "tls.certificate";
    const KEY: &str = "tls.key";
    let chain = open(CERTIFICATE, &files.certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| invalid(CERTIFICATE, &files.certificate, "it has no BEGIN CERTIFICATE of PEM"))?;
    match File::open(&files.key).and_then(|file| private::exposed(&file)) {
        Ok(None) => {}
        Ok(Some(who)) => return Err(CertificateError::Exposed { file: files.key.clone(), who }),
        Err(source) => return Err(unreadable(KEY, &files.key, source)),
    }
    let key = PrivateKeyDer::from_pem_slice(&open(KEY, &files.key)?).map_err(|error| {
        let what = match error {
            pem::Error::NoItemsFound => "it has no BEGIN PRIVATE KEY of PEM; one with a passphrase cannot be read",
            _ => "its PEM is damaged",
        };
        invalid(KEY, &files.key, what)
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            invalid(KEY, &files.key, &format!("it is not the key of {}", files.certificate.display()))
        }
        error => invalid(CERTIFICATE, &files.certificate, &error.to_string()),
    })
}

fn open(key: &'static str, file: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(file).map_err(|source| unreadable(key, file, source))
}

fn unreadable(key: &'static str, file: &Path, source: io::Error) -> CertificateError {
    CertificateError::Unreadable { key, file: file.to_owned(), source }
}

fn invalid(key: &'static str, file: &Path, message: &str) -> CertificateError {
    CertificateError::Invalid { key, file: file.to_owned(), message: message.to_owned() }
}

/// What shows that files were written: times and sizes. Links are followed, as certbot leaves them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp([Option<(SystemTime, u64)>; 2]);

impl Stamp {
    fn of(files: &TlsConfig) -> Self {
        let look = |file: &PathBuf| {
            let metadata = std::fs::metadata(file).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Self([&files.certificate, &files.key].map(look))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{CertificateParams, CertifiedKey as Made};

    use super::*;

    fn made() -> Made<rcgen::KeyPair> {
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
    }

    /// Files with these texts, and what becomes of them.
    fn opened(certificate: &str, key: &str, mode: u32) -> Result<Certificate, String> {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsConfig { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        std::fs::set_permissions(&files.key, PermissionsExt::from_mode(mode)).unwrap();
        Certificate::open(&files).map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_and_its_key_are_read() {
        let made = made();
        assert!(opened(&made.cert.pem(), &made.signing_key.serialize_pem(), 0o600).is_ok());
    }

    /// What is said of a certificate that a test has changed.
    fn doubt(change: impl FnOnce(&mut CertificateParams)) -> Option<String> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap().pem();
        opened(&certificate, &key.serialize_pem(), 0o600).unwrap().doubt()
    }

    #[test]
    fn what_clients_refuse_is_told_before_they_do() {
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
        let soon = soon.to_zoned(jiff::tz::TimeZone::UTC);
        let (year, month, day) = (soon.year().into(), soon.month().cast_unsigned(), soon.day().cast_unsigned());
        assert_eq!(doubt(|_| {}), None);
        let text = doubt(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)).unwrap();
        assert!(text.contains("clients refuse /") && text.contains("expired"), "{text}");
        let text = doubt(|params| params.not_before = rcgen::date_time_ymd(3000, 1, 1)).unwrap();
        assert!(text.contains("clients refuse /") && text.contains("not valid yet"), "{text}");
        let text = doubt(|params| params.not_after = rcgen::date_time_ymd(year, month, day)).unwrap();
        assert!(text.ends_with("ends within 14 days"), "{text}");
        let text = doubt(|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)).unwrap();
        assert!(text.contains("CA:FALSE"), "{text}");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_key_of_the_configuration() {
        let (made, other) = (made(), self::made());
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        for (certificate, key, mode, words) in [
            (&certificate, &key, 0o640, "tls.key: /|(mode 0640): chmod 600 /"),
            (&key, &key, 0o600, "tls.certificate: /|no BEGIN CERTIFICATE"),
            (&certificate, &certificate, 0o600, "tls.key: /|no BEGIN PRIVATE KEY"),
            (&certificate, &other.signing_key.serialize_pem(), 0o600, "tls.key: /|not the key of /"),
        ] {
            let text = opened(certificate, key, mode).unwrap_err();
            assert!(words.split('|').all(|word| text.contains(word)), "{text}");
        }
        let missing = TlsConfig { certificate: "/nowhere/c.pem".into(), key: "/nowhere/k.pem".into() };
        let text = Certificate::open(&missing).unwrap_err().to_string();
        assert!(text.contains("tls.certificate: cannot read /nowhere/c.pem"), "{text}");
    }
}
