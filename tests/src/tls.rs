//! Certificates that a test makes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Somebody who issues certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// One that nobody trusts so far.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        // A name of its own: OpenSSL takes a certificate that names itself as its issuer for one that it is.
        params.distinguished_name.push(DnType::CommonName, "the tests' authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("the system has random numbers");
        let pem = params.self_signed(&key).expect("it signs itself").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its own certificate, which its clients trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes `cert.pem` and `key.pem` for these names into a folder, over those that are there.
    pub fn issue(&self, names: &[&str], folder: &Path) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("the system has random numbers");
        let params = CertificateParams::new(names).expect("they are names");
        let certificate = params.signed_by(&key, &self.issuer).expect("it can be signed");
        let secret = folder.join("key.pem");
        std::fs::write(&secret, key.serialize_pem()).expect("the key can be written");
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("its mode can be set");
        std::fs::write(folder.join("cert.pem"), certificate.pem()).expect("the certificate can be written");
    }
}
